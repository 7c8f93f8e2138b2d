//! Who is let in over the socket. Every request passes here before it reaches a route: `Host`,
//! `Origin`, token, scope, content type and size, in this order; what is not allowed is refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use signalbox_core::Hub;
use signalbox_core::tokens::Scope;
use subtle::ConstantTimeEq;
use tower::ServiceExt;

use crate::files::FILES_PATH;
use crate::page::Page;
use crate::problem::{Problem, Result};
use crate::request::{
    BATCH_PATH, MAX_BATCH_BYTES, MAX_BODY_BYTES, Principal, content_type, too_large,
};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A test of a webhook waits as long as that webhook may take.
const PATIENCE_FOR_TESTS: Duration = Duration::from_secs(75);
/// So many different wrong tokens a minute are answered; further ones have to wait.
const WRONG_TOKENS_A_MINUTE: usize = 10;
/// A body that is too large is read to here, so that the caller gets to see the answer.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024 * 1024;

/// A credential of the owner, kept as its SHA-256.
pub(crate) struct Credential([u8; 32]);

impl Credential {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// The time this takes says nothing about the credential.
    fn is(&self, hash: &[u8; 32]) -> bool {
        self.0.ct_eq(hash).into()
    }
}

/// The guard of one socket.
pub(crate) struct Guard {
    pub(crate) hub: Arc<Hub>,
    pub(crate) router: Router,
    pub(crate) port: u16,
    /// What `api.json` holds.
    pub(crate) owner: Credential,
    /// The page of `serve --ui`, and what it was given for this session.
    pub(crate) page: Option<(Page, Credential)>,
    pub(crate) wrong_tokens: WrongTokens,
}

impl Guard {
    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let is_page = self.page.is_some() && Page::is_for(request.uri().path());
        let mut response = match self.let_in(request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(if is_page { "no-cache" } else { "no-store" }),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response
    }

    async fn let_in<B>(&self, request: Request<B>) -> Result<Response>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        self.check_host(&parts)?;
        self.check_origin(&parts.headers)?;
        if let Some((page, _)) = &self.page
            && Page::is_for(parts.uri.path())
        {
            return page.answer(parts).await;
        }
        let principal = self.recognise(&parts.headers).await?;
        if let Principal::Program(bearer) = &principal
            && bearer.scope == Scope::Events
            && !is_open_to_events(&parts.method, parts.uri.path())
        {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "This token may only post events and read event types and health. A token with scope “full” may do the rest.",
            ));
        }
        check_content(&parts, http_body::Body::is_end_stream(&body))?;
        let is_file = is_file(&parts);
        let body = if is_file {
            Body::new(body)
        } else {
            check_size(&parts, body).await?
        };
        let patience = if parts.uri.path().ends_with("/test") {
            PATIENCE_FOR_TESTS
        } else {
            PATIENCE
        };
        parts.extensions.insert(principal);
        let served = self
            .router
            .clone()
            .oneshot(Request::from_parts(parts, body));
        if is_file {
            // It may be of any size, and ends by itself when nothing moves.
            return served.await.map_err(|never| match never {});
        }
        match tokio::time::timeout(patience, served).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(never)) => match never {},
            Err(_) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "This took too long and was given up. Whether it was done is not certain: look before you repeat it, or repeat it with the same idempotency key.",
            )
            .retry_after(1)),
        }
    }

    /// A page of another site that got its name to point here carries that name: only `Host` stops it.
    fn check_host(&self, parts: &Parts) -> Result<()> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.as_bytes(),
            _ => b"",
        };
        let matches_target = parts
            .uri
            .authority()
            .is_none_or(|authority| authority.as_str().as_bytes().eq_ignore_ascii_case(host));
        if matches_target && self.is_own(host) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "Signalbox answers to 127.0.0.1:{port} or localhost:{port} only.",
                port = self.port
            ),
        ))
    }

    fn is_own(&self, host: &[u8]) -> bool {
        let Some((name, port)) = host
            .iter()
            .rposition(|b| *b == b':')
            .map(|at| host.split_at(at))
        else {
            return false;
        };
        let own_port = port
            .get(1..)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .is_some_and(|digits| {
                digits.bytes().all(|b| b.is_ascii_digit())
                    && !digits.starts_with('0')
                    && digits.parse() == Ok(self.port)
            });
        own_port
            && (name == b"127.0.0.1" || name == b"[::1]" || name.eq_ignore_ascii_case(b"localhost"))
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<()> {
        let is_own = |origin: &HeaderValue| {
            self.page.is_some() && *origin == format!("http://127.0.0.1:{}", self.port)
        };
        if headers.get_all(header::ORIGIN).iter().all(is_own) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Web pages may not call Signalbox; programs may, without an Origin header.",
        ))
    }

    async fn recognise(&self, headers: &HeaderMap) -> Result<Principal> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let token = match (all.next(), all.next()) {
            (Some(value), None) => value.to_str().ok().and_then(bearer),
            _ => None,
        };
        let Some(token) = token else {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "Send a token in the header “Authorization: Bearer …”. Tokens are made under “Connect your software” or with `signalctl token create`.",
            ));
        };
        if let Some(bearer) = self.hub.authenticate(token).await? {
            return Ok(Principal::Program(bearer));
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        if self.owner.is(&hash) {
            return Ok(Principal::SIGNALCTL);
        }
        if self
            .page
            .as_ref()
            .is_some_and(|(_, session)| session.is(&hash))
        {
            return Ok(Principal::WINDOW);
        }
        match self.wrong_tokens.one_more(hash, Instant::now()) {
            None => {
                tracing::warn!("a request came with a token that is not known");
                Err(Problem::new(StatusCode::UNAUTHORIZED, "This token is not known, or it was revoked. Make a new one and use that."))
            }
            Some(seconds) => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("Too many different wrong tokens in a minute. Further ones are looked at again in {seconds} s."),
            )
            .retry_after(seconds)),
        }
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// What a token of scope `events` may do. Everything else is closed to it.
fn is_open_to_events(method: &Method, path: &str) -> bool {
    match path {
        "/api/events" | BATCH_PATH => method == Method::POST,
        "/api/event-types" | "/api/health" | "/api/openapi.json" => {
            method == Method::GET || method == Method::HEAD
        }
        _ => false,
    }
}

/// A file that is handed in: streamed, of any size.
fn is_file(parts: &Parts) -> bool {
    parts.method == Method::POST && parts.uri.path() == FILES_PATH
}

/// A body has to say that it is JSON: what a form on a web page can send without asking is not.
fn check_content(parts: &Parts, is_empty: bool) -> Result<()> {
    if is_empty {
        return Ok(());
    }
    let kind = content_type(&parts.headers);
    let is_batch = parts.uri.path() == BATCH_PATH;
    if is_file(parts) {
        // A form, which a web page can send without asking too; its Origin has been refused by now.
        return match kind.as_deref() {
            Some("multipart/form-data") => Ok(()),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "A file has to come with “Content-Type: multipart/form-data”.",
            )),
        };
    }
    match kind.as_deref() {
        Some("application/json") => Ok(()),
        Some("application/x-ndjson") if is_batch => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            if is_batch {
                "A batch has to come with “Content-Type: application/json” or “application/x-ndjson”."
            } else {
                "A body has to come with “Content-Type: application/json”."
            },
        )),
    }
}

async fn check_size<B>(parts: &Parts, body: B) -> Result<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let limit = if parts.uri.path() == BATCH_PATH {
        MAX_BATCH_BYTES
    } else {
        MAX_BODY_BYTES
    };
    // The announced length; a body without one is counted while it is read.
    let announced = body.size_hint().lower();
    if announced <= limit as u64 {
        return Ok(Body::new(body));
    }
    if announced <= MAX_DISCARDED_BYTES {
        let mut body = std::pin::pin!(body);
        let discard = async { while let Some(Ok(_)) = body.frame().await {} };
        let _ = tokio::time::timeout(PATIENCE, discard).await;
    }
    Err(too_large(limit))
}

/// The wrong tokens of the last minute. Each counts once: whoever guesses shows many, a program whose
/// token was revoked shows one, and goes on being told so.
#[derive(Default)]
pub(crate) struct WrongTokens(Mutex<Option<(Instant, Vec<[u8; 32]>)>>);

impl WrongTokens {
    /// Counts one; gives the seconds to wait when there were too many.
    fn one_more(&self, hash: [u8; 32], now: Instant) -> Option<u64> {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, seen) = match &mut *counted {
            Some((since, seen)) if now.duration_since(*since) < MINUTE => (*since, seen),
            outdated => {
                let (since, seen) = outdated.insert((now, Vec::new()));
                (*since, seen)
            }
        };
        if seen.contains(&hash) {
            return None;
        }
        if seen.len() < WRONG_TOKENS_A_MINUTE {
            seen.push(hash);
            return None;
        }
        Some((MINUTE - now.duration_since(since)).as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_wrong_token_of_a_minute_has_to_wait_and_the_next_minute_starts_anew() {
        let (tokens, start) = (WrongTokens::default(), Instant::now());
        for token in 0..10 {
            assert_eq!(tokens.one_more([token; 32], start), None);
        }
        assert_eq!(
            tokens.one_more([10; 32], start + Duration::from_secs(20)),
            Some(40)
        );
        assert_eq!(
            tokens.one_more([9; 32], start + Duration::from_secs(20)),
            None
        );
        assert_eq!(
            tokens.one_more([10; 32], start + Duration::from_secs(60)),
            None
        );
    }

    #[test]
    fn a_token_of_scope_events_reaches_five_routes_and_no_other() {
        assert!(is_open_to_events(&Method::POST, "/api/events"));
        assert!(is_open_to_events(&Method::GET, "/api/health"));
        assert!(!is_open_to_events(&Method::GET, "/api/events"));
        assert!(!is_open_to_events(&Method::POST, "/api/event-types"));
        assert!(!is_open_to_events(&Method::GET, "/api/anything/new"));
    }

    #[test]
    fn a_credential_is_recognised_by_its_hash() {
        let hash = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
        assert!(Credential::of("sbo_a").is(&hash("sbo_a")));
        assert!(!Credential::of("sbo_a").is(&hash("sbo_b")));
    }

    #[test]
    fn bearer_is_read_in_any_case_and_nothing_else_is() {
        assert_eq!(bearer("bearer sbt_x"), Some("sbt_x"));
        assert_eq!(bearer("Basic sbt_x"), None);
        assert_eq!(bearer("Bearer "), None);
    }
}
