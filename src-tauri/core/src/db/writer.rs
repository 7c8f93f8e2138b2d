//! The writer: one thread that owns the only connection that writes.
//!
//! It takes whatever queued up during the last commit, runs it in one transaction, commits, and
//! only then answers all of them. It never waits for company.
//!
//! Work checks first and writes then. What fails before its first write disturbs nobody; a failure
//! after it is trouble of the database, and undoes the whole commit. (A savepoint for each piece
//! would copy every page it touches.)

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::search::Index;
use super::tallies::Tally;
use super::webhooks::Subscription;
use crate::changes::{Change, Changes, Topic};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ids::{DeliveryId, EventId, WorkspaceId};

/// How many pieces of work one commit takes at most.
const MOST_PER_COMMIT: usize = 512;
/// After so long without work the write-ahead log is emptied, so that little is exposed to a fault.
const IDLE: Duration = Duration::from_secs(2);

type Reply = Box<dyn FnOnce(Result<(), &Error>) + Send>;
type Work = Box<dyn FnOnce(&mut Tx<'_>) -> Done + Send>;

/// A piece of work that ran: whether it is to be undone, and whom to tell after the commit.
struct Done {
    failed: bool,
    reply: Reply,
}

enum Job {
    Write(Work),
    Close(oneshot::Sender<()>),
}

/// What a piece of work sees: the open transaction, and a place to note what follows from it.
pub(crate) struct Tx<'a> {
    conn: &'a Connection,
    subscriptions: &'a mut Subscriptions,
    rows: &'a mut Rows,
    effects: Effects,
}

/// The last rows given out. Those of a commit that failed stay empty.
struct Rows {
    event: i64,
    delivery: i64,
}

type Subscriptions = HashMap<WorkspaceId, Arc<[Subscription]>>;

/// What happens once the commit is durable, or just before it.
#[derive(Default)]
struct Effects {
    changes: Vec<Change>,
    tallies: Vec<Tally>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
    webhooks_changed: bool,
}

impl Effects {
    fn merge(&mut self, other: Self) {
        for change in other.changes {
            if !self.changes.contains(&change) {
                self.changes.push(change);
            }
        }
        for tally in other.tallies {
            match self.tallies.iter_mut().find(|t| t.same_place(&tally)) {
                Some(same) => same.add(&tally),
                None => self.tallies.push(tally),
            }
        }
        self.after_commit.extend(other.after_commit);
    }
}

impl Tx<'_> {
    /// The connection, inside the transaction.
    pub(crate) fn conn(&self) -> &Connection {
        self.conn
    }

    /// A fresh id of an event, and with it the row that it goes to.
    pub(crate) fn event_id(&mut self, now: Time) -> EventId {
        self.rows.event += 1;
        EventId::of_row(now, self.rows.event)
    }

    /// A fresh id of a delivery, and with it the row that it goes to.
    pub(crate) fn delivery_id(&mut self, now: Time) -> DeliveryId {
        self.rows.delivery += 1;
        DeliveryId::of_row(now, self.rows.delivery)
    }

    /// The row that the next delivery goes to.
    pub(crate) fn next_delivery(&self) -> i64 {
        self.rows.delivery + 1
    }

    /// Tells whoever listens, once it is durable.
    pub(crate) fn announce(&mut self, workspace: Option<WorkspaceId>, topic: Topic) {
        self.effects.changes.push(Change { workspace, topic });
    }

    /// Does something once it is durable; not at all when the commit fails.
    pub(crate) fn after_commit(&mut self, act: impl FnOnce() + Send + 'static) {
        self.effects.after_commit.push(Box::new(act));
    }

    /// Counts a try or an end; written once per commit and endpoint.
    pub(crate) fn tally(&mut self, tally: Tally) {
        self.effects.tallies.push(tally);
    }

    /// Says that who is told of what has changed.
    pub(crate) fn webhooks_changed(&mut self) {
        self.effects.webhooks_changed = true;
    }

    /// Who is told of what, remembered between commits.
    pub(crate) fn subscriptions(&mut self, workspace: WorkspaceId) -> Result<Arc<[Subscription]>> {
        if let Some(known) = self.subscriptions.get(&workspace) {
            return Ok(known.clone());
        }
        let read: Arc<[Subscription]> =
            super::webhooks::subscriptions(self.conn, workspace)?.into();
        self.subscriptions.insert(workspace, read.clone());
        Ok(read)
    }
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub(super) fn start(conn: Connection, changes: Changes, index: Index) -> Result<Self> {
        let (sender, jobs) = mpsc::channel();
        let rows = Rows {
            event: super::events::last_row(&conn)?,
            delivery: super::deliveries::last_row(&conn)?,
        };
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || run(conn, rows, &jobs, &changes, &index))
            .map_err(Error::internal)?;
        Ok(Self(sender))
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        self.submit(|answer| {
            Box::new(move |tx| {
                let result = work(tx);
                let failed = result.is_err();
                let reply = move |committed: Result<(), &Error>| {
                    // Where nobody waits any more the caller went away; the work is done all the same.
                    let _ = answer.send(match committed {
                        Ok(()) => result,
                        // An error at COMMIT means unknown, not undone: the caller repeats with its key.
                        Err(error) => Err(error.again()),
                    });
                };
                Done {
                    failed,
                    reply: Box::new(reply),
                }
            })
        })
    }

    /// The planted bug of the kill test's control: answers before the commit.
    #[cfg(feature = "early-answer")]
    pub(super) fn write_answering_early<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        self.submit(|answer| {
            Box::new(move |tx| {
                let result = work(tx);
                let failed = result.is_err();
                let _ = answer.send(result);
                Done {
                    failed,
                    reply: Box::new(|_| ()),
                }
            })
        })
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T>>) -> Work,
    ) -> impl Future<Output = Result<T>> + Send {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Job::Write(work(answer)));
        async move {
            if sent.is_err() {
                return Err(closed());
            }
            answered.await.map_err(|_| closed())?
        }
    }

    pub(super) fn write_later(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<()> + Send + 'static,
    ) {
        let job = Job::Write(Box::new(move |tx| {
            let failed = work(tx).inspect_err(|error| tracing::error!(%error, source = ?error.source, "something could not be written")).is_err();
            Done {
                failed,
                reply: Box::new(|_| ()),
            }
        }));
        // After the end nothing is written any more; what was due is due again at the next start.
        let _ = self.0.send(job);
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.0.send(Job::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// The work was dropped unrun: the database could not be had, or the writer has ended.
fn closed() -> Error {
    Error::new(
        crate::Kind::Busy,
        "Signalbox cannot write just now: another program holds its database, or it is ending. Nothing was stored; send it again in a moment.",
    )
}

fn run(
    conn: Connection,
    mut rows: Rows,
    jobs: &mpsc::Receiver<Job>,
    changes: &Changes,
    index: &Index,
) {
    let mut subscriptions = Subscriptions::new();
    let mut idle = false;
    loop {
        let first = if idle {
            match jobs.recv() {
                Ok(job) => job,
                Err(_) => break,
            }
        } else {
            match jobs.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    checkpoint(&conn, "PASSIVE");
                    idle = true;
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        };
        idle = false;
        let mut work = Vec::new();
        let mut close = None;
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Write(one) => work.push(one),
                Job::Close(done) => close = Some(done),
            }
            if work.len() >= MOST_PER_COMMIT || close.is_some() {
                break;
            }
            next = jobs.try_recv().ok();
        }
        if !work.is_empty() {
            commit(&conn, work, &mut rows, &mut subscriptions, changes, index);
        }
        if let Some(done) = close {
            checkpoint(&conn, "TRUNCATE");
            drop(conn);
            let _ = done.send(());
            return;
        }
    }
    checkpoint(&conn, "TRUNCATE");
}

fn commit(
    conn: &Connection,
    work: Vec<Work>,
    rows: &mut Rows,
    subscriptions: &mut Subscriptions,
    changes: &Changes,
    index: &Index,
) {
    let mut replies = Vec::with_capacity(work.len());
    let mut effects = Effects::default();
    let committed = transaction(conn, work, rows, subscriptions, &mut effects, &mut replies);
    match &committed {
        Ok(()) => {
            index.committed();
            for act in effects.after_commit {
                act();
            }
            for reply in replies {
                reply(Ok(()));
            }
            for change in effects.changes {
                changes.announce(change.workspace, change.topic);
            }
        }
        Err(error) => {
            tracing::error!(%error, source = ?error.source, "a commit failed");
            // What a failed commit left behind is not known; look again.
            subscriptions.clear();
            if !conn.is_autocommit() {
                // An error only says that SQLite rolled back by itself.
                let _ = conn.execute_batch("ROLLBACK");
            }
            for reply in replies {
                reply(Err(error));
            }
        }
    }
}

fn transaction(
    conn: &Connection,
    work: Vec<Work>,
    rows: &mut Rows,
    subscriptions: &mut Subscriptions,
    effects: &mut Effects,
    replies: &mut Vec<Reply>,
) -> Result<()> {
    // When this fails the work is dropped unrun, and its callers learn that nothing was stored.
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for one in work {
        let before = conn.total_changes();
        let mut tx = Tx {
            conn,
            subscriptions,
            rows,
            effects: Effects::default(),
        };
        let done = one(&mut tx);
        let its_effects = tx.effects;
        if its_effects.webhooks_changed {
            subscriptions.clear();
        }
        replies.push(done.reply);
        if conn.is_autocommit() {
            // A full disk makes SQLite undo everything at once (sqlite.org/lang_transaction.html).
            return Err(Error::new(
                crate::Kind::DiskFull,
                "The disk is full. Nothing was stored; free some space and send it again.",
            ));
        }
        if !done.failed {
            effects.merge(its_effects);
        } else if conn.total_changes() != before {
            return Err(Error::new(
                crate::Kind::Busy,
                "Storing was interrupted half-way, and undone. Nothing was stored; send it again.",
            ));
        }
    }
    super::tallies::write(conn, &effects.tallies)?;
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// Brings the write-ahead log home. A failure only means that it is longer for a while.
fn checkpoint(conn: &Connection, mode: &str) {
    if let Err(error) = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log could not be checkpointed");
    }
}
