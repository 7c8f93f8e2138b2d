//! The callers: raw HTTP/1.1 over connections that stay open, written and read with as little work as possible, on one
//! thread with a runtime of its own, so that their share of the CPU is known.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where the callers call, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// One event: when it was given, when it was accepted, and under which id.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) given: Instant,
    pub(crate) accepted: Instant,
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

struct Caller {
    stream: TcpStream,
    target: Target,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Caller {
    async fn connect(target: &Target) -> Self {
        let stream = TcpStream::connect(target.address)
            .await
            .expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            target: target.clone(),
            request: Vec::new(),
            answer: Vec::new(),
        }
    }

    /// Gives one booking and waits for its acceptance; the id only when it is wanted.
    async fn give(&mut self, with_id: bool) -> Accepted {
        use std::io::Write;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let body = format!(
            r#"{{"type":"booking.created","data":{{"bookingId":"{number}","title":"Cut and colour","startTime":"2026-12-01T09:00:00+01:00","endTime":"2026-12-01T10:30:00+01:00","timezone":"Europe/Berlin","price":89.00,"customer":{{"name":"Maria Petersen","email":"maria@example.com","phone":"+491701234567"}}}}}}"#
        );
        self.request.clear();
        let _ = write!(
            self.request,
            "POST /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.target.address,
            self.target.token,
            body.len()
        );
        let given = Instant::now();
        self.stream
            .write_all(&self.request)
            .await
            .expect("the request is sent");
        self.answer.clear();
        let end = loop {
            let read = self
                .stream
                .read_buf(&mut self.answer)
                .await
                .expect("an answer");
            assert!(read > 0, "the server closed the connection");
            if let Some(end) = whole(&self.answer) {
                break end;
            }
        };
        let accepted = Instant::now();
        assert!(
            self.answer.starts_with(b"HTTP/1.1 202"),
            "{}",
            String::from_utf8_lossy(&self.answer)
        );
        let id = if with_id {
            event_id(&self.answer[..end])
        } else {
            String::new()
        };
        Accepted {
            id,
            given,
            accepted,
        }
    }
}

/// Where the answer ends, once all of it is here.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    })?;
    (answer.len() >= head + length).then_some(head + length)
}

fn event_id(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let from = text.find("\"eventId\":\"").expect("an event id") + 11;
    text[from..]
        .split('"')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// How much the callers give.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    For(Duration),
    Events(u64),
}

/// So many callers, each giving the next event as soon as the last was accepted. Returns how many.
pub(crate) async fn saturate(target: Target, callers: usize, load: Load) -> u64 {
    let given = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (target, given) = (target.clone(), given.clone());
            tokio::spawn(async move {
                let mut caller = Caller::connect(&target).await;
                let mut own = 0_u64;
                loop {
                    let goes_on = match load {
                        Load::For(how_long) => started.elapsed() < how_long,
                        Load::Events(all) => given.fetch_add(1, Ordering::Relaxed) < all,
                    };
                    if !goes_on {
                        return own;
                    }
                    caller.give(false).await;
                    own += 1;
                }
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.expect("a caller");
    }
    total
}

/// A fixed number of events a second, whether the former were answered or not.
pub(crate) async fn paced(target: Target, a_second: u32, how_long: Duration) -> Vec<Accepted> {
    const CONNECTIONS: usize = 16;
    let (done, mut taken) = mpsc::unbounded_channel();
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let (give, mut turns) = mpsc::unbounded_channel::<()>();
        let mut caller = Caller::connect(&target).await;
        let done = done.clone();
        tokio::spawn(async move {
            while turns.recv().await.is_some() {
                let _ = done.send(caller.give(true).await);
            }
        });
        callers.push(give);
    }
    drop(done);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / a_second);
    let until = Instant::now() + how_long;
    let mut turn = 0;
    while Instant::now() < until {
        ticks.tick().await;
        let _ = callers[turn % CONNECTIONS].send(());
        turn += 1;
    }
    drop(callers);
    let mut all = Vec::new();
    while let Some(accepted) = taken.recv().await {
        all.push(accepted);
    }
    all
}
