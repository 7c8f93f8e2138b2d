//! Which deliveries, which events: filters as they are handed in, and read. Pure.

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{Channel, Reason, Status};
use crate::clock::Time;
use crate::db::log::Wanted;
use crate::error::{Error, Result};
use crate::ids::{AutomationId, DeliveryId, EventId, WebhookId};
use crate::words::Question;

/// Rows of a page, unless asked otherwise, and at most.
const USUAL_LIMIT: u32 = 50;
const MOST: u32 = 200;

/// Which deliveries, in which order, from where on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams, utoipa::ToSchema))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
pub struct DeliveryFilter {
    /// One status, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// One reason that `statusReason` gives, or several with commas; `none` is that there is none. A
    /// failure without one needs the owner: it was not sent again since.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// One channel, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// One webhook, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
    /// One automation, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<String>,
    /// One event type, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// One event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// One delivery, or several with commas.
    #[serde(deserialize_with = "several", skip_serializing_if = "Option::is_none")]
    pub ids: Option<String>,
    /// One booking, contact, article …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whom or where it went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Words that all stand in recipient, subject, payload, response or error; the last one may be
    /// a beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Queued at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Queued before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// True: only tests; false: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<bool>,
    /// 1 to 200; default 50.
    #[serde(skip_serializing)]
    pub limit: Option<u32>,
    /// Where the page before ended, or the page after began.
    #[serde(skip_serializing)]
    pub cursor: Option<String>,
    /// Begins the page at this time instead.
    #[serde(skip_serializing)]
    pub at: Option<Time>,
    /// Newest or oldest first.
    #[serde(skip_serializing)]
    pub order: Option<Order>,
}

/// Newest or oldest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Order {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

impl Order {
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Self::Desc => Self::Asc,
            Self::Asc => Self::Desc,
        }
    }
}

/// Which events, newest first, from where on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
pub struct EventFilter {
    /// One event type, or several with commas.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// One booking, contact, article …
    pub subject: Option<String>,
    /// Words that all stand in the subject or the data; the last one may be a beginning.
    pub q: Option<String>,
    /// Recorded at this time or later.
    pub since: Option<Time>,
    /// Recorded before this time.
    pub until: Option<Time>,
    /// 1 to 200; default 50.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A text with commas, or in JSON also a list of texts.
fn several<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Several;
    impl<'de> Visitor<'de> for Several {
        type Value = Option<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text, or a list of texts")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = seq.next_element::<String>()? {
                all.push(one);
            }
            Ok(Some(all.join(",")))
        }
    }
    from.deserialize_any(Several)
}

fn parts(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn words<'de, T: Deserialize<'de>>(
    path: &str,
    text: Option<&'de str>,
    known: &str,
) -> Result<Vec<T>> {
    parts(text)
        .map(|word| {
            T::deserialize(de::value::StrDeserializer::<de::value::Error>::new(word)).map_err(
                |_| {
                    Error::field(
                        path,
                        "unknown",
                        format!("This is one of {known}, or several with commas."),
                    )
                },
            )
        })
        .collect()
}

/// Reasons, and that there is none.
fn reasons(text: Option<&str>) -> Result<Vec<Option<Reason>>> {
    parts(text)
        .map(|word| match word {
            "none" => Ok(None),
            word => Ok(words(
                "statusReason",
                Some(word),
                "the reasons of a status, or none",
            )?
            .pop()),
        })
        .collect()
}

/// The question in `q`, and whether nothing can answer it: it has no word.
fn question(q: Option<&str>) -> (Option<Question>, bool) {
    match q.map(str::trim).filter(|q| !q.is_empty()) {
        None => (None, false),
        Some(q) => {
            let read = Question::read(q);
            let nothing = read.is_none();
            (read, nothing)
        }
    }
}

impl DeliveryFilter {
    /// Reads it.
    ///
    /// # Errors
    /// `Invalid` for a word that is not known.
    pub(crate) fn wanted(&self) -> Result<Wanted> {
        let webhooks: Vec<WebhookId> = parts(self.webhook_id.as_deref())
            .map(|id| {
                id.parse().map_err(|_| {
                    Error::field(
                        "webhookId",
                        "invalid",
                        "This must be an id that starts with whk_, or several with commas.",
                    )
                })
            })
            .collect::<Result<_>>()?;
        let ids: Vec<DeliveryId> = parts(self.ids.as_deref())
            .map(|id| {
                id.parse().map_err(|_| {
                    Error::field(
                        "ids",
                        "invalid",
                        "These must be ids that start with dlv_, with commas between.",
                    )
                })
            })
            .collect::<Result<_>>()?;
        let automations: Vec<AutomationId> = parts(self.automation_id.as_deref())
            .map(|id| {
                id.parse().map_err(|_| {
                    Error::field(
                        "automationId",
                        "invalid",
                        "This must be an id that starts with aut_, or several with commas.",
                    )
                })
            })
            .collect::<Result<_>>()?;
        let (question, wordless) = question(self.q.as_deref());
        Ok(Wanted {
            automations: automations.iter().map(ToString::to_string).collect(),
            ids: self.ids.is_some().then_some(ids),
            statuses: words::<Status>(
                "status",
                self.status.as_deref(),
                "pending, sending, held, success, failed, unknown, skipped, cancelled",
            )?,
            reasons: reasons(self.status_reason.as_deref())?,
            channels: words::<Channel>(
                "channel",
                self.channel.as_deref(),
                "webhook, email, sms, calendar, storage",
            )?,
            endpoints: webhooks.iter().map(ToString::to_string).collect(),
            event_types: parts(self.event_type.as_deref())
                .map(str::to_owned)
                .collect(),
            event: self.event_id,
            subject: self.subject.clone(),
            recipient: self.recipient.clone(),
            since: self.since,
            until: self.until,
            test: self.test,
            question,
            by_itself: false,
            nothing: wordless,
        })
    }
}

impl DeliveryFilter {
    /// Says what is wrong where all that fits is answered, and a page was asked for.
    pub(crate) fn is_whole(&self) -> Result<()> {
        let named = [
            ("limit", self.limit.is_some()),
            ("cursor", self.cursor.is_some()),
            ("at", self.at.is_some()),
        ];
        match named.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => Err(Error::field(
                name,
                "unknown",
                format!("“{name}” belongs to a page; here all that fits is answered."),
            )),
        }
    }
}

impl EventFilter {
    /// Reads it.
    pub(crate) fn wanted(&self) -> Wanted {
        let (question, nothing) = question(self.q.as_deref());
        Wanted {
            event_types: parts(self.event_type.as_deref())
                .map(str::to_owned)
                .collect(),
            subject: self.subject.clone(),
            since: self.since,
            until: self.until,
            question,
            nothing,
            ..Wanted::default()
        }
    }
}

/// Where a page begins: behind a row, or before one. Cursors are row numbers in a spelling that
/// nobody is tempted to calculate with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// At the first row.
    Start,
    /// The rows that follow this one.
    After(i64),
    /// The rows that end before this one.
    Before(i64),
}

impl From {
    pub(crate) fn cursor(self) -> Option<String> {
        match self {
            Self::Start => None,
            Self::After(seq) => Some(format!("c{seq:x}")),
            Self::Before(seq) => Some(format!("b{seq:x}")),
        }
    }

    pub(crate) fn read(text: Option<&str>) -> Result<Self> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self::Start);
        };
        let number = |hex: &str| i64::from_str_radix(hex, 16).ok().filter(|seq| *seq >= 0);
        let read = match text.split_at_checked(1) {
            Some(("c", hex)) => number(hex).map(Self::After),
            Some(("b", hex)) => number(hex).map(Self::Before),
            _ => None,
        };
        read.ok_or_else(|| {
            Error::field(
                "cursor",
                "invalid",
                "This is no cursor of ours; pass nextCursor or previousCursor on as it is.",
            )
        })
    }
}

pub(crate) fn read_limit(limit: Option<u32>) -> Result<usize> {
    match limit.unwrap_or(USUAL_LIMIT) {
        limit @ 1..=MOST => Ok(limit as usize),
        _ => Err(Error::field(
            "limit",
            "out_of_range",
            format!("The limit may be 1 to {MOST}."),
        )),
    }
}
