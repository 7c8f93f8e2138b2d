//! SendGrid (v3): one email, one call; and a look at a key that sends nothing.
//!
//! SendGrid says *accepted* and no more: whether an email was delivered it does not tell. It knows
//! no idempotency key either, so a call whose answer got lost is never made again by itself.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{Mailbox, Message, Settings};
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::http::{Answer, Call, Called, Http, elapsed_ms};
use crate::integrations::send::{Sent, provider_url};
use crate::outcome::{Code, Detail, Failure};
use crate::webhooks::headers::MASK;

/// Where SendGrid is, unless an account is in the EU.
pub(crate) const BASE_URL: &str = "https://api.sendgrid.com";
/// Where a sender is verified.
pub(crate) const SENDERS: &str = "https://app.sendgrid.com/settings/sender_auth";
/// Where an allowance is raised.
pub(crate) const BILLING: &str = "https://app.sendgrid.com/account/billing";
/// Where keys are made.
pub(crate) const KEYS: &str = "https://app.sendgrid.com/settings/api_keys";
/// The name of the key among the secrets that are kept.
pub(crate) const KEY: &str = "apiKey";
/// How long a call may take. Longer than SendGrid ever needs: a call that is given up after the
/// email was handed over leaves its fate unknown.
const TIMEOUT: Duration = Duration::from_secs(20);
const TEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The right that a key needs.
const SCOPE: &str = "mail.send";

/// A file as it is sent.
pub(crate) struct File<'a> {
    pub(crate) filename: &'a str,
    pub(crate) content_type: std::borrow::Cow<'a, str>,
    pub(crate) base64: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Request<'a> {
    personalizations: [Personalization<'a>; 1],
    from: Mailbox,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Mailbox>,
    subject: &'a str,
    content: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attached<'a>>,
}

#[derive(Serialize)]
struct Personalization<'a> {
    to: Vec<Mailbox>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc: Vec<Mailbox>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bcc: Vec<Mailbox>,
    custom_args: Ours<'a>,
}

/// What SendGrid gives back with everything it says of an email.
#[derive(Serialize)]
struct Ours<'a> {
    signalbox_delivery: &'a str,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct Attached<'a> {
    content: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    filename: &'a str,
    disposition: &'static str,
}

/// The request for an email. Pure; the same for the same email.
pub(crate) fn request(
    message: &Message,
    settings: &Settings,
    files: &[File<'_>],
    delivery: &str,
) -> Option<Bytes> {
    let all = |addresses: Option<&super::Addresses>| -> Option<Vec<Mailbox>> {
        addresses
            .map(super::Addresses::texts)
            .unwrap_or_default()
            .iter()
            .map(|text| Mailbox::read(text))
            .collect()
    };
    let plain = message.plain();
    // `text/plain` has to come before `text/html`.
    let mut content = vec![Content {
        kind: "text/plain",
        value: &plain,
    }];
    if let Some(html) = message.html.as_deref().filter(|h| !h.trim().is_empty()) {
        content.push(Content {
            kind: "text/html",
            value: html,
        });
    }
    let request = Request {
        personalizations: [Personalization {
            to: all(Some(&message.to))?,
            cc: all(message.cc.as_ref())?,
            bcc: all(message.bcc.as_ref())?,
            custom_args: Ours {
                signalbox_delivery: delivery,
            },
        }],
        from: Mailbox {
            email: settings.from_email.clone(),
            name: settings.from_name.clone(),
        },
        reply_to: match &message.reply_to {
            Some(text) => Some(Mailbox::read(text)?),
            None => None,
        },
        subject: &message.subject,
        content,
        attachments: files
            .iter()
            .map(|file| Attached {
                content: &file.base64,
                kind: &file.content_type,
                filename: file.filename,
                disposition: "attachment",
            })
            .collect(),
    };
    serde_json::to_vec(&request).ok().map(Bytes::from)
}

fn headers(key: &SecretString) -> Option<HeaderMap> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).ok()?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Some(headers)
}

/// Sends one email.
pub(crate) async fn send(
    http: &Http,
    base_url: &str,
    key: &SecretString,
    body: Bytes,
    own_port: Option<u16>,
) -> Sent {
    let started = Instant::now();
    let address = format!("{base_url}/v3/mail/send");
    let failed = |failure| Sent::failed(failure, &address);
    let (url, allow_private) = match provider_url(&address, own_port) {
        Ok(found) => found,
        Err(failure) => return failed(failure),
    };
    // A key with a line break in it is no key.
    let Some(mut headers) = headers(key) else {
        return failed(Failure::new(Code::CredentialsRejected));
    };
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let called = http
        .post_once(Call {
            url,
            allow_private,
            headers,
            body,
            timeout: TIMEOUT,
        })
        .await;
    let mut ended = Ended {
        duration_ms: Some(elapsed_ms(started)),
        request_url: Some(address),
        further_headers: Some(
            [
                ("authorization", MASK),
                ("content-type", "application/json"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ),
        ..Ended::default()
    };
    let mut retry_after = None;
    match called {
        Called::Silent(failure) => ended.failure = Some(failure),
        Called::Answered(answer, _) => {
            ended.failure = classify(answer.status, &answer.body).err();
            if ended.failure.is_none() {
                ended.provider_id = answer.headers.get("x-message-id").map(|id| {
                    id.chars()
                        .filter(char::is_ascii_graphic)
                        .take(200)
                        .collect()
                });
            }
            retry_after = asked_to_wait(&answer);
            ended.status = Some(answer.status);
            ended.response_headers = Some(answer.headers);
            ended.response_body = Some(answer.body).filter(|b| !b.is_empty());
            ended.response_truncated = answer.truncated;
        }
    }
    Sent { ended, retry_after }
}

/// Looks whether a key may send, without sending.
///
/// # Errors
/// Why it may not, or why that cannot be found out now.
pub(crate) async fn check(
    http: &Http,
    base_url: &str,
    key: &SecretString,
    own_port: Option<u16>,
) -> Result<(), Failure> {
    let (url, allow_private) = provider_url(&format!("{base_url}/v3/scopes"), own_port)?;
    let Some(headers) = headers(key) else {
        return Err(Failure::new(Code::CredentialsRejected));
    };
    let called = http
        .get(Call {
            url,
            allow_private,
            headers,
            body: Bytes::new(),
            timeout: TEST_TIMEOUT,
        })
        .await;
    match called {
        Called::Silent(failure) => Err(failure),
        Called::Answered(answer, broken) => scopes(&answer, broken),
    }
}

/// What the rights of a key say. Pure.
fn scopes(answer: &Answer, broken: Option<Failure>) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Scopes {
        scopes: Vec<String>,
    }
    if answer.status != 200 {
        return match classify(answer.status, &answer.body) {
            // It would be *accepted*, were this an email.
            Ok(()) => Err(not_sendgrid(answer.status)),
            Err(failure) => Err(failure),
        };
    }
    if let Some(failure) = broken {
        return Err(failure);
    }
    match serde_json::from_slice::<Scopes>(&answer.body) {
        Err(_) => Err(not_sendgrid(200)),
        Ok(found) if found.scopes.iter().any(|scope| scope == SCOPE) => Ok(()),
        Ok(_) => Err(Failure::status(Code::CredentialsRejected, 200).with(Detail::MayNotSend)),
    }
}

fn not_sendgrid(status: u16) -> Failure {
    Failure::status(Code::Unreachable, status).with(Detail::NotTheProvider)
}

/// What an answer means. Pure.
///
/// # Errors
/// All but 202: the one answer with which SendGrid accepts an email.
pub(crate) fn classify(status: u16, body: &[u8]) -> Result<(), Failure> {
    let is = |code| Err(Failure::status(code, status));
    let rejected = |detail| Err(Failure::status(Code::Rejected, status).with(detail));
    let said = String::from_utf8_lossy(body).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match status {
        202 => Ok(()),
        401 if says(&["credits", "maximum"]) => rejected(Detail::OutOfCredits),
        401 => is(Code::CredentialsRejected),
        403 if says(&["access forbidden", "scope", "permission"]) => {
            Err(Failure::status(Code::CredentialsRejected, status).with(Detail::MayNotSend))
        }
        403 => rejected(Detail::SenderUnknown),
        404 | 405 => rejected(Detail::WrongBaseUrl),
        413 => rejected(Detail::TooLarge),
        407 => Err(not_sendgrid(status)),
        408 => is(Code::ProviderDown),
        429 => is(Code::RateLimited),
        400..=499 => rejected(Detail::Malformed),
        500.. => is(Code::ProviderDown),
        _ => Err(not_sendgrid(status)),
    }
}

/// How long SendGrid asks to wait, as `Retry-After` says it: that header, else the moment at which
/// its count begins anew.
fn asked_to_wait(answer: &Answer) -> Option<String> {
    if answer.status != 429 {
        return answer.retry_after.clone();
    }
    answer.retry_after.clone().or_else(|| {
        let seconds: i64 = answer
            .headers
            .get("x-ratelimit-reset")?
            .trim()
            .parse()
            .ok()?;
        http_date(Time::from_ms(seconds.checked_mul(1000)?))
    })
}

fn http_date(at: Time) -> Option<String> {
    let since = Duration::from_millis(u64::try_from(at.as_ms()).ok()?);
    // Later than this no HTTP date is.
    (at.as_ms() < 253_402_300_800_000)
        .then(|| httpdate::fmt_http_date(std::time::UNIX_EPOCH + since))
}

/// SendGrid's own words about what is wrong, field by field.
pub(crate) fn own_words(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        errors: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        message: String,
        field: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let all: Vec<_> = answer
        .errors
        .into_iter()
        .take(5)
        .map(|said| match said.field.filter(|field| !field.is_empty()) {
            Some(field) => format!("{field}: {}", said.message),
            None => said.message,
        })
        .collect();
    let text = all.join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(500).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Reason;
    use crate::integrations::Kind;
    use crate::integrations::consequence::{self, Consequence};
    use crate::outcome::Trouble;

    const KEY_401: &str = r#"{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null,"help":null}]}"#;
    const CREDITS_401: &str =
        r#"{"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}"#;
    const SENDER_403: &str = r#"{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from","help":null}]}"#;
    const SCOPE_403: &str =
        r#"{"errors":[{"message":"access forbidden","field":null,"help":null}]}"#;
    const FIELD_400: &str = r#"{"errors":[{"message":"Does not contain a valid address.","field":"personalizations.0.to.0.email","help":null}]}"#;
    const PAGE: &str = "<!doctype html><title>Welcome to Hotel Wi-Fi</title>";

    #[test]
    fn each_answer_has_its_code_its_sentence_and_its_consequence() {
        use Consequence::{Fail, Hold, Retry};
        let rows: &[(u16, &str, Code, Consequence, &str)] = &[
            (
                400,
                FIELD_400,
                Code::Rejected,
                Fail,
                "does not take this email as it is",
            ),
            (
                401,
                KEY_401,
                Code::CredentialsRejected,
                Hold(Reason::NeedsCredentials),
                "no longer accepts your key",
            ),
            (
                401,
                CREDITS_401,
                Code::Rejected,
                Hold(Reason::NeedsSetup),
                "allowance is used up",
            ),
            (
                401,
                "",
                Code::CredentialsRejected,
                Hold(Reason::NeedsCredentials),
                "no longer accepts your key",
            ),
            (
                403,
                SENDER_403,
                Code::Rejected,
                Hold(Reason::NeedsSetup),
                "does not know your sender",
            ),
            (
                403,
                SCOPE_403,
                Code::CredentialsRejected,
                Hold(Reason::NeedsCredentials),
                "may not send mail",
            ),
            (404, "", Code::Rejected, Hold(Reason::NeedsSetup), "address"),
            (405, "", Code::Rejected, Hold(Reason::NeedsSetup), "address"),
            (
                406,
                "",
                Code::Rejected,
                Fail,
                "does not take this email as it is",
            ),
            (408, "", Code::ProviderDown, Retry, "trouble of its own"),
            (413, "", Code::Rejected, Fail, "too large"),
            (
                415,
                "",
                Code::Rejected,
                Fail,
                "does not take this email as it is",
            ),
            (
                422,
                "",
                Code::Rejected,
                Fail,
                "does not take this email as it is",
            ),
            (429, "", Code::RateLimited, Retry, "Too many at once"),
            (500, "", Code::ProviderDown, Retry, "trouble of its own"),
            (502, "", Code::ProviderDown, Retry, "trouble of its own"),
            (503, PAGE, Code::ProviderDown, Retry, "trouble of its own"),
            (504, "", Code::ProviderDown, Retry, "trouble of its own"),
            (
                200,
                PAGE,
                Code::Unreachable,
                Retry,
                "Something else answered",
            ),
            (200, "", Code::Unreachable, Retry, "Something else answered"),
            (204, "", Code::Unreachable, Retry, "Something else answered"),
            (302, "", Code::Unreachable, Retry, "Something else answered"),
            (407, "", Code::Unreachable, Retry, "Something else answered"),
        ];
        for (status, body, code, expected, words) in rows {
            let failure = classify(*status, body.as_bytes()).unwrap_err();
            assert_eq!(failure.code, *code, "{status} {body}");
            assert_eq!(
                consequence::of(Kind::Email, &failure),
                *expected,
                "{status} {body}"
            );
            let sentence = crate::integrations::words::failure(Kind::Email, &failure);
            assert!(sentence.contains(words), "{status} {body}: {sentence}");
        }
        assert_eq!(classify(202, b""), Ok(()));
    }

    #[test]
    fn what_happens_below_http_has_its_consequence_too() {
        use Consequence::{Fail, Hold, Retry, Unknown};
        for (failure, expected) in [
            (Failure::new(Code::Offline), Hold(Reason::Offline)),
            (Failure::timed_out(10), Retry),
            (
                Failure::trouble(Code::TimedOut, Trouble::AnswerLost),
                Unknown,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::AnswerLost),
                Unknown,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::Interrupted),
                Unknown,
            ),
            (Failure::trouble(Code::Unreachable, Trouble::Refused), Retry),
            (
                Failure::trouble(Code::Unreachable, Trouble::NameNotFound),
                Retry,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::CertificateExpired),
                Retry,
            ),
            (
                Failure::trouble(Code::KeychainUnavailable, Trouble::KeyStoreLocked),
                Hold(Reason::Keychain),
            ),
            (Failure::trouble(Code::Internal, Trouble::Damaged), Fail),
            (Failure::new(Code::Internal), Fail),
            (Failure::new(Code::BlockedAddress), Hold(Reason::NeedsSetup)),
            (Failure::new(Code::NotConfigured), Hold(Reason::NeedsSetup)),
            (Failure::new(Code::Disabled), Hold(Reason::Paused)),
            (
                Failure::new(Code::Rejected).with(Detail::AttachmentMissing),
                Fail,
            ),
        ] {
            assert_eq!(
                consequence::of(Kind::Email, &failure),
                expected,
                "{failure:?}"
            );
        }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            retry_after: headers
                .iter()
                .find(|(name, _)| *name == "retry-after")
                .map(|(_, value)| (*value).to_owned()),
            body: body.as_bytes().to_vec(),
            truncated: false,
        }
    }

    #[test]
    fn a_key_is_judged_by_its_rights() {
        let judge = |status, body| scopes(&answer(status, &[], body), None);
        assert_eq!(
            judge(200, r#"{"scopes":["mail.send","user.email.read"]}"#),
            Ok(())
        );
        for (status, body, code) in [
            (
                200,
                r#"{"scopes":["stats.read"]}"#,
                Code::CredentialsRejected,
            ),
            (200, PAGE, Code::Unreachable),
            (200, "", Code::Unreachable),
            (202, "", Code::Unreachable),
            (401, KEY_401, Code::CredentialsRejected),
            (403, SCOPE_403, Code::CredentialsRejected),
            (404, "", Code::Rejected),
            (429, "", Code::RateLimited),
            (503, "", Code::ProviderDown),
        ] {
            assert_eq!(
                judge(status, body).unwrap_err().code,
                code,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn both_ways_of_asking_to_wait_are_understood() {
        let now = Time::from_ms(1_795_493_359_000);
        let wait = |headers: &[(&str, &str)]| {
            asked_to_wait(&answer(429, headers, ""))
                .and_then(|text| crate::outbox::retry::retry_after(&text, now))
                .map(|at| at.ms_since(now))
        };
        assert_eq!(wait(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(wait(&[("x-ratelimit-reset", "1795493419")]), Some(60_000));
        assert_eq!(
            wait(&[("retry-after", "7"), ("x-ratelimit-reset", "1795493419")]),
            Some(7_000)
        );
        for nonsense in ["", "soon", "-1", "9223372036854775807", "1"] {
            assert_eq!(wait(&[("x-ratelimit-reset", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn sendgrid_s_words_name_the_field() {
        assert_eq!(
            own_words(FIELD_400.as_bytes()).as_deref(),
            Some("personalizations.0.to.0.email: Does not contain a valid address.")
        );
        assert_eq!(own_words(PAGE.as_bytes()), None);
    }
}
