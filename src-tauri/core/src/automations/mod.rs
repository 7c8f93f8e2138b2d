//! Automations: when something happens, this is done through a service.
//!
//! An automation's delivery is a row of the outbox like any other, whose body was made once, at
//! intake, in the shape of what is handed in by hand. `check` says what is wrong with one; `plan`
//! (pure) makes deliveries of an event with `render` (its texts), `when` (its time) and `template`;
//! `known` keeps what is active at hand, `queue` brings a plan into the event's own transaction
//! with order, gathering and brake, `anew` renders what waits once texts have changed, `again` what is
//! sent again. The use
//! cases are in `store`, `preview`, `trial` and `rehearse`.

mod action;
pub(crate) mod again;
mod anew;
mod check;
mod grammar;
pub(crate) mod known;
#[cfg(test)]
mod model;
pub(crate) mod plan;
mod preview;
pub(crate) mod queue;
mod rehearse;

mod render;
pub(crate) mod starter;
pub(crate) mod store;
pub(crate) mod template;
mod trial;
mod when;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use action::{Action, CalendarAction, EmailAction, Operation, SmsAction, StorageAction};
pub use preview::{Draft, Mistake, Outcome, Preview, PreviewEvent, PreviewRequest};
pub(crate) use preview::{holes, nobody};
pub use rehearse::{Difference, MissingValue, Rehearsal, RehearseRequest, Sample};
pub use trial::{TestRequest, TestSent, Tested};
pub use when::QuietHours;

use crate::clock::Time;
use crate::explain::State;
use crate::ids::AutomationId;

/// How long a change waits for the next one, unless said otherwise, in seconds.
pub const USUAL_GATHER_SECONDS: u32 = 60;
/// How many messages an automation may send in ten minutes, unless said otherwise.
pub const USUAL_LIMIT: u32 = 50;

/// One event type or several; they are shown as a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Events(pub Vec<String>);

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;
        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Events;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an event type, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Events, E> {
                Ok(Events(vec![text.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Events, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Events(all))
            }
        }
        from.deserialize_any(OneOrSeveral)
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Events {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <Vec<String> as utoipa::PartialSchema>::schema()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Events {}

/// A moment that follows from the event's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RelativeTo {
    /// A dotted path to a time in `data`: `startTime`. Without an offset it is meant in the zone that
    /// the member `timezone` beside it names, else in the workspace's.
    pub field: String,
    /// Minutes after it; negative is before.
    pub minutes: i64,
}

/// An automation to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewAutomation {
    /// 1 to 100 characters.
    pub name: String,
    /// The event type, or a list of types.
    pub event: Events,
    /// Default true.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Only events that fit: `{all|any:[{path,op,value}]}`; null is all.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub condition: Option<Box<RawValue>>,
    /// How long a change waits for the next one of the same subject, 0 to 3,600 s; default 60, 0 is
    /// off. What was created goes at once.
    #[serde(default)]
    pub gather_seconds: Option<u32>,
    /// Minutes after the event, 1 to 525,600; null is at once.
    #[serde(default)]
    pub delay_minutes: Option<u32>,
    /// A moment that follows from the data, instead.
    #[serde(default)]
    pub relative_to: Option<RelativeTo>,
    /// How many emails or texts in ten minutes, 1 to 10,000; beyond that they are held. Null is the
    /// workspace's limit.
    #[serde(default)]
    pub limit: Option<u32>,
    /// What is done.
    pub action: Action,
}

/// What is to be different; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AutomationPatch {
    /// 1 to 100 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// The event type, or a list of types.
    #[serde(default)]
    pub event: Option<Events>,
    /// False switches it off: what waits for its time is not sent.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Only events that fit; null is all.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub condition: Option<Option<Box<RawValue>>>,
    /// 0 to 3,600 s.
    #[serde(default)]
    pub gather_seconds: Option<u32>,
    /// Minutes after the event; null is at once.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub delay_minutes: Option<Option<u32>>,
    /// A moment that follows from the data; null is none.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<RelativeTo>))]
    pub relative_to: Option<Option<RelativeTo>>,
    /// How many messages in ten minutes; null is the workspace's limit.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
    pub limit: Option<Option<u32>>,
    /// What is done: another action is another version, and what waits is written anew.
    #[serde(default)]
    pub action: Option<Action>,
}

fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// An automation as it is read back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Automation {
    /// `aut_…`
    pub id: AutomationId,
    /// What it is called.
    pub name: String,
    /// The event types.
    pub event: Events,
    /// Whether it runs.
    pub is_active: bool,
    /// Only events that fit, as it was handed in; null is all.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub condition: Option<Box<RawValue>>,
    /// How long a change waits for the next one, in seconds.
    pub gather_seconds: u32,
    /// Minutes after the event; null is at once.
    pub delay_minutes: Option<u32>,
    /// A moment that follows from the data, instead.
    pub relative_to: Option<RelativeTo>,
    /// How many messages in ten minutes; null is the workspace's limit.
    pub limit: Option<u32>,
    /// What is done.
    pub action: Action,
    /// The number of this version of its texts.
    pub version: u32,
    /// When it was made.
    pub created_at: Time,
    /// When its texts were changed last.
    pub changed_at: Time,
    /// When it happens, in words: "24 hours before startTime".
    pub when: String,
    /// Word, shape and role.
    pub state: State,
    /// What is true, in words.
    pub sentence: String,
    /// What it did in the last seven days.
    pub counts: Counts,
}

/// What an automation did in the last seven days, tests not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationCounts))]
pub struct Counts {
    /// Got through.
    pub sent: u64,
    /// Wait, are under way or are not known.
    pub waiting: u64,
    /// Held for a cause.
    pub held: u64,
    /// Given up.
    pub failed: u64,
    /// Not sent, for a reason.
    pub skipped: u64,
}

/// An automation that was changed, and what followed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChangedAutomation {
    /// As it is now.
    pub automation: Automation,
    /// Deliveries that waited and were written anew.
    pub rendered_anew: u64,
    /// Deliveries that waited and are not sent any more.
    pub dropped: u64,
    /// What was done, in words.
    pub message: String,
}

/// A version of an automation's texts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationVersion))]
pub struct Version {
    /// 1, 2, 3 …
    pub version: u32,
    /// Since when.
    pub created_at: Time,
    /// The version whose texts these are again.
    pub restored_from: Option<u32>,
    /// True for the one that is used now.
    pub is_current: bool,
    /// How many deliveries were made with it.
    pub deliveries: u64,
    /// "Used by 12 deliveries."
    pub sentence: String,
    /// What it does.
    pub action: Action,
}

/// All of an automation but its name and its texts, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) event: Events,
    pub(crate) condition: Option<Box<RawValue>>,
    pub(crate) gather_seconds: u32,
    pub(crate) delay_minutes: Option<u32>,
    pub(crate) relative_to: Option<RelativeTo>,
    pub(crate) limit: Option<u32>,
}

impl Settings {
    /// Those of one that is to be made.
    pub(crate) fn of(new: &NewAutomation) -> Self {
        Self {
            event: new.event.clone(),
            condition: new.condition.clone(),
            gather_seconds: new.gather_seconds.unwrap_or(USUAL_GATHER_SECONDS),
            delay_minutes: new.delay_minutes.filter(|minutes| *minutes > 0),
            relative_to: new.relative_to.clone(),
            limit: new.limit,
        }
    }

    /// Alters what is named.
    pub(crate) fn apply(&mut self, patch: &AutomationPatch) {
        if let Some(event) = &patch.event {
            self.event = event.clone();
        }
        if let Some(condition) = &patch.condition {
            self.condition = condition.clone();
        }
        if let Some(seconds) = patch.gather_seconds {
            self.gather_seconds = seconds;
        }
        if let Some(minutes) = patch.delay_minutes {
            self.delay_minutes = minutes.filter(|minutes| *minutes > 0);
            if self.delay_minutes.is_some() && patch.relative_to.is_none() {
                self.relative_to = None;
            }
        }
        if let Some(relative) = &patch.relative_to {
            self.relative_to = relative.clone();
            if relative.is_some() && patch.delay_minutes.is_none() {
                self.delay_minutes = None;
            }
        }
        if let Some(limit) = patch.limit {
            self.limit = limit;
        }
    }
}

/// Why a delivery of an automation stands as it does: kept as arguments, said when read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Why {
    /// Values that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<String>,
    /// What stood where something else was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instead: Option<String>,
    /// The field whose text could not be made, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mistake: Option<String>,
    /// The moment that had passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) passed: Option<Time>,
}

impl Why {
    /// Values that are not there.
    pub(crate) fn missing(names: Vec<String>) -> Self {
        Self {
            missing: names,
            ..Self::default()
        }
    }
}

impl ToSql for Why {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(serde_json::to_string(self).unwrap_or_default().into())
    }
}

impl FromSql for Why {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(serde_json::from_str(value.as_str()?).unwrap_or_default())
    }
}
