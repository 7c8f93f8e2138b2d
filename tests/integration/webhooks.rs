//! A webhook's life: created, shown, changed, tested, paused, deleted; and which addresses are refused.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Answer, Home, Shop, verify_both};

const NOWHERE: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn a_webhook_is_created_with_the_defaults_of_the_contract_and_its_secret_is_shown_once() {
    let shop = Shop::open().await;
    let body =
        json!({"name": "Desk", "url": "https://shop.example/hook", "events": ["booking.created"]});
    let made = shop
        .full
        .post("/api/integrations/webhooks", &body)
        .await
        .is(201);
    assert_eq!(made["success"], true);
    let webhook = &made["webhook"];
    assert!(webhook["secret"].as_str().unwrap().starts_with("whsec_"));
    for (member, value) in [
        ("name", json!("Desk")),
        ("url", json!("https://shop.example/hook")),
        ("events", json!(["booking.created"])),
        ("isActive", json!(true)),
        ("format", json!("payload")),
        ("retryAttempts", json!(3)),
        ("retryDelay", json!(1000)),
        ("retrySchedule", json!("exponential")),
        ("timeoutSeconds", json!(15)),
        ("allowPrivateNetwork", json!(false)),
        ("headerNames", json!([])),
        ("totalCalls", json!(0)),
        ("successfulCalls", json!(0)),
        ("failedCalls", json!(0)),
        ("lastTriggered", Value::Null),
        ("lastError", Value::Null),
        ("previousSecretValidUntil", Value::Null),
        ("pausedReason", Value::Null),
    ] {
        assert_eq!(webhook[member], value, "{member}");
    }
    let id = webhook["id"].as_str().unwrap();
    let shown = shop
        .full
        .get(&format!("/api/integrations/webhooks/{id}"))
        .await
        .is(200);
    let listed = shop.full.get("/api/integrations/webhooks").await.is(200);
    for webhook in [&shown["webhook"], &listed["webhooks"][0]] {
        assert_eq!(webhook["id"], id);
        assert_eq!(webhook.get("secret"), None, "a secret is shown once");
    }
}

#[tokio::test]
async fn the_standard_schedule_has_nine_retries_unless_told_otherwise() {
    let shop = Shop::open().await;
    let body = json!({"name": "Desk", "url": "https://shop.example/", "events": ["*"], "retrySchedule": "standard"});
    let made = shop
        .full
        .post("/api/integrations/webhooks", &body)
        .await
        .is(201);
    assert_eq!(made["webhook"]["retryAttempts"], 9);
}

#[tokio::test]
async fn a_wrong_webhook_is_422_with_the_path_of_the_field_and_is_not_created() {
    let shop = Shop::open().await;
    for (change, path) in [
        (json!({"name": ""}), "name"),
        (json!({"name": 5}), "name"),
        (json!({"name": null}), "name"),
        (json!({"url": "nonsense"}), "url"),
        (json!({"url": "ftp://shop.example/"}), "url"),
        (json!({"url": "http://shop.example/"}), "url"),
        (json!({"url": "https://user:pass@shop.example/"}), "url"),
        (json!({"url": ""}), "url"),
        (json!({"url": null}), "url"),
        (json!({"events": []}), "events"),
        (json!({"events": "*"}), "events"),
        (json!({"events": ["no.such"]}), "events.0"),
        (
            json!({"events": ["booking.created", "booking.create"]}),
            "events.1",
        ),
        (json!({"retryAttempts": -1}), "retryAttempts"),
        (json!({"retryAttempts": 21}), "retryAttempts"),
        (json!({"retryAttempts": "three"}), "retryAttempts"),
        (json!({"retryDelay": 99}), "retryDelay"),
        (json!({"retryDelay": 3_600_001}), "retryDelay"),
        (json!({"retrySchedule": "sometimes"}), "retrySchedule"),
        (json!({"timeoutSeconds": 4}), "timeoutSeconds"),
        (json!({"timeoutSeconds": 61}), "timeoutSeconds"),
        (json!({"format": "telegram"}), "format"),
        (json!({"isActive": "yes"}), "isActive"),
        (json!({"unknownMember": 1}), "unknownMember"),
    ] {
        let mut body = json!({"name": "Desk", "url": "https://shop.example/hook", "events": ["*"]});
        for (member, value) in change.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(member);
            } else {
                body[member] = value.clone();
            }
        }
        let answer = shop.full.post("/api/integrations/webhooks", &body).await;
        Answer {
            asked: format!("POST webhooks with {change}"),
            ..answer
        }
        .names_field(path);
    }
    let listed = shop.full.get("/api/integrations/webhooks").await.is(200);
    assert_eq!(listed["webhooks"], json!([]));
}

#[tokio::test]
async fn a_private_address_needs_consent_and_some_addresses_never_get_it() {
    let shop = Shop::open().await;
    let create = |url: String, consent: bool| {
        let body =
            json!({"name": "Desk", "url": url, "events": ["*"], "allowPrivateNetwork": consent});
        let full = shop.full.clone();
        async move {
            let answer = full.post("/api/integrations/webhooks", &body).await;
            Answer {
                asked: format!("POST webhooks {body}"),
                ..answer
            }
        }
    };
    for host in [
        "127.0.0.1:9",
        "[::1]:9",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.20",
        "[fd12::1]",
        "100.64.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "localhost:9",
    ] {
        for scheme in ["http", "https"] {
            create(format!("{scheme}://{host}/"), false)
                .await
                .names_field("url");
        }
    }
    for host in [
        "169.254.169.254",
        "169.254.1.1",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "0xa9fea9fe",
        "2852039166",
        "[ff02::1]",
    ] {
        for consent in [false, true] {
            for scheme in ["http", "https"] {
                create(format!("{scheme}://{host}/"), consent)
                    .await
                    .names_field("url");
            }
        }
    }
    for host in [
        "127.0.0.1:9",
        "10.1.2.3",
        "192.168.1.20",
        "[fd12::1]",
        "[::1]:9",
    ] {
        create(format!("http://{host}/"), true).await.is(201);
    }
}

#[tokio::test]
async fn the_own_port_is_never_called() {
    let shop = Shop::open().await;
    let own = format!("http://127.0.0.1:{}/api/events", shop.serve.address.port());
    let body = json!({"name": "Loop", "url": own, "events": ["*"], "allowPrivateNetwork": true});
    let answer = shop.full.post("/api/integrations/webhooks", &body).await;
    if answer.status == 422 {
        answer.names_field("url");
        return;
    }
    let id = answer.is(201)["webhook"]["id"].as_str().unwrap().to_owned();
    let tested = shop
        .full
        .post(&format!("/api/integrations/webhooks/{id}/test"), &json!({}))
        .await
        .is(200);
    assert_eq!(tested["code"], "blocked_address", "{tested}");
}

#[tokio::test]
async fn a_webhook_is_changed_member_by_member() {
    let shop = Shop::open().await;
    let webhook = shop.webhook(NOWHERE).await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let patch = json!({"name": "Counter", "events": ["inventory.low"], "retryDelay": 5000});
    let changed = shop.full.patch(&path, &patch).await.is(200)["webhook"].clone();
    for (member, value) in patch.as_object().unwrap() {
        assert_eq!(changed[member], *value);
    }
    assert_eq!(changed["url"], webhook.json["url"]);
    shop.full
        .patch(&path, &json!({"retryAttempts": 99}))
        .await
        .names_field("retryAttempts");
    shop.full
        .patch(&path, &json!({"url": "http://169.254.169.254/"}))
        .await
        .names_field("url");
    let now = shop.webhook_now(&webhook.id).await;
    assert_eq!(now["retryAttempts"], 3);
    assert_eq!(now["url"], webhook.json["url"]);
}

#[tokio::test]
async fn a_test_is_one_signed_attempt_marked_in_the_log_and_counted_nowhere() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let path = format!("/api/integrations/webhooks/{}/test", webhook.id);
    let tested = shop.full.post(&path, &json!({})).await.is(200);
    assert_eq!(tested["success"], true, "{tested}");
    assert_eq!(tested["statusCode"], 200);
    assert_eq!(tested["attempts"], 1);
    assert!(tested["durationMs"].is_number() && tested["message"].is_string());
    let call = &Shop::calls(&receiver, 1).await[0];
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let text = std::str::from_utf8(&call.body).unwrap();
    let timestamp = body["timestamp"].as_str().unwrap();
    timestamp.parse::<jiff::Timestamp>().expect("RFC 3339");
    assert_eq!(
        text,
        format!(
            r#"{{"event":"webhook.test","timestamp":"{timestamp}","data":{{"message":"This is a test webhook"}}}}"#
        )
    );
    assert_eq!(call.header("x-webhook-event"), "webhook.test");
    verify_both(call, &webhook.secret);

    let rows = shop.deliveries(&format!("webhookId={}", webhook.id)).await;
    assert_eq!((rows.len(), &rows[0]["test"]), (1, &json!(true)));
    assert_eq!(shop.deliveries("test=false").await.len(), 0);
    assert_eq!(shop.deliveries("test=true").await.len(), 1);
    let now = shop.webhook_now(&webhook.id).await;
    assert_eq!(now["totalCalls"], 0, "a test is not counted");
}

#[tokio::test]
async fn a_test_may_send_the_sample_of_a_type() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let path = format!("/api/integrations/webhooks/{}/test", webhook.id);
    shop.full
        .post(&path, &json!({"event": "inventory.low"}))
        .await
        .is(200);
    let call = &Shop::calls(&receiver, 1).await[0];
    assert_eq!(call.header("x-webhook-event"), "inventory.low");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert!(body["sku"].is_string(), "{body}");
    shop.full
        .post(&path, &json!({"event": "no.such"}))
        .await
        .names_field("event");
}

#[tokio::test]
async fn a_failed_test_is_graceful_and_not_repeated() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    let webhook = shop.webhook(&receiver.url()).await;
    let path = format!("/api/integrations/webhooks/{}/test", webhook.id);
    let tested = shop.full.post(&path, &json!({})).await.is(200);
    assert_eq!(tested["success"], false);
    assert_eq!(tested["gracefulFail"], true);
    assert_eq!(tested["willRetry"], false);
    assert_eq!(tested["statusCode"], 500);
    assert!(
        tested["error"]
            .as_str()
            .is_some_and(|sentence| !sentence.is_empty()),
        "{tested}"
    );
    assert!(tested["code"].is_string());
    shop.event("contact.created", r#"{"contactId":"after"}"#)
        .await;
    let calls = Shop::calls(&receiver, 2).await;
    let tests = calls
        .iter()
        .filter(|call| call.header("x-webhook-event") == "webhook.test")
        .count();
    assert_eq!(tests, 1);
}

#[tokio::test]
async fn a_paused_webhook_holds_and_a_resumed_one_sends_what_waited_oldest_first() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let paused = shop
        .full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    assert_eq!(paused["webhook"]["isActive"], false);
    let mut events = Vec::new();
    for number in 0..5 {
        let event = shop
            .event(
                "contact.created",
                &format!(r#"{{"contactId":"same","n":{number}}}"#),
            )
            .await;
        let held = shop.delivery_is(&event, "held").await;
        assert_eq!(held["statusReason"], "paused");
        assert_eq!(held["attemptCount"], 0);
        events.push(event);
    }
    assert_eq!(receiver.count(), 0, "a paused webhook was called");
    assert_eq!(shop.events.get("/api/health").await.is(200)["held"], 5);
    shop.full
        .patch(&path, &json!({"isActive": true}))
        .await
        .is(200);
    let calls = Shop::calls(&receiver, 5).await;
    let arrived: Vec<_> = calls
        .iter()
        .map(|call| call.header("webhook-id").to_owned())
        .collect();
    assert_eq!(arrived, events);
}

#[tokio::test]
async fn what_waits_for_a_paused_webhook_outlives_a_restart() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let shop = shop.restart(false);
    shop.delivery_is(&event, "held").await;
    shop.full
        .patch(&path, &json!({"isActive": true}))
        .await
        .is(200);
    shop.delivery_is(&event, "success").await;
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn deleting_a_webhook_cancels_what_waits_and_keeps_its_log() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryDelay": 60_000}))
        .await;
    let sent = shop
        .event("contact.created", r#"{"contactId":"sent"}"#)
        .await;
    shop.delivery_is(&sent, "success").await;
    receiver.behave(Behaviour::Status(500));
    let waiting = shop
        .event("contact.created", r#"{"contactId":"waiting"}"#)
        .await;
    shop.delivery_when(&waiting, "the first attempt failed", |row| {
        row["status"] == "pending" && row["attemptCount"] == 1
    })
    .await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let answer = shop.full.delete(&path).await.is(200);
    assert!(answer["message"].is_string(), "{answer}");
    shop.full.get(&path).await.is_problem(404);
    shop.delivery_is(&waiting, "cancelled").await;
    let kept = shop.delivery_is(&sent, "success").await;
    assert_eq!(kept["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(
        shop.full.get("/api/integrations").await.is(200)["webhooks"],
        json!({"total": 0, "active": 0})
    );
}

#[tokio::test]
async fn the_totals_count_deliveries_that_ended() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 1}))
        .await;
    receiver.behave_on("/", [Behaviour::Status(500), Behaviour::Answer]);
    let late = shop
        .event("contact.created", r#"{"contactId":"late"}"#)
        .await;
    shop.delivery_is(&late, "success").await;
    receiver.behave(Behaviour::Status(500));
    let failed = shop
        .event("contact.created", r#"{"contactId":"failed"}"#)
        .await;
    shop.delivery_is(&failed, "failed").await;
    let now = shop.webhook_now(&webhook.id).await;
    assert_eq!(
        (
            &now["totalCalls"],
            &now["successfulCalls"],
            &now["failedCalls"]
        ),
        (&json!(2), &json!(1), &json!(1)),
        "{now}"
    );
    assert!(
        now["lastTriggered"].is_string() && now["lastError"].is_string(),
        "{now}"
    );
}

#[tokio::test]
async fn a_proxy_named_in_the_environment_is_not_used() {
    let proxy = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let url = proxy.url();
    let home = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"]
        .iter()
        .fold(Home::new(), |home, name| home.with(name, &url));
    let shop = Shop::on(home.serve().into()).await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!((receiver.count(), proxy.count()), (1, 0));
}
