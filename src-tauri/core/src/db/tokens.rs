//! Table `api_tokens`.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::Time;
use crate::error::Result;
use crate::ids::{TokenId, WorkspaceId};
use crate::tokens::{Bearer, Token};

pub(crate) fn all(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Token>> {
    let mut statement = conn.prepare_cached("SELECT * FROM api_tokens WHERE workspace_id = ? AND revoked_at IS NULL ORDER BY created_at, id")?;
    let rows = statement.query_map([workspace], |row| {
        Ok(Token {
            id: row.get("id")?,
            name: row.get("name")?,
            scope: row.get("scope")?,
            created_at: row.get("created_at")?,
            last_used_at: row.get("last_used_at")?,
            last_four: row.get("last_four")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    token: &Token,
    hash: &[u8; 32],
) -> Result<()> {
    conn.execute(
        "INSERT INTO api_tokens (id, workspace_id, name, scope, hash, last_four, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![token.id, workspace, token.name, token.scope, hash, token.last_four, token.created_at],
    )?;
    Ok(())
}

pub(crate) fn revoke(
    conn: &Connection,
    workspace: WorkspaceId,
    id: TokenId,
    now: Time,
) -> Result<bool> {
    Ok(conn.execute("UPDATE api_tokens SET revoked_at = ? WHERE workspace_id = ? AND id = ? AND revoked_at IS NULL", params![now, workspace, id])? > 0)
}

pub(crate) fn by_hash(conn: &Connection, hash: &[u8; 32]) -> Result<Option<Bearer>> {
    let mut statement = conn.prepare_cached("SELECT id, workspace_id, scope, name FROM api_tokens WHERE hash = ? AND revoked_at IS NULL")?;
    Ok(statement
        .query_row([hash], |row| {
            Ok(Bearer {
                token: row.get(0)?,
                workspace: row.get(1)?,
                scope: row.get(2)?,
                name: row.get(3)?,
            })
        })
        .optional()?)
}

pub(crate) fn used(conn: &Connection, id: TokenId, now: Time) -> Result<()> {
    conn.prepare_cached("UPDATE api_tokens SET last_used_at = ? WHERE id = ?")?
        .execute(params![now, id])?;
    Ok(())
}
