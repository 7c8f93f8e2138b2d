//! After a call: completing the attempt and moving the delivery, in one transaction.

use super::Outgoing;
use super::lanes::Lanes;
use super::retry::{self, Policy};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::db::deliveries::Move;
use crate::db::tallies::Tally;
use crate::db::{self, Tx};
use crate::deliveries::Reason;
use crate::error::Result;
use crate::outcome::{Code, Failure, Trouble};
use crate::webhooks::{PausedReason, Settings};

/// A webhook that only failed for so long, and so often, is paused (contract §3).
const FAILING_FOR_MS: i64 = 5 * 24 * 60 * 60 * 1000;
const FAILING_TRIES: u32 = 10;

/// Where a failure moves a delivery, and whether it counts as a try. Pure.
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
    let (mut moved, counted) = decide(
        ended.failure.as_ref(),
        &out.settings,
        tries,
        out.test,
        now,
        hint,
        jitter,
    );
    if let (Some(failure), false, true) = (&ended.failure, out.test, counted) {
        db::webhooks::tried_in_vain(tx.conn(), &out.endpoint, now, failure)?;
    }
    if ended.failure.is_some() && !out.test {
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
            moved = Move::Held(Reason::Paused);
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
        Move::Success | Move::Failed => {
            if !out.test {
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
        Move::Held(_) => {}
    }
    tx.announce(Some(out.workspace), Topic::Deliveries);
    Ok(())
}
