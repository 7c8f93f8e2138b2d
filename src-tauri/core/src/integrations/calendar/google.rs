//! Google Calendar (v3): what is asked, what the answers mean, and one call at a time.
//!
//! What Google knows of an entry beside what people see: the delivery that wrote it last, in a private
//! property. So an answer that got lost is found again, and nobody is invited twice.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Choice, Entry, EntryPatch, Guest, PRIMARY, Reminder, Times};
use crate::http::{Answer, Call, Called, Http};
use crate::integrations::send::provider_url;
use crate::outcome::{Code, Detail, Failure};

/// Where Google is.
pub(crate) const BASE_URL: &str = "https://www.googleapis.com";
pub(crate) const AUTH_URI: &str = "https://accounts.google.com/o/oauth2/v2/auth";
pub(crate) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
pub(crate) const REVOKE_URI: &str = "https://oauth2.googleapis.com/revoke";
/// Where clients are made, and where the calendar's API is switched on for them.
pub(crate) const CLIENTS: &str = "https://console.cloud.google.com/apis/credentials";
pub(crate) const SWITCH_ON: &str =
    "https://console.cloud.google.com/apis/library/calendar-json.googleapis.com";
/// Where a project in *Testing* is published.
pub(crate) const AUDIENCE: &str = "https://console.cloud.google.com/auth/audience";
/// The permissions that are asked for, and what they are for.
pub(crate) const SCOPES: [(&str, &str); 2] = [
    (
        "https://www.googleapis.com/auth/calendar.events",
        "see and change the entries of your calendars",
    ),
    (
        "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
        "see the list of your calendars",
    ),
];
/// The private property that names our delivery.
const MARK: &str = "signalboxDelivery";
const TIMEOUT: Duration = Duration::from_secs(20);
/// After a day's quota is used up it is asked again this much later.
const QUOTA_WAIT_SECONDS: &str = "3600";

/// What a call is about: the same answer means another thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// An entry is made in a calendar.
    Insert,
    /// An entry is read, changed or removed.
    Change,
    /// The calendars are listed.
    List,
}

/// One call.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Behind `/calendar/v3`, not yet encoded.
    pub(crate) path: Vec<&'a str>,
    pub(crate) query: Vec<(&'a str, &'a str)>,
    /// Only if it still is as it was then.
    pub(crate) if_match: Option<String>,
    pub(crate) body: Option<Value>,
}

impl<'a> Ask<'a> {
    pub(crate) fn insert(calendar: &'a str, send_updates: &'a str, body: Value) -> Self {
        Self {
            method: Method::POST,
            path: vec!["calendars", calendar, "events"],
            query: vec![("sendUpdates", send_updates)],
            if_match: None,
            body: Some(body),
        }
    }

    pub(crate) fn get(calendar: &'a str, entry: &'a str) -> Self {
        Self {
            method: Method::GET,
            path: vec!["calendars", calendar, "events", entry],
            query: Vec::new(),
            if_match: None,
            body: None,
        }
    }

    pub(crate) fn patch(
        calendar: &'a str,
        entry: &'a str,
        send_updates: &'a str,
        if_match: Option<String>,
        body: Value,
    ) -> Self {
        Self {
            method: Method::PATCH,
            query: vec![("sendUpdates", send_updates)],
            if_match,
            body: Some(body),
            ..Self::get(calendar, entry)
        }
    }

    pub(crate) fn delete(calendar: &'a str, entry: &'a str, send_updates: &'a str) -> Self {
        Self {
            method: Method::DELETE,
            query: vec![("sendUpdates", send_updates)],
            ..Self::get(calendar, entry)
        }
    }

    fn calendars(page: &'a str) -> Self {
        let mut query = vec![("maxResults", "250")];
        if !page.is_empty() {
            query.push(("pageToken", page));
        }
        Self {
            method: Method::GET,
            path: vec!["users", "me", "calendarList"],
            query,
            if_match: None,
            body: None,
        }
    }

    /// Where it goes.
    pub(crate) fn url(&self, base_url: &str) -> Option<url::Url> {
        let mut url = url::Url::parse(base_url).ok()?;
        {
            let mut path = url.path_segments_mut().ok()?;
            path.pop_if_empty();
            // The address may be given with or without the version.
            if !base_url.trim_end_matches('/').ends_with("/calendar/v3") {
                path.extend(["calendar", "v3"]);
            }
            path.extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
    }
}

/// Makes one call.
///
/// # Errors
/// When no whole answer came, of whatever status.
pub(crate) async fn ask(
    http: &Http,
    base_url: &str,
    token: &SecretString,
    own_port: Option<u16>,
    ask: &Ask<'_>,
) -> Result<Answer, Failure> {
    let blocked = || Failure::new(Code::BlockedAddress);
    let url = ask.url(base_url).ok_or_else(blocked)?;
    let (url, allow_private) = provider_url(url.as_str(), own_port)?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| Failure::new(Code::SignInExpired))?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(etag) = ask.if_match.as_deref()
        && let Ok(etag) = HeaderValue::from_str(etag)
    {
        headers.insert(header::IF_MATCH, etag);
    }
    let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
    if ask.body.is_some() {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    let call = Call {
        url,
        allow_private,
        headers,
        body: Bytes::from(body),
        timeout: TIMEOUT,
    };
    match http.send(ask.method.clone(), call).await {
        Called::Silent(failure) | Called::Answered(_, Some(failure)) => Err(failure),
        Called::Answered(answer, None) => Ok(answer),
    }
}

/// The account's calendars that can be written into, and whether one token showed them.
///
/// # Errors
/// Why they cannot be seen.
pub(crate) async fn calendars(
    http: &Http,
    base_url: &str,
    token: &SecretString,
    own_port: Option<u16>,
) -> Result<Vec<Choice>, Failure> {
    let (mut all, mut page) = (Vec::new(), String::new());
    // 250 on a page: nobody has more than a few.
    for _ in 0..8 {
        let answer = self::ask(http, base_url, token, own_port, &Ask::calendars(&page)).await?;
        classify(Doing::List, answer.status, &answer.body)?;
        let next = list(&answer.body, &mut all)?;
        match next {
            Some(next) => page = next,
            None => break,
        }
    }
    Ok(all)
}

/// Reads one page of calendars; what can only be read is none to choose.
fn list(body: &[u8], into: &mut Vec<Choice>) -> Result<Option<String>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        kind: Option<String>,
        #[serde(default)]
        items: Vec<Item>,
        next_page_token: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Item {
        id: String,
        #[serde(default)]
        summary: String,
        summary_override: Option<String>,
        #[serde(default)]
        primary: bool,
        access_role: Option<String>,
    }
    let page: Page = serde_json::from_slice(body).map_err(|_| not_google(200))?;
    if page.items.is_empty() && page.kind.is_none() {
        return Err(not_google(200));
    }
    into.extend(
        page.items
            .into_iter()
            .filter(|item| {
                item.access_role.as_deref().is_none_or(|role| {
                    matches!(role, "owner" | "writer" | "writerWithoutPrivateAccess")
                })
            })
            .map(|item| Choice {
                summary: item
                    .summary_override
                    .filter(|name| !name.is_empty())
                    .unwrap_or(item.summary),
                id: item.id,
                primary: item.primary,
            }),
    );
    Ok(page.next_page_token.filter(|next| !next.is_empty()))
}

/// What was permitted, in words.
pub(crate) fn permissions(settings: Option<&super::Settings>) -> Vec<String> {
    let granted = settings.map(|s| s.scopes.as_slice()).unwrap_or_default();
    SCOPES
        .iter()
        .filter(|(scope, _)| granted.iter().any(|one| one == scope))
        .map(|(_, what)| (*what).to_owned())
        .collect()
}

/// True when a calendar of this id is among them.
pub(crate) fn is_among(calendars: &[Choice], id: &str) -> bool {
    id == PRIMARY || calendars.iter().any(|one| one.id == id)
}

fn not_google(status: u16) -> Failure {
    Failure::status(Code::Unreachable, status).with(Detail::NotTheProvider)
}

/// What Google said about a refusal.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    error: Said,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    message: String,
    errors: Vec<Because>,
    details: Vec<Because>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Because {
    reason: String,
}

/// What an answer means. Pure.
///
/// # Errors
/// All but 2xx.
pub(crate) fn classify(doing: Doing, status: u16, body: &[u8]) -> Result<(), Failure> {
    let is = |code| Err(Failure::status(code, status));
    let rejected = |detail| Err(Failure::status(Code::Rejected, status).with(detail));
    let said = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error);
    let because = |words: &[&str]| {
        said.as_ref().is_ok_and(|said| {
            said.errors
                .iter()
                .chain(&said.details)
                .any(|because| words.contains(&because.reason.as_str()))
        })
    };
    match status {
        200..=299 => Ok(()),
        401 => is(Code::SignInExpired),
        403 | 429 if because(&["quotaExceeded", "dailyLimitExceeded"]) => {
            Err(Failure::status(Code::RateLimited, status).with(Detail::QuotaUsedUp))
        }
        403 if because(&[
            "rateLimitExceeded",
            "userRateLimitExceeded",
            "RATE_LIMIT_EXCEEDED",
        ]) =>
        {
            is(Code::RateLimited)
        }
        403 if because(&["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]) => {
            Err(Failure::status(Code::SignInExpired, status).with(Detail::ScopeMissing))
        }
        403 if because(&["accessNotConfigured", "SERVICE_DISABLED"]) => {
            rejected(Detail::ApiSwitchedOff)
        }
        403 if because(&["forbiddenForNonOrganizer"]) => rejected(Detail::Malformed),
        // A sign-in page of a network answers so too, and not in Google's way.
        403 if said.is_err() => Err(not_google(status)),
        403 => rejected(Detail::CalendarReadOnly),
        404 if said.is_err() => rejected(Detail::WrongBaseUrl),
        404 if doing == Doing::Insert => rejected(Detail::CalendarGone),
        404 | 410 => is(Code::NotFound),
        405 => rejected(Detail::WrongBaseUrl),
        407 => Err(not_google(status)),
        408 | 412 => is(Code::ProviderDown),
        413 => rejected(Detail::TooLarge),
        429 => is(Code::RateLimited),
        400..=499 => rejected(Detail::Malformed),
        500.. => is(Code::ProviderDown),
        _ => Err(not_google(status)),
    }
}

/// How long to wait at least, as `Retry-After` says it.
pub(crate) fn asked_to_wait(
    failure: Option<&Failure>,
    retry_after: Option<&str>,
) -> Option<String> {
    let quota = failure.and_then(|f| f.args.detail) == Some(Detail::QuotaUsedUp);
    quota
        .then(|| QUOTA_WAIT_SECONDS.to_owned())
        .or_else(|| retry_after.map(str::to_owned))
}

/// Google's own words about what is wrong.
pub(crate) fn own_words(body: &[u8]) -> Option<String> {
    let said = serde_json::from_slice::<Refusal>(body).ok()?.error.message;
    let text: String = said.chars().filter(|c| !c.is_control()).take(500).collect();
    (!text.is_empty()).then_some(text)
}

fn reminders(given: &[Reminder]) -> Value {
    json!({"useDefault": false, "overrides": given})
}

fn mark(delivery: &str) -> Value {
    json!({"private": {MARK: delivery}})
}

fn guest(guest: &Guest) -> Value {
    match &guest.name {
        Some(name) => json!({"email": guest.email, "displayName": name}),
        None => json!({"email": guest.email}),
    }
}

/// The guests as they should be; those that are there already stay as they are, with their answers.
fn guests(wanted: &[String], current: Option<&Value>) -> Value {
    let there = current
        .and_then(|entry| entry["attendees"].as_array())
        .map(Vec::as_slice)
        .unwrap_or_default();
    let all = wanted
        .iter()
        .filter_map(|text| Guest::read(text))
        .map(|wanted| {
            there
                .iter()
                .find(|one| {
                    one["email"]
                        .as_str()
                        .is_some_and(|email| email.eq_ignore_ascii_case(&wanted.email))
                })
                .cloned()
                .unwrap_or_else(|| guest(&wanted))
        });
    Value::Array(all.collect())
}

/// A time for a patch: what the entry has of the other kind is taken away.
fn moved(when: &super::When, current: Option<&Value>) -> Value {
    let mut value = serde_json::to_value(when).unwrap_or_default();
    let others: &[&str] = match when {
        super::When::Day(_) => &["dateTime", "timeZone"],
        super::When::At(..) => &["date"],
    };
    if let (Some(members), Some(current)) = (value.as_object_mut(), current) {
        for other in others {
            if current.get(other).is_some() {
                members.insert((*other).to_owned(), Value::Null);
            }
        }
    }
    value
}

/// The request that makes an entry. Pure; the same for the same entry.
pub(crate) fn insertion(entry: &Entry, times: &Times, id: &str, delivery: &str) -> Value {
    let mut body = Map::new();
    body.insert("id".into(), id.into());
    body.insert("summary".into(), entry.title.as_str().into());
    for (name, text) in [
        ("description", &entry.description),
        ("location", &entry.location),
    ] {
        if let Some(text) = text {
            body.insert(name.into(), text.as_str().into());
        }
    }
    for (name, when) in [("start", &times.start), ("end", &times.end)] {
        if let Some(when) = when {
            body.insert(name.into(), moved(when, None));
        }
    }
    if !entry.attendees.is_empty() {
        body.insert("attendees".into(), guests(&entry.attendees, None));
    }
    body.insert("reminders".into(), reminders(entry.reminders()));
    body.insert("extendedProperties".into(), mark(delivery));
    Value::Object(body)
}

/// The request that makes an entry which is there, or was, what it should be. Pure.
pub(crate) fn restoration(entry: &Entry, times: &Times, delivery: &str, current: &Value) -> Value {
    let patch = EntryPatch {
        title: Some(entry.title.clone()),
        description: Some(entry.description.clone()),
        location: Some(entry.location.clone()),
        attendees: (!entry.attendees.is_empty()).then(|| entry.attendees.clone()),
        reminders: Some(entry.reminders().to_vec()),
        ..EntryPatch::default()
    };
    let mut body = change(&patch, times, delivery, current);
    if is_cancelled(current) {
        body["status"] = "confirmed".into();
    }
    body
}

/// The request that changes an entry: what is to be different, and nothing else. Pure.
pub(crate) fn change(patch: &EntryPatch, times: &Times, delivery: &str, current: &Value) -> Value {
    let mut body = Map::new();
    if let Some(title) = &patch.title {
        body.insert("summary".into(), title.as_str().into());
    }
    for (name, text) in [
        ("description", &patch.description),
        ("location", &patch.location),
    ] {
        // An empty text takes it away.
        if let Some(text) = text {
            body.insert(name.into(), text.clone().unwrap_or_default().into());
        }
    }
    for (name, when) in [("start", &times.start), ("end", &times.end)] {
        if let Some(when) = when {
            body.insert(name.into(), moved(when, Some(&current[name])));
        }
    }
    if let Some(wanted) = &patch.attendees {
        body.insert("attendees".into(), guests(wanted, Some(current)));
    }
    if let Some(given) = &patch.reminders {
        body.insert("reminders".into(), reminders(given));
    }
    body.insert("extendedProperties".into(), mark(delivery));
    Value::Object(body)
}

/// True for an entry that was deleted: Google keeps its id.
pub(crate) fn is_cancelled(entry: &Value) -> bool {
    entry["status"] == "cancelled"
}

/// True when this delivery wrote it last: an answer got lost.
pub(crate) fn is_written_by(entry: &Value, delivery: &str) -> bool {
    entry["extendedProperties"]["private"][MARK] == *delivery
}

/// What of an entry may be changed elsewhere and must not be overwritten.
const MEMBERS: [&str; 5] = ["summary", "description", "location", "start", "end"];

/// What an entry says in each of [`MEMBERS`], as short sums: enough to see a change by.
pub(crate) fn seen(entry: &Value) -> BTreeMap<String, String> {
    MEMBERS
        .iter()
        .map(|name| ((*name).to_owned(), sum(&entry[*name])))
        .collect()
}

fn sum(value: &Value) -> String {
    let said = match value {
        Value::Object(when) => {
            let text = |name: &str| when.get(name).and_then(Value::as_str);
            match (
                text("dateTime").map(str::parse::<jiff::Timestamp>),
                text("date"),
            ) {
                (Some(Ok(at)), _) => at.as_second().to_string(),
                (_, Some(date)) => date.to_owned(),
                _ => String::new(),
            }
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let digest: [u8; 32] = Sha256::digest(said).into();
    data_encoding::BASE32HEX_NOPAD.encode(digest.get(..10).unwrap_or(&digest))
}

/// True when somebody else changed, since we last saw it, what is to be changed now.
pub(crate) fn was_changed_elsewhere(
    body: &Value,
    current: &Value,
    known: &BTreeMap<String, String>,
) -> bool {
    MEMBERS.iter().any(|name| {
        let (Some(wanted), Some(known)) = (body.get(*name), known.get(*name)) else {
            return false;
        };
        let now = sum(&current[*name]);
        now != *known && now != sum(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Reason;
    use crate::integrations::Kind;
    use crate::integrations::consequence::{self, Consequence};

    fn refusal(reason: &str) -> String {
        json!({"error": {"code": 403, "message": "No.", "errors": [{"domain": "usageLimits", "reason": reason, "message": "No."}]}}).to_string()
    }

    fn refusal_in_the_new_way(reason: &str) -> String {
        json!({"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]}}).to_string()
    }

    #[test]
    fn every_answer_has_its_meaning_and_moves_the_delivery() {
        use Consequence::{Fail, Hold, Retry};
        use Doing::{Change, Insert};
        const PAGE: &str = "<html>Welcome to our Wi-Fi</html>";
        let sign_in = Hold(Reason::NeedsSignIn);
        let setup = Hold(Reason::NeedsSetup);
        for (doing, status, body, code, detail, moves) in [
            (
                Insert,
                400,
                refusal("invalid"),
                Code::Rejected,
                Some(Detail::Malformed),
                Fail,
            ),
            (
                Insert,
                401,
                refusal("authError"),
                Code::SignInExpired,
                None,
                sign_in,
            ),
            (
                Insert,
                403,
                refusal("rateLimitExceeded"),
                Code::RateLimited,
                None,
                Retry,
            ),
            (
                Insert,
                403,
                refusal("userRateLimitExceeded"),
                Code::RateLimited,
                None,
                Retry,
            ),
            (
                Insert,
                403,
                refusal("quotaExceeded"),
                Code::RateLimited,
                Some(Detail::QuotaUsedUp),
                Retry,
            ),
            (
                Insert,
                429,
                refusal("rateLimitExceeded"),
                Code::RateLimited,
                None,
                Retry,
            ),
            (Insert, 429, String::new(), Code::RateLimited, None, Retry),
            (
                Insert,
                403,
                refusal("insufficientPermissions"),
                Code::SignInExpired,
                Some(Detail::ScopeMissing),
                sign_in,
            ),
            (
                Insert,
                403,
                refusal_in_the_new_way("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
                Code::SignInExpired,
                Some(Detail::ScopeMissing),
                sign_in,
            ),
            (
                Insert,
                403,
                refusal("accessNotConfigured"),
                Code::Rejected,
                Some(Detail::ApiSwitchedOff),
                setup,
            ),
            (
                Insert,
                403,
                refusal_in_the_new_way("SERVICE_DISABLED"),
                Code::Rejected,
                Some(Detail::ApiSwitchedOff),
                setup,
            ),
            (
                Insert,
                403,
                refusal("requiredAccessLevel"),
                Code::Rejected,
                Some(Detail::CalendarReadOnly),
                setup,
            ),
            (
                Change,
                403,
                refusal("forbiddenForNonOrganizer"),
                Code::Rejected,
                Some(Detail::Malformed),
                Fail,
            ),
            (
                Insert,
                403,
                PAGE.into(),
                Code::Unreachable,
                Some(Detail::NotTheProvider),
                Retry,
            ),
            (
                Insert,
                404,
                refusal("notFound"),
                Code::Rejected,
                Some(Detail::CalendarGone),
                setup,
            ),
            (Change, 404, refusal("notFound"), Code::NotFound, None, Fail),
            (Change, 410, refusal("deleted"), Code::NotFound, None, Fail),
            (
                Insert,
                404,
                PAGE.into(),
                Code::Rejected,
                Some(Detail::WrongBaseUrl),
                setup,
            ),
            (
                Insert,
                413,
                String::new(),
                Code::Rejected,
                Some(Detail::TooLarge),
                Fail,
            ),
            (
                Change,
                412,
                refusal("conditionNotMet"),
                Code::ProviderDown,
                None,
                Retry,
            ),
            (
                Insert,
                302,
                String::new(),
                Code::Unreachable,
                Some(Detail::NotTheProvider),
                Retry,
            ),
            (
                Insert,
                500,
                refusal("backendError"),
                Code::ProviderDown,
                None,
                Retry,
            ),
            (Insert, 503, String::new(), Code::ProviderDown, None, Retry),
        ] {
            let failure = classify(doing, status, body.as_bytes()).unwrap_err();
            assert_eq!(
                (failure.code, failure.args.detail),
                (code, detail),
                "{status} {body}"
            );
            assert_eq!(
                consequence::of(Kind::Calendar, &failure),
                moves,
                "{status} {body}"
            );
        }
        assert_eq!(classify(Insert, 200, b"{}"), Ok(()));
        assert_eq!(classify(Change, 204, b""), Ok(()));
    }

    #[test]
    fn a_used_up_quota_is_not_hammered() {
        let quota = classify(Doing::Insert, 403, refusal("quotaExceeded").as_bytes()).unwrap_err();
        assert_eq!(asked_to_wait(Some(&quota), None).as_deref(), Some("3600"));
        let rate = classify(Doing::Insert, 429, b"").unwrap_err();
        assert_eq!(asked_to_wait(Some(&rate), Some("7")).as_deref(), Some("7"));
    }

    #[test]
    fn ids_stand_in_the_address_as_they_are() {
        let ask = Ask::get("salon#holiday@group.v.calendar.google.com", "sb0");
        for base in [
            "https://www.googleapis.com",
            "https://www.googleapis.com/",
            "https://www.googleapis.com/calendar/v3",
            "https://www.googleapis.com/calendar/v3/",
        ] {
            assert_eq!(
                ask.url(base).unwrap().as_str(),
                "https://www.googleapis.com/calendar/v3/calendars/salon%23holiday@group.v.calendar.google.com/events/sb0"
            );
        }
        let ask = Ask::delete("primary", "a/b?c", "all");
        assert_eq!(
            ask.url(BASE_URL).unwrap().as_str(),
            "https://www.googleapis.com/calendar/v3/calendars/primary/events/a%2Fb%3Fc?sendUpdates=all"
        );
    }

    #[test]
    fn guests_that_stay_keep_their_answers() {
        let current = json!({"attendees": [
            {"email": "Maria@example.com", "responseStatus": "accepted", "comment": "Looking forward"},
            {"email": "jo@example.com", "responseStatus": "declined"},
        ]});
        let wanted = [
            "maria@example.com".to_owned(),
            "Li Wang <li@example.com>".to_owned(),
        ];
        assert_eq!(
            guests(&wanted, Some(&current)),
            json!([
                {"email": "Maria@example.com", "responseStatus": "accepted", "comment": "Looking forward"},
                {"email": "li@example.com", "displayName": "Li Wang"},
            ])
        );
    }

    #[test]
    fn only_what_somebody_else_changed_is_kept_from_being_overwritten() {
        let ours = json!({"summary": "Haircut", "start": {"dateTime": "2026-11-26T10:00:00+01:00", "timeZone": "Europe/Berlin"}, "etag": "1"});
        let known = seen(&ours);
        let moved = json!({"start": {"dateTime": "2026-11-27T10:00:00+01:00"}});
        // A guest answered: another ETag, the same members. Google may also write a time in another way.
        let answered = json!({"summary": "Haircut", "start": {"dateTime": "2026-11-26T09:00:00Z"}, "etag": "2"});
        assert!(!was_changed_elsewhere(&moved, &answered, &known));
        let renamed = json!({"summary": "Haircut and colour", "start": ours["start"]});
        assert!(
            !was_changed_elsewhere(&moved, &renamed, &known),
            "another member"
        );
        let elsewhere =
            json!({"summary": "Haircut", "start": {"dateTime": "2026-11-26T12:00:00+01:00"}});
        assert!(was_changed_elsewhere(&moved, &elsewhere, &known));
        let already = json!({"summary": "Haircut", "start": {"dateTime": "2026-11-27T09:00:00Z"}});
        assert!(
            !was_changed_elsewhere(&moved, &already, &known),
            "it is so already"
        );
        assert!(
            !was_changed_elsewhere(&moved, &elsewhere, &BTreeMap::new()),
            "no entry of ours"
        );
    }

    #[test]
    fn an_entry_that_was_deleted_comes_back_whole_under_its_id() {
        let entry: Entry = serde_json::from_value(json!({"title": "Haircut", "startTime": "2026-11-26T10:00", "endTime": "2026-11-26T11:00"})).unwrap();
        let times = entry.times("Europe/Berlin").unwrap();
        let deleted = json!({"status": "cancelled", "description": "of before", "start": {"date": "2026-11-01"}, "end": {"date": "2026-11-02"}});
        let body = restoration(&entry, &times, "dlv_1", &deleted);
        assert_eq!(body["status"], "confirmed");
        assert_eq!(body["description"], "", "what it said before is not kept");
        assert_eq!(
            body["start"],
            json!({"dateTime": "2026-11-26T10:00:00+01:00", "timeZone": "Europe/Berlin", "date": null})
        );
        assert!(is_written_by(&body, "dlv_1") && !is_written_by(&body, "dlv_2"));
        let there = json!({"status": "confirmed"});
        assert_eq!(
            restoration(&entry, &times, "dlv_1", &there).get("status"),
            None
        );
    }

    #[test]
    fn only_calendars_that_can_be_written_into_are_offered() {
        let mut all = Vec::new();
        let page = json!({"kind": "calendar#calendarList", "nextPageToken": "2", "items": [
            {"id": "me@example.com", "summary": "me@example.com", "primary": true, "accessRole": "owner"},
            {"id": "salon", "summary": "x", "summaryOverride": "Salon", "accessRole": "writer"},
            {"id": "holidays", "summary": "Holidays", "accessRole": "reader"},
        ]});
        assert_eq!(
            list(page.to_string().as_bytes(), &mut all),
            Ok(Some("2".into()))
        );
        assert_eq!(
            all.iter().map(|c| c.summary.as_str()).collect::<Vec<_>>(),
            ["me@example.com", "Salon"]
        );
        assert!(is_among(&all, PRIMARY) && is_among(&all, "salon") && !is_among(&all, "holidays"));
        for page in ["<html>", "[]", "{}"] {
            assert!(list(page.as_bytes(), &mut all).is_err(), "{page}");
        }
    }
}
