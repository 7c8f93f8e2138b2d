//! `search.db`: which rows hold which words and facts. Derived from `signalbox.db`: whatever is
//! wrong with it, it is thrown away and read anew, and the log is answered from the rows meanwhile.
//!
//! A thread of its own follows the writer in batches. The index is exact but for what is *fresh*:
//! rows above its mark, and rows that moved since it looked. Those are judged by themselves.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::deliveries::Status;
use crate::error::{Error, Result};
use crate::ids::WorkspaceId;
use crate::words::{Words, fact};

/// "sgbs", and the shape of the tables: another number is read anew.
const APPLICATION_ID: i32 = 0x7367_6273;
const SHAPE: i64 = 2;
/// Rows that one transaction of the index takes.
const BATCH: usize = 500;
/// News are gathered for so long before they are looked at.
const GATHER: Duration = Duration::from_millis(200);
/// While the writer is busy the index rests this many times as long as it worked.
const REST: u32 = 4;
/// After a failure the index waits this long, and longer each time.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const TABLES: &str = "
  CREATE VIRTUAL TABLE deliveries USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = \"ascii tokenchars '=#'\");
  CREATE VIRTUAL TABLE events USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = \"ascii tokenchars '=#'\");
  -- How far each was read, and what stood there: another row there means another database.
  CREATE TABLE marks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
  INSERT INTO marks VALUES ('deliveries', 0, 0), ('events', 0, 0);
  -- Deliveries that were not final when they were looked at.
  CREATE TABLE waiting (seq INTEGER PRIMARY KEY) STRICT;";

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The log.
    Deliveries,
    /// What happened.
    Events,
}

impl Of {
    const BOTH: [Self; 2] = [Self::Deliveries, Self::Events];

    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Events => "events",
        }
    }

    pub(super) const fn time(self) -> &'static str {
        match self {
            Self::Deliveries => "created_at",
            Self::Events => "received_at",
        }
    }
}

/// The index, and what it does not know yet.
#[derive(Debug, Clone)]
pub(crate) struct Index(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    main: PathBuf,
    /// What the writer changed: never held for longer than it takes to add to it.
    incoming: Mutex<Incoming>,
    news: Condvar,
    state: Mutex<State>,
    readers: Mutex<Vec<Connection>>,
    /// How far each table is read, or being read: what is committed above is read later anyway.
    reach: [AtomicI64; 2],
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Incoming {
    touched: [Touched; 2],
    commits: u64,
    broken: bool,
    stop: bool,
}

/// Rows that the writer touched. What is not committed yet may be read as it was before: it is
/// fresh, and stays here to be read once more.
#[derive(Debug, Default)]
struct Touched {
    rows: Vec<i64>,
    committed: usize,
}

impl Touched {
    /// The transaction is over. Only rows within reach can have been read as they were before.
    fn commit(&mut self, reach: i64) {
        let open = self.rows.split_off(self.committed);
        self.rows
            .extend(open.into_iter().filter(|row| *row <= reach));
        self.committed = self.rows.len();
    }

    fn take_committed(&mut self) -> std::vec::Drain<'_, i64> {
        self.rows.drain(..std::mem::take(&mut self.committed))
    }
}

#[derive(Debug, Default)]
struct State {
    /// True once the file is there and belongs to the database.
    ready: bool,
    moved: [BTreeSet<i64>; 2],
    /// What is being looked at now.
    taken: [BTreeSet<i64>; 2],
    /// Being sent when looked at: not in the index.
    open: BTreeSet<i64>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// Starts to follow the database at `main`.
    pub(super) fn start(main: &Path) -> Result<Self> {
        let index = Self(Arc::new(Inner {
            path: main.with_file_name("search.db"),
            main: main.to_owned(),
            incoming: Mutex::default(),
            news: Condvar::new(),
            state: Mutex::default(),
            readers: Mutex::default(),
            reach: [AtomicI64::new(0), AtomicI64::new(0)],
            thread: Mutex::default(),
        }));
        // The first answers should not have to do without it; a rebuild is left to the thread.
        let first = index.open().inspect_err(|error| tracing::info!(%error, source = ?error.source, "the search index is made anew")).ok();
        let follower = index.clone();
        let thread = std::thread::Builder::new()
            .name("search".into())
            .spawn(move || follower.follow(first))
            .map_err(Error::internal)?;
        *guard(&index.0.thread) = Some(thread);
        Ok(index)
    }

    /// Hears of every row that the writer touches.
    pub(super) fn listen(&self, writer: &Connection) -> Result<()> {
        use rusqlite::hooks::Action;
        let this = self.clone();
        writer.update_hook(Some(
            move |action: Action, _: &str, table: &str, row: i64| {
                let of = match table {
                    "deliveries" => 0,
                    "events" => 1,
                    _ => return,
                };
                // A row inserted below took the number of one that was deleted.
                let [deliveries, events] = &this.0.reach;
                let reach = if of == 0 { deliveries } else { events };
                if action == Action::SQLITE_INSERT && row > reach.load(Ordering::SeqCst) {
                    return;
                }
                if let Some(touched) = guard(&this.0.incoming).touched.get_mut(of) {
                    touched.rows.push(row);
                }
            },
        ))?;
        Ok(())
    }

    /// Something was committed.
    pub(super) fn committed(&self) {
        let mut incoming = guard(&self.0.incoming);
        incoming.commits += 1;
        for (touched, reach) in incoming.touched.iter_mut().zip(&self.0.reach) {
            touched.commit(reach.load(Ordering::SeqCst));
        }
        drop(incoming);
        self.0.news.notify_one();
    }

    /// How many commits there were.
    pub(super) fn commits(&self) -> u64 {
        guard(&self.0.incoming).commits
    }

    /// Ends the thread, after the batch it is at.
    pub(super) fn close(&self) {
        guard(&self.0.incoming).stop = true;
        self.0.news.notify_one();
        if let Some(thread) = guard(&self.0.thread).take() {
            // A panic there was logged there.
            let _ = thread.join();
        }
        guard(&self.0.readers).clear();
    }

    /// What the index knows at this moment, and which rows it does not.
    pub(super) fn look(&self) -> Look {
        let mut state = guard(&self.0.state);
        self.take_in(&mut state);
        let nothing = Look {
            index: self.clone(),
            conn: None,
            marks: [0, 0],
            fresh: [Vec::new(), Vec::new()],
        };
        if !state.ready {
            return nothing;
        }
        let kept = guard(&self.0.readers).pop();
        let opened = match kept {
            Some(conn) => Ok(conn),
            None => reader(&self.0.path),
        };
        let begun = opened.and_then(|conn| {
            conn.execute_batch("BEGIN")?;
            let marks = [mark(&conn, Of::Deliveries)?.0, mark(&conn, Of::Events)?.0];
            Ok((conn, marks))
        });
        match begun {
            Ok((conn, marks)) => {
                let fresh = |of: usize, top: i64| {
                    let mut rows: BTreeSet<i64> = BTreeSet::new();
                    if let Some(touched) = guard(&self.0.incoming).touched.get(of) {
                        rows.extend(touched.rows.iter().filter(|row| **row <= top));
                    }
                    for set in [
                        state.moved.get(of),
                        state.taken.get(of),
                        (of == 0).then_some(&state.open),
                    ]
                    .into_iter()
                    .flatten()
                    {
                        rows.extend(set.range(..=top));
                    }
                    rows.into_iter().collect::<Vec<_>>()
                };
                let [deliveries, events] = marks;
                Look {
                    index: self.clone(),
                    conn: Some(conn),
                    marks,
                    fresh: [fresh(0, deliveries), fresh(1, events)],
                }
            }
            Err(error) => {
                drop(state);
                self.broke(&error);
                nothing
            }
        }
    }

    fn take_in(&self, state: &mut State) {
        let mut incoming = guard(&self.0.incoming);
        for (moved, touched) in state.moved.iter_mut().zip(&mut incoming.touched) {
            moved.extend(touched.take_committed());
        }
    }

    fn broke(&self, error: &Error) {
        tracing::warn!(%error, source = ?error.source, "the search index cannot be read; it is made anew");
        guard(&self.0.incoming).broken = true;
        self.0.news.notify_one();
    }

    // --- the thread ------------------------------------------------------------------------------

    fn follow(&self, first: Option<(Connection, Connection)>) {
        let mut opened = first;
        let mut wait = AFTER_FAILURE;
        let (mut more, mut seen) = (true, 0);
        loop {
            {
                let mut incoming = guard(&self.0.incoming);
                while !more && !incoming.stop && !incoming.broken && incoming.commits == seen {
                    incoming = self
                        .0
                        .news
                        .wait(incoming)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                seen = incoming.commits;
            }
            if self.stops_within(if more { Duration::ZERO } else { GATHER }) {
                break;
            }
            more = true;
            let broken =
                std::mem::take(&mut guard(&self.0.incoming).broken) || !self.0.path.exists();
            if broken || opened.is_none() {
                drop(opened.take());
                opened = match self.make() {
                    Ok(made) => Some(made),
                    Err(error) => {
                        tracing::warn!(%error, source = ?error.source, "the search index could not be made; the log is read without it");
                        if self.stops_within(wait) {
                            break;
                        }
                        wait = (wait * 2).min(LONGEST_WAIT);
                        continue;
                    }
                };
            }
            let Some((search, main)) = &mut opened else {
                continue;
            };
            let started = Instant::now();
            match self.pass(search, main) {
                Ok(rest) => {
                    wait = AFTER_FAILURE;
                    more = rest;
                    let busy = guard(&self.0.incoming).commits != seen;
                    if busy && self.stops_within((started.elapsed() * REST).max(GATHER)) {
                        break;
                    }
                }
                Err(error) => {
                    {
                        let mut state = guard(&self.0.state);
                        let taken = std::mem::take(&mut state.taken);
                        for (moved, taken) in state.moved.iter_mut().zip(taken) {
                            moved.extend(taken);
                        }
                    }
                    self.broke(&error);
                    if self.stops_within(wait) {
                        break;
                    }
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
        if let Some((search, _)) = opened {
            // What stays in the log is read at the next start.
            let _ = search.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// Waits; true when the end came meanwhile.
    fn stops_within(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut incoming = guard(&self.0.incoming);
        while !incoming.stop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            incoming = self
                .0
                .news
                .wait_timeout(incoming, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Opens what is there, if it belongs to the database.
    fn open(&self) -> Result<(Connection, Connection)> {
        let stale = |what: &str| Err(Error::internal(std::io::Error::other(what.to_owned())));
        if !self.0.path.exists() {
            return stale("it is missing");
        }
        let search = super::connect(&self.0.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        tuned(&search)?;
        let id: i32 = search.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let shape: i64 = search.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if (id, shape) != (APPLICATION_ID, SHAPE) {
            return stale("it has another shape");
        }
        let main = super::reader(&self.0.main)?;
        for of in Of::BOTH {
            let (seq, at) = mark(&search, of)?;
            let there: Option<i64> = main
                .query_row(
                    &format!("SELECT {} FROM {} WHERE seq = ?", of.time(), of.table()),
                    [seq],
                    |r| r.get(0),
                )
                .optional()?;
            let newest: Option<i64> =
                main.query_row(&format!("SELECT max(seq) FROM {}", of.table()), [], |r| {
                    r.get(0)
                })?;
            if there.is_some_and(|there| there != at)
                || (there.is_none() && seq > newest.unwrap_or(0))
            {
                return stale("it belongs to another database");
            }
        }
        let waiting: BTreeSet<i64> = search
            .prepare("SELECT seq FROM waiting")?
            .query_map([], |r| r.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut state = guard(&self.0.state);
        let [deliveries, _] = &mut state.moved;
        deliveries.extend(waiting);
        for (reach, of) in self.0.reach.iter().zip(Of::BOTH) {
            reach.store(mark(&search, of)?.0, Ordering::SeqCst);
        }
        state.ready = true;
        Ok((search, main))
    }

    /// Throws away what is there and begins with nothing.
    fn make(&self) -> Result<(Connection, Connection)> {
        guard(&self.0.state).ready = false;
        guard(&self.0.readers).clear();
        for end in ["", "-wal", "-shm"] {
            let mut file = self.0.path.clone().into_os_string();
            file.push(end);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::internal(error));
                }
                _ => {}
            }
        }
        crate::hub::private_file(&self.0.path)?;
        let search = super::connect(&self.0.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        tuned(&search)?;
        search.execute_batch(&format!("BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SHAPE}; COMMIT;"))?;
        let main = super::reader(&self.0.main)?;
        let mut state = guard(&self.0.state);
        *state = State {
            ready: true,
            ..State::default()
        };
        for reach in &self.0.reach {
            reach.store(0, Ordering::SeqCst);
        }
        Ok((search, main))
    }

    /// One batch. True when there is more.
    fn pass(&self, search: &Connection, main: &Connection) -> Result<bool> {
        let taken = {
            let mut state = guard(&self.0.state);
            self.take_in(&mut state);
            let mut taken = [BTreeSet::new(), BTreeSet::new()];
            for (taken, moved) in taken.iter_mut().zip(&mut state.moved) {
                if let Some(limit) = moved.iter().nth(BATCH).copied() {
                    let rest = moved.split_off(&limit);
                    *taken = std::mem::replace(moved, rest);
                } else {
                    *taken = std::mem::take(moved);
                }
            }
            state.taken = taken.clone();
            taken
        };
        let [moved_deliveries, moved_events] = taken;
        // Told before the rows are read: what is committed from now on is heard of.
        let mut until = [0, 0];
        for ((until, reach), of) in until.iter_mut().zip(&self.0.reach).zip(Of::BOTH) {
            *until = batch_end(main, of, mark(search, of)?.0)?;
            reach.store(*until, Ordering::SeqCst);
        }
        let [last_delivery, last_event] = until;
        main.execute_batch("BEGIN")?;
        search.execute_batch("BEGIN IMMEDIATE")?;
        let work = || -> Result<(BTreeSet<i64>, BTreeSet<i64>, bool)> {
            let (mut open, mut closed) = (BTreeSet::new(), BTreeSet::new());
            let mut more = false;
            let (top, _) = mark(search, Of::Deliveries)?;
            let mut payload = Payload::default();
            for seq in moved_deliveries.range(..=top) {
                search
                    .prepare_cached("DELETE FROM deliveries WHERE rowid = ?")?
                    .execute([seq])?;
                match put_delivery(search, main, *seq, &mut payload)? {
                    true => open.insert(*seq),
                    false => closed.insert(*seq),
                };
            }
            let tail = between(main, Of::Deliveries, top, last_delivery)?;
            for (seq, _) in &tail {
                if put_delivery(search, main, *seq, &mut payload)? {
                    open.insert(*seq);
                }
            }
            advance(search, Of::Deliveries, tail.last())?;
            more |= tail.len() == BATCH;
            let (top, _) = mark(search, Of::Events)?;
            for seq in moved_events.range(..=top) {
                search
                    .prepare_cached("DELETE FROM events WHERE rowid = ?")?
                    .execute([seq])?;
                put_event(search, main, *seq, &mut payload)?;
            }
            let tail = between(main, Of::Events, top, last_event)?;
            for (seq, _) in &tail {
                put_event(search, main, *seq, &mut payload)?;
            }
            advance(search, Of::Events, tail.last())?;
            more |= tail.len() == BATCH;
            Ok((open, closed, more))
        };
        let worked = work();
        let ended = main.execute_batch("COMMIT");
        let (open, closed, mut more) = match worked {
            Ok(done) => done,
            Err(error) => {
                // What failed may have rolled back by itself.
                let _ = search.execute_batch("ROLLBACK");
                return Err(error);
            }
        };
        ended?;
        {
            // Together, so that whoever looks sees both or neither. No checkpoint happens here.
            let mut state = guard(&self.0.state);
            search.execute_batch("COMMIT")?;
            for seq in &closed {
                state.open.remove(seq);
            }
            state.open.extend(open);
            state.taken = Default::default();
            more |= state.moved.iter().any(|moved| !moved.is_empty());
        }
        search.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(more)
    }
}

/// A view of the index at one moment.
pub(crate) struct Look {
    index: Index,
    conn: Option<Connection>,
    marks: [i64; 2],
    fresh: [Vec<i64>; 2],
}

impl Look {
    /// Rows above this number are not in the index.
    pub(super) const fn mark(&self, of: Of) -> i64 {
        let [deliveries, events] = self.marks;
        match of {
            Of::Deliveries => deliveries,
            Of::Events => events,
        }
    }

    /// Rows up to the mark that moved since it was read, in order.
    pub(super) fn fresh(&self, of: Of) -> &[i64] {
        let [deliveries, events] = &self.fresh;
        match of {
            Of::Deliveries => deliveries,
            Of::Events => events,
        }
    }

    /// The connection; nothing where everything is fresh.
    pub(super) const fn conn(&self) -> Option<&Connection> {
        self.conn.as_ref()
    }

    /// The index turned out to be unreadable: goes on without it.
    pub(crate) fn give_up(&mut self, error: &Error) {
        self.conn = None;
        self.marks = [0, 0];
        self.fresh = Default::default();
        self.index.broke(error);
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take()
            && conn.execute_batch("COMMIT").is_ok()
        {
            let mut readers = guard(&self.index.0.readers);
            if readers.len() < super::READERS {
                readers.push(conn);
            }
        }
    }
}

fn reader(path: &Path) -> Result<Connection> {
    let conn = super::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -1024)?;
    Ok(conn)
}

fn tuned(conn: &Connection) -> Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    conn.pragma_update(None, "cache_size", -1024)?;
    Ok(())
}

fn mark(search: &Connection, of: Of) -> Result<(i64, i64)> {
    Ok(search
        .prepare_cached("SELECT seq, at FROM marks WHERE name = ?")?
        .query_row([of.table()], |r| Ok((r.get(0)?, r.get(1)?)))?)
}

fn advance(search: &Connection, of: Of, last: Option<&(i64, i64)>) -> Result<()> {
    if let Some((seq, at)) = last {
        search
            .prepare_cached("UPDATE marks SET seq = ?, at = ? WHERE name = ?")?
            .execute(params![seq, at, of.table()])?;
    }
    Ok(())
}

/// The last row of the next batch above the mark.
fn batch_end(main: &Connection, of: Of, mark: i64) -> Result<i64> {
    Ok(main
        .prepare_cached(&format!(
            "SELECT coalesce(max(seq), ?1) FROM (SELECT seq FROM {} WHERE seq > ?1 ORDER BY seq LIMIT {BATCH})",
            of.table()
        ))?
        .query_row([mark], |r| r.get(0))?)
}

fn between(main: &Connection, of: Of, mark: i64, last: i64) -> Result<Vec<(i64, i64)>> {
    let mut statement = main.prepare_cached(&format!(
        "SELECT seq, {} FROM {} WHERE seq > ? AND seq <= ? ORDER BY seq",
        of.time(),
        of.table()
    ))?;
    Ok(statement
        .query_map([mark, last], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// The payload read last: deliveries of one event stand beside each other.
#[derive(Default)]
pub(super) struct Payload(Option<(i64, Vec<u8>)>);

/// Puts one delivery into the index. True when it is being sent: then it is left out for now.
fn put_delivery(
    search: &Connection,
    main: &Connection,
    seq: i64,
    payload: &mut Payload,
) -> Result<bool> {
    let Some((words, status)) = delivery_words(main, seq, payload, true)? else {
        search
            .prepare_cached("DELETE FROM waiting WHERE seq = ?")?
            .execute([seq])?;
        return Ok(false);
    };
    let waits = matches!(
        status,
        Status::Pending | Status::Sending | Status::Held | Status::Unknown
    );
    let waiting = if waits {
        "INSERT OR IGNORE INTO waiting (seq) VALUES (?)"
    } else {
        "DELETE FROM waiting WHERE seq = ?"
    };
    search.prepare_cached(waiting)?.execute([seq])?;
    if status == Status::Sending {
        return Ok(true);
    }
    search
        .prepare_cached("INSERT INTO deliveries (rowid, words) VALUES (?, ?)")?
        .execute(params![seq, words.joined()])?;
    Ok(false)
}

fn put_event(
    search: &Connection,
    main: &Connection,
    seq: i64,
    payload: &mut Payload,
) -> Result<()> {
    if let Some(words) = event_words(main, seq, payload, true)? {
        search
            .prepare_cached("INSERT INTO events (rowid, words) VALUES (?, ?)")?
            .execute(params![seq, words.joined()])?;
    }
    Ok(())
}

/// All words of a delivery, with its facts where they are wanted, and where it stands.
pub(super) fn delivery_words(
    main: &Connection,
    seq: i64,
    payload: &mut Payload,
    facts: bool,
) -> Result<Option<(Words, Status)>> {
    use crate::deliveries::Channel;
    let mut statement = main.prepare_cached(
        "SELECT d.workspace_id, d.channel, d.endpoint, d.event_type, d.subject, d.recipient, d.status, d.is_test, d.event_seq, d.code, d.args, w.name, d.attempts, d.status_reason, d.automation_id
         FROM deliveries d LEFT JOIN webhooks w ON w.id = d.endpoint WHERE d.seq = ?",
    )?;
    let mut rows = statement.query([seq])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut words = Words::default();
    let status: Status = row.get(6)?;
    let channel: Channel = row.get(1)?;
    let subject: Option<String> = row.get(4)?;
    let recipient: String = row.get(5)?;
    if facts {
        let workspace: WorkspaceId = row.get(0)?;
        for (kind, value) in [
            ("workspace", ""),
            ("channel", channel.as_str()),
            (
                "endpoint",
                row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
            ),
            (
                "type",
                row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?,
            ),
            ("status", status.as_str()),
            ("recipient", &recipient.to_ascii_lowercase()),
            ("test", if row.get(7)? { "yes" } else { "no" }),
        ] {
            words.add_fact(fact(workspace, kind, value));
        }
        if let Some(subject) = &subject {
            words.add_fact(fact(workspace, "subject", subject));
        }
        if let Some(automation) = row.get::<_, Option<String>>(14)? {
            words.add_fact(fact(workspace, "automation", &automation));
        }
        if let Status::Failed | Status::Held | Status::Skipped | Status::Cancelled = status {
            let reason = row.get_ref(13)?.as_str_or_null();
            let reason = reason.map_err(rusqlite::Error::from)?.unwrap_or("none");
            words.add_fact(fact(workspace, "reason", reason));
        }
    }
    words.add(&recipient);
    words.add(subject.as_deref().unwrap_or_default());
    payload.read(main, row.get(8)?)?;
    if let Some((_, data)) = &payload.0 {
        words.add_json(data);
    }
    let who = row.get::<_, Option<String>>(11)?.unwrap_or(recipient);
    if row.get::<_, i64>(12)? > 0 {
        for attempt in super::attempts::of(main, seq)? {
            if let Some(body) = &attempt.ended.response_body {
                words.add(&String::from_utf8_lossy(body));
            }
            if let Some(error) = crate::explain::ended(channel, &attempt.ended, &who) {
                words.add(&error);
            }
        }
    } else if let Some(failure) = super::webhooks::failure(row, 9, 10)? {
        words.add(&crate::explain::failed(channel, &failure, &who));
    }
    Ok(Some((words, status)))
}

/// All words of an event, with its facts where they are wanted.
pub(super) fn event_words(
    main: &Connection,
    seq: i64,
    payload: &mut Payload,
    facts: bool,
) -> Result<Option<Words>> {
    let mut statement =
        main.prepare_cached("SELECT workspace_id, type, subject FROM events WHERE seq = ?")?;
    let mut rows = statement.query([seq])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut words = Words::default();
    let subject: Option<String> = row.get(2)?;
    if facts {
        let workspace: WorkspaceId = row.get(0)?;
        let kind: String = row.get(1)?;
        let shown = if kind == crate::events::TEST_TYPE {
            "no"
        } else if crate::events::is_reserved(&kind) {
            "asked_for"
        } else {
            "yes"
        };
        words.add_fact(fact(workspace, "shown", shown));
        words.add_fact(fact(workspace, "type", &kind));
        if let Some(subject) = &subject {
            words.add_fact(fact(workspace, "subject", subject));
        }
    }
    words.add(subject.as_deref().unwrap_or_default());
    payload.read(main, seq)?;
    if let Some((_, data)) = &payload.0 {
        words.add_json(data);
    }
    Ok(Some(words))
}

impl Payload {
    fn read(&mut self, main: &Connection, event: i64) -> Result<()> {
        if self.0.as_ref().is_none_or(|(known, _)| *known != event) {
            let data = main
                .prepare_cached("SELECT data FROM events WHERE seq = ?")?
                .query_row([event], |r| r.get(0))
                .optional()?;
            self.0 = data.map(|data| (event, data));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::deliveries::EventFilter;
    use crate::hub::Hub;
    use serde_json::json;

    fn event(subject: &str) -> crate::events::NewEvent {
        serde_json::from_value(
            json!({"type": "form.submitted", "data": {"formId": "f"}, "subject": subject}),
        )
        .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_index_read_before_its_change_was_durable_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let hub = Hub::open(Config::new(home.path())).await.unwrap();
        let workspace = hub.workspaces().await.unwrap()[0].id;
        hub.record_event(workspace, event("earlier"), "test")
            .await
            .unwrap();
        let index = hub.db.index.clone();
        hub.db
            .write(move |tx| {
                tx.conn()
                    .execute("UPDATE events SET subject = 'later' WHERE seq = 1", [])?;
                // The commit waits until the index has read the row as it was.
                while index.look().mark(Of::Events) < 1 {
                    std::thread::yield_now();
                }
                Ok(())
            })
            .await
            .unwrap();
        let found = async |word: &str| {
            let filter = EventFilter {
                q: Some(word.into()),
                ..EventFilter::default()
            };
            hub.events(workspace, filter).await.unwrap().events.len()
        };
        assert_eq!((found("later").await, found("earlier").await), (1, 0));
        hub.stop().await;
    }
}
