//! Table `event_types`: what owners declared.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::error::Result;
use crate::events::EventType;
use crate::ids::WorkspaceId;

pub(crate) fn declared(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<BTreeMap<String, EventType>> {
    let mut statement = conn.prepare_cached(
        "SELECT name, label, description, schema, example FROM event_types WHERE workspace_id = ?",
    )?;
    let rows = statement.query_map([workspace], |row| {
        let kind = EventType {
            name: row.get(0)?,
            label: row.get(1)?,
            description: row.get(2)?,
            schema: super::json(&row.get::<_, String>(3)?)?,
            example: super::json(&row.get::<_, String>(4)?)?,
            declared: true,
        };
        Ok((kind.name.clone(), kind))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn insert(conn: &Connection, workspace: WorkspaceId, kind: &EventType) -> Result<()> {
    conn.execute(
        "INSERT INTO event_types (workspace_id, name, label, description, schema, example) VALUES (?, ?, ?, ?, ?, ?)",
        params![workspace, kind.name, kind.label, kind.description, kind.schema.to_string(), kind.example.to_string()],
    )?;
    Ok(())
}
