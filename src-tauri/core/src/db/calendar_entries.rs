//! Table `calendar_entries`.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Time;
use crate::error::Result;
use crate::ids::WorkspaceId;

/// An entry that we wrote, as it was after our last write.
#[derive(Debug, Clone)]
pub(crate) struct EntryRow {
    pub(crate) calendar: String,
    pub(crate) title: String,
    pub(crate) starts_at: Option<Time>,
    pub(crate) link: Option<String>,
    /// Sums of what it says, by member.
    pub(crate) seen: BTreeMap<String, String>,
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        calendar: row.get("calendar_id")?,
        title: row.get("title")?,
        starts_at: row.get("starts_at")?,
        link: row.get("link")?,
        seen: super::json(&row.get::<_, String>("seen")?)?,
    })
}

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    entry: &str,
) -> Result<Option<EntryRow>> {
    Ok(conn
        .prepare_cached("SELECT * FROM calendar_entries WHERE workspace_id = ? AND entry_id = ?")?
        .query_row(params![workspace, entry], row)
        .optional()?)
}

/// The next entries from a moment on, the nearest first, with their ids.
pub(crate) fn next(
    conn: &Connection,
    workspace: WorkspaceId,
    from: Time,
    limit: u32,
) -> Result<Vec<(String, EntryRow)>> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM calendar_entries WHERE workspace_id = ? AND starts_at >= ? ORDER BY starts_at, entry_id LIMIT ?",
    )?;
    Ok(statement
        .query_map(params![workspace, from, limit], |r| {
            Ok((r.get("entry_id")?, row(r)?))
        })?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn put(
    conn: &Connection,
    workspace: WorkspaceId,
    entry: &str,
    row: &EntryRow,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO calendar_entries (workspace_id, entry_id, calendar_id, title, starts_at, link, seen) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace,
        entry,
        row.calendar,
        row.title,
        row.starts_at,
        row.link,
        serde_json::to_string(&row.seen).unwrap_or_default()
    ])?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, workspace: WorkspaceId, entry: &str) -> Result<()> {
    conn.execute(
        "DELETE FROM calendar_entries WHERE workspace_id = ? AND entry_id = ?",
        params![workspace, entry],
    )?;
    Ok(())
}

/// Entries that began before `until`, and that nothing is under way or waiting for.
const OVER: &str = "SELECT workspace_id, entry_id FROM calendar_entries c WHERE starts_at < ?1
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.endpoint = 'calendar.' || c.workspace_id AND d.subject = c.entry_id AND d.finished_at IS NULL)";

/// How many are over.
pub(crate) fn count_over(conn: &Connection, until: Time) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM ({OVER})");
    let n: i64 = conn.query_row(&sql, [until], |r| r.get(0))?;
    Ok(n.cast_unsigned())
}

/// Forgets those that are over, so many at most; how many went.
pub(crate) fn forget_over(conn: &Connection, until: Time, limit: u32) -> Result<u64> {
    let sql =
        format!("DELETE FROM calendar_entries WHERE (workspace_id, entry_id) IN ({OVER} LIMIT ?2)");
    Ok(conn.prepare_cached(&sql)?.execute(params![until, limit])? as u64)
}
