//! Reading the log and acting on it: list, filters, cursor, detail, retry, cancel, release.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::Shop;

fn ids(page: &Value) -> Vec<String> {
    let rows = page["deliveries"].as_array().expect("a list");
    rows.iter()
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Five delivered, one failed, in this order.
async fn a_small_log() -> (Shop, Receiver, Vec<String>) {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let mut events = Vec::new();
    for number in 0..5 {
        let event = shop
            .event(
                "contact.created",
                &format!(r#"{{"contactId":"c{number}"}}"#),
            )
            .await;
        shop.delivery_is(&event, "success").await;
        events.push(event);
    }
    receiver.behave(Behaviour::Status(500));
    let event = shop.event("inventory.low", r#"{"sku":"soap"}"#).await;
    shop.delivery_is(&event, "failed").await;
    events.push(event);
    (shop, receiver, events)
}

#[tokio::test]
async fn the_log_is_read_page_by_page_in_both_orders_without_gaps_or_doubles() {
    let (shop, _receiver, _) = a_small_log().await;
    let all = shop.full.get("/api/deliveries?limit=200").await.is(200);
    assert_eq!(
        (all["total"].as_u64(), &all["totalIsExact"]),
        (Some(6), &json!(true))
    );
    assert_eq!(all["nextCursor"], Value::Null);
    let newest_first = ids(&all);
    for order in ["desc", "asc"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = shop
                .full
                .get(&format!("/api/deliveries?limit=2&order={order}{cursor}"))
                .await
                .is(200);
            assert!(ids(&page).len() <= 2);
            seen.extend(ids(&page));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if order == "asc" {
            seen.reverse();
        }
        assert_eq!(seen, newest_first, "{order}");
    }
}

#[tokio::test]
async fn every_simple_filter_narrows_the_log() {
    let (shop, _receiver, events) = a_small_log().await;
    let webhook =
        shop.full.get("/api/integrations/webhooks").await.is(200)["webhooks"][0]["id"].clone();
    let webhook = webhook.as_str().unwrap();
    let recipient = shop.deliveries("limit=1").await[0]["recipient"].clone();
    let recipient = recipient.as_str().unwrap();
    for (filter, count) in [
        ("status=success".to_owned(), 5),
        ("status=failed".to_owned(), 1),
        ("status=success,failed".to_owned(), 6),
        ("status=held".to_owned(), 0),
        ("channel=webhook".to_owned(), 6),
        ("channel=email".to_owned(), 0),
        (format!("webhookId={webhook}"), 6),
        (
            "webhookId=whk_00000000-0000-7000-8000-000000000000".to_owned(),
            0,
        ),
        ("eventType=inventory.low".to_owned(), 1),
        (format!("eventId={}", events[2]), 1),
        ("subject=c3".to_owned(), 1),
        ("subject=C".to_owned(), 0),
        (format!("recipient={recipient}"), 6),
        ("recipient=elsewhere.example".to_owned(), 0),
        ("since=2026-01-01T00:00:00Z".to_owned(), 6),
        ("since=2999-01-01T00:00:00Z".to_owned(), 0),
        ("until=2026-01-01T00:00:00Z".to_owned(), 0),
        ("test=true".to_owned(), 0),
        ("test=false".to_owned(), 6),
        ("status=success&subject=c1".to_owned(), 1),
    ] {
        assert_eq!(shop.deliveries(&filter).await.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_wrong_filter_is_422_with_its_name() {
    let shop = Shop::open().await;
    for (filter, path) in [
        ("status=done", "status"),
        ("channel=fax", "channel"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("order=sideways", "order"),
        ("since=yesterday", "since"),
        ("cursor=nonsense", "cursor"),
        ("test=perhaps", "test"),
    ] {
        shop.full
            .get(&format!("/api/deliveries?{filter}"))
            .await
            .names_field(path);
    }
}

#[tokio::test]
async fn the_detail_shows_request_and_answer_with_the_signatures_masked() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let event = shop
        .event("contact.created", r#"{"contactId":"c","n":1e2}"#)
        .await;
    let delivery = shop.delivery_is(&event, "success").await;
    assert_eq!(delivery["body"], r#"{"contactId":"c","n":1e2}"#);
    assert_eq!(delivery["eventId"], event.as_str());
    assert!(delivery["sentence"].is_string() && delivery["actions"].is_array());
    assert!(delivery["finishedAt"].is_string() && delivery["deliveredAt"].is_string());
    let attempt = &delivery["attempts"][0];
    assert_eq!(attempt["statusCode"], 200);
    assert_eq!(attempt["requestBody"], r#"{"contactId":"c","n":1e2}"#);
    assert_eq!(attempt["responseBody"], r#"{"received":true}"#);
    assert_eq!(attempt["responseTruncated"], false);
    assert_eq!(attempt["requestHeaders"]["webhook-id"], event.as_str());
    let call = &receiver.calls()[0];
    let text = delivery.to_string();
    let standard = call.header("webhook-signature").trim_start_matches("v1,");
    for secret in [
        call.header("x-webhook-signature"),
        standard,
        webhook.secret.as_str(),
    ] {
        assert!(
            !text.contains(secret),
            "a signature or secret stands in the log"
        );
    }
}

#[tokio::test]
async fn a_failed_delivery_is_retried_as_the_same_delivery_with_one_more_attempt() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    let id = failed["id"].as_str().unwrap();
    receiver.behave(Behaviour::Answer);
    let retried = shop
        .full
        .post_bytes(&format!("/api/deliveries/{id}/retry"), "")
        .await
        .is(202);
    assert_eq!(retried["delivery"]["id"], id);
    let delivered = shop.delivery_is(&event, "success").await;
    assert_eq!(
        (&delivered["id"], &delivered["attemptCount"]),
        (&json!(id), &json!(2))
    );
    let attempts = delivered["attempts"].as_array().unwrap();
    let second = attempts
        .iter()
        .find(|attempt| attempt["number"] == 2)
        .unwrap();
    assert_eq!(second["trigger"], "manual");
    let calls = receiver.calls();
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(calls[0].body, calls[1].body);
}

#[tokio::test]
async fn a_success_is_never_retried_cancelled_or_released() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivered = shop.delivery_is(&event, "success").await;
    let id = delivered["id"].as_str().unwrap();
    for act in ["retry", "cancel", "release"] {
        shop.full
            .post(&format!("/api/deliveries/{id}/{act}"), &json!({}))
            .await
            .is_problem(409);
    }
    assert_eq!(receiver.count(), 1);
    shop.delivery_is(&event, "success").await;
}

#[tokio::test]
async fn a_waiting_delivery_is_cancelled_by_the_owner_and_not_sent() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    shop.webhook_with(&receiver.url(), json!({"retryDelay": 600_000}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let waiting = shop
        .delivery_when(&event, "it waits", |row| {
            row["status"] == "pending" && row["attemptCount"] == 1
        })
        .await;
    let id = waiting["id"].as_str().unwrap();
    let reason = json!({"reason": "I told them myself"});
    let answer = shop
        .full
        .post(&format!("/api/deliveries/{id}/cancel"), &reason)
        .await
        .is(200);
    assert_eq!(answer["delivery"]["status"], "cancelled");
    assert_eq!(answer["delivery"]["statusReason"], "by_owner");
    shop.full
        .post(&format!("/api/deliveries/{id}/cancel"), &json!({}))
        .await
        .is_problem(409);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_delivery_of_a_paused_webhook_is_not_released() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"isActive": false}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let held = shop.delivery_is(&event, "held").await;
    let path = format!("/api/deliveries/{}/release", held["id"].as_str().unwrap());
    shop.full.post(&path, &json!({})).await.is_problem(409);
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn an_answer_is_kept_up_to_64_kibibytes_and_said_to_be_cut() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Large(1_000_000));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivered = shop.delivery_is(&event, "success").await;
    let attempt = &delivered["attempts"][0];
    assert_eq!(attempt["responseTruncated"], true);
    assert_eq!(attempt["responseBody"].as_str().unwrap().len(), 64 * 1024);
}
