//! Webhooks: endpoints of other software that are told about events.
//!
//! Here: their shapes, what is checked before one is saved, and the use cases. How a call is signed
//! is [`signature`], how it is made is `send`, what it says `format`; what the key store keeps for it
//! is `kept`, what may stand in own headers `headers`, how a secret is changed `rotation`; when, is
//! the outbox.
//! What the other side needs is [`receiver`].

pub(crate) mod format;
pub(crate) mod headers;
pub(crate) mod kept;
pub mod receiver;
mod rotation;
pub(crate) mod send;
pub mod signature;
pub(crate) mod store;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

pub use format::{ChatFact, ChatMessage, Format};
pub use headers::OwnHeaders;
pub use rotation::{Rotate, Rotated, RotatedSecret, RotationFinished};

use crate::clock::Time;
use crate::condition::Condition;
use crate::error::FieldError;
use crate::explain::State;
use crate::ids::{DeliveryId, WebhookId};
use crate::outcome::Graceful;

/// A webhook as its owner sees it. Never with its secret, except once after it was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What the owner calls it.
    pub name: String,
    /// Where it is. Of a chat's address, which is a secret: scheme, host and the last four characters.
    pub url: String,
    /// The host of `url`, with its port where that is unusual.
    pub host: String,
    /// The types it is told about; `["*"]` is all.
    pub events: Vec<String>,
    /// False: paused, its queue is held.
    pub is_active: bool,
    /// What the body looks like.
    pub format: Format,
    /// Tries after the first.
    pub retry_attempts: u32,
    /// Milliseconds before the second try; doubles each time.
    pub retry_delay: u32,
    /// How the gaps grow.
    pub retry_schedule: Schedule,
    /// One deadline over look-up, connect, headers and body, in seconds.
    pub timeout_seconds: u32,
    /// The owner said: this is on my own network.
    pub allow_private_network: bool,
    /// Only events that fit, as it was handed in; null is all.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub filter: Option<Box<RawValue>>,
    /// Names of own headers; their values are secrets.
    pub header_names: Vec<String>,
    /// Calls a second at most; null is without a limit.
    pub rate_limit_per_second: Option<u32>,
    /// Deliveries that ended: `successfulCalls + failedCalls`. Tests do not count.
    pub total_calls: u64,
    /// Deliveries that got through.
    pub successful_calls: u64,
    /// Deliveries that were given up.
    pub failed_calls: u64,
    /// The last try.
    pub last_triggered: Option<Time>,
    /// Why the last try did not work; null when it did.
    pub last_error: Option<String>,
    /// When the signing secret was made.
    pub secret_created_at: Time,
    /// Until when the former secret is valid too.
    pub previous_secret_valid_until: Option<Time>,
    /// How old the secret is.
    pub secret_age: SecretAge,
    /// Why it is paused.
    pub paused_reason: Option<PausedReason>,
    /// Word, shape and role.
    pub state: State,
    /// What is true, in words.
    pub sentence: String,
    /// Deliveries that wait for a cause to go away.
    pub held: u64,
    /// Deliveries that are due now or later.
    pub waiting: u64,
    /// The last seven days, oldest first, in the workspace's zone.
    pub days: Vec<Day>,
    /// Share of deliveries that got through, 0 to 1; from 20 ended deliveries on.
    pub success_rate: Option<f64>,
    /// What of it needs the owner most, if anything does.
    pub problem_id: Option<String>,
    /// The signing secret: only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// How old a signing secret is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SecretAge {
    /// "Made 12 days ago."
    pub sentence: String,
    /// From 180 days on: time to change it.
    pub is_old: bool,
}

/// What ended on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Day {
    /// `2026-11-24`
    #[cfg_attr(feature = "schema", schema(value_type = String, format = Date))]
    pub day: jiff::civil::Date,
    /// Got through.
    pub succeeded: u64,
    /// Given up.
    pub failed: u64,
}

/// How the gaps between tries grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Schedule {
    /// `retryDelay`, doubled each time.
    #[default]
    Exponential,
    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    Standard,
}

/// Why a webhook is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum PausedReason {
    /// The owner paused it.
    ByOwner,
    /// The receiver answered 410: stop.
    Gone,
    /// Nothing but failures for five days.
    Failing,
}

/// A member that may be null to say so: `Some(None)`.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A webhook to be made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// 1 to 100 characters.
    pub name: String,
    /// `https`, or with `allowPrivateNetwork` also `http` to a private or loopback address.
    pub url: String,
    /// Known types, or `["*"]`.
    pub events: Vec<String>,
    /// Default true.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// 0 to 20; default 3, with `standard` 9.
    #[serde(default)]
    pub retry_attempts: Option<u32>,
    /// 100 to 3,600,000 ms; default 1000.
    #[serde(default)]
    pub retry_delay: Option<u32>,
    /// Default `exponential`.
    #[serde(default)]
    pub retry_schedule: Option<Schedule>,
    /// Default `payload`.
    #[serde(default)]
    pub format: Option<Format>,
    /// Default false.
    #[serde(default)]
    pub allow_private_network: Option<bool>,
    /// 5 to 60; default 15.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// Own headers by name; values are secrets and not shown again.
    #[serde(default)]
    pub headers: Option<OwnHeaders>,
    /// Only events that fit: `{all|any:[{path,op,value}]}`; null is all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub filter: Option<Box<RawValue>>,
    /// 1 to 1,000; null is what the chat of `format` takes, and else without a limit.
    #[serde(default)]
    pub rate_limit_per_second: Option<u32>,
}

/// What is to be different; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WebhookPatch {
    /// 1 to 100 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// As when it is made. An address that is a secret is needed again for a format that shows it.
    #[serde(default)]
    pub url: Option<String>,
    /// Known types, or `["*"]`.
    #[serde(default)]
    pub events: Option<Vec<String>>,
    /// False pauses, true resumes and lets go what was held.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// 0 to 20.
    #[serde(default)]
    pub retry_attempts: Option<u32>,
    /// 100 to 3,600,000 ms.
    #[serde(default)]
    pub retry_delay: Option<u32>,
    /// How the gaps grow.
    #[serde(default)]
    pub retry_schedule: Option<Schedule>,
    /// Whether private addresses may be called.
    #[serde(default)]
    pub allow_private_network: Option<bool>,
    /// 5 to 60.
    #[serde(default)]
    pub timeout_seconds: Option<u32>,
    /// What the body looks like from the next event on.
    #[serde(default)]
    pub format: Option<Format>,
    /// Own headers by name; null removes one, others stay. Dropped when scheme, host or port of
    /// `url` change, but for those in the same request.
    #[serde(default)]
    pub headers: Option<OwnHeaders>,
    /// Only events that fit; null is all.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub filter: Option<Option<Box<RawValue>>>,
    /// 1 to 1,000; null is what the chat of `format` takes, and else without a limit.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub rate_limit_per_second: Option<Option<u32>>,
}

/// A webhook after it was changed.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChangedWebhook {
    /// As it stands now.
    pub webhook: Webhook,
    /// What the change had to give up.
    pub warnings: Vec<FieldError>,
}

/// A filter to be tried on what has happened.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FilterTest {
    /// Known types, or `["*"]`.
    pub events: Vec<String>,
    /// The filter.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub filter: Box<RawValue>,
    /// Events from then on; else the last 30 days.
    #[serde(default)]
    pub since: Option<Time>,
}

/// What a filter would have let through.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FilterTested {
    /// Events of these types that were looked at, the newest 10,000 at most.
    pub checked: u64,
    /// How many fit.
    pub matched: u64,
    /// The same in words.
    pub sentence: String,
    /// The newest 20, fit or not.
    pub samples: Vec<FilterSample>,
}

/// One event before a filter.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FilterSample {
    /// The event.
    pub event_id: crate::ids::EventId,
    /// When it was recorded.
    pub at: Time,
    /// "New booking"
    pub label: String,
    /// "Maria Petersen, cut and colour"
    pub what: String,
    /// Whether it fits.
    pub matches: bool,
    /// Why: "price is 30, not more than 50."
    pub why: String,
}

/// What a format makes of an event.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FormatPreview {
    /// The format.
    pub format: Format,
    /// What happens.
    pub event: PreviewedEvent,
}

/// An event that did not happen.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PreviewedEvent {
    /// A type of the catalogue.
    #[serde(rename = "type")]
    pub event_type: String,
    /// A JSON object of at most 256 KiB; else the sample of the type.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub data: Option<Box<RawValue>>,
}

/// What would be sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FormatPreviewed {
    /// Always `application/json`.
    pub content_type: &'static str,
    /// The body of the call, byte for byte.
    pub body: String,
    /// What people in the chat read; null where the body is for programs.
    pub message: Option<ChatMessage>,
}

/// How a test of a webhook went: one attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Tested {
    /// The receiver took it.
    Passed(TestPassed),
    /// It did not; nothing else is affected.
    Failed(TestFailed),
}

/// The receiver took the test.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TestPassed {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// What came back.
    pub status_code: Option<u16>,
    /// Always 1.
    pub attempts: u32,
    /// From first byte to last.
    pub duration_ms: u64,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
}

/// The receiver did not take the test.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TestFailed {
    /// The graceful half of every result.
    #[serde(flatten)]
    pub graceful: Graceful,
    /// The same sentence as `error`.
    pub message: String,
    /// What came back, if anything did.
    pub status_code: Option<u16>,
    /// 1, or 0 when nothing could be sent.
    pub attempts: u32,
    /// How long it took.
    pub duration_ms: Option<u64>,
}

/// The longest address that is a secret: the key store has to hold two, and the signing secrets.
const LONGEST_SECRET_ADDRESS: usize = 1_000;

/// The settings of a webhook after all defaults: what is stored.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) events: Vec<String>,
    pub(crate) filter: Option<Box<RawValue>>,
    pub(crate) format: Format,
    pub(crate) retry_attempts: u32,
    pub(crate) retry_delay: u32,
    pub(crate) retry_schedule: Schedule,
    pub(crate) timeout_seconds: u32,
    pub(crate) allow_private_network: bool,
    pub(crate) rate_limit: Option<u32>,
    pub(crate) header_names: Vec<String>,
    pub(crate) secret_created_at: Time,
    pub(crate) previous_secret_valid_until: Option<Time>,
}

impl Settings {
    pub(crate) fn new(new: NewWebhook, now: Time) -> Self {
        let schedule = new.retry_schedule.unwrap_or_default();
        let format = new.format.unwrap_or_default();
        Self {
            name: new.name.trim().to_owned(),
            url: new.url.trim().to_owned(),
            events: new.events,
            filter: new.filter,
            format,
            retry_attempts: new.retry_attempts.unwrap_or(match schedule {
                Schedule::Exponential => 3,
                Schedule::Standard => 9,
            }),
            retry_delay: new.retry_delay.unwrap_or(1000),
            retry_schedule: schedule,
            timeout_seconds: new.timeout_seconds.unwrap_or(15),
            allow_private_network: new.allow_private_network.unwrap_or(false),
            rate_limit: new.rate_limit_per_second.or(format.usual_rate()),
            header_names: new.headers.unwrap_or_default().names_after(&[]),
            secret_created_at: now,
            previous_secret_valid_until: None,
        }
    }

    /// Takes over what `patch` says; the warnings are what that had to give up.
    fn apply(&mut self, patch: &WebhookPatch) -> Vec<FieldError> {
        fn set<T: Clone>(place: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                place.clone_from(value);
            }
        }
        let (before, format_before) = (kept::origin(&self.url), self.format);
        set(
            &mut self.name,
            &patch.name.as_ref().map(|n| n.trim().to_owned()),
        );
        set(
            &mut self.url,
            &patch.url.as_ref().map(|u| u.trim().to_owned()),
        );
        set(&mut self.events, &patch.events);
        set(&mut self.filter, &patch.filter);
        set(&mut self.format, &patch.format);
        set(&mut self.retry_attempts, &patch.retry_attempts);
        set(&mut self.retry_delay, &patch.retry_delay);
        set(&mut self.retry_schedule, &patch.retry_schedule);
        set(&mut self.timeout_seconds, &patch.timeout_seconds);
        set(
            &mut self.allow_private_network,
            &patch.allow_private_network,
        );
        let usual_before = format_before.usual_rate();
        set(&mut self.rate_limit, &patch.rate_limit_per_second);
        if patch.rate_limit_per_second.is_none() && self.rate_limit == usual_before {
            self.rate_limit = None;
        }
        self.rate_limit = self.rate_limit.or(self.format.usual_rate());
        let mut warnings = Vec::new();
        let given = patch
            .headers
            .as_ref()
            .map_or(Cow::Owned(OwnHeaders::default()), Cow::Borrowed);
        if kept::origin(&self.url) != before {
            let after = given.names_after(&[]);
            let dropped: Vec<_> = std::mem::take(&mut self.header_names)
                .into_iter()
                .filter(|name| !after.iter().any(|n| n.eq_ignore_ascii_case(name)))
                .collect();
            if !dropped.is_empty() {
                warnings.push(FieldError::new(
                    "headers",
                    "dropped",
                    format!(
                        "The address is another one now, so the values of {} are gone. Enter them again if {} should get them.",
                        dropped.join(", "),
                        host_of(&self.url)
                    ),
                ));
            }
        }
        self.header_names = given.names_after(&self.header_names);
        warnings
    }

    /// What is wrong with these settings, field by field. `known` are the workspace's event types.
    fn check<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Vec<FieldError> {
        let mut wrong = check_events(&self.events, known);
        let mut say = |path: &str, code: &str, message: String| {
            wrong.push(FieldError::new(path, code, message))
        };
        if self.name.is_empty() || self.name.chars().count() > 100 {
            say(
                "name",
                "invalid",
                "Give it a name of 1 to 100 characters.".into(),
            );
        }
        if let Err(message) = crate::http::guard::check_url(&self.url, self.allow_private_network) {
            say("url", message.code, message.sentence.into());
        } else if self.format.is_chat() && self.url.len() > LONGEST_SECRET_ADDRESS {
            say(
                "url",
                "too_long",
                "The address of a chat may be 1,000 characters long.".into(),
            );
        }
        if self.rate_limit.is_some_and(|n| !(1..=1000).contains(&n)) {
            say(
                "rateLimitPerSecond",
                "out_of_range",
                "Calls a second may be 1 to 1,000, or null for no limit.".into(),
            );
        }
        if self.header_names.len() > headers::MOST {
            say(
                "headers",
                "too_many",
                "A webhook may have 32 headers of its own.".into(),
            );
        }
        if self.retry_attempts > 20 {
            say(
                "retryAttempts",
                "out_of_range",
                "Tries after the first may be 0 to 20.".into(),
            );
        }
        if !(100..=3_600_000).contains(&self.retry_delay) {
            say(
                "retryDelay",
                "out_of_range",
                "The delay may be 100 to 3,600,000 milliseconds.".into(),
            );
        }
        if !(5..=60).contains(&self.timeout_seconds) {
            say(
                "timeoutSeconds",
                "out_of_range",
                "The time limit may be 5 to 60 seconds.".into(),
            );
        }
        if let Some(Err(found)) = self
            .filter
            .as_ref()
            .map(|filter| Condition::read(filter, "filter"))
        {
            wrong.extend(found);
        }
        wrong
    }
}

/// What is wrong with a choice of event types.
fn check_events<'a>(
    events: &[String],
    known: impl Iterator<Item = &'a str> + Clone,
) -> Vec<FieldError> {
    if events.is_empty() {
        return vec![FieldError::new(
            "events",
            "required",
            "Choose at least one event type, or all of them with [\"*\"].",
        )];
    }
    if events == ["*"] {
        return Vec::new();
    }
    events
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.clone().any(|k| k == *name))
        .map(|(i, name)| {
            let hint = crate::events::nearest(name, known.clone())
                .map(|n| format!(" Did you mean “{n}”?"))
                .unwrap_or_default();
            FieldError::new(
                format!("events.{i}"),
                "unknown",
                format!("There is no event type of this name.{hint}"),
            )
        })
        .collect()
}

/// The host of a URL, with its port where that is unusual; the whole text when it is none.
pub(crate) fn host_of(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) => match (parsed.host_str(), parsed.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => url.to_owned(),
        },
        Err(_) => url.to_owned(),
    }
}
