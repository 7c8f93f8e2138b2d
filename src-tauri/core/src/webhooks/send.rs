//! One call: the exact bytes, both signatures, one answer. Nothing here touches the database.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::format::CONTENT_TYPE;
use super::headers::{self, LONG_ENOUGH, MASK};
use super::kept::{Kept, Valid};
use super::{Settings, signature};
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::http::{Answer, Call, Called, Http, elapsed_ms, guard};
use crate::outcome::{Code, Failure, Trouble};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// What is to be sent.
pub(crate) struct Message<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) body: Bytes,
}

/// How a call ended, and whether the receiver asked to wait.
pub(crate) struct Sent {
    pub(crate) ended: Ended,
    pub(crate) retry_after: Option<String>,
}

/// Calls the receiver once. `own_port` is where our own API listens: it is never called.
pub(crate) async fn send(
    http: &Http,
    settings: &Settings,
    kept: &Kept,
    message: Message<'_>,
    now: Time,
    own_port: Option<u16>,
) -> Sent {
    let started = Instant::now();
    let failed = |failure: Failure| Sent {
        ended: Ended {
            failure: Some(failure),
            request_url: Some(settings.url.clone()),
            duration_ms: Some(0),
            ..Ended::default()
        },
        retry_after: None,
    };
    let Some(address) = kept.address(settings) else {
        return failed(Failure::trouble(
            Code::KeychainUnavailable,
            Trouble::AddressMissing,
        ));
    };
    let url = match guard::check_url(address, settings.allow_private_network) {
        Ok(url) => settings.format.called_at(url),
        Err(_) => return failed(Failure::new(Code::BlockedAddress)),
    };
    if own_port.is_some()
        && url.port_or_known_default() == own_port
        && crate::http::literal_class(&url) == Some(guard::Class::Loopback)
    {
        return failed(Failure::new(Code::BlockedAddress));
    }
    let (secrets, own) = (kept.valid(settings, now), kept.headers(settings));
    let Some(headers) = all_headers(&message, secrets, &own, now) else {
        return failed(Failure::new(Code::Internal));
    };
    let timeout = Duration::from_secs(settings.timeout_seconds.into());
    let secret = settings.format.is_chat().then(|| url.clone());
    let called = http
        .post(Call {
            url,
            allow_private: settings.allow_private_network,
            headers,
            body: message.body,
            timeout,
        })
        .await;
    let mut ended = Ended {
        duration_ms: Some(elapsed_ms(started)),
        request_url: Some(settings.url.clone()),
        signed_at: Some(now),
        further_headers: further(secrets, &own),
        ..Ended::default()
    };
    let mut retry_after = None;
    match called {
        Called::Silent(failure) => ended.failure = Some(failure),
        Called::Answered(mut answer, broken) => {
            if answer.status == 429
                && let Some(seconds) = settings.format.asked_to_wait(&answer.body)
            {
                answer.retry_after = Some(seconds.to_string());
            }
            if let Some(secret) = &secret {
                unsaid(secret, &mut answer);
            }
            // An answer that broke off has been given: its status counts, and only success needs the rest.
            ended.failure = match broken {
                Some(failure) if (200..300).contains(&answer.status) => Some(failure),
                _ => judge(answer.status),
            };
            ended.status = Some(answer.status);
            ended.response_headers = Some(answer.headers);
            ended.response_body = Some(answer.body).filter(|b| !b.is_empty());
            ended.response_truncated = answer.truncated;
            retry_after = answer.retry_after;
        }
    }
    own.iter().for_each(|(_, value)| ended.forget(value));
    Sent { ended, retry_after }
}

/// Takes the secret parts of the address out of an answer: a web server that does not know one often
/// repeats it, and answers are kept.
fn unsaid(secret: &Url, answer: &mut Answer) {
    let path = secret.path_segments().into_iter().flatten();
    let query = secret
        .query()
        .into_iter()
        .flat_map(|query| query.split(['&', '=']));
    for part in path.chain(query).filter(|part| part.len() >= LONG_ENOUGH) {
        for value in answer.headers.values_mut().filter(|v| v.contains(part)) {
            *value = value.replace(part, MASK);
        }
        let finder = answer.body.windows(part.len());
        if finder.into_iter().any(|window| window == part.as_bytes()) {
            let body = String::from_utf8_lossy(&answer.body).replace(part, MASK);
            answer.body = body.into_bytes();
        }
    }
}

/// What a status means: 2xx is success, all else is not.
fn judge(status: u16) -> Option<Failure> {
    match status {
        200..300 => None,
        429 => Some(Failure::status(Code::RateLimited, status)),
        500.. => Some(Failure::status(Code::ProviderDown, status)),
        _ => Some(Failure::status(Code::Rejected, status)),
    }
}

/// The headers of a call that is signed at `now`, in the order of the contract.
fn named(
    event_id: &str,
    event_type: &str,
    now: Time,
    signatures: (String, String),
) -> [(&'static str, String); 7] {
    [
        ("content-type", CONTENT_TYPE.to_owned()),
        ("x-webhook-event", event_type.to_owned()),
        ("x-webhook-timestamp", now.as_ms().to_string()),
        ("x-webhook-signature", signatures.0),
        ("webhook-id", event_id.to_owned()),
        ("webhook-timestamp", now.as_seconds().to_string()),
        ("webhook-signature", signatures.1),
    ]
}

/// The header that carries the new secret's signature while the former one is valid too.
const NEXT: &str = "x-webhook-signature-next";

fn all_headers(
    message: &Message<'_>,
    secrets: Valid<'_>,
    own: &[(&str, &str)],
    now: Time,
) -> Option<HeaderMap> {
    let hex = |secret| signature::hex(secret, now, &message.body);
    let standard = |secret| signature::standard(secret, message.event_id, now, &message.body);
    let newest = standard(secrets.secret);
    let (signatures, next) = match secrets.former {
        None => ((hex(secrets.secret), newest), None),
        Some(former) => (
            (hex(former), format!("{newest} {}", standard(former))),
            Some(hex(secrets.secret)),
        ),
    };
    let mut all: HeaderMap = named(message.event_id, message.event_type, now, signatures)
        .into_iter()
        .chain(next.map(|signature| (NEXT, signature)))
        .map(|(name, value)| {
            let value = HeaderValue::from_str(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        })
        .collect::<Option<_>>()?;
    for (name, value) in own {
        // Checked when saved; what a key store was made to hold since goes nowhere.
        if headers::wrong_name(name)
            .or(headers::wrong_value(value))
            .is_some()
        {
            return None;
        }
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        all.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some(all)
}

/// What a call carried beside the usual headers, as the log shows it.
fn further(secrets: Valid<'_>, own: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    let further: BTreeMap<_, _> = own
        .iter()
        .map(|(name, value)| ((*name).to_owned(), headers::masked(value)))
        .chain(secrets.former.map(|_| (NEXT.to_owned(), MASK.to_owned())))
        .collect();
    (!further.is_empty()).then_some(further)
}

/// The headers of a call as the log shows them: signatures masked, own headers too.
pub(crate) fn shown(
    event_id: &str,
    event_type: &str,
    signed_at: Time,
    further: Option<BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut all = further.unwrap_or_default();
    all.extend(
        named(event_id, event_type, signed_at, (MASK.into(), MASK.into()))
            .map(|(name, value)| (name.to_owned(), value)),
    );
    all
}
