//! Table `tallies` and the counters of `webhooks` and `integrations`: what ended, added up once per commit.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::error::Result;
use crate::outbox::target;

/// A quarter of an hour, in milliseconds: every zone's days begin on one.
pub(crate) const QUARTER_MS: i64 = 15 * 60 * 1000;

/// Deliveries that ended at an endpoint within one quarter of an hour.
pub(crate) struct Tally {
    endpoint: String,
    quarter: i64,
    succeeded: u32,
    failed: u32,
    /// When the last one got through.
    through_at: Option<Time>,
}

impl Tally {
    /// One delivery that ended at `at`.
    pub(crate) fn one(endpoint: &str, at: Time, success: bool) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            quarter: at.as_ms().div_euclid(QUARTER_MS),
            succeeded: success.into(),
            failed: (!success).into(),
            through_at: success.then_some(at),
        }
    }

    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.quarter == other.quarter && self.endpoint == other.endpoint
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.through_at = self.through_at.max(other.through_at);
    }
}

macro_rules! counted {
    () => {
        "succeeded = succeeded + ?2, failed = failed + ?3,
         last_triggered_at = coalesce(?4, last_triggered_at), last_success_at = coalesce(?4, last_success_at),
         last_code = iif(?4 IS NULL, last_code, NULL), last_args = iif(?4 IS NULL, last_args, NULL),
         failing_tries = iif(?4 IS NULL, failing_tries, 0), failing_since = iif(?4 IS NULL, failing_since, NULL)"
    };
}

pub(super) fn write(conn: &Connection, tallies: &[Tally]) -> Result<()> {
    for tally in tallies {
        conn.prepare_cached(
            "INSERT INTO tallies (endpoint, quarter, succeeded, failed) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET succeeded = succeeded + ?3, failed = failed + ?4",
        )?
        .execute(params![
            tally.endpoint,
            tally.quarter,
            tally.succeeded,
            tally.failed
        ])?;
        // Within one commit the success is taken for the later one.
        match target::integration(&tally.endpoint) {
            None => conn
                .prepare_cached(concat!(
                    "UPDATE webhooks SET ",
                    counted!(),
                    " WHERE id = ?1"
                ))?
                .execute(params![
                    tally.endpoint,
                    tally.succeeded,
                    tally.failed,
                    tally.through_at
                ])?,
            Some((kind, workspace)) => conn
                .prepare_cached(concat!(
                    "UPDATE integrations SET ",
                    counted!(),
                    " WHERE workspace_id = ?5 AND kind = ?1"
                ))?
                .execute(params![
                    kind,
                    tally.succeeded,
                    tally.failed,
                    tally.through_at,
                    workspace
                ])?,
        };
    }
    Ok(())
}

/// What ended since a quarter: `(quarter, succeeded, failed)`.
pub(crate) fn since(
    conn: &Connection,
    endpoint: &str,
    since: Time,
) -> Result<Vec<(Time, u64, u64)>> {
    let mut statement = conn.prepare_cached("SELECT quarter, succeeded, failed FROM tallies WHERE endpoint = ? AND quarter >= ? ORDER BY quarter")?;
    let rows = statement.query_map(
        params![endpoint, since.as_ms().div_euclid(QUARTER_MS)],
        |row| {
            Ok((
                Time::from_ms(row.get::<_, i64>(0)? * QUARTER_MS),
                row.get::<_, i64>(1)?.cast_unsigned(),
                row.get::<_, i64>(2)?.cast_unsigned(),
            ))
        },
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
