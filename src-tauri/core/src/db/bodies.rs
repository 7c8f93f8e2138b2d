//! Table `bodies`: what a call says where that is not the event's data itself.

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::error::Result;

/// Stores the body of a delivery, once.
pub(crate) fn insert(conn: &Connection, delivery: i64, body: &[u8]) -> Result<()> {
    conn.prepare_cached("INSERT INTO bodies (delivery_seq, body, sha256) VALUES (?, ?, ?)")?
        .execute(params![
            delivery,
            body,
            <[u8; 32]>::from(Sha256::digest(body))
        ])?;
    Ok(())
}
