//! The socket on 127.0.0.1, and `api.json`, by which `signalctl` finds it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use signalbox_core::{Error, Hub, Kind, tokens};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::changes::Closing;
use crate::guard::{Credential, Guard, WrongTokens};
use crate::page::Page;

/// Where programs look for Signalbox, unless its owner chose another port.
pub const DEFAULT_PORT: u16 = 7465;
/// Connections at a time: room for many callers and feeds beside some that only hold on.
const MAX_CONNECTIONS: usize = 512;
/// How long a caller may take to send its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long requests that are being answered may take once the socket closes.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
const API_FILE: &str = "api.json";

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The port; 0 picks a free one.
    pub port: u16,
    /// A folder with the built window, to be served at `/`.
    pub ui: Option<PathBuf>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            port: DEFAULT_PORT,
            ui: None,
        }
    }
}

/// Where the API is, once it is there: the line that `signalctl serve` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// `http://127.0.0.1:7465`
    pub url: String,
    /// The process that serves.
    pub pid: u32,
    /// The window in a browser, with a credential for this session in the fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui: Option<String>,
}

/// What `api.json` holds: how `signalctl` reaches the running owner. No `Debug`: the credential is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Running {
    /// `http://127.0.0.1:7465`
    pub url: String,
    /// The process that serves.
    pub pid: u32,
    /// The owner's credential, good for as long as the process runs.
    pub credential: String,
}

/// A socket that listens.
pub struct Server {
    listener: TcpListener,
    guard: Arc<Guard>,
    ready: Ready,
    closing: watch::Sender<bool>,
    api_file: PathBuf,
}

impl Server {
    /// Takes the port and writes `api.json`. Requests wait until [`Server::run`].
    ///
    /// # Errors
    /// A taken port, by whom if that can be told; there is never another port. The hub is told too.
    pub async fn bind(hub: &Arc<Hub>, options: ServeOptions) -> Result<Self, Error> {
        let bound = Self::try_bind(hub, options).await;
        match &bound {
            Ok(server) => hub.serving(Ok(server.ready.url.clone()), Some(server.guard.port)),
            Err(error) => hub.serving(Err(error.detail.clone()), None),
        }
        bound
    }

    async fn try_bind(hub: &Arc<Hub>, options: ServeOptions) -> Result<Self, Error> {
        let api_file = hub.home().join(API_FILE);
        // Whoever holds the data folder owns this file too: one that is there is left over.
        let _ = fs::remove_file(&api_file);
        if let Some(folder) = &options.ui
            && !folder.join("index.html").is_file()
        {
            return Err(Error::new(
                Kind::NotFound,
                format!(
                    "There is no index.html in {}. Build the window first.",
                    folder.display()
                ),
            ));
        }
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(|error| not_bound(options.port, error))?;
        let port = listener.local_addr().map_err(Error::internal)?.port();
        let url = format!("http://127.0.0.1:{port}");
        let credential = tokens::fresh("sbo_")?;
        let mut ready = Ready {
            url: url.clone(),
            pid: std::process::id(),
            ui: None,
        };
        let page = match &options.ui {
            Some(folder) => {
                let session = tokens::fresh("sbu_")?;
                ready.ui = Some(format!("{url}/#credential={session}"));
                Some((Page::of(folder), Credential::of(&session)))
            }
            None => None,
        };
        let guard = Guard {
            hub: Arc::clone(hub),
            router: crate::router(Arc::clone(hub)),
            port,
            owner: Credential::of(&credential),
            page,
            wrong_tokens: WrongTokens::default(),
        };
        write_api_file(
            &api_file,
            &Running {
                url,
                pid: ready.pid,
                credential,
            },
        )
        .map_err(|error| Error {
            source: Some(error.into()),
            ..Error::new(
                Kind::ReadOnly,
                format!(
                    "{} could not be written. Check the permissions of the folder.",
                    api_file.display()
                ),
            )
        })?;
        Ok(Self {
            listener,
            guard: Arc::new(guard),
            ready,
            closing: watch::Sender::new(false),
            api_file,
        })
    }

    /// Where it is.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Answers until `shutdown`; then takes nothing new, lets what is being answered end (for at
    /// most ten seconds) and removes `api.json`. Stopping the hub is left to whoever opened it.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                (accepted, place) = accepted => match accepted {
                    Ok((stream, _)) => {
                        let (guard, closing) = (Arc::clone(&self.guard), self.closing.subscribe());
                        connections.spawn(async move {
                            answer(stream, guard, closing).await;
                            drop(place);
                        });
                    }
                    // Out of file descriptors: one may be free a moment later.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
            }
        }
        drop(self.listener);
        self.closing.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(CLOSE_WITHIN, drained).await.is_err() {
            tracing::warn!("some requests did not end in time and were cut off");
        }
        let _ = fs::remove_file(&self.api_file);
    }
}

/// [`Server::bind`] and [`Server::run`] in one.
///
/// # Errors
/// As for [`Server::bind`].
pub async fn serve(
    hub: Arc<Hub>,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    Server::bind(&hub, options).await?.run(shutdown).await;
    Ok(())
}

async fn answer(stream: TcpStream, guard: Arc<Guard>, mut closing: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let told = Closing(closing.clone());
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let guard = Arc::clone(&guard);
        request.extensions_mut().insert(told.clone());
        async move { Ok::<_, std::convert::Infallible>(guard.answer(request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Whatever went wrong here, the caller is gone.
        _ = connection.as_mut() => {}
        () = closed(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// An error means that the server itself is gone.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

fn not_bound(port: u16, error: io::Error) -> Error {
    let mut detail = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let mut detail = format!("Port {port} is taken");
            if let Some((name, pid)) = port_owner(port) {
                let _ = write!(detail, " by “{name}” (process {pid})");
            }
            detail + ". Other software could not reach Signalbox there."
        }
        io::ErrorKind::PermissionDenied => format!("Port {port} may not be used by this account."),
        _ => format!("Port {port} could not be opened."),
    };
    detail.push_str(" End that program, or choose another port with --port; 0 picks a free one.");
    Error {
        source: Some(error.into()),
        ..Error::new(Kind::Conflict, detail)
    }
}

/// Name and id of the process that listens on a port of this computer, where the system tells.
#[cfg(target_os = "linux")]
fn port_owner(port: u16) -> Option<(String, u32)> {
    const LISTENING: &str = "0A";
    let ending = format!(":{port:04X}");
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            let rows = table
                .lines()
                .skip(1)
                .map(|row| row.split_whitespace().collect::<Vec<_>>());
            rows.filter(|row| {
                row.get(1).is_some_and(|local| local.ends_with(&ending))
                    && row.get(3) == Some(&LISTENING)
            })
            .filter_map(|row| row.get(9).map(|inode| format!("socket:[{inode}]")))
            .collect::<Vec<_>>()
        })
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = |file: fs::DirEntry| {
            fs::read_link(file.path())
                .is_ok_and(|target| sockets.iter().any(|socket| target == Path::new(socket)))
        };
        if files.flatten().any(holds) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((name.trim().to_owned(), pid));
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn port_owner(_: u16) -> Option<(String, u32)> {
    None
}

/// Written beside and moved into place, so that nobody reads half of it; the name beside must be
/// new, so that nobody can have laid a link there.
fn write_api_file(path: &Path, running: &Running) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let _ = fs::remove_file(&beside);
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(&serde_json::to_vec(running)?)?;
    fs::rename(&beside, path)
}

/// Reads `api.json` of a data folder. Only a file of this user that nobody else can read is trusted.
///
/// # Errors
/// When it is not there, not ours, or open to others.
pub fn running(home: &Path) -> io::Result<Running> {
    let path = home.join(API_FILE);
    let meta = fs::symlink_metadata(&path)?;
    if !meta.is_file() || !is_private(&meta) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} belongs to somebody else or is open to others; it is not trusted.",
                path.display()
            ),
        ));
    }
    Ok(serde_json::from_slice(&fs::read(&path)?)?)
}

#[cfg(unix)]
fn is_private(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn an_api_file_is_trusted_only_when_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(API_FILE);
        let mine = Running {
            url: "http://127.0.0.1:1".into(),
            pid: 1,
            credential: "sbo_x".into(),
        };
        write_api_file(&path, &mine).unwrap();
        assert_eq!(running(home.path()).ok().unwrap().credential, "sbo_x");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(running(home.path()).is_err());
        fs::rename(&path, home.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &path).unwrap();
        assert!(running(home.path()).is_err());
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_taken_port_is_an_error_that_says_by_whom() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = TcpListener::bind(("127.0.0.1", port))
            .await
            .map(|_| ())
            .map_err(|error| not_bound(port, error))
            .unwrap_err();
        assert!(
            error.detail.contains(&std::process::id().to_string()),
            "{}",
            error.detail
        );
    }
}
