//! How long things are kept, how much room they take, and what goes for its age.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{PATIENCE, Shop};

fn database(shop: &Shop) -> rusqlite::Connection {
    let path = shop.serve.home().path().join("signalbox.db");
    let db = rusqlite::Connection::open(path).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    db
}

/// Moves everything recorded so far this many days into the past.
fn age(shop: &Shop, days: i64) {
    let db = database(shop);
    let ms = days * 24 * 60 * 60 * 1000;
    for sql in [
        "UPDATE events SET received_at = received_at - ?, occurred_at = occurred_at - ?1",
        "UPDATE deliveries SET created_at = created_at - ?, finished_at = finished_at - ?1",
    ] {
        db.execute(sql, [ms]).unwrap();
    }
}

async fn clean_up(shop: &Shop, dry_run: bool) -> Value {
    let asked = json!({"dryRun": dry_run});
    let done = shop.full.post("/api/settings/clean-up", &asked).await;
    done.is(200)
}

/// One that got through, one that was given up, one that is held, all 400 days ago; one of today.
async fn an_old_log() -> (Shop, Receiver, [String; 4]) {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let once = json!({"retryAttempts": 0, "format": "envelope"});
    let webhook = shop.webhook_with(&receiver.url(), once).await;
    let give = async |name: &str| {
        let data = format!(r#"{{"contactId":"{name}","name":"Ottilie {name}"}}"#);
        shop.event("contact.created", &data).await
    };
    let through = give("through").await;
    shop.delivery_is(&through, "success").await;
    receiver.behave(Behaviour::Status(500));
    let failed = give("failed").await;
    shop.delivery_is(&failed, "failed").await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let pause = json!({"isActive": false});
    shop.full.patch(&path, &pause).await.is(200);
    let held = give("held").await;
    shop.delivery_is(&held, "held").await;
    age(&shop, 400);
    receiver.behave(Behaviour::Status(200));
    shop.webhook(&receiver.url()).await;
    let today = give("today").await;
    let both = shop.full.changes().await.until(async || {
        let rows = shop
            .deliveries(&format!("eventId={today}&status=success"))
            .await;
        (rows.len() == 1).then_some(())
    });
    both.await.expect("the one of today got through");
    (shop, receiver, [through, failed, held, today])
}

async fn event(shop: &Shop, id: &str) -> Value {
    shop.full.get(&format!("/api/events/{id}")).await.is(200)["event"].clone()
}

#[tokio::test]
async fn texts_older_than_a_year_go_and_the_facts_stay() {
    let (shop, _receiver, [through, failed, held, today]) = an_old_log().await;
    let found = async |words: &str| shop.deliveries(&format!("q={words}")).await.len();
    assert_eq!(found("ottilie").await, 5);
    let dry = clean_up(&shop, true).await;
    assert_eq!(
        (&dry["success"], &dry["texts"], &dry["events"]),
        (&json!(true), &json!(2), &json!(0))
    );
    assert!(dry["bytes"].as_u64() > Some(100), "{dry}");
    let sentence = dry["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with("The texts of 2 events would go"),
        "{dry}"
    );
    assert!(
        event(&shop, &through).await["data"].is_object(),
        "a dry run changes nothing"
    );
    let failures = shop.full.get("/api/problems").await.is(200);
    assert_eq!(failures["problems"][0]["failed"], 1);

    let done = clean_up(&shop, false).await;
    for member in ["texts", "events", "bytes"] {
        assert_eq!(done[member], dry[member], "{member}");
    }
    for (id, gone) in [
        (&through, true),
        (&failed, true),
        (&held, false),
        (&today, false),
    ] {
        let event = event(&shop, id).await;
        assert_eq!(event["data"].is_null(), gone, "{event}");
        assert_eq!(event["purgedAt"].is_string(), gone, "{event}");
        assert!(event["subject"].is_string());
    }
    let row = shop
        .deliveries(&format!("eventId={through}"))
        .await
        .remove(0);
    let detail = shop.delivery(row["id"].as_str().unwrap()).await;
    assert_eq!(
        (&detail["status"], &detail["body"]),
        (&json!("success"), &json!(""))
    );
    assert!(detail["purgedAt"].is_string());
    let attempt = &detail["attempts"][0];
    assert_eq!(attempt["statusCode"], 200);
    assert_eq!(
        (&attempt["responseBody"], &attempt["requestUrl"]),
        (&Value::Null, &json!(""))
    );

    let forgotten = shop
        .full
        .changes()
        .await
        .until(async || (found("ottilie").await == 3).then_some(()));
    forgotten.await.expect("the search forgets the words");
    let events = shop.full.get("/api/events?q=ottilie").await.is(200);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(2));

    let row = shop
        .deliveries(&format!("eventId={failed}"))
        .await
        .remove(0);
    let id = row["id"].as_str().unwrap();
    assert_eq!(row["statusReason"], "text_purged");
    assert_eq!(shop.delivery(id).await["actions"], json!(["cancel"]));
    let retry = format!("/api/deliveries/{id}/retry");
    shop.full.post(&retry, &json!({})).await.is_problem(409);
    let all = json!({"filter": {"status": "success,failed"}});
    let again = shop.full.post("/api/deliveries/replay", &all).await.is(200);
    assert_eq!(again["queued"], 1, "{again}");
    assert_eq!(again["excluded"][0]["reason"], "text_purged");
    assert_eq!(again["excluded"][0]["count"], 2);
    let failures = shop.full.get("/api/problems").await.is(200);
    assert_eq!(
        failures["problems"],
        json!([]),
        "nothing can be done about it"
    );
    let payloads: Vec<Option<String>> = database(&shop)
        .prepare(
            "SELECT payload FROM webhook_logs WHERE status = 'success' ORDER BY payload IS NULL",
        )
        .unwrap()
        .query_map([], |r| r.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(payloads.contains(&None) && payloads.iter().any(Option::is_some));
    let doctor = shop.full.get("/api/doctor").await.is(200);
    assert_eq!(doctor["findings"][0]["ok"], true, "{doctor}");
    assert_eq!(
        clean_up(&shop, false).await["sentence"],
        "Nothing is old enough to go."
    );
}

#[tokio::test]
async fn facts_go_after_their_days_and_what_is_not_final_never_does() {
    let (shop, _receiver, [through, failed, held, today]) = an_old_log().await;
    let days = json!({"retention": {"factsDays": 380}});
    let settings = shop.full.patch("/api/settings", &days).await.is(200);
    assert_eq!(
        settings["retention"],
        json!({"textsDays": 365, "factsDays": 380})
    );
    let dry = clean_up(&shop, true).await;
    let done = clean_up(&shop, false).await;
    for done in [&dry, &done] {
        assert_eq!(
            (&done["events"], &done["deliveries"], &done["texts"]),
            (&json!(2), &json!(2), &json!(0)),
            "{done}"
        );
    }
    for (id, status) in [(&through, 404), (&failed, 404), (&held, 200), (&today, 200)] {
        let answer = shop.full.get(&format!("/api/events/{id}")).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    assert_eq!(shop.deliveries("").await.len(), 3);
    let left: u32 = database(&shop)
        .query_row("SELECT count(*) FROM attempts", [], |r| r.get(0))
        .unwrap();
    assert_eq!(left, 1, "attempts go with their deliveries");
}

#[tokio::test]
async fn the_file_shrinks_when_texts_go() {
    let shop = Shop::alone().await;
    let blob = "x".repeat(100_000);
    for number in 0..60 {
        let data = format!(r#"{{"contactId":"c{number}","blob":"{blob}"}}"#);
        shop.event("contact.created", &data).await;
    }
    let size = async || {
        let settings = shop.full.get("/api/settings").await.is(200);
        settings["sizes"].clone()
    };
    let before = size().await;
    assert!(before["texts"].as_u64() > Some(5_000_000), "{before}");
    assert_eq!(before["events"], 60);
    age(&shop, 366);
    let done = clean_up(&shop, false).await;
    assert_eq!(done["texts"], 60);
    let after = size().await;
    let bytes = |sizes: &Value| sizes["database"].as_u64().unwrap();
    assert!(
        bytes(&after) + 3_000_000 < bytes(&before),
        "{before} {after}"
    );
    assert_eq!(after["texts"], 0);
}

#[tokio::test]
async fn settings_say_how_long_and_how_much_and_refuse_what_cannot_be() {
    let shop = Shop::alone().await;
    let settings = shop.full.get("/api/settings").await.is(200);
    assert_eq!(
        settings["retention"],
        json!({"textsDays": 365, "factsDays": null})
    );
    let sizes = &settings["sizes"];
    for member in ["database", "searchIndex", "freeDisk"] {
        assert!(sizes[member].as_u64() > Some(0), "{member}: {settings}");
    }
    for member in ["texts", "events", "deliveries"] {
        assert_eq!(sizes[member], 0, "{member}");
    }
    assert!(settings["port"].as_u64() > Some(0));
    let sentence = settings["sentence"].as_str().unwrap();
    assert!(
        sentence.ends_with("Texts go after 365 days, the facts stay for ever."),
        "{sentence}"
    );
    for (retention, path) in [
        (json!({"textsDays": 36_501}), "retention.textsDays"),
        (json!({"textsDays": -1}), "retention.textsDays"),
        (
            json!({"textsDays": null, "factsDays": 0}),
            "retention.factsDays",
        ),
        (json!({"factsDays": 100}), "retention.factsDays"),
        (json!({"days": 100}), "retention.days"),
    ] {
        let patch = json!({"retention": retention});
        shop.full
            .patch("/api/settings", &patch)
            .await
            .names_field(path);
    }
    let patch = json!({"retention": {"textsDays": 0, "factsDays": 900}});
    let altered = shop.owner.patch("/api/settings", &patch).await.is(200);
    assert_eq!(altered["retention"], patch["retention"]);
    let forever = json!({"retention": {"factsDays": null}});
    let altered = shop.owner.patch("/api/settings", &forever).await.is(200);
    assert_eq!(
        altered["retention"],
        json!({"textsDays": 0, "factsDays": null})
    );
    for answer in [
        shop.events.get("/api/settings").await,
        shop.events.patch("/api/settings", &patch).await,
        shop.events.post("/api/settings/clean-up", &json!({})).await,
    ] {
        answer.is_problem(403);
    }
    let shop = shop.restart(false);
    let kept = shop.full.get("/api/settings").await.is(200);
    assert_eq!(kept["retention"], altered["retention"], "settings are kept");
    let wrong = json!({"dry": true});
    shop.full
        .post("/api/settings/clean-up", &wrong)
        .await
        .names_field("dry");
}

#[tokio::test]
async fn the_command_line_shows_sets_and_cleans_up() {
    let (shop, ..) = an_old_log().await;
    let run = |arguments: &[&str]| shop.serve.home().run(arguments);
    let shown = run(&["settings", "show", "--json"]).exits(0).json();
    assert_eq!(shown["retention"]["textsDays"], 365);
    let set = run(&[
        "settings",
        "set",
        "--texts-days",
        "30",
        "--facts-days",
        "0",
        "--json",
    ]);
    let retention = set.exits(0).json()["retention"].clone();
    assert_eq!(retention, json!({"textsDays": 30, "factsDays": null}));
    run(&["settings", "set"]).exits(2);
    let dry = run(&["clean-up", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(dry["texts"], 2);
    let done = run(&["clean-up"]);
    let said = &done.exits(0).stdout;
    assert!(said.starts_with("The texts of 2 events went"), "{said}");
}
