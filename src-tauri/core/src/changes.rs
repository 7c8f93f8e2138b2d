//! The changes feed: what changed, so that a screen can look again. It carries no data.

use tokio::sync::broadcast;

use crate::ids::WorkspaceId;

/// What a screen may be showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Topic {
    /// Events came in.
    Events,
    /// Deliveries moved.
    Deliveries,
    /// Webhooks were made, altered, paused.
    Webhooks,
    /// Automations were made, altered, switched on or off.
    Automations,
    /// Integrations were set up, altered, tested, or stopped.
    Integrations,
    /// Tokens were made or revoked.
    Tokens,
    /// Workspaces were made or renamed.
    Workspaces,
    /// The network came or went.
    Network,
}

/// Something changed in a workspace, or everywhere (`None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// Where.
    pub workspace: Option<WorkspaceId>,
    /// What.
    pub topic: Topic,
}

/// The sending side. Slow listeners miss changes rather than hold anybody up; they then look again
/// at everything.
#[derive(Clone, Debug)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(256).0)
    }
}

impl Changes {
    /// Tells whoever listens.
    pub fn announce(&self, workspace: Option<WorkspaceId>, topic: Topic) {
        // An error only says that nobody listens.
        let _ = self.0.send(Change { workspace, topic });
    }

    /// Listens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
