//! A caller of the loopback API: one connection a request, nothing hidden, nothing retried.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::PATIENCE;

/// Who calls, and where.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where the server listens.
    pub address: SocketAddr,
    token: String,
    workspace: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request, for the words of a failure.
    pub asked: String,
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
}

impl Answer {
    /// A header's value as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Fails unless the status is this; gives the body as JSON.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.asked, self.text());
        self.json()
    }

    /// Fails unless this is problem+json of this status with a title and a detail for people; gives it.
    #[track_caller]
    pub fn is_problem(&self, status: u16) -> Value {
        let problem = self.is(status);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}\n{}",
            self.asked,
            self.text()
        );
        assert_eq!(problem["status"], status, "{}", self.asked);
        for member in ["title", "detail"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|words| !words.is_empty()),
                "{}: the problem has no {member}: {problem}",
                self.asked
            );
        }
        problem
    }

    /// Fails unless this is a 422 that names this field; gives the entry.
    #[track_caller]
    pub fn names_field(&self, path: &str) -> Value {
        let problem = self.is_problem(422);
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let Some(error) = errors.iter().find(|error| error["path"] == path) else {
            panic!("{}: no error names {path}: {problem}", self.asked);
        };
        for member in ["code", "message"] {
            assert!(
                error[member].is_string(),
                "the error has no {member}: {error}"
            );
        }
        error.clone()
    }
}

impl Api {
    /// A caller with a token or the owner's credential; an empty one sends no `Authorization`.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
            workspace: None,
        }
    }

    /// The same caller, speaking for this workspace.
    pub fn for_workspace(&self, workspace: &str) -> Self {
        Self {
            workspace: Some(workspace.to_owned()),
            ..self.clone()
        }
    }

    /// The same caller, after the server has moved.
    pub fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// The same place, another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::new(self.address, token)
    }

    /// What stands in `Authorization`.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string()).await
    }

    /// PATCH of a JSON value.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::PATCH, path, &json, Some(body.to_string().into()))
            .await
    }

    /// POST of exact bytes that claim to be JSON.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::POST, path, &json, Some(body.into()))
            .await
    }

    /// Any request; headers given here stand beside, or instead of, the usual ones.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Answer {
        self.attempt(method, path, headers, body)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, for a server that may be gone at any moment.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, String> {
        let asked = format!("{method} {path}");
        let exchange = async {
            let response = self.open(method, path, headers, body).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?;
            Ok::<_, String>(Answer {
                asked: asked.clone(),
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        timeout(PATIENCE, exchange)
            .await
            .map_err(|_| format!("no answer within {PATIENCE:?}"))
            .flatten()
            .map_err(|error| format!("{asked}: {error}"))
    }

    /// Listens to the feed of changes.
    pub async fn changes(&self) -> Changes {
        let response = self
            .open(Method::GET, "/api/changes", &[], None)
            .await
            .expect("the feed of changes");
        assert_eq!(response.status(), 200, "GET /api/changes");
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut body = response.into_body();
        tokio::spawn(async move {
            let mut text = String::new();
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data() {
                    text.push_str(&String::from_utf8_lossy(&data));
                }
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                    let change = data.and_then(|data| serde_json::from_str(data.trim()).ok());
                    let rest = rest.to_owned();
                    if change.is_some_and(|change: Value| sender.send(change).is_err()) {
                        return;
                    }
                    text = rest;
                }
            }
        });
        Changes(receiver)
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<http::Response<Incoming>, String> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // A server that answers before it has read all of a large body may close; the answer still counts.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        let given = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if !self.token.is_empty() && !given("authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(workspace) = self.workspace.as_deref() {
            request = request.header("signalbox-workspace", workspace);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .expect("a request");
        sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())
    }
}

/// The feed of changes: what a test waits on.
#[derive(Debug)]
pub struct Changes(mpsc::UnboundedReceiver<Value>);

impl Changes {
    /// The next change, or nothing when none comes in time.
    pub async fn next_within(&mut self, patience: Duration) -> Option<Value> {
        timeout(patience, self.0.recv()).await.ok().flatten()
    }

    /// Asks at once and again after each change until there is an answer; nothing when none comes in time.
    pub async fn until<T>(mut self, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = ask().await {
                return Some(found);
            }
            tokio::time::timeout_at(deadline, self.0.recv())
                .await
                .ok()??;
        }
    }
}

/// Sends exact bytes and returns everything that comes back until the server closes or is silent for a second.
pub async fn raw_exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    stream
        .write_all(request)
        .await
        .expect("the request is sent");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(1), stream.read(&mut piece)).await {
        answer.extend_from_slice(&piece[..read]);
        if answer.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
