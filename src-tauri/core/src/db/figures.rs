//! Deliveries as figures: read in one pass over the rows since a time, tests left out.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::log::first_from;
use super::search::Of;
use crate::clock::Time;
use crate::deliveries::{Channel, Status};
use crate::error::Result;
use crate::ids::WorkspaceId;

/// Open deliveries of each status that are looked at for the oldest one of an endpoint.
const OLDEST: u32 = 10_000;

/// A delivery, as far as it is counted.
pub(crate) struct Figure<'a> {
    pub(crate) channel: Channel,
    pub(crate) endpoint: &'a str,
    pub(crate) status: Status,
    pub(crate) tries: u32,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) created_at: Time,
}

/// Hands over each delivery that was queued since a time, oldest first.
pub(crate) fn each_since(
    conn: &Connection,
    workspace: WorkspaceId,
    since: Time,
    mut each: impl FnMut(&Figure<'_>),
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT channel, endpoint, status, tries, duration_ms, created_at FROM deliveries
         WHERE seq >= ? AND +workspace_id = ? AND is_test = 0 AND created_at >= ? ORDER BY seq",
    )?;
    let first = first_from(conn, Of::Deliveries, since)?;
    let mut rows = statement.query(params![first, workspace, since])?;
    while let Some(row) = rows.next()? {
        each(&Figure {
            channel: row.get(0)?,
            endpoint: row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?,
            status: row.get(2)?,
            tries: row.get(3)?,
            duration_ms: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
            created_at: row.get(5)?,
        });
    }
    Ok(())
}

/// Since when each endpoint's oldest open delivery waits, by channel and endpoint; however long ago
/// that is.
pub(crate) fn oldest_waiting(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<HashMap<(Channel, String), Time>> {
    let mut oldest: HashMap<(Channel, String), Time> = HashMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT channel, endpoint, created_at FROM deliveries INDEXED BY deliveries_not_through
         WHERE workspace_id = ? AND status = ? AND status <> 'success' AND is_test = 0 ORDER BY seq LIMIT ?",
    )?;
    for status in [
        Status::Pending,
        Status::Sending,
        Status::Held,
        Status::Unknown,
    ] {
        let rows = statement.query_map(params![workspace, status, OLDEST], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?;
        for row in rows {
            let (endpoint, at) = row?;
            let known = oldest.entry(endpoint).or_insert(at);
            *known = at.min(*known);
        }
    }
    Ok(oldest)
}

/// The name and address of a webhook, also of one that was removed.
pub(crate) fn webhook(conn: &Connection, endpoint: &str) -> Result<Option<(String, String)>> {
    Ok(conn
        .prepare_cached("SELECT name, url FROM webhooks WHERE id = ?")?
        .query_row([endpoint], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}
