//! Table `events`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::clock::Time;
use crate::error::Result;
use crate::ids::{EventId, WorkspaceId};

/// An event to be stored.
pub(crate) struct NewRow<'a> {
    pub(crate) id: EventId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) event_type: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) occurred_at: Time,
    pub(crate) received_at: Time,
    pub(crate) source: &'a str,
    pub(crate) data: &'a [u8],
    pub(crate) data_sha256: [u8; 32],
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) deliveries: u32,
    /// The row number of the first of them; the others follow on it.
    pub(crate) first_delivery: i64,
}

/// An event as stored.
pub(crate) struct EventRow {
    pub(crate) seq: i64,
    pub(crate) id: EventId,
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) occurred_at: Time,
    pub(crate) received_at: Time,
    pub(crate) source: String,
    /// Empty once it was removed for its age.
    pub(crate) data: Vec<u8>,
    pub(crate) purged_at: Option<Time>,
    /// The rows of the deliveries that were queued with it.
    pub(crate) deliveries: std::ops::Range<i64>,
}

fn row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        seq: row.get("seq")?,
        id: row.get("id")?,
        event_type: row.get("type")?,
        subject: row.get("subject")?,
        occurred_at: row.get("occurred_at")?,
        received_at: row.get("received_at")?,
        source: row.get("source")?,
        data: row.get("data")?,
        purged_at: row.get("purged_at")?,
        deliveries: {
            let first = row.get("first_delivery")?;
            first..first + row.get::<_, i64>("deliveries")?
        },
    })
}

/// Stores an event in the row that its id names.
pub(crate) fn insert(conn: &Connection, new: &NewRow<'_>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO events (seq, id, workspace_id, type, subject, occurred_at, received_at, source, data, data_sha256, idempotency_key, fingerprint, deliveries, first_delivery)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.id.row(),
        new.id,
        new.workspace,
        new.event_type,
        new.subject,
        new.occurred_at,
        new.received_at,
        new.source,
        new.data,
        new.data_sha256,
        new.idempotency_key,
        new.fingerprint,
        new.deliveries,
        new.first_delivery
    ])?;
    Ok(())
}

/// The event with this idempotency key: its id, fingerprint and number of deliveries.
pub(crate) fn by_key(
    conn: &Connection,
    workspace: WorkspaceId,
    key: &str,
) -> Result<Option<(EventId, [u8; 32], u32)>> {
    let mut statement = conn.prepare_cached("SELECT id, fingerprint, deliveries FROM events WHERE workspace_id = ? AND idempotency_key = ?")?;
    Ok(statement
        .query_row(params![workspace, key], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .optional()?)
}

/// One event, with its own id.
pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    id: EventId,
) -> Result<Option<EventRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM events WHERE seq = ? AND id = ? AND workspace_id = ?")?;
    Ok(statement
        .query_row(params![id.row(), id, workspace], row)
        .optional()?)
}

/// The number of the last row.
pub(crate) fn last_row(conn: &Connection) -> Result<i64> {
    Ok(conn.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |r| r.get(0))?)
}

/// The newest event that came with a token: neither by the window nor by the command line.
pub(crate) fn newest_from_outside(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<EventRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM (SELECT * FROM events WHERE workspace_id = ? ORDER BY seq DESC LIMIT 1000)
         WHERE source NOT IN ('window', 'signalctl') AND type <> 'webhook.test' ORDER BY seq DESC LIMIT 1",
    )?;
    Ok(statement.query_row([workspace], row).optional()?)
}

/// The events of a workspace in these rows, oldest first, until `look` has seen enough.
pub(crate) fn within(
    conn: &Connection,
    workspace: WorkspaceId,
    (first, end): (i64, i64),
    mut look: impl FnMut(EventRow) -> Result<bool>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM events WHERE workspace_id = ? AND seq >= ? AND seq < ? ORDER BY seq",
    )?;
    for found in statement.query_map(params![workspace, first, end], row)? {
        if !look(found?)? {
            break;
        }
    }
    Ok(())
}

/// The newest event of one of these types that still has its text, among the last thousand.
pub(crate) fn newest_of(
    conn: &Connection,
    workspace: WorkspaceId,
    types: &[String],
) -> Result<Option<EventRow>> {
    let types = serde_json::to_string(types).map_err(crate::Error::internal)?;
    let mut statement = conn.prepare_cached(
        "SELECT * FROM (SELECT * FROM events WHERE workspace_id = ? ORDER BY seq DESC LIMIT 1000)
         WHERE type IN (SELECT value FROM json_each(?)) AND purged_at IS NULL ORDER BY seq DESC LIMIT 1",
    )?;
    Ok(statement
        .query_row(params![workspace, types], row)
        .optional()?)
}

/// The event with this row number.
pub(crate) fn at(conn: &Connection, seq: i64) -> Result<Option<EventRow>> {
    let mut statement = conn.prepare_cached("SELECT * FROM events WHERE seq = ?")?;
    Ok(statement.query_row([seq], row).optional()?)
}

/// The last events, and no test among them.
pub(crate) fn latest(
    conn: &Connection,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<EventRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM events WHERE workspace_id = ? AND type <> 'webhook.test' ORDER BY seq DESC LIMIT ?",
    )?;
    Ok(statement
        .query_map(params![workspace, limit], row)?
        .collect::<rusqlite::Result<_>>()?)
}

/// Hands over the newest events since a time, one by one, and no test among them.
pub(crate) fn newest(
    conn: &Connection,
    workspace: WorkspaceId,
    since: Time,
    limit: u32,
    mut look: impl FnMut(EventRow),
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM events WHERE workspace_id = ? AND received_at >= ? AND type <> 'webhook.test' AND purged_at IS NULL ORDER BY seq DESC LIMIT ?",
    )?;
    for found in statement.query_map(params![workspace, since, limit], row)? {
        look(found?);
    }
    Ok(())
}
