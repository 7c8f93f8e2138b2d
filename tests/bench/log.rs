//! `relay log`: reading a log of ten thousand, a hundred thousand and a million deliveries.
//!
//! The rows are written by SQL through the real tables, which takes seconds; the server then reads them into its search
//! index by itself, and is asked over HTTP like anybody would ask it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use signalbox_practice::{Keep, Receiver};
use signalbox_tests::{Api, Home, Shop, Webhook, cpu_ms, percentile, pss_kib};

use super::{Table, folder};

const SIZES: [i64; 3] = [10_000, 100_000, 1_000_000];
/// Deliveries of one event: one for each receiver.
const RECEIVERS: usize = 2;
/// The rows are spread over the year before.
const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;
/// Events that the cost of a delivery is measured with.
const SENT: u64 = 2000;
/// Requests of one kind.
const ASKED: usize = 60;
const TYPES: [&str; 5] = [
    "booking.created",
    "booking.updated",
    "booking.cancelled",
    "contact.created",
    "form.submitted",
];
const FIRST: [&str; 20] = [
    "Maria", "Jörg", "Zoë", "Ahmed", "Sofia", "Liam", "Noah", "Emma", "Olivia", "Lucas", "Mia",
    "Elena", "Marta", "Ivan", "Chloe", "Hugo", "Nina", "Oskar", "Paula", "Rosa",
];
const LAST: [&str; 20] = [
    "Petersen", "Müller", "Łuczak", "Khan", "Rossi", "Smith", "Jones", "Garcia", "Novak", "Silva",
    "Jansen", "Dubois", "Weber", "Kowalski", "Costa", "Nguyen", "Okafor", "Larsen", "Virtanen",
    "Haddad",
];

/// Fills, asks and prints.
pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure())
}

async fn measure() -> ExitCode {
    let mut table = Table::default();
    let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Ledger)
        .await
        .expect("a port");
    let mut costs = Vec::new();
    for size in SIZES {
        let disk = folder();
        let home = Home::new().at(disk.path().join("home"));
        let shop = Shop::on(Arc::new(home.serve())).await;
        let mut hooks = Vec::new();
        for name in ["Cash desk", "Online shop"] {
            hooks.push(
                shop.webhook_with(&receiver.url(), json!({"name": name}))
                    .await,
            );
        }
        let workspace = shop.workspace.clone();
        let started = Instant::now();
        let shop = shop.restart_as(false, |home| {
            fill(&home.path(), &workspace, &hooks, size);
            home
        });
        let filled = started.elapsed();
        let index = shop.serve.home().path().join("search.db");
        let peak = Peak::watch(shop.serve.pid);
        let rows = until_read(&index);
        table.figure(
            &format!("{size} stored: filled, then read into the index"),
            format!(
                "{:.0} s, {:.0} s ({rows} rows)",
                filled.as_secs_f64(),
                started.elapsed().as_secs_f64() - filled.as_secs_f64()
            ),
        );
        table.below(
            &format!("{size} stored: memory (PSS) while the index is made"),
            peak.end(),
            40.0,
            "MiB",
        );
        if size == SIZES[SIZES.len() - 1] {
            read(&mut table, &shop, &hooks).await;
        }
        costs.push((size, cost(&shop, &receiver).await));
    }
    let (_, least) = costs[0];
    for (size, cost) in &costs {
        table.below(
            &format!("CPU of a delivery with {size} stored"),
            *cost,
            (least * 125.0).round() / 100.0,
            "ms",
        );
    }
    table.print()
}

async fn read(table: &mut Table, shop: &Shop, hooks: &[Webhook]) {
    let memory = |table: &mut Table, when: &str, peak: Peak| {
        table.below(&format!("memory (PSS), {when}"), peak.end(), 40.0, "MiB");
        Peak::watch(shop.serve.pid)
    };
    let peak = Peak::watch(shop.serve.pid);
    let half = moment(now_ms() - YEAR_MS / 2);
    let (month, week) = (
        moment(now_ms() - 30 * 86_400_000),
        moment(now_ms() - 7 * 86_400_000),
    );
    let deep = shop
        .full
        .get(&format!("/api/deliveries?at={half}"))
        .await
        .is(200);
    let deep = deep["nextCursor"]
        .as_str()
        .expect("a million rows go on")
        .to_owned();
    let webhook = &hooks[0].id;
    let pages: Vec<(&str, f64, Vec<String>)> = vec![
        ("first page", 10.0, vec![String::new()]),
        ("deep page, by cursor", 10.0, vec![format!("cursor={deep}")]),
        ("deep page, by time", 10.0, vec![format!("at={half}")]),
        (
            "filter: status",
            10.0,
            ["failed", "success", "cancelled"]
                .map(|s| format!("status={s}"))
                .to_vec(),
        ),
        (
            "filter: channel",
            10.0,
            vec!["channel=webhook".into(), "channel=email".into()],
        ),
        (
            "filter: webhook",
            10.0,
            vec![format!("webhookId={webhook}")],
        ),
        (
            "filter: event type",
            10.0,
            TYPES.map(|kind| format!("eventType={kind}")).to_vec(),
        ),
        (
            "filter: subject",
            10.0,
            (0..20)
                .map(|n| format!("subject=b{}", n * 20_011 + 7))
                .collect(),
        ),
        (
            "filter: recipient",
            10.0,
            vec![
                "recipient=127.0.0.1".into(),
                "recipient=nobody.example".into(),
            ],
        ),
        (
            "filter: test",
            10.0,
            vec!["test=false".into(), "test=true".into()],
        ),
        (
            "filter: time",
            10.0,
            vec![
                format!("since={month}"),
                format!("since={week}"),
                format!("until={half}"),
            ],
        ),
        (
            "one word",
            50.0,
            [
                "maria",
                "petersen",
                "mull",
                "b400",
                "booking",
                "zzzz",
                "%2B49170000",
            ]
            .map(|q| format!("q={q}"))
            .to_vec(),
        ),
        (
            "word and two filters",
            200.0,
            ["maria", "kowalski", "b77"]
                .iter()
                .flat_map(|q| {
                    [
                        format!("q={q}&status=failed&eventType=booking.created"),
                        format!("q={q}&webhookId={webhook}&since={month}"),
                    ]
                })
                .collect(),
        ),
    ];
    for (what, limit, queries) in pages {
        let paths = queries
            .iter()
            .map(|query| format!("/api/deliveries?{query}"));
        let p95 = asked(&shop.full, &paths.collect::<Vec<_>>()).await;
        table.below(&format!("1,000,000 stored: {what}, p95"), p95, limit, "ms");
    }
    let peak = memory(table, "pages and filters", peak);
    for (what, limit, path) in [
        (
            "histogram, p95",
            Some(200.0),
            "/api/deliveries/histogram".to_owned(),
        ),
        (
            "histogram, last month, p95",
            Some(200.0),
            format!("/api/deliveries/histogram?since={month}"),
        ),
        (
            "histogram, status=failed, p95",
            Some(200.0),
            "/api/deliveries/histogram?status=failed".to_owned(),
        ),
        (
            "histogram, one word, p95",
            None,
            "/api/deliveries/histogram?q=maria".to_owned(),
        ),
        (
            "histogram, one webhook, p95",
            None,
            format!("/api/deliveries/histogram?webhookId={webhook}"),
        ),
        (
            "stats, a week, p95",
            None,
            format!("/api/stats?since={week}"),
        ),
        (
            "stats, a year, p95",
            None,
            format!("/api/stats?since={}", moment(now_ms() - YEAR_MS)),
        ),
        (
            "story of a booking, p95",
            Some(50.0),
            "/api/story?subject=b400007".to_owned(),
        ),
        (
            "story of a phone number, p95",
            Some(50.0),
            "/api/story?customer=0170%200400007".to_owned(),
        ),
        (
            "story of a name, p95",
            None,
            "/api/story?customer=Maria%20Petersen".to_owned(),
        ),
    ] {
        let p95 = asked(&shop.full, &[path]).await;
        let what = format!("1,000,000 stored: {what}");
        match limit {
            Some(limit) => table.below(&what, p95, limit, "ms"),
            None => table.figure(&what, format!("{p95:.1} ms")),
        }
    }
    let mut peak = memory(table, "histograms, figures and stories", peak);
    for format in ["csv", "ndjson"] {
        let started = Instant::now();
        let (lines, bytes) = export(shop, format).await;
        let took = started.elapsed().as_secs_f64();
        assert!(lines >= 1_000_000, "{lines} lines");
        table.at_least(
            &format!("export as {format} ({} MB)", bytes / 1_000_000),
            lines as f64 / took,
            100_000.0,
            "rows/s",
        );
        peak = memory(table, &format!("export as {format}"), peak);
    }
    peak.end();
}

/// The time below which 95 of 100 answers came, in milliseconds; each question in turn.
async fn asked(api: &Api, paths: &[String]) -> f64 {
    let mut times = Vec::new();
    for turn in 0..ASKED {
        let path = &paths[turn % paths.len()];
        let started = Instant::now();
        let answer = api.get(path).await;
        times.push(started.elapsed());
        assert_eq!(answer.status, 200, "{path}\n{}", answer.text());
    }
    percentile(&mut times, 0.95).expect("some").as_secs_f64() * 1000.0
}

async fn export(shop: &Shop, format: &str) -> (u64, u64) {
    let address = shop.serve.address;
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("the server listens");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    let request = http::Request::get(format!("/api/deliveries/export?format={format}"))
        .header("host", address.to_string())
        .header("authorization", format!("Bearer {}", shop.serve.credential))
        .header("signalbox-workspace", &shop.workspace)
        .body(Empty::<bytes::Bytes>::new())
        .expect("a request");
    let mut body = sender
        .send_request(request)
        .await
        .expect("an answer")
        .into_body();
    let (mut lines, mut length) = (0, 0);
    while let Some(frame) = body.frame().await {
        let data = frame
            .expect("it does not break off")
            .into_data()
            .expect("data");
        length += data.len() as u64;
        lines += data.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    (lines, length)
}

/// Milliseconds of CPU that the server takes for one delivery, from its acceptance to its end.
async fn cost(shop: &Shop, receiver: &Receiver) -> f64 {
    let before = receiver.count();
    let cpu = cpu_ms(shop.serve.pid, None);
    let deliveries = SENT * RECEIVERS as u64;
    for number in 0..SENT {
        let data = format!(
            r#"{{"bookingId":"new{number}","customer":{{"name":"Maria Petersen","phone":"+491701234567"}}}}"#
        );
        shop.give("booking.created", &data).await.is(202);
    }
    let all = receiver.wait_for(before + deliveries);
    tokio::time::timeout(Duration::from_secs(120), all)
        .await
        .expect("all arrive");
    // What is still written, and read into the index, belongs to it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    (cpu_ms(shop.serve.pid, None) - cpu) as f64 / deliveries as f64
}

/// The most memory a process holds while this is watched.
struct Peak {
    stop: Arc<AtomicBool>,
    kib: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Peak {
    fn watch(pid: u32) -> Self {
        let (stop, kib) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (end, most) = (stop.clone(), kib.clone());
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                most.fetch_max(pss_kib(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { stop, kib, thread }
    }

    /// In MiB.
    fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.kib.load(Ordering::Relaxed) as f64 / 1024.0
    }
}

/// Waits until the index has read all there is.
fn until_read(index: &Path) -> i64 {
    let main = index.with_file_name("signalbox.db");
    let open = |path: &Path| {
        Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .expect("a database")
    };
    let main = open(&main);
    let newest = |of: &str| -> i64 {
        main.query_row(
            &format!("SELECT coalesce(max(seq), 0) FROM {of}"),
            [],
            |row| row.get(0),
        )
        .expect("a number")
    };
    let (deliveries, events) = (newest("deliveries"), newest("events"));
    let until = Instant::now() + Duration::from_secs(1800);
    loop {
        let marks = Connection::open_with_flags(index, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|index| {
            index.query_row(
                "SELECT (SELECT seq FROM marks WHERE name = 'deliveries'), (SELECT seq FROM marks WHERE name = 'events')",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )
        });
        if marks.is_ok_and(|(one, other)| one >= deliveries && other >= events) {
            return deliveries + events;
        }
        assert!(Instant::now() < until, "the index is not made");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .expect("a time")
        .to_string()
}

/// An id as the product makes it: a UUIDv7 with the number of its row.
fn id(prefix: &str, at: i64, row: i64) -> String {
    let below = (u128::try_from(row).expect("a row") << 26) | 0x2a5a5a5;
    let bits = (u128::try_from(at).expect("a time") << 80)
        | (7 << 76)
        | ((below >> 62) << 64)
        | (2 << 62)
        | (below & ((1 << 62) - 1));
    let hex = format!("{bits:032x}");
    format!(
        "{prefix}_{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Fills empty tables with so many deliveries, in the order of time.
fn fill(home: &Path, workspace: &str, hooks: &[Webhook], size: i64) {
    let mut db = Connection::open(home.join("signalbox.db")).expect("the database");
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")
        .expect("a setting");
    let (mut event, mut delivery) = (0, 0);
    let from = now_ms() - YEAR_MS;
    let all = db.transaction().expect("a transaction");
    {
        let mut events = all.prepare("INSERT INTO events (seq, id, workspace_id, type, subject, occurred_at, received_at, source, data, data_sha256, deliveries, first_delivery) VALUES (?, ?, ?, ?, ?, ?, ?, 'Till', ?, ?, ?, ?)").expect("SQL");
        let mut deliveries = all.prepare("INSERT INTO deliveries (seq, id, workspace_id, event_seq, channel, endpoint, event_type, subject, recipient, status, status_reason, attempts, tries, status_code, code, args, duration_ms, created_at, finished_at) VALUES (?, ?, ?, ?, 'webhook', ?, ?, ?, '127.0.0.1', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").expect("SQL");
        let mut attempts = all.prepare("INSERT INTO attempts (delivery_seq, number, trigger, started_at, finished_at, duration_ms, status_code, code, args, request_url, signed_at, response_headers, response_body) VALUES (?, 1, 'auto', ?, ?, ?, ?, ?, ?, 'http://127.0.0.1/', ?, '{\"content-type\":\"text/plain\"}', ?)").expect("SQL");
        let step = YEAR_MS / (size + 1);
        for n in 0..size / RECEIVERS as i64 {
            event += 1;
            let at = from + (n + 1) * RECEIVERS as i64 * step;
            let kind = TYPES[usize::try_from(event % 5).expect("small")];
            // Not round numbers, so that neighbours differ.
            let (first, last) = (
                FIRST[usize::try_from(event * 7 % 20).expect("small")],
                LAST[usize::try_from(event * 13 / 20 % 20).expect("small")],
            );
            let subject = format!("b{event}");
            let data = format!(
                r#"{{"bookingId":"{subject}","title":"Cut and colour","startTime":"2026-12-01T09:00:00+01:00","endTime":"2026-12-01T10:30:00+01:00","timezone":"Europe/Berlin","price":89.00,"customer":{{"name":"{first} {last}","email":"{}.{event}@example.com","phone":"+49170{event:07}"}}}}"#,
                first.to_lowercase()
            );
            events
                .execute(params![
                    event,
                    id("evt", at, event),
                    workspace,
                    kind,
                    subject,
                    at,
                    at,
                    data.as_bytes(),
                    &Sha256::digest(&data)[..],
                    RECEIVERS as i64,
                    delivery + 1
                ])
                .expect("an event");
            for hook in hooks.iter().take(RECEIVERS) {
                delivery += 1;
                let (status, reason, code, error, args) = match delivery % 200 {
                    0..4 => (
                        "failed",
                        None,
                        500,
                        Some("provider_down"),
                        Some(r#"{"status":500}"#),
                    ),
                    4 => (
                        "cancelled",
                        Some("by_owner"),
                        404,
                        Some("rejected"),
                        Some(r#"{"status":404}"#),
                    ),
                    5 => (
                        "skipped",
                        Some("too_late"),
                        404,
                        Some("rejected"),
                        Some(r#"{"status":404}"#),
                    ),
                    _ => ("success", None, 200, None, None),
                };
                let took = 20 + delivery * 7 % 180;
                let tries = 1 + i64::from(delivery % 50 == 9);
                deliveries
                    .execute(params![
                        delivery,
                        id("dlv", at, delivery),
                        workspace,
                        event,
                        hook.id,
                        kind,
                        subject,
                        status,
                        reason,
                        tries,
                        tries,
                        code,
                        error,
                        args,
                        took,
                        at,
                        at + took
                    ])
                    .expect("a delivery");
                attempts
                    .execute(params![
                        delivery,
                        at,
                        at + took,
                        took,
                        code,
                        error,
                        args,
                        at,
                        if code == 200 {
                            &b"Received."[..]
                        } else {
                            b"Something broke."
                        }
                    ])
                    .expect("an attempt");
            }
        }
    }
    all.commit().expect("a commit");
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("a checkpoint");
}
