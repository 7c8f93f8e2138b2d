//! The overview: health, integrations, and the sentence that *Today* opens with.

mod read;

use serde::Serialize;

use crate::clock::Time;
use crate::deliveries::Channel;
use crate::events::Event;
use crate::explain::State;
use crate::ids::{DeliveryId, EventId, WebhookId, WorkspaceId};
use crate::webhooks::Day;

/// `GET /api/health`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Health {
    /// Always `ok`: who answers, lives.
    pub status: String,
    /// The version of Signalbox.
    pub version: String,
    /// The workspace asked about.
    pub workspace: WorkspaceName,
    /// False: this computer has no way to the internet.
    pub online: bool,
    /// Deliveries due now or later, or under way.
    pub pending: u64,
    /// Deliveries that wait for a cause to go away.
    pub held: u64,
    /// Deliveries that were given up.
    pub failed: u64,
}

/// A workspace by id and name.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkspaceName {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
}

/// What the arm shows: it speaks for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Arm {
    /// All good.
    Clear,
    /// Something needs the owner.
    NeedsYou,
    /// Something is paused by the owner.
    Paused,
    /// No way to the internet, and something waits for it.
    Offline,
}

/// What *Today* shows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Today {
    /// The sentence it opens with.
    pub sentence: String,
    /// Without internet: "As of Sun 22 Nov 21:14, 3 waiting." That is when somebody outside last
    /// answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// What the arm shows.
    pub arm: Arm,
    /// Figures since midnight in the workspace's zone; waiting, held and failed as of now.
    pub counts: Counts,
    /// One strip per webhook.
    pub receivers: Vec<Strip>,
    /// The newest events, with a plate per delivery.
    pub just_now: Vec<Story>,
}

/// Figures of a day.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Deliveries that got through since midnight.
    pub delivered: u64,
    /// Due now or later, or under way.
    pub waiting: u64,
    /// Held, for whatever cause.
    pub held: u64,
    /// Given up, and not yet dealt with.
    pub failed: u64,
}

/// A webhook on *Today*.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Strip {
    /// Its id.
    pub webhook_id: WebhookId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub host: String,
    /// Word, shape and role.
    pub state: State,
    /// The last seven days, oldest first.
    pub days: Vec<Day>,
    /// Got through since midnight.
    pub today: u64,
    /// When one last got through.
    pub last_success: Option<Time>,
}

/// An event on *Today* and what became of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Story {
    /// The event.
    pub event_id: EventId,
    /// When it was recorded.
    pub at: Time,
    /// "New booking 1042"
    pub title: String,
    /// "Maria Petersen, cut and colour"
    pub what: String,
    /// One per delivery.
    pub plates: Vec<Plate>,
}

/// How one delivery of a story stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Plate {
    /// By which way.
    pub channel: Channel,
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Who gets it.
    pub who: String,
    /// Word, shape and role.
    pub state: State,
}

/// What *Connect your software* shows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Connection {
    /// Where programs of this computer reach Signalbox.
    pub address: Option<String>,
    /// Why there is no address, as a sentence.
    pub problem: Option<String>,
    /// The newest event that came with a token.
    pub first_event: Option<Event>,
}
