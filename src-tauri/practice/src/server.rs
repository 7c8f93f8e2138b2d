//! What every stand-in is built on: connections on loopback, whole requests, one answer each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[cfg(feature = "faults")]
use crate::faults::{Behaviour, Script, Switchboard};

/// The largest body that is taken; a longer one is answered with 413.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long a stop waits for calls that are being answered.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The work of a stand-in.
pub(crate) trait Answers: Send + Sync + 'static {
    /// Remembers a call, whatever becomes of it.
    fn note(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes);
    /// Does what is asked.
    fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<Full<Bytes>>;
}

/// Takes connections until it is dropped or stopped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    answered: watch::Sender<u64>,
    #[cfg(feature = "faults")]
    instead: Switchboard,
    #[cfg(feature = "faults")]
    afterwards: Switchboard,
}

impl Server {
    pub(crate) async fn start(address: SocketAddr, answers: Arc<impl Answers>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let stop = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, answers, shared.clone(), stop.subscribe()));
        Ok(Self {
            address,
            shared,
            stop,
            accepting,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn wait_until<T>(&self, of: &T, mut enough: impl FnMut(&T) -> bool) {
        let mut answered = self.shared.answered.subscribe();
        while !enough(of) {
            if answered.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.accepting).await;
    }

    /// Every call is met like this, and no work is done.
    #[cfg(feature = "faults")]
    pub(crate) fn instead(&self, behaviour: Behaviour) {
        self.shared.instead.set_all(behaviour);
    }

    /// Calls with this method to this path are done first; then they are met like this, one behaviour a call.
    #[cfg(feature = "faults")]
    pub(crate) fn afterwards(
        &self,
        method: &Method,
        path: &str,
        behaviours: impl IntoIterator<Item = Behaviour>,
    ) {
        let turns = behaviours.into_iter().chain([Behaviour::Answer]);
        self.shared
            .afterwards
            .set(&format!("{method} {path}"), turns);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    answers: Arc<impl Answers>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream, answers.clone(), shared.clone(), stop.clone()));
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

async fn serve(
    stream: TcpStream,
    answers: Arc<impl Answers>,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    #[cfg(feature = "faults")]
    let (take_over, mut taken_over) = tokio::sync::mpsc::channel::<Script>(1);
    let service = service_fn(|request: Request<Incoming>| {
        let (answers, shared) = (answers.clone(), shared.clone());
        #[cfg(feature = "faults")]
        let take_over = take_over.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(collected) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
                return Ok(crate::receiver::answer(StatusCode::PAYLOAD_TOO_LARGE, ""));
            };
            let body = collected.to_bytes();
            answers.note(&parts.method, &parts.uri, &parts.headers, &body);
            #[cfg(feature = "faults")]
            match shared.instead.next(parts.uri.path()) {
                Behaviour::Answer => {}
                behaviour => {
                    shared.answered.send_modify(|count| *count += 1);
                    return behaviour.perform(&take_over).await;
                }
            }
            let answer = answers.answer(&parts.method, &parts.uri, &parts.headers, &body);
            shared.answered.send_modify(|count| *count += 1);
            #[cfg(feature = "faults")]
            match shared
                .afterwards
                .next(&format!("{} {}", parts.method, parts.uri.path()))
            {
                Behaviour::Answer => {}
                behaviour => return behaviour.perform(&take_over).await,
            }
            Ok::<_, io::Error>(answer)
        })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    loop {
        #[cfg(feature = "faults")]
        let script = taken_over.recv();
        #[cfg(not(feature = "faults"))]
        let script = std::future::pending::<Option<()>>();
        tokio::select! {
            _ = &mut connection => return,
            _ = stop.changed() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                let _ = connection.await;
                return;
            }
            script = script => {
                #[cfg(feature = "faults")]
                if let Some(script) = script {
                    let stream = connection.into_parts().io.into_inner();
                    tokio::select! {
                        () = script.run(stream) => {}
                        _ = stop.changed() => {}
                    }
                    return;
                }
                #[cfg(not(feature = "faults"))]
                let _ = script;
            }
        }
    }
}
