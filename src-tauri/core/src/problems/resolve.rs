//! Reading problems, and doing something about one.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    Cause, Facts, OpenProblem, ProblemAction, Problems, Resolved, Solution, SolvedProblem, id, of,
    sentence,
};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::problems::GivenUp;
use crate::db::webhooks::WebhookRow;
use crate::db::{self};
use crate::deliveries::read::Reader;
use crate::deliveries::{Reason, Trigger};
use crate::error::{Error, Result};
use crate::explain::count;
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::webhooks::{WebhookPatch, store::zone};

/// So many deliveries are moved in one commit; others have their turn between.
const BATCH: usize = 500;
/// How many deliveries a problem shows.
const FIRST: usize = 3;

/// How a webhook stands.
pub(crate) fn facts(
    conn: &Connection,
    row: &WebhookRow,
    dismissed: &HashMap<String, Time>,
) -> Result<Facts> {
    let endpoint = row.id.to_string();
    let mut held_paused = 0;
    let mut held_keychain = None;
    for (reason, many) in db::problems::held(conn, &endpoint)? {
        match reason {
            Reason::Paused => held_paused = many.n,
            Reason::Keychain => {
                held_keychain = db::problems::held_because(conn, &endpoint, reason)?
                    .map(|failure| (many, failure));
            }
            _ => {}
        }
    }
    Ok(Facts {
        webhook: row.id,
        name: row.settings.name.clone(),
        host: crate::webhooks::host_of(&row.settings.url),
        paused: row.paused_reason.zip(row.paused_at),
        failing_since: row.failing_since,
        secret_created_at: row.settings.secret_created_at,
        held_paused,
        held_keychain,
        given_up: db::problems::given_up(conn, &given_up(row, dismissed, false))?,
        blocked: db::problems::given_up(conn, &given_up(row, dismissed, true))?,
    })
}

/// What was given up at a webhook and not dismissed since.
fn given_up(row: &WebhookRow, dismissed: &HashMap<String, Time>, blocked: bool) -> GivenUp {
    let cause = if blocked {
        Cause::BlockedAddress
    } else {
        Cause::Failed
    };
    GivenUp {
        endpoint: row.id.to_string(),
        blocked,
        after: dismissed
            .get(&id(cause, Some(row.id)))
            .copied()
            .unwrap_or(Time::from_ms(i64::MIN)),
        until: Time::from_ms(i64::MAX),
    }
}

/// The problems of a workspace, without the deliveries they are about.
pub(crate) fn open(
    conn: &Connection,
    workspace: WorkspaceId,
    now: Time,
) -> Result<Vec<OpenProblem>> {
    let dismissed = db::problems::dismissed(conn, workspace)?;
    let facts = db::webhooks::all(conn, workspace)?
        .iter()
        .map(|row| facts(conn, row, &dismissed))
        .collect::<Result<Vec<_>>>()?;
    Ok(of(&facts, &dismissed, now, &zone(conn, workspace)?))
}

impl Hub {
    /// What needs the owner, and what was solved lately.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn problems(&self, workspace: WorkspaceId) -> Result<Problems> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let reader = Reader::new(conn, workspace, now)?;
                let mut problems = open(conn, workspace, now)?;
                for problem in &mut problems {
                    if problem.cause == Cause::SecretOld {
                        continue;
                    }
                    problem.first = db::problems::first(
                        conn,
                        workspace,
                        problem.webhook_id,
                        problem.waiting > 0,
                        FIRST,
                    )?
                    .iter()
                    .map(|record| reader.row(record))
                    .collect();
                }
                Ok(Problems {
                    sentence: sentence(&problems),
                    problems,
                    solved: db::problems::solved(conn, workspace, now)?
                        .into_iter()
                        .map(|(at, how, who, n)| SolvedProblem {
                            title: how.sentence(&who, n),
                            at,
                        })
                        .collect(),
                })
            })
            .await
    }

    /// Does something about a problem.
    ///
    /// # Errors
    /// `NotFound` when it is none any more; `Invalid` when the action is not one of its;
    /// `Conflict` where the action needs more than a word.
    pub async fn resolve_problem(
        &self,
        workspace: WorkspaceId,
        problem: &str,
        action: ProblemAction,
    ) -> Result<Resolved> {
        let now = self.now();
        let open = self.db.read(move |conn| open(conn, workspace, now)).await?;
        let problem = open.into_iter().find(|p| p.id == problem).ok_or_else(|| {
            Error::new(
                crate::Kind::NotFound,
                "This is no problem any more, or never was one here.",
            )
        })?;
        if !problem.actions.contains(&action) {
            return Err(Error::field(
                "action",
                "unknown",
                "This does not help with this problem; choose one of its actions.",
            ));
        }
        let done = |message: String, deliveries| {
            Ok(Resolved {
                success: true,
                message,
                deliveries,
            })
        };
        let again = |n| match n {
            0 => "There was nothing left to send.".to_owned(),
            n => format!("{} out again.", count(n, "call goes", "calls go")),
        };
        match (action, problem.webhook_id) {
            (ProblemAction::ReplaceKey | ProblemAction::Reconnect, _) => Err(Error::conflict(
                "Make a new secret at the webhook: the answer to that shows it, once.",
            )),
            (ProblemAction::Dismiss, _) => {
                self.db
                    .write(move |tx| {
                        db::problems::dismiss(tx.conn(), workspace, &problem.id, now)?;
                        tx.announce(Some(workspace), Topic::Webhooks);
                        Ok(())
                    })
                    .await?;
                done("Put aside until it happens anew.".into(), 0)
            }
            (ProblemAction::Release, webhook) => {
                let released = self.release_from_key_store(workspace, webhook, now).await?;
                done(again(released), released)
            }
            (ProblemAction::RetryAll, Some(webhook)) => {
                let blocked = problem.cause == Cause::BlockedAddress;
                let sent = self
                    .move_given_up(workspace, webhook, &[blocked], Some(Trigger::Manual))
                    .await?;
                done(again(sent), sent)
            }
            (ProblemAction::ToldThem, Some(webhook)) => {
                let blocked = problem.cause == Cause::BlockedAddress;
                let closed = self
                    .move_given_up(workspace, webhook, &[blocked], None)
                    .await?;
                done(
                    format!("{} closed.", count(closed, "call is", "calls are")),
                    closed,
                )
            }
            (ProblemAction::Resume, Some(webhook)) => {
                let held = problem.waiting;
                self.update_webhook(
                    workspace,
                    webhook,
                    WebhookPatch {
                        is_active: Some(true),
                        ..WebhookPatch::default()
                    },
                )
                .await?;
                let sent = held
                    + self
                        .move_given_up(workspace, webhook, &[false, true], Some(Trigger::Manual))
                        .await?;
                done(
                    match sent {
                        0 => "It is called again.".into(),
                        n => format!("It is called again. {}", again(n)),
                    },
                    sent,
                )
            }
            (ProblemAction::Remove, Some(webhook)) => {
                let name = self.webhook(workspace, webhook).await?.name;
                self.remove_webhook(workspace, webhook).await?;
                self.db
                    .write(move |tx| {
                        db::problems::note(tx.conn(), workspace, Solution::Removed, &name, 0, now)
                    })
                    .await?;
                done(
                    "The webhook is removed. What waited for it is cancelled; its log stays."
                        .into(),
                    problem.waiting,
                )
            }
            (
                ProblemAction::RetryAll
                | ProblemAction::ToldThem
                | ProblemAction::Resume
                | ProblemAction::Remove,
                None,
            ) => Err(Error::not_found("webhook")),
        }
    }

    /// Moves what was given up at a webhook, batch by batch: out again, or closed (`None`).
    async fn move_given_up(
        &self,
        workspace: WorkspaceId,
        webhook: crate::ids::WebhookId,
        blocked: &[bool],
        trigger: Option<Trigger>,
    ) -> Result<u64> {
        let (started, mut moved) = (self.now(), 0_u64);
        let mut who = String::new();
        for blocked in blocked.iter().copied() {
            loop {
                let (now, lanes) = (self.now(), self.lanes.clone());
                let (batch, name) = self
                    .db
                    .write(move |tx| {
                        let row = db::webhooks::get(tx.conn(), workspace, webhook)?
                            .ok_or_else(|| Error::not_found("webhook"))?;
                        if trigger.is_some() && row.paused_reason.is_some() {
                            return Err(Error::conflict(
                                "This webhook is paused. Resume it first.",
                            ));
                        }
                        let dismissed = db::problems::dismissed(tx.conn(), workspace)?;
                        let which = GivenUp {
                            // What fails again meanwhile is another time's.
                            until: started,
                            ..given_up(&row, &dismissed, blocked)
                        };
                        let batch = db::problems::batch(tx.conn(), &which, BATCH)?;
                        for seq in &batch {
                            match trigger {
                                Some(trigger) => {
                                    db::deliveries::due_now(tx.conn(), *seq, now, trigger)?;
                                }
                                None => db::deliveries::cancel(tx.conn(), *seq, now)?,
                            }
                        }
                        if trigger.is_some() && !batch.is_empty() {
                            tx.after_commit(move || lanes.look(&which.endpoint));
                        }
                        tx.announce(Some(workspace), Topic::Deliveries);
                        Ok((batch.len() as u64, row.settings.name))
                    })
                    .await?;
                who = name;
                if batch == 0 {
                    break;
                }
                moved += batch;
            }
        }
        if moved > 0 {
            let how = if trigger.is_some() {
                Solution::SentAgain
            } else {
                Solution::ToldThem
            };
            self.db
                .write(move |tx| {
                    db::problems::note(tx.conn(), workspace, how, &who, moved, started)
                })
                .await?;
        }
        Ok(moved)
    }

    /// Lets go what waits for the key store, at one webhook or at all, once that can be used.
    async fn release_from_key_store(
        &self,
        workspace: WorkspaceId,
        webhook: Option<crate::ids::WebhookId>,
        now: Time,
    ) -> Result<u64> {
        let waiting = self
            .db
            .read(|conn| db::deliveries::held_endpoints(conn, Reason::Keychain))
            .await?;
        let wanted = webhook.map(|id| id.to_string());
        let (mut released, mut trouble) = (0_u64, None);
        for (endpoint, of) in waiting {
            if of != workspace || wanted.as_ref().is_some_and(|w| *w != endpoint) {
                continue;
            }
            if let Err(error) = self.secrets.get(workspace, &endpoint).await {
                trouble = Some(error);
                continue;
            }
            let lanes = self.lanes.clone();
            released += self
                .db
                .write(move |tx| {
                    let n = db::problems::unlocked(tx.conn(), workspace, &endpoint, now)?;
                    tx.announce(Some(workspace), Topic::Deliveries);
                    tx.after_commit(move || lanes.look(&endpoint));
                    Ok(n)
                })
                .await?;
        }
        match trouble {
            Some(error) if released == 0 => Err(error.into()),
            _ => Ok(released),
        }
    }
}
