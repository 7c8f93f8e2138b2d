//! Own headers, and the format `envelope`: what a call carries beside, or around, the data.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Answer, Home, Shop, verify_both};

const TOKEN: &str = "Bearer sk_live_abcdefgh1234";

#[tokio::test]
async fn own_headers_go_with_every_call_and_are_read_back_as_names() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let headers = json!({"Authorization": TOKEN, "X-Shop": "a\tb"});
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"headers": headers}))
        .await;
    assert_eq!(
        webhook.json["headerNames"],
        json!(["Authorization", "X-Shop"])
    );
    assert!(!webhook.json.to_string().contains("sk_live"));
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivery = shop.delivery_is(&event, "success").await;
    let calls = Shop::calls(&receiver, 1).await;
    assert_eq!(calls[0].header("authorization"), TOKEN);
    assert_eq!(calls[0].header("x-shop"), "a\tb");
    verify_both(&calls[0], &webhook.secret);
    let shown = &delivery["attempts"][0]["requestHeaders"];
    assert_eq!(shown["authorization"], "••••••1234");
    assert_eq!(shown["x-shop"], "••••••");
    assert!(!delivery.to_string().contains("sk_live"));
}

#[tokio::test]
async fn a_header_is_changed_and_removed_by_name_and_the_others_stay() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(
            &receiver.url(),
            json!({"headers": {"X-One": "first", "X-Two": "second"}}),
        )
        .await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let changed = shop
        .full
        .patch(
            &path,
            &json!({"headers": {"x-one": null, "X-Three": "third"}}),
        )
        .await
        .is(200);
    assert_eq!(
        changed["webhook"]["headerNames"],
        json!(["X-Two", "X-Three"])
    );
    assert_eq!(changed["warnings"], json!([]));
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    let call = &receiver.calls()[0];
    assert_eq!(
        ["x-one", "x-two", "x-three"].map(|name| call.header(name)),
        ["", "second", "third"]
    );
}

#[tokio::test]
async fn another_host_never_gets_the_values_and_the_answer_says_so() {
    let shop = Shop::open().await;
    let (first, second) = (
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
    );
    let webhook = shop
        .webhook_with(
            &first.url(),
            json!({"headers": {"X-Key": "very-secret-value"}}),
        )
        .await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let elsewhere = format!("{}hooks?x=1", first.url());
    let same = shop
        .full
        .patch(&path, &json!({"url": elsewhere}))
        .await
        .is(200);
    assert_eq!(
        same["warnings"],
        json!([]),
        "another path is the same place"
    );
    assert_eq!(same["webhook"]["headerNames"], json!(["X-Key"]));
    let moved = shop
        .full
        .patch(&path, &json!({"url": second.url()}))
        .await
        .is(200);
    assert_eq!(moved["webhook"]["headerNames"], json!([]));
    let warning = &moved["warnings"][0];
    assert_eq!(warning["path"], "headers");
    assert!(warning["message"].as_str().unwrap().contains("X-Key"));
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(second.calls()[0].header("x-key"), "");
    let back = shop
        .full
        .patch(
            &path,
            &json!({"url": first.url(), "headers": {"X-Key": "entered-again"}}),
        )
        .await
        .is(200);
    assert_eq!(back["warnings"], json!([]));
    let event = shop.event("contact.created", r#"{"contactId":"d"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(first.calls()[0].header("x-key"), "entered-again");
}

#[tokio::test]
async fn a_wrong_header_is_422_with_its_name() {
    let shop = Shop::open().await;
    for (headers, path) in [
        (json!({"Host": "x"}), "headers.Host"),
        (json!({"content-length": "5"}), "headers.content-length"),
        (
            json!({"X-Webhook-Signature": "x"}),
            "headers.X-Webhook-Signature",
        ),
        (json!({"webhook-id": "x"}), "headers.webhook-id"),
        (
            json!({"Transfer-Encoding": "x"}),
            "headers.Transfer-Encoding",
        ),
        (json!({"X Key": "x"}), "headers.X Key"),
        (json!({"X-Key": "a\r\nHost: evil"}), "headers.X-Key"),
        (json!({"X-Key": "é"}), "headers.X-Key"),
        (json!({"X-Key": ""}), "headers.X-Key"),
        (json!({"X-Key": null}), "headers.X-Key"),
        (json!({"X-Key": 5}), "headers.X-Key"),
        (json!({"X-Key": "a", "x-key": "b"}), "headers.x-key"),
        (json!({"X-Key": "v".repeat(2600)}), "headers"),
        (json!("X-Key: a"), "headers"),
        (
            (0..33)
                .map(|n| (format!("X-{n}"), json!("v")))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            "headers",
        ),
    ] as [(Value, &str); 15]
    {
        let body = json!({"name": "Desk", "url": "https://shop.example/", "events": ["*"], "headers": headers});
        let answer = shop.full.post("/api/integrations/webhooks", &body).await;
        Answer {
            asked: format!("POST webhooks with {path}"),
            ..answer
        }
        .names_field(path);
    }
}

#[tokio::test]
async fn values_are_in_no_file_and_survive_a_restart() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(
        &receiver.url(),
        json!({"headers": {"X-Key": "needle-in-no-haystack"}}),
    )
    .await;
    let shop = shop.restart(true);
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(receiver.calls()[0].header("x-key"), "needle-in-no-haystack");
    let home: Home = shop.serve.home().clone();
    for file in home.contents() {
        let bytes = std::fs::read(home.path().join(&file)).unwrap_or_default();
        let needle = b"needle-in-no";
        assert!(
            !bytes.windows(needle.len()).any(|w| w == needle),
            "{} holds the value",
            file.display()
        );
    }
}

#[tokio::test]
async fn an_envelope_goes_around_the_same_bytes_and_is_the_same_on_every_try() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on("/", [Behaviour::Status(500), Behaviour::Answer]);
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"format": "envelope"}))
        .await;
    assert_eq!(webhook.json["format"], "envelope");
    let data = r#"{ "b" : 1e2,"a":12345678901234567890123, "s":"\u00e9" }"#;
    let body = format!(
        r#"{{"type":"contact.created","occurredAt":"2026-11-24T05:09:19.12+01:00","data":{data}}}"#
    );
    let given = shop.events.post_bytes("/api/events", body).await.is(202);
    let event = given["eventId"].as_str().unwrap();
    let delivery = shop.delivery_is(event, "success").await;
    let expected = format!(
        r#"{{"type":"contact.created","timestamp":"2026-11-24T04:09:19.120Z","data":{data}}}"#
    );
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!(call.body, expected);
        verify_both(call, &webhook.secret);
    }
    assert_eq!(delivery["body"], expected);
    assert_eq!(delivery["attempts"][0]["requestBody"], expected);
}

#[tokio::test]
async fn what_was_rendered_is_sent_again_as_it_was_though_the_format_is_another_now() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on("/", [Behaviour::Status(500), Behaviour::Answer]);
    let webhook = shop
        .webhook_with(
            &receiver.url(),
            json!({"format": "envelope", "retryAttempts": 0}),
        )
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .patch(&path, &json!({"format": "payload"}))
        .await
        .is(200);
    let shop = shop.restart(false);
    let id = failed["id"].as_str().unwrap();
    shop.full
        .post(&format!("/api/deliveries/{id}/retry"), &json!({}))
        .await
        .is(202);
    shop.delivery_is(&event, "success").await;
    let calls = receiver.calls();
    assert_eq!(calls[0].body, calls[1].body);
    let next = shop.event("contact.created", r#"{"contactId":"d"}"#).await;
    shop.delivery_is(&next, "success").await;
    assert_eq!(receiver.calls()[2].body, r#"{"contactId":"d"}"#);
}
