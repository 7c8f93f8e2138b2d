//! Reading the overview.

use super::{Arm, Connection, Counts, Health, Plate, Story, Strip, Today, WorkspaceName};
use crate::db;
use crate::deliveries::Reason;
use crate::deliveries::read::Reader;
use crate::error::{Error, Result};
use crate::explain;
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::outbox::network;
use crate::problems::Many;
use crate::webhooks::{PausedReason, store};

/// How many stories *Today* shows.
const STORIES: u32 = 8;

impl Hub {
    /// Who answers, and how the queue stands.
    ///
    /// # Errors
    /// `NotFound` when there is no such workspace.
    pub async fn health(&self, workspace: WorkspaceId) -> Result<Health> {
        self.db
            .read(move |conn| {
                let found = db::workspaces::get(conn, workspace)?
                    .ok_or_else(|| Error::not_found("workspace"))?;
                let standing = db::deliveries::standing(conn, workspace, None)?;
                Ok(Health {
                    status: "ok".into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                    workspace: WorkspaceName {
                        id: found.id,
                        name: found.name,
                    },
                    online: network::public_route(),
                    pending: standing.waiting,
                    held: standing.held,
                    failed: standing.failed,
                })
            })
            .await
    }

    /// What *Today* shows.
    ///
    /// # Errors
    /// `NotFound` when there is no such workspace.
    pub async fn today(&self, workspace: WorkspaceId) -> Result<Today> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let zone = store::zone(conn, workspace)?;
                let reader = Reader::new(conn, workspace, now)?;
                let rows = db::webhooks::all(conn, workspace)?;
                let offline_at = db::deliveries::held_endpoints(conn, Reason::Offline)?;
                let mut receivers = Vec::with_capacity(rows.len());
                let mut delivered = 0;
                let (mut stopped, mut paused) = (0_u64, 0_u64);
                for row in &rows {
                    let endpoint = row.id.to_string();
                    let standing = db::deliveries::standing(conn, workspace, Some(&endpoint))?;
                    let days = store::days(conn, &endpoint, now, &zone)?;
                    let today = days.last().map_or(0, |d| d.succeeded);
                    delivered += today;
                    match row.paused_reason {
                        Some(PausedReason::Gone | PausedReason::Failing) => stopped += 1,
                        Some(PausedReason::ByOwner) => paused += 1,
                        None => {}
                    }
                    receivers.push(Strip {
                        webhook_id: row.id,
                        name: row.settings.name.clone(),
                        host: crate::webhooks::host_of(&row.settings.url),
                        state: store::state(
                            row,
                            standing,
                            offline_at.iter().any(|(e, _)| *e == endpoint),
                        ),
                        today,
                        days,
                        last_success: row.last_success_at,
                    });
                }
                let mut last_success = rows.iter().filter_map(|row| row.last_success_at).max();
                let connected = db::integrations::kinds(conn, workspace)?;
                for kind in &connected {
                    let days = store::days(conn, &kind.endpoint(workspace), now, &zone)?;
                    delivered += days.last().map_or(0, |d| d.succeeded);
                    let row = db::integrations::get(conn, workspace, *kind)?;
                    last_success = last_success.max(row.as_ref().and_then(|r| r.last_success_at));
                    paused += u64::from(row.is_some_and(|row| !row.is_active));
                }
                let standing = db::deliveries::standing(conn, workspace, None)?;
                let mut offline = None::<Many>;
                for (endpoint, _) in offline_at.iter().filter(|(_, whose)| *whose == workspace) {
                    for (_, many) in db::problems::held(conn, endpoint)?
                        .into_iter()
                        .filter(|(reason, _)| *reason == Reason::Offline)
                    {
                        let known = offline.get_or_insert(Many {
                            n: 0,
                            since: many.since,
                        });
                        known.n += many.n;
                        known.since = known.since.min(many.since);
                    }
                }
                let offline = offline.map(|many| (many.n, reader.moment(many.since)));
                let counts = Counts {
                    delivered,
                    waiting: standing.waiting,
                    held: standing.held,
                    failed: standing.failed,
                };
                // How things stood when somebody outside last answered; now nobody can.
                let as_of = last_success
                    .filter(|_| offline.is_some() || !network::public_route())
                    .map(|at| as_of(&reader.moment(at), counts.waiting + counts.held));
                let (arm, sentence) = sentence(
                    &counts,
                    offline.as_ref().map(|(n, since)| (*n, since.as_str())),
                    stopped,
                    paused,
                    rows.is_empty() && connected.is_empty(),
                );
                let mut just_now = Vec::new();
                for event in db::events::latest(conn, workspace, STORIES)? {
                    let plates = db::deliveries::of_event(conn, &event)?
                        .iter()
                        .map(|record| {
                            let row = reader.row(record);
                            Plate {
                                channel: row.channel,
                                delivery_id: row.id,
                                who: row.who,
                                state: row.state,
                            }
                        })
                        .collect();
                    just_now.push(Story {
                        event_id: event.id,
                        at: event.received_at,
                        title: reader.title(&event.event_type, event.subject.as_deref()),
                        what: crate::events::in_a_few_words(&String::from_utf8_lossy(&event.data)),
                        plates,
                    });
                }
                Ok(Today {
                    sentence,
                    as_of,
                    arm,
                    counts,
                    receivers,
                    just_now,
                })
            })
            .await
    }

    /// What *Connect your software* shows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn connection(&self, workspace: WorkspaceId) -> Result<Connection> {
        let now = self.now();
        let first_event = self
            .db
            .read(move |conn| {
                let reader = Reader::new(conn, workspace, now)?;
                db::events::newest_from_outside(conn, workspace)?
                    .map(|row| reader.event(row))
                    .transpose()
            })
            .await?;
        let (address, problem) = match self.served_at() {
            Some(Ok(address)) => (Some(address), None),
            Some(Err(problem)) => (None, Some(problem)),
            None => (
                None,
                Some("Programs cannot reach Signalbox now: its address is not open.".into()),
            ),
        };
        Ok(Connection {
            address,
            problem,
            first_event,
        })
    }
}

/// What is known without internet. Pure.
fn as_of(at: &str, waiting: u64) -> String {
    match waiting {
        0 => format!("As of {at}, none waiting."),
        n => format!("As of {at}, {n} waiting."),
    }
}

/// The sentence that *Today* opens with, and what the arm shows. Pure.
fn sentence(
    counts: &Counts,
    offline: Option<(u64, &str)>,
    stopped: u64,
    paused: u64,
    nobody: bool,
) -> (Arm, String) {
    use explain::count;
    let delivered = count(counts.delivered, "message", "messages");
    if stopped > 0 {
        return (
            Arm::NeedsYou,
            format!(
                "{} no longer called. {} kept; nothing is lost.",
                count(stopped, "receiver is", "receivers are"),
                count(counts.held, "message is", "messages are")
            ),
        );
    }
    if counts.failed > 0 {
        return (
            Arm::NeedsYou,
            format!(
                "{} did not get through. Have a look.",
                count(counts.failed, "message", "messages")
            ),
        );
    }
    if let Some((n, since)) = offline {
        let waits = match n {
            1 => "1 message waits for it and goes out by itself.".to_owned(),
            n => format!("{n} messages are waiting for it and go out by themselves."),
        };
        return (Arm::Offline, format!("No internet since {since}. {waits}"));
    }
    if counts.held > 0 {
        let arm = if paused > 0 {
            Arm::Paused
        } else {
            Arm::NeedsYou
        };
        return (
            arm,
            format!(
                "{} held. Nothing is lost.",
                count(counts.held, "message is", "messages are")
            ),
        );
    }
    if paused > 0 {
        return (
            Arm::Paused,
            format!(
                "{} paused. {delivered} since midnight.",
                count(paused, "connection is", "connections are")
            ),
        );
    }
    if nobody {
        return (
            Arm::Clear,
            "Ready. Nobody is told of anything yet; add a webhook.".into(),
        );
    }
    let waiting = if counts.waiting == 0 {
        "none waiting".to_owned()
    } else {
        format!("{} waiting", counts.waiting)
    };
    (
        Arm::Clear,
        format!("All good. {delivered} since midnight, {waiting}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_the_most_urgent_first_and_held_is_never_a_failure() {
        let counts = |delivered, waiting, held, failed| Counts {
            delivered,
            waiting,
            held,
            failed,
        };
        assert_eq!(
            sentence(&counts(23, 0, 0, 0), None, 0, 0, false).1,
            "All good. 23 messages since midnight, none waiting."
        );
        assert_eq!(
            sentence(&counts(1, 0, 4, 0), Some((4, "09:03")), 0, 0, false),
            (
                Arm::Offline,
                "No internet since 09:03. 4 messages are waiting for it and go out by themselves."
                    .into()
            )
        );
        assert_eq!(
            sentence(&counts(1, 0, 4, 2), Some((4, "09:03")), 0, 0, false).0,
            Arm::NeedsYou
        );
        assert_eq!(
            sentence(&counts(1, 0, 0, 0), None, 0, 1, false).0,
            Arm::Paused
        );
    }
}
