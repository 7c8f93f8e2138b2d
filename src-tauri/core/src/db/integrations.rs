//! Table `integrations`.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use serde::Deserialize as _;

use super::webhooks::{failure, word_in_sql};
use crate::clock::Time;
use crate::deliveries::Reason;
use crate::error::Result;
use crate::ids::WorkspaceId;
use crate::integrations::{Kind, Settings, Switches, WhenPaused};
use crate::outbox::target::Stop;
use crate::outcome::Failure;

word_in_sql!(WhenPaused);

/// An integration as stored.
#[derive(Debug, Clone)]
pub(crate) struct IntegrationRow {
    pub(crate) settings: Settings,
    pub(crate) is_active: bool,
    pub(crate) when_paused: WhenPaused,
    pub(crate) needs: Option<Reason>,
    pub(crate) last_tested: Option<Time>,
    /// How the last test went; `Some(Ok)` is well.
    pub(crate) test: Option<Result<(), Failure>>,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) last_success_at: Option<Time>,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) failing_tries: u32,
    pub(crate) failing_since: Option<Time>,
}

impl IntegrationRow {
    /// What keeps it from being called now.
    pub(crate) fn stop(&self) -> Option<Stop> {
        if self.is_active {
            self.needs.map(Stop::Hold)
        } else {
            Some(self.when_paused.stop())
        }
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<IntegrationRow> {
    let status: Option<String> = row.get("test_status")?;
    let test = match status.as_deref() {
        None => None,
        Some("success") => Some(Ok(())),
        Some(_) => failure(row, "test_code", "test_args")?.map(Err),
    };
    Ok(IntegrationRow {
        settings: Settings::from_json(row.get("kind")?, &row.get::<_, String>("settings")?)?,
        is_active: row.get("is_active")?,
        when_paused: row.get("when_paused")?,
        needs: row.get("needs")?,
        last_tested: row.get("last_tested")?,
        test,
        succeeded: row.get::<_, i64>("succeeded")?.cast_unsigned(),
        failed: row.get::<_, i64>("failed")?.cast_unsigned(),
        last_success_at: row.get("last_success_at")?,
        last_failure: failure(row, "last_code", "last_args")?,
        failing_tries: row.get("failing_tries")?,
        failing_since: row.get("failing_since")?,
    })
}

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
) -> Result<Option<IntegrationRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM integrations WHERE workspace_id = ? AND kind = ?")?;
    Ok(statement
        .query_row(params![workspace, kind], row)
        .optional()?)
}

/// The kinds that a workspace has set up.
pub(crate) fn kinds(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Kind>> {
    let mut statement =
        conn.prepare_cached("SELECT kind FROM integrations WHERE workspace_id = ? ORDER BY kind")?;
    Ok(statement
        .query_map([workspace], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Stores settings, new or in place of former ones; what was counted stays.
pub(crate) fn save(
    conn: &Connection,
    workspace: WorkspaceId,
    settings: &Settings,
    now: Time,
) -> Result<()> {
    let kind = settings.kind();
    conn.execute(
        "INSERT INTO integrations (workspace_id, kind, provider, settings, is_active, when_paused, created_at) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)
         ON CONFLICT DO UPDATE SET provider = ?3, settings = ?4",
        params![
            workspace,
            kind,
            kind.provider(),
            settings.to_json(),
            WhenPaused::default(),
            now
        ],
    )?;
    Ok(())
}

/// Switches it on or off, and says what happens meanwhile.
pub(crate) fn switch(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    switches: Switches,
) -> Result<()> {
    conn.execute(
        "UPDATE integrations SET is_active = coalesce(?3, is_active), when_paused = coalesce(?4, when_paused) WHERE workspace_id = ?1 AND kind = ?2",
        params![workspace, kind, switches.is_active, switches.when_paused],
    )?;
    Ok(())
}

/// Notes how a test went.
pub(crate) fn tested(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    at: Time,
    result: &Result<(), Failure>,
) -> Result<()> {
    let failure = result.as_ref().err();
    conn.execute(
        "UPDATE integrations SET last_tested = ?3, test_status = ?4, test_code = ?5, test_args = ?6 WHERE workspace_id = ?1 AND kind = ?2",
        params![
            workspace,
            kind,
            at,
            if failure.is_none() { "success" } else { "failed" },
            failure.map(|f| f.code),
            failure.and_then(|f| serde_json::to_string(&f.args).ok())
        ],
    )?;
    Ok(())
}

/// Notes what the provider wants of the owner, or that it wants nothing any more.
pub(crate) fn set_needs(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    needs: Option<Reason>,
) -> Result<()> {
    conn.execute(
        "UPDATE integrations SET needs = ?3 WHERE workspace_id = ?1 AND kind = ?2",
        params![workspace, kind, needs],
    )?;
    Ok(())
}

/// Notes a try that failed. One that got through is noted with the tally of its commit.
pub(crate) fn tried_in_vain(
    conn: &Connection,
    workspace: WorkspaceId,
    kind: Kind,
    at: Time,
    failure: &Failure,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE integrations SET last_triggered_at = ?3, last_code = ?4, last_args = ?5, failing_tries = failing_tries + 1, failing_since = coalesce(failing_since, ?3) WHERE workspace_id = ?1 AND kind = ?2",
    )?
    .execute(params![
        workspace,
        kind,
        at,
        failure.code,
        serde_json::to_string(&failure.args).unwrap_or_default()
    ])?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, workspace: WorkspaceId, kind: Kind) -> Result<bool> {
    let deleted = conn.execute(
        "DELETE FROM integrations WHERE workspace_id = ? AND kind = ?",
        params![workspace, kind],
    )?;
    Ok(deleted == 1)
}
