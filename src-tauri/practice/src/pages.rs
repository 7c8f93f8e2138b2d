//! The pages of Google's stand-in that a person looks at: consent, the account, an entry.
//!
//! Plain, without script; they look like nobody's, so that no one takes them for Google's.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use http_body_util::Full;
use serde_json::Value;

use crate::receiver::answer;

/// Asks whether Signalbox may have access.
pub(crate) fn consent(uri: &Uri, account: &str) -> Response<Full<Bytes>> {
    let query = escaped(uri.query().unwrap_or_default());
    page(
        "Signalbox wants access to your practice calendar",
        &format!(
            "<p>You are signed in as <b>{}</b>. Signalbox asks to see the list of your calendars, and to see and change their entries.</p>\n<form method=\"post\" action=\"/o/oauth2/v2/auth?{query}\"><button name=\"answer\" value=\"allow\">Allow</button> <button name=\"answer\" value=\"deny\">Cancel</button></form>",
            escaped(account)
        ),
    )
}

/// What is in the calendars, who has access, and the button that takes it away.
pub(crate) fn account<'a>(
    account: &str,
    has_access: bool,
    events: impl Iterator<Item = &'a Value>,
) -> Response<Full<Bytes>> {
    let entries: String = events
        .filter(|event| event["status"] != "cancelled")
        .map(|event| format!("<li>{}</li>\n", summary(event)))
        .collect();
    let access = if has_access {
        "<p>Signalbox has access.</p>\n<form method=\"post\" action=\"/withdraw\"><button>Remove access</button></form>"
    } else {
        "<p>No app has access.</p>"
    };
    page(
        "Your practice account",
        &format!(
            "<p>{}</p>\n{access}\n<h2>Calendar</h2>\n<ul>\n{entries}</ul>",
            escaped(account)
        ),
    )
}

/// Back to the account, after a button.
pub(crate) fn back_to_account() -> Response<Full<Bytes>> {
    let mut response = answer(StatusCode::SEE_OTHER, "");
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_static("/"));
    response
}

/// One entry.
pub(crate) fn entry(event: Option<&Value>) -> Response<Full<Bytes>> {
    match event {
        Some(event) => page("A practice entry", &format!("<p>{}</p>", summary(event))),
        None => page("A practice entry", "<p>This entry is not there.</p>"),
    }
}

fn summary(event: &Value) -> String {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let start = &event["start"];
    let when = if start["date"].is_null() {
        text(&start["dateTime"])
    } else {
        text(&start["date"])
    };
    let gone = if event["status"] == "cancelled" {
        " (removed)"
    } else {
        ""
    };
    format!("<b>{}</b> {when}{gone}", text(&event["summary"]))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn page(title: &str, body: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-inline-size: 36rem; margin: 3rem auto; padding-inline: 1rem }} button {{ font: inherit; padding: .5rem 1rem }}</style>\n<p>Practice. This page is on your computer; nothing leaves it.</p>\n<h1>{title}</h1>\n{body}\n</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        // A consent is sent on to the port that waits for it.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' http://127.0.0.1:*",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
