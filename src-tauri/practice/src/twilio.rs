//! Twilio on loopback: takes texts as the real one does, refuses what it refuses, and tells how far each has come.
//!
//! It is strict: basic auth, a form and nothing but the fields it knows, numbers in E.164. A text moves one step each
//! time it is asked about, from `queued` (`accepted` through a messaging service) to `delivered`.
//!
//! Some numbers are magic. Twilio's own, as with its test credentials:
//!
//! | number | as recipient | as sender |
//! |---|---|---|
//! | `+15005550001` | 21211 no valid number | 21212 |
//! | `+15005550002` | 21612 no way there | – |
//! | `+15005550003` | 21408 country not allowed | – |
//! | `+15005550004` | 21610 answered STOP | – |
//! | `+15005550006` | fine | fine |
//! | `+15005550007` | – | 21606 not yours |
//! | `+15005550008` | – | 21611 its queue is full |
//! | `+15005550009` | 21614 takes no texts | – |
//!
//! And for every other code `+150055` with the code behind it. `+15005521608` is refused at once with 21608;
//! `+15005530003` is taken, and comes back `undelivered` with 30003. Further:
//!
//! | number | what happens |
//! |---|---|
//! | `+15005500001` | stays `sent`: no word from the carrier, ever |
//! | `+15005500002` | stays `queued` |
//! | `+15005500003` | comes back `failed` without a code |
//! | `+15005500004` | is called off: `canceled` |
//! | `+15005500429` | 429, asks to wait 7 seconds |
//! | `+15005500503` | 503 |
//!
//! [`Behaviour`](crate::Behaviour) overrules all of it, with the feature `faults`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::receiver::{Call, Keep, Receiver, Respond};

/// What Twilio takes: longer is 21617.
const LONGEST: usize = 1600;
/// The largest form it takes.
const MAX_BYTES: usize = 64 * 1024;
/// Calls kept.
const KEPT: usize = 1_000;

/// A text that was taken.
#[derive(Clone, Debug)]
pub struct Text {
    /// What Twilio calls it.
    pub sid: String,
    /// To whom.
    pub to: String,
    /// From which number; nothing while a messaging service chooses.
    pub from: Option<String>,
    /// Through which messaging service.
    pub service: Option<String>,
    /// What it says.
    pub body: String,
    /// How far it has come.
    pub status: &'static str,
    /// Why it did not arrive.
    pub error_code: Option<u32>,
    /// How often its status was asked for.
    pub asked: u32,
    created: Timestamp,
    coming: &'static [&'static str],
    ends_with: Option<u32>,
}

/// A running stand-in. It ends when dropped.
#[derive(Debug)]
pub struct Twilio {
    receiver: Receiver,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug)]
struct Memory {
    token: String,
    texts: Vec<Text>,
}

impl Twilio {
    /// The account that exists here.
    pub const ACCOUNT: &str = "AC5197a1b0c5197a1b0c5197a1b0c51970";
    /// Its token, until another is set.
    pub const TOKEN: &str = "practice0token0of0no0real0account";
    /// An account that is suspended, with the same token.
    pub const SUSPENDED: &str = "AC5197a1b0c5197a1b0c5197a1b0c5dead";
    /// An account on trial, with the same token: it texts only [`Self::NUMBER`].
    pub const TRIAL: &str = "AC5197a1b0c5197a1b0c5197a1b0c57417";
    /// A number that may send and takes texts.
    pub const NUMBER: &str = "+15005550006";
    /// A messaging service.
    pub const SERVICE: &str = "MG5197a1b0c5197a1b0c5197a1b0c51970";

    /// Starts on the address (port 0: a free one).
    pub async fn start(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let memory = Arc::new(Mutex::new(Memory::new()));
        let desk = Arc::clone(&memory);
        let respond = Respond {
            most: MAX_BYTES,
            to: Box::new(move |call| {
                let answered = lock(&desk).answer(call);
                answered.unwrap_or_else(Refusal::answer)
            }),
        };
        let receiver = Receiver::start_answering(address, Keep::Last(KEPT), respond).await?;
        Ok(Self { receiver, memory })
    }

    /// The base URL to give to an integration.
    pub fn url(&self) -> String {
        format!("http://{}", self.receiver.address())
    }

    /// The texts that were taken, oldest first.
    pub fn texts(&self) -> Vec<Text> {
        lock(&self.memory).texts.clone()
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(self) {
        self.receiver.stop().await;
    }

    /// Every call, taken or not; it can also be told to misbehave.
    pub fn calls(&self) -> &Receiver {
        &self.receiver
    }

    /// From now on only this token is right.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut lock(&self.memory).token);
    }

    /// A text comes to rest like this, whatever was planned for it.
    pub fn settle(&self, sid: &str, status: &'static str, error_code: Option<u32>) {
        if let Some(text) = lock(&self.memory).texts.iter_mut().find(|t| t.sid == sid) {
            text.status = status;
            text.error_code = error_code;
            text.coming = &[];
        }
    }

    /// The path at which texts of [`Self::ACCOUNT`] are handed in and listed.
    pub fn messages_path() -> String {
        format!("/2010-04-01/Accounts/{}/Messages.json", Self::ACCOUNT)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            code,
            message: message.into(),
        }
    }

    fn answer(self) -> Response<Full<Bytes>> {
        let mut answer = in_json(
            self.status,
            &json!({
                "code": self.code,
                "message": self.message,
                "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
                "status": self.status.as_u16(),
            }),
        );
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        }
        answer
    }
}

fn in_json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(value.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

impl Memory {
    fn new() -> Self {
        Self {
            token: Twilio::TOKEN.to_owned(),
            texts: Vec::new(),
        }
    }

    fn answer(&mut self, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
        let Call {
            method,
            uri,
            headers,
            body,
            ..
        } = call;
        let not_here = || {
            let message = format!("The requested resource {} was not found", uri.path());
            Refusal::new(404, 20404, message)
        };
        let path = uri
            .path()
            .strip_prefix("/2010-04-01/Accounts/")
            .and_then(|path| path.strip_suffix(".json"))
            .ok_or_else(not_here)?;
        let (account, resource) = path.split_once('/').unwrap_or((path, ""));
        self.let_in(account, headers)?;
        let wrong_method = || Refusal::new(405, 20004, "Method not allowed");
        match (method, resource) {
            (&Method::GET, "") => Ok(in_json(StatusCode::OK, &owner(account))),
            _ if account == Twilio::SUSPENDED => {
                Err(Refusal::new(403, 20005, "Account not active"))
            }
            (&Method::POST, "Messages") => self.take(account, headers, body),
            (&Method::GET, "Messages") => self.list(account, uri),
            (_, "" | "Messages") => Err(wrong_method()),
            (method, resource) => {
                let sid = resource.strip_prefix("Messages/").ok_or_else(not_here)?;
                if method != Method::GET {
                    return Err(wrong_method());
                }
                let text = self.texts.iter_mut().find(|text| text.sid == sid);
                let text = text.ok_or_else(not_here)?;
                text.asked += 1;
                text.advance();
                Ok(in_json(StatusCode::OK, &text.describe(account)))
            }
        }
    }

    fn let_in(&self, account: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let known = [Twilio::ACCOUNT, Twilio::SUSPENDED, Twilio::TRIAL];
        let expected = format!(
            "Basic {}",
            BASE64.encode(format!("{account}:{}", self.token))
        );
        let given = headers.get(header::AUTHORIZATION);
        if known.contains(&account) && given.is_some_and(|given| given == expected.as_str()) {
            Ok(())
        } else {
            Err(Refusal::new(401, 20003, "Authenticate"))
        }
    }

    fn take(
        &mut self,
        account: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Full<Bytes>>, Refusal> {
        let kind = headers.get(header::CONTENT_TYPE);
        if kind.is_none_or(|kind| kind != "application/x-www-form-urlencoded") {
            return Err(Refusal::new(415, 20001, "Send a form"));
        }
        let (mut to, mut from, mut service, mut says) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(body) {
            let field = match &*name {
                "To" => &mut to,
                "From" => &mut from,
                "MessagingServiceSid" => &mut service,
                "Body" => &mut says,
                name => {
                    return Err(Refusal::new(
                        400,
                        20001,
                        format!("Unknown parameter {name}"),
                    ));
                }
            };
            if field.replace(value.into_owned()).is_some() {
                return Err(Refusal::new(400, 20001, format!("{name} is given twice")));
            }
        }
        let to = to.ok_or_else(|| Refusal::new(400, 21604, "A 'To' phone number is required."))?;
        let says = says
            .filter(|says| !says.trim().is_empty())
            .ok_or_else(|| Refusal::new(400, 21602, "Message body is required."))?;
        let sender = check_sender(from.as_deref(), service.as_deref())?;
        if says.chars().count() > LONGEST {
            return Err(Refusal::new(
                400,
                21617,
                "The concatenated message body exceeds the 1600 character limit.",
            ));
        }
        if !is_e164(&to) {
            return Err(Refusal::new(
                400,
                21211,
                format!("Invalid 'To' Phone Number: {to}"),
            ));
        }
        if account == Twilio::TRIAL && to != Twilio::NUMBER {
            return Err(refusal(21608));
        }
        let (coming, ends_with) = plan(&to)?;
        let number = self.texts.len() + 1;
        let mut text = Text {
            sid: format!("SM{number:032x}"),
            to,
            from,
            service,
            body: says,
            status: if sender == "service" {
                "accepted"
            } else {
                "queued"
            },
            error_code: None,
            asked: 0,
            created: Timestamp::now(),
            coming,
            ends_with,
        };
        // Twilio cuts white space at the ends.
        text.body = text.body.trim().to_owned();
        let answer = in_json(StatusCode::CREATED, &text.describe(account));
        self.texts.push(text);
        Ok(answer)
    }

    fn list(&self, account: &str, uri: &Uri) -> Result<Response<Full<Bytes>>, Refusal> {
        let (mut to, mut size, mut page) = (None, 50_usize, 0_usize);
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let number = || {
                let wrong = || Refusal::new(400, 20001, format!("{name} is no number"));
                value.parse::<usize>().map_err(|_| wrong())
            };
            match &*name {
                "To" => to = Some(value.into_owned()),
                "PageSize" => size = number()?.clamp(1, 1000),
                "Page" => page = number()?,
                name => {
                    return Err(Refusal::new(
                        400,
                        20001,
                        format!("Unknown parameter {name}"),
                    ));
                }
            }
        }
        let all: Vec<&Text> = self
            .texts
            .iter()
            .rev()
            .filter(|text| to.as_ref().is_none_or(|to| *to == text.to))
            .collect();
        let start = page * size;
        let shown: Vec<Value> = all
            .iter()
            .skip(start)
            .take(size)
            .map(|text| text.describe(account))
            .collect();
        let path = uri.path();
        let at = |page: usize| format!("{path}?PageSize={size}&Page={page}");
        Ok(in_json(
            StatusCode::OK,
            &json!({
                "start": start,
                "end": (start + shown.len()).saturating_sub(1),
                "page": page,
                "page_size": size,
                "uri": at(page),
                "first_page_uri": at(0),
                "previous_page_uri": page.checked_sub(1).map(at),
                "next_page_uri": (all.len() > start + size).then(|| at(page + 1)),
                "messages": shown,
            }),
        ))
    }
}

impl Text {
    fn advance(&mut self) {
        let Some((next, rest)) = self.coming.split_first() else {
            return;
        };
        self.status = next;
        self.coming = rest;
        if rest.is_empty() && matches!(*next, "undelivered" | "failed") {
            self.error_code = self.ends_with;
        }
        if *next == "sent" && self.from.is_none() {
            self.from = Some(Twilio::NUMBER.to_owned());
        }
    }

    /// All members, in the words of the API; those that are not known yet are null.
    fn describe(&self, account: &str) -> Value {
        let created = self
            .created
            .strftime("%a, %d %b %Y %H:%M:%S +0000")
            .to_string();
        let sent = !matches!(self.status, "accepted" | "queued");
        json!({
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": created,
            "date_sent": sent.then_some(&created),
            "date_updated": created,
            "direction": "outbound-api",
            "error_code": self.error_code,
            "error_message": Value::Null,
            "from": self.from,
            "messaging_service_sid": self.service,
            "num_media": "0",
            "num_segments": "1",
            "price": Value::Null,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {
                "media": format!("/2010-04-01/Accounts/{account}/Messages/{}/Media.json", self.sid),
            },
            "to": self.to,
            "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}.json", self.sid),
        })
    }
}

fn owner(account: &str) -> Value {
    let created = "Thu, 30 Jul 2015 20:00:00 +0000";
    json!({
        "auth_token": Value::Null,
        "date_created": created,
        "date_updated": created,
        "friendly_name": "Practice",
        "owner_account_sid": account,
        "sid": account,
        "status": if account == Twilio::SUSPENDED { "suspended" } else { "active" },
        "subresource_uris": {},
        "type": if account == Twilio::TRIAL { "Trial" } else { "Full" },
        "uri": format!("/2010-04-01/Accounts/{account}.json"),
    })
}

fn check_sender(from: Option<&str>, service: Option<&str>) -> Result<&'static str, Refusal> {
    match (from, service) {
        (None, Some(Twilio::SERVICE)) => Ok("service"),
        (None, Some(_)) => Err(refusal(21701)),
        (Some("+15005550001"), None) => Err(refusal(21212)),
        (Some("+15005550007"), None) => Err(refusal(21606)),
        (Some("+15005550008"), None) => Err(refusal(21611)),
        (Some(from), None) if is_e164(from) => Ok("number"),
        (Some(_), None) => Err(refusal(21212)),
        (None, None) => Err(refusal(21603)),
        (Some(_), Some(_)) => Err(Refusal::new(
            400,
            20001,
            "From and MessagingServiceSid are both given",
        )),
    }
}

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

/// What becomes of a text to this number: its next states, and the code it ends with.
#[allow(clippy::type_complexity)]
fn plan(to: &str) -> Result<(&'static [&'static str], Option<u32>), Refusal> {
    const ARRIVES: &[&str] = &["sending", "sent", "delivered"];
    let Some(code) = to
        .strip_prefix("+150055")
        .and_then(|code| code.parse::<u32>().ok())
    else {
        return Ok((ARRIVES, None));
    };
    match code {
        50001 => Err(refusal(21211)),
        50002 => Err(refusal(21612)),
        50003 => Err(refusal(21408)),
        50004 => Err(refusal(21610)),
        50009 => Err(refusal(21614)),
        1 => Ok((&["sending", "sent"], None)),
        2 => Ok((&[], None)),
        3 => Ok((&["sending", "failed"], None)),
        4 => Ok((&["canceled"], None)),
        429 => Err(refusal(20429)),
        503 => Err(Refusal::new(503, 20503, "Service unavailable")),
        20_000..30_000 => Err(refusal(code)),
        30_000..40_000 | 60_000..70_000 => Ok((&["sending", "sent", "undelivered"], Some(code))),
        _ => Ok((ARRIVES, None)),
    }
}

/// What Twilio says with an error code.
fn refusal(code: u32) -> Refusal {
    let (status, message) = match code {
        20003 => (401, "Authenticate"),
        20404 => (404, "The requested resource was not found"),
        20429 => (429, "Too Many Requests"),
        20005 => (403, "Account not active"),
        21211 => (400, "Invalid 'To' Phone Number"),
        21212 => (400, "Invalid From Number (caller ID)"),
        21408 => (
            400,
            "Permission to send an SMS has not been enabled for the region",
        ),
        21603 => (400, "A 'From' phone number is required."),
        21606 => (
            400,
            "The 'From' phone number is not a valid, SMS-capable inbound number for your account.",
        ),
        21608 => (
            400,
            "The number is unverified. Trial accounts cannot send messages to unverified numbers",
        ),
        21610 => (400, "Attempt to send to unsubscribed recipient"),
        21611 => (
            429,
            "This 'From' number has exceeded the maximum number of queued messages",
        ),
        21612 => (
            400,
            "Message cannot be sent with the current combination of 'To' and 'From' parameters",
        ),
        21614 => (400, "'To' number is not a valid mobile number"),
        21701 => (400, "The Messaging Service does not exist"),
        _ => (400, "Refused"),
    };
    Refusal::new(status, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(account: &str, token: &str) -> HeaderMap {
        let pair = BASE64.encode(format!("{account}:{token}"));
        HeaderMap::from_iter([
            (
                header::AUTHORIZATION,
                HeaderValue::from_str(&format!("Basic {pair}")).unwrap(),
            ),
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            ),
        ])
    }

    fn ask(
        memory: &mut Memory,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<StatusCode, u32> {
        let uri: Uri = format!("/2010-04-01/Accounts/{path}").parse().unwrap();
        let call = Call {
            number: 1,
            at: std::time::SystemTime::now(),
            instant: std::time::Instant::now(),
            method,
            uri,
            headers: headers.clone(),
            body: Bytes::from(body.to_owned()),
        };
        match memory.answer(&call) {
            Ok(answer) => Ok(answer.status()),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn send(memory: &mut Memory, body: &str) -> Result<StatusCode, u32> {
        let headers = signed(Twilio::ACCOUNT, Twilio::TOKEN);
        let path = format!("{}/Messages.json", Twilio::ACCOUNT);
        ask(memory, Method::POST, &path, &headers, body)
    }

    #[test]
    fn a_text_moves_a_step_each_time_it_is_asked_about() {
        for (to, steps, code) in [
            (
                "%2B436641234567",
                &["sending", "sent", "delivered", "delivered"][..],
                None,
            ),
            (
                "%2B15005530003",
                &["sending", "sent", "undelivered"][..],
                Some(30003),
            ),
            ("%2B15005500001", &["sending", "sent", "sent"][..], None),
            ("%2B15005500003", &["sending", "failed"][..], None),
        ] {
            let mut memory = Memory::new();
            let body = format!("To={to}&From=%2B15005550006&Body=Hello");
            assert_eq!(send(&mut memory, &body), Ok(StatusCode::CREATED));
            let path = format!("{}/Messages/{}.json", Twilio::ACCOUNT, memory.texts[0].sid);
            for step in steps {
                let headers = signed(Twilio::ACCOUNT, Twilio::TOKEN);
                assert_eq!(
                    ask(&mut memory, Method::GET, &path, &headers, ""),
                    Ok(StatusCode::OK)
                );
                assert_eq!(memory.texts[0].status, *step, "{to}");
            }
            assert_eq!(memory.texts[0].error_code, code);
        }
    }

    #[test]
    fn what_twilio_refuses_is_refused_with_its_code() {
        let from = "From=%2B15005550006&Body=x";
        for (body, code) in [
            (format!("To=%2B15005550004&{from}"), 21610),
            (format!("To=%2B15005521608&{from}"), 21608),
            (format!("To=%2B15005500429&{from}"), 20429),
            (format!("To=0664&{from}"), 21211),
            (from.to_owned(), 21604),
            (
                "To=%2B436641234567&From=%2B15005550006&Body=+".into(),
                21602,
            ),
            ("To=%2B436641234567&Body=x".into(), 21603),
            (
                "To=%2B436641234567&From=%2B15005550007&Body=x".into(),
                21606,
            ),
            (
                "To=%2B436641234567&MessagingServiceSid=MGx&Body=x".into(),
                21701,
            ),
            (format!("To=%2B436641234567&{from}&Colour=red"), 20001),
            (
                format!("To=%2B436641234567&{from}{}", "x".repeat(1600)),
                21617,
            ),
        ] {
            assert_eq!(send(&mut Memory::new(), &body), Err(code), "{body}");
        }
    }

    #[test]
    fn only_the_account_itself_is_let_in() {
        let own = format!("{}.json", Twilio::ACCOUNT);
        let right = signed(Twilio::ACCOUNT, Twilio::TOKEN);
        let get = |headers: &HeaderMap, path: &str| {
            ask(&mut Memory::new(), Method::GET, path, headers, "")
        };
        assert_eq!(get(&right, &own), Ok(StatusCode::OK));
        assert_eq!(get(&HeaderMap::new(), &own), Err(20003));
        assert_eq!(get(&signed(Twilio::ACCOUNT, "other"), &own), Err(20003));
        assert_eq!(
            get(&signed(Twilio::SUSPENDED, Twilio::TOKEN), &own),
            Err(20003)
        );
        assert_eq!(
            get(&right, &format!("{}/Calls.json", Twilio::ACCOUNT)),
            Err(20404)
        );
    }
}
