//! Table `unfinished_uploads`.

use rusqlite::{Connection, params};

use crate::error::Result;
use crate::ids::WorkspaceId;

/// A file whose parts may lie in a storage.
#[derive(Debug, Clone)]
pub(crate) struct UnfinishedRow {
    pub(crate) workspace: WorkspaceId,
    pub(crate) key: String,
    /// The bucket's address.
    pub(crate) bucket: String,
    /// What the storage calls it, if it had answered.
    pub(crate) upload_id: Option<String>,
}

/// Before the storage is asked, and again with what it calls it.
pub(crate) fn put(conn: &Connection, row: &UnfinishedRow, process: &str) -> Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO unfinished_uploads (workspace_id, key, bucket, upload_id, process) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.workspace,
        row.key,
        row.bucket,
        row.upload_id,
        process
    ])?;
    Ok(())
}

/// Nothing of it lies there any more.
pub(crate) fn delete(conn: &Connection, workspace: WorkspaceId, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM unfinished_uploads WHERE workspace_id = ? AND key = ?")?
        .execute(params![workspace, key])?;
    Ok(())
}

/// Those that other processes began.
pub(crate) fn of_others(conn: &Connection, process: &str) -> Result<Vec<UnfinishedRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM unfinished_uploads WHERE process <> ?")?;
    Ok(statement
        .query_map([process], |row| {
            Ok(UnfinishedRow {
                workspace: row.get("workspace_id")?,
                key: row.get("key")?,
                bucket: row.get("bucket")?,
                upload_id: row.get("upload_id")?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?)
}
