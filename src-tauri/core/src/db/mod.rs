//! The database: one SQLite file of everything that must not be lost, one writer thread, a few
//! readers.
//!
//! Settings follow sqlite.org/wal.html and sqlite.org/pragma.html: WAL with `synchronous=FULL`, so
//! that what was answered is on the disk. One file per table beside this one.

pub(crate) mod attempts;
pub(crate) mod automations;
pub(crate) mod bodies;
pub(crate) mod calendar_entries;
pub(crate) mod deliveries;
pub(crate) mod event_types;
pub(crate) mod events;
pub(crate) mod figures;
pub(crate) mod integrations;
pub(crate) mod log;
pub(crate) mod planned;
pub(crate) mod problems;
pub(crate) mod replays;
pub(crate) mod retention;
pub(crate) mod search;
pub(crate) mod tallies;
pub(crate) mod tokens;
pub(crate) mod unfinished_uploads;
pub(crate) mod webhooks;
pub(crate) mod workspaces;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use search::{Index, Look};
pub(crate) use writer::Tx;
use writer::Writer;

use crate::changes::Changes;
use crate::error::{Error, Kind, Result};

/// "sgbx": tells our file from others.
const APPLICATION_ID: i32 = 0x7367_6278;
const MIGRATION_STEPS: &[M<'static>] = &[M::up(include_str!("../../migrations/0001.sql"))];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(MIGRATION_STEPS);
/// The first SQLite without the WAL-reset defect.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Readers kept open.
const READERS: usize = 3;

/// The open database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    writer: Writer,
    readers: Arc<Mutex<Vec<Connection>>>,
    index: Index,
    path: Arc<Path>,
}

impl Database {
    /// Opens or makes the file, and brings its tables up to date.
    pub(crate) fn open(path: &Path, changes: Changes) -> Result<Self> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(Error::new(
                Kind::Internal,
                "Signalbox was built with a SQLite that may lose data. It will not start.",
            ));
        }
        let mut conn = connect(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        )?;
        let found: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != APPLICATION_ID {
            if found != 0 || version != 0 {
                return Err(Error::new(
                    Kind::WrongData,
                    "The file signalbox.db is not one of Signalbox's. Nothing was changed; move it away or choose another data folder.",
                ));
            }
            // Both must come before the first table. A commit touches the last page of every index:
            // larger pages make fewer of them.
            conn.pragma_update(None, "page_size", 8192)?;
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            conn.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        let mode: String =
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Error::new(
                Kind::ReadOnly,
                "The data folder lies where SQLite cannot work safely, on a network drive perhaps. Choose a folder on this computer.",
            ));
        }
        conn.pragma_update(None, "synchronous", "FULL")?;
        #[cfg(target_os = "macos")]
        for pragma in ["fullfsync", "checkpoint_fullfsync"] {
            conn.pragma_update(None, pragma, true)?;
        }
        conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
        // 16 MiB: under load a page is brought home once for many changes. When idle the writer
        // empties the log anyway.
        conn.pragma_update(None, "wal_autocheckpoint", 2000)?;
        conn.pragma_update(None, "cache_size", -2 * 1024)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        MIGRATIONS.to_latest(&mut conn).map_err(|error| match error {
            rusqlite_migration::Error::MigrationDefinition(rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead) => Error::new(
                Kind::WrongData,
                "This data was last used by a newer version of Signalbox. Nothing was changed; install the newer version.",
            ),
            other => Error::internal(other),
        })?;
        let index = Index::start(path)?;
        index.listen(&conn)?;
        Ok(Self {
            writer: Writer::start(conn, changes, index.clone())?,
            index,
            readers: Arc::default(),
            path: path.into(),
        })
    }

    /// Reads, on a thread for blocking work.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let kept = this
                .readers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            let conn = match kept {
                Some(conn) => conn,
                None => reader(&this.path)?,
            };
            let result = work(&conn);
            let mut readers = this.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < READERS {
                readers.push(conn);
            }
            result
        })
        .await
        .map_err(Error::internal)?
    }

    /// Reads with the help of the search index.
    pub(crate) async fn read_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &mut Look) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let index = self.index.clone();
        self.read(move |conn| work(conn, &mut index.look())).await
    }

    /// Writes; the answer comes after the commit is durable. All callers that queue up during one
    /// commit share the next.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        self.writer.write(work)
    }

    /// What [`Database::write`] does, but for the order of commit and answer: the planted bug that
    /// the kill test must find.
    #[cfg(feature = "early-answer")]
    pub(crate) fn write_answering_early<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        self.writer.write_answering_early(work)
    }

    /// Writes with the next commit, and nobody waits for it.
    pub(crate) fn write_later(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<()> + Send + 'static,
    ) {
        self.writer.write_later(work);
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.index.commits()
    }

    /// Writes what is queued, checkpoints, and ends the writer.
    pub(crate) async fn close(&self) {
        self.writer.close().await;
        let index = self.index.clone();
        // It ends with the batch it is at.
        let _ = tokio::task::spawn_blocking(move || index.close()).await;
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    use rusqlite::config::DbConfig;
    let conn = Connection::open_with_flags(
        path,
        flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE,
    )?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

fn reader(path: &Path) -> Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -1024)?;
    Ok(conn)
}

/// A column of JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into())
    })
}
