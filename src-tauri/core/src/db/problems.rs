//! Tables `dismissed_problems` and `solved_problems`, and what problems follow from. Each look-up
//! goes by an index of what is given up or held alone, however many deliveries there are.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize as _;

use super::deliveries::{self, DeliveryRecord};
use crate::clock::Time;
use crate::deliveries::{Reason, Status};
use crate::error::Result;
use crate::ids::{WebhookId, WorkspaceId};
use crate::outbox::target;
use crate::outcome::Failure;
use crate::problems::{Many, OLD_SECRET_DAYS, Solution};

/// Solved problems are shown for so long.
const SHOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;
const SHOWN: u32 = 20;

/// Deliveries that were given up at an endpoint within a time, to a blocked address or otherwise.
pub(crate) struct GivenUp {
    pub(crate) endpoint: String,
    pub(crate) blocked: bool,
    pub(crate) after: Time,
    pub(crate) until: Time,
}

const GIVEN_UP: &str = "endpoint = ?1 AND status = 'failed' AND is_test = 0 AND finished_at > ?2 AND finished_at <= ?3 AND (code IS 'blocked_address') = ?4";

/// How many were given up, and since when.
pub(crate) fn given_up(conn: &Connection, which: &GivenUp) -> Result<Option<Many>> {
    let (n, since) = conn
        .prepare_cached(&format!(
            "SELECT count(*), min(finished_at) FROM deliveries WHERE {GIVEN_UP}"
        ))?
        .query_row(
            params![which.endpoint, which.after, which.until, which.blocked],
            |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Option<Time>>(1)?)),
        )?;
    Ok(since.map(|since| Many {
        n: n.cast_unsigned(),
        since,
    }))
}

/// The row numbers of some of them, oldest first.
pub(crate) fn batch(conn: &Connection, which: &GivenUp, limit: usize) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT seq FROM deliveries WHERE {GIVEN_UP} ORDER BY finished_at, seq LIMIT ?5"
    ))?;
    Ok(statement
        .query_map(
            params![
                which.endpoint,
                which.after,
                which.until,
                which.blocked,
                limit as i64
            ],
            |r| r.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?)
}

/// How many of an integration's deliveries nobody knows of whether they were done, and since when.
pub(crate) fn unknown(
    conn: &Connection,
    workspace: WorkspaceId,
    endpoint: &str,
    after: Time,
) -> Result<Option<Many>> {
    let (n, since) = conn
        .prepare_cached(
            "SELECT count(*), min(created_at) FROM deliveries WHERE workspace_id = ?1 AND status = 'unknown' AND status <> 'success' AND endpoint = ?2 AND created_at > ?3",
        )?
        .query_row(params![workspace, endpoint, after], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, Option<Time>>(1)?))
        })?;
    Ok(since.map(|since| Many {
        n: n.cast_unsigned(),
        since,
    }))
}

/// Deliveries of an endpoint that are not final: held for a reason, or of unknown fate.
pub(crate) enum Waiting {
    Held(Reason),
    Unknown,
}

/// The row numbers of some of them that were queued by `until`, oldest first.
pub(crate) fn waiting(
    conn: &Connection,
    workspace: WorkspaceId,
    endpoint: &str,
    which: &Waiting,
    until: Time,
    limit: usize,
) -> Result<Vec<i64>> {
    let (status, reason) = match which {
        Waiting::Held(reason) => (Status::Held, Some(*reason)),
        Waiting::Unknown => (Status::Unknown, None),
    };
    let mut statement = conn.prepare_cached(
        "SELECT seq FROM deliveries WHERE workspace_id = ?1 AND status = ?2 AND status <> 'success' AND endpoint = ?3 AND status_reason IS ?4 AND created_at <= ?5 ORDER BY seq LIMIT ?6",
    )?;
    Ok(statement
        .query_map(
            params![workspace, status, endpoint, reason, until, limit as i64],
            |r| r.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?)
}

/// What is held at an endpoint, by reason.
pub(crate) fn held(conn: &Connection, endpoint: &str) -> Result<Vec<(Reason, Many)>> {
    let mut statement = conn.prepare_cached(
        "SELECT status_reason, count(*), min(created_at) FROM deliveries WHERE endpoint = ? AND status = 'held' GROUP BY status_reason",
    )?;
    let rows = statement.query_map([endpoint], |r| {
        Ok((
            r.get(0)?,
            Many {
                n: r.get::<_, i64>(1)?.cast_unsigned(),
                since: r.get(2)?,
            },
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What the newest try at an endpoint said whose delivery is held for a reason.
pub(crate) fn held_because(
    conn: &Connection,
    endpoint: &str,
    reason: Reason,
) -> Result<Option<Failure>> {
    let found = conn
        .prepare_cached(
            "SELECT code, args FROM deliveries WHERE endpoint = ? AND status = 'held' AND status_reason = ? ORDER BY created_at DESC LIMIT 1",
        )?
        .query_row(params![endpoint, reason], |r| {
            super::webhooks::failure(r, "code", "args")
        })
        .optional()?;
    Ok(found.flatten())
}

/// The oldest deliveries of some endpoints that a problem is about.
pub(crate) fn first(
    conn: &Connection,
    endpoints: &[String],
    status: Status,
    limit: usize,
) -> Result<Vec<DeliveryRecord>> {
    let which = match status {
        Status::Held => "d.status = 'held' ORDER BY d.status_reason, d.created_at, d.seq",
        Status::Unknown => "d.status = 'unknown' AND d.finished_at IS NULL ORDER BY d.seq",
        _ => "d.status = 'failed' AND d.is_test = 0 ORDER BY d.finished_at, d.seq",
    };
    let mut found = Vec::new();
    for endpoint in endpoints {
        found.extend(deliveries::at_endpoint(conn, endpoint, which, limit)?);
    }
    found.sort_by_key(|record| record.seq);
    found.truncate(limit);
    Ok(found)
}

/// What was dismissed, and when.
pub(crate) fn dismissed(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<HashMap<String, Time>> {
    let mut statement =
        conn.prepare_cached("SELECT problem, at FROM dismissed_problems WHERE workspace_id = ?")?;
    Ok(statement
        .query_map([workspace], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn dismiss(
    conn: &Connection,
    workspace: WorkspaceId,
    problem: &str,
    now: Time,
) -> Result<()> {
    conn.execute(
        "INSERT INTO dismissed_problems (workspace_id, problem, at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?3",
        params![workspace, problem, now],
    )?;
    Ok(())
}

/// Notes that a problem was solved, and forgets what is long past.
pub(crate) fn note(
    conn: &Connection,
    workspace: WorkspaceId,
    how: Solution,
    who: &str,
    n: u64,
    now: Time,
) -> Result<()> {
    let how = serde_json::to_value(how).unwrap_or_default();
    conn.execute(
        "INSERT INTO solved_problems (workspace_id, at, how, who, deliveries) VALUES (?, ?, ?, ?, ?)",
        params![workspace, now, how.as_str(), who, n.cast_signed()],
    )?;
    conn.execute(
        "DELETE FROM solved_problems WHERE workspace_id = ? AND at < ?",
        params![workspace, now.plus_ms(-SHOWN_MS)],
    )?;
    Ok(())
}

/// What was solved lately, newest first: when, how, who, how many.
pub(crate) fn solved(
    conn: &Connection,
    workspace: WorkspaceId,
    now: Time,
) -> Result<Vec<(Time, Solution, String, u64)>> {
    let mut statement = conn.prepare_cached(
        "SELECT at, how, who, deliveries FROM solved_problems WHERE workspace_id = ? AND at >= ? ORDER BY at DESC, rowid DESC LIMIT ?",
    )?;
    let rows = statement.query_map(params![workspace, now.plus_ms(-SHOWN_MS), SHOWN], |r| {
        let how = r.get::<_, String>(1)?;
        let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&how);
        let how = Solution::deserialize(word).map_err(|_| rusqlite::Error::InvalidQuery)?;
        Ok((
            r.get(0)?,
            how,
            r.get(2)?,
            r.get::<_, i64>(3)?.cast_unsigned(),
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that an old secret was changed.
pub(crate) fn secret_changed(
    conn: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    made: Time,
    now: Time,
) -> Result<()> {
    if now.ms_since(made) < OLD_SECRET_DAYS * 24 * 60 * 60 * 1000 {
        return Ok(());
    }
    let name: String =
        conn.query_row("SELECT name FROM webhooks WHERE id = ?", [id], |r| r.get(0))?;
    note(conn, workspace, Solution::SecretChanged, &name, 0, now)
}

/// Lets go what waited for the key store at an endpoint, and notes it.
pub(crate) fn unlocked(
    conn: &Connection,
    workspace: WorkspaceId,
    endpoint: &str,
    now: Time,
) -> Result<u64> {
    let n = deliveries::release_held(conn, endpoint, Reason::Keychain, now)? as u64;
    if n > 0 {
        let name = match target::integration(endpoint) {
            Some((kind, _)) => Some(kind.provider_name().to_owned()),
            None => conn
                .query_row("SELECT name FROM webhooks WHERE id = ?", [endpoint], |r| {
                    r.get(0)
                })
                .optional()?,
        };
        let name = name.unwrap_or_default();
        note(conn, workspace, Solution::Unlocked, &name, n, now)?;
    }
    Ok(n)
}
