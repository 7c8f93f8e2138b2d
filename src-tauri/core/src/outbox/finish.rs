//! After a call: completing the attempt and moving the delivery, in one transaction.

use super::lanes::Lanes;
use super::retry::{self, Policy};
use super::target::Stop;
use super::{Outgoing, Target};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::db::deliveries::Move;
use crate::db::tallies::Tally;
use crate::db::{self, Tx};
use crate::deliveries::Reason;
use crate::error::Result;
use crate::integrations::consequence::{self, Consequence};
use crate::integrations::{self, Kind};
use crate::outcome::{Code, Failure, Trouble};
use crate::webhooks::{PausedReason, Schedule, Settings};

/// A webhook that only failed for so long, and so often, is paused (contract §3).
const FAILING_FOR_MS: i64 = 5 * 24 * 60 * 60 * 1000;
const FAILING_TRIES: u32 = 10;

/// How a delivery of an integration is tried again: the schedule `standard`.
const THROUGH_A_PROVIDER: Policy = Policy {
    attempts: 9,
    delay_ms: 1000,
    schedule: Schedule::Standard,
};

/// Where a failure at a provider moves a delivery, and whether it counts as a try. Pure.
pub(crate) fn decide_for_integration(
    ended: &Ended,
    kind: Kind,
    tries: u32,
    test: bool,
    now: Time,
    hint: Option<Time>,
    jitter: f64,
) -> (Move, bool) {
    let Some(failure) = &ended.failure else {
        return match ended.check_at {
            Some(at) if !test => (Move::Await(at), true),
            _ => (Move::Success, true),
        };
    };
    match consequence::of(kind, failure) {
        _ if test => (Move::Failed, true),
        Consequence::Retry => {
            match retry::next_attempt(THROUGH_A_PROVIDER, tries + 1, now, hint, jitter) {
                Some(at) => (Move::Again(at), true),
                None => (Move::Failed, true),
            }
        }
        Consequence::Hold(reason) => (Move::Held(reason), false),
        Consequence::Fail => (Move::Failed, true),
        Consequence::Unknown => (Move::Unknown, true),
    }
}

/// Where a failure at a webhook moves a delivery, and whether it counts as a try. Pure.
pub(crate) fn decide(
    failure: Option<&Failure>,
    settings: &Settings,
    tries: u32,
    test: bool,
    now: Time,
    hint: Option<Time>,
    jitter: f64,
) -> (Move, bool) {
    let Some(failure) = failure else {
        return (Move::Success, true);
    };
    match failure.code {
        Code::Offline if !test => (Move::Held(Reason::Offline), false),
        Code::KeychainUnavailable if !test => (Move::Held(Reason::Keychain), false),
        _ if failure.args.trouble == Some(Trouble::Interrupted) && !test => {
            (Move::Again(now), false)
        }
        Code::BlockedAddress => (Move::Failed, true),
        Code::Internal if failure.args.trouble == Some(Trouble::Damaged) => (Move::Failed, true),
        Code::Rejected if failure.args.status == Some(410) => (Move::Failed, true),
        _ if test => (Move::Failed, true),
        _ => {
            let policy = Policy {
                attempts: settings.retry_attempts,
                delay_ms: settings.retry_delay,
                schedule: settings.retry_schedule,
            };
            match retry::next_attempt(policy, tries + 1, now, hint, jitter) {
                Some(at) => (Move::Again(at), true),
                None => (Move::Failed, true),
            }
        }
    }
}

/// Completes an attempt and moves its delivery, unless the row is somebody else's by now.
pub(crate) fn finish(
    tx: &mut Tx<'_>,
    out: &Outgoing,
    ended: &Ended,
    retry_after: Option<&str>,
    now: Time,
    jitter: f64,
    lanes: &Lanes,
) -> Result<()> {
    if !db::attempts::finish(tx.conn(), out.delivery, out.number, now, ended)? {
        return Ok(());
    }
    let tries = match ended.failure {
        Some(_) => db::deliveries::tries(tx.conn(), out.delivery)?,
        None => 0,
    };
    let hint = retry_after.and_then(|text| retry::retry_after(text, now));
    let failure = ended.failure.as_ref();
    let (mut moved, counted) = match &out.target {
        Target::Webhook(settings) => decide(failure, settings, tries, out.test, now, hint, jitter),
        Target::Integration(settings) => {
            let kind = settings.kind();
            decide_for_integration(ended, kind, tries, out.test, now, hint, jitter)
        }
    };
    if let (Some(failure), false) = (failure, out.test) {
        match &out.target {
            Target::Webhook(_) => {
                webhook_failed(tx, out, ended, failure, now, counted, &mut moved)?;
            }
            Target::Integration(settings) => {
                integration_failed(tx, out, settings, ended, now, counted, &mut moved)?;
            }
        }
    }
    if !db::deliveries::finish(
        tx.conn(),
        out.delivery,
        out.number,
        now,
        &moved,
        counted,
        ended,
    )? {
        return Ok(());
    }
    match moved {
        Move::Success | Move::Failed | Move::Skipped(_) => {
            if !out.test && !matches!(moved, Move::Skipped(_)) {
                tx.tally(Tally::one(&out.endpoint, now, moved == Move::Success));
            }
            if let Some(subject) = &out.subject
                && db::deliveries::release_next(tx.conn(), &out.endpoint, subject, now)?
            {
                let (lanes, endpoint) = (lanes.clone(), out.endpoint.clone());
                tx.after_commit(move || lanes.look(&endpoint));
            }
        }
        Move::Again(at) => {
            let (lanes, endpoint) = (lanes.clone(), out.endpoint.clone());
            tx.after_commit(move || lanes.due(&endpoint, at));
        }
        Move::Await(at) => {
            let lanes = lanes.clone();
            tx.after_commit(move || lanes.check_at(at));
        }
        Move::Held(_) | Move::Unknown => {}
    }
    tx.announce(Some(out.workspace), Topic::Deliveries);
    Ok(())
}

/// Notes what a try in vain says of a webhook: it may be paused by it.
fn webhook_failed(
    tx: &mut Tx<'_>,
    out: &Outgoing,
    ended: &Ended,
    failure: &Failure,
    now: Time,
    counted: bool,
    moved: &mut Move,
) -> Result<()> {
    if counted {
        db::webhooks::tried_in_vain(tx.conn(), &out.endpoint, now, failure)?;
    }
    let webhook = db::webhooks::by_endpoint(tx.conn(), &out.endpoint)?;
    let paused = match &webhook {
        None => true,
        Some(w) if w.paused_reason.is_some() => true,
        Some(w) => {
            let reason = if ended.status == Some(410) {
                Some(PausedReason::Gone)
            } else if w.failing_tries >= FAILING_TRIES
                && w.failing_since
                    .is_some_and(|since| now.ms_since(since) >= FAILING_FOR_MS)
            {
                Some(PausedReason::Failing)
            } else {
                None
            };
            if let Some(reason) = reason {
                db::webhooks::set_paused(tx.conn(), &out.endpoint, Some(reason), now)?;
                db::deliveries::hold_pending(tx.conn(), &out.endpoint, Reason::Paused)?;
                tx.webhooks_changed();
                tx.announce(Some(out.workspace), Topic::Webhooks);
            }
            reason.is_some()
        }
    };
    if paused && matches!(moved, Move::Again(_)) {
        *moved = Move::Held(Reason::Paused);
    }
    Ok(())
}

/// Notes what a try in vain says of an integration: what concerns all that goes there, holds all.
fn integration_failed(
    tx: &mut Tx<'_>,
    out: &Outgoing,
    settings: &integrations::Settings,
    ended: &Ended,
    now: Time,
    counted: bool,
    moved: &mut Move,
) -> Result<()> {
    let Some(failure) = &ended.failure else {
        return Ok(());
    };
    let (workspace, kind) = (out.workspace, settings.kind());
    let stops = consequence::stops_all(consequence::of(kind, failure));
    if counted || stops.is_some() {
        db::integrations::tried_in_vain(tx.conn(), workspace, kind, now, failure)?;
        tx.announce(Some(workspace), Topic::Integrations);
    }
    let row = db::integrations::get(tx.conn(), workspace, kind)?;
    if let (Some(reason), Some(row)) = (stops, &row) {
        let started = now.plus_ms(-ended.duration_ms.unwrap_or_default().cast_signed());
        let mended = row.settings != *settings
            || row.test == Some(Ok(())) && row.last_tested.is_some_and(|at| at > started);
        if !mended {
            db::integrations::set_needs(tx.conn(), workspace, kind, Some(reason))?;
            if row.is_active {
                db::deliveries::hold_pending(tx.conn(), &out.endpoint, reason)?;
            }
        } else {
            // The owner saw to it meanwhile: so it is tried once more.
            *moved = Move::Again(now);
        }
    }
    if matches!(moved, Move::Again(_)) {
        match row.map(|row| row.stop()) {
            // Disconnected meanwhile.
            None => *moved = Move::Held(Reason::NeedsSetup),
            Some(Some(Stop::Hold(reason))) => *moved = Move::Held(reason),
            Some(Some(Stop::Skip)) => *moved = Move::Skipped(Reason::Disabled),
            Some(None) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Config, SecretsPlace};
    use crate::ids::{WebhookId, WorkspaceId};
    use crate::problems::ProblemAction;
    use crate::webhooks::NewWebhook;
    use crate::{Hub, clock::Clock};

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    const START: Time = Time::from_ms(1_795_493_359_000);

    async fn shop(home: &std::path::Path) -> (Arc<Hub>, Clock, WorkspaceId, WebhookId) {
        let clock = Clock::standing_at(START);
        let mut config = Config::new(home.to_owned());
        config.clock = clock.clone();
        config.secrets = SecretsPlace::Keychain;
        let hub = Hub::open(config).await.unwrap();
        let workspace = hub.workspaces().await.unwrap()[0].id;
        let id = WebhookId::new();
        let settings = Settings::new(
            NewWebhook {
                name: "Cash desk".into(),
                url: "https://shop.example/".into(),
                events: vec!["*".into()],
                retry_attempts: Some(20),
                ..NewWebhook::default()
            },
            START,
        );
        hub.db
            .write(move |tx| {
                tx.webhooks_changed();
                db::webhooks::insert(tx.conn(), workspace, id, &settings, None)
            })
            .await
            .unwrap();
        (hub, clock, workspace, id)
    }

    async fn record(hub: &Hub, workspace: WorkspaceId, number: u32) {
        let event = serde_json::from_str(&format!(
            r#"{{"type":"contact.created","data":{{"contactId":"{number}"}}}}"#
        ));
        hub.record_event(workspace, event.unwrap(), "test")
            .await
            .unwrap();
    }

    /// Everything due is tried once, and fails.
    async fn fail(hub: &Hub, webhook: WebhookId) {
        let now = hub.now();
        let lanes = hub.lanes.clone();
        hub.db
            .write(move |tx| {
                let endpoint = webhook.to_string();
                let settings = Arc::new(
                    db::webhooks::by_endpoint(tx.conn(), &endpoint)?
                        .unwrap()
                        .settings,
                );
                let far = now.plus_ms(DAY_MS);
                for due in db::deliveries::due(tx.conn(), &endpoint, far, 100)? {
                    let number = due.attempts + 1;
                    db::attempts::start(tx.conn(), due.seq, number, due.trigger, now)?;
                    db::deliveries::claim(tx.conn(), due.seq, number, far)?;
                    let row = db::deliveries::claimed(tx.conn(), due.seq)?;
                    let out = Outgoing {
                        delivery: due.seq,
                        number,
                        id: row.id,
                        workspace: row.workspace,
                        endpoint: endpoint.as_str().into(),
                        target: Target::Webhook(settings.clone()),
                        event_id: row.event_id,
                        event_type: row.event_type,
                        subject: row.subject,
                        test: false,
                        body: row.data.into(),
                        damaged: false,
                    };
                    let ended = Ended {
                        failure: Some(Failure::status(Code::ProviderDown, 500)),
                        status: Some(500),
                        ..Ended::default()
                    };
                    finish(tx, &out, &ended, None, now, 0.0, &lanes)?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn after_five_days_of_nothing_but_failures_a_webhook_is_paused_and_its_queue_held() {
        let home = tempfile::tempdir().unwrap();
        let (hub, clock, workspace, id) = shop(home.path()).await;
        for day in 0..5 {
            for hour in 0..3 {
                record(&hub, workspace, day * 10 + hour).await;
            }
            fail(&hub, id).await;
            let webhook = hub.webhook(workspace, id).await.unwrap();
            assert!(webhook.is_active, "still called on day {day}");
            assert_eq!(webhook.last_triggered, Some(hub.now()));
            assert!(webhook.last_error.is_some());
            clock.advance_ms(DAY_MS);
        }
        record(&hub, workspace, 100).await;
        fail(&hub, id).await;
        record(&hub, workspace, 101).await;
        let webhook = hub.webhook(workspace, id).await.unwrap();
        assert_eq!(webhook.paused_reason, Some(PausedReason::Failing));
        assert_eq!(
            (webhook.held, webhook.waiting),
            (17, 0),
            "nothing is dropped"
        );

        let problems = hub.problems(workspace).await.unwrap().problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(webhook.problem_id.as_ref(), Some(&problems[0].id));
        assert_eq!(problems[0].buttons[0].label, "Send the 17");
        assert_eq!(problems[0].first.len(), 3);
        let done = hub
            .resolve_problem(workspace, &problems[0].id, ProblemAction::Resume)
            .await
            .unwrap();
        assert_eq!(done.deliveries, 17);
        let after = hub.problems(workspace).await.unwrap();
        assert!(after.problems.is_empty());
        assert_eq!(after.solved[0].title, "Cash desk is called again.");
        let webhook = hub.webhook(workspace, id).await.unwrap();
        assert_eq!((webhook.held, webhook.waiting), (0, 17));
        hub.stop().await;
    }

    #[tokio::test]
    async fn ten_tries_are_too_few_while_the_five_days_are_not_over() {
        let home = tempfile::tempdir().unwrap();
        let (hub, clock, workspace, id) = shop(home.path()).await;
        for number in 0..12 {
            record(&hub, workspace, number).await;
        }
        fail(&hub, id).await;
        clock.advance_ms(5 * DAY_MS - 1000);
        fail(&hub, id).await;
        assert!(hub.webhook(workspace, id).await.unwrap().is_active);
        hub.stop().await;
    }

    #[tokio::test]
    async fn problems_and_lists_go_by_indexes_and_never_scan_the_log() {
        let home = tempfile::tempdir().unwrap();
        let (hub, _, _, _) = shop(home.path()).await;
        let plans = hub
            .db
            .read(|conn| {
                let mut plans = Vec::new();
                for sql in [
                    "SELECT count(*), min(finished_at) FROM deliveries WHERE endpoint = 'a' AND status = 'failed' AND is_test = 0 AND finished_at > 1 AND finished_at <= 2 AND (code IS 'blocked_address') = 0",
                    "SELECT status_reason, count(*), min(created_at) FROM deliveries WHERE endpoint = 'a' AND status = 'held' GROUP BY status_reason",
                    "SELECT count(*) FROM deliveries WHERE endpoint = 'a' AND status = 'failed' AND is_test = 0",
                    "SELECT count(*) FROM deliveries WHERE endpoint = 'a' AND status = 'held'",
                    "SELECT count(*) FROM deliveries WHERE endpoint = 'a' AND status = 'pending'",
                ] {
                    let plan: String = conn.query_row(
                        &format!("EXPLAIN QUERY PLAN {sql}"),
                        [],
                        |r| r.get(3),
                    )?;
                    plans.push(plan);
                }
                Ok(plans)
            })
            .await
            .unwrap();
        for plan in plans {
            assert!(plan.contains("USING COVERING INDEX"), "{plan}");
        }
        hub.stop().await;
    }
}
