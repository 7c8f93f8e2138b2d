//! kill -9 with traffic, again and again: everything accepted arrives, nothing else does, repeats keep id and bytes.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use signalbox_practice::{Keep, Receiver, Taken};
use signalbox_tests::{Api, Home, Shop, repository, say, signalctl};
use tokio::sync::Mutex;

const CALLERS: u64 = 8;

/// What callers know: for each key they used, the body's text and, once accepted, the event's id.
#[derive(Debug, Default)]
struct Callers {
    next: AtomicU64,
    stop: AtomicBool,
    accepted: Mutex<HashMap<u64, String>>,
    /// The server died before it answered: they ask again with the same key, as the contract invites them to.
    unanswered: Mutex<Vec<u64>>,
}

fn data(key: u64) -> String {
    format!(r#"{{"contactId":"c{key}","n":{key}e0, "note" : "kill"}}"#)
}

impl Callers {
    async fn give(&self, api: &Api, key: u64) -> bool {
        let body = format!(
            r#"{{"type":"contact.created","idempotencyKey":"key-{key}","data":{}}}"#,
            data(key)
        );
        let json = [("content-type", "application/json")];
        let answer = api
            .attempt(Method::POST, "/api/events", &json, Some(body.into()))
            .await;
        match answer {
            Ok(answer) if matches!(answer.status, 200 | 202) => {
                let id = answer.json()["eventId"].as_str().expect("an id").to_owned();
                let before = self.accepted.lock().await.insert(key, id.clone());
                assert!(
                    before.is_none_or(|before| before == id),
                    "one key, two events"
                );
                true
            }
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => {
                self.unanswered.lock().await.push(key);
                false
            }
        }
    }

    async fn keep_giving(self: Arc<Self>, api: Api) {
        while !self.stop.load(Ordering::Relaxed) {
            let key = self.next.fetch_add(1, Ordering::Relaxed);
            if !self.give(&api, key).await {
                return;
            }
        }
    }

    /// Asks again for whatever got no answer.
    async fn settle(&self, api: &Api) {
        let unanswered = std::mem::take(&mut *self.unanswered.lock().await);
        for key in unanswered {
            self.give(api, key).await;
        }
    }
}

#[derive(Debug)]
struct Report {
    rounds: u32,
    accepted: HashMap<u64, String>,
    ledger: HashMap<String, Taken>,
    calls: u64,
}

impl Report {
    fn lost(&self) -> usize {
        self.accepted
            .values()
            .filter(|id| !self.ledger.contains_key(*id))
            .count()
    }

    fn repeated(&self) -> u64 {
        self.calls - self.ledger.len() as u64
    }
}

/// So many rounds of start, traffic, kill -9; then one start more, and all that is pending goes out.
async fn rounds_of_kills(home: Home, rounds: u32) -> Report {
    let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Ledger)
        .await
        .unwrap();
    let callers = Arc::new(Callers::default());
    let mut shop = Shop::on(home.serve().into()).await;
    let options = json!({"retryAttempts": 20, "retryDelay": 100});
    shop.webhook_with(&receiver.url(), options).await;
    // Any spread of moments will do; a fixed one can be run again.
    let mut moment = 7_u64;
    for _ in 0..rounds {
        let traffic: Vec<_> = (0..CALLERS)
            .map(|_| tokio::spawn(callers.clone().keep_giving(shop.events.clone())))
            .collect();
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The one wait for a time and not for a change: when the kill falls is the experiment.
        tokio::time::sleep(Duration::from_millis(30 + (moment >> 33) % 350)).await;
        shop = tokio::task::spawn_blocking(move || shop.restart(true))
            .await
            .unwrap();
        for caller in traffic {
            caller.await.unwrap();
        }
        callers.settle(&shop.events).await;
    }
    let pending = shop.full.changes().await;
    pending
        .until(async || {
            let health = shop.full.get("/api/health").await.is(200);
            let sending = shop.deliveries("status=sending&limit=1").await.len();
            (health["pending"] == 0 && sending == 0).then_some(())
        })
        .await
        .unwrap_or_else(|| say("the queue did not empty in time"));
    Report {
        rounds,
        accepted: callers.accepted.lock().await.clone(),
        ledger: receiver.ledger(),
        calls: receiver.count(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kills_with_traffic_accepted_is_delivered_and_repeats_keep_id_and_bytes() {
    let rounds = std::env::var("SIGNALBOX_KILL_ROUNDS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(50);
    let started = Instant::now();
    let report = rounds_of_kills(Home::new(), rounds).await;
    say(&format!(
        "kill -9: {} rounds in {:?}, {} events accepted, {} delivered, {} lost, {} repeated calls",
        report.rounds,
        started.elapsed(),
        report.accepted.len(),
        report.ledger.len(),
        report.lost(),
        report.repeated()
    ));
    assert!(
        report.accepted.len() > rounds as usize * 10,
        "too little traffic to prove anything"
    );
    assert_eq!(report.lost(), 0, "accepted and not delivered");
    assert_eq!(
        report.ledger.len(),
        report.accepted.len(),
        "something arrived that no caller knows"
    );
    for (key, id) in &report.accepted {
        let taken = &report.ledger[id];
        let expected: [u8; 32] = sha2_of(data(*key).as_bytes());
        assert!(
            taken.same_bytes && taken.sha256 == expected,
            "{id} changed its bytes"
        );
    }
}

fn sha2_of(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

/// The positive control: a harness that cannot fail proves nothing. This build answers before its commit.
///
/// `synchronous=OFF` would be no control here: after kill -9 the kernel still holds every page that was written and
/// completes the write; only a power cut, which this is not, would lose it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_kills_find_the_loss_in_a_build_that_answers_before_its_commit() {
    let started = Instant::now();
    let binary = build_that_answers_early();
    let built = started.elapsed();
    // The gap between answer and commit is narrow, so kills go on until one falls into it; that none
    // of so many does means that the harness is blind.
    let mut rounds = 0;
    let mut accepted = 0;
    let mut lost = 0;
    while lost == 0 && rounds < 120 {
        let report = rounds_of_kills(Home::of(binary.clone()), 12).await;
        rounds += report.rounds;
        accepted += report.accepted.len();
        lost += report.lost();
    }
    say(&format!(
        "positive control: built in {built:?}, {rounds} rounds, {accepted} events accepted, {lost} lost"
    ));
    assert!(lost > 0, "the harness did not see a planted loss");
}

/// The build that answers early: where `.ci/test` has made it, else made now, beside the normal build.
fn build_that_answers_early() -> std::path::PathBuf {
    if let Some(made) = std::env::var_os("SIGNALBOX_ANSWERS_EARLY") {
        return made.into();
    }
    let folder = signalctl()
        .parent()
        .and_then(|debug| debug.parent())
        .unwrap()
        .join("early-answer");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(repository())
        .args([
            "build",
            "--quiet",
            "--locked",
            "-p",
            "signalbox-cli",
            "--features",
            "signalbox-core/early-answer",
        ])
        .arg("--target-dir")
        .arg(&folder)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the control build failed");
    folder.join("debug/signalctl")
}
