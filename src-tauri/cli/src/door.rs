//! The way to the API: the socket of the process that owns the data folder, or the same router in
//! this process when nobody does. The lock on the folder decides, not a file that may be left over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use signalbox_api::{Principal, Running};
use signalbox_core::{Hub, Kind};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::said::Failed;

/// How long an owner that is just starting is waited for.
const OWNER_WITHIN: Duration = Duration::from_secs(5);

/// The way to the API, for one command.
pub(crate) struct Door {
    way: Way,
    workspace: Option<HeaderValue>,
}

enum Way {
    Socket(Running),
    Here(Arc<Hub>, Router),
}

/// What the API answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Door {
    /// Finds the owner, or becomes it for the length of this command.
    pub(crate) async fn open(
        home: Option<PathBuf>,
        workspace: Option<String>,
    ) -> Result<Self, Failed> {
        let workspace = workspace
            .map(|name| {
                HeaderValue::from_bytes(name.as_bytes()).map_err(|_| {
                    Failed::Usage("The name of a workspace holds no line breaks.".into())
                })
            })
            .transpose()?;
        let config = signalbox_api::edge::config(home)?;
        let home = config.home.clone();
        let way = match Hub::open(config).await {
            Ok(hub) => {
                signalbox_api::edge::start_logging(&home)?;
                let router = signalbox_api::router(Arc::clone(&hub));
                Way::Here(hub, router)
            }
            Err(owned) if owned.kind == Kind::Owned => {
                Way::Socket(find_owner(home, &owned.detail).await?)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { way, workspace })
    }

    /// Ends what [`Door::open`] began.
    pub(crate) async fn close(self) {
        if let Way::Here(hub, _) = self.way {
            hub.stop().await;
        }
    }

    /// Asks, and takes nothing but success.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Value, Failed> {
        let answer = self.try_ask(method, path, body).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(Failed::Problem(answer.body))
        }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failed> {
        self.ask(Method::GET, path, None).await
    }

    /// A request with a JSON body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failed> {
        self.ask(method, path, Some(body.to_string().into())).await
    }

    /// GET of an answer of any length, which is read as it comes.
    pub(crate) async fn open_answer(&self, path: &str) -> Result<Body, Failed> {
        let request = Request::builder().method(Method::GET).uri(path);
        let answer = self.pass(request, Body::empty(), path).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(Failed::Problem(whole(answer).await?.body))
    }

    /// POSTs what is read as it goes, of any length, and takes nothing but success.
    pub(crate) async fn stream(
        &self,
        path: &str,
        kind: &str,
        length: Option<u64>,
        body: Body,
    ) -> Result<Value, Failed> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, kind);
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        let answer = whole(self.pass(request, body, path).await?).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(Failed::Problem(answer.body))
        }
    }

    async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Failed> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Body::from(body.unwrap_or_default());
        whole(self.pass(request, body, path).await?).await
    }

    /// Asks; the body of the answer is still to be read.
    async fn pass(
        &self,
        mut request: http::request::Builder,
        body: Body,
        path: &str,
    ) -> Result<Response<Body>, Failed> {
        if let Some(workspace) = &self.workspace {
            request = request.header("signalbox-workspace", workspace);
        }
        let request = request
            .body(body)
            .map_err(|_| Failed::Usage(format!("{path} is no address.")))?;
        match &self.way {
            Way::Socket(owner) => over_socket(owner, request).await,
            Way::Here(_, router) => Ok(in_process(router, request).await),
        }
    }
}

/// What is said when an answer ends before it is whole.
pub(crate) fn broken_off<E>(_: E) -> Failed {
    Failed::said("Signalbox ended while it was asked. Look whether it was done, then try again.")
}

async fn whole(answer: Response<Body>) -> Result<Answer, Failed> {
    let status = answer.status();
    let bytes = answer
        .into_body()
        .collect()
        .await
        .map_err(broken_off)?
        .to_bytes();
    Ok(Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}

async fn in_process(router: &Router, mut request: Request<Body>) -> Response<Body> {
    request.extensions_mut().insert(Principal::SIGNALCTL);
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn over_socket(
    owner: &Running,
    mut request: Request<Body>,
) -> Result<Response<Body>, Failed> {
    let host = host(owner);
    let stream = TcpStream::connect(host)
        .await
        .map_err(|_| unreachable(owner))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken_off)?;
    tokio::spawn(connection);
    let headers = request.headers_mut();
    let value = |text: String| HeaderValue::from_str(&text).map_err(|_| unreachable(owner));
    headers.insert(header::HOST, value(host.to_owned())?);
    headers.insert(
        header::AUTHORIZATION,
        value(format!("Bearer {}", owner.credential))?,
    );
    let response = sender.send_request(request).await.map_err(broken_off)?;
    Ok(response.map(Body::new))
}

fn host(owner: &Running) -> &str {
    owner.url.strip_prefix("http://").unwrap_or_default()
}

fn unreachable(owner: &Running) -> Failed {
    Failed::said(format!(
        "Signalbox (process {}) runs on this data folder but does not answer at {}.",
        owner.pid, owner.url
    ))
}

/// The owner's `api.json`, once somebody answers there: one that is just starting is waited for.
async fn find_owner(home: PathBuf, owned: &str) -> Result<Running, Failed> {
    let deadline = tokio::time::Instant::now() + OWNER_WITHIN;
    loop {
        let why = match signalbox_api::running(&home) {
            Ok(owner) => match TcpStream::connect(host(&owner)).await {
                Ok(_) => return Ok(owner),
                Err(_) => unreachable(&owner),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Failed::said(format!(
                "{owned} It has no address that signalctl could ask it at; its window says why under “Connect your software”."
            )),
            Err(error) => Failed::said(error.to_string()),
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(why);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
