//! Table `deliveries`: the queue and the log.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::automations::Why;
use crate::clock::Time;
use crate::deliveries::{Channel, Reason, Status, Trigger};
use crate::error::Result;
use crate::ids::{AutomationId, DeliveryId, EventId, WorkspaceId};
use crate::outcome::{Code, Failure};

/// How long a later delivery waits for an earlier one about the same subject (contract §3).
pub(crate) const ORDER_WAIT_MS: i64 = 10 * 60 * 1000;

/// A delivery to be queued.
pub(crate) struct NewRow<'a> {
    pub(crate) id: DeliveryId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) event_seq: i64,
    pub(crate) channel: Channel,
    pub(crate) endpoint: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) recipient: &'a str,
    pub(crate) state: NewState,
    pub(crate) trigger: Trigger,
    pub(crate) now: Time,
}

/// How a delivery enters the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewState {
    /// Due now.
    Due,
    /// Due at a time of its own.
    At(Time),
    /// Waits for an earlier one about the same subject.
    AfterEarlier,
    /// Held from the start, for this reason.
    Held(Reason),
    /// Not to be sent, for this reason.
    Skipped(Reason),
    /// Under way at once, with its first attempt, until this moment at the latest.
    Sending(Time),
}

/// A delivery as stored, with the names that reading needs.
pub(crate) struct DeliveryRecord {
    pub(crate) seq: i64,
    pub(crate) id: DeliveryId,
    pub(crate) event_id: EventId,
    pub(crate) channel: Channel,
    pub(crate) endpoint: String,
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) recipient: String,
    pub(crate) who: Option<String>,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) test: bool,
    pub(crate) replay_of: Option<DeliveryId>,
    pub(crate) due_at: Option<Time>,
    pub(crate) after_earlier: bool,
    pub(crate) attempts: u32,
    pub(crate) status_code: Option<u16>,
    pub(crate) failure: Option<Failure>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) created_at: Time,
    pub(crate) finished_at: Option<Time>,
    pub(crate) delivered_at: Option<Time>,
    pub(crate) provider_id: Option<String>,
    /// True while an attempt is under way, and not only its final status awaited.
    pub(crate) leased: bool,
    /// When the texts of its event were removed.
    pub(crate) purged_at: Option<Time>,
    /// The automation that made it, and why it stands as it does, where no attempt says so.
    pub(crate) automation: Option<Automatic>,
}

/// What an automation has to do with a delivery.
pub(crate) struct Automatic {
    pub(crate) id: AutomationId,
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) why: Why,
    /// Its own time, while that is to come.
    pub(crate) not_before: Option<Time>,
}

/// The columns of a [`DeliveryRecord`], in the order in which [`record`] reads them: by their place,
/// for a name is looked for among all columns of every row.
const SELECT: &str = "SELECT d.seq, d.id, e.id, d.channel, d.endpoint, d.event_type, d.subject, d.recipient, w.name, d.status, d.status_reason, d.is_test, d.replay_of,
    d.due_at, d.after_earlier, d.attempts, d.status_code, d.code, d.args, d.duration_ms, d.created_at, d.finished_at, d.delivered_at, d.provider_id, d.lease IS NOT NULL, e.purged_at,
    d.automation_id, d.automation_version, a.name, d.not_before
  FROM deliveries d JOIN events e ON e.seq = d.event_seq LEFT JOIN webhooks w ON w.id = d.endpoint LEFT JOIN automations a ON a.id = d.automation_id";

fn automatic(row: &Row<'_>) -> rusqlite::Result<Option<Automatic>> {
    let Some(id) = row.get(26)? else {
        return Ok(None);
    };
    let why = match row.get::<_, Option<Code>>(17)? {
        Some(_) => None,
        None => row.get(18)?,
    };
    Ok(Some(Automatic {
        id,
        version: row.get(27)?,
        name: row.get::<_, Option<String>>(28)?.unwrap_or_default(),
        why: why.unwrap_or_default(),
        not_before: row.get(29)?,
    }))
}

fn record(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    Ok(DeliveryRecord {
        seq: row.get(0)?,
        id: row.get(1)?,
        event_id: row.get(2)?,
        channel: row.get(3)?,
        endpoint: row.get(4)?,
        event_type: row.get(5)?,
        subject: row.get(6)?,
        recipient: row.get(7)?,
        who: row.get(8)?,
        status: row.get(9)?,
        reason: row.get(10)?,
        test: row.get(11)?,
        replay_of: row.get(12)?,
        due_at: row.get(13)?,
        after_earlier: row.get(14)?,
        attempts: row.get(15)?,
        status_code: row.get(16)?,
        failure: super::webhooks::failure(row, 17, 18)?,
        duration_ms: row.get::<_, Option<i64>>(19)?.map(i64::cast_unsigned),
        created_at: row.get(20)?,
        finished_at: row.get(21)?,
        delivered_at: row.get(22)?,
        provider_id: row.get(23)?,
        leased: row.get(24)?,
        purged_at: row.get(25)?,
        automation: automatic(row)?,
    })
}

// --- the queue -----------------------------------------------------------------------------------

/// The number of the last row.
pub(crate) fn last_row(conn: &Connection) -> Result<i64> {
    Ok(
        conn.query_row("SELECT coalesce(max(seq), 0) FROM deliveries", [], |r| {
            r.get(0)
        })?,
    )
}

/// Queues a delivery in the row that its id names.
pub(crate) fn insert(conn: &Connection, new: &NewRow<'_>) -> Result<()> {
    let (status, reason, due, after_earlier, lease_until) = match new.state {
        NewState::Due => (Status::Pending, None, Some(new.now), false, None),
        NewState::At(due) => (Status::Pending, None, Some(due), false, None),
        NewState::AfterEarlier => (
            Status::Pending,
            None,
            Some(new.now.plus_ms(ORDER_WAIT_MS)),
            true,
            None,
        ),
        NewState::Held(reason) => (Status::Held, Some(reason), None, false, None),
        NewState::Skipped(reason) => (Status::Skipped, Some(reason), None, false, None),
        NewState::Sending(until) => (Status::Sending, None, None, false, Some(until)),
    };
    let first_attempt = lease_until.map(|_| 1);
    conn.prepare_cached(
        "INSERT INTO deliveries (seq, id, workspace_id, event_seq, channel, endpoint, event_type, subject, recipient, status, status_reason, is_test, trigger, due_at, after_earlier, created_at, lease, lease_until, attempts, finished_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.id.row(),
        new.id,
        new.workspace,
        new.event_seq,
        new.channel,
        new.endpoint,
        new.event_type,
        new.subject,
        new.recipient,
        status,
        reason,
        new.trigger == Trigger::Test,
        new.trigger,
        due,
        after_earlier,
        new.now,
        first_attempt,
        lease_until,
        first_attempt.unwrap_or(0),
        (status == Status::Skipped).then_some(new.now)
    ])?;
    Ok(())
}

/// True when an earlier delivery to this endpoint about this subject is not final yet. One whose own
/// time is to come is not waited for.
pub(crate) fn has_open_earlier(
    conn: &Connection,
    endpoint: &str,
    subject: &str,
    before: i64,
    now: Time,
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ? AND subject = ? AND seq < ? AND subject IS NOT NULL AND finished_at IS NULL AND (not_before IS NULL OR not_before <= ?))",
        )?
        .query_row(params![endpoint, subject, before, now], |r| r.get(0))?)
}

/// A due delivery, as far as claiming it needs.
pub(crate) struct Due {
    pub(crate) seq: i64,
    pub(crate) subject: Option<String>,
    pub(crate) after_earlier: bool,
    pub(crate) attempts: u32,
    pub(crate) trigger: Trigger,
    /// An automation made it.
    pub(crate) automatic: bool,
    /// From then on there is no point in it.
    pub(crate) until: Option<Time>,
}

/// Due deliveries of an endpoint, longest due first; what a replay queued comes after the rest.
pub(crate) fn due(conn: &Connection, endpoint: &str, now: Time, limit: usize) -> Result<Vec<Due>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, subject, after_earlier, attempts, trigger, automation_id IS NOT NULL, expires_at FROM deliveries WHERE endpoint = ? AND status = 'pending' AND (replay IS NOT NULL) = ? AND due_at <= ? ORDER BY due_at, seq LIMIT ?",
    )?;
    let mut found = Vec::new();
    for replayed in [false, true] {
        let room = limit - found.len();
        if room == 0 {
            break;
        }
        let rows = statement.query_map(params![endpoint, replayed, now, room as i64], |r| {
            Ok(Due {
                seq: r.get(0)?,
                subject: r.get(1)?,
                after_earlier: r.get(2)?,
                attempts: r.get(3)?,
                trigger: r.get(4)?,
                automatic: r.get(5)?,
                until: r.get(6)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// When the next delivery of an endpoint is due.
pub(crate) fn next_due(conn: &Connection, endpoint: &str) -> Result<Option<Time>> {
    Ok(conn
        .prepare_cached(
            "SELECT min(at) FROM (SELECT min(due_at) AS at FROM deliveries WHERE endpoint = ?1 AND status = 'pending' AND (replay IS NOT NULL) = 0
               UNION ALL SELECT min(due_at) FROM deliveries WHERE endpoint = ?1 AND status = 'pending' AND (replay IS NOT NULL) = 1)",
        )?
        .query_row([endpoint], |r| r.get(0))?)
}

/// Endpoints that have something pending.
pub(crate) fn pending_endpoints(conn: &Connection) -> Result<Vec<String>> {
    let mut statement =
        conn.prepare("SELECT DISTINCT endpoint FROM deliveries WHERE status = 'pending'")?;
    Ok(statement
        .query_map([], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Puts a delivery behind an earlier one, until that is final or the wait is over.
pub(crate) fn put_behind(conn: &Connection, seq: i64, now: Time) -> Result<()> {
    conn.prepare_cached(
        "UPDATE deliveries SET after_earlier = 1, due_at = ?, not_before = NULL WHERE seq = ?",
    )?
    .execute(params![now.plus_ms(ORDER_WAIT_MS), seq])?;
    Ok(())
}

/// Takes a pending delivery under way; the number of the attempt is the fencing token of the lease.
pub(crate) fn claim(conn: &Connection, seq: i64, attempt: u32, lease_until: Time) -> Result<()> {
    conn.prepare_cached(
        "UPDATE deliveries SET status = 'sending', status_reason = NULL, due_at = NULL, after_earlier = 0, not_before = NULL, lease = ?2, lease_until = ?3, attempts = ?2
         WHERE seq = ?1 AND status = 'pending'",
    )?
    .execute(params![seq, attempt, lease_until])?;
    Ok(())
}

/// Keeps a delivery its own for longer, as long as its attempt is the one that holds it.
pub(crate) fn renew(conn: &Connection, seq: i64, lease: u32, until: Time) -> Result<()> {
    conn.prepare_cached("UPDATE deliveries SET lease_until = ?3 WHERE seq = ?1 AND lease = ?2")?
        .execute(params![seq, lease, until])?;
    Ok(())
}

/// What a call needs of a claimed delivery.
pub(crate) struct Claimed {
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
    pub(crate) workspace: WorkspaceId,
    pub(crate) id: DeliveryId,
    pub(crate) subject: Option<String>,
    pub(crate) test: bool,
    pub(crate) data: Vec<u8>,
    pub(crate) data_sha256: [u8; 32],
}

pub(crate) fn claimed(conn: &Connection, seq: i64) -> Result<Claimed> {
    Ok(conn
        .prepare_cached(
            "SELECT e.id, e.type, d.workspace_id, d.id, d.subject, d.is_test, coalesce(b.body, e.data), coalesce(b.sha256, e.data_sha256)
             FROM deliveries d JOIN events e ON e.seq = d.event_seq LEFT JOIN bodies b ON b.delivery_seq = d.seq WHERE d.seq = ?",
        )?
        .query_row([seq], |r| {
            Ok(Claimed {
                event_id: r.get(0)?,
                event_type: r.get(1)?,
                workspace: r.get(2)?,
                id: r.get(3)?,
                subject: r.get(4)?,
                test: r.get(5)?,
                data: r.get(6)?,
                data_sha256: r.get(7)?,
            })
        })?)
}

/// Where a finished attempt moves its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// Got through.
    Success,
    /// Again, at this time.
    Again(Time),
    /// Waits for a cause to go away.
    Held(Reason),
    /// Given up.
    Failed,
    /// The answer got lost: nobody knows whether it was done.
    Unknown,
    /// Accepted; its final status is asked for at this time.
    Await(Time),
    /// Not sent after all.
    Skipped(Reason),
}

/// Moves a delivery out of its attempt. False when the attempt holds the lease no more: then the
/// row belongs to somebody else and stays as it is.
pub(crate) fn finish(
    conn: &Connection,
    seq: i64,
    lease: u32,
    now: Time,
    moved: &Move,
    counted: bool,
    ended: &super::attempts::Ended,
) -> Result<bool> {
    let (status, reason, due, finished) = match moved {
        Move::Success => (Status::Success, None, None, Some(now)),
        Move::Again(at) => (Status::Pending, None, Some(*at), None),
        Move::Held(reason) => (Status::Held, Some(*reason), None, None),
        Move::Failed => (Status::Failed, None, None, Some(now)),
        Move::Unknown => (Status::Unknown, None, None, None),
        Move::Await(_) => (Status::Sending, None, None, None),
        Move::Skipped(reason) => (Status::Skipped, Some(*reason), None, Some(now)),
    };
    let check_at = match moved {
        Move::Await(at) => Some(*at),
        _ => None,
    };
    let failure = ended.failure.as_ref();
    let changed = conn
        .prepare_cached(
            "UPDATE deliveries SET status = ?3, status_reason = ?4, due_at = ?5, finished_at = ?6, delivered_at = iif(?3 = 'success' AND channel <> 'email' AND channel <> 'sms', ?6, NULL),
               lease = NULL, lease_until = NULL, check_at = ?12, provider_id = coalesce(?13, provider_id), tries = tries + ?7, status_code = ?8, code = ?9, args = ?10, duration_ms = ?11, trigger = iif(trigger = 'manual', 'auto', trigger)
             WHERE seq = ?1 AND lease = ?2 AND status = 'sending'",
        )?
        .execute(params![
            seq,
            lease,
            status,
            reason,
            due,
            finished,
            counted,
            ended.status,
            failure.map(|f| f.code),
            failure.and_then(|f| serde_json::to_string(&f.args).ok()),
            ended.duration_ms.map(u64::cast_signed),
            check_at,
            ended.provider_id
        ])?;
    Ok(changed == 1)
}

/// How often a delivery was tried, as far as the schedule counts.
pub(crate) fn tries(conn: &Connection, seq: i64) -> Result<u32> {
    Ok(conn
        .prepare_cached("SELECT tries FROM deliveries WHERE seq = ?")?
        .query_row([seq], |r| r.get(0))?)
}

/// Lets the next delivery about a subject go, now that the earlier one is final. True when one went.
pub(crate) fn release_next(
    conn: &Connection,
    endpoint: &str,
    subject: &str,
    now: Time,
) -> Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE deliveries SET due_at = ?3, after_earlier = 0 WHERE seq = (
               SELECT min(seq) FROM deliveries WHERE endpoint = ?1 AND subject = ?2 AND subject IS NOT NULL AND finished_at IS NULL AND (not_before IS NULL OR not_before <= ?3))
             AND status = 'pending' AND after_earlier = 1",
        )?
        .execute(params![endpoint, subject, now])?;
    Ok(changed == 1)
}

/// Attempts that nobody is waiting for any more: `(delivery, attempt number, endpoint)`.
pub(crate) fn expired(conn: &Connection, at: Option<Time>) -> Result<Vec<(i64, u32, String)>> {
    let mut statement = conn.prepare(
        "SELECT d.seq, d.lease, d.endpoint FROM workspaces w
         JOIN deliveries d ON d.workspace_id = w.id AND d.status = 'sending' AND d.status <> 'success'
         WHERE d.lease IS NOT NULL AND (?1 IS NULL OR d.lease_until < ?1)",
    )?;
    Ok(statement
        .query_map([at], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Pulls in what is due further ahead than any schedule reaches: the clock was set back. What waits
/// for an earlier one waits for it anew, and what has a time of its own keeps that.
pub(crate) fn pull_in(conn: &Connection, now: Time, furthest_ms: i64) -> Result<usize> {
    Ok(conn.execute(
        "UPDATE deliveries SET due_at = ?1, after_earlier = 0 WHERE status = 'pending' AND due_at > ?2 AND not_before IS NULL",
        params![now, now.plus_ms(furthest_ms)],
    )?)
}

/// Lets the time come of what is due at an endpoint: from now on it is like any other.
pub(crate) fn time_has_come(conn: &Connection, endpoint: &str, now: Time) -> Result<()> {
    conn.prepare_cached("UPDATE deliveries SET not_before = NULL WHERE endpoint = ?1 AND status = 'pending' AND due_at <= ?2 AND not_before IS NOT NULL")?
        .execute(params![endpoint, now])?;
    Ok(())
}

/// Holds what is pending at an endpoint, but for what has a time of its own.
pub(crate) fn hold_pending(conn: &Connection, endpoint: &str, reason: Reason) -> Result<()> {
    conn.execute(
        "UPDATE deliveries SET status = 'held', status_reason = ?2, due_at = NULL, after_earlier = 0 WHERE endpoint = ?1 AND status = 'pending' AND not_before IS NULL",
        params![endpoint, reason],
    )?;
    Ok(())
}

/// Closes what is pending at an endpoint, but for what has a time of its own: it is not sent.
pub(crate) fn skip_pending(
    conn: &Connection,
    endpoint: &str,
    reason: Reason,
    now: Time,
) -> Result<()> {
    conn.execute(
        "UPDATE deliveries SET status = 'skipped', status_reason = ?2, due_at = NULL, after_earlier = 0, finished_at = ?3 WHERE endpoint = ?1 AND status = 'pending' AND not_before IS NULL",
        params![endpoint, reason, now],
    )?;
    Ok(())
}

/// Holds for one reason whatever waits at an endpoint, for the schedule or for a cause; how many.
pub(crate) fn hold_all(conn: &Connection, endpoint: &str, reason: Reason) -> Result<usize> {
    Ok(conn.execute(
        "UPDATE deliveries SET status = 'held', status_reason = ?2, due_at = NULL, after_earlier = 0 WHERE endpoint = ?1 AND (status = 'pending' OR status = 'held')",
        params![endpoint, reason],
    )?)
}

/// Lets go what was held at an endpoint for a reason, each at its own time if that is to come. Oldest
/// first follows from the row numbers.
pub(crate) fn release_held(
    conn: &Connection,
    endpoint: &str,
    reason: Reason,
    now: Time,
) -> Result<usize> {
    Ok(conn.execute(
        "UPDATE deliveries SET status = 'pending', status_reason = NULL, due_at = max(?3, coalesce(not_before, 0)) WHERE endpoint = ?1 AND status = 'held' AND status_reason = ?2",
        params![endpoint, reason, now],
    )?)
}

/// Endpoints at which something is held for a reason.
pub(crate) fn held_endpoints(
    conn: &Connection,
    reason: Reason,
) -> Result<Vec<(String, WorkspaceId)>> {
    let mut statement = conn.prepare("SELECT DISTINCT d.endpoint, d.workspace_id FROM workspaces w
         JOIN deliveries d ON d.workspace_id = w.id AND d.status = 'held' AND d.status <> 'success' WHERE d.status_reason = ?")?;
    Ok(statement
        .query_map([reason], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Makes a delivery due now, by whoever's hand; one that is only let go keeps a time of its own.
pub(crate) fn due_now(conn: &Connection, seq: i64, now: Time, trigger: Trigger) -> Result<()> {
    conn.execute(
        "UPDATE deliveries SET status = 'pending', status_reason = NULL, due_at = iif(?3 = 'auto', max(?2, coalesce(not_before, 0)), ?2), after_earlier = 0, not_before = iif(?3 = 'auto', not_before, NULL), finished_at = NULL, trigger = ?3 WHERE seq = ?1",
        params![seq, now, trigger],
    )?;
    Ok(())
}

/// Closes a delivery by the owner's hand.
pub(crate) fn cancel(conn: &Connection, seq: i64, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE deliveries SET status = 'cancelled', status_reason = 'by_owner', due_at = NULL, after_earlier = 0, finished_at = ?2 WHERE seq = ?1",
        params![seq, now],
    )?;
    Ok(())
}

/// Closes all that waits at an endpoint that is no more.
pub(crate) fn cancel_waiting(conn: &Connection, endpoint: &str, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE deliveries SET status = 'cancelled', status_reason = 'by_owner', due_at = NULL, after_earlier = 0, finished_at = ?2
         WHERE endpoint = ?1 AND status IN ('pending', 'held', 'unknown')",
        params![endpoint, now],
    )?;
    Ok(())
}

// --- what is accepted, and not yet final ---------------------------------------------------------

/// When the next final status is to be asked for.
pub(crate) fn next_check(conn: &Connection) -> Result<Option<Time>> {
    Ok(conn
        .prepare_cached("SELECT min(check_at) FROM deliveries WHERE check_at IS NOT NULL")?
        .query_row([], |r| r.get(0))?)
}

/// Takes deliveries whose final status is to be asked for now, and puts the next asking off until
/// `again`, should this one come to nothing.
pub(crate) fn take_checks(
    conn: &Connection,
    now: Time,
    again: Time,
    limit: usize,
) -> Result<Vec<i64>> {
    let due: Vec<i64> = conn
        .prepare_cached("SELECT seq FROM deliveries WHERE check_at IS NOT NULL AND check_at <= ? ORDER BY check_at LIMIT ?")?
        .query_map(params![now, limit as i64], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for seq in &due {
        conn.prepare_cached("UPDATE deliveries SET check_at = ? WHERE seq = ?")?
            .execute(params![again, seq])?;
    }
    Ok(due)
}

/// The delivery that a provider knows by this name.
pub(crate) fn by_provider_id(
    conn: &Connection,
    endpoint: &str,
    provider_id: &str,
) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached(
            "SELECT max(seq) FROM deliveries WHERE endpoint = ? AND provider_id = ? AND provider_id IS NOT NULL",
        )?
        .query_row([endpoint, provider_id], |r| r.get(0))?)
}

/// Brings a delivery that was accepted as `provider_id` to its end, or puts the next asking off.
/// False when that is not awaited any more.
pub(crate) fn settle(
    conn: &Connection,
    seq: i64,
    provider_id: &str,
    now: Time,
    moved: &Move,
    delivered: Option<Time>,
    failure: Option<&Failure>,
) -> Result<bool> {
    let (status, reason, check_at) = match moved {
        Move::Await(at) => (Status::Sending, None, Some(*at)),
        Move::Held(reason) => (Status::Held, Some(*reason), None),
        Move::Success => (Status::Success, None, None),
        _ => (Status::Failed, None, None),
    };
    let finished = matches!(status, Status::Success | Status::Failed).then_some(now);
    let changed = conn
        .prepare_cached(
            "UPDATE deliveries SET status = ?3, status_reason = ?4, check_at = ?5, finished_at = ?6, delivered_at = ?7, code = ?8, args = ?9
             WHERE seq = ?1 AND provider_id = ?2 AND status = 'sending' AND lease IS NULL",
        )?
        .execute(params![
            seq,
            provider_id,
            status,
            reason,
            check_at,
            finished,
            delivered,
            failure.map(|f| f.code),
            failure.and_then(|f| serde_json::to_string(&f.args).ok())
        ])?;
    Ok(changed == 1)
}

// --- the log -------------------------------------------------------------------------------------

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    id: DeliveryId,
) -> Result<Option<DeliveryRecord>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE d.seq = ? AND d.id = ? AND d.workspace_id = ?"
    ))?;
    Ok(statement
        .query_row(params![id.row(), id, workspace], record)
        .optional()?)
}

/// The deliveries of one event, in the order in which they were queued.
pub(crate) fn of_event(
    conn: &Connection,
    event: &super::events::EventRow,
) -> Result<Vec<DeliveryRecord>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE d.seq >= ?2 AND d.seq < ?3
         UNION ALL {SELECT} WHERE d.event_seq = ?1 AND d.replay_of IS NOT NULL ORDER BY 1"
    ))?;
    Ok(statement
        .query_map(
            params![event.seq, event.deliveries.start, event.deliveries.end],
            record,
        )?
        .collect::<rusqlite::Result<_>>()?)
}

/// The delivery with this row number.
pub(crate) fn at(conn: &Connection, seq: i64) -> Result<Option<DeliveryRecord>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE d.seq = ?"))?;
    Ok(statement.query_row([seq], record).optional()?)
}

/// Each of the deliveries with these row numbers, in their order, one at a time.
pub(crate) fn each(
    conn: &Connection,
    seqs: &[i64],
    mut take: impl FnMut(DeliveryRecord) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(&format!("{SELECT} WHERE d.seq = ?"))?;
    for seq in seqs {
        if let Some(found) = statement.query_row([seq], record).optional()? {
            take(found)?;
        }
    }
    Ok(())
}

/// Some deliveries of an endpoint.
pub(super) fn at_endpoint(
    conn: &Connection,
    endpoint: &str,
    which: &str,
    limit: usize,
) -> Result<Vec<DeliveryRecord>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE d.endpoint = ? AND {which} LIMIT ?"
    ))?;
    Ok(statement
        .query_map(params![endpoint, limit as i64], record)?
        .collect::<rusqlite::Result<_>>()?)
}

/// How many deliveries of a workspace, or of one endpoint of it, stand where; successes are not
/// counted, for they are many, and tests neither, nor what was given up and sent again since.
pub(crate) fn standing(
    conn: &Connection,
    workspace: WorkspaceId,
    endpoint: Option<&str>,
) -> Result<Standing> {
    if let Some(endpoint) = endpoint {
        return standing_at(conn, workspace, endpoint);
    }
    let mut statement = conn.prepare_cached(
        "SELECT status, count(*) FROM deliveries WHERE workspace_id = ?1 AND status <> 'success' AND is_test = 0 AND (status <> 'failed' OR status_reason IS NULL) GROUP BY status",
    )?;
    let mut standing = Standing::default();
    let rows = statement.query_map([workspace], |r| {
        Ok((r.get::<_, Status>(0)?, r.get::<_, i64>(1)?))
    })?;
    for row in rows {
        let (status, count) = row?;
        let count = count.cast_unsigned();
        match status {
            Status::Pending | Status::Sending | Status::Unknown => standing.waiting += count,
            Status::Held => standing.held += count,
            Status::Failed => standing.failed += count,
            _ => {}
        }
    }
    Ok(standing)
}

/// The same of one endpoint: each count by an index that holds nothing else. Tests are neither
/// pending nor held.
fn standing_at(conn: &Connection, workspace: WorkspaceId, endpoint: &str) -> Result<Standing> {
    let (waiting, held, failed): (i64, i64, i64) = conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM deliveries WHERE endpoint = ?1 AND status = 'pending')
               + (SELECT count(*) FROM deliveries WHERE workspace_id = ?2 AND status = 'sending' AND status <> 'success' AND endpoint = ?1 AND is_test = 0)
               + (SELECT count(*) FROM deliveries WHERE workspace_id = ?2 AND status = 'unknown' AND status <> 'success' AND endpoint = ?1),
             (SELECT count(*) FROM deliveries WHERE endpoint = ?1 AND status = 'held'),
             (SELECT count(*) FROM deliveries WHERE endpoint = ?1 AND status = 'failed' AND is_test = 0 AND status_reason IS NULL)",
        )?
        .query_row(params![endpoint, workspace], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?;
    Ok(Standing {
        waiting: waiting.cast_unsigned(),
        held: held.cast_unsigned(),
        failed: failed.cast_unsigned(),
    })
}

/// Deliveries that are not through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    pub(crate) waiting: u64,
    pub(crate) held: u64,
    pub(crate) failed: u64,
}

pub(crate) fn count_sending(conn: &Connection, workspace: WorkspaceId) -> Result<u64> {
    let count: i64 = conn.query_row("SELECT count(*) FROM deliveries WHERE workspace_id = ? AND status = 'sending' AND status <> 'success' AND lease IS NOT NULL", [workspace], |r| r.get(0))?;
    Ok(count.cast_unsigned())
}
