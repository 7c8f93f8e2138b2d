//! Changing a signing secret: before, during, after, finished early, over a restart.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Call, Receiver};
use signalbox_tests::{Home, Shop, hex, mac, verify_both};

fn hex_of(call: &Call, secret: &str) -> String {
    let time = call.header("x-webhook-timestamp");
    hex(&mac(
        secret.as_bytes(),
        &[time.as_bytes(), b".", &call.body],
    ))
}

/// Both secrets are valid: each header carries what the contract says, and the official library
/// accepts either.
fn verify_overlap(call: &Call, old: &str, new: &str) {
    assert_eq!(call.header("x-webhook-signature"), hex_of(call, old));
    assert_eq!(call.header("x-webhook-signature-next"), hex_of(call, new));
    let entries: Vec<_> = call.header("webhook-signature").split(' ').collect();
    assert_eq!(entries.len(), 2);
    for (secret, entry) in [(new, entries[0]), (old, entries[1])] {
        let judge = standardwebhooks::Webhook::new(secret).unwrap();
        judge.verify(&call.body, &call.headers).unwrap();
        let mut alone = call.headers.clone();
        alone.insert("webhook-signature", entry.parse().unwrap());
        judge.verify(&call.body, &alone).unwrap();
    }
}

/// One secret is valid.
fn verify_alone(call: &Call, secret: &str) {
    verify_both(call, secret);
    assert_eq!(call.header("x-webhook-signature-next"), "");
    assert!(!call.header("webhook-signature").contains(' '));
}

async fn rotate(shop: &Shop, id: &str, body: Value) -> signalbox_tests::Answer {
    let path = format!("/api/integrations/webhooks/{id}/rotate-secret");
    shop.full.post(&path, &body).await
}

async fn call(shop: &Shop, receiver: &Receiver) -> Call {
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    receiver.calls().pop().unwrap()
}

#[tokio::test]
async fn both_secrets_are_valid_during_the_overlap_and_the_receiver_ends_it_by_its_proof() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(
            &receiver.url(),
            json!({"headers": {"X-Key": "stays-as-it-is"}}),
        )
        .await;
    verify_alone(&call(&shop, &receiver).await, &webhook.secret);

    let rotated = rotate(&shop, &webhook.id, json!({})).await.is(200);
    assert_eq!(rotated["success"], true);
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert!(new.starts_with("whsec_") && new != webhook.secret);
    let shown = shop.webhook_now(&webhook.id).await;
    assert_eq!(
        shown["previousSecretValidUntil"],
        rotated["previousValidUntil"]
    );
    assert!(!shown.to_string().contains(&new), "shown once");
    let during = call(&shop, &receiver).await;
    verify_overlap(&during, &webhook.secret, &new);
    assert_eq!(during.header("x-key"), "stays-as-it-is");

    let shop = shop.restart(true);
    verify_overlap(&call(&shop, &receiver).await, &webhook.secret, &new);

    receiver.behave(Behaviour::Status(401));
    let refused = rotate(&shop, &webhook.id, json!({"finish": true}))
        .await
        .is(200);
    assert_eq!(
        (
            &refused["success"],
            &refused["gracefulFail"],
            &refused["code"]
        ),
        (&json!(false), &json!(true), &json!("rejected"))
    );
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("both stay valid")
    );
    receiver.behave(Behaviour::Answer);
    verify_overlap(&call(&shop, &receiver).await, &webhook.secret, &new);

    let finished = rotate(&shop, &webhook.id, json!({"finish": true}))
        .await
        .is(200);
    assert_eq!(finished["success"], true);
    verify_alone(&receiver.calls().pop().unwrap(), &new);
    let after = call(&shop, &receiver).await;
    verify_alone(&after, &new);
    assert_eq!(after.header("x-key"), "stays-as-it-is");
    let shown = shop.webhook_now(&webhook.id).await;
    assert_eq!(shown["previousSecretValidUntil"], Value::Null);
    assert_eq!(shown["secretAge"]["sentence"], "Made today.");
    assert_eq!(shown["secretAge"]["isOld"], false);

    let shop = shop.restart(false);
    verify_alone(&call(&shop, &receiver).await, &new);
    rotate(&shop, &webhook.id, json!({"finish": true}))
        .await
        .is_problem(409);
}

#[tokio::test]
async fn an_overlap_of_no_hours_ends_the_former_secret_at_once_even_during_a_change() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    rotate(&shop, &webhook.id, json!({"overlapHours": 1}))
        .await
        .is(200);
    rotate(&shop, &webhook.id, json!({})).await.is_problem(409);
    let at_once = rotate(&shop, &webhook.id, json!({"overlapHours": 0}))
        .await
        .is(200);
    assert_eq!(at_once["previousValidUntil"], Value::Null);
    let new = at_once["secret"].as_str().unwrap();
    verify_alone(&call(&shop, &receiver).await, new);
}

#[tokio::test]
async fn an_overlap_that_is_over_is_over_when_signing_and_the_former_secret_is_forgotten() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let rotated = rotate(&shop, &webhook.id, json!({"overlapHours": 24}))
        .await
        .is(200);
    let new = rotated["secret"].as_str().unwrap().to_owned();
    // As if the hours had passed while nobody ran.
    let shop = shop.restart_as(false, |home: Home| {
        let db = rusqlite::Connection::open(home.path().join("signalbox.db")).unwrap();
        db.execute("UPDATE webhooks SET previous_secret_valid_until = 1000", [])
            .unwrap();
        home
    });
    verify_alone(&call(&shop, &receiver).await, &new);
    let shown = shop.webhook_now(&webhook.id).await;
    assert_eq!(shown["previousSecretValidUntil"], Value::Null);
    let forgotten = shop
        .full
        .changes()
        .await
        .until(async || {
            let db =
                rusqlite::Connection::open(shop.serve.home().path().join("signalbox.db")).unwrap();
            let left: i64 = db
                .query_row(
                    "SELECT count(*) FROM webhooks WHERE previous_secret_valid_until IS NOT NULL",
                    [],
                    |r| r.get(0),
                )
                .unwrap();
            (left == 0).then_some(())
        })
        .await;
    assert!(
        forgotten.is_some(),
        "the former secret stayed in the key store"
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let shop = Shop::open().await;
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    for (body, path) in [
        (json!({"overlapHours": 169}), "overlapHours"),
        (json!({"overlapHours": -1}), "overlapHours"),
        (json!({"finish": true, "overlapHours": 1}), "overlapHours"),
        (json!({"hours": 1}), "hours"),
    ] {
        rotate(&shop, &webhook.id, body).await.names_field(path);
    }
    let none = rotate(&shop, "whk_018f0000-0000-7000-8000-000000000000", json!({})).await;
    none.is_problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn signalctl_rotates_and_edits_filter_headers_format_and_pace() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let home = shop.serve.home().clone();
    let run = |arguments: &[&str], input: &str| {
        let all: Vec<_> = arguments
            .iter()
            .copied()
            .chain(["--workspace", &shop.workspace, "--json"])
            .collect();
        home.run_with(&all, input)
    };
    let rotated = run(
        &["webhook", "rotate", "Cash desk", "--overlap-hours", "2"],
        "",
    );
    let new = rotated.exits(0).json()["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    verify_overlap(&call(&shop, &receiver).await, &webhook.secret, &new);
    receiver.behave(Behaviour::Status(500));
    run(&["webhook", "rotate", "Cash desk", "--finish"], "").exits(75);
    receiver.behave(Behaviour::Answer);
    run(&["webhook", "rotate", "Cash desk", "--finish"], "").exits(0);
    let filter = home.file(
        "filter.json",
        r#"{"path":"contactId","op":"eq","value":"c"}"#,
    );
    let edited = run(
        &[
            "webhook",
            "edit",
            "Cash desk",
            "--format",
            "envelope",
            "--filter",
            filter.to_str().unwrap(),
            "--headers",
            "-",
            "--rate-limit",
            "50",
        ],
        "X-Key: from-standard-input\n",
    );
    let shown = edited.exits(0).json()["webhook"].clone();
    assert_eq!(shown["headerNames"], json!(["X-Key"]));
    assert_eq!(shown["rateLimitPerSecond"], 50);
    let last = call(&shop, &receiver).await;
    verify_alone(&last, &new);
    assert_eq!(last.header("x-key"), "from-standard-input");
    assert!(last.body.starts_with(br#"{"type":"contact.created","#));
    let edited = run(
        &[
            "webhook",
            "edit",
            "Cash desk",
            "--filter",
            "none",
            "--rate-limit",
            "0",
            "--headers",
            "-",
        ],
        "X-Key:\n",
    );
    let shown = edited.exits(0).json()["webhook"].clone();
    assert_eq!(
        (
            &shown["filter"],
            &shown["rateLimitPerSecond"],
            &shown["headerNames"]
        ),
        (&Value::Null, &Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn a_secret_that_was_lost_is_replaced_at_once_and_what_was_held_for_it_goes_out() {
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let shop = Shop::alone().await;
    let webhook = shop.webhook(&receiver.url()).await;
    let shop = shop.restart_as(false, |home| {
        std::fs::remove_file(home.path().join("vault.age")).unwrap();
        home
    });
    let event = shop
        .event("contact.created", r#"{"contactId":"lost"}"#)
        .await;
    shop.delivery_is(&event, "held").await;
    let rotated = rotate(&shop, &webhook.id, json!({})).await.is(200);
    assert_eq!(rotated["previousValidUntil"], Value::Null);
    let now = shop.webhook_now(&webhook.id).await;
    assert_eq!(now["previousSecretValidUntil"], Value::Null);
    shop.delivery_is(&event, "success").await;
    let calls = Shop::calls(&receiver, 1).await;
    verify_alone(&calls[0], rotated["secret"].as_str().unwrap());
}
