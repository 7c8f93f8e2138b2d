//! Many at once, again: counted before, sent in order, stopped, gone on with after a restart.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver, Twilio};
use signalbox_tests::{PATIENCE, Shop, pss_kib, say};

async fn receiver() -> Receiver {
    Receiver::start(([127, 0, 0, 1], 0)).await.unwrap()
}

async fn replay(shop: &Shop, request: Value) -> Value {
    shop.full
        .post("/api/deliveries/replay", &request)
        .await
        .is(200)
}

async fn progress(shop: &Shop, id: &Value) -> Value {
    let path = format!("/api/replays/{}", id.as_str().expect("a replay's id"));
    shop.full.get(&path).await.is(200)["replay"].clone()
}

async fn replay_when(shop: &Shop, id: &Value, satisfies: impl Fn(&Value) -> bool) -> Value {
    let seen = std::cell::RefCell::new(Value::Null);
    let found = shop.full.changes().await.until(async || {
        let now = progress(shop, id).await;
        let found = satisfies(&now).then(|| now.clone());
        *seen.borrow_mut() = now;
        found
    });
    let Some(found) = found.await else {
        panic!("not within {PATIENCE:?}: {}", seen.borrow());
    };
    found
}

fn reasons(replayed: &Value) -> Vec<(String, u64)> {
    let left = replayed["excluded"].as_array().expect("a list");
    left.iter()
        .map(|one| {
            assert!(one["sentence"].as_str().is_some_and(|s| s.ends_with('.')));
            (
                one["reason"].as_str().expect("a reason").to_owned(),
                one["count"].as_u64().expect("a count"),
            )
        })
        .collect()
}

fn counted(replayed: &Value) -> (u64, u64, Vec<(String, u64)>) {
    let number = |member: &str| replayed[member].as_u64().expect("a number");
    (number("matched"), number("queued"), reasons(replayed))
}

/// Some delivered, in this order; gives the events.
async fn delivered(shop: &Shop, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    for number in 0..count {
        let data = format!(r#"{{ "bookingId" : "b{number}",  "n":{number}.0}}"#);
        let event = shop.event("booking.created", &data).await;
        events.push(event);
    }
    for event in &events {
        shop.delivery_is(event, "success").await;
    }
    events
}

#[tokio::test]
async fn what_a_dry_run_counts_is_sent_again_with_the_same_id_and_the_same_bytes() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    let webhook = shop.webhook(&receiver.url()).await;
    shop.webhook_with(&receiver.url(), json!({"format": "envelope"}))
        .await;
    let events = delivered(&shop, 1).await;
    let before = Shop::calls(&receiver, 2).await;
    shop.full
        .post(
            &format!("/api/integrations/webhooks/{}/test", webhook.id),
            &json!({}),
        )
        .await
        .is(200);

    let all = json!({"filter": {"status": "success"}});
    let dry = replay(
        &shop,
        json!({"filter": {"status": "success"}, "dryRun": true}),
    )
    .await;
    assert_eq!(counted(&dry), (3, 2, vec![("test".into(), 1)]));
    assert_eq!(dry["replayId"], Value::Null);
    assert_eq!(
        dry["sentence"],
        "2 calls would go out again, to 2 receivers."
    );
    let done = replay(&shop, all).await;
    assert_eq!(counted(&done), counted(&dry));
    let ended = replay_when(&shop, &done["replayId"], |r| r["isRunning"] == false).await;
    assert_eq!(
        (&ended["total"], &ended["sent"], &ended["waiting"]),
        (&json!(2), &json!(2), &json!(0))
    );
    assert_eq!(ended["sentence"], "Sent 2 calls again: 2 got through.");

    let after = Shop::calls(&receiver, 5).await;
    for call in after.iter().skip(3) {
        let same = before.iter().find(|old| old.body == call.body);
        let same = same.expect("the same bytes as the first time");
        assert_eq!(
            same.headers.get("webhook-id"),
            call.headers.get("webhook-id")
        );
    }
    let event = shop.full.get(&format!("/api/events/{}", events[0])).await;
    let rows = event.is(200)["event"]["deliveries"].clone();
    assert_eq!(rows.as_array().map(Vec::len), Some(4));
    for row in [&rows[2], &rows[3]] {
        let first = [&rows[0], &rows[1]];
        assert!(first.iter().any(|f| f["id"] == row["replayOf"]));
        let detail = shop.delivery(row["id"].as_str().unwrap()).await;
        assert_eq!(detail["attempts"][0]["trigger"], "replay");
    }
}

#[tokio::test]
async fn what_was_given_up_needs_the_owner_no_more_once_it_is_sent_again() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    receiver.behave(Behaviour::Status(500));
    let event = shop.event("booking.created", r#"{"bookingId":"b1"}"#).await;
    let first = shop.delivery_is(&event, "failed").await;
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"][0]["failed"], 1);

    let failed = json!({"filter": {"status": "failed"}});
    let again = replay(&shop, failed.clone()).await;
    replay_when(&shop, &again["replayId"], |r| r["failed"] == 1).await;
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(
        problems["problems"][0]["failed"], 1,
        "it failed again, and is one thing, not two"
    );
    let once = shop.delivery(first["id"].as_str().unwrap()).await;
    assert_eq!(
        (&once["status"], &once["statusReason"]),
        (&json!("failed"), &json!("replayed"))
    );

    receiver.behave(Behaviour::Status(200));
    let again = replay(&shop, failed.clone()).await;
    assert_eq!(counted(&again), (2, 1, vec![("replayed_since".into(), 1)]));
    replay_when(&shop, &again["replayId"], |r| r["sent"] == 1).await;
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"], json!([]));
    let health = shop.full.get("/api/health").await.is(200);
    assert_eq!(health["failed"], 0);
    let again = replay(&shop, failed).await;
    assert_eq!(
        counted(&again),
        (2, 0, vec![("got_through_since".into(), 2)])
    );
    assert_eq!(again["replayId"], Value::Null);
    assert_eq!(again["sentence"], "Nothing of this can be sent again.");
}

#[tokio::test]
async fn two_clicks_send_nothing_twice() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    shop.webhook(&receiver.url()).await;
    delivered(&shop, 8).await;
    let request = json!({"filter": {"status": "success"}, "perMinute": 60});
    let (one, two) = tokio::join!(
        replay(&shop, request.clone()),
        replay(&shop, request.clone())
    );
    let (first, second) = if one["queued"] == 8 {
        (one, two)
    } else {
        (two, one)
    };
    assert_eq!(counted(&first), (8, 8, vec![]));
    let (matched, queued, left) = counted(&second);
    assert_eq!((matched >= 8, queued), (true, 0));
    assert!(
        left.iter()
            .all(|(why, _)| ["already_replayed_and_waiting", "still_waiting"]
                .contains(&why.as_str())),
        "{left:?}"
    );
    replay_when(&shop, &first["replayId"], |r| r["sent"].as_u64() >= Some(2)).await;
    let third = replay(&shop, request).await;
    assert_eq!(third["queued"], 0, "{third}");
    shop.full
        .post(
            &format!(
                "/api/replays/{}/cancel",
                first["replayId"].as_str().unwrap()
            ),
            &json!({}),
        )
        .await
        .is(200);
}

#[tokio::test]
async fn a_replay_is_stopped_and_what_had_failed_needs_the_owner_again() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    receiver.behave(Behaviour::Status(500));
    for number in 0..5 {
        let event = shop
            .event(
                "booking.created",
                &format!(r#"{{"bookingId":"b{number}"}}"#),
            )
            .await;
        shop.delivery_is(&event, "failed").await;
    }
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    let done = replay(&shop, json!({"filter": {"status": ["failed"]}})).await;
    assert_eq!(done["queued"], 5);
    replay_when(&shop, &done["replayId"], |_| true).await;
    let held = async || shop.deliveries("status=held").await.len() == 5;
    let all_held = shop
        .full
        .changes()
        .await
        .until(async || held().await.then_some(()));
    all_held
        .await
        .expect("all are held, for the webhook is paused");
    assert_eq!(shop.webhook_now(&webhook.id).await["failedCalls"], 5);

    let stop = format!("/api/replays/{}/cancel", done["replayId"].as_str().unwrap());
    let stopped = shop.full.post(&stop, &json!({})).await.is(200);
    assert_eq!(
        (&stopped["success"], &stopped["cancelled"]),
        (&json!(true), &json!(5))
    );
    let now = &stopped["replay"];
    assert_eq!(
        (&now["cancelled"], &now["waiting"], &now["isRunning"]),
        (&json!(5), &json!(0), &json!(false))
    );
    assert_eq!(now["sentence"], "Stopped sending 5 calls again: 5 stopped.");
    let twice = shop.full.post(&stop, &json!({})).await.is(200);
    assert_eq!(twice["cancelled"], 0, "stopping twice changes nothing");
    let rows = shop.deliveries("status=failed").await;
    assert!(rows.iter().all(|row| row["statusReason"] == Value::Null));
    let again = replay(
        &shop,
        json!({"filter": {"status": "failed"}, "dryRun": true}),
    )
    .await;
    assert_eq!(again["queued"], 5, "{again}");
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on_and_queues_each_once() {
    let (shop, receiver) = (Shop::alone().await, receiver().await);
    shop.webhook(&receiver.url()).await;
    delivered(&shop, 30).await;
    let done = replay(
        &shop,
        json!({"filter": {"status": "success"}, "perMinute": 600}),
    )
    .await;
    assert_eq!(done["queued"], 30);
    let middle = replay_when(&shop, &done["replayId"], |r| r["sent"].as_u64() >= Some(5)).await;
    assert_eq!(middle["isRunning"], true, "{middle}");
    assert_eq!(middle["perMinute"], 600);
    let shop = shop.restart(true);
    let ended = replay_when(&shop, &done["replayId"], |r| r["isRunning"] == false).await;
    assert_eq!((&ended["total"], &ended["sent"]), (&json!(30), &json!(30)));
    let rows = shop.deliveries("limit=200").await;
    let again: Vec<_> = rows
        .iter()
        .filter(|r| r["replayOf"] != Value::Null)
        .collect();
    let mut of: Vec<_> = again.iter().map(|r| r["replayOf"].as_str()).collect();
    of.sort_unstable();
    of.dedup();
    assert_eq!((again.len(), of.len()), (30, 30));
}

#[tokio::test]
async fn a_replay_that_cannot_be_is_refused_with_the_field_that_is_wrong() {
    let shop = Shop::open().await;
    for (request, path) in [
        (json!({}), "filter"),
        (json!({"filter": {}, "content": "newest"}), "content"),
        (json!({"filter": {}, "perMinute": 0}), "perMinute"),
        (json!({"filter": {}, "perMinute": 6001}), "perMinute"),
        (json!({"filter": {"limit": 5}}), "filter.limit"),
        (json!({"filter": {"order": "asc"}}), "filter.order"),
        (json!({"filter": {"status": "done"}}), "filter.status"),
        (json!({"filter": {"ids": ["evt_1"]}}), "filter.ids"),
        (json!({"filter": {"colour": "red"}}), "filter.colour"),
        (json!({"filter": {}, "dryrun": true}), "dryrun"),
    ] {
        let answer = shop.full.post("/api/deliveries/replay", &request).await;
        answer.names_field(path);
    }
    let nothing = replay(&shop, json!({"filter": {}})).await;
    assert_eq!(counted(&nothing), (0, 0, vec![]));
    let none = "rpl_00000000-0000-7000-8000-000000000000";
    shop.full
        .get(&format!("/api/replays/{none}"))
        .await
        .is_problem(404);
    shop.full
        .post(&format!("/api/replays/{none}/cancel"), &json!({}))
        .await
        .is_problem(404);
    shop.events.get("/api/replays").await.is_problem(403);
    shop.events
        .post("/api/deliveries/replay", &json!({"filter": {}}))
        .await
        .is_problem(403);
}

#[tokio::test]
async fn one_that_has_ended_cannot_be_stopped_and_others_workspaces_do_not_see_it() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    let webhook = shop.webhook(&receiver.url()).await;
    delivered(&shop, 2).await;
    let rows = shop.deliveries("").await;
    let chosen = json!({"filter": {"ids": [rows[0]["id"]], "webhookId": webhook.id}});
    let done = replay(&shop, chosen).await;
    assert_eq!((&done["matched"], &done["queued"]), (&json!(1), &json!(1)));
    let ended = replay_when(&shop, &done["replayId"], |r| r["isRunning"] == false).await;
    let id = ended["id"].as_str().unwrap();
    assert!(id.starts_with("rpl_"));
    let stop = format!("/api/replays/{id}/cancel");
    shop.full.post(&stop, &json!({})).await.is_problem(409);
    let all = shop.full.get("/api/replays").await.is(200);
    assert_eq!(all["replays"], json!([ended]));
    let other = Shop::on(shop.serve.clone()).await;
    other
        .full
        .get(&format!("/api/replays/{id}"))
        .await
        .is_problem(404);
    let all = other.full.get("/api/replays").await.is(200);
    assert_eq!(all["replays"], json!([]));

    shop.full
        .delete(&format!("/api/integrations/webhooks/{}", webhook.id))
        .await
        .is(200);
    let gone = replay(&shop, json!({"filter": {}})).await;
    assert_eq!(counted(&gone), (3, 0, vec![("webhook_deleted".into(), 3)]));
}

#[tokio::test]
async fn the_command_line_counts_sends_lists_and_stops() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    shop.webhook(&receiver.url()).await;
    delivered(&shop, 3).await;
    let home = shop.serve.home();
    let run = |arguments: &[&str]| {
        let with: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--workspace", &shop.workspace, "--json"])
            .collect();
        home.run(&with)
    };
    let dry = run(&["deliveries", "replay", "--status", "success", "--dry-run"]);
    assert_eq!(dry.exits(0).json()["queued"], 3);
    let done = run(&[
        "deliveries",
        "replay",
        "--status",
        "success",
        "--test",
        "false",
        "--per-minute",
        "60",
    ]);
    let done = done.exits(0).json();
    assert_eq!(done["queued"], 3);
    let id = done["replayId"].as_str().unwrap();
    let listed = run(&["deliveries", "replays"]).exits(0).json();
    assert_eq!(listed["items"][0]["id"], id);
    let stopped = run(&["deliveries", "stop-replay", id]).exits(0).json();
    assert_eq!(stopped["success"], true);
    run(&["deliveries", "replay"]).exits(2);
}

/// Rows as intake writes them, but quickly: a log of long ago.
fn old_log(shop: &Shop, rows: u32, webhook: &str) {
    let path = shop.serve.home().path().join("signalbox.db");
    let mut db = rusqlite::Connection::open(path).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    let tx = db.transaction().unwrap();
    let id = |prefix: &str, row: u32| {
        // Milliseconds, version 7, and the row's number where ids carry it.
        let below = u128::from(row) << 26;
        let bits = (1_790_000_000_000_u128 << 80)
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
    };
    let sha = {
        use sha2::Digest;
        sha2::Sha256::digest(b"{\"contactId\":\"c\"}").to_vec()
    };
    for row in 1..=rows {
        tx.prepare_cached(
            "INSERT INTO events (seq, id, workspace_id, type, subject, occurred_at, received_at, source, data, data_sha256, deliveries, first_delivery)
             VALUES (?1, ?2, ?3, 'contact.created', ?5, 1790000000000, 1790000000000, 'test', CAST('{\"contactId\":\"c\"}' AS BLOB), ?4, 1, ?1)",
        )
        .unwrap()
        .execute(rusqlite::params![row, id("evt", row), shop.workspace, sha, format!("c{row}")])
        .unwrap();
        tx.prepare_cached(
            "INSERT INTO deliveries (seq, id, workspace_id, event_seq, channel, endpoint, event_type, subject, recipient, status, attempts, created_at, finished_at)
             VALUES (?1, ?2, ?3, ?1, 'webhook', ?4, 'contact.created', ?5, 'localhost', 'success', 0, 1790000000000, 1790000000000)",
        )
        .unwrap()
        .execute(rusqlite::params![row, id("dlv", row), shop.workspace, webhook, format!("c{row}")])
        .unwrap();
    }
    tx.commit().unwrap();
}

#[tokio::test]
async fn a_hundred_thousand_are_counted_within_moments_and_queued_at_flat_memory() {
    let shop = Shop::alone().await;
    let webhook = shop
        .webhook_with("http://127.0.0.1:9/", json!({"isActive": false}))
        .await;
    let rows = 100_000_u32;
    old_log(&shop, rows, &webhook.id);
    let shop = shop.restart(false);
    // The index has read the old log, and the caches of readers are full, before memory is looked at.
    let index = rusqlite::Connection::open(shop.serve.home().path().join("search.db")).unwrap();
    let read = async || {
        shop.full.get("/api/health").await.is(200);
        let sql = "SELECT seq FROM marks WHERE name = 'deliveries'";
        let mark: u32 = index.query_row(sql, [], |r| r.get(0)).ok()?;
        (mark >= rows).then_some(())
    };
    let started = Instant::now();
    while read().await.is_none() {
        assert!(
            started.elapsed() < PATIENCE,
            "the index has not read the log"
        );
    }
    let dry = json!({"filter": {"status": "success"}, "dryRun": true});
    let asked = Instant::now();
    assert_eq!(replay(&shop, dry).await["queued"], rows);
    let answered = asked.elapsed();

    let before = pss_kib(shop.serve.pid);
    let done = replay(&shop, json!({"filter": {"status": "success"}})).await;
    assert_eq!(done["queued"], rows);
    let path = shop.serve.home().path().join("signalbox.db");
    let db = rusqlite::Connection::open(path).unwrap();
    let (mut most, started) = (0, Instant::now());
    let queued = async || -> Option<()> {
        most = most.max(pss_kib(shop.serve.pid));
        let sql = "SELECT queued FROM replays";
        let queued: u32 = db.query_row(sql, [], |r| r.get(0)).unwrap();
        (queued == rows).then_some(())
    };
    let all = shop.full.changes().await.until(queued).await;
    all.expect("all are queued");
    assert_eq!(
        progress(&shop, &done["replayId"]).await["waiting"],
        rows,
        "all are held, for their webhook is paused"
    );
    let took = started.elapsed();
    let grown = most.saturating_sub(before);
    say(&format!(
        "{rows} counted in {answered:?}, queued in {took:?}; memory from {before} to {most} KiB at most"
    ));
    assert!(answered.as_secs() < 20, "{answered:?}");
    // Were the rows kept, it would be ten times as much. What grows on a starved machine are the numbers
    // of rows that the search index has not read yet.
    assert!(grown < 32 * 1024, "{grown} KiB more than before");
}

#[tokio::test]
async fn a_replay_looks_whether_its_service_is_there_and_leaves_out_who_answered_stop() {
    let twilio = Twilio::start(([127, 0, 0, 1], 0)).await.unwrap();
    let shop = Shop::open().await;
    let account = json!({
        "accountSid": Twilio::ACCOUNT, "authToken": Twilio::TOKEN,
        "fromNumber": Twilio::NUMBER, "apiBaseUrl": twilio.url(),
    });
    let path = "/api/integrations/sms";
    shop.full.post(path, &account).await.is(200);
    for to in ["+15005550004", "+436641234567"] {
        let text = json!({"to": to, "message": "See you on Friday"});
        shop.full.post("/api/sms/send", &text).await.is(200);
    }
    let ended = async || {
        let ended = shop.deliveries("channel=sms&status=success,failed").await;
        (ended.len() == 2).then_some(())
    };
    let both = shop.full.changes().await.until(ended).await;
    both.expect("one is on the phone, one was answered by STOP");

    let texts = |dry: bool| json!({"filter": {"channel": "sms"}, "dryRun": dry});
    let is = async |queued: u64, left: &[(&str, u64)]| {
        let left: Vec<_> = left
            .iter()
            .map(|(why, n)| ((*why).to_owned(), *n))
            .collect();
        let dry = replay(&shop, texts(true)).await;
        assert_eq!(counted(&dry), (2, queued, left.clone()), "{dry}");
        left
    };
    for (switched, reason) in [
        (json!({"isActive": false, "whenPaused": "skip"}), "disabled"),
        (json!(null), "not_configured"),
    ] {
        match &switched {
            Value::Null => shop.full.delete(path).await.is(200),
            switched => shop.full.patch(path, switched).await.is(200),
        };
        let left = is(0, &[(reason, 2)]).await;
        let run = replay(&shop, texts(false)).await;
        assert_eq!(counted(&run), (2, 0, left), "{run}");
        assert_eq!(run["replayId"], Value::Null);
        assert_eq!(run["sentence"], "Nothing of this can be sent again.");
    }
    shop.full.post(path, &account).await.is(200);
    let hold = json!({"isActive": false, "whenPaused": "hold"});
    shop.full.patch(path, &hold).await.is(200);
    let left = is(1, &[("answered_stop", 1)]).await;
    let run = replay(&shop, texts(false)).await;
    assert_eq!(counted(&run), (2, 1, left), "{run}");
    let held = async || {
        let held = shop.deliveries("status=held&statusReason=paused").await;
        (held.len() == 1).then_some(())
    };
    let held = shop.full.changes().await.until(held).await;
    held.expect("it waits from the start, for texts are paused");
    shop.full
        .patch(path, &json!({"isActive": true}))
        .await
        .is(200);
    replay_when(&shop, &run["replayId"], |r| r["sent"] == 1).await;
    let to: Vec<_> = twilio.texts().into_iter().map(|text| text.to).collect();
    assert_eq!(to, ["+436641234567", "+436641234567"]);
}

#[tokio::test]
async fn a_card_lists_what_it_would_send_and_not_what_was_sent_again_since() {
    let (shop, receiver) = (Shop::alone().await, receiver().await);
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    receiver.behave(Behaviour::Status(500));
    for number in 0..3 {
        let data = format!(r#"{{"bookingId":"b{number}"}}"#);
        let event = shop.event("booking.created", &data).await;
        shop.delivery_is(&event, "failed").await;
    }
    let failed = json!({"filter": {"status": "failed"}});
    let again = replay(&shop, failed).await;
    replay_when(&shop, &again["replayId"], |r| r["failed"] == 3).await;
    card_lists_the_newest(&shop).await;
    // What stands in the search index is the same.
    card_lists_the_newest(&shop.restart(false)).await;
}

async fn card_lists_the_newest(shop: &Shop) {
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = &problems["problems"][0];
    assert_eq!(card["failed"], 3, "{card}");
    assert_eq!(card["filter"]["statusReason"], "none");
    let members = card["filter"].as_object().unwrap().iter();
    let query: Vec<_> = members
        .map(|(name, value)| format!("{name}={value}").replace('"', ""))
        .collect();
    let shown = shop.deliveries(&query.join("&")).await;
    assert_eq!(shown.len(), 3);
    assert!(shown.iter().all(|row| row["replayOf"] != Value::Null));
    let replayed = shop.deliveries("statusReason=replayed").await;
    assert_eq!(replayed.len(), 3);
    assert!(replayed.iter().all(|row| row["replayOf"] == Value::Null));
    let both = shop.deliveries("statusReason=replayed,none").await;
    assert_eq!(both.len(), 6);
    let dry = json!({"filter": card["filter"], "dryRun": true});
    assert_eq!(counted(&replay(shop, dry).await), (3, 3, vec![]));
    let wrong = shop.full.get("/api/deliveries?statusReason=weather").await;
    wrong.names_field("statusReason");
}

/// Calls that a receiver takes before one that happens while a long replay runs: 48 are claimed
/// then, and some more end before it is looked at; whatever else is queued comes behind.
const BEFORE_A_LIVE_ONE: u64 = 48 + 16;

#[tokio::test]
async fn what_happens_now_does_not_wait_for_what_is_sent_again() {
    let (shop, receiver) = (Shop::open().await, receiver().await);
    shop.webhook(&receiver.url()).await;
    let before = 400;
    for from in (0..before).step_by(100) {
        let events: Vec<_> = (from..from + 100)
            .map(|n| json!({"type": "booking.created", "data": {"bookingId": format!("b{n}")}}))
            .collect();
        let path = "/api/events/batch";
        shop.full.post(path, &json!(events)).await.is(202);
    }
    Shop::calls(&receiver, before).await;
    receiver.behave(Behaviour::Late(Duration::from_millis(40)));
    let again = replay(&shop, json!({"filter": {"status": "success"}})).await;
    let sent = |n: u64| move |r: &Value| r["sent"].as_u64() >= Some(n);
    replay_when(&shop, &again["replayId"], sent(20)).await;
    let mut waited = Vec::new();
    for number in 0..3 {
        let given = receiver.count();
        let data = format!(r#"{{"bookingId":"live{number}"}}"#);
        let event = shop.event("booking.created", &data).await;
        shop.delivery_is(&event, "success").await;
        let calls = receiver.calls();
        let live = calls.iter().find(|call| call.body == data.as_bytes());
        waited.push(live.expect("it was called").number - given - 1);
    }
    let left = progress(&shop, &again["replayId"]).await;
    say(&format!(
        "Calls sent again before one of now: {waited:?}; {} of 400 waited still.",
        left["waiting"]
    ));
    assert!(waited.iter().all(|n| *n <= BEFORE_A_LIVE_ONE), "{waited:?}");
    replay_when(&shop, &again["replayId"], sent(before)).await;
}
