//! Table `replays`, and the deliveries that a replay looks at and queues.

use std::collections::HashMap;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Deserialize as _;

use super::deliveries::ORDER_WAIT_MS;
use super::webhooks::word_in_sql;
use crate::clock::Time;
use crate::deliveries::{Channel, Content, Reason, Status};
use crate::error::Result;
use crate::ids::{AutomationId, DeliveryId, ReplayId, WorkspaceId};
use crate::outbox::target::{self, Stop};

word_in_sql!(Content);

/// A replay as stored.
#[derive(Debug, Clone)]
pub(crate) struct ReplayRow {
    pub(crate) seq: i64,
    pub(crate) id: ReplayId,
    pub(crate) workspace: WorkspaceId,
    /// The filter, as JSON.
    pub(crate) filter: String,
    pub(crate) content: Content,
    /// Rows above it were not there when it began.
    pub(crate) bound: i64,
    /// Rows up to it have had their turn.
    pub(crate) position: i64,
    /// The replays that ran when it began, and where each stood.
    pub(crate) beside: Vec<(i64, i64)>,
    pub(crate) total: u64,
    pub(crate) queued: u64,
    pub(crate) per_minute: Option<u32>,
    pub(crate) next_at: Time,
    pub(crate) started_at: Time,
    /// When all were queued.
    pub(crate) queued_at: Option<Time>,
    pub(crate) cancelled_at: Option<Time>,
}

/// What is said of one when it begins.
pub(crate) struct NewRow<'a> {
    pub(crate) id: ReplayId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) filter: &'a str,
    pub(crate) content: Content,
    pub(crate) bound: i64,
    pub(crate) beside: &'a [(i64, i64)],
    pub(crate) total: u64,
    pub(crate) per_minute: Option<u32>,
    pub(crate) now: Time,
}

/// How the deliveries of a replay stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) waiting: u64,
    pub(crate) cancelled: u64,
}

fn row(row: &Row<'_>) -> rusqlite::Result<ReplayRow> {
    Ok(ReplayRow {
        seq: row.get("seq")?,
        id: row.get("id")?,
        workspace: row.get("workspace_id")?,
        filter: row.get("filter")?,
        content: row.get("content")?,
        bound: row.get("bound")?,
        position: row.get("position")?,
        beside: super::json(row.get_ref("beside")?.as_str()?)?,
        total: row.get::<_, i64>("total")?.cast_unsigned(),
        queued: row.get::<_, i64>("queued")?.cast_unsigned(),
        per_minute: row.get("per_minute")?,
        next_at: row.get("next_at")?,
        started_at: row.get("started_at")?,
        queued_at: row.get("queued_at")?,
        cancelled_at: row.get("cancelled_at")?,
    })
}

pub(crate) fn insert(conn: &Connection, new: &NewRow<'_>) -> Result<()> {
    conn.execute(
        "INSERT INTO replays (id, workspace_id, filter, content, bound, beside, total, per_minute, next_at, started_at)
         VALUES (?1, ?2, ?3, ?9, ?4, ?5, ?6, ?7, ?8, ?8)",
        params![
            new.id,
            new.workspace,
            new.filter,
            new.bound,
            serde_json::to_string(new.beside).map_err(crate::Error::internal)?,
            new.total.cast_signed(),
            new.per_minute,
            new.now,
            new.content
        ],
    )?;
    Ok(())
}

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ReplayId,
) -> Result<Option<ReplayRow>> {
    Ok(conn
        .prepare_cached("SELECT * FROM replays WHERE id = ? AND workspace_id = ?")?
        .query_row(params![id, workspace], row)
        .optional()?)
}

pub(crate) fn at(conn: &Connection, seq: i64) -> Result<Option<ReplayRow>> {
    Ok(conn
        .prepare_cached("SELECT * FROM replays WHERE seq = ?")?
        .query_row([seq], row)
        .optional()?)
}

/// Those that still have deliveries to queue.
pub(crate) fn going(conn: &Connection) -> Result<Vec<ReplayRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM replays WHERE queued_at IS NULL ORDER BY seq")?;
    Ok(statement
        .query_map([], row)?
        .collect::<rusqlite::Result<_>>()?)
}

const RUNS: &str = "(r.queued_at IS NULL OR EXISTS (SELECT 1 FROM deliveries d WHERE d.replay = r.seq AND d.status IN ('pending', 'sending', 'held', 'unknown')))";

/// Those of a workspace that queue, or whose deliveries are not all final; and where each stands.
pub(crate) fn running(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<(i64, i64)>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT r.seq, r.position FROM replays r WHERE r.workspace_id = ? AND {RUNS} ORDER BY r.seq"
    ))?;
    Ok(statement
        .query_map([workspace], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Those that run or began since then, newest first.
pub(crate) fn shown(
    conn: &Connection,
    workspace: WorkspaceId,
    since: Time,
) -> Result<Vec<ReplayRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT r.* FROM replays r WHERE r.workspace_id = ? AND (r.started_at >= ? OR {RUNS}) ORDER BY r.started_at DESC, r.seq DESC LIMIT 200"
    ))?;
    Ok(statement
        .query_map(params![workspace, since], row)?
        .collect::<rusqlite::Result<_>>()?)
}

/// How what a replay queued stands, by an index that holds nothing else.
pub(crate) fn standing(conn: &Connection, seq: i64) -> Result<Standing> {
    let mut statement = conn.prepare_cached(
        "SELECT status, count(*) FROM deliveries WHERE replay = ? GROUP BY status",
    )?;
    let mut standing = Standing::default();
    for counted in statement.query_map([seq], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?)))? {
        let (status, n) = counted?;
        let n = n.cast_unsigned();
        match status {
            Status::Success => standing.sent += n,
            Status::Failed => standing.failed += n,
            Status::Cancelled | Status::Skipped => standing.cancelled += n,
            Status::Pending | Status::Sending | Status::Held | Status::Unknown => {
                standing.waiting += n;
            }
        }
    }
    Ok(standing)
}

/// How many it queued that nobody has tried yet.
pub(crate) fn untried(conn: &Connection, seq: i64) -> Result<u64> {
    let n: i64 = conn
        .prepare_cached("SELECT count(*) FROM deliveries WHERE replay = ? AND status = 'pending' AND attempts = 0")?
        .query_row([seq], |r| r.get(0))?;
    Ok(n.cast_unsigned())
}

/// How far it is, and when it may go on.
pub(crate) fn advance(
    conn: &Connection,
    seq: i64,
    position: i64,
    queued: u64,
    next_at: Time,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE replays SET position = ?2, queued = queued + ?3, next_at = ?4 WHERE seq = ?1",
    )?
    .execute(params![seq, position, queued.cast_signed(), next_at])?;
    Ok(())
}

/// All that it found is queued; what moved meanwhile no longer counts.
pub(crate) fn all_queued(conn: &Connection, seq: i64, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE replays SET queued_at = ?2, total = queued WHERE seq = ?1",
        params![seq, now],
    )?;
    Ok(())
}

/// The owner stopped it: nothing more is queued.
pub(crate) fn cancelled(conn: &Connection, seq: i64, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE replays SET cancelled_at = ?2, queued_at = coalesce(queued_at, ?2) WHERE seq = ?1",
        params![seq, now],
    )?;
    Ok(())
}

/// A delivery that may be sent again, with all that decides about it.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) seq: i64,
    pub(crate) event_seq: i64,
    pub(crate) endpoint: String,
    pub(crate) subject: Option<String>,
    pub(crate) status: Status,
    pub(crate) test: bool,
    /// The first of those that say the same.
    pub(crate) first: DeliveryId,
    /// The replay that queued it.
    pub(crate) replay: Option<i64>,
    pub(crate) purged: bool,
    pub(crate) reason: Option<Reason>,
    /// The automation that made it.
    pub(crate) automation: Option<AutomationId>,
    /// False for one of an automation whose text was never made.
    pub(crate) has_text: bool,
    /// How the place stands that it goes to.
    pub(crate) place: Place,
    /// Whoever it is for answered STOP, to it or to a later one.
    pub(crate) unwanted: bool,
    /// The others that say the same, without the first.
    pub(crate) others: Vec<Other>,
}

/// Another delivery that says the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Other {
    pub(crate) seq: i64,
    pub(crate) status: Status,
    pub(crate) replay: Option<i64>,
}

/// How the webhook or integration stands that a delivery goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It may be called.
    Open,
    /// What goes there waits, for this reason.
    Holds(Reason),
    /// What goes there is not sent at all: the owner switched it off.
    Skips,
    /// A webhook that was removed.
    Removed,
    /// An integration that is not set up.
    NotSetUp,
}

impl Place {
    fn of(conn: &Connection, endpoint: &str) -> Result<Self> {
        Ok(match target::find(conn, endpoint)?.map(|to| to.stop) {
            None if target::integration(endpoint).is_some() => Self::NotSetUp,
            None => Self::Removed,
            Some(None) => Self::Open,
            Some(Some(Stop::Hold(reason))) => Self::Holds(reason),
            Some(Some(Stop::Skip)) => Self::Skips,
        })
    }
}

/// Who answered STOP, and to which text last: of one endpoint, from this row on.
fn stopped(conn: &Connection, endpoint: &str, from: i64) -> Result<HashMap<String, i64>> {
    let Some((_, workspace)) = target::integration(endpoint) else {
        return Ok(HashMap::new());
    };
    let mut statement = conn.prepare_cached(
        "SELECT recipient, max(seq) FROM deliveries INDEXED BY deliveries_not_through WHERE workspace_id = ?1 AND status IN ('failed', 'cancelled') AND status <> 'success'
           AND seq >= ?3 AND endpoint = ?2 AND code IS NOT NULL AND json_extract(args, '$.detail') = 'answered_stop' GROUP BY recipient",
    )?;
    Ok(statement
        .query_map(params![workspace, endpoint, from], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// What stands in these rows, in their order.
pub(crate) fn candidates(conn: &Connection, seqs: &[i64]) -> Result<Vec<Candidate>> {
    let list = serde_json::to_string(seqs).map_err(crate::Error::internal)?;
    let mut statement = conn.prepare_cached(
        "SELECT d.seq, d.event_seq, d.endpoint, d.subject, d.status, d.is_test, coalesce(d.replay_of, d.id), d.replay,
           e.purged_at IS NOT NULL, d.channel, d.recipient, d.status_reason, d.automation_id,
           d.automation_id IS NULL OR EXISTS (SELECT 1 FROM bodies b WHERE b.delivery_seq = d.seq)
         FROM json_each(?) j JOIN deliveries d ON d.seq = j.value JOIN events e ON e.seq = d.event_seq ORDER BY d.seq",
    )?;
    let mut others = conn.prepare_cached(
        "SELECT seq, status, replay FROM deliveries WHERE event_seq = ? AND replay_of IS NOT NULL AND replay_of = ? AND seq <> ? ORDER BY seq",
    )?;
    let found = statement
        .query_map([list], |r| {
            let one = Candidate {
                seq: r.get(0)?,
                event_seq: r.get(1)?,
                endpoint: r.get(2)?,
                subject: r.get(3)?,
                status: r.get(4)?,
                test: r.get(5)?,
                first: r.get(6)?,
                replay: r.get(7)?,
                purged: r.get(8)?,
                reason: r.get(11)?,
                automation: r.get(12)?,
                has_text: r.get(13)?,
                place: Place::Open,
                unwanted: false,
                others: Vec::new(),
            };
            Ok((one, r.get::<_, Channel>(9)?, r.get::<_, String>(10)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut places = HashMap::new();
    let mut candidates = Vec::with_capacity(found.len());
    for (mut one, channel, recipient) in found {
        if !places.contains_key(&one.endpoint) {
            let stopped = match channel {
                Channel::Sms => stopped(conn, &one.endpoint, one.seq)?,
                _ => HashMap::new(),
            };
            let place = Place::of(conn, &one.endpoint)?;
            places.insert(one.endpoint.clone(), (place, stopped));
        }
        if let Some((place, stopped)) = places.get(&one.endpoint) {
            one.place = *place;
            one.unwanted = stopped.get(&recipient).is_some_and(|last| *last >= one.seq);
        }
        one.others = others
            .query_map(params![one.event_seq, one.first, one.seq], |r| {
                Ok(Other {
                    seq: r.get(0)?,
                    status: r.get(1)?,
                    replay: r.get(2)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        candidates.push(one);
    }
    Ok(candidates)
}

/// How one that is sent again enters the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enters {
    /// Due now.
    Due,
    /// Waits for an earlier one about the same subject.
    AfterEarlier,
    /// Held from the start: where it goes is paused, or needs the owner.
    Held(Reason),
}

/// Queues another delivery of the same event with the same bytes; one that was given up needs the
/// owner no more, for the new one tells how it goes on.
pub(crate) fn queue(
    conn: &Connection,
    of: &Candidate,
    replay: i64,
    id: DeliveryId,
    enters: Enters,
    now: Time,
) -> Result<()> {
    let (status, reason, due) = match enters {
        Enters::Due => (Status::Pending, None, Some(now)),
        Enters::AfterEarlier => (Status::Pending, None, Some(now.plus_ms(ORDER_WAIT_MS))),
        Enters::Held(reason) => (Status::Held, Some(reason), None),
    };
    conn.prepare_cached(
        "INSERT INTO deliveries (seq, id, workspace_id, event_seq, channel, endpoint, event_type, subject, recipient, status, status_reason, replay_of, replay, trigger, due_at, after_earlier, created_at, automation_id, automation_version)
         SELECT ?2, ?3, d.workspace_id, d.event_seq, d.channel, d.endpoint, d.event_type, d.subject, d.recipient, ?4, ?5, ?6, ?7, 'replay', ?8, ?9, ?10, d.automation_id, d.automation_version
         FROM deliveries d WHERE d.seq = ?1",
    )?
    .execute(params![
        of.seq,
        id.row(),
        id,
        status,
        reason,
        of.first,
        replay,
        due,
        enters == Enters::AfterEarlier,
        now
    ])?;
    conn.prepare_cached(
        "INSERT INTO bodies (delivery_seq, body, sha256) SELECT ?2, body, sha256 FROM bodies WHERE delivery_seq = ?1",
    )?
    .execute(params![of.seq, id.row()])?;
    if of.status == Status::Failed {
        conn.prepare_cached("UPDATE deliveries SET status_reason = 'replayed' WHERE seq = ? AND status = 'failed' AND status_reason IS NULL")?
            .execute([of.seq])?;
    }
    Ok(())
}

/// Gives a delivery that was just queued a text that was made anew.
pub(crate) fn write_anew(
    conn: &Connection,
    id: DeliveryId,
    version: u32,
    recipient: &str,
    body: &[u8],
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE deliveries SET automation_version = ?2, recipient = ?3 WHERE seq = ?1",
    )?
    .execute(params![id.row(), version, recipient])?;
    super::bodies::insert(conn, id.row(), body)
}

/// Closes some of what a replay queued and is not out: `(endpoint, subject)` of each. What had been
/// given up before needs the owner again.
pub(crate) fn cancel_some(
    conn: &Connection,
    seq: i64,
    now: Time,
    limit: usize,
) -> Result<Vec<(String, Option<String>)>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, endpoint, subject, event_seq, replay_of FROM deliveries WHERE replay = ? AND status IN ('pending', 'held') LIMIT ?",
    )?;
    let rows = statement
        .query_map(params![seq, limit as i64], |r| {
            Ok((
                r.get::<_, i64>(0)?,
                (r.get(1)?, r.get(2)?),
                r.get::<_, i64>(3)?,
                r.get::<_, DeliveryId>(4)?,
            ))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut closed = Vec::with_capacity(rows.len());
    for (row, place, event, first) in rows {
        super::deliveries::cancel(conn, row, now)?;
        conn.prepare_cached(
            "UPDATE deliveries SET status_reason = NULL WHERE status = 'failed' AND status_reason = 'replayed' AND seq = (
               SELECT max(seq) FROM (SELECT ?3 AS seq UNION ALL
                 SELECT seq FROM deliveries WHERE event_seq = ?1 AND replay_of IS NOT NULL AND replay_of = ?4 AND seq < ?2))",
        )?
        .execute(params![event, row, first.row(), first])?;
        closed.push(place);
    }
    Ok(closed)
}
