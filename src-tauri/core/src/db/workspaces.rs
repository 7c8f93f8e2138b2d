//! Table `workspaces`.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::error::Result;
use crate::ids::WorkspaceId;
use crate::workspaces::Workspace;

fn row(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace {
        id: row.get("id")?,
        name: row.get("name")?,
        timezone: row.get("timezone")?,
        quiet_hours: row
            .get::<_, Option<String>>("quiet_hours")?
            .map(|text| super::json(&text))
            .transpose()?,
        message_limit: row.get("message_limit")?,
        created_at: row.get("created_at")?,
        is_practice: row.get("is_practice")?,
    })
}

pub(crate) fn all(conn: &Connection) -> Result<Vec<Workspace>> {
    let mut statement = conn.prepare_cached("SELECT * FROM workspaces ORDER BY created_at, id")?;
    Ok(statement
        .query_map([], row)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn get(conn: &Connection, id: WorkspaceId) -> Result<Option<Workspace>> {
    Ok(conn
        .prepare_cached("SELECT * FROM workspaces WHERE id = ?")?
        .query_row([id], row)
        .optional()?)
}

pub(crate) fn by_name(conn: &Connection, name: &str) -> Result<Option<WorkspaceId>> {
    Ok(conn
        .query_row("SELECT id FROM workspaces WHERE name = ?", [name], |r| {
            r.get(0)
        })
        .optional()?)
}

pub(crate) fn insert(conn: &Connection, new: &Workspace) -> Result<()> {
    conn.execute(
        "INSERT INTO workspaces (id, name, timezone, created_at) VALUES (?, ?, ?, ?)",
        params![new.id, new.name, new.timezone, new.created_at],
    )?;
    Ok(())
}

pub(crate) fn update(conn: &Connection, changed: &Workspace) -> Result<()> {
    conn.execute(
        "UPDATE workspaces SET name = ?2, timezone = ?3, quiet_hours = ?4, message_limit = ?5, is_practice = ?6 WHERE id = ?1",
        params![
            changed.id,
            changed.name,
            changed.timezone,
            changed
                .quiet_hours
                .as_ref()
                .and_then(|hours| serde_json::to_string(hours).ok()),
            changed.message_limit,
            changed.is_practice
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, id: WorkspaceId) -> Result<()> {
    conn.execute(
        "DELETE FROM tallies WHERE endpoint IN (SELECT id FROM webhooks WHERE workspace_id = ?)",
        [id],
    )?;
    for kind in crate::integrations::Kind::ALL {
        conn.execute(
            "DELETE FROM tallies WHERE endpoint = ?",
            [kind.endpoint(id)],
        )?;
    }
    conn.execute("DELETE FROM deliveries WHERE workspace_id = ?", [id])?;
    conn.execute("DELETE FROM workspaces WHERE id = ?", [id])?;
    Ok(())
}
