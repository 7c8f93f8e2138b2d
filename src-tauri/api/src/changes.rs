//! The changes feed: what changed, merged so that a busy minute does not flood a screen.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use signalbox_core::Hub;
use signalbox_core::changes::{Change, Topic};
use signalbox_core::ids::WorkspaceId;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::request::Caller;

/// At most ten times a second.
const GAP: Duration = Duration::from_millis(100);
const ALL: [Topic; 8] = [
    Topic::Events,
    Topic::Deliveries,
    Topic::Webhooks,
    Topic::Automations,
    Topic::Integrations,
    Topic::Tokens,
    Topic::Workspaces,
    Topic::Network,
];

/// What a screen has to look at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// Where; null is everywhere.
    pub workspace_id: Option<WorkspaceId>,
    /// What.
    pub topics: BTreeSet<Topic>,
}

/// Changes as they come, the first at once and what follows gathered for a tenth of a second. Of one
/// workspace, in whose name changes everywhere are told too; or of all (`None`).
pub fn merged(
    changes: broadcast::Receiver<Change>,
    only: Option<WorkspaceId>,
) -> impl Stream<Item = Changed> + Send {
    let gathered = stream::unfold(
        (changes, Instant::now()),
        move |(mut changes, not_before)| async move {
            let mut seen = Seen {
                only,
                by_workspace: BTreeMap::new(),
            };
            while seen.by_workspace.is_empty() {
                seen.take(changes.recv().await)?;
            }
            while let Ok(more) = tokio::time::timeout_at(not_before, changes.recv()).await {
                if seen.take(more).is_none() {
                    break;
                }
            }
            Some((stream::iter(seen.told()), (changes, Instant::now() + GAP)))
        },
    );
    gathered.flatten()
}

struct Seen {
    only: Option<WorkspaceId>,
    by_workspace: BTreeMap<Option<WorkspaceId>, BTreeSet<Topic>>,
}

impl Seen {
    /// Takes a change in; `None` when no more will come.
    fn take(&mut self, change: Result<Change, broadcast::error::RecvError>) -> Option<()> {
        match change {
            Ok(Change { workspace, topic }) => {
                if self.only.is_none() || workspace.is_none() || workspace == self.only {
                    self.by_workspace
                        .entry(self.only.or(workspace))
                        .or_default()
                        .insert(topic);
                }
            }
            // Some were missed: all may have changed.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                self.by_workspace.entry(self.only).or_default().extend(ALL)
            }
            Err(broadcast::error::RecvError::Closed) => return None,
        }
        Some(())
    }

    fn told(self) -> Vec<Changed> {
        self.by_workspace
            .into_iter()
            .map(|(workspace_id, topics)| Changed {
                workspace_id,
                topics,
            })
            .collect()
    }
}

/// Turns true when the socket closes, so that no feed holds it open.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// Server-sent events (`event: change`, data as described): what changed, so that a screen can look again.
#[utoipa::path(
    get, path = "/api/changes", operation_id = "watchChanges", tag = "changes",
    responses((status = 200, description = "Events `change`", content_type = "text/event-stream", body = Changed)),
)]
pub(crate) async fn feed(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    closing: Option<axum::Extension<Closing>>,
) -> Response {
    let events = merged(hub.changes(), Some(caller.workspace)).filter_map(move |mut changed| {
        // Which workspaces there are is the owner's business.
        if !caller.is_owner {
            changed.topics.remove(&Topic::Workspaces);
        }
        let event = (!changed.topics.is_empty()).then(|| {
            let data = serde_json::to_string(&changed).unwrap_or_default();
            Ok::<_, Infallible>(Event::default().event("change").data(data))
        });
        std::future::ready(event)
    });
    let closed = async move {
        match closing {
            Some(axum::Extension(Closing(mut closing))) => {
                drop(closing.wait_for(|closing| *closing).await)
            }
            None => std::future::pending().await,
        }
    };
    // A first comment, so that the caller knows at once that it is listening.
    let greeting = stream::iter([Ok(Event::default().comment("listening"))]);
    let events = greeting.chain(events).take_until(Box::pin(closed));
    Sse::new(events)
        .keep_alive(
            KeepAlive::new()
                .interval(Duration::from_secs(15))
                .text("keep-alive"),
        )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_change_comes_at_once_and_what_follows_is_gathered() {
        let (sender, receiver) = broadcast::channel(16);
        let (own, other) = (WorkspaceId::new(), WorkspaceId::new());
        let mut feed = std::pin::pin!(merged(receiver, Some(own)));
        let tell = |workspace, topic| sender.send(Change { workspace, topic }).unwrap();
        tell(Some(other), Topic::Tokens);
        tell(Some(own), Topic::Events);
        let first = feed.next().await.unwrap();
        assert_eq!(
            first,
            Changed {
                workspace_id: Some(own),
                topics: BTreeSet::from([Topic::Events])
            }
        );
        tell(Some(own), Topic::Events);
        tell(None, Topic::Network);
        tell(Some(own), Topic::Events);
        let second = feed.next().await.unwrap();
        assert_eq!(
            second.topics,
            BTreeSet::from([Topic::Events, Topic::Network])
        );
    }

    #[tokio::test]
    async fn whoever_was_too_slow_is_told_that_all_may_have_changed() {
        let (sender, receiver) = broadcast::channel(2);
        let own = WorkspaceId::new();
        for _ in 0..5 {
            sender
                .send(Change {
                    workspace: Some(own),
                    topic: Topic::Events,
                })
                .unwrap();
        }
        let mut feed = std::pin::pin!(merged(receiver, None));
        assert_eq!(
            feed.next().await.unwrap(),
            Changed {
                workspace_id: None,
                topics: BTreeSet::from(ALL)
            }
        );
    }
}
