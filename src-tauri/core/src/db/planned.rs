//! Table `deliveries`, as far as automations made them.

use rusqlite::{Connection, params};

use super::deliveries::DeliveryRecord;
use crate::automations::Why;
use crate::automations::plan::Supersedes;
use crate::clock::Time;
use crate::deliveries::Reason;
use crate::error::Result;
use crate::ids::{AutomationId, EventId, WorkspaceId};
use crate::integrations::Kind;

/// What is noted of a delivery that an automation made.
pub(crate) struct Marks<'a> {
    pub(crate) version: u32,
    /// Its own time.
    pub(crate) not_before: Option<Time>,
    /// From then on there is no point in it.
    pub(crate) until: Option<Time>,
    pub(crate) why: Option<&'a Why>,
}

/// Notes whose a delivery is, and since when the first of the changes that it stands for has waited.
pub(crate) fn mark(
    conn: &Connection,
    seq: i64,
    automation: AutomationId,
    since: Option<Time>,
    marks: &Marks<'_>,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE deliveries SET automation_id = ?2, automation_version = ?3, not_before = ?4, expires_at = ?5, gathered_since = ?6, args = ?7 WHERE seq = ?1",
    )?
    .execute(params![
        seq,
        automation,
        marks.version,
        marks.not_before,
        marks.until,
        since,
        marks.why
    ])?;
    Ok(())
}

/// Which of an automation's deliveries were never tried and wait for their time, or for the owner.
const WAITS: &str = "attempts = 0 AND (status = 'pending' OR status = 'held' AND (status_reason = 'over_limit' OR status_reason = 'missing_value'))";

/// Closes what waits about a subject, because something newer tells the truth; since when each of
/// them had been gathering.
pub(crate) fn supersede(
    conn: &Connection,
    endpoint: &str,
    subject: &str,
    newer: &Supersedes,
    now: Time,
) -> Result<Vec<Option<Time>>> {
    let mut statement = conn.prepare_cached(&format!(
        "UPDATE deliveries SET status = 'skipped', status_reason = 'superseded', due_at = NULL, after_earlier = 0, not_before = NULL, args = NULL, finished_at = ?4
         WHERE endpoint = ?1 AND subject = ?2 AND subject IS NOT NULL AND finished_at IS NULL AND automation_id = ?3 AND {WAITS} AND (?5 = 0 OR gathered_since IS NOT NULL)
         RETURNING gathered_since"
    ))?;
    Ok(statement
        .query_map(
            params![
                endpoint,
                subject,
                newer.automation,
                now,
                newer.gathered_only
            ],
            |r| r.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?)
}

/// How many messages an automation has queued since then, up to `most`; those that it held back, those
/// that were not to be sent, and those that the owner sent again do not count.
pub(crate) fn sent_since(
    conn: &Connection,
    automation: AutomationId,
    since: Time,
    most: u32,
) -> Result<u32> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE automation_id = ?1 AND automation_id IS NOT NULL AND created_at > ?2
               AND is_test = 0 AND replay IS NULL AND status <> 'skipped' AND status <> 'cancelled' AND status_reason IS NOT 'over_limit' AND status_reason IS NOT 'missing_value' LIMIT ?3)",
        )?
        .query_row(params![automation, since, most], |r| r.get(0))?)
}

/// Closes a delivery whose time has passed.
pub(crate) fn too_late(conn: &Connection, seq: i64, passed: Time, now: Time) -> Result<()> {
    let why = Why {
        passed: Some(passed),
        ..Why::default()
    };
    conn.prepare_cached(
        "UPDATE deliveries SET status = 'skipped', status_reason = 'too_late', due_at = NULL, after_earlier = 0, not_before = NULL, code = NULL, args = ?2, finished_at = ?3 WHERE seq = ?1",
    )?
    .execute(params![seq, why, now])?;
    Ok(())
}

/// Puts a delivery off to a time of its own.
pub(crate) fn put_off(conn: &Connection, seq: i64, until: Time) -> Result<()> {
    conn.prepare_cached(
        "UPDATE deliveries SET due_at = ?2, not_before = ?2, after_earlier = 0 WHERE seq = ?1",
    )?
    .execute(params![seq, until])?;
    Ok(())
}

/// A delivery that waits and was never tried, with the event that it is because of.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) seq: i64,
    pub(crate) endpoint: String,
    pub(crate) subject: Option<String>,
    pub(crate) is_held: bool,
    pub(crate) reason: Option<Reason>,
    pub(crate) event: EventId,
    pub(crate) event_type: String,
    pub(crate) occurred_at: Time,
    pub(crate) data: Vec<u8>,
    pub(crate) purged: bool,
}

/// Some of what waits of an automation, in order, from behind a row on.
pub(crate) fn waiting(
    conn: &Connection,
    automation: AutomationId,
    after: i64,
    limit: usize,
) -> Result<Vec<Waiting>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT d.seq, d.endpoint, d.subject, d.status = 'held', d.status_reason, e.id, e.type, e.occurred_at, e.data, e.purged_at IS NOT NULL
         FROM deliveries d JOIN events e ON e.seq = d.event_seq
         WHERE d.automation_id = ?1 AND d.automation_id IS NOT NULL AND d.finished_at IS NULL AND d.seq > ?2 AND {WAITS}
         ORDER BY d.seq LIMIT ?3"
    ))?;
    Ok(statement
        .query_map(params![automation, after, limit as i64], |r| {
            Ok(Waiting {
                seq: r.get(0)?,
                endpoint: r.get(1)?,
                subject: r.get(2)?,
                is_held: r.get(3)?,
                reason: r.get(4)?,
                event: r.get(5)?,
                event_type: r.get(6)?,
                occurred_at: r.get(7)?,
                data: r.get(8)?,
                purged: r.get(9)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// What a delivery that waits becomes, written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It waits as before.
    AsItWas,
    /// It goes at this time.
    Due(Time),
    /// It waits for a cause to go away.
    Held(Reason),
    /// It is not sent.
    Skipped(Reason),
}

/// Writes anew what waits; false when it waits no more.
pub(crate) fn rewrite(
    conn: &Connection,
    seq: i64,
    recipient: &str,
    becomes: &Becomes,
    marks: &Marks<'_>,
    now: Time,
) -> Result<bool> {
    let (status, reason, due) = match becomes {
        Becomes::AsItWas => {
            let changed = conn
                .prepare_cached(&format!(
                    "UPDATE deliveries SET recipient = ?2, automation_version = ?3 WHERE seq = ?1 AND finished_at IS NULL AND {WAITS}"
                ))?
                .execute(params![seq, recipient, marks.version])?;
            return Ok(changed == 1);
        }
        Becomes::Due(at) => ("pending", None, Some(*at)),
        Becomes::Held(reason) => ("held", Some(*reason), None),
        Becomes::Skipped(reason) => ("skipped", Some(*reason), None),
    };
    let changed = conn
        .prepare_cached(&format!(
            "UPDATE deliveries SET recipient = ?2, status = ?3, status_reason = ?4, due_at = ?5, after_earlier = 0, args = ?6, finished_at = ?7,
               automation_version = ?8, not_before = ?9, expires_at = ?10
             WHERE seq = ?1 AND finished_at IS NULL AND {WAITS}"
        ))?
        .execute(params![
            seq,
            recipient,
            status,
            reason,
            due,
            marks.why,
            (status == "skipped").then_some(now),
            marks.version,
            marks.not_before,
            marks.until
        ])?;
    Ok(changed == 1)
}

/// Closes what waits of an automation, by the owner's hand: `(endpoint, subject)` of each.
pub(crate) fn close_waiting(
    conn: &Connection,
    automation: AutomationId,
    now: Time,
    limit: usize,
) -> Result<Vec<(String, Option<String>)>> {
    let mut statement = conn.prepare_cached(&format!(
        "UPDATE deliveries SET status = 'cancelled', status_reason = 'by_owner', due_at = NULL, after_earlier = 0, not_before = NULL, args = NULL, finished_at = ?2
         WHERE seq IN (SELECT seq FROM deliveries WHERE automation_id = ?1 AND automation_id IS NOT NULL AND finished_at IS NULL AND {WAITS} LIMIT ?3)
         RETURNING endpoint, subject"
    ))?;
    Ok(statement
        .query_map(params![automation, now, limit as i64], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// What an automation holds for one reason.
pub(crate) struct Held {
    pub(crate) automation: AutomationId,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) limit: u32,
    pub(crate) reason: Reason,
    pub(crate) n: u64,
    pub(crate) since: Time,
    pub(crate) newest: Time,
    /// The values that the newest of them lacks.
    pub(crate) missing: Vec<String>,
}

/// What the automations of a workspace hold for the owner, by an index of what is not final alone.
pub(crate) fn held(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Held>> {
    let mut statement = conn.prepare_cached(
        "SELECT a.id, a.name, a.kind, coalesce(json_extract(a.settings, '$.limit'), w.message_limit), d.status_reason, count(*), min(d.created_at), max(d.created_at), d.args
         FROM automations a JOIN workspaces w ON w.id = a.workspace_id
         JOIN deliveries d ON d.automation_id = a.id AND d.automation_id IS NOT NULL AND d.finished_at IS NULL AND d.status = 'held'
         WHERE a.workspace_id = ? AND (d.status_reason = 'over_limit' OR d.status_reason = 'missing_value')
         GROUP BY a.id, d.status_reason",
    )?;
    Ok(statement
        .query_map([workspace], |r| {
            Ok(Held {
                automation: r.get(0)?,
                name: r.get(1)?,
                kind: r.get(2)?,
                limit: r.get(3)?,
                reason: r.get(4)?,
                n: r.get::<_, i64>(5)?.cast_unsigned(),
                since: r.get(6)?,
                newest: r.get(7)?,
                missing: r.get::<_, Option<Why>>(8)?.unwrap_or_default().missing,
            })
        })?
        .collect::<rusqlite::Result<_>>()?)
}

const HELD_BY: &str = "SELECT seq FROM deliveries WHERE automation_id = ?1 AND automation_id IS NOT NULL AND finished_at IS NULL AND status = 'held' AND status_reason = ?2 ORDER BY seq LIMIT ?3";

/// The oldest that an automation holds for a reason.
pub(crate) fn first_held(
    conn: &Connection,
    automation: AutomationId,
    reason: Reason,
    limit: usize,
) -> Result<Vec<DeliveryRecord>> {
    let seqs: Vec<i64> = conn
        .prepare_cached(HELD_BY)?
        .query_map(params![automation, reason, limit as i64], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut found = Vec::with_capacity(seqs.len());
    for seq in seqs {
        found.extend(super::deliveries::at(conn, seq)?);
    }
    Ok(found)
}

/// Lets go some of what an automation holds, each at its own time: `(endpoint, subject)` of each.
pub(crate) fn let_go(
    conn: &Connection,
    automation: AutomationId,
    reason: Reason,
    now: Time,
    limit: usize,
) -> Result<Vec<(String, Option<String>)>> {
    moved(
        conn,
        automation,
        reason,
        now,
        limit,
        "status = 'pending', status_reason = NULL, due_at = max(?4, coalesce(not_before, 0))",
    )
}

/// Closes some of what an automation holds, by the owner's hand: `(endpoint, subject)` of each.
pub(crate) fn close_held(
    conn: &Connection,
    automation: AutomationId,
    reason: Reason,
    now: Time,
    limit: usize,
) -> Result<Vec<(String, Option<String>)>> {
    moved(
        conn,
        automation,
        reason,
        now,
        limit,
        "status = 'cancelled', status_reason = 'by_owner', not_before = NULL, args = NULL, finished_at = ?4",
    )
}

fn moved(
    conn: &Connection,
    automation: AutomationId,
    reason: Reason,
    now: Time,
    limit: usize,
    becomes: &str,
) -> Result<Vec<(String, Option<String>)>> {
    let mut statement = conn.prepare_cached(&format!(
        "UPDATE deliveries SET {becomes} WHERE seq IN ({HELD_BY}) RETURNING endpoint, subject"
    ))?;
    Ok(statement
        .query_map(params![automation, reason, limit as i64, now], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?)
}
