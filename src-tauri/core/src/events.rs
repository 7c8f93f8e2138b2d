//! What can happen in a business: the catalogue of event types, and how an event handed in is read.
//!
//! All of it is pure. Schemas feed forms, samples and warnings; they never refuse an event.
//! Taking one in is `outbox::intake`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::Time;
use crate::deliveries::DeliveryRow;
use crate::error::FieldError;
use crate::ids::EventId;

/// The largest `data` that is taken, in bytes.
pub const MAX_DATA_BYTES: usize = 256 * 1024;
/// The type of the events that tests send; nobody can record one.
pub const TEST_TYPE: &str = "webhook.test";
/// The types of what is handed in to be sent by itself. Nobody can record or declare one, and lists
/// of events hold them only when asked for by type.
pub const RESERVED: [&str; 6] = [
    "email.send",
    "sms.send",
    "storage.put",
    "calendar.create",
    "calendar.update",
    "calendar.delete",
];
/// The members of `data` that an event may be about, in the order in which they are looked for.
const SUBJECT_MEMBERS: [&str; 6] = [
    "bookingId",
    "contactId",
    "submissionId",
    "sku",
    "messageId",
    "id",
];
/// The longest subject and idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// A kind of event: what it is called, what its data usually holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventType {
    /// `booking.created`
    #[serde(rename = "type")]
    pub name: String,
    /// What people call it: "New booking".
    pub label: String,
    /// One sentence.
    pub description: String,
    /// JSON Schema of `data`; nothing in it is required.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub schema: Value,
    /// A sample of `data`.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub example: Value,
    /// True: the owner declared it; false: it is built in.
    #[serde(default)]
    pub declared: bool,
}

/// A further type, as the owner declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewEventType {
    /// `[a-z0-9_]+(\.[a-z0-9_]+)+`, such as `gift_card.sold`.
    #[serde(rename = "type")]
    pub name: String,
    /// What people call it; else made from the name.
    #[serde(default)]
    pub label: Option<String>,
    /// One sentence.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema of `data`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub schema: Option<Value>,
    /// A sample of `data`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub example: Option<Value>,
}

/// An event as it is handed in. `data` keeps its exact bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewEvent {
    /// A type of the catalogue.
    #[serde(rename = "type")]
    pub event_type: String,
    /// A JSON object of at most 256 KiB.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub data: Box<RawValue>,
    /// What it is about; else the first of `bookingId, contactId, submissionId, sku, messageId, id` in `data`.
    #[serde(default)]
    pub subject: Option<String>,
    /// When it happened; else now.
    #[serde(default)]
    pub occurred_at: Option<Time>,
    /// The same key again records nothing new.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// What the caller learns once the event is durable.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recorded {
    /// Always true.
    pub success: bool,
    /// The event's id; the same one for the same idempotency key.
    pub event_id: EventId,
    /// How many deliveries it became.
    pub deliveries: u32,
    /// True: it was recorded before, nothing new was queued.
    pub duplicate: bool,
    /// What in `data` looks odd. It was taken as it is.
    pub warnings: Vec<FieldError>,
}

/// An event as it is read back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its id, also the `webhook-id` of its calls.
    pub id: EventId,
    /// `booking.created`
    #[serde(rename = "type")]
    pub event_type: String,
    /// "New booking"
    pub label: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub occurred_at: Time,
    /// When it was recorded.
    pub received_at: Time,
    /// Who handed it in: a token's name, `window` or `signalctl`.
    pub source: String,
    /// Exactly as it was handed in.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub data: Box<RawValue>,
    /// Who and what, in a few words: "Maria Petersen, cut and colour".
    pub what: String,
    /// What it became; only when one event is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Vec<DeliveryRow>>,
}

/// The types that are there from the start.
pub fn built_in() -> &'static [EventType] {
    static CATALOGUE: LazyLock<Vec<EventType>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("event_types.json")).unwrap_or_default()
    });
    &CATALOGUE
}

/// True for a type of [`RESERVED`].
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// True when `name` may be declared: `[a-z0-9_]+(\.[a-z0-9_]+)+`, at most 100 characters.
#[must_use]
pub fn is_type_name(name: &str) -> bool {
    name.len() <= 100
        && name.contains('.')
        && name.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
}

/// The known type that `name` probably means.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|candidate| distance(name, candidate))
}

/// Levenshtein's distance, over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y))
                .min(*cell + 1)
                .min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// "gift_card.sold" → "Gift card sold".
#[must_use]
pub fn label_from_name(name: &str) -> String {
    let words = name.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// An event that is fit to be stored: what is wrong with the request has been said before.
#[derive(Debug)]
pub struct Checked {
    /// The type, known to the workspace.
    pub event_type: String,
    /// `data`, byte for byte.
    pub data: Box<str>,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, if that was said.
    pub occurred_at: Option<Time>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// What looks odd.
    pub warnings: Vec<FieldError>,
}

/// Reads an event against the workspace's own types. Pure.
///
/// # Errors
/// The fields that are wrong: an unknown type (with the nearest known one), `data` that is no
/// object, keys that are empty or too long. `data` over 256 KiB is `TooLarge`.
pub fn check(
    event: NewEvent,
    declared: &BTreeMap<String, EventType>,
) -> crate::error::Result<Checked> {
    let data = Box::<str>::from(event.data);
    if data.len() > MAX_DATA_BYTES {
        return Err(crate::Error::new(
            crate::Kind::TooLarge,
            format!(
                "The data of an event may be 256 KiB at most; this is {} KiB.",
                data.len().div_ceil(1024)
            ),
        ));
    }
    let mut wrong = Vec::new();
    let known = built_in()
        .iter()
        .find(|t| t.name == event.event_type)
        .or_else(|| declared.get(&event.event_type));
    if known.is_none() {
        let names = built_in()
            .iter()
            .map(|t| t.name.as_str())
            .chain(declared.keys().map(String::as_str));
        let suggestion = nearest(&event.event_type, names)
            .map(|n| format!(" Did you mean “{n}”?"))
            .unwrap_or_default();
        wrong.push(FieldError::new(
            "type",
            "unknown",
            format!("There is no event type of this name.{suggestion}"),
        ));
    }
    if !data.starts_with('{') {
        wrong.push(FieldError::new(
            "data",
            "invalid",
            "The data of an event must be a JSON object.",
        ));
    }
    for (path, text) in [
        ("subject", &event.subject),
        ("idempotencyKey", &event.idempotency_key),
    ] {
        if let Some(text) = text
            && (text.is_empty() || text.len() > MAX_KEY_BYTES)
        {
            wrong.push(FieldError::new(
                path,
                "invalid",
                format!("This must be 1 to {MAX_KEY_BYTES} characters long."),
            ));
        }
    }
    if !wrong.is_empty() {
        return Err(crate::Error::invalid(wrong));
    }
    let mut warnings = Vec::new();
    // JSON that the grammar allows and no program can read as text (lone surrogates, 1e999) is kept
    // and delivered as it came; it only cannot be looked into.
    match (serde_json::from_str::<Value>(&data), known) {
        (Ok(value), Some(known)) => warn(&value, &known.schema, "", &mut warnings),
        (Err(_), _) => warnings.push(FieldError::new(
            "data",
            "unreadable",
            "This holds text or numbers that cannot be read; it is passed on as it is.",
        )),
        _ => {}
    }
    let subject = event.subject.or_else(|| subject_of(&data));
    Ok(Checked {
        event_type: event.event_type,
        data,
        subject,
        occurred_at: event.occurred_at,
        idempotency_key: event.idempotency_key,
        warnings,
    })
}

/// The first of the members that an event may be about, as text; numbers keep their spelling.
#[must_use]
pub fn subject_of(data: &str) -> Option<String> {
    struct Members([Option<String>; SUBJECT_MEMBERS.len()]);

    impl<'de> Visitor<'de> for Members {
        type Value = [Option<String>; SUBJECT_MEMBERS.len()];

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                match SUBJECT_MEMBERS
                    .iter()
                    .position(|m| *m == key)
                    .and_then(|i| self.0.get_mut(i))
                {
                    Some(slot) => *slot = as_key(map.next_value::<&RawValue>()?),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(self.0)
        }
    }

    fn as_key(raw: &RawValue) -> Option<String> {
        let text = match raw.get().bytes().next()? {
            b'"' => serde_json::from_str(raw.get()).ok()?,
            b'-' | b'0'..=b'9' => raw.get().to_owned(),
            _ => return None,
        };
        Some(text).filter(|t: &String| !t.is_empty() && t.len() <= MAX_KEY_BYTES)
    }

    use serde::Deserializer as _;
    let found = serde_json::Deserializer::from_str(data)
        .deserialize_map(Members(Default::default()))
        .ok()?;
    found.into_iter().flatten().next()
}

/// Notes where `value` is not what `schema` leads one to expect.
fn warn(value: &Value, schema: &Value, path: &str, warnings: &mut Vec<FieldError>) {
    if let Some(expected) = schema.get("type")
        && !value.is_null()
        && !matches_type(value, expected)
    {
        let names = match expected {
            Value::Array(all) => all
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" or "),
            one => one.as_str().unwrap_or("something else").to_owned(),
        };
        warnings.push(FieldError::new(
            path,
            "type",
            format!("Usually this is a {names}."),
        ));
        return;
    }
    if let (Some(text), Some(format)) =
        (value.as_str(), schema.get("format").and_then(Value::as_str))
    {
        let (fits, usual) = match format {
            // A time without an offset is as good: `timezone` stands beside it.
            "date-time" => (
                Time::parse(text).is_ok() || text.parse::<jiff::civil::DateTime>().is_ok(),
                "a time such as 2026-11-26T09:30:00+01:00",
            ),
            "email" => (
                text.split_once('@')
                    .is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
                "an email address",
            ),
            "phone" => (
                text.bytes().filter(u8::is_ascii_digit).count() >= 5,
                "a phone number with its country code",
            ),
            "iana-time-zone" => (
                jiff::tz::TimeZone::get(text).is_ok(),
                "a time zone such as Europe/Berlin",
            ),
            _ => (true, ""),
        };
        if !fits && !text.is_empty() {
            warnings.push(FieldError::new(
                path,
                "format",
                format!("Usually this is {usual}."),
            ));
        }
    }
    if let (Some(members), Some(object)) = (
        schema.get("properties").and_then(Value::as_object),
        value.as_object(),
    ) {
        for (name, schema) in members {
            if let Some(value) = object.get(name) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                warn(value, schema, &path, warnings);
            }
        }
    }
}

fn matches_type(value: &Value, expected: &Value) -> bool {
    match expected {
        Value::Array(all) => all.iter().any(|one| matches_type(value, one)),
        Value::String(name) => match name.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            _ => true,
        },
        _ => true,
    }
}

/// Who and what, in a few words, from the members that events usually have: "Maria Petersen, cut
/// and colour". Empty when there are none.
#[must_use]
pub fn in_a_few_words(data: &str) -> String {
    let Ok(data) = serde_json::from_str::<Value>(data) else {
        return String::new();
    };
    let text = |path: &str| {
        data.pointer(path)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|t| !t.is_empty())
    };
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    words.extend(
        text("/customer/name")
            .or_else(|| text("/name"))
            .or_else(|| text("/from"))
            .map(Cow::from),
    );
    words.extend(
        text("/title")
            .or_else(|| text("/formName"))
            .or_else(|| text("/text"))
            .map(Cow::from),
    );
    if let (Some(left), Some(limit)) = (data.get("quantity"), data.get("threshold")) {
        words.push(format!("{left} left, warns at {limit}").into());
    }
    let line = words.join(", ");
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(event_type: &str, data: &str) -> NewEvent {
        NewEvent {
            event_type: event_type.into(),
            data: RawValue::from_string(data.into()).unwrap(),
            subject: None,
            occurred_at: None,
            idempotency_key: None,
        }
    }

    #[test]
    fn the_catalogue_holds_the_seven_types_and_each_sample_fits_its_schema() {
        assert_eq!(built_in().len(), 7);
        for kind in built_in() {
            let checked =
                check(new(&kind.name, &kind.example.to_string()), &BTreeMap::new()).unwrap();
            assert_eq!(checked.warnings, [], "{}", kind.name);
            assert!(checked.subject.is_some(), "{}", kind.name);
        }
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_nearest_known_one() {
        let error = check(new("booking.create", "{}"), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.fields[0].path, "type");
        assert!(error.fields[0].message.contains("booking.created"));
    }

    #[test]
    fn data_is_kept_byte_for_byte_even_when_no_program_can_read_it() {
        let odd = r#"{"b": 1e2,  "a":12345678901234567890123, "s":"\ud800", "x":1e999}"#;
        let checked = check(new("booking.created", odd), &BTreeMap::new()).unwrap();
        assert_eq!(&*checked.data, odd);
        assert_eq!(checked.warnings[0].code, "unreadable");
    }

    #[test]
    fn the_subject_is_the_first_known_member_and_numbers_keep_their_spelling() {
        assert_eq!(
            subject_of(r#"{"id":"x","sku":7.10}"#).as_deref(),
            Some("7.10")
        );
        assert_eq!(
            subject_of(r#"{"id":"x","bookingId":""}"#).as_deref(),
            Some("x")
        );
        assert_eq!(subject_of(r#"{"bookingId":{"a":1}}"#), None);
    }

    #[test]
    fn a_value_of_another_kind_is_warned_about_and_taken() {
        let checked = check(
            new(
                "booking.created",
                r#"{"startTime":"soon","customer":{"email":5}}"#,
            ),
            &BTreeMap::new(),
        )
        .unwrap();
        let found: Vec<_> = checked
            .warnings
            .iter()
            .map(|w| (w.path.as_str(), w.code.as_str()))
            .collect();
        assert!(
            found.contains(&("startTime", "format")) && found.contains(&("customer.email", "type"))
        );
    }

    #[test]
    fn only_lower_case_dotted_names_may_be_declared() {
        assert!(is_type_name("gift_card.sold"));
        for wrong in [
            "gift",
            "Gift.sold",
            "gift..sold",
            ".sold",
            "gift.sold.",
            "gift card.sold",
        ] {
            assert!(!is_type_name(wrong), "{wrong}");
        }
    }
}
