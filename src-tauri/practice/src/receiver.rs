//! A webhook receiver on loopback: takes each call, remembers it in bounded memory, answers.
//!
//! It verifies nothing: whoever asks for the calls holds the secret and judges them. How it misbehaves when told to is
//! in `faults`.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[cfg(feature = "faults")]
use crate::faults::{Behaviour, Script, Switchboard};

/// The largest body that is taken; a longer one is answered with 413.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// The bodies kept by [`Keep::Last`] never hold more than this together.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// How long a stop waits for calls that are being answered.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// What a receiver remembers of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The last so many calls, whole.
    Last(usize),
    /// For each `webhook-id` how often it came and whether its bytes were always the same; no bodies.
    Ledger,
}

/// One call as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// 1 for the first call since the start.
    pub number: u64,
    /// When its last byte had arrived.
    pub at: SystemTime,
    /// The same moment on the monotonic clock, to measure gaps with.
    pub instant: Instant,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// All headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
}

impl Call {
    /// A header's value as text; empty when it is absent or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// What the ledger knows of one `webhook-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many calls carried this id.
    pub count: u64,
    /// SHA-256 of the first call's body.
    pub sha256: [u8; 32],
    /// Whether every later call had the same body.
    pub same_bytes: bool,
    /// When the first one arrived.
    pub first: Instant,
}

/// A running receiver. It ends when dropped; [`Receiver::stop`] lets calls under way finish first.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// Makes the answer to a call.
pub(crate) type Answerer = dyn Fn(&Call) -> Response<Full<Bytes>> + Send + Sync;

/// What is answered to a call, where nothing else is asked for.
pub(crate) struct Respond {
    /// The largest body that is taken; a longer one is answered with 413.
    pub(crate) most: usize,
    pub(crate) to: Box<Answerer>,
}

impl std::fmt::Debug for Respond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Respond")
    }
}

#[derive(Debug)]
struct Shared {
    keep: Keep,
    respond: Respond,
    memory: Mutex<Memory>,
    count: watch::Sender<u64>,
    #[cfg(feature = "faults")]
    switchboard: Switchboard,
}

#[derive(Debug, Default)]
struct Memory {
    calls: VecDeque<Call>,
    kept_bytes: usize,
    ledger: HashMap<String, Taken>,
}

impl Receiver {
    /// Starts on the address (port 0: a free one) and keeps the last 100 calls.
    pub async fn start(address: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::start_keeping(address, Keep::Last(100)).await
    }

    /// Starts on the address and keeps what is asked.
    pub async fn start_keeping(address: impl Into<SocketAddr>, keep: Keep) -> io::Result<Self> {
        let respond = Respond {
            most: MAX_BODY_BYTES,
            to: Box::new(|_| answer(StatusCode::OK, r#"{"received":true}"#)),
        };
        Self::start_answering(address, keep, respond).await
    }

    /// Starts on the address, keeps what is asked and answers as told.
    pub(crate) async fn start_answering(
        address: impl Into<SocketAddr>,
        keep: Keep,
        respond: Respond,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address.into()).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            keep,
            respond,
            memory: Mutex::default(),
            count: watch::Sender::new(0),
            #[cfg(feature = "faults")]
            switchboard: Switchboard::default(),
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to give to a webhook.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many calls came since the start, kept or not.
    pub fn count(&self) -> u64 {
        *self.shared.count.borrow()
    }

    /// The calls still kept, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.memory().calls.iter().cloned().collect()
    }

    /// Each `webhook-id` that came, under [`Keep::Ledger`].
    pub fn ledger(&self) -> HashMap<String, Taken> {
        self.shared.memory().ledger.clone()
    }

    /// How many different ids the ledger holds.
    pub fn ledger_len(&self) -> usize {
        self.shared.memory().ledger.len()
    }

    /// Waits until at least `count` calls have come since the start. Sets no deadline of its own.
    pub async fn wait_for(&self, count: u64) {
        self.wait_until(|receiver| receiver.count() >= count).await;
    }

    /// Waits until a call makes the condition true. Sets no deadline of its own.
    pub async fn wait_until(&self, mut enough: impl FnMut(&Self) -> bool) {
        let mut count = self.shared.count.subscribe();
        while !enough(self) {
            if count.changed().await.is_err() {
                return;
            }
        }
    }

    /// Forgets what it keeps; the count goes on.
    pub fn forget(&self) {
        *self.shared.memory() = Memory::default();
    }

    /// Ends: takes no new call, lets those under way finish for a second.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.accepting).await;
    }

    /// From now on every path behaves like this.
    #[cfg(feature = "faults")]
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.switchboard.set_all(behaviour);
    }

    /// From now on this path behaves like this, one behaviour a call; the last one stays.
    #[cfg(feature = "faults")]
    pub fn behave_on(&self, path: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.shared.switchboard.set(path, behaviours);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, call: Call) {
        {
            let mut memory = self.memory();
            match self.keep {
                Keep::Last(limit) => {
                    memory.kept_bytes += call.body.len();
                    let number = *self.count.borrow() + 1;
                    memory.calls.push_back(Call { number, ..call });
                    while memory.calls.len() > limit || memory.kept_bytes > MAX_KEPT_BYTES {
                        let Some(oldest) = memory.calls.pop_front() else {
                            break;
                        };
                        memory.kept_bytes -= oldest.body.len();
                    }
                }
                Keep::Ledger => memory.note(&call.headers, &call.body),
            }
            // Counted under the lock: whoever sees the count also finds the call.
            self.count.send_modify(|count| *count += 1);
        }
    }
}

impl Memory {
    fn note(&mut self, headers: &HeaderMap, body: &[u8]) {
        let id = headers
            .get("webhook-id")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let sha256: [u8; 32] = Sha256::digest(body).into();
        if let Some(taken) = self.ledger.get_mut(id) {
            taken.count += 1;
            taken.same_bytes &= taken.sha256 == sha256;
        } else {
            let taken = Taken {
                count: 1,
                sha256,
                same_bytes: true,
                first: Instant::now(),
            };
            self.ledger.insert(id.to_owned(), taken);
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve(stream, Arc::clone(&shared), stop.clone()));
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

async fn serve(stream: TcpStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    #[cfg(feature = "faults")]
    let (take_over, mut taken_over) = tokio::sync::mpsc::channel::<Script>(1);
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        #[cfg(feature = "faults")]
        let take_over = take_over.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match Limited::new(body, shared.respond.most).collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(_) => return Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "")),
            };
            #[cfg(feature = "faults")]
            let behaviour = shared.switchboard.next(parts.uri.path());
            let call = Call {
                number: 0,
                at: SystemTime::now(),
                instant: Instant::now(),
                method: parts.method,
                uri: parts.uri,
                headers: parts.headers,
                body,
            };
            // What is asked is done before it is counted: whoever waits for the count finds it done.
            #[cfg(feature = "faults")]
            let does = matches!(behaviour, Behaviour::Answer | Behaviour::AnswerLost);
            #[cfg(not(feature = "faults"))]
            let does = true;
            let response = does.then(|| (shared.respond.to)(&call));
            shared.take(call);
            #[cfg(feature = "faults")]
            match behaviour {
                Behaviour::Answer => {}
                Behaviour::AnswerLost => return Behaviour::Close.perform(&take_over).await,
                behaviour => return behaviour.perform(&take_over).await,
            }
            response.ok_or_else(|| io::Error::other("another answer was asked for"))
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

pub(crate) fn answer(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn post(receiver: &Receiver, path: &str, id: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nwebhook-id: {id}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_call_is_kept_with_its_exact_bytes_and_answered_200() {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        let answer = post(&receiver, "/hook?x=1", "evt_1", "{\"b\" : 1e2}").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        receiver.wait_for(1).await;
        let calls = receiver.calls();
        assert_eq!(calls[0].body.as_ref(), b"{\"b\" : 1e2}");
        assert_eq!(calls[0].header("webhook-id"), "evt_1");
        assert_eq!(calls[0].uri, "/hook?x=1");
        receiver.stop().await;
    }

    #[tokio::test]
    async fn only_the_last_calls_are_kept_but_all_are_counted() {
        let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Last(2))
            .await
            .unwrap();
        for id in ["evt_1", "evt_2", "evt_3"] {
            post(&receiver, "/", id, "{}").await;
        }
        receiver.wait_for(3).await;
        let ids: Vec<_> = receiver
            .calls()
            .iter()
            .map(|call| call.header("webhook-id").to_owned())
            .collect();
        assert_eq!(ids, ["evt_2", "evt_3"]);
        assert_eq!(receiver.count(), 3);
    }

    #[tokio::test]
    async fn the_ledger_tells_a_repeat_from_a_changed_body() {
        let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Ledger)
            .await
            .unwrap();
        for (id, body) in [("a", "{}"), ("a", "{}"), ("b", "{}"), ("b", "{ }")] {
            post(&receiver, "/", id, body).await;
        }
        let ledger = receiver.ledger();
        assert_eq!((ledger["a"].count, ledger["a"].same_bytes), (2, true));
        assert_eq!((ledger["b"].count, ledger["b"].same_bytes), (2, false));
        assert!(receiver.calls().is_empty());
    }

    #[tokio::test]
    async fn after_a_stop_the_port_is_free_again() {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        let address = receiver.address();
        post(&receiver, "/", "evt_1", "{}").await;
        receiver.stop().await;
        let again = Receiver::start(address).await.unwrap();
        assert_eq!(again.count(), 0);
    }

    #[cfg(feature = "faults")]
    #[tokio::test]
    async fn a_path_behaves_in_turn_and_the_last_behaviour_stays() {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        receiver.behave_on(
            "/flaky",
            [
                Behaviour::Status(500),
                Behaviour::rate_limited("7"),
                Behaviour::Answer,
            ],
        );
        assert!(post(&receiver, "/flaky", "a", "{}").await.contains(" 500 "));
        assert!(
            post(&receiver, "/flaky", "a", "{}")
                .await
                .contains("retry-after: 7\r\n")
        );
        assert!(post(&receiver, "/flaky", "a", "{}").await.contains(" 200 "));
        assert!(post(&receiver, "/flaky", "a", "{}").await.contains(" 200 "));
        assert!(post(&receiver, "/other", "a", "{}").await.contains(" 200 "));
    }

    #[cfg(feature = "faults")]
    #[tokio::test]
    async fn what_http_forbids_is_written_to_the_bare_socket() {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        for (behaviour, expected) in [
            (Behaviour::Reset, ""),
            (Behaviour::Close, ""),
            (
                Behaviour::InvalidHttp,
                "\0\u{fffd}SSH-2.0-no such thing\r\n\r\n",
            ),
            (
                Behaviour::HalfAnswer,
                "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"received\":",
            ),
        ] {
            receiver.behave(behaviour);
            assert_eq!(post(&receiver, "/", "a", "{}").await, expected);
        }
        receiver.behave(Behaviour::Large(100_000));
        assert!(post(&receiver, "/", "a", "{}").await.len() > 100_000);
        receiver.behave(Behaviour::ManyHeaders(10_000));
        assert!(
            post(&receiver, "/", "a", "{}")
                .await
                .ends_with("X-Many-9999: 1\r\nContent-Length: 0\r\n\r\n")
        );
        assert_eq!(receiver.count(), 6);
    }
}
