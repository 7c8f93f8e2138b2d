//! SendGrid on loopback, as strict as its contract (`POST /v3/mail/send`, `GET /v3/scopes`).
//!
//! What it answers depends on what it is given:
//!
//! | given | answered |
//! |---|---|
//! | a key that begins with `SG.practice.works` | taken |
//! | the key `SG.practice.read-only` | known, but may not send: 403 |
//! | the key `SG.practice.out-of-credits` | known, but its allowance is used up: 401 |
//! | any other key | 401 |
//! | a sender `unknown@…` | not verified: 403 |
//! | a recipient `refused@…` | refused: 400, with the field |
//!
//! [`Behaviour`](crate::Behaviour) overrules all of it, with the feature `faults`.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::receiver::{Call, Keep, Receiver, Respond, answer};

/// The largest email it takes.
const MAX_BYTES: usize = 30 * 1024 * 1024;
/// Emails kept.
const KEPT: usize = 200;

/// An email that was accepted.
#[derive(Clone, Debug)]
pub struct Email {
    /// What it was called in the answer.
    pub message_id: String,
    /// The key it came with.
    pub key: String,
    /// The request.
    pub body: Value,
}

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub struct SendGrid {
    receiver: Receiver,
    emails: Arc<Mutex<Vec<Email>>>,
}

impl SendGrid {
    /// Starts on the address (port 0: a free one).
    pub async fn start(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let emails = Arc::<Mutex<Vec<Email>>>::default();
        let taken = Arc::clone(&emails);
        let respond = Respond {
            most: MAX_BYTES,
            to: Box::new(move |call| respond(call, &taken)),
        };
        let receiver = Receiver::start_answering(address, Keep::Last(KEPT), respond).await?;
        Ok(Self { receiver, emails })
    }

    /// The base URL to give to an integration.
    pub fn url(&self) -> String {
        format!("http://{}", self.receiver.address())
    }

    /// The emails that were accepted, oldest first.
    pub fn emails(&self) -> Vec<Email> {
        lock(&self.emails).clone()
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(self) {
        self.receiver.stop().await;
    }

    /// Every call, accepted or not; it can also be told to misbehave.
    pub fn calls(&self) -> &Receiver {
        &self.receiver
    }
}

fn lock(emails: &Mutex<Vec<Email>>) -> std::sync::MutexGuard<'_, Vec<Email>> {
    emails.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(call: &Call, emails: &Mutex<Vec<Email>>) -> Response<Full<Bytes>> {
    let key = call
        .header("authorization")
        .strip_prefix("Bearer ")
        .unwrap_or_default();
    let known = key.starts_with("SG.practice.works")
        || matches!(key, "SG.practice.read-only" | "SG.practice.out-of-credits");
    if !known {
        return refused(
            401,
            None,
            "The provided authorization grant is invalid, expired, or revoked",
        );
    }
    match (&call.method, call.uri.path()) {
        (&Method::GET, "/v3/scopes") => {
            let scopes = if key == "SG.practice.read-only" {
                json!({"scopes": ["stats.read"]})
            } else {
                json!({"scopes": ["mail.send", "sender_verification_eligible"]})
            };
            says(200, &scopes)
        }
        (&Method::POST, "/v3/mail/send") => take(call, key, emails),
        (_, "/v3/scopes" | "/v3/mail/send") => refused(405, None, "method not allowed"),
        _ => refused(404, None, "Not Found"),
    }
}

fn take(call: &Call, key: &str, emails: &Mutex<Vec<Email>>) -> Response<Full<Bytes>> {
    match key {
        "SG.practice.read-only" => return refused(403, None, "access forbidden"),
        "SG.practice.out-of-credits" => return refused(401, None, "Maximum credits exceeded"),
        _ => {}
    }
    if call.header("content-type") != "application/json" {
        return refused(415, None, "Content-Type should be application/json.");
    }
    let body = match serde_json::from_slice::<Value>(&call.body) {
        Ok(Value::Object(members)) => members,
        _ => return refused(400, None, "Bad Request"),
    };
    if let Err((field, message)) = check(&body) {
        return refused(400, Some(&field), message);
    }
    let from = body["from"]["email"].as_str().unwrap_or_default();
    if from.starts_with("unknown@") {
        return refused(
            403,
            Some("from"),
            "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.",
        );
    }
    let message_id = {
        let mut emails = lock(emails);
        let message_id = format!("practice.{}", emails.len() + 1);
        emails.push(Email {
            message_id: message_id.clone(),
            key: key.to_owned(),
            body: Value::Object(body),
        });
        message_id
    };
    let mut response = answer(StatusCode::ACCEPTED, "");
    if let Ok(value) = HeaderValue::try_from(message_id) {
        response.headers_mut().insert("x-message-id", value);
    }
    response
}

type Wrong = (String, &'static str);

fn wrong<T>(field: impl Into<String>, message: &'static str) -> Result<T, Wrong> {
    Err((field.into(), message))
}

/// What the contract asks of a request, and SendGrid beyond it.
fn check(body: &Map<String, Value>) -> Result<(), Wrong> {
    const KNOWN: [&str; 9] = [
        "personalizations",
        "from",
        "reply_to",
        "subject",
        "content",
        "attachments",
        "categories",
        "mail_settings",
        "tracking_settings",
    ];
    if let Some(other) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return wrong(other, "Additional property is not allowed");
    }
    let empty = Vec::new();
    let list = |value: Option<&'_ Value>| -> Vec<Value> {
        value.and_then(Value::as_array).unwrap_or(&empty).clone()
    };
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let people = list(body.get("personalizations"));
    if people.is_empty() || people.len() > 1000 {
        return wrong(
            "personalizations",
            "The personalizations field is required and must have at least one personalization.",
        );
    }
    for (i, one) in people.iter().enumerate() {
        let mut seen = HashSet::new();
        if list(one.get("to")).is_empty() {
            return wrong(
                format!("personalizations.{i}.to"),
                "The to array is required for all personalization objects, and must have at least one email object with a valid email address.",
            );
        }
        for member in ["to", "cc", "bcc"] {
            for (j, address) in list(one.get(member)).iter().enumerate() {
                let field = format!("personalizations.{i}.{member}.{j}.email");
                let email = mailbox(address, &field)?;
                if email.starts_with("refused@") {
                    return wrong(field, "Does not contain a valid address.");
                }
                if !seen.insert(email) {
                    return wrong(
                        field,
                        "Each email address in the personalization block should be unique between to, cc, and bcc.",
                    );
                }
            }
        }
        let ours = one.get("custom_args");
        if ours.is_some_and(|args| {
            !args
                .as_object()
                .is_some_and(|args| args.values().all(Value::is_string))
        }) {
            return wrong(
                format!("personalizations.{i}.custom_args"),
                "The custom_args must be an object of strings.",
            );
        }
    }
    mailbox(body.get("from").unwrap_or(&Value::Null), "from.email")?;
    if let Some(reply_to) = body.get("reply_to") {
        mailbox(reply_to, "reply_to.email")?;
    }
    if text(body.get("subject")).is_none() {
        return wrong("subject", "The subject is required.");
    }
    let content = list(body.get("content"));
    if content.is_empty() {
        return wrong(
            "content",
            "The content value must be a string at least one character in length.",
        );
    }
    let mut kinds = Vec::new();
    for (i, part) in content.iter().enumerate() {
        if text(part.get("value")).is_none() {
            return wrong(
                format!("content.{i}.value"),
                "The content value must be a string at least one character in length.",
            );
        }
        kinds.push(text(part.get("type")).unwrap_or_default());
    }
    if !matches!(
        kinds.iter().map(String::as_str).collect::<Vec<_>>()[..],
        ["text/plain"] | ["text/html"] | ["text/plain", "text/html"]
    ) {
        return wrong(
            "content",
            "The text/plain content must come first, followed by text/html.",
        );
    }
    for (i, file) in list(body.get("attachments")).iter().enumerate() {
        let bytes = text(file.get("content")).and_then(|content| BASE64.decode(content).ok());
        if bytes.is_none_or(|bytes| bytes.is_empty()) {
            return wrong(
                format!("attachments.{i}.content"),
                "The attachment content must be base64 encoded.",
            );
        }
        if text(file.get("filename")).is_none() {
            return wrong(
                format!("attachments.{i}.filename"),
                "The attachment filename is required.",
            );
        }
    }
    Ok(())
}

fn mailbox(value: &Value, field: &str) -> Result<String, Wrong> {
    let email = value["email"].as_str().unwrap_or_default();
    let fits = email.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !email.chars().any(char::is_whitespace)
    });
    let name = value.get("name");
    if !fits || name.is_some_and(|name| !name.is_string()) {
        return wrong(field, "Does not contain a valid address.");
    }
    Ok(email.to_lowercase())
}

fn refused(status: u16, field: Option<&str>, message: &str) -> Response<Full<Bytes>> {
    says(
        status,
        &json!({"errors": [{"message": message, "field": field, "help": null}]}),
    )
}

fn says(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, "");
    *response.body_mut() = Full::new(Bytes::from(body.to_string()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(body: Value) -> Result<(), String> {
        check(body.as_object().unwrap()).map_err(|(field, _)| field)
    }

    #[test]
    fn it_is_as_strict_as_its_contract() {
        let good = json!({
            "personalizations": [{"to": [{"email": "maria@example.com"}]}],
            "from": {"email": "info@shop.example"},
            "subject": "s",
            "content": [{"type": "text/plain", "value": "t"}, {"type": "text/html", "value": "<p>t"}],
        });
        assert_eq!(judge(good.clone()), Ok(()));
        let with = |member: &str, value: Value| {
            let mut body = good.clone();
            body[member] = value;
            judge(body).unwrap_err()
        };
        assert_eq!(with("personalizations", json!([])), "personalizations");
        assert_eq!(with("from", json!({"email": "x"})), "from.email");
        assert_eq!(with("subject", json!("")), "subject");
        assert_eq!(
            with(
                "content",
                json!([{"type": "text/html", "value": "h"}, {"type": "text/plain", "value": "t"}])
            ),
            "content"
        );
        assert_eq!(
            with("content", json!([{"type": "text/plain", "value": ""}])),
            "content.0.value"
        );
        assert_eq!(with("html", json!("x")), "html");
        assert_eq!(
            with(
                "personalizations",
                json!([{"to": [{"email": "a@example.com"}], "bcc": [{"email": "A@example.com"}]}])
            ),
            "personalizations.0.bcc.0.email"
        );
    }
}
