//! The hub: what ties everything together. Every use case is one method; they stand beside their
//! areas, and only what they share is here.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::automations;
use crate::changes::{Change, Changes, Topic};
use crate::clock::{Clock, Time};
use crate::config::Config;
use crate::db::{self, Database};
use crate::error::{Error, Kind, Result};
use crate::events::EventType;
use crate::http::Http;
use crate::ids::WorkspaceId;
use crate::integrations::calendar;
use crate::outbox::lanes::Lanes;
use crate::outbox::worker;
use crate::secrets::Secrets;
use crate::tokens::Seen;
use crate::workspaces::{FIRST_NAME, Workspace, own_zone};

/// How long an end waits for calls that are under way.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// So many large files are stored at a time; further ones wait.
const MAX_UPLOADS: usize = 4;

/// An open data folder and everything that can be done with it.
#[derive(Debug)]
pub struct Hub {
    home: PathBuf,
    clock: Clock,
    pub(crate) well_known_names: Vec<String>,
    pub(crate) db: Database,
    pub(crate) secrets: Secrets,
    pub(crate) http: Http,
    pub(crate) lanes: Lanes,
    pub(crate) google_client: Option<calendar::Client>,
    pub(crate) access: calendar::access::Access,
    pub(crate) sign_ins: calendar::sign_in::Flows,
    pub(crate) seen: Seen,
    /// The stand-ins of practice mode, while it runs.
    pub(crate) practice: std::sync::OnceLock<crate::practice::Practice>,
    /// Tells what this process began from what an earlier one did.
    pub(crate) process: String,
    changes: Changes,
    pub(crate) automations: Arc<automations::known::Known>,
    declared: Mutex<HashMap<WorkspaceId, Arc<BTreeMap<String, EventType>>>>,
    serving: Mutex<Serving>,
    running: Mutex<Option<Running>>,
    network_changed: AtomicBool,
    /// Items of webhooks in the key store are read, altered and written by one at a time.
    pub(crate) altering_items: tokio::sync::Mutex<()>,
    pub(crate) replaying: crate::deliveries::replay::Replaying,
    /// Large files that are on their way at a time.
    pub(crate) uploads: tokio::sync::Semaphore,
    /// Held for as long as this process owns the folder.
    lock: Mutex<Option<std::fs::File>>,
}

#[derive(Debug, Default)]
struct Serving {
    address: Option<Result<String, String>>,
    port: Option<u16>,
}

#[derive(Debug)]
struct Running {
    dispatch: crate::outbox::Dispatch,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, and what to do.
    pub sentence: String,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Takes the data folder, opens or makes what is in it. An empty one starts with a workspace.
    ///
    /// # Errors
    /// `Owned` when another process has the folder; `WrongData`, `ReadOnly`, `Damaged` as found.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let hub = tokio::task::spawn_blocking(move || Self::open_blocking(config))
            .await
            .map_err(Error::internal)??;
        hub.welcome().await?;
        Ok(hub)
    }

    fn open_blocking(config: Config) -> Result<Arc<Self>> {
        let home = config.home;
        make_folder(&home)?;
        let lock = take_lock(&home)?;
        let path = home.join("signalbox.db");
        // Made beforehand, so that SQLite's own files are as private as this one.
        private_file(&path)?;
        let changes = Changes::default();
        let db = Database::open(&path, changes.clone())?;
        Ok(Arc::new(Self {
            secrets: Secrets::new(config.secrets, &home),
            home,
            clock: config.clock,
            well_known_names: config.well_known_names,
            db,
            http: Http::default(),
            lanes: Lanes::default(),
            google_client: config.google_client,
            access: calendar::access::Access::default(),
            sign_ins: calendar::sign_in::Flows::default(),
            seen: Seen::default(),
            practice: std::sync::OnceLock::new(),
            process: uuid::Uuid::now_v7().to_string(),
            changes,
            automations: Arc::default(),
            declared: Mutex::default(),
            serving: Mutex::default(),
            running: Mutex::default(),
            network_changed: AtomicBool::new(false),
            altering_items: tokio::sync::Mutex::default(),
            replaying: crate::deliveries::replay::Replaying::default(),
            uploads: tokio::sync::Semaphore::new(MAX_UPLOADS),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// Where moments come from.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes the first workspace on an empty home.
    async fn welcome(&self) -> Result<()> {
        let now = self.now();
        self.db
            .write(move |tx| {
                if db::workspaces::all(tx.conn())?.is_empty() {
                    let first = Workspace {
                        id: WorkspaceId::new(),
                        name: FIRST_NAME.into(),
                        timezone: own_zone(),
                        quiet_hours: None,
                        message_limit: automations::USUAL_LIMIT,
                        created_at: now,
                        is_practice: false,
                    };
                    db::workspaces::insert(tx.conn(), &first)?;
                    automations::starter::arrive(tx.conn(), first.id, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Starts the worker: from now on deliveries go out.
    pub fn start(self: &Arc<Self>) {
        let mut running = guard(&self.running);
        if running.is_some() {
            return;
        }
        let (dispatch, at_intake) = tokio::sync::mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(worker::run(self.clone(), at_intake, stopped.clone())),
            tokio::spawn(crate::deliveries::replay::run(
                self.clone(),
                stopped.clone(),
            )),
            tokio::spawn(tidy_up(self.clone(), stopped.clone())),
            tokio::spawn(crate::retention::run(self.clone(), stopped)),
        ];
        *running = Some(Running {
            dispatch,
            stop,
            tasks,
        });
    }

    /// Stops claiming, waits for what is under way (10 s at most), closes the database and gives
    /// the folder back.
    pub async fn stop(&self) {
        self.lanes.close();
        let running = guard(&self.running).take();
        if let Some(running) = running {
            // An error says that they have ended by themselves.
            let _ = running.stop.send(true);
            for task in running.tasks {
                let _ = task.await;
            }
        }
        if tokio::time::timeout(LAST_CALLS, self.lanes.empty())
            .await
            .is_err()
        {
            tracing::warn!(
                "some calls had no answer when Signalbox ended; they are made again at the next start"
            );
        }
        self.db.close().await;
        drop(guard(&self.lock).take());
    }

    /// The data folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Listens to what changes.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.listen()
    }

    /// Says that something changed which is not in the database.
    pub(crate) fn announce(&self, workspace: Option<WorkspaceId>, topic: Topic) {
        self.changes.announce(workspace, topic);
    }

    /// The edge tells where the API is reached, or why it is not. Its own port is never called.
    pub fn serving(&self, address: Result<String, String>, port: Option<u16>) {
        *guard(&self.serving) = Serving {
            address: Some(address),
            port,
        };
        self.changes.announce(None, Topic::Network);
    }

    pub(crate) fn served_at(&self) -> Option<Result<String, String>> {
        guard(&self.serving).address.clone()
    }

    pub(crate) fn own_port(&self) -> Option<u16> {
        guard(&self.serving).port
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn dispatch(&self) -> Option<crate::outbox::Dispatch> {
        guard(&self.running).as_ref().map(|r| r.dispatch.clone())
    }

    pub(crate) fn network_changed(&self) {
        self.network_changed.store(true, Ordering::SeqCst);
        self.changes.announce(None, Topic::Network);
        self.lanes.wake();
    }

    pub(crate) fn take_network_changed(&self) -> bool {
        self.network_changed.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn known_declared(
        &self,
        workspace: WorkspaceId,
    ) -> Option<Arc<BTreeMap<String, EventType>>> {
        guard(&self.declared).get(&workspace).cloned()
    }

    pub(crate) fn keep_declared(
        &self,
        workspace: WorkspaceId,
        types: Arc<BTreeMap<String, EventType>>,
    ) {
        guard(&self.declared).insert(workspace, types);
    }

    pub(crate) fn forget_declared(&self, workspace: WorkspaceId) {
        guard(&self.declared).remove(&workspace);
    }

    /// Looks at what Signalbox stands on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn doctor(&self) -> Result<Vec<Finding>> {
        let finding = |name: &str, ok: bool, sentence: String| Finding {
            name: name.into(),
            ok,
            sentence,
        };
        let checked = self
            .db
            .read(
                |conn| Ok(conn.query_row("PRAGMA quick_check(1)", [], |r| r.get::<_, String>(0))?),
            )
            .await?;
        let database = if checked == "ok" {
            finding(
                "database",
                true,
                format!("The database is sound (SQLite {}).", rusqlite::version()),
            )
        } else {
            finding(
                "database",
                false,
                "The database is damaged. Restore the newest backup.".into(),
            )
        };
        let secrets = match self.secrets.check().await {
            Ok(()) => finding("secrets", true, "The place for secrets can be used.".into()),
            Err(error) => finding("secrets", false, error.to_string()),
        };
        let network = if crate::outbox::network::public_route() {
            finding("network", true, "There is a way to the internet.".into())
        } else {
            finding(
                "network",
                false,
                "No internet now. What is recorded goes out when it is back.".into(),
            )
        };
        Ok(vec![database, secrets, network])
    }
}

/// Sees to what the last process left elsewhere, unless this one ends.
async fn tidy_up(hub: Arc<Hub>, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = hub.take_orphans_away() => {}
        _ = stopped.changed() => {}
    }
}

fn make_folder(home: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let trouble = |error: std::io::Error| Error {
        source: Some(error.into()),
        ..Error::new(
            Kind::ReadOnly,
            format!(
                "The data folder {} cannot be made or used. Check its permissions, or choose another with SIGNALBOX_HOME.",
                home.display()
            ),
        )
    };
    builder.create(home).map_err(trouble)?;
    #[cfg(unix)]
    std::fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .map_err(trouble)?;
    Ok(())
}

pub(crate) fn private_file(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| Error {
        source: Some(error.into()),
        ..Error::new(
            Kind::ReadOnly,
            format!(
                "{} cannot be opened for writing. Check its permissions.",
                path.display()
            ),
        )
    })
}

/// The lock decides who owns the folder; the process id in the file only says who.
fn take_lock(home: &Path) -> Result<std::fs::File> {
    use std::io::{Read as _, Seek as _, Write as _};
    let mut file = private_file(&home.join("owner.lock"))?;
    if fs4::FileExt::try_lock(&file).is_err() {
        let mut owner = String::new();
        // Who owns it is a courtesy; that it is owned is certain.
        let _ = file.read_to_string(&mut owner);
        let by = owner
            .trim()
            .parse::<u32>()
            .map(|pid| format!(" (process {pid})"))
            .unwrap_or_default();
        return Err(Error::new(
            Kind::Owned,
            format!(
                "Signalbox is already running with this data folder{by}. Use that one, or end it first."
            ),
        ));
    }
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
