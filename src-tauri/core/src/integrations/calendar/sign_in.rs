//! Waiting for the browser: one loopback port for one sign-in, open for five minutes at most.
//!
//! Whatever else comes to the port — scanners, other pages, answers to other sign-ins — is told so and
//! changes nothing. The page that people see is plain and carries nothing of what came.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::google::SCOPES;
use crate::clock::Time;
use crate::ids::WorkspaceId;
use crate::integrations::{Kind, words};
use crate::outcome::Failure;

/// How long the port is open.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// How long one that has connected may take for its request.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// Connections at a time; what is more is turned away.
const MOST_AT_ONCE: usize = 16;
/// How long the last page may take to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(2);
/// Sign-ins that are remembered.
const REMEMBERED: usize = 32;
const PATH: &str = "/callback";

/// How a sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SignInStatus))]
pub enum FlowStatus {
    /// The browser has not come back yet.
    Waiting,
    /// The calendar is connected.
    Connected,
    /// The owner said no at Google.
    Denied,
    /// It came to nothing.
    Failed,
    /// Nobody came back in time.
    Expired,
}

/// `GET /api/integrations/calendar/authorize/{flowId}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// How it stands.
    pub status: FlowStatus,
    /// What went wrong, or while it waits: what came that was not for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What can go wrong with a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// An answer without `state`.
    NoState,
    /// An answer to another sign-in.
    WrongState,
    /// An answer from another provider.
    WrongIssuer,
    /// Somebody called by another name.
    WrongHost,
    /// A second answer.
    UsedTwice,
    /// Neither a code nor a reason.
    NoCode,
    /// The owner said no.
    Denied,
    /// The provider gave another reason.
    ProviderSaid(String),
    /// Permissions that were left unticked, by what they are for.
    NotGranted(Vec<&'static str>),
    /// No refresh token came, and none is held for this account.
    NoLastingAccess,
    /// The wanted calendar is not there.
    NoSuchCalendar,
    /// Google refused what came afterwards.
    Refused(Failure),
    /// It could not be kept.
    NotKept(String),
    /// A newer sign-in took its place.
    Replaced,
    /// Nobody came in time.
    TimedOut,
}

impl Mishap {
    pub(crate) const fn status(&self) -> FlowStatus {
        match self {
            Self::Denied => FlowStatus::Denied,
            Self::TimedOut => FlowStatus::Expired,
            _ => FlowStatus::Failed,
        }
    }

    /// What happened, and what to do.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::NoState => "An answer came that does not say to which sign-in it belongs. It was ignored; finish the sign-in in the browser tab that Signalbox opened.".into(),
            Self::WrongState => "An answer came that belongs to another sign-in. It was ignored; finish the one in the browser tab that was opened last.".into(),
            Self::WrongIssuer => "An answer came that is not from Google. It was ignored; finish the sign-in in the browser tab that Signalbox opened.".into(),
            Self::WrongHost => "Something called Signalbox by a wrong name. It was ignored; finish the sign-in in the browser tab that Signalbox opened.".into(),
            Self::UsedTwice => "This sign-in was used already. If the calendar is not connected, start again in Signalbox.".into(),
            Self::NoCode => "Google’s answer held neither a permission nor a reason. Start again in Signalbox.".into(),
            Self::Denied => "You did not allow it at Google, so nothing was changed. Start again whenever you like.".into(),
            Self::ProviderSaid(reason) => match reason.as_str() {
                "admin_policy_enforced" | "org_internal" => "The administrator of your Google account does not allow this program. Ask there, or use another account.".into(),
                "server_error" | "temporarily_unavailable" => "Google has trouble of its own now. Start again in a few minutes.".into(),
                "invalid_scope" => "Google does not let this client ask for calendars. Add the two calendar permissions to it in Google’s console, then start again.".into(),
                _ => "Google broke the sign-in off. Start again in Signalbox.".into(),
            },
            Self::NotGranted(missing) => format!("At Google this was left unticked: {}. Without it no entry can be written. Start again and tick it.", missing.join("; ")),
            Self::NoLastingAccess => "Google gave access for an hour only, because this account had allowed it before. Start again; this time Google asks anew, and the access lasts.".into(),
            Self::NoSuchCalendar => "This account has no such calendar that can be written into. Choose another, then start again.".into(),
            Self::Refused(failure) => words::failure(Kind::Calendar, failure),
            Self::NotKept(why) => format!("You allowed it, but it could not be kept. {why} Then start again."),
            Self::Replaced => "Another sign-in was started, so this one was ended. Finish the newer one.".into(),
            Self::TimedOut => "Nobody came back from Google within five minutes, so the sign-in was ended. Start again whenever you like.".into(),
        }
    }
}

/// The sign-ins of this process.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<HashMap<String, Flow>>, Mutex<HashSet<WorkspaceId>>);

#[derive(Debug)]
struct Flow {
    workspace: WorkspaceId,
    began: Time,
    /// None while it waits.
    ended: Option<Result<(), Mishap>>,
    note: Option<Mishap>,
    stop: Option<oneshot::Sender<()>>,
}

impl Flows {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, Flow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sign-in begins; what else of the workspace was under way ends.
    pub(crate) fn begin(
        &self,
        id: &str,
        workspace: WorkspaceId,
        now: Time,
    ) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        let mut all = self.all();
        for flow in all.values_mut() {
            if flow.workspace == workspace && flow.ended.is_none() {
                flow.ended = Some(Err(Mishap::Replaced));
                // An error says that it has ended by itself.
                let _ = flow.stop.take().map(|stop| stop.send(()));
            }
        }
        while all.len() >= REMEMBERED {
            let oldest = all
                .iter()
                .min_by_key(|(_, flow)| (flow.ended.is_none(), flow.began))
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            all.remove(&oldest);
        }
        all.insert(
            id.to_owned(),
            Flow {
                workspace,
                began: now,
                ended: None,
                note: None,
                stop: Some(stop),
            },
        );
        stopped
    }

    /// Something came that was not for it.
    pub(crate) fn note(&self, id: &str, what: Mishap) {
        if let Some(flow) = self.all().get_mut(id) {
            flow.note = Some(what);
        }
    }

    /// True while nothing ended it.
    pub(crate) fn is_waiting(&self, id: &str) -> bool {
        self.all().get(id).is_some_and(|flow| flow.ended.is_none())
    }

    /// Notes whether consent has to be asked for anew: the last sign-in gave no lasting access.
    pub(crate) fn ask_consent(&self, workspace: WorkspaceId, anew: bool) {
        let mut asking = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if anew {
            asking.insert(workspace);
        } else {
            asking.remove(&workspace);
        }
    }

    pub(crate) fn needs_consent(&self, workspace: WorkspaceId) -> bool {
        let asking = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        asking.contains(&workspace)
    }

    /// It ended, unless a newer one took its place before.
    pub(crate) fn end(&self, id: &str, how: Result<(), Mishap>) {
        if let Some(flow) = self.all().get_mut(id)
            && flow.ended.is_none()
        {
            flow.ended = Some(how);
        }
    }

    pub(crate) fn stands(&self, id: &str, workspace: WorkspaceId) -> Option<SignIn> {
        let all = self.all();
        let flow = all.get(id).filter(|flow| flow.workspace == workspace)?;
        Some(match &flow.ended {
            None => SignIn {
                status: FlowStatus::Waiting,
                error: flow.note.as_ref().map(Mishap::sentence),
            },
            Some(Ok(())) => SignIn {
                status: FlowStatus::Connected,
                error: None,
            },
            Some(Err(mishap)) => SignIn {
                status: mishap.status(),
                error: Some(mishap.sentence()),
            },
        })
    }
}

/// A sign-in that was made ready: where the browser goes, and by what its answer is known.
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) state: String,
    pub(crate) verifier: String,
}

/// Makes a sign-in ready: PKCE with S256 and a state of 32 random bytes. `again` asks for consent
/// anew, for only then a refresh token comes.
pub(crate) fn ready(
    client_id: &str,
    auth_uri: &str,
    redirect_uri: &str,
    again: bool,
) -> Option<Ready> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256_len(32);
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_auth_uri(AuthUrl::new(auth_uri.to_owned()).ok()?)
        .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned()).ok()?);
    let mut request = client
        .authorize_url(|| CsrfToken::new_random_len(32))
        .set_pkce_challenge(challenge)
        .add_scopes(SCOPES.map(|(scope, _)| Scope::new(scope.to_owned())))
        .add_extra_param("access_type", "offline");
    if again {
        request = request.add_extra_param("prompt", "consent");
    }
    let (url, state) = request.url();
    Some(Ready {
        url: url.into(),
        state: state.secret().clone(),
        verifier: verifier.secret().clone(),
    })
}

/// The permissions that were asked for and not granted, by what they are for. Pure.
pub(crate) fn not_granted(scopes: Option<&[String]>) -> Vec<&'static str> {
    let Some(granted) = scopes else {
        return Vec::new();
    };
    SCOPES
        .iter()
        .filter(|(scope, _)| !granted.iter().any(|one| one == scope))
        .map(|(_, what)| *what)
        .collect()
}

/// By what an answer is known to be ours.
pub(crate) struct Expected {
    pub(crate) port: u16,
    pub(crate) state: String,
    /// Scheme, host and port of where the browser was sent.
    pub(crate) issuer: Option<String>,
}

/// What came to the port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    /// A code for us.
    Code(String),
    /// The sign-in came to nothing.
    Nothing(Mishap),
    /// Not for us.
    Stray(StatusCode, Mishap),
    /// Nothing that concerns a sign-in: a scanner, the icon that browsers ask for.
    Else(StatusCode),
}

/// Judges one request. Pure.
fn judge(
    method: &Method,
    host: Option<&str>,
    path: &str,
    query: &str,
    expected: &Expected,
) -> Came {
    if host != Some(&format!("127.0.0.1:{}", expected.port)) {
        return Came::Stray(StatusCode::MISDIRECTED_REQUEST, Mishap::WrongHost);
    }
    if path != PATH {
        return Came::Else(StatusCode::NOT_FOUND);
    }
    if method != Method::GET {
        return Came::Else(StatusCode::METHOD_NOT_ALLOWED);
    }
    let members: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    // A member that is there twice is none: which of them is meant, nobody can say.
    let member = |name: &str| {
        let mut all = members.iter().filter(|(known, _)| known == name);
        match (all.next(), all.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value.as_str()),
            _ => None,
        }
    };
    let Some(state) = member("state") else {
        return Came::Stray(StatusCode::BAD_REQUEST, Mishap::NoState);
    };
    if !bool::from(state.as_bytes().ct_eq(expected.state.as_bytes())) {
        return Came::Stray(StatusCode::BAD_REQUEST, Mishap::WrongState);
    }
    if let Some(issuer) = member("iss")
        && crate::webhooks::kept::origin(issuer) != expected.issuer
    {
        return Came::Stray(StatusCode::BAD_REQUEST, Mishap::WrongIssuer);
    }
    match (member("error"), member("code")) {
        (Some("access_denied"), _) => Came::Nothing(Mishap::Denied),
        (Some(reason), _) => Came::Nothing(Mishap::ProviderSaid(
            reason
                .chars()
                .filter(char::is_ascii_graphic)
                .take(64)
                .collect(),
        )),
        (None, Some(code)) => Came::Code(code.to_owned()),
        (None, None) => Came::Nothing(Mishap::NoCode),
    }
}

/// A first answer, and the browser that waits for its page.
type First = (Result<String, Mishap>, Browser);

/// Whom to tell how it went.
type Browser = oneshot::Sender<Result<(), Mishap>>;

struct Port {
    expected: Expected,
    used: AtomicBool,
    first: mpsc::Sender<First>,
    /// Notes what was not for the sign-in.
    note: Box<dyn Fn(Mishap) + Send + Sync>,
}

impl Port {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let uri = request.uri();
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let first = match judge(request.method(), host, path, query, &self.expected) {
            Came::Else(status) => return page(status, "There is nothing here."),
            Came::Stray(status, mishap) => {
                let response = page(status, &mishap.sentence());
                // Before the answer goes, so that who asks after it is told of it.
                (self.note)(mishap);
                return response;
            }
            Came::Code(code) => Ok(code),
            Came::Nothing(mishap) => Err(mishap),
        };
        if self.used.swap(true, Ordering::SeqCst) {
            let mishap = Mishap::UsedTwice;
            return page(StatusCode::CONFLICT, &mishap.sentence());
        }
        let (tell, told) = oneshot::channel();
        if self.first.send((first, tell)).await.is_err() {
            return page(StatusCode::CONFLICT, &Mishap::UsedTwice.sentence());
        }
        match told.await {
            Ok(Ok(())) => page(
                StatusCode::OK,
                "Google Calendar is connected. You can close this tab.",
            ),
            Ok(Err(mishap)) => {
                let sentence = format!("{} You can close this tab.", mishap.sentence());
                page(StatusCode::OK, &sentence)
            }
            Err(_) => page(StatusCode::CONFLICT, &Mishap::Replaced.sentence()),
        }
    }
}

/// Waits for the browser, lets `redeem` make something of the code, and tells the browser how it
/// went. The port is closed when this returns.
pub(crate) async fn wait<F: Future<Output = Result<(), Mishap>>>(
    listener: TcpListener,
    expected: Expected,
    patience: Duration,
    mut stop: oneshot::Receiver<()>,
    note: impl Fn(Mishap) + Send + Sync + 'static,
    redeem: impl FnOnce(String) -> F,
) -> Result<(), Mishap> {
    let (first, mut came) = mpsc::channel(1);
    let port = Arc::new(Port {
        expected,
        used: AtomicBool::new(false),
        first,
        note: Box::new(note),
    });
    let mut connections = JoinSet::new();
    let deadline = tokio::time::sleep(patience);
    tokio::pin!(deadline);
    let mut redeem = Some(redeem);
    let mut redeeming: Option<(std::pin::Pin<Box<F>>, Browser)> = None;
    let how = loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    if connections.len() < MOST_AT_ONCE {
                        connections.spawn(serve(stream, port.clone()));
                    }
                } else {
                    // Out of file descriptors: the next one may be free a moment later.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Some(_) = connections.join_next() => {}
            Some((first, tell)) = came.recv() => match (first, redeem.take()) {
                (Ok(code), Some(redeem)) => redeeming = Some((Box::pin(redeem(code)), tell)),
                (Err(mishap), _) => {
                    // An error says that the browser did not wait.
                    let _ = tell.send(Err(mishap.clone()));
                    break Err(mishap);
                }
                (Ok(_), None) => {}
            },
            how = async {
                match &mut redeeming {
                    Some((redeeming, _)) => redeeming.await,
                    None => std::future::pending().await,
                }
            } => {
                if let Some((_, tell)) = redeeming.take() {
                    let _ = tell.send(how.clone());
                }
                break how;
            }
            _ = &mut stop => break Err(Mishap::Replaced),
            () = &mut deadline, if redeeming.is_none() => break Err(Mishap::TimedOut),
        }
    };
    drop(redeeming);
    drop(listener);
    // The browser gets its page; whoever only holds a connection does not keep it open.
    let last = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_PAGE, last).await;
    how
}

async fn serve(stream: tokio::net::TcpStream, port: Arc<Port>) {
    let service = service_fn(move |request| {
        let port = port.clone();
        async move { Ok::<_, Infallible>(port.answer(request).await) }
    });
    // Whoever calls wrongly or goes away is no concern of ours.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_PATIENCE)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A page without script, style or anything of what came.
fn page(status: StatusCode, sentence: &str) -> Response<Full<Bytes>> {
    let text = sentence
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Signalbox</title>\n<h1>Signalbox</h1>\n<p>{text}</p>\n</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn expected(port: u16) -> Expected {
        Expected {
            port,
            state: "the-state".into(),
            issuer: Some("https://accounts.google.com".into()),
        }
    }

    #[test]
    fn the_proof_of_pkce_is_made_as_rfc_7636_shows_in_appendix_b() {
        let verifier =
            oauth2::PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        assert_eq!(
            challenge.as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(challenge.method().as_str(), "S256");
    }

    #[test]
    fn the_browser_is_sent_with_all_that_google_wants_and_nothing_wider() {
        let redirect = "http://127.0.0.1:49152/callback";
        let ready =
            super::ready("me.apps", super::super::google::AUTH_URI, redirect, false).unwrap();
        let url = url::Url::parse(&ready.url).unwrap();
        let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "me.apps"),
            ("redirect_uri", redirect),
            ("code_challenge_method", "S256"),
            ("access_type", "offline"),
            ("state", &ready.state),
            (
                "scope",
                "https://www.googleapis.com/auth/calendar.events https://www.googleapis.com/auth/calendar.calendarlist.readonly",
            ),
        ] {
            assert_eq!(query[name], value, "{name}");
        }
        assert!(!query.contains_key("prompt"));
        let verifier = oauth2::PkceCodeVerifier::new(ready.verifier.clone());
        assert_eq!(
            query["code_challenge"],
            PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str()
        );
        // 32 bytes in base64url.
        assert_eq!((ready.state.len(), ready.verifier.len()), (43, 43));
        let again =
            super::ready("me.apps", super::super::google::AUTH_URI, redirect, true).unwrap();
        assert!(again.url.contains("prompt=consent"));
        assert_ne!((again.state, again.verifier), (ready.state, ready.verifier));
    }

    #[test]
    fn every_request_at_the_port_is_judged() {
        let stray = |status, mishap| Came::Stray(StatusCode::from_u16(status).unwrap(), mishap);
        let other = |status| Came::Else(StatusCode::from_u16(status).unwrap());
        let ours = Some("127.0.0.1:49152");
        for (method, host, target, came) in [
            (
                "GET",
                ours,
                "/callback?state=the-state&code=4/0A&scope=x",
                Came::Code("4/0A".into()),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&code=4%2F0A&iss=https://accounts.google.com",
                Came::Code("4/0A".into()),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&code=c&iss=https://evil.example",
                stray(400, Mishap::WrongIssuer),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&error=access_denied",
                Came::Nothing(Mishap::Denied),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&error=server_error&code=c",
                Came::Nothing(Mishap::ProviderSaid("server_error".into())),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state",
                Came::Nothing(Mishap::NoCode),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&code=a&code=b",
                Came::Nothing(Mishap::NoCode),
            ),
            (
                "GET",
                ours,
                "/callback?state=another&code=c",
                stray(400, Mishap::WrongState),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-stat&code=c",
                stray(400, Mishap::WrongState),
            ),
            (
                "GET",
                ours,
                "/callback?state=the-state&state=the-state&code=c",
                stray(400, Mishap::NoState),
            ),
            ("GET", ours, "/callback?code=c", stray(400, Mishap::NoState)),
            (
                "GET",
                ours,
                "/callback?error=access_denied",
                stray(400, Mishap::NoState),
            ),
            (
                "GET",
                Some("localhost:49152"),
                "/callback?state=the-state&code=c",
                stray(421, Mishap::WrongHost),
            ),
            (
                "GET",
                Some("evil.example:49152"),
                "/callback?state=the-state&code=c",
                stray(421, Mishap::WrongHost),
            ),
            (
                "GET",
                Some("127.0.0.1"),
                "/callback?state=the-state&code=c",
                stray(421, Mishap::WrongHost),
            ),
            (
                "GET",
                None,
                "/callback?state=the-state&code=c",
                stray(421, Mishap::WrongHost),
            ),
            ("POST", ours, "/callback?state=the-state&code=c", other(405)),
            ("HEAD", ours, "/callback?state=the-state&code=c", other(405)),
            ("GET", ours, "/favicon.ico", other(404)),
            ("GET", ours, "/callback/?state=the-state&code=c", other(404)),
        ] {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let method: Method = method.parse().unwrap();
            assert_eq!(
                judge(&method, host, path, query, &expected(49152)),
                came,
                "{target}"
            );
        }
    }

    #[test]
    fn what_was_left_unticked_is_named_in_words() {
        let granted = |scopes: &[&str]| scopes.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert!(not_granted(None).is_empty());
        assert!(not_granted(Some(&granted(&[SCOPES[1].0, "openid", SCOPES[0].0]))).is_empty());
        let missing = not_granted(Some(&granted(&[SCOPES[1].0])));
        assert_eq!(missing, ["see and change the entries of your calendars"]);
        assert!(
            Mishap::NotGranted(missing)
                .sentence()
                .contains("see and change the entries")
        );
        assert_eq!(not_granted(Some(&[])).len(), 2);
    }

    #[test]
    fn every_mishap_has_a_sentence_of_its_own() {
        let all = [
            Mishap::NoState,
            Mishap::WrongState,
            Mishap::WrongIssuer,
            Mishap::WrongHost,
            Mishap::UsedTwice,
            Mishap::NoCode,
            Mishap::Denied,
            Mishap::ProviderSaid("server_error".into()),
            Mishap::ProviderSaid("admin_policy_enforced".into()),
            Mishap::NotGranted(vec!["see the list of your calendars"]),
            Mishap::NoLastingAccess,
            Mishap::NoSuchCalendar,
            Mishap::NotKept("The key store is locked.".into()),
            Mishap::Replaced,
            Mishap::TimedOut,
        ];
        let sentences: std::collections::HashSet<String> =
            all.iter().map(Mishap::sentence).collect();
        assert_eq!(sentences.len(), all.len());
    }

    async fn call(port: u16, request: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(port: u16, target: &str) -> String {
        call(
            port,
            &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        )
        .await
    }

    async fn is_closed(port: u16) -> bool {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
    }

    #[tokio::test]
    async fn strangers_at_the_port_end_nothing_and_the_page_holds_nothing_of_what_came() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (_stop, stopped) = oneshot::channel();
        let notes = Arc::new(Mutex::new(Vec::new()));
        let noted = notes.clone();
        let waiting = tokio::spawn(wait(
            listener,
            expected(port),
            PATIENCE,
            stopped,
            move |mishap| noted.lock().unwrap().push(mishap),
            async |code| {
                assert_eq!(code, "the-code");
                Ok(())
            },
        ));
        // A scanner that says nothing, and one that speaks something else.
        let _silent = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        call(port, "\x16\x03\x01 hello\r\n\r\n").await;
        assert!(get(port, "/").await.starts_with("HTTP/1.1 404 "));
        assert!(
            get(port, "/callback?code=x&state=y")
                .await
                .starts_with("HTTP/1.1 400 ")
        );
        let page = get(port, "/callback?code=the-code&state=the-state").await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(page.contains("You can close this tab"));
        assert!(
            page.contains("cache-control: no-store")
                && page.contains("referrer-policy: no-referrer")
        );
        for secret in ["the-code", "the-state", "<script"] {
            assert!(!page.contains(secret), "{page}");
        }
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert!(is_closed(port).await);
        assert_eq!(*notes.lock().unwrap(), [Mishap::WrongState]);
    }

    #[tokio::test]
    async fn a_second_answer_is_told_that_it_is_one() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (_stop, stopped) = oneshot::channel();
        let (go, gone) = oneshot::channel::<()>();
        let waiting = tokio::spawn(wait(
            listener,
            expected(port),
            PATIENCE,
            stopped,
            |_| {},
            async move |_| {
                let _ = gone.await;
                Ok(())
            },
        ));
        let mut both = JoinSet::new();
        for _ in 0..2 {
            both.spawn(get(port, "/callback?code=the-code&state=the-state"));
        }
        let second = both.join_next().await.unwrap().unwrap();
        assert!(second.contains("was used already"), "{second}");
        go.send(()).unwrap();
        let first = both.join_next().await.unwrap().unwrap();
        assert!(first.contains("is connected"), "{first}");
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert!(is_closed(port).await);
    }

    #[tokio::test]
    async fn when_nobody_comes_in_time_or_a_newer_one_begins_the_port_is_closed() {
        for (patience, replaced, mishap) in [
            (Duration::from_millis(1), false, Mishap::TimedOut),
            (PATIENCE, true, Mishap::Replaced),
        ] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let flows = Flows::default();
            let workspace = WorkspaceId::new();
            let stopped = flows.begin("one", workspace, Time::from_ms(0));
            if replaced {
                flows.begin("two", workspace, Time::from_ms(1));
                assert_eq!(
                    flows.stands("one", workspace).unwrap().status,
                    FlowStatus::Failed
                );
            }
            let how = wait(
                listener,
                expected(port),
                patience,
                stopped,
                |_| {},
                async |_| Ok(()),
            )
            .await;
            assert_eq!(how, Err(mishap.clone()));
            flows.end("one", how);
            assert_eq!(
                flows.stands("one", workspace).unwrap().status,
                mishap.status()
            );
            assert_eq!(flows.stands("one", WorkspaceId::new()), None);
            assert!(is_closed(port).await);
        }
    }
}
