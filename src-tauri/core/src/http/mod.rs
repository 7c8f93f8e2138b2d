//! HTTP out: the only place that builds a client.
//!
//! rustls with the system's roots, no redirects, no proxy from the environment, no retries of its
//! own, one deadline over look-up, connect, headers and body, capped answers.

pub mod guard;
mod streamed;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::{Error, Result};
use crate::outcome::{Code, Failure, Trouble};
pub(crate) use streamed::Streams;

/// What of an answer is read and kept.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) truncated: bool,
}

/// How a call ended: with an answer (of any status), or without one.
#[derive(Debug)]
pub(crate) enum Called {
    /// Something answered in HTTP. `broken` tells what cut the body short.
    Answered(Answer, Option<Failure>),
    /// Nothing did.
    Silent(Failure),
}

/// The clients, one for each consent; built when first needed.
#[derive(Debug, Default)]
pub(crate) struct Http {
    public: OnceLock<reqwest::Client>,
    private: OnceLock<reqwest::Client>,
    private_plain: OnceLock<reqwest::Client>,
}

/// One call to be made.
pub(crate) struct Call {
    pub(crate) url: url::Url,
    pub(crate) allow_private: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
}

impl Http {
    fn client(&self, allow_private: bool, plain_http: bool) -> Result<&reqwest::Client> {
        let place = match (allow_private, plain_http) {
            (false, _) => &self.public,
            (true, false) => &self.private,
            (true, true) => &self.private_plain,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let client = build(GuardedResolver {
            allow_private,
            plain_http,
        })?;
        Ok(place.get_or_init(|| client))
    }

    /// POSTs, and reads the answer up to [`MAX_ANSWER_BYTES`], all before one deadline.
    pub(crate) async fn post(&self, mut call: Call) -> Called {
        let body = std::mem::take(&mut call.body);
        self.call(Method::POST, call, body.into()).await
    }

    /// GETs; the call's body is not sent.
    pub(crate) async fn get(&self, call: Call) -> Called {
        self.call(Method::GET, call, Bytes::new().into()).await
    }

    /// Makes a call of any method, with its body where it has one.
    pub(crate) async fn send(&self, method: Method, mut call: Call) -> Called {
        let body = std::mem::take(&mut call.body);
        self.call(method, call, body.into()).await
    }

    /// POSTs what must not be done twice. When no answer came after the body had been given to the
    /// connection, the failure says [`Trouble::AnswerLost`]: the other side may have done it.
    pub(crate) async fn post_once(&self, mut call: Call) -> Called {
        let (body, on_its_way) = (std::mem::take(&mut call.body), Arc::<AtomicBool>::default());
        call.headers
            .insert(http::header::CONTENT_LENGTH, body.len().into());
        let body = futures_util::stream::once({
            let on_its_way = on_its_way.clone();
            async move {
                on_its_way.store(true, Ordering::SeqCst);
                Ok::<_, std::convert::Infallible>(body)
            }
        });
        let called = self
            .call(Method::POST, call, reqwest::Body::wrap_stream(body))
            .await;
        match called {
            Called::Silent(failure)
                if on_its_way.load(Ordering::SeqCst)
                    && matches!(failure.code, Code::TimedOut | Code::Unreachable) =>
            {
                let mut lost = failure;
                lost.args.trouble = Some(Trouble::AnswerLost);
                Called::Silent(lost)
            }
            called => called,
        }
    }

    async fn call(&self, method: Method, call: Call, body: reqwest::Body) -> Called {
        let seconds = call.timeout.as_secs();
        let deadline = tokio::time::Instant::now() + call.timeout;
        let plain_http = call.url.scheme() == "http";
        let client = match self.client(call.allow_private, plain_http) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(?error, "no HTTP client could be built");
                return Called::Silent(Failure::new(Code::Internal));
            }
        };
        let request = client
            .request(method, call.url)
            .headers(call.headers)
            .body(body)
            .send();
        let mut response = match tokio::time::timeout_at(deadline, request).await {
            Err(_) => return Called::Silent(Failure::timed_out(seconds)),
            Ok(Err(error)) => return Called::Silent(classify(&error)),
            Ok(Ok(response)) => response,
        };
        // The third check. The resolver has let only permitted addresses through; a peer that is
        // none of them means that somebody else decided where we went.
        if response
            .remote_addr()
            .is_some_and(|peer| !guard::allowed(peer.ip(), call.allow_private, plain_http))
        {
            return Called::Silent(Failure::new(Code::BlockedAddress));
        }
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: readable(response.headers()),
            retry_after: response
                .headers()
                .get(http::header::RETRY_AFTER)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned),
            body: Vec::new(),
            truncated: false,
        };
        loop {
            match tokio::time::timeout_at(deadline, response.chunk()).await {
                Err(_) => return Called::Answered(answer, Some(Failure::timed_out(seconds))),
                Ok(Err(error)) => return Called::Answered(answer, Some(classify(&error))),
                Ok(Ok(None)) => return Called::Answered(answer, None),
                Ok(Ok(Some(chunk))) => {
                    let room = MAX_ANSWER_BYTES - answer.body.len();
                    if chunk.len() > room {
                        answer
                            .body
                            .extend_from_slice(chunk.get(..room).unwrap_or_default());
                        answer.truncated = true;
                        // Dropping the response closes the connection: the rest is never read.
                        return Called::Answered(answer, None);
                    }
                    answer.body.extend_from_slice(&chunk);
                }
            }
        }
    }
}

fn build(resolver: GuardedResolver) -> Result<reqwest::Client> {
    // An error says that another part of this process installed one before; either is ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("Signalbox/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(16)
        .pool_idle_timeout(Duration::from_secs(20))
        .dns_resolver(Arc::new(resolver))
        .build()
        .map_err(Error::internal)
}

/// Headers as text: at most 64 of them, 1 KiB each, so that an answer cannot fill the log.
fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .take(64)
        .map(|(name, value)| {
            let value =
                String::from_utf8_lossy(value.as_bytes().get(..1024).unwrap_or(value.as_bytes()))
                    .into_owned();
            (
                name.as_str().to_owned(),
                if name == http::header::SET_COOKIE {
                    "••••".to_owned()
                } else {
                    value
                },
            )
        })
        .collect()
}

/// Looks names up and lets through only addresses that may be called.
struct GuardedResolver {
    allow_private: bool,
    plain_http: bool,
}

/// A name that leads only to addresses that are never called, or not without consent.
#[derive(Debug)]
struct Blocked;

impl std::fmt::Display for Blocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads to an address that may not be called")
    }
}

impl std::error::Error for Blocked {}

/// A name that could not be looked up.
#[derive(Debug)]
struct NotFound;

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name was not found")
    }
}

impl std::error::Error for NotFound {}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self {
            allow_private,
            plain_http,
        } = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|_| NotFound)?
                .collect();
            if found.is_empty() {
                return Err(NotFound.into());
            }
            let fit: Vec<SocketAddr> = found
                .into_iter()
                .filter(|a| guard::allowed(a.ip(), allow_private, plain_http))
                .collect();
            if fit.is_empty() {
                return Err(Blocked.into());
            }
            let addresses: Addrs = Box::new(fit.into_iter());
            Ok(addresses)
        })
    }
}

/// What cut an answer short, if `error` is of the client at all.
pub(crate) fn broken(error: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    error.downcast_ref::<reqwest::Error>().map(classify)
}

/// What a client's error means, found by walking down its causes.
fn classify(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if this.is::<Blocked>() {
            return Failure::new(Code::BlockedAddress);
        }
        if this.is::<NotFound>() {
            return Failure::trouble(Code::Unreachable, Trouble::NameNotFound);
        }
        if let Some(tls) = this.downcast_ref::<rustls::Error>() {
            return Failure::trouble(Code::Unreachable, tls_trouble(tls));
        }
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind as Io;
            match io.kind() {
                Io::ConnectionRefused => {
                    return Failure::trouble(Code::Unreachable, Trouble::Refused);
                }
                Io::NetworkUnreachable
                | Io::HostUnreachable
                | Io::NetworkDown
                | Io::AddrNotAvailable => {
                    return Failure::trouble(Code::Unreachable, Trouble::NoRoute);
                }
                Io::ConnectionReset
                | Io::ConnectionAborted
                | Io::BrokenPipe
                | Io::UnexpectedEof => {
                    return Failure::trouble(Code::Unreachable, Trouble::BrokenOff);
                }
                Io::TimedOut => return Failure::timed_out(10),
                _ => {}
            }
            // What an io::Error holds is not its source: a TLS error hides there, at times two deep.
            if let Some(held) = io.get_ref() {
                cause = Some(held);
                continue;
            }
        }
        cause = this.source();
    }
    if error.is_timeout() {
        return Failure::timed_out(10);
    }
    let text = {
        let mut text = String::new();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(this) = cause {
            text.push_str(&this.to_string());
            cause = this.source();
        }
        text
    };
    // hyper keeps its kinds to itself; its words are all there is to go by.
    let trouble =
        if text.contains("incomplete") || text.contains("closed") || text.contains("end of file") {
            Trouble::BrokenOff
        } else {
            Trouble::NotHttp
        };
    Failure::trouble(Code::Unreachable, trouble)
}

fn tls_trouble(error: &rustls::Error) -> Trouble {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(
            Certificate::Expired | Certificate::ExpiredContext { .. },
        ) => Trouble::CertificateExpired,
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => Trouble::CertificateName,
        rustls::Error::InvalidCertificate(
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. },
        ) => Trouble::CertificateEarly,
        rustls::Error::InvalidCertificate(_) => Trouble::CertificateUnknown,
        _ => Trouble::Tls,
    }
}

/// Where a host is, as far as it says so itself.
pub(crate) fn literal_class(url: &url::Url) -> Option<guard::Class> {
    match url.host()? {
        url::Host::Ipv4(ip) => Some(guard::classify(IpAddr::V4(ip))),
        url::Host::Ipv6(ip) => Some(guard::classify(IpAddr::V6(ip))),
        url::Host::Domain(name) => {
            (name == "localhost" || name.ends_with(".localhost")).then_some(guard::Class::Loopback)
        }
    }
}

/// Milliseconds since `since`.
pub(crate) fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
