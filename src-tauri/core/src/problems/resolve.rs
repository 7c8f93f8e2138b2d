//! Reading problems, and doing something about one.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{
    AutomationFacts, Cause, Facts, IntegrationFacts, Many, OpenProblem, ProblemAction, Problems,
    Resolved, Solution, SolvedProblem, Whose, id, of, sentence,
};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::problems::Class;
use crate::db::problems::{GivenUp, Waiting};
use crate::db::webhooks::WebhookRow;
use crate::db::{self, Tx};
use crate::deliveries::act::may_go;
use crate::deliveries::read::Reader;
use crate::deliveries::{Channel, Reason, Status, Trigger};
use crate::error::{Error, Result};
use crate::explain::count;
use crate::hub::Hub;
use crate::ids::{AutomationId, WorkspaceId};
use crate::integrations::{Kind, mended};
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
        given_up: db::problems::given_up(conn, &given_up(row, dismissed, Class::Usual))?,
        blocked: db::problems::given_up(conn, &given_up(row, dismissed, Class::Blocked))?,
    })
}

/// What was given up at a webhook and not dismissed since.
fn given_up(row: &WebhookRow, dismissed: &HashMap<String, Time>, class: Class) -> GivenUp {
    let cause = if class == Class::Blocked {
        Cause::BlockedAddress
    } else {
        Cause::Failed
    };
    GivenUp {
        endpoint: row.id.to_string(),
        class,
        after: dismissed
            .get(&id(cause, Whose::Webhook(row.id)))
            .copied()
            .unwrap_or(Time::from_ms(i64::MIN)),
        until: Time::from_ms(i64::MAX),
    }
}

/// How an integration stands; one that was never set up and has nothing in the log has no problems.
fn integration_facts(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    dismissed: &HashMap<String, Time>,
) -> Result<IntegrationFacts> {
    let endpoint = kind.endpoint(workspace);
    let row = db::integrations::get(conn, workspace, kind)?;
    let (mut held, mut held_keychain) = (Vec::new(), None);
    for (reason, many) in db::problems::held(conn, &endpoint)? {
        if let Some(cause) = cause(reason) {
            held.push((cause, many));
        } else if reason == Reason::Keychain {
            held_keychain =
                db::problems::held_because(conn, &endpoint, reason)?.map(|failure| (many, failure));
        }
    }
    // What holds single ones is said by them, and not by how the rest fares.
    let held_one = match (&row, held.first()) {
        (Some(row), Some((_, many))) if row.needs.is_none() => {
            db::problems::held_because(conn, &endpoint, Reason::NeedsSetup)?
                .map(|failure| (failure, many.since))
        }
        _ => None,
    };
    let since = |cause| {
        dismissed
            .get(&id(cause, Whose::Integration(kind)))
            .copied()
            .unwrap_or(Time::from_ms(i64::MIN))
    };
    let given_up = |class, cause| {
        let which = GivenUp {
            endpoint: endpoint.clone(),
            class,
            after: since(cause),
            until: Time::from_ms(i64::MAX),
        };
        db::problems::given_up(conn, &which)
    };
    Ok(IntegrationFacts {
        kind,
        is_configured: row.is_some(),
        needs: row
            .as_ref()
            .filter(|row| row.is_active)
            .and_then(|row| row.needs)
            .and_then(cause),
        last_failure: held_one
            .or_else(|| row.and_then(|row| row.last_failure.zip(row.failing_since))),
        held,
        held_keychain,
        given_up: given_up(Class::Repeatable, Cause::Failed)?,
        hopeless: given_up(Class::Hopeless, Cause::Hopeless)?,
        unknown: db::problems::unknown(conn, workspace, &endpoint, since(Cause::Unknown))?,
    })
}

/// How the automations of a workspace stand that hold something.
fn automation_facts(
    conn: &Connection,
    workspace: WorkspaceId,
    dismissed: &HashMap<String, Time>,
) -> Result<Vec<AutomationFacts>> {
    let mut all: Vec<AutomationFacts> = Vec::new();
    for row in db::planned::held(conn, workspace)? {
        let cause = match row.reason {
            Reason::OverLimit => Cause::OverLimit,
            _ => Cause::MissingValue,
        };
        let whose = Whose::Automation(row.automation, row.kind);
        // It stays away until another one is held.
        if dismissed
            .get(&id(cause, whose))
            .is_some_and(|at| row.newest <= *at)
        {
            continue;
        }
        let place = all.iter().position(|one| one.id == row.automation);
        let at = place.unwrap_or(all.len());
        if place.is_none() {
            all.push(AutomationFacts {
                id: row.automation,
                name: row.name.clone(),
                kind: row.kind,
                limit: row.limit,
                over_limit: None,
                missing: None,
            });
        }
        let Some(facts) = all.get_mut(at) else {
            continue;
        };
        let many = Many {
            n: row.n,
            since: row.since,
        };
        if cause == Cause::OverLimit {
            facts.over_limit = Some(many);
        } else {
            facts.missing = Some((many, row.missing));
        }
    }
    Ok(all)
}

/// Why an automation's deliveries are held that a card is about.
fn reason(cause: Cause) -> Reason {
    if cause == Cause::OverLimit {
        Reason::OverLimit
    } else {
        Reason::MissingValue
    }
}

/// Which of a webhook's a card for them is about.
fn of_webhook(cause: Cause) -> Class {
    if cause == Cause::BlockedAddress {
        Class::Blocked
    } else {
        Class::Usual
    }
}

/// The card for a class of an integration's.
fn of_integration(class: Class) -> Cause {
    if class == Class::Hopeless {
        Cause::Hopeless
    } else {
        Cause::Failed
    }
}

/// The cause behind a reason for which an integration's deliveries are held.
fn cause(reason: Reason) -> Option<Cause> {
    match reason {
        Reason::NeedsCredentials => Some(Cause::NeedsCredentials),
        Reason::NeedsSignIn => Some(Cause::NeedsSignIn),
        Reason::NeedsSetup => Some(Cause::NeedsSetup),
        _ => None,
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
    let integrations = Kind::ALL
        .into_iter()
        .map(|kind| integration_facts(conn, workspace, kind, &dismissed))
        .collect::<Result<Vec<_>>>()?;
    let automations = automation_facts(conn, workspace, &dismissed)?;
    let zone = zone(conn, workspace)?;
    Ok(of(
        &facts,
        &integrations,
        &automations,
        &dismissed,
        now,
        &zone,
    ))
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
                    if let Some(id) = problem.automation_id {
                        let why = reason(problem.cause);
                        problem.first = db::planned::first_held(conn, id, why, FIRST)?
                            .iter()
                            .map(|record| reader.row(record))
                            .collect();
                        continue;
                    }
                    let endpoints = match problem.whose() {
                        Whose::Webhooks => db::webhooks::all(conn, workspace)?
                            .iter()
                            .map(|w| w.id.to_string())
                            .chain(Kind::ALL.map(|kind| kind.endpoint(workspace)))
                            .collect(),
                        whose => vec![endpoint(workspace, whose)],
                    };
                    let status = match problem.cause {
                        Cause::Unknown => Status::Unknown,
                        _ if problem.waiting > 0 => Status::Held,
                        _ => Status::Failed,
                    };
                    problem.first = db::problems::first(conn, &endpoints, status, FIRST)?
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
        let whose = problem.whose();
        match (action, problem.webhook_id) {
            (ProblemAction::ReplaceKey | ProblemAction::Reconnect, _) => {
                Err(Error::conflict(match whose.kind() {
                    None => "Make a new secret at the webhook: the answer to that shows it, once."
                        .into(),
                    Some(crate::integrations::Kind::Calendar) => "Sign in again in the browser: at the integration, or by signalctl connect calendar. What waits goes out then.".into(),
                    Some(kind) => format!(
                        "Set {} up anew: the new key is tested, and then takes the place of the former.",
                        kind.provider_name()
                    ),
                }))
            }
            (ProblemAction::ChooseCalendar, _) => Err(Error::conflict(
                "Choose one of the calendars at the integration. What waits goes out then.",
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
            (ProblemAction::Release, _) if let Some(id) = whose.automation() => {
                let n = self.move_held(workspace, id, problem.cause, true).await?;
                done(again(n), n)
            }
            (ProblemAction::ToldThem, _) if let Some(id) = whose.automation() => {
                let n = self.move_held(workspace, id, problem.cause, false).await?;
                done(format!("{n} closed. They are not sent."), n)
            }
            (ProblemAction::Release, _) => {
                let released = match whose.kind() {
                    Some(kind) if problem.cause != Cause::Keychain => {
                        self.release_integration(workspace, kind, now).await?
                    }
                    _ => self.release_from_key_store(workspace, whose, now).await?,
                };
                done(again(released), released)
            }
            (ProblemAction::RetryAll | ProblemAction::ToldThem, None)
                if let Some(kind) = whose.kind() =>
            {
                let trigger = (action == ProblemAction::RetryAll).then_some(Trigger::Manual);
                let moved = match problem.cause {
                    Cause::Failed => {
                        self.move_given_up(workspace, whose, &[Class::Repeatable], trigger)
                            .await?
                    }
                    Cause::Hopeless => {
                        self.move_given_up(workspace, whose, &[Class::Hopeless], trigger)
                            .await?
                    }
                    cause => self.move_waiting(workspace, kind, cause, trigger).await?,
                };
                match trigger {
                    Some(_) => done(again(moved), moved),
                    None => done(format!("{moved} closed."), moved),
                }
            }
            (ProblemAction::RetryAll, Some(webhook)) => {
                let class = of_webhook(problem.cause);
                let sent = self
                    .move_given_up(
                        workspace,
                        Whose::Webhook(webhook),
                        &[class],
                        Some(Trigger::Manual),
                    )
                    .await?;
                done(again(sent), sent)
            }
            (ProblemAction::ToldThem, Some(webhook)) => {
                let class = of_webhook(problem.cause);
                let closed = self
                    .move_given_up(workspace, Whose::Webhook(webhook), &[class], None)
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
                        .move_given_up(
                            workspace,
                            Whose::Webhook(webhook),
                            &[Class::Usual, Class::Blocked],
                            Some(Trigger::Manual),
                        )
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

    /// Moves what an automation holds, batch by batch: out, or closed.
    async fn move_held(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        cause: Cause,
        out: bool,
    ) -> Result<u64> {
        let (reason, mut moved) = (reason(cause), 0_u64);
        loop {
            let (now, lanes) = (self.now(), self.lanes.clone());
            let n = self
                .db
                .write(move |tx| {
                    let places = if out {
                        db::planned::let_go(tx.conn(), id, reason, now, BATCH)?
                    } else {
                        db::planned::close_held(tx.conn(), id, reason, now, BATCH)?
                    };
                    for (endpoint, subject) in &places {
                        if let (Some(subject), false) = (subject, out) {
                            db::deliveries::release_next(tx.conn(), endpoint, subject, now)?;
                        }
                    }
                    if let Some((endpoint, _)) = places.first() {
                        let endpoint = endpoint.clone();
                        tx.after_commit(move || lanes.look(&endpoint));
                    }
                    tx.announce(Some(workspace), Topic::Deliveries);
                    Ok(places.len())
                })
                .await?;
            moved += n as u64;
            if n < BATCH {
                break;
            }
        }
        if moved > 0 {
            let how = if out {
                Solution::LetGo
            } else {
                Solution::NotSent
            };
            let now = self.now();
            self.db
                .write(move |tx| {
                    let name = db::automations::name(tx.conn(), id)?.unwrap_or_default();
                    db::problems::note(tx.conn(), workspace, how, &name, moved, now)
                })
                .await?;
        }
        Ok(moved)
    }

    /// The provider is content again, the owner says: what waited for that goes out.
    async fn release_integration(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        now: Time,
    ) -> Result<u64> {
        let lanes = self.lanes.clone();
        self.db
            .write(move |tx| {
                db::integrations::get(tx.conn(), workspace, kind)?.ok_or_else(|| {
                    Error::conflict(format!(
                        "{} is not set up. Set it up first.",
                        kind.provider_name()
                    ))
                })?;
                tx.announce(Some(workspace), Topic::Integrations);
                mended(tx, workspace, kind, now, &lanes)
            })
            .await
    }

    /// Moves what is held at an integration for a cause, or of unknown fate, batch by batch: out
    /// again, or closed (`None`).
    async fn move_waiting(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        cause: Cause,
        trigger: Option<Trigger>,
    ) -> Result<u64> {
        let (started, mut moved) = (self.now(), 0_u64);
        loop {
            let (now, lanes) = (self.now(), self.lanes.clone());
            let batch = self
                .db
                .write(move |tx| {
                    let endpoint = kind.endpoint(workspace);
                    let which = match cause {
                        Cause::NeedsCredentials => Waiting::Held(Reason::NeedsCredentials),
                        Cause::NeedsSignIn => Waiting::Held(Reason::NeedsSignIn),
                        Cause::NeedsSetup => Waiting::Held(Reason::NeedsSetup),
                        _ => Waiting::Unknown,
                    };
                    if trigger.is_some() {
                        may_go(tx.conn(), kind.channel(), &endpoint)?;
                    }
                    let batch = db::problems::waiting(
                        tx.conn(),
                        workspace,
                        &endpoint,
                        &which,
                        started,
                        BATCH,
                    )?;
                    move_all(tx, &batch, trigger, now)?;
                    if trigger.is_some() && !batch.is_empty() {
                        tx.after_commit(move || lanes.look(&endpoint));
                    }
                    tx.announce(Some(workspace), Topic::Deliveries);
                    Ok(batch.len() as u64)
                })
                .await?;
            if batch == 0 {
                break;
            }
            moved += batch;
        }
        self.note_moved(
            workspace,
            kind.provider_name().to_owned(),
            moved,
            trigger,
            started,
        )
        .await?;
        Ok(moved)
    }

    /// Notes that a problem was solved by moving its deliveries.
    async fn note_moved(
        &self,
        workspace: WorkspaceId,
        who: String,
        moved: u64,
        trigger: Option<Trigger>,
        at: Time,
    ) -> Result<()> {
        if moved == 0 {
            return Ok(());
        }
        let how = if trigger.is_some() {
            Solution::SentAgain
        } else {
            Solution::ToldThem
        };
        self.db
            .write(move |tx| db::problems::note(tx.conn(), workspace, how, &who, moved, at))
            .await
    }

    /// Moves what was given up at an endpoint, batch by batch: out again, or closed (`None`).
    async fn move_given_up(
        &self,
        workspace: WorkspaceId,
        whose: Whose,
        classes: &[Class],
        trigger: Option<Trigger>,
    ) -> Result<u64> {
        let (started, mut moved) = (self.now(), 0_u64);
        let mut who = String::new();
        for class in classes.iter().copied() {
            loop {
                let (now, lanes) = (self.now(), self.lanes.clone());
                let (batch, name) = self
                    .db
                    .write(move |tx| {
                        let dismissed = db::problems::dismissed(tx.conn(), workspace)?;
                        let (which, name) = match whose {
                            Whose::Webhook(webhook) => {
                                let row = db::webhooks::get(tx.conn(), workspace, webhook)?
                                    .ok_or_else(|| Error::not_found("webhook"))?;
                                (given_up(&row, &dismissed, class), row.settings.name)
                            }
                            whose => {
                                let which = GivenUp {
                                    endpoint: endpoint(workspace, whose),
                                    class,
                                    after: dismissed
                                        .get(&id(of_integration(class), whose))
                                        .copied()
                                        .unwrap_or(Time::from_ms(i64::MIN)),
                                    until: started,
                                };
                                let who = whose.kind().map(Kind::provider_name);
                                (which, who.unwrap_or_default().to_owned())
                            }
                        };
                        if trigger.is_some() {
                            let channel = whose.kind().map_or(Channel::Webhook, Kind::channel);
                            may_go(tx.conn(), channel, &which.endpoint)?;
                        }
                        let which = GivenUp {
                            // What fails again meanwhile is another time's.
                            until: started,
                            ..which
                        };
                        let batch = db::problems::batch(tx.conn(), &which, BATCH)?;
                        move_all(tx, &batch, trigger, now)?;
                        if trigger.is_some() && !batch.is_empty() {
                            tx.after_commit(move || lanes.look(&which.endpoint));
                        }
                        tx.announce(Some(workspace), Topic::Deliveries);
                        Ok((batch.len() as u64, name))
                    })
                    .await?;
                who = name;
                if batch == 0 {
                    break;
                }
                moved += batch;
            }
        }
        self.note_moved(workspace, who, moved, trigger, started)
            .await?;
        Ok(moved)
    }

    /// Lets go what waits for the key store, at one endpoint or at all, once that can be used.
    async fn release_from_key_store(
        &self,
        workspace: WorkspaceId,
        whose: Whose,
        now: Time,
    ) -> Result<u64> {
        let waiting = self
            .db
            .read(|conn| db::deliveries::held_endpoints(conn, Reason::Keychain))
            .await?;
        let wanted = (whose != Whose::Webhooks).then(|| endpoint(workspace, whose));
        let (mut released, mut trouble) = (0_u64, None);
        for (endpoint, of) in waiting {
            if of != workspace || wanted.as_ref().is_some_and(|w| *w != endpoint) {
                continue;
            }
            if let Err(error) = self.has_secrets(workspace, &endpoint).await {
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
            Some(error) if released == 0 => Err(error),
            _ => Ok(released),
        }
    }
}

/// The endpoint of whose problem it is; empty where it is everybody's.
fn endpoint(workspace: WorkspaceId, whose: Whose) -> String {
    match whose {
        Whose::Webhooks => String::new(),
        Whose::Webhook(id) => id.to_string(),
        Whose::Integration(kind) | Whose::Automation(_, kind) => kind.endpoint(workspace),
    }
}

/// Out again, or closed (`None`).
fn move_all(tx: &Tx<'_>, batch: &[i64], trigger: Option<Trigger>, now: Time) -> Result<()> {
    for seq in batch {
        match trigger {
            Some(trigger) => db::deliveries::due_now(tx.conn(), *seq, now, trigger)?,
            None => db::deliveries::cancel(tx.conn(), *seq, now)?,
        }
    }
    Ok(())
}
