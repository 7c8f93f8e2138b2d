//! Bringing a plan into the event's own transaction: what it supersedes, what holds it, when it goes.

use bytes::Bytes;

use super::known::Made;
use super::plan::{Deed, Planned};
use crate::clock::Time;
use crate::db::deliveries::{NewRow, NewState};
use crate::db::integrations::IntegrationRow;
use crate::db::planned::Marks;
use crate::db::{self, Tx};
use crate::deliveries::{Reason, Trigger};
use crate::error::Result;
use crate::ids::{EventId, WorkspaceId};
use crate::integrations::Settings;
use crate::integrations::sms::number;
use crate::outbox::lanes::Lanes;
use crate::outbox::target::Stop;
use crate::outbox::{Dispatch, Outgoing, Target, lease_until};

/// Messages are counted over so long.
pub(crate) const LIMIT_MS: i64 = 10 * 60 * 1000;
/// However often something changes, it waits no longer than so many times for the next change.
const MOST_WINDOWS: i64 = 5;

/// The event whose plan it is, and the ways out.
pub(crate) struct Because<'a> {
    pub(crate) workspace: WorkspaceId,
    pub(crate) event: EventId,
    pub(crate) event_type: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) now: Time,
    pub(crate) lanes: &'a Lanes,
    pub(crate) dispatch: Option<&'a Dispatch>,
}

/// What was taken off the queue for the newer truth.
#[derive(Debug, Clone, Copy)]
struct Superseded {
    /// Since when the first of them had waited for another change.
    since: Option<Time>,
}

/// Writes the deliveries of a plan.
pub(crate) fn queue(tx: &mut Tx<'_>, because: &Because<'_>, made: Made) -> Result<()> {
    let mut superseded = Vec::new();
    if let Some(subject) = because.subject {
        for newer in &made.plan.supersedes {
            let endpoint = newer.kind.endpoint(because.workspace);
            let rows = db::planned::supersede(tx.conn(), &endpoint, subject, newer, because.now)?;
            if rows.is_empty() {
                continue;
            }
            if db::deliveries::release_next(tx.conn(), &endpoint, subject, because.now)? {
                let lanes = because.lanes.clone();
                tx.after_commit(move || lanes.look(&endpoint));
            }
            let since = rows.into_iter().flatten().min();
            superseded.push((newer.automation, Superseded { since }));
        }
    }
    for planned in made.plan.planned {
        let before = superseded
            .iter()
            .find(|(automation, _)| *automation == planned.automation)
            .map(|(_, superseded)| *superseded);
        one(tx, because, planned, before, &made.stand_in)?;
    }
    Ok(())
}

/// When one goes that waits for another change: a window after this one, and since the first of them
/// no more than five.
fn settled(window: i64, now: Time, since: Time) -> Option<Time> {
    let due = now
        .plus_ms(window)
        .min(since.plus_ms(window.saturating_mul(MOST_WINDOWS)));
    (due > now).then_some(due)
}

/// What holds or skips a delivery from the start; none goes on its way. Pure.
pub(crate) fn held(
    deed: &Deed,
    is_set_up: bool,
    stop: Option<Stop>,
    has_its_time: bool,
    is_over_limit: bool,
) -> Option<NewState> {
    match (deed, stop) {
        (Deed::NoRecipient(_), _) => Some(NewState::Skipped(Reason::NoRecipient)),
        (Deed::TooLate(_), _) => Some(NewState::Skipped(Reason::TooLate)),
        _ if !is_set_up => Some(NewState::Skipped(Reason::NotConfigured)),
        // What has a time of its own asks again then.
        (_, Some(Stop::Skip)) if !has_its_time => Some(NewState::Skipped(Reason::Disabled)),
        (Deed::Incomplete(_), _) => Some(NewState::Held(Reason::MissingValue)),
        _ if is_over_limit => Some(NewState::Held(Reason::OverLimit)),
        (_, Some(Stop::Hold(reason))) if !has_its_time => Some(NewState::Held(reason)),
        _ => None,
    }
}

fn one(
    tx: &mut Tx<'_>,
    because: &Because<'_>,
    planned: Planned,
    superseded: Option<Superseded>,
    stand_in: &str,
) -> Result<()> {
    let (workspace, now, lanes) = (because.workspace, because.now, because.lanes);
    let endpoint = planned.kind.endpoint(workspace);
    let row = db::integrations::get(tx.conn(), workspace, planned.kind)?;
    let since = planned
        .settles
        .map(|_| superseded.and_then(|rows| rows.since).unwrap_or(now));
    let due = match (planned.settles, since) {
        (Some(window), Some(since)) => settled(window, now, since)
            .max(planned.due)
            .filter(|due| *due > now),
        _ => planned.due.filter(|due| *due > now),
    };
    let is_over_limit = match planned.limit {
        Some(limit) => {
            let from = now.plus_ms(-LIMIT_MS);
            db::planned::sent_since(tx.conn(), planned.automation, from, limit)? >= limit
        }
        None => false,
    };
    let stop = row.as_ref().and_then(IntegrationRow::stop);
    let state = held(
        &planned.deed,
        row.is_some(),
        stop,
        due.is_some(),
        is_over_limit,
    );
    let blocked = match (because.subject, state, due) {
        (Some(subject), None, None) => {
            db::deliveries::has_open_earlier(tx.conn(), &endpoint, subject, i64::MAX, now)?
        }
        _ => false,
    };
    let claim = match (state, due, because.dispatch) {
        (None, None, Some(_)) if !blocked => lanes.claim_new(&endpoint, None),
        _ => None,
    };
    let state = match (state, due, &claim) {
        (Some(state), ..) => state,
        (None, Some(due), _) => NewState::At(due),
        (None, None, _) if blocked => NewState::AfterEarlier,
        (None, None, Some(_)) => NewState::Sending(lease_until(now)),
        (None, None, None) => NewState::Due,
    };
    let own_id = because.event.to_string();
    let with_id = |text: String| match text.contains(stand_in) {
        true => text.replace(stand_in, &own_id),
        false => text,
    };
    let recipient = recipient(with_id(planned.recipient), row.as_ref());
    let id = tx.delivery_id(now);
    db::deliveries::insert(
        tx.conn(),
        &NewRow {
            id,
            workspace,
            event_seq: because.event.row(),
            channel: planned.kind.channel(),
            endpoint: &endpoint,
            event_type: because.event_type,
            subject: because.subject,
            recipient: &recipient,
            state,
            trigger: Trigger::Auto,
            now,
        },
    )?;
    let (body, why) = match planned.deed {
        Deed::Send { body } => (Some(Bytes::from(with_id(body))), None),
        Deed::Incomplete(why) | Deed::NoRecipient(why) | Deed::TooLate(why) => (None, Some(why)),
    };
    db::planned::mark(
        tx.conn(),
        id.row(),
        planned.automation,
        since,
        &Marks {
            version: planned.version,
            not_before: due,
            until: planned.until,
            why: why.as_ref(),
        },
    )?;
    if let Some(body) = &body {
        db::bodies::insert(tx.conn(), id.row(), body)?;
    }
    match (state, claim, because.dispatch, body, row) {
        (NewState::Sending(_), Some(claim), Some(dispatch), Some(body), Some(row)) => {
            db::attempts::start(tx.conn(), id.row(), 1, Trigger::Auto, now)?;
            let outgoing = Outgoing {
                delivery: id.row(),
                number: 1,
                id,
                workspace,
                endpoint: endpoint.into(),
                target: Target::Integration(std::sync::Arc::new(row.settings)),
                event_id: because.event,
                event_type: because.event_type.to_owned(),
                subject: because.subject.map(str::to_owned),
                test: false,
                body,
                damaged: false,
            };
            let dispatch = dispatch.clone();
            // An error says that the worker has ended: the next start finds the row.
            tx.after_commit(move || drop(dispatch.send((outgoing, claim))));
        }
        (NewState::Due, ..) => {
            let lanes = lanes.clone();
            tx.after_commit(move || lanes.look(&endpoint));
        }
        (NewState::AfterEarlier, ..) => {
            let (lanes, at) = (lanes.clone(), now.plus_ms(db::deliveries::ORDER_WAIT_MS));
            tx.after_commit(move || lanes.due(&endpoint, at));
        }
        (NewState::At(at), ..) => {
            let lanes = lanes.clone();
            tx.after_commit(move || lanes.due(&endpoint, at));
        }
        _ => {}
    }
    Ok(())
}

/// A phone number as it is called, where that can be told; anything else as it is.
pub(crate) fn recipient(written: String, row: Option<&IntegrationRow>) -> String {
    match row.map(|row| &row.settings) {
        Some(Settings::Sms(settings)) => {
            number::e164(&written, settings.country()).unwrap_or(written)
        }
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automations::Why;

    const START: Time = Time::from_ms(1_795_493_359_000);

    #[test]
    fn a_window_slides_with_each_change_and_never_beyond_five() {
        let minute = 60_000;
        assert_eq!(settled(minute, START, START), Some(START.plus_ms(minute)));
        let later = START.plus_ms(4 * minute + 30_000);
        assert_eq!(
            settled(minute, later, START),
            Some(START.plus_ms(5 * minute))
        );
        assert_eq!(settled(minute, START.plus_ms(6 * minute), START), None);
    }

    #[test]
    fn what_stands_in_the_way_is_said_in_the_order_in_which_it_matters() {
        let send = Deed::Send { body: "{}".into() };
        let nobody = Deed::NoRecipient(Why::default());
        let holes = Deed::Incomplete(Why::default());
        let key = Some(Stop::Hold(Reason::NeedsCredentials));
        for (deed, set_up, stop, its_time, over, expected) in [
            (&send, true, None, false, false, None),
            (
                &nobody,
                false,
                None,
                false,
                false,
                Some(NewState::Skipped(Reason::NoRecipient)),
            ),
            (
                &send,
                false,
                None,
                false,
                false,
                Some(NewState::Skipped(Reason::NotConfigured)),
            ),
            (
                &send,
                true,
                Some(Stop::Skip),
                false,
                false,
                Some(NewState::Skipped(Reason::Disabled)),
            ),
            (&send, true, Some(Stop::Skip), true, false, None),
            (
                &holes,
                true,
                key,
                false,
                false,
                Some(NewState::Held(Reason::MissingValue)),
            ),
            (
                &send,
                true,
                key,
                false,
                true,
                Some(NewState::Held(Reason::OverLimit)),
            ),
            (
                &send,
                true,
                key,
                false,
                false,
                Some(NewState::Held(Reason::NeedsCredentials)),
            ),
            (&send, true, key, true, false, None),
        ] {
            assert_eq!(held(deed, set_up, stop, its_time, over), expected);
        }
    }
}
