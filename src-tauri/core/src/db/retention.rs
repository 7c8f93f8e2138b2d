//! Table `settings`, what may go for its age, and how much room everything takes.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Serialize, de::DeserializeOwned};

use crate::clock::Time;
use crate::error::{Error, Result};

/// How many events an estimate looks at.
const SAMPLES: i64 = 200;

/// A setting, if it was ever set.
pub(crate) fn setting<T: DeserializeOwned>(conn: &Connection, name: &str) -> Result<Option<T>> {
    let text: Option<String> = conn
        .prepare_cached("SELECT value FROM settings WHERE name = ?")?
        .query_row([name], |r| r.get(0))
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(Error::internal))
        .transpose()
}

pub(crate) fn set(conn: &Connection, name: &str, value: &impl Serialize) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
    )?
    .execute(params![
        name,
        serde_json::to_string(value).map_err(Error::internal)?
    ])?;
    Ok(())
}

/// What goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Data, bodies, requests and answers; the rows stay.
    Texts,
    /// The rows.
    Facts,
}

/// Events above a row whose time is over, oldest first: recorded before `until`, and so long ended.
pub(crate) fn over(
    conn: &Connection,
    what: What,
    after: i64,
    until: Time,
    limit: usize,
) -> Result<Vec<i64>> {
    let has_texts = match what {
        What::Texts => "e.purged_at IS NULL AND",
        What::Facts => "",
    };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT e.seq FROM events e WHERE e.seq > ?1 AND e.seq < ?2 AND {has_texts}
           NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.seq >= e.first_delivery AND d.seq < e.first_delivery + e.deliveries AND (d.finished_at IS NULL OR d.finished_at >= ?3))
           AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = e.seq AND d.replay_of IS NOT NULL AND (d.finished_at IS NULL OR d.finished_at >= ?3))
         ORDER BY e.seq LIMIT ?4",
    ))?;
    let bound = super::log::first_from(conn, super::search::Of::Events, until)?;
    Ok(statement
        .query_map(params![after, bound, until, limit as i64], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// The deliveries of an event, replays among them.
fn deliveries(conn: &Connection, event: i64) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(
        "SELECT d.seq FROM events e JOIN deliveries d ON d.seq >= e.first_delivery AND d.seq < e.first_delivery + e.deliveries WHERE e.seq = ?1
         UNION ALL SELECT seq FROM deliveries WHERE event_seq = ?1 AND replay_of IS NOT NULL",
    )?;
    Ok(statement
        .query_map([event], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// How many deliveries an event has, and how many bytes of text they and it take.
pub(crate) fn measured(conn: &Connection, event: i64) -> Result<(u64, u64)> {
    let data: i64 = conn
        .prepare_cached("SELECT length(data) FROM events WHERE seq = ?")?
        .query_row([event], |r| r.get(0))?;
    let mut bytes = data;
    let rows = deliveries(conn, event)?;
    for row in &rows {
        bytes += conn
            .prepare_cached(
                "SELECT coalesce((SELECT length(body) FROM bodies WHERE delivery_seq = ?1), 0)
                   + coalesce((SELECT sum(coalesce(length(response_body), 0) + coalesce(length(response_headers), 0) + coalesce(length(further_headers), 0) + coalesce(length(request_url), 0))
                       FROM attempts WHERE delivery_seq = ?1), 0)",
            )?
            .query_row([row], |r| r.get::<_, i64>(0))?;
    }
    Ok((rows.len() as u64, bytes.cast_unsigned()))
}

/// Removes the texts of an event and all its deliveries. Each row is touched, so that the search
/// index forgets their words. One that was given up cannot be sent any more, and needs nobody.
pub(crate) fn purge_texts(conn: &Connection, event: i64, now: Time) -> Result<()> {
    for row in deliveries(conn, event)? {
        conn.prepare_cached("DELETE FROM bodies WHERE delivery_seq = ?")?
            .execute([row])?;
        conn.prepare_cached(
            "UPDATE attempts SET request_url = NULL, signed_at = NULL, further_headers = NULL, response_headers = NULL, response_body = NULL WHERE delivery_seq = ?",
        )?
        .execute([row])?;
        conn.prepare_cached(
            "UPDATE deliveries SET status_reason = iif(status = 'failed', coalesce(status_reason, 'text_purged'), status_reason) WHERE seq = ?",
        )?
        .execute([row])?;
    }
    conn.prepare_cached("UPDATE events SET data = x'', purged_at = ? WHERE seq = ?")?
        .execute(params![now, event])?;
    Ok(())
}

/// Removes an event and all its deliveries.
pub(crate) fn drop_facts(conn: &Connection, event: i64) -> Result<()> {
    for row in deliveries(conn, event)? {
        conn.prepare_cached("DELETE FROM deliveries WHERE seq = ?")?
            .execute([row])?;
    }
    conn.prepare_cached("DELETE FROM events WHERE seq = ?")?
        .execute([event])?;
    Ok(())
}

/// The last row up to which all texts are gone.
pub(crate) fn purged_up_to(conn: &Connection, known: i64) -> Result<i64> {
    let first: Option<i64> = conn.query_row(
        "SELECT min(seq) FROM events WHERE seq > ? AND purged_at IS NULL",
        [known],
        |r| r.get(0),
    )?;
    Ok(first.map_or(known, |first| first - 1))
}

/// Gives free pages back to the system, so many at most; how many are left.
pub(crate) fn shrink(conn: &Connection, pages: u32) -> Result<u64> {
    conn.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let left: i64 = conn.pragma_query_value(None, "freelist_count", |r| r.get(0))?;
    Ok(left.cast_unsigned())
}

/// What a look at the ends and at a few rows tells.
pub(crate) struct Rough {
    pub(crate) database: u64,
    pub(crate) texts: u64,
    pub(crate) events: u64,
    pub(crate) deliveries: u64,
}

pub(crate) fn rough(conn: &Connection) -> Result<Rough> {
    let pragma = |name| -> Result<i64> { Ok(conn.pragma_query_value(None, name, |r| r.get(0))?) };
    let database = pragma("page_count")? * pragma("page_size")?;
    let ends = |table: &str| -> Result<(i64, i64)> {
        // Each by itself: two at once would be a scan.
        Ok(conn.query_row(
            &format!("SELECT coalesce((SELECT min(seq) FROM {table}), 1), coalesce((SELECT max(seq) FROM {table}), 0)"),
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )?)
    };
    let (first, last) = ends("events")?;
    let events = last - first + 1;
    let step = (events / SAMPLES).max(1);
    let (mut looked, mut bytes, mut at) = (0, 0, first);
    while at <= last {
        let found: Option<i64> = conn
            .prepare_cached("SELECT seq FROM events WHERE seq >= ? ORDER BY seq LIMIT 1")?
            .query_row([at], |r| r.get(0))
            .optional()?;
        let Some(seq) = found else { break };
        bytes += measured(conn, seq)?.1;
        looked += 1;
        at = seq.max(at) + step;
    }
    let (first, last) = ends("deliveries")?;
    Ok(Rough {
        database: database.cast_unsigned(),
        texts: (bytes * events.cast_unsigned())
            .checked_div(looked)
            .unwrap_or(0),
        events: events.cast_unsigned(),
        deliveries: (last - first + 1).cast_unsigned(),
    })
}
