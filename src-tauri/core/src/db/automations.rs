//! Tables `automations` and `automation_versions`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::automations::{Action, Counts, Settings};
use crate::clock::Time;
use crate::deliveries::Status;
use crate::error::{Error, Result};
use crate::ids::{AutomationId, WorkspaceId};

/// An automation as stored, with the texts that are used now.
#[derive(Debug, Clone)]
pub(crate) struct AutomationRow {
    pub(crate) id: AutomationId,
    pub(crate) name: String,
    pub(crate) is_active: bool,
    pub(crate) settings: Settings,
    pub(crate) action: Action,
    pub(crate) version: u32,
    pub(crate) created_at: Time,
    pub(crate) changed_at: Time,
}

/// A version of its texts.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) version: u32,
    pub(crate) action: Action,
    pub(crate) restored_from: Option<u32>,
    pub(crate) created_at: Time,
    /// How many deliveries were made with it.
    pub(crate) deliveries: u64,
}

const SELECT: &str = "SELECT a.id, a.name, a.is_active, a.settings, a.version, a.created_at, v.action, v.created_at AS changed_at
  FROM automations a JOIN automation_versions v ON v.automation_id = a.id AND v.version = a.version";

fn row(row: &Row<'_>) -> rusqlite::Result<AutomationRow> {
    Ok(AutomationRow {
        id: row.get("id")?,
        name: row.get("name")?,
        is_active: row.get("is_active")?,
        settings: super::json(row.get_ref("settings")?.as_str()?)?,
        action: super::json(row.get_ref("action")?.as_str()?)?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        changed_at: row.get("changed_at")?,
    })
}

fn written<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// Those of a workspace, in the order in which they were made.
pub(crate) fn all(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<AutomationRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE a.workspace_id = ? AND a.deleted_at IS NULL ORDER BY a.created_at, a.id"
    ))?;
    Ok(statement
        .query_map([workspace], row)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    id: AutomationId,
) -> Result<Option<AutomationRow>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE a.id = ? AND a.workspace_id = ? AND a.deleted_at IS NULL"
    ))?;
    Ok(statement
        .query_row(params![id, workspace], row)
        .optional()?)
}

/// The name of one that is, or was.
pub(crate) fn name(conn: &Connection, id: AutomationId) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT name FROM automations WHERE id = ?")?
        .query_row([id], |r| r.get(0))
        .optional()?)
}

pub(crate) fn count(conn: &Connection, workspace: WorkspaceId) -> Result<u64> {
    let n: i64 = conn.query_row(
        "SELECT count(*) FROM automations WHERE workspace_id = ? AND deleted_at IS NULL",
        [workspace],
        |r| r.get(0),
    )?;
    Ok(n.cast_unsigned())
}

pub(crate) fn insert(conn: &Connection, workspace: WorkspaceId, new: &AutomationRow) -> Result<()> {
    conn.execute(
        "INSERT INTO automations (id, workspace_id, name, kind, is_active, settings, version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            new.id,
            workspace,
            new.name,
            new.action.kind(),
            new.is_active,
            written(&new.settings)?,
            new.version,
            new.created_at
        ],
    )?;
    insert_version(conn, new, None)
}

/// Stores what a row says; its texts only where they are another version.
pub(crate) fn update(
    conn: &Connection,
    changed: &AutomationRow,
    is_new_version: bool,
    restored_from: Option<u32>,
) -> Result<()> {
    conn.execute(
        "UPDATE automations SET name = ?2, kind = ?3, is_active = ?4, settings = ?5, version = ?6 WHERE id = ?1",
        params![
            changed.id,
            changed.name,
            changed.action.kind(),
            changed.is_active,
            written(&changed.settings)?,
            changed.version
        ],
    )?;
    if is_new_version {
        insert_version(conn, changed, restored_from)?;
    }
    Ok(())
}

fn insert_version(
    conn: &Connection,
    row: &AutomationRow,
    restored_from: Option<u32>,
) -> Result<()> {
    conn.execute(
        "INSERT INTO automation_versions (automation_id, version, action, restored_from, created_at) VALUES (?, ?, ?, ?, ?)",
        params![
            row.id,
            row.version,
            written(&row.action)?,
            restored_from,
            row.changed_at
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, id: AutomationId, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE automations SET deleted_at = ?2, is_active = 0 WHERE id = ?1",
        params![id, now],
    )?;
    Ok(())
}

/// Its versions, the newest first.
pub(crate) fn versions(conn: &Connection, id: AutomationId) -> Result<Vec<VersionRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT v.version, v.action, v.restored_from, v.created_at,
           (SELECT count(*) FROM deliveries d WHERE d.automation_id = v.automation_id AND d.automation_id IS NOT NULL AND d.automation_version = v.version AND d.is_test = 0)
         FROM automation_versions v WHERE v.automation_id = ? ORDER BY v.version DESC",
    )?;
    Ok(statement
        .query_map([id], |r| {
            Ok(VersionRow {
                version: r.get(0)?,
                action: super::json(r.get_ref(1)?.as_str()?)?,
                restored_from: r.get(2)?,
                created_at: r.get(3)?,
                deliveries: r.get::<_, i64>(4)?.cast_unsigned(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// What it did since then.
pub(crate) fn counts(conn: &Connection, id: AutomationId, since: Time) -> Result<Counts> {
    let mut statement = conn.prepare_cached(
        "SELECT status, count(*) FROM deliveries WHERE automation_id = ? AND automation_id IS NOT NULL AND created_at >= ? AND is_test = 0 GROUP BY status",
    )?;
    let mut counts = Counts::default();
    let rows = statement.query_map(params![id, since], |r| {
        Ok((r.get::<_, Status>(0)?, r.get::<_, i64>(1)?))
    })?;
    for row in rows {
        let (status, n) = row?;
        let n = n.cast_unsigned();
        match status {
            Status::Success => counts.sent += n,
            Status::Pending | Status::Sending | Status::Unknown => counts.waiting += n,
            Status::Held => counts.held += n,
            Status::Failed => counts.failed += n,
            Status::Skipped | Status::Cancelled => counts.skipped += n,
        }
    }
    Ok(counts)
}
