//! `make bench`: one run, the limit beside each figure, not zero at the end when one is missed.
//!
//! Server and relay are processes of their own; the callers and the receiver are one thread each of this process, with
//! a runtime of their own, so that the report can say whose the CPU was. Relay and Signalbox take turns, so that a
//! busier moment of the machine meets both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on stops; figures are rounded for people anyway"
)]

mod load;
mod log;
mod relay;
mod upload;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use load::{Load, Target, paced, saturate};
use serde_json::json;
use signalbox_practice::{Keep, Receiver, Taken};
use signalbox_tests::{Home, Serve, Shop, cpu_ms, percentile, pss_kib, signalctl, sleeps};
use tokio::runtime::{Builder, Runtime};

const CALLERS: usize = 64;
const ROUNDS: usize = 3;
const ROUND: Load = Load::For(Duration::from_secs(6));
/// Every event goes to so many webhooks, in the rounds that fan out.
const FAN: u64 = 10;
const FAN_ROUND: Load = Load::Events(5_000);
const A_SECOND: u32 = 200;
const PACED: Duration = Duration::from_secs(15);
/// After so long nothing follows the start any more: old rows were looked for.
const STARTED: Duration = Duration::from_secs(75);
/// What happens every 30 s happens twice then.
const RESTING: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(120);

/// What a process does that has nothing to do, once what follows its start is over.
fn rest(table: &mut Table, pid: u32) {
    std::thread::sleep(STARTED);
    let (first, _) = sleeps(pid);
    let (mut before, mut woken, mut moments) = (sleeps(pid), false, 0);
    let until = Instant::now() + RESTING;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
        let now = sleeps(pid);
        // What goes on for a moment is one.
        moments += u32::from(now != before && !woken);
        (woken, before) = (now != before, now);
    }
    table.below("idle: wake-ups in a minute", f64::from(moments), 3.0, "");
    table.figure(
        "  switches of all threads then",
        (before.0 - first).to_string(),
    );
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next();
    match what.as_deref() {
        Some("relay") => {
            relay::run(arguments.collect());
            return ExitCode::SUCCESS;
        }
        Some("storage") => {
            upload::serve(&arguments.next().expect("a folder"));
            return ExitCode::SUCCESS;
        }
        Some("log") => return log::run(),
        _ => {}
    }
    let mut table = Table::default();
    // `cargo bench -- upload` measures that alone.
    if what.as_deref() == Some("upload") {
        upload::measure(&mut table, folder().path());
        return table.print();
    }
    let disk = folder();
    table.figure(
        "fsync of 4 KiB appended",
        format!("{:.2} ms", fsync(disk.path()).as_secs_f64() * 1000.0),
    );
    table.figure(
        "SQLite, WAL, FULL: inserts, one a commit",
        format!("{:.0} /s", inserts(disk.path(), 1)),
    );
    table.figure(
        "SQLite, WAL, FULL: inserts, 64 a commit",
        format!("{:.0} /s", inserts(disk.path(), 64)),
    );

    let receiver = Thread::start("receiver");
    let callers = Thread::start("callers");
    let ledger = receiver
        .run(Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Ledger))
        .expect("a port");
    let bench = Bench {
        receiver,
        callers,
        ledger: Arc::new(ledger),
    };

    let (mut relay_process, relay) = bench.start_relay(1);
    let (shop, target) = bench.start_signalbox(disk.path().join("home"), 1);
    let pid = shop.serve.pid;
    // Fully started: what it holds with nothing to do.
    std::thread::sleep(Duration::from_secs(3));
    let idle = pss_kib(pid);
    rest(&mut table, pid);

    let mut relays = Vec::new();
    let mut boxes = Vec::new();
    for _ in 0..ROUNDS {
        relays.push(bench.deliveries(&relay, relay_process.id(), ROUND, 1));
        boxes.push(bench.deliveries(&target, pid, ROUND, 1));
    }
    let (relays, boxes) = (median(relays), median(boxes));
    end(&mut relay_process);
    table.figure(
        "bare relay, 64 callers",
        format!("{:.0} /s", relays.a_second),
    );
    table.figure("  CPU (of one core)", relays.shares());
    table.at_least(
        "Signalbox, 64 callers, durable before the answer",
        boxes.a_second,
        5000.0,
        "/s",
    );
    table.figure("  CPU (of one core)", boxes.shares());
    table.at_least(
        "share of the bare relay",
        boxes.a_second / relays.a_second * 100.0,
        40.0,
        "%",
    );
    for (of, run) in [("relay", &relays), ("Signalbox", &boxes)] {
        let busiest = run.callers.max(run.receiver) * 100.0;
        table.below(
            &format!("busiest of callers and receiver beside {of}"),
            busiest,
            90.0,
            "% of a core",
        );
    }

    let paced = bench.latency(&target, pid);
    for (what, mut times, limits) in [
        ("accepted → arrived", paced.from_accepted, Some((2.0, 10.0))),
        ("given → arrived", paced.from_given, None),
    ] {
        let p50 = percentile(&mut times, 0.50)
            .unwrap_or_default()
            .as_secs_f64()
            * 1000.0;
        let p99 = percentile(&mut times, 0.99)
            .unwrap_or_default()
            .as_secs_f64()
            * 1000.0;
        match limits {
            Some((at_50, at_99)) => {
                table.below(&format!("200 a second, {what}, p50"), p50, at_50, "ms");
                table.below(&format!("200 a second, {what}, p99"), p99, at_99, "ms");
            }
            None => table.figure(
                &format!("200 a second, {what}, p50 and p99"),
                format!("{p50:.2} and {p99:.2} ms"),
            ),
        }
    }
    std::thread::sleep(Duration::from_secs(3));
    let during = boxes.pss_kib.max(paced.pss_kib);
    for (when, kib) in [
        ("idle", idle),
        ("during, at most", during),
        ("after", pss_kib(pid)),
    ] {
        table.below(
            &format!("memory (PSS), {when}"),
            kib as f64 / 1024.0,
            40.0,
            "MiB",
        );
    }
    bench.fan_out(&disk, &mut table);
    drop(shop);
    upload::measure(&mut table, disk.path());
    table.print()
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// A folder on the disk that holds the build, not in memory as a temporary one may be.
fn folder() -> tempfile::TempDir {
    let beside = signalctl().parent().expect("the build").to_owned();
    tempfile::TempDir::with_prefix_in("bench-", beside).expect("a folder")
}

fn fsync(folder: &std::path::Path) -> Duration {
    let mut file = File::create(folder.join("fsync")).expect("a file");
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[7; 4096]).expect("a write");
            file.sync_data().expect("an fsync");
            started.elapsed()
        })
        .collect();
    percentile(&mut times, 0.5).unwrap_or_default()
}

/// Rows a second into one plain table with the settings of the product's database.
fn inserts(folder: &std::path::Path, a_commit: usize) -> f64 {
    let mut database = rusqlite::Connection::open(folder.join(format!("plain-{a_commit}.db")))
        .expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, data BLOB NOT NULL) STRICT;",
        )
        .expect("a table");
    let started = Instant::now();
    let mut rows = 0_usize;
    while started.elapsed() < Duration::from_secs(2) {
        let batch = database.transaction().expect("a transaction");
        for _ in 0..a_commit {
            rows += 1;
            batch
                .prepare_cached("INSERT INTO events (id, data) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute((format!("evt_{rows:036}"), [7_u8; 280])))
                .expect("an insert");
        }
        batch.commit().expect("a commit");
    }
    rows as f64 / started.elapsed().as_secs_f64()
}

/// A thread with a runtime of its own, whose CPU time is known.
struct Thread {
    runtime: tokio::runtime::Handle,
    task: u32,
}

impl Thread {
    fn start(name: &str) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let runtime: Runtime = Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                let link = std::fs::read_link("/proc/thread-self").expect("Linux");
                let task = link
                    .file_name()
                    .and_then(|name| name.to_str()?.parse().ok())
                    .expect("a thread id");
                tell.send((runtime.handle().clone(), task))
                    .expect("someone waits");
                runtime.block_on(std::future::pending::<()>());
            })
            .expect("a thread");
        let (runtime, task) = told.recv().expect("the thread starts");
        Self { runtime, task }
    }

    fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (tell, told) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let _ = tell.send(work.await);
        });
        told.recv().expect("the work is done")
    }

    fn cpu_ms(&self) -> u64 {
        cpu_ms(std::process::id(), Some(self.task))
    }
}

/// One round: how fast, and whose the CPU was, as shares of one core.
#[derive(Clone, Copy)]
struct Run {
    a_second: f64,
    server: f64,
    callers: f64,
    receiver: f64,
    pss_kib: u64,
}

impl Run {
    fn shares(&self) -> String {
        format!(
            "server {:.0} %, callers {:.0} %, receiver {:.0} %",
            self.server * 100.0,
            self.callers * 100.0,
            self.receiver * 100.0
        )
    }
}

fn median(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|one, other| one.a_second.total_cmp(&other.a_second));
    runs[runs.len() / 2]
}

struct Paced {
    from_accepted: Vec<Duration>,
    from_given: Vec<Duration>,
    pss_kib: u64,
}

struct Bench {
    receiver: Thread,
    callers: Thread,
    ledger: Arc<Receiver>,
}

impl Bench {
    /// The receiver's addresses, one for each webhook.
    fn urls(&self, count: u64) -> Vec<String> {
        let url = self.ledger.url();
        (0..count).map(|n| format!("{url}/{n}")).collect()
    }

    fn start_relay(&self, count: u64) -> (Child, Target) {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .arg("relay")
            .args(self.urls(count))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the relay starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its address");
        let address = line.trim().parse().expect("an address");
        (
            child,
            Target {
                address,
                token: "sbt_none".into(),
            },
        )
    }

    fn start_signalbox(&self, home: PathBuf, count: u64) -> (Shop, Target) {
        let home = Home::new().at(home);
        let urls = self.urls(count);
        self.callers.run(async move {
            let serve: Arc<Serve> = Arc::new(home.serve());
            let shop = Shop::on(serve).await;
            for url in urls {
                shop.webhook_with(&url, json!({"retryDelay": 1000})).await;
            }
            let target = Target {
                address: shop.serve.address,
                token: shop.token.clone(),
            };
            (shop, target)
        })
    }

    /// Every event to ten webhooks.
    fn fan_out(&self, disk: &tempfile::TempDir, table: &mut Table) {
        let (mut relay_process, relay) = self.start_relay(FAN);
        let (shop, target) = self.start_signalbox(disk.path().join("fan"), FAN);
        let pid = shop.serve.pid;
        let (mut relays, mut boxes) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            relays.push(self.deliveries(&relay, relay_process.id(), FAN_ROUND, FAN));
            boxes.push(self.deliveries(&target, pid, FAN_ROUND, FAN));
        }
        end(&mut relay_process);
        let most = boxes.iter().map(|run| run.pss_kib).max();
        let (relays, boxes) = (median(relays), median(boxes));
        table.figure(
            "bare relay to ten, 5,000 events",
            format!("{:.0} /s", relays.a_second),
        );
        table.figure("  CPU (of one core)", relays.shares());
        table.at_least(
            "Signalbox to ten webhooks, 5,000 events",
            boxes.a_second,
            10_000.0,
            "/s",
        );
        table.figure("  CPU (of one core)", boxes.shares());
        table.at_least(
            "share of the bare relay to ten",
            boxes.a_second / relays.a_second * 100.0,
            40.0,
            "%",
        );
        table.below(
            "memory (PSS), to ten, at most",
            most.unwrap_or_default() as f64 / 1024.0,
            40.0,
            "MiB",
        );
    }

    /// Runs the callers, waits until all has arrived, and counts from the first call to the last arrival.
    fn deliveries(&self, target: &Target, pid: u32, load: Load, fan: u64) -> Run {
        self.ledger.forget();
        let before = self.ledger.count();
        let cpu = || {
            (
                cpu_ms(pid, None),
                self.callers.cpu_ms(),
                self.receiver.cpu_ms(),
            )
        };
        let (server, callers, receiver) = cpu();
        let started = Instant::now();
        let ledger = self.ledger.clone();
        let calling = target.clone();
        let (done, arrived) = std::sync::mpsc::channel();
        self.callers.runtime.spawn(async move {
            let given = saturate(calling, CALLERS, load).await * fan;
            let all = tokio::time::timeout(DRAIN, ledger.wait_for(before + given)).await;
            let _ = done.send((given, all.is_ok()));
        });
        let mut pss = 0;
        let (given, all) = loop {
            pss = pss_kib(pid).max(pss);
            match arrived.recv_timeout(Duration::from_millis(500)) {
                Ok(end) => break end,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("{error}"),
            }
        };
        let wall = started.elapsed().as_secs_f64();
        assert!(all, "{} of {given} arrived", self.ledger.count() - before);
        let after = cpu();
        let share = |from: u64, to: u64| (to - from) as f64 / 1000.0 / wall;
        Run {
            a_second: given as f64 / wall,
            server: share(server, after.0),
            callers: share(callers, after.1),
            receiver: share(receiver, after.2),
            pss_kib: pss,
        }
    }

    fn latency(&self, target: &Target, pid: u32) -> Paced {
        self.ledger.forget();
        let before = self.ledger.count();
        let ledger = self.ledger.clone();
        let target = target.clone();
        let (accepted, arrived): (_, HashMap<String, Taken>) = self.callers.run(async move {
            let accepted = paced(target, A_SECOND, PACED).await;
            let all = ledger.wait_for(before + accepted.len() as u64);
            tokio::time::timeout(DRAIN, all).await.expect("all arrive");
            (accepted, ledger.ledger())
        });
        let arrival = |id: &str| arrived.get(id).expect("it arrived").first;
        Paced {
            // A call may arrive before its caller has read the acceptance: that is no time at all.
            from_accepted: accepted
                .iter()
                .map(|event| arrival(&event.id).saturating_duration_since(event.accepted))
                .collect(),
            from_given: accepted
                .iter()
                .map(|event| arrival(&event.id).saturating_duration_since(event.given))
                .collect(),
            pss_kib: pss_kib(pid),
        }
    }
}

/// What was measured, with its limit where there is one.
#[derive(Default)]
struct Table {
    rows: Vec<[String; 4]>,
    missed: bool,
}

impl Table {
    fn figure(&mut self, what: &str, figure: String) {
        self.rows
            .push([what.into(), figure, String::new(), String::new()]);
    }

    fn at_least(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        self.judge(
            what,
            figure,
            unit,
            format!("at least {limit} {unit}"),
            figure >= limit,
        );
    }

    fn below(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        self.judge(
            what,
            figure,
            unit,
            format!("below {limit} {unit}"),
            figure < limit,
        );
    }

    fn judge(&mut self, what: &str, figure: f64, unit: &str, limit: String, kept: bool) {
        self.missed |= !kept;
        let figure = if figure >= 100.0 {
            format!("{figure:.0}")
        } else {
            format!("{figure:.2}")
        };
        let verdict = if kept { "kept" } else { "MISSED" };
        self.rows.push([
            what.into(),
            format!("{figure} {unit}"),
            limit,
            verdict.into(),
        ]);
    }

    fn print(&self) -> ExitCode {
        for [what, figure, limit, verdict] in &self.rows {
            println!("{what:<52} {figure:>48}  {limit:<26} {verdict}");
        }
        if self.missed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
