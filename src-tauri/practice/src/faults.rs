//! How a receiver misbehaves when a test tells it to. Never in a shipped build: the feature `faults` is off there.
//!
//! Ordinary answers go through hyper. Whatever HTTP forbids is a [`Script`]: the connection is taken out of hyper's
//! hands after the request was read, and bytes are written to the bare socket.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::receiver::answer;

/// What a receiver does with a call it has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 200 at once.
    Answer,
    /// 200 after a while.
    Late(Duration),
    /// This status, with a short body.
    Status(u16),
    /// This status with one header, as for 429 with `Retry-After`.
    StatusWith(u16, HeaderName, String),
    /// 302 to that address.
    Redirect(String),
    /// Never an answer; the connection stays open.
    Hang,
    /// A TCP reset instead of an answer.
    Reset,
    /// The connection is closed without a byte.
    Close,
    /// A `Content-Length` larger than what comes, then the end.
    HalfAnswer,
    /// 200 and a body that never ends.
    Endless,
    /// 200 and a body of so many bytes.
    Large(usize),
    /// 200 and a body of one byte a second.
    SlowBody,
    /// One header line a second, never the end of them.
    SlowHeaders,
    /// 200 with so many header lines.
    ManyHeaders(usize),
    /// 200 that promises to stay open, and closes.
    CloseAfterAnswer,
    /// Bytes that are no HTTP.
    InvalidHttp,
    /// This status with a body of that content type: a sign-in page, JSON that breaks off, nothing.
    Say(u16, &'static str, &'static str),
    /// What was asked is done, and the connection is closed before the answer.
    AnswerLost,
}

impl Behaviour {
    /// 429 and what `Retry-After` says: seconds, a date or nonsense.
    pub fn rate_limited(retry_after: impl Into<String>) -> Self {
        Self::StatusWith(429, header::RETRY_AFTER, retry_after.into())
    }

    /// Each behaviour that is a failure or a burden to the sender, with a name for the report.
    pub fn hostile() -> Vec<(&'static str, Self)> {
        vec![
            ("hangs", Self::Hang),
            ("resets", Self::Reset),
            ("closes without a byte", Self::Close),
            ("half an answer", Self::HalfAnswer),
            ("endless answer", Self::Endless),
            ("10 MB answer", Self::Large(10 * 1024 * 1024)),
            ("one byte a second", Self::SlowBody),
            ("slow headers", Self::SlowHeaders),
            ("10,000 headers", Self::ManyHeaders(10_000)),
            ("closes after its answer", Self::CloseAfterAnswer),
            ("no HTTP", Self::InvalidHttp),
            (
                "redirects",
                Self::Redirect("http://127.0.0.1:9/".to_owned()),
            ),
            ("500", Self::Status(500)),
            ("404", Self::Status(404)),
            ("429 with nonsense", Self::rate_limited("soon, perhaps")),
        ]
    }

    /// Answers through hyper, or hands the connection to a script and leaves the request pending.
    pub(crate) async fn perform(
        self,
        take_over: &mpsc::Sender<Script>,
    ) -> io::Result<Response<Full<Bytes>>> {
        let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let script = match self {
            Self::Answer => return Ok(answer(StatusCode::OK, r#"{"received":true}"#)),
            Self::Late(wait) => {
                tokio::time::sleep(wait).await;
                return Ok(answer(StatusCode::OK, r#"{"received":true}"#));
            }
            Self::Status(code) => return Ok(answer(status(code), r#"{"received":false}"#)),
            Self::StatusWith(code, name, value) => {
                let mut response = answer(status(code), r#"{"received":false}"#);
                let value = HeaderValue::try_from(value).map_err(io::Error::other)?;
                response.headers_mut().insert(name, value);
                return Ok(response);
            }
            Self::Say(code, kind, body) => {
                let mut response = answer(status(code), body);
                let kind = HeaderValue::from_static(kind);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                return Ok(response);
            }
            Self::Redirect(to) => {
                let mut response = answer(StatusCode::FOUND, "");
                let to = HeaderValue::try_from(to).map_err(io::Error::other)?;
                response.headers_mut().insert(header::LOCATION, to);
                return Ok(response);
            }
            behaviour => Script(behaviour),
        };
        let _ = take_over.send(script).await;
        std::future::pending().await
    }
}

/// A behaviour that needs the bare socket.
#[derive(Debug)]
pub(crate) struct Script(Behaviour);

impl Script {
    pub(crate) async fn run(self, mut stream: TcpStream) {
        // The other side going away in the middle is the expected end of most scripts.
        let _ = self.write(&mut stream).await;
    }

    async fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        match self.0 {
            Behaviour::Hang => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
            }
            Behaviour::Reset => stream.set_zero_linger()?,
            Behaviour::HalfAnswer => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"received\":")
                    .await?;
                stream.shutdown().await?;
            }
            Behaviour::Endless => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await?;
                let chunk = [b"4000\r\n".as_slice(), &[b'e'; 0x4000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
            Behaviour::Large(bytes) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                let piece = [b'x'; 0x4000];
                let mut left = bytes;
                while left > 0 {
                    let now = left.min(piece.len());
                    stream.write_all(&piece[..now]).await?;
                    left -= now;
                }
                stream.shutdown().await?;
            }
            Behaviour::SlowBody => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                    .await?;
                loop {
                    stream.write_all(b"s").await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Behaviour::SlowHeaders => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                for line in 0_u64.. {
                    stream
                        .write_all(format!("X-Slow-{line}: 1\r\n").as_bytes())
                        .await?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Behaviour::ManyHeaders(count) => {
                let mut head = String::from("HTTP/1.1 200 OK\r\n");
                for line in 0..count {
                    head.push_str(&format!("X-Many-{line}: 1\r\n"));
                }
                head.push_str("Content-Length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.shutdown().await?;
            }
            Behaviour::CloseAfterAnswer => {
                stream
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
                    )
                    .await?;
                stream.shutdown().await?;
            }
            Behaviour::InvalidHttp => {
                stream
                    .write_all(b"\x00\xffSSH-2.0-no such thing\r\n\r\n")
                    .await?;
                stream.shutdown().await?;
            }
            // Dropping the socket is the whole act; the ordinary answers never come here.
            _ => {}
        }
        Ok(())
    }
}

/// Which path behaves how.
#[derive(Debug, Default)]
pub(crate) struct Switchboard(Mutex<Switches>);

#[derive(Debug, Default)]
struct Switches {
    everywhere: Option<Behaviour>,
    by_path: HashMap<String, VecDeque<Behaviour>>,
}

impl Switchboard {
    pub(crate) fn set_all(&self, behaviour: Behaviour) {
        let mut switches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        switches.by_path.clear();
        switches.everywhere = Some(behaviour);
    }

    pub(crate) fn set(&self, path: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        let mut switches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        switches
            .by_path
            .insert(path.to_owned(), behaviours.into_iter().collect());
    }

    pub(crate) fn next(&self, path: &str) -> Behaviour {
        let mut switches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let everywhere = switches.everywhere.clone().unwrap_or(Behaviour::Answer);
        let Some(turns) = switches.by_path.get_mut(path) else {
            return everywhere;
        };
        if turns.len() > 1 {
            turns.pop_front().unwrap_or(everywhere)
        } else {
            turns.front().cloned().unwrap_or(everywhere)
        }
    }
}
