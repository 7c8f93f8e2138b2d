//! Twilio: what is asked of it, and what its answers mean. Pure; nothing here opens a connection.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded;

use super::progress::{Stand, Status};
use crate::clock::Time;
use crate::http::guard::Class;
use crate::http::{Call, literal_class};
use crate::outcome::{Code, Detail, Failure, Trouble};

/// Where Twilio is, unless the owner says otherwise.
pub(crate) const BASE_URL: &str = "https://api.twilio.com";
/// Where account and token are shown.
pub(crate) const CONSOLE: &str = "https://console.twilio.com/";
/// Where numbers are.
pub(crate) const NUMBERS: &str =
    "https://console.twilio.com/us1/develop/phone-numbers/manage/incoming";
/// Where messaging services are.
pub(crate) const SERVICES: &str = "https://console.twilio.com/us1/develop/sms/services";
/// Where an account is paid, and a trial ended.
pub(crate) const BILLING: &str =
    "https://console.twilio.com/us1/billing/manage-billing/billing-overview";
/// Where countries are allowed.
pub(crate) const COUNTRIES: &str =
    "https://console.twilio.com/us1/develop/sms/settings/geo-permissions";
/// Where senders are registered.
pub(crate) const REGISTRATION: &str =
    "https://console.twilio.com/us1/develop/sms/regulatory-compliance/onboarding";
/// What carriers block, and why.
pub(crate) const FILTERING: &str = "https://www.twilio.com/docs/api/errors/30007";
/// The name of the token among the secrets that are kept.
pub(crate) const TOKEN: &str = "authToken";
/// Twilio's code for what is not there.
pub(crate) const NOT_THERE: u32 = 20404;
/// One deadline for each call.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Texts on one page of a list: so many fit into what is read of an answer.
const PAGE: usize = 10;
/// Twilio's trial accounts write this before every text.
const TRIAL_PREFIX: &str = "Sent from your Twilio trial account - ";
/// Twilio tells times in whole seconds, and clocks differ a little.
const SLACK_MS: i64 = 10_000;

/// Whose account it is. Made for one call, never stored.
pub(crate) struct Account<'a> {
    /// Scheme, host and port, perhaps a path.
    pub(crate) base: &'a Url,
    pub(crate) sid: &'a str,
    pub(crate) token: &'a str,
}

/// Who a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender<'a> {
    /// A number in E.164.
    Number(&'a str),
    /// A messaging service: Twilio chooses the number.
    Service(&'a str),
}

impl Account<'_> {
    /// Asks for the account itself: whether sid and token fit, without any effect.
    pub(crate) fn test(&self) -> Option<Call> {
        self.get(&[&format!("{}.json", self.sid)], &[])
    }

    /// Asks for a text to be sent.
    pub(crate) fn send(&self, sender: Sender<'_>, to: &str, message: &str) -> Option<Call> {
        let sender = match sender {
            Sender::Number(number) => ("From", number),
            Sender::Service(sid) => ("MessagingServiceSid", sid),
        };
        let form: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", to)
            .append_pair(sender.0, sender.1)
            .append_pair("Body", message)
            .finish();
        let mut request = self.get(&[self.sid, "Messages.json"], &[])?;
        request.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request.body = form.into();
        Some(request)
    }

    /// Asks how far a text has come.
    pub(crate) fn status(&self, sid: &str) -> Option<Call> {
        self.get(&[self.sid, "Messages", &format!("{sid}.json")], &[])
    }

    /// Asks for the texts to one number, newest first.
    pub(crate) fn texts_to(&self, number: &str, page: usize) -> Option<Call> {
        let (size, page) = (PAGE.to_string(), page.to_string());
        self.get(
            &[self.sid, "Messages.json"],
            &[("To", number), ("PageSize", &size), ("Page", &page)],
        )
    }

    fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Option<Call> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(["2010-04-01", "Accounts"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let pair = BASE64.encode(format!("{}:{}", self.sid, self.token));
        let mut authorization = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
        authorization.set_sensitive(true);
        Some(Call {
            allow_private: literal_class(&url) == Some(Class::Loopback),
            url,
            headers: HeaderMap::from_iter([
                (AUTHORIZATION, authorization),
                (ACCEPT, HeaderValue::from_static("application/json")),
            ]),
            body: Bytes::new(),
            timeout: TIMEOUT,
        })
    }
}

/// A text as Twilio tells of it. Anything but its sid and status may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Text {
    pub(crate) sid: String,
    pub(crate) status: Status,
    pub(crate) error_code: Option<u32>,
    body: Option<String>,
    direction: Option<String>,
    date_created: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page {
    messages: Vec<Text>,
    next_page_uri: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    code: Option<u32>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Owner {
    sid: String,
    status: String,
}

/// What the search for a text found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It went out, as this one.
    Text(Text),
    /// It did not go out.
    Nothing,
    /// It may be on the next page.
    More,
}

/// Reads the answer to [`Account::send`] or [`Account::status`]. A success that cannot be read is a lost answer.
pub(crate) fn text(status: u16, body: &[u8]) -> Result<Text, Failure> {
    if !(200..300).contains(&status) {
        return Err(refused(status, body));
    }
    serde_json::from_slice::<Text>(body)
        .ok()
        .filter(|text| is_sid(&text.sid, &["SM", "MM"]))
        .ok_or_else(|| {
            let mut lost = Failure::status(Code::Unreachable, status);
            lost.args.trouble = Some(Trouble::AnswerLost);
            lost
        })
}

/// Reads the answer to [`Account::test`].
///
/// # Errors
/// Why the account cannot be used.
pub(crate) fn account(status: u16, body: &[u8], sid: &str) -> Result<(), Failure> {
    if !(200..300).contains(&status) {
        return Err(refused(status, body));
    }
    match serde_json::from_slice::<Owner>(body) {
        Ok(owner) if !owner.sid.eq_ignore_ascii_case(sid) => Err(not_twilio(status)),
        Ok(owner) if owner.status != "active" => {
            Err(Failure::status(Code::Rejected, status).with(Detail::AccountClosed))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(not_twilio(status)),
    }
}

/// Looks for a text on a page of those to its number: the same words, made by us after `since`, and none that belongs
/// to another delivery. `since` is on Twilio's clock.
pub(crate) fn find(
    status: u16,
    body: &[u8],
    message: &str,
    since: Time,
    taken: impl Fn(&str) -> bool,
) -> Result<Found, Failure> {
    if !(200..300).contains(&status) {
        return Err(refused(status, body));
    }
    let page: Page = serde_json::from_slice(body).map_err(|_| not_twilio(status))?;
    let since = since.plus_ms(-SLACK_MS);
    let recent = |text: &Text| {
        let created = text.date_created.as_deref().and_then(moment);
        created.is_none_or(|created| created >= since)
    };
    let more = page.next_page_uri.is_some() && page.messages.iter().all(recent);
    let found = page
        .messages
        .into_iter()
        .find(|text| recent(text) && text.is_ours() && text.says(message) && !taken(&text.sid));
    Ok(match found {
        Some(text) => Found::Text(text),
        None if more => Found::More,
        None => Found::Nothing,
    })
}

/// The sids on a page of texts.
pub(crate) fn sids(body: &[u8]) -> Vec<String> {
    let page: Option<Page> = serde_json::from_slice(body).ok();
    page.map(|page| page.messages.into_iter().map(|text| text.sid).collect())
        .unwrap_or_default()
}

/// The status of the text of this sid in an answer that was kept, to one text or to a list.
pub(crate) fn told(body: &[u8], sid: &str) -> Option<Status> {
    let texts = match serde_json::from_slice::<Text>(body) {
        Ok(text) => vec![text],
        Err(_) => serde_json::from_slice::<Page>(body).ok()?.messages,
    };
    let text = texts.into_iter().find(|text| text.sid == sid)?;
    Some(text.status)
}

/// Twilio's own words about what is wrong.
pub(crate) fn own_words(body: &[u8]) -> Option<String> {
    let text = serde_json::from_slice::<Refusal>(body).ok()?.message?;
    let text: String = text.chars().filter(|c| !c.is_control()).take(500).collect();
    (!text.is_empty()).then_some(text)
}

impl Text {
    /// Why it did not arrive; nothing while it may yet.
    pub(crate) fn failure(&self) -> Option<Failure> {
        (self.status.stand() == Stand::Failed).then(|| match self.status {
            Status::Canceled => Failure::new(Code::Rejected).with(Detail::CalledOff),
            _ => meaning(None, self.error_code),
        })
    }

    fn is_ours(&self) -> bool {
        self.direction
            .as_deref()
            .is_none_or(|way| way == "outbound-api")
    }

    /// Twilio cuts white space at the ends, and a trial account writes something before.
    fn says(&self, message: &str) -> bool {
        let said = self.body.as_deref().unwrap_or_default().trim();
        said.strip_prefix(TRIAL_PREFIX).unwrap_or(said).trim() == message.trim()
    }
}

/// A moment as Twilio writes it: RFC 2822.
pub(crate) fn moment(text: &str) -> Option<Time> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Time::from_ms(zoned.timestamp().as_millisecond()))
}

/// What the other side's clock said: the header `Date`.
pub(crate) fn clock(date: &str) -> Option<Time> {
    let at = httpdate::parse_http_date(date).ok()?;
    let ms = at.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    Some(Time::from_ms(i64::try_from(ms).ok()?))
}

/// True for the letters of one of `kinds` and 32 hexadecimal digits.
pub(crate) fn is_sid(text: &str, kinds: &[&str]) -> bool {
    text.len() == 34
        && text.get(..2).is_some_and(|kind| kinds.contains(&kind))
        && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

/// Whether a text may have gone out although its attempt failed: then it is looked for before it is sent again. Only
/// a refusal by Twilio itself, or a call that never reached it, says no for sure.
pub(crate) fn may_have_gone(failure: &Failure) -> bool {
    let refused = matches!(
        failure.code,
        Code::Rejected
            | Code::CredentialsRejected
            | Code::RateLimited
            | Code::NotFound
            | Code::KeychainUnavailable
            | Code::BlockedAddress
            | Code::NotConfigured
            | Code::Disabled
            | Code::SignInExpired
    );
    let not_reached = matches!(
        failure.args.trouble,
        Some(
            Trouble::NameNotFound
                | Trouble::Refused
                | Trouble::NoRoute
                | Trouble::CertificateExpired
                | Trouble::CertificateEarly
                | Trouble::CertificateName
                | Trouble::CertificateUnknown
                | Trouble::Tls
                | Trouble::Damaged
        )
    );
    !refused && !not_reached
}

fn refused(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => meaning(Some(status), refusal.code),
        Err(_) if status == 429 || status >= 500 => meaning(Some(status), None),
        Err(_) => not_twilio(status),
    }
}

fn not_twilio(status: u16) -> Failure {
    Failure::status(Code::Unreachable, status).with(Detail::NotTheProvider)
}

/// What a status and an error code of Twilio mean. The code says more, and without a status it came by asking how
/// far the text had come.
fn meaning(status: Option<u16>, code: Option<u32>) -> Failure {
    let (word, detail) = match (code.unwrap_or_default(), status.unwrap_or_default()) {
        (20003 | 20004 | 20006 | 20008 | 20404, 400..500) | (_, 401) => {
            (Code::CredentialsRejected, None)
        }
        (20429 | 21611 | 63018, 400..) | (_, 429) => (Code::RateLimited, None),
        (_, 500..) => (Code::ProviderDown, None),
        (10001 | 20005 | 30002 | 90010, _) => (Code::Rejected, Some(Detail::AccountClosed)),
        (10002 | 21608, _) => (Code::Rejected, Some(Detail::OnTrial)),
        (21610, _) => (Code::Rejected, Some(Detail::AnsweredStop)),
        (
            21211 | 21214 | 21217 | 21265 | 21401 | 21407 | 21421 | 21614 | 21635 | 30005 | 30006
            | 63003 | 63024,
            _,
        ) => (Code::Rejected, Some(Detail::BadNumber)),
        (21408 | 30044, _) => (Code::Rejected, Some(Detail::CountryClosed)),
        (21612, _) => (Code::Rejected, Some(Detail::NoWay)),
        (
            21212 | 21603 | 21606 | 21607 | 21618 | 21619 | 21659 | 21660 | 21661 | 21701 | 21703
            | 21704 | 21705 | 30101 | 63007,
            _,
        ) => (Code::Rejected, Some(Detail::SenderUnknown)),
        (21605 | 21617 | 30019 | 63021, _) => (Code::Rejected, Some(Detail::TooLarge)),
        (30003, _) => (Code::Rejected, Some(Detail::PhoneOff)),
        (30004 | 30007 | 30453, _) => (Code::Rejected, Some(Detail::CarrierBlocked)),
        (30001 | 30017 | 30022 | 30023 | 30027 | 30410 | 63018 | 63038, _) => {
            (Code::Rejected, Some(Detail::CarrierBusy))
        }
        (30024 | 30032..=30035, _) => (Code::Rejected, Some(Detail::Unregistered)),
        (20403 | 20001, _) | (_, 403) => (Code::Rejected, Some(Detail::MayNotSend)),
        (_, 404 | 405) => (Code::Rejected, Some(Detail::WrongBaseUrl)),
        (_, 413) => (Code::Rejected, Some(Detail::TooLarge)),
        (_, 400..500) => (Code::Rejected, Some(Detail::Malformed)),
        (_, 300..400) => (Code::Rejected, Some(Detail::WrongBaseUrl)),
        _ => (Code::Rejected, Some(Detail::NotDelivered)),
    };
    let mut failure = Failure::new(word);
    failure.args.status = status;
    failure.args.detail = detail;
    failure.args.provider_code = code;
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Reason;
    use crate::integrations::consequence::{self, Consequence};
    use crate::integrations::{Kind, words};

    const SID: &str = "AC0123456789abcdef0123456789abcdef";
    const SENT: Time = Time::from_ms(1_795_493_359_500);

    #[test]
    fn a_text_is_a_form_with_the_sender_that_was_chosen_and_nothing_else() {
        let base = BASE_URL.parse().unwrap();
        let account = Account {
            base: &base,
            sid: SID,
            token: "tok",
        };
        let call = account
            .send(Sender::Number("+431234"), "+436641234567", "5 € & more+\n✓")
            .unwrap();
        assert_eq!(
            call.url.as_str(),
            format!("https://api.twilio.com/2010-04-01/Accounts/{SID}/Messages.json")
        );
        assert_eq!(
            call.body,
            "To=%2B436641234567&From=%2B431234&Body=5+%E2%82%AC+%26+more%2B%0A%E2%9C%93"
        );
        assert!(!call.allow_private);
        assert!(call.headers[AUTHORIZATION].is_sensitive());
        let call = account
            .send(Sender::Service("MG1"), "+436641234567", "x")
            .unwrap();
        assert_eq!(
            call.body,
            "To=%2B436641234567&MessagingServiceSid=MG1&Body=x"
        );
        let call = account.texts_to("+436641234567", 2).unwrap();
        assert_eq!(
            call.url.query(),
            Some("To=%2B436641234567&PageSize=10&Page=2")
        );
        assert!(call.body.is_empty());
    }

    #[test]
    fn a_base_url_keeps_its_port_and_path() {
        let base = "http://127.0.0.1:4010/twilio/".parse().unwrap();
        let account = Account {
            base: &base,
            sid: SID,
            token: "tok",
        };
        let call = account.test().unwrap();
        assert_eq!(
            call.url.as_str(),
            format!("http://127.0.0.1:4010/twilio/2010-04-01/Accounts/{SID}.json")
        );
        assert!(call.allow_private);
    }

    fn text_on(day: &str, sid: char, says: &str) -> serde_json::Value {
        serde_json::json!({
            "sid": format!("SM{}", sid.to_string().repeat(32)), "status": "queued", "error_code": null,
            "body": says, "direction": "outbound-api", "date_created": day, "date_sent": null, "from": null,
        })
    }

    fn found(messages: &[serde_json::Value], more: bool, says: &str) -> Found {
        let page = serde_json::json!({
            "messages": messages,
            "next_page_uri": more.then_some("/x"),
        });
        let taken = |sid: &str| sid.ends_with('9');
        find(200, page.to_string().as_bytes(), says, SENT, taken).unwrap()
    }

    #[test]
    fn a_text_is_found_by_its_words_and_the_time_it_was_made() {
        let (then, before) = (
            "Tue, 24 Nov 2026 04:09:19 +0000",
            "Tue, 24 Nov 2026 03:09:19 +0000",
        );
        let ours = text_on(then, '1', "See you at 4");
        assert!(
            matches!(found(std::slice::from_ref(&ours), false, "See you at 4 "), Found::Text(t) if t.sid.ends_with('1'))
        );
        for (other, why) in [
            (text_on(then, '1', "See you at 5"), "other words"),
            (text_on(before, '1', "See you at 4"), "made an hour before"),
            (
                text_on(then, '9', "See you at 4"),
                "it is another delivery's",
            ),
        ] {
            assert_eq!(
                found(&[other], false, "See you at 4"),
                Found::Nothing,
                "{why}"
            );
        }
        let mut answered = ours.clone();
        answered["direction"] = "inbound".into();
        assert_eq!(found(&[answered], false, "See you at 4"), Found::Nothing);
        let trial = text_on(then, '2', &format!("{TRIAL_PREFIX}See you at 4"));
        assert!(matches!(
            found(&[trial], false, "See you at 4"),
            Found::Text(_)
        ));
        let other = text_on(then, '1', "Hello");
        assert_eq!(found(std::slice::from_ref(&other), true, "x"), Found::More);
        assert_eq!(
            found(&[other, text_on(before, '2', "x")], true, "x"),
            Found::Nothing
        );
    }

    #[test]
    fn a_success_that_cannot_be_read_is_a_lost_answer_and_a_foreign_page_is_no_refusal_of_twilio() {
        for body in [
            "",
            "{}",
            "<html>sign in</html>",
            r#"{"sid":"SM1","status":"queued"}"#,
            "{\"sid\":",
        ] {
            let failure = text(201, body.as_bytes()).unwrap_err();
            assert_eq!(failure.args.trouble, Some(Trouble::AnswerLost), "{body}");
            assert!(may_have_gone(&failure));
        }
        let failure = text(403, b"<html>blocked</html>").unwrap_err();
        assert_eq!(failure.args.detail, Some(Detail::NotTheProvider));
        assert!(find(200, b"<html>", "x", SENT, |_| false).is_err());
    }

    #[test]
    fn a_text_that_may_have_gone_out_is_told_from_one_that_has_not() {
        for (failure, gone) in [
            (
                Failure::trouble(Code::Unreachable, Trouble::AnswerLost),
                true,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::BrokenOff),
                true,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::Interrupted),
                true,
            ),
            (Failure::timed_out(15), true),
            (Failure::new(Code::Offline), true),
            (Failure::status(Code::ProviderDown, 502), true),
            (Failure::trouble(Code::Unreachable, Trouble::Refused), false),
            (
                Failure::trouble(Code::Unreachable, Trouble::NameNotFound),
                false,
            ),
            (
                Failure::trouble(Code::Unreachable, Trouble::CertificateName),
                false,
            ),
            (
                Failure::trouble(Code::KeychainUnavailable, Trouble::KeyStoreLocked),
                false,
            ),
            (Failure::status(Code::RateLimited, 429), false),
            (Failure::status(Code::Rejected, 400), false),
            (Failure::status(Code::CredentialsRejected, 401), false),
        ] {
            assert_eq!(may_have_gone(&failure), gone, "{failure:?}");
        }
    }

    #[test]
    fn each_status_and_error_code_has_its_code_its_sentence_and_its_consequence() {
        use Consequence::{Fail, Hold, Retry};
        let key = Hold(Reason::NeedsCredentials);
        let setup = Hold(Reason::NeedsSetup);
        let rows: &[(Option<u16>, u32, Code, Consequence, &str)] = &[
            (
                Some(401),
                20003,
                Code::CredentialsRejected,
                key,
                "no longer accepts your key",
            ),
            (
                Some(401),
                0,
                Code::CredentialsRejected,
                key,
                "no longer accepts your key",
            ),
            (
                Some(403),
                20008,
                Code::CredentialsRejected,
                key,
                "no longer accepts your key",
            ),
            (
                Some(404),
                20404,
                Code::CredentialsRejected,
                key,
                "no longer accepts your key",
            ),
            (Some(403), 20403, Code::Rejected, key, "may not send texts"),
            (Some(403), 0, Code::Rejected, key, "may not send texts"),
            (
                Some(403),
                20005,
                Code::Rejected,
                setup,
                "suspended or closed",
            ),
            (Some(404), 0, Code::Rejected, setup, "Check the address"),
            (Some(405), 0, Code::Rejected, setup, "Check the address"),
            (Some(302), 0, Code::Rejected, setup, "Check the address"),
            (
                Some(400),
                0,
                Code::Rejected,
                Fail,
                "does not take this text",
            ),
            (Some(413), 0, Code::Rejected, Fail, "too long"),
            (
                Some(429),
                20429,
                Code::RateLimited,
                Retry,
                "Too many at once",
            ),
            (Some(429), 0, Code::RateLimited, Retry, "Too many at once"),
            (
                Some(429),
                21611,
                Code::RateLimited,
                Retry,
                "Too many at once",
            ),
            (
                Some(500),
                0,
                Code::ProviderDown,
                Retry,
                "trouble of its own",
            ),
            (
                Some(502),
                0,
                Code::ProviderDown,
                Retry,
                "trouble of its own",
            ),
            (
                Some(503),
                20503,
                Code::ProviderDown,
                Retry,
                "trouble of its own",
            ),
            (
                Some(504),
                0,
                Code::ProviderDown,
                Retry,
                "trouble of its own",
            ),
            (
                Some(400),
                21211,
                Code::Rejected,
                Fail,
                "cannot receive texts",
            ),
            (
                Some(400),
                21212,
                Code::Rejected,
                setup,
                "number or messaging service",
            ),
            (Some(400), 21408, Code::Rejected, setup, "into this country"),
            (
                Some(400),
                21602,
                Code::Rejected,
                Fail,
                "does not take this text",
            ),
            (
                Some(400),
                21606,
                Code::Rejected,
                setup,
                "number or messaging service",
            ),
            (Some(400), 21608, Code::Rejected, setup, "on trial"),
            (Some(400), 21610, Code::Rejected, Fail, "answered STOP"),
            (Some(400), 21612, Code::Rejected, Fail, "no way"),
            (
                Some(400),
                21614,
                Code::Rejected,
                Fail,
                "cannot receive texts",
            ),
            (Some(400), 21617, Code::Rejected, Fail, "too long"),
            (
                Some(400),
                21635,
                Code::Rejected,
                Fail,
                "cannot receive texts",
            ),
            (
                Some(400),
                21659,
                Code::Rejected,
                setup,
                "number or messaging service",
            ),
            (
                Some(400),
                21703,
                Code::Rejected,
                setup,
                "number or messaging service",
            ),
            (None, 30001, Code::Rejected, Fail, "too much to do"),
            (None, 30002, Code::Rejected, setup, "suspended or closed"),
            (None, 30003, Code::Rejected, Fail, "off or out of reach"),
            (None, 30004, Code::Rejected, Fail, "carrier blocked"),
            (None, 30005, Code::Rejected, Fail, "cannot receive texts"),
            (None, 30006, Code::Rejected, Fail, "cannot receive texts"),
            (None, 30007, Code::Rejected, Fail, "carrier blocked"),
            (None, 30008, Code::Rejected, Fail, "does not say why"),
            (None, 30032, Code::Rejected, setup, "must be registered"),
            (None, 30034, Code::Rejected, setup, "must be registered"),
            (None, 63003, Code::Rejected, Fail, "cannot receive texts"),
            (None, 63016, Code::Rejected, Fail, "does not say why"),
            (None, 63018, Code::Rejected, Fail, "too much to do"),
            (None, 0, Code::Rejected, Fail, "does not say why"),
        ];
        for (status, number, code, expected, words) in rows {
            let number = (*number > 0).then_some(*number);
            let failure = meaning(*status, number);
            assert_eq!(failure.code, *code, "{status:?} {number:?}");
            assert_eq!(failure.args.provider_code, number);
            let consequence = consequence::of(Kind::Sms, &failure);
            assert_eq!(consequence, *expected, "{status:?} {number:?}");
            let sentence = words::failure(Kind::Sms, &failure);
            assert!(
                sentence.contains(words),
                "{status:?} {number:?}: {sentence}"
            );
            assert!(!sentence.contains("email"), "{sentence}");
        }
    }
}
