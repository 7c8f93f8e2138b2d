//! What happened: reading the log. The rows are the queue as well; moving them is the outbox.

pub(crate) mod act;
pub mod export;
pub(crate) mod filter;
pub mod histogram;
pub(crate) mod read;
pub(crate) mod replay;
pub mod stats;
pub mod story;

pub use filter::{DeliveryFilter, EventFilter, Order};
pub use replay::{Content, Left, NewReplay, Replay, Replayed, WhyLeft};

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::explain::State;
use crate::ids::{AttemptId, AutomationId, DeliveryId, EventId, WebhookId};
use crate::outcome::Code;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$item_doc])* $item),+ }

        impl $name {
            /// The word on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word),+ }
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$item),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

words! {
    /// Where a delivery stands. `success` never changes back.
    Status {
        /// Due now or later.
        Pending = "pending",
        /// A try is under way.
        Sending = "sending",
        /// Waits for a cause to go away; never counted as a failure.
        Held = "held",
        /// Got through.
        Success = "success",
        /// Given up; needs the owner.
        Failed = "failed",
        /// The answer got lost; being checked.
        Unknown = "unknown",
        /// Not sent, for a reason.
        Skipped = "skipped",
        /// Closed by the owner.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a delivery stands where it stands.
    Reason {
        /// No way there from this computer.
        Offline = "offline",
        /// Its webhook or integration is paused.
        Paused = "paused",
        /// Permission ended.
        NeedsSignIn = "needs_sign_in",
        /// The key is not accepted.
        NeedsCredentials = "needs_credentials",
        /// Something has to be set up first.
        NeedsSetup = "needs_setup",
        /// The key store cannot be used.
        Keychain = "keychain",
        /// Over the owner's limit.
        OverLimit = "over_limit",
        /// A value that the text needs is not there.
        MissingValue = "missing_value",
        /// Nobody to send to.
        NoRecipient = "no_recipient",
        /// Never set up.
        NotConfigured = "not_configured",
        /// Switched off.
        Disabled = "disabled",
        /// Did not fit the filter.
        Filtered = "filtered",
        /// The moment had passed.
        TooLate = "too_late",
        /// A newer one tells the truth.
        Superseded = "superseded",
        /// The owner closed it.
        ByOwner = "by_owner",
        /// Given up, and sent again as another delivery: that one tells how it went on.
        Replayed = "replayed",
        /// Given up, and its text was removed for its age: it cannot be sent any more.
        TextPurged = "text_purged",
    }
}

words! {
    /// By which way something goes out.
    Channel {
        /// A signed call.
        Webhook = "webhook",
        /// SendGrid.
        Email = "email",
        /// Twilio.
        Sms = "sms",
        /// Google Calendar.
        Calendar = "calendar",
        /// S3 or compatible.
        Storage = "storage",
    }
}

words! {
    /// What made an attempt happen.
    Trigger {
        /// The schedule.
        Auto = "auto",
        /// The owner, for this one.
        Manual = "manual",
        /// The owner, for many.
        Replay = "replay",
        /// A test.
        Test = "test",
    }
}

/// A delivery in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeliveryRow {
    /// Its id.
    pub id: DeliveryId,
    /// By which way.
    pub channel: Channel,
    /// The event it is because of.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: String,
    /// What the event is about.
    pub subject: Option<String>,
    /// The webhook, for this channel.
    pub webhook_id: Option<WebhookId>,
    /// The automation that made it.
    pub automation_id: Option<AutomationId>,
    /// What it is called.
    pub automation: Option<String>,
    /// The version of its texts.
    pub automation_version: Option<u32>,
    /// Whom or where it goes to: a receiver's host.
    pub recipient: String,
    /// Who gets it, by name: "Cash desk".
    pub who: String,
    /// What it is about, in words: "New booking 1047".
    pub what: String,
    /// Where it stands.
    pub status: Status,
    /// Why.
    pub status_reason: Option<Reason>,
    /// Word, shape and role.
    pub state: State,
    /// The HTTP status of the last attempt.
    pub status_code: Option<u16>,
    /// Why the last attempt did not work.
    pub code: Option<Code>,
    /// The same as a sentence.
    pub error: Option<String>,
    /// Attempts so far.
    pub attempt_count: u32,
    /// True: a test, not counted in any total.
    pub test: bool,
    /// The delivery that this one repeats: the first of all that say the same.
    pub replay_of: Option<DeliveryId>,
    /// When it was queued.
    pub created_at: Time,
    /// When its next attempt is due.
    pub due_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// When it reached the person; accepted is not delivered.
    pub delivered_at: Option<Time>,
    /// How long the last attempt took.
    pub duration_ms: Option<u64>,
}

/// What the owner can do with a delivery now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Action {
    /// One more attempt now.
    Retry,
    /// Close it: "I told them myself".
    Cancel,
    /// Let a held one go.
    Release,
}

/// A delivery with all that is known of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeliveryDetail {
    /// As in a list.
    #[serde(flatten)]
    pub row: DeliveryRow,
    /// What is true of it, first.
    pub sentence: String,
    /// Why, and what follows; null when the sentence says it all.
    pub explanation: Option<String>,
    /// What can be done.
    pub actions: Vec<Action>,
    /// The body of every attempt, exactly; empty once it was removed for its age.
    pub body: String,
    /// When body, requests and answers were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<Time>,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
}

/// One try. Written when it starts, completed once, never changed afterwards.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1, 2, 3 …
    pub number: u32,
    /// What made it happen.
    pub trigger: Trigger,
    /// When it started.
    pub started_at: Time,
    /// How long it took; null while under way.
    pub duration_ms: Option<u64>,
    /// The HTTP status that came back.
    pub status_code: Option<u16>,
    /// Why it did not work.
    pub code: Option<Code>,
    /// The same as a sentence.
    pub error: Option<String>,
    /// How it went, in a few words.
    pub summary: String,
    /// Word, shape and role.
    pub state: State,
    /// Where it went.
    pub request_url: String,
    /// What was sent, signatures masked.
    pub request_headers: BTreeMap<String, String>,
    /// The body, as far as it is text.
    pub request_body: String,
    /// What came back.
    pub response_headers: Option<BTreeMap<String, String>>,
    /// At most 64 KiB of what came back, as text.
    pub response_body: Option<String>,
    /// True: more came than was kept.
    pub response_truncated: bool,
}

/// A page of the log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeliveryPage {
    /// The rows.
    pub deliveries: Vec<DeliveryRow>,
    /// Pass it on to read on; null at the end.
    pub next_cursor: Option<String>,
    /// Pass it on to read the page before; null at the beginning.
    pub previous_cursor: Option<String>,
    /// How many fit the filter.
    pub total: u64,
    /// False: there are more than `total`, which stops counting at 10,000.
    pub total_is_exact: bool,
}

/// A page of events.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<crate::events::Event>,
    /// Pass it on to read on; null at the end.
    pub next_cursor: Option<String>,
}
