//! The outbox: what is due, claimed, sent, finished.
//!
//! The rows of `deliveries` are the queue. `intake` writes an event and its deliveries in one
//! transaction, and gives those that may go at once their first attempt there; `worker` claims
//! the rest when they are due. `target` finds where a delivery goes, `lanes` decides who may start,
//! `retry` when the next try is, `network` whether a failure means *offline*.

pub(crate) mod finish;
mod intake;
pub(crate) use intake::{Carries, Dispatch, Sending, record_send, record_test};
pub(crate) mod lanes;
#[cfg(test)]
mod model;
pub(crate) mod network;
pub mod retry;
pub(crate) mod target;
pub(crate) mod worker;

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Time;
use crate::ids::{DeliveryId, EventId, WorkspaceId};
use crate::{integrations, webhooks};

/// How long an attempt may hold a row: longer than the slowest lane takes for all that it may have
/// claimed, each with the longest deadline. Only an attempt that a defect of ours ended is found so;
/// those of an earlier process are taken up at the start.
pub(crate) const LEASE_MS: i64 = 30 * 60_000;

/// A claimed delivery on its way out. The number of its attempt is the fencing token.
pub(crate) struct Outgoing {
    pub(crate) delivery: i64,
    pub(crate) number: u32,
    pub(crate) id: DeliveryId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) endpoint: Arc<str>,
    pub(crate) target: Target,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) test: bool,
    pub(crate) body: Bytes,
    /// True: the stored bytes are not what was accepted.
    pub(crate) damaged: bool,
}

impl Outgoing {
    /// False for what streamed through: nothing is left that could be sent once more.
    pub(crate) fn can_be_repeated(&self) -> bool {
        match &self.target {
            Target::Integration(settings) if settings.kind() == integrations::Kind::Storage => {
                integrations::storage::has_bytes(&self.body)
            }
            Target::Webhook(_) | Target::Integration(_) => true,
        }
    }
}

/// Where a delivery goes, and how.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// To a webhook, with its settings.
    Webhook(Arc<webhooks::Settings>),
    /// Through a service, with its settings.
    Integration(Arc<integrations::Settings>),
}

impl Target {
    /// Calls a second at most.
    pub(crate) fn rate_limit(&self) -> Option<u32> {
        match self {
            Self::Webhook(settings) => settings.rate_limit,
            Self::Integration(_) => None,
        }
    }

    /// True when what is about one subject never overtakes, however long it takes.
    pub(crate) fn keeps_order(&self) -> bool {
        matches!(self, Self::Integration(settings) if settings.kind() == integrations::Kind::Calendar)
    }

    /// The address that is called: whether the network leads there is judged by it.
    pub(crate) fn url(&self) -> Option<url::Url> {
        match self {
            Self::Webhook(settings) => settings.url.parse().ok(),
            Self::Integration(settings) => settings.base_url().parse().ok(),
        }
    }
}

/// The moment at which an attempt that starts now is nobody's any more.
pub(crate) const fn lease_until(now: Time) -> Time {
    now.plus_ms(LEASE_MS)
}
