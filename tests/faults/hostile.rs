//! Receivers that misbehave in every way at once: each gets an attempt with a plain sentence, memory stays bounded,
//! and the good receiver beside them does not notice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Shop, percentile, pss_kib, say};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const GOOD_EVENTS: u32 = 100;
const HOSTILE_EVENTS: u32 = 20;
const GROWTH_LIMIT_KIB: u64 = 20 * 1024;

/// From given to arrived at the good receiver, one after the other.
async fn latencies(shop: &Shop, good: &Receiver, pid: u32, peak: &mut u64) -> Vec<Duration> {
    let mut taken = Vec::new();
    for number in 0..GOOD_EVENTS {
        let before = good.count();
        let given = Instant::now();
        shop.event(
            "contact.created",
            &format!(r#"{{"contactId":"g{number}"}}"#),
        )
        .await;
        let calls = Shop::calls(good, before + 1).await;
        taken.push(calls.last().unwrap().instant - given);
        *peak = pss_kib(pid).max(*peak);
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_receivers_cost_bounded_memory_and_slow_no_other() {
    let shop = Shop::alone().await;
    let pid = shop.serve.pid;
    let good = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(
        &good.url(),
        json!({"name": "Good", "events": ["contact.created"]}),
    )
    .await;
    let mut peak = 0;
    let mut alone = latencies(&shop, &good, pid, &mut peak).await;
    let before = pss_kib(pid);

    let mut receivers = Vec::new();
    let mut names = HashMap::new();
    for (name, behaviour) in Behaviour::hostile() {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        receiver.behave(behaviour);
        let options = json!({"name": name, "events": ["inventory.low"], "retryAttempts": 1, "retryDelay": 100, "timeoutSeconds": 5});
        let webhook = shop.webhook_with(&receiver.url(), options).await;
        names.insert(webhook.id, name);
        receivers.push(receiver);
    }
    let mut given = Vec::new();
    for number in 0..HOSTILE_EVENTS {
        let data = format!(r#"{{"sku":"h{number}"}}"#);
        given.push(shop.event("inventory.low", &data).await);
    }
    let mut beside = latencies(&shop, &good, pid, &mut peak).await;
    // The first of them: the others queue behind receivers that hang.
    let first = &given[0];
    let rows = shop
        .full
        .changes()
        .await
        .until(async || {
            peak = pss_kib(pid).max(peak);
            let rows = shop.deliveries(&format!("eventId={first}&limit=200")).await;
            let ended = rows
                .iter()
                .all(|row| row["status"] == "success" || row["status"] == "failed");
            (ended && rows.len() == names.len()).then_some(rows)
        })
        .await;
    let after = pss_kib(pid);

    let (alone, beside) = (
        percentile(&mut alone, 0.95).unwrap(),
        percentile(&mut beside, 0.95).unwrap(),
    );
    say(&format!(
        "hostile receivers: {} kinds; p95 of the good one {alone:?} alone, {beside:?} beside them; \
         PSS {before} KiB before, {peak} KiB at most, {after} KiB after",
        names.len()
    ));
    for row in rows.expect("every hostile delivery ends within the patience of this test") {
        let detail = shop.delivery(row["id"].as_str().unwrap()).await;
        let name = names[row["webhookId"].as_str().unwrap()];
        let attempts = detail["attempts"].as_array().unwrap();
        assert!(!attempts.is_empty(), "{name}: no attempt");
        for attempt in attempts {
            let sentence = attempt["error"]
                .as_str()
                .or(attempt["summary"].as_str())
                .unwrap_or_default();
            assert!(
                sentence.ends_with('.') && sentence.len() > 10,
                "{name}: no plain sentence in {attempt}"
            );
            let body = attempt["responseBody"].as_str().unwrap_or_default();
            assert!(
                body.len() <= 64 * 1024,
                "{name}: {} bytes of the answer kept",
                body.len()
            );
            let took = attempt["durationMs"].as_u64().unwrap_or_default();
            assert!(took < 7_000, "{name}: an attempt took {took} ms");
        }
        say(&format!(
            "  {name}: {} ({})",
            row["status"].as_str().unwrap(),
            attempts[0]["error"].as_str().unwrap_or("delivered")
        ));
    }
    assert!(
        peak.saturating_sub(before) < GROWTH_LIMIT_KIB,
        "memory grew by {} KiB",
        peak - before
    );
    assert!(
        beside < alone * 5 + Duration::from_millis(250),
        "the good receiver was slowed: {beside:?} after {alone:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_never_finish_their_request_do_not_hold_up_the_others() {
    let shop = Shop::alone().await;
    let mut half_open = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(shop.serve.address).await.unwrap();
        let _ = stream
            .write_all(b"POST /api/events HTTP/1.1\r\nHost: 127")
            .await;
        half_open.push(stream);
    }
    let mut asked = Vec::new();
    for number in 0..200 {
        let started = Instant::now();
        shop.event(
            "contact.created",
            &format!(r#"{{"contactId":"s{number}"}}"#),
        )
        .await;
        asked.push(started.elapsed());
    }
    let p99 = percentile(&mut asked, 0.99).unwrap();
    say(&format!(
        "200 half-open callers: a good one is answered with p99 {p99:?}"
    ));
    assert!(p99 < Duration::from_millis(250), "{p99:?}");
}
