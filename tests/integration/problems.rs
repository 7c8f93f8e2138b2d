//! *Needs you*: problems come with their cause, say what can be done, and go with it. And the pace of
//! calls.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::Shop;

async fn problems(shop: &Shop) -> Value {
    shop.full.get("/api/problems").await.is(200)
}

async fn resolve(shop: &Shop, problem: &Value, action: &str) -> signalbox_tests::Answer {
    let id = problem["id"].as_str().unwrap();
    shop.full
        .post(
            &format!("/api/problems/{id}/resolve"),
            &json!({"action": action}),
        )
        .await
}

/// Waits until so many deliveries of the workspace stand like this.
async fn standing(shop: &Shop, status: &str, count: usize) {
    let found = shop
        .full
        .changes()
        .await
        .until(async || {
            let rows = shop
                .deliveries(&format!("status={status}&test=false&limit=200"))
                .await;
            (rows.len() == count).then_some(())
        })
        .await;
    assert!(found.is_some(), "never {count} {status}");
}

async fn events(shop: &Shop, count: usize) {
    for number in 0..count {
        shop.event("contact.created", &format!(r#"{{"contactId":"{number}"}}"#))
            .await;
    }
}

#[tokio::test]
async fn where_all_is_well_nothing_needs_you() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    events(&shop, 1).await;
    standing(&shop, "success", 1).await;
    let found = problems(&shop).await;
    assert_eq!(
        found,
        json!({"problems": [], "solved": [], "sentence": "Nothing needs you."})
    );
    assert_eq!(
        shop.webhook_now(&webhook.id).await["problemId"],
        Value::Null
    );
}

#[tokio::test]
async fn what_was_given_up_is_one_card_and_one_button_sends_all_of_it() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    events(&shop, 5).await;
    standing(&shop, "failed", 5).await;
    // A test that fails is nobody's problem.
    shop.full
        .post(
            &format!("/api/integrations/webhooks/{}/test", webhook.id),
            &json!({}),
        )
        .await
        .is(200);
    let found = problems(&shop).await;
    let problem = &found["problems"][0];
    assert_eq!(found["problems"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &problem["cause"],
            &problem["integration"],
            &problem["failed"],
            &problem["waiting"]
        ),
        (&json!("failed"), &json!("webhooks"), &json!(5), &json!(0))
    );
    assert_eq!(problem["webhookId"], webhook.id);
    assert!(
        problem["title"]
            .as_str()
            .unwrap()
            .contains("5 did not get through")
    );
    assert_eq!(
        problem["buttons"][0],
        json!({"action": "retry_all", "label": "Send the 5", "primary": true})
    );
    assert_eq!(problem["first"].as_array().unwrap().len(), 3);
    let filter = problem["filter"].as_object().unwrap();
    let query: Vec<_> = filter
        .iter()
        .map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')))
        .collect();
    assert_eq!(shop.deliveries(&query.join("&")).await.len(), 5);
    assert_eq!(
        shop.webhook_now(&webhook.id).await["problemId"],
        problem["id"]
    );

    receiver.behave(Behaviour::Answer);
    let before = receiver.count();
    let done = resolve(&shop, problem, "retry_all").await.is(200);
    assert_eq!(
        (&done["success"], &done["deliveries"], &done["message"]),
        (&json!(true), &json!(5), &json!("5 calls go out again."))
    );
    standing(&shop, "success", 5).await;
    assert_eq!(receiver.count() - before, 5, "each once");
    let after = problems(&shop).await;
    assert_eq!(after["problems"], json!([]));
    assert_eq!(
        after["solved"][0]["title"],
        "Cash desk: 5 calls sent again."
    );
    resolve(&shop, problem, "retry_all").await.is_problem(404);
    let webhook = shop.webhook_now(&webhook.id).await;
    assert_eq!(webhook["lastError"], Value::Null);
}

#[tokio::test]
async fn a_dismissed_problem_stays_away_until_its_cause_happens_anew() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(404));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    events(&shop, 3).await;
    standing(&shop, "failed", 3).await;
    let problem = problems(&shop).await["problems"][0].clone();
    resolve(&shop, &problem, "dismiss").await.is(200);
    assert_eq!(problems(&shop).await["problems"], json!([]));
    events(&shop, 2).await;
    standing(&shop, "failed", 5).await;
    let again = problems(&shop).await["problems"][0].clone();
    assert_eq!(
        (&again["id"], &again["failed"]),
        (&problem["id"], &json!(2))
    );
    let told = resolve(&shop, &again, "told_them").await.is(200);
    assert_eq!(told["deliveries"], 2);
    assert_eq!(problems(&shop).await["problems"], json!([]));
    let closed = shop.deliveries("status=cancelled").await;
    assert_eq!(closed.len(), 2);
    assert_eq!(closed[0]["statusReason"], "by_owner");
}

#[tokio::test]
async fn a_receiver_that_says_stop_is_kept_with_its_queue_or_removed() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(410));
    let webhook = shop.webhook(&receiver.url()).await;
    events(&shop, 1).await;
    standing(&shop, "failed", 1).await;
    events(&shop, 3).await;
    standing(&shop, "held", 3).await;
    let found = problems(&shop).await;
    assert_eq!(found["problems"].as_array().unwrap().len(), 1, "{found}");
    let problem = &found["problems"][0];
    assert_eq!(
        (&problem["cause"], &problem["waiting"], &problem["failed"]),
        (&json!("gone"), &json!(3), &json!(1))
    );
    assert_eq!(problem["actions"], json!(["remove", "resume", "dismiss"]));
    resolve(&shop, problem, "retry_all")
        .await
        .names_field("action");
    resolve(&shop, problem, "shrug").await.names_field("action");
    receiver.behave(Behaviour::Answer);
    let done = resolve(&shop, problem, "resume").await.is(200);
    assert_eq!(done["deliveries"], 4);
    standing(&shop, "success", 4).await;
    assert_eq!(problems(&shop).await["problems"], json!([]));

    receiver.behave(Behaviour::Status(410));
    events(&shop, 1).await;
    standing(&shop, "failed", 1).await;
    let problem = problems(&shop).await["problems"][0].clone();
    resolve(&shop, &problem, "remove").await.is(200);
    let after = problems(&shop).await;
    assert_eq!(after["problems"], json!([]));
    assert_eq!(after["solved"][0]["title"], "Cash desk was removed.");
    shop.full
        .get(&format!("/api/integrations/webhooks/{}", webhook.id))
        .await
        .is_problem(404);
}

#[tokio::test]
async fn problems_are_one_workspace_s_and_the_owner_s() {
    let (shop, other) = (Shop::open().await, Shop::open().await);
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    events(&shop, 1).await;
    standing(&shop, "failed", 1).await;
    let problem = problems(&shop).await["problems"][0].clone();
    assert_eq!(problems(&other).await["problems"], json!([]));
    resolve(&other, &problem, "dismiss").await.is_problem(404);
    shop.events.get("/api/problems").await.is_problem(403);
}

#[tokio::test]
async fn an_old_secret_asks_to_be_changed_and_is_at_peace_once_it_is() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let shop = shop.restart_as(false, |home| {
        let db = rusqlite::Connection::open(home.path().join("signalbox.db")).unwrap();
        let day_ms = 24 * 60 * 60 * 1000_i64;
        db.execute(
            "UPDATE webhooks SET secret_created_at = secret_created_at - ?",
            [190 * day_ms],
        )
        .unwrap();
        home
    });
    let problem = problems(&shop).await["problems"][0].clone();
    assert_eq!(problem["cause"], "secret_old");
    assert_eq!(problem["title"], "Time to change the secret of Cash desk.");
    let age = &shop.webhook_now(&webhook.id).await["secretAge"];
    assert_eq!(age["isOld"], true);
    resolve(&shop, &problem, "replace_key")
        .await
        .is_problem(409);
    shop.full
        .post(
            &format!("/api/integrations/webhooks/{}/rotate-secret", webhook.id),
            &json!({}),
        )
        .await
        .is(200);
    let after = problems(&shop).await;
    assert_eq!(after["problems"], json!([]));
    assert_eq!(
        after["solved"][0]["title"],
        "The secret of Cash desk was changed."
    );
}

#[tokio::test]
async fn a_key_store_that_cannot_be_used_is_one_problem_and_gone_when_it_can() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook(&receiver.url()).await;
    shop.webhook(&receiver.url()).await;
    let passphrase = |words: &'static str| {
        move |home: signalbox_tests::Home| {
            let file = home.file("another-passphrase", words);
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
            home.with("SIGNALBOX_VAULT_PASSPHRASE_FILE", file.to_str().unwrap())
        }
    };
    let shop = shop.restart_as(false, passphrase("not the one it was made with\n"));
    events(&shop, 2).await;
    standing(&shop, "held", 4).await;
    let found = problems(&shop).await;
    assert_eq!(found["problems"].as_array().unwrap().len(), 1, "{found}");
    let problem = &found["problems"][0];
    assert_eq!(
        (
            &problem["cause"],
            &problem["webhookId"],
            &problem["waiting"]
        ),
        (&json!("keychain"), &Value::Null, &json!(4))
    );
    assert_eq!(problem["first"].as_array().unwrap().len(), 3);
    let refused = resolve(&shop, problem, "release").await.is(200);
    assert_eq!(
        (&refused["success"], &refused["code"]),
        (&json!(false), &json!("keychain_unavailable"))
    );
    let right = passphrase("correct horse battery staple for tests only\n");
    let shop = shop.restart_as(false, right);
    standing(&shop, "success", 4).await;
    let after = problems(&shop).await;
    assert_eq!(after["problems"], json!([]));
    let solved = after["solved"][0]["title"].as_str().unwrap();
    assert!(solved.contains("2 calls to Cash desk went on"), "{solved}");
}

#[tokio::test]
async fn a_webhook_with_a_limit_is_called_evenly_loses_nothing_and_delays_nobody() {
    let shop = Shop::open().await;
    let (paced, free) = (
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
    );
    shop.webhook_with(&paced.url(), json!({"rateLimitPerSecond": 10}))
        .await;
    shop.webhook(&free.url()).await;
    let start = std::time::Instant::now();
    events(&shop, 15).await;
    Shop::calls(&free, 15).await;
    let free_after = start.elapsed();
    let calls = Shop::calls(&paced, 15).await;
    let took = calls[14].instant - calls[0].instant;
    assert!(
        took >= Duration::from_millis(1350),
        "15 calls within {took:?}"
    );
    assert!(free_after < took, "the other waited: {free_after:?}");
    standing(&shop, "success", 30).await;
}

#[tokio::test]
async fn the_limit_is_shown_changed_and_kept_in_its_range() {
    let shop = Shop::open().await;
    let webhook = shop
        .webhook_with("http://127.0.0.1:9/", json!({"rateLimitPerSecond": 5}))
        .await;
    assert_eq!(webhook.json["rateLimitPerSecond"], 5);
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    for wrong in [json!(0), json!(1001), json!("5"), json!(1.5)] {
        shop.full
            .patch(&path, &json!({"rateLimitPerSecond": wrong}))
            .await
            .names_field("rateLimitPerSecond");
    }
    let free = shop
        .full
        .patch(&path, &json!({"rateLimitPerSecond": null}))
        .await
        .is(200);
    assert_eq!(free["webhook"]["rateLimitPerSecond"], Value::Null);
}

#[tokio::test]
async fn consent_for_the_own_network_cannot_be_taken_from_an_address_that_needs_it() {
    let shop = Shop::open().await;
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .patch(&path, &json!({"allowPrivateNetwork": false}))
        .await
        .names_field("url");
    let both = json!({"allowPrivateNetwork": false, "url": "https://shop.example/"});
    let moved = shop.full.patch(&path, &both).await.is(200);
    assert_eq!(moved["webhook"]["allowPrivateNetwork"], false);
    shop.full
        .patch(&path, &json!({"url": "https://192.168.1.20/"}))
        .await
        .names_field("url");
}
