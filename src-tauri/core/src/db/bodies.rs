//! Table `bodies`: what a call says where that is not the event's data itself.

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::error::Result;

/// Stores the body of a delivery, once; one that was never tried may get another.
pub(crate) fn insert(conn: &Connection, delivery: i64, body: &[u8]) -> Result<()> {
    conn.prepare_cached("INSERT INTO bodies (delivery_seq, body, sha256) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET body = ?2, sha256 = ?3")?
        .execute(params![
            delivery,
            body,
            <[u8; 32]>::from(Sha256::digest(body))
        ])?;
    Ok(())
}

/// The body of a delivery that has one of its own.
pub(crate) fn of(conn: &Connection, delivery: i64) -> Result<Option<Vec<u8>>> {
    Ok(conn
        .prepare_cached("SELECT body FROM bodies WHERE delivery_seq = ?")?
        .query_row([delivery], |r| r.get(0))
        .optional()?)
}
