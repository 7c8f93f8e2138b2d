//! A storage on loopback: files in a folder, spoken to in S3.
//!
//! In practice mode it believes every signature. With the feature `faults` there is also a strict one, by `s3s`, which
//! checks them, and either can be told to misbehave.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
#[cfg(feature = "faults")]
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::folder::Folder;

pub(crate) type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// How long a stop waits for calls that are being answered.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A file in one piece.
    Put,
    /// A large file begins.
    Begin,
    /// One part of it.
    Part,
    /// Its parts are put together.
    Complete,
    /// Its parts are given up.
    Abort,
    /// What is known of a file.
    Head,
    /// A file is read.
    Get,
    /// Which files there are.
    List,
    /// A file is taken away.
    Delete,
}

impl Step {
    fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| {
            query
                .split('&')
                .any(|pair| pair.split('=').next() == Some(name))
        };
        match *request.method() {
            Method::PUT if has("partNumber") => Self::Part,
            Method::PUT => Self::Put,
            Method::POST if has("uploads") => Self::Begin,
            Method::POST => Self::Complete,
            Method::DELETE if has("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::HEAD => Self::Head,
            _ if has("list-type") => Self::List,
            _ => Self::Get,
        }
    }
}

/// How a storage misbehaves when a test tells it to.
#[cfg(feature = "faults")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Does what it should, this once.
    None,
    /// The same, after a while.
    Slow(Duration),
    /// Never an answer.
    Hang,
    /// The connection ends instead of an answer, and nothing was done.
    Reset,
    /// Everything is done as asked, and then the connection ends without an answer.
    AnswerLost,
    /// The answer breaks off in the middle of its body.
    DropMidBody,
    /// A refusal with status, code and sentence, as S3 writes it, and how many seconds its clock is behind.
    Refuse(u16, &'static str, &'static str, i64),
    /// A page to log in at, with 200.
    LoginPage,
    /// One byte of the file is another when it is read.
    FlipBit,
}

#[cfg(feature = "faults")]
impl Fault {
    /// What S3 says when it is asked too often.
    pub const SLOW_DOWN: Self =
        Self::Refuse(503, "SlowDown", "Please reduce your request rate.", 0);
}

/// A running storage. It ends when dropped.
#[derive(Debug)]
pub struct Storage {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

struct Shared {
    kind: Kind,
    counts: Mutex<HashMap<Step, u64>>,
    #[cfg(feature = "faults")]
    faults: Mutex<HashMap<Step, std::collections::VecDeque<Fault>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

enum Kind {
    Folder(Folder),
    #[cfg(feature = "faults")]
    Strict(s3s::service::S3Service),
}

impl Storage {
    /// Starts on the address (port 0: a free one), with its files in this folder. Every bucket exists; the access key
    /// `REFUSED` is refused, any other accepted.
    pub async fn start(address: impl Into<SocketAddr>, folder: &Path) -> io::Result<Self> {
        Self::serve(address.into(), Kind::Folder(Folder::open(folder)?)).await
    }

    /// Starts one that checks every signature by `s3s`, with one bucket for one key.
    #[cfg(feature = "faults")]
    pub async fn start_strict(
        address: impl Into<SocketAddr>,
        folder: &Path,
        bucket: &str,
        key: &str,
        secret: &str,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join(bucket))?;
        let files =
            s3s_fs::FileSystem::new(folder).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut service = s3s::service::S3ServiceBuilder::new(files);
        service.set_auth(s3s::auth::SimpleAuth::from_single(key, secret));
        Self::serve(address.into(), Kind::Strict(service.build())).await
    }

    async fn serve(address: SocketAddr, kind: Kind) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            kind,
            counts: Mutex::default(),
            #[cfg(feature = "faults")]
            faults: Mutex::default(),
        });
        let stop = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), stop.subscribe()));
        Ok(Self {
            address,
            shared,
            stop,
            accepting,
        })
    }

    /// The address to give as an endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often this was asked for.
    pub fn count(&self, step: Step) -> u64 {
        lock(&self.shared.counts).get(&step).copied().unwrap_or(0)
    }

    /// How the next calls of this kind go, one fault each; afterwards all is well again.
    #[cfg(feature = "faults")]
    pub fn misbehave(&self, step: Step, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared.faults).insert(step, faults.into_iter().collect());
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                } else {
                    // Out of file descriptors: the next one may be free a moment later.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_PATIENCE, drained).await;
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { shared.answer(request).await })
    });
    // An error is a caller that went away, or a fault that was asked for.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let step = Step::of(&request);
        *lock(&self.counts).entry(step).or_default() += 1;
        #[cfg(feature = "faults")]
        {
            let fault = lock(&self.faults)
                .get_mut(&step)
                .and_then(std::collections::VecDeque::pop_front);
            if let Some(fault) = fault {
                return self.misbehave(fault, request).await;
            }
        }
        self.do_it(request).await
    }

    async fn do_it(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        match &self.kind {
            Kind::Folder(folder) => Ok(folder.answer(request).await),
            #[cfg(feature = "faults")]
            Kind::Strict(service) => hyper::service::Service::call(service, request)
                .await
                .map(|response| response.map(|body| body.map_err(Into::into).boxed_unsync()))
                .map_err(io::Error::other),
        }
    }

    #[cfg(feature = "faults")]
    async fn misbehave(
        &self,
        fault: Fault,
        request: Request<Incoming>,
    ) -> io::Result<Response<Body>> {
        use crate::folder::{refusal, text};
        let ended = || io::Error::from(io::ErrorKind::ConnectionReset);
        match fault {
            Fault::None => self.do_it(request).await,
            Fault::Slow(wait) => {
                tokio::time::sleep(wait).await;
                self.do_it(request).await
            }
            Fault::Hang => std::future::pending().await,
            Fault::Reset => Err(ended()),
            Fault::AnswerLost => {
                let response = self.do_it(request).await?;
                // Some of the work is only done while its answer is read.
                let _ = response.into_body().collect().await;
                Err(ended())
            }
            Fault::DropMidBody => {
                let (parts, mut body) = self.do_it(request).await?.into_parts();
                let first = body.frame().await.and_then(Result::ok);
                let half = first
                    .and_then(|frame| frame.into_data().ok())
                    .map(|data| data.slice(..data.len() / 2));
                let half = Ok(hyper::body::Frame::data(half.unwrap_or_default()));
                let end = futures_util::stream::once(async move {
                    // Until the first half is on the wire.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Err(ended().into())
                });
                let frames =
                    futures_util::StreamExt::chain(futures_util::stream::once(async { half }), end);
                let body = http_body_util::StreamBody::new(frames);
                Ok(Response::from_parts(parts, body.boxed_unsync()))
            }
            Fault::Refuse(status, code, message, behind) => {
                let _ = request.into_body().collect().await;
                let mut refused = refusal(status, code, message);
                let date = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(behind);
                if let Some(date) = crate::folder::http_date(date) {
                    refused.headers_mut().insert(http::header::DATE, date);
                }
                Ok(refused)
            }
            Fault::LoginPage => {
                let _ = request.into_body().collect().await;
                Ok(text(
                    200,
                    "text/html",
                    "<!doctype html><title>Log in</title>",
                ))
            }
            Fault::FlipBit => {
                let (parts, body) = self.do_it(request).await?.into_parts();
                let mut bytes = body
                    .collect()
                    .await
                    .map_err(io::Error::other)?
                    .to_bytes()
                    .to_vec();
                if let Some(byte) = bytes.last_mut() {
                    *byte ^= 1;
                }
                let body = http_body_util::Full::new(Bytes::from(bytes));
                Ok(Response::from_parts(
                    parts,
                    body.map_err(|never| match never {}).boxed_unsync(),
                ))
            }
        }
    }
}
