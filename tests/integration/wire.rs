//! What arrives at the receiver: exact bytes, the headers, both signatures.

use serde_json::json;
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Shop, verify_both};

/// Spellings that any parse and re-serialisation would change.
pub(crate) const ODD_BODIES: &[&str] = &[
    r#"{}"#,
    r#"{"b":1,"a":2}"#,
    r#"{"number":1e2,"more":1E+2,"less":1.0,"minus":-0,"tiny":0.10e-7}"#,
    r#"{"big":123456789012345678901234567890,"long":0.1234567890123456789012345678901234567890}"#,
    r#"{"escapes":"\u0041\/\u00e9\b\f\n\r\t\"\\"}"#,
    r#"{"lone":"\ud800","reversed":"\udc00\ud800"}"#,
    r#"{"twice":1,"twice":2,"twice":{"x":1,"x":1}}"#,
    r#"{"unicode":"é ü 漢字 🦀 \u200b","é":"key"}"#,
    "{ \"white\" :\t1 ,\r\n\n \"space\" : [ 1 ,\t2 ] }",
    r#"{"nul":"\u0000","":"empty key"}"#,
    r#"{"$serde_json::private::RawValue":"1","$serde_json::private::Number":"1"}"#,
];

#[tokio::test]
async fn odd_bodies_arrive_byte_for_byte_and_signed_over_those_bytes() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    for body in ODD_BODIES {
        let before = receiver.count();
        let event = shop.event("contact.created", body).await;
        let calls = Shop::calls(&receiver, before + 1).await;
        let call = calls.last().unwrap();
        assert_eq!(String::from_utf8_lossy(&call.body), *body);
        assert_eq!(call.header("webhook-id"), event);
        verify_both(call, &webhook.secret);
    }
}

#[tokio::test]
async fn white_space_around_the_data_is_no_part_of_it() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook(&receiver.url()).await;
    let body = "{ \"data\" :\n {\"a\" : 1}\t, \"type\" : \"contact.created\" }\n";
    shop.events.post_bytes("/api/events", body).await.is(202);
    let calls = Shop::calls(&receiver, 1).await;
    assert_eq!(calls[0].body.as_ref(), b"{\"a\" : 1}");
}

#[tokio::test]
async fn a_call_carries_the_headers_of_the_contract_and_no_more_than_needed() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook(&format!("{}shop/hook?key=1", receiver.url()))
        .await;
    let event = shop.event("booking.created", r#"{"bookingId":"1"}"#).await;
    let call = &Shop::calls(&receiver, 1).await[0];
    assert_eq!(call.method, "POST");
    assert_eq!(call.uri, "/shop/hook?key=1");
    assert_eq!(call.header("content-type"), "application/json");
    assert_eq!(call.header("x-webhook-event"), "booking.created");
    assert_eq!(call.header("webhook-id"), event);
    assert!(
        call.header("user-agent").starts_with("Signalbox/"),
        "{}",
        call.header("user-agent")
    );
    assert_eq!(call.header("content-length"), call.body.len().to_string());
    verify_both(call, &webhook.secret);
    for name in call.headers.keys() {
        let known = [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
            "x-webhook-event",
            "x-webhook-signature",
            "x-webhook-timestamp",
        ];
        assert!(
            known.contains(&name.as_str()),
            "an unexpected header: {name}"
        );
    }
}

#[tokio::test]
async fn each_attempt_is_signed_anew_over_the_same_bytes_under_the_same_id() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryDelay": 1100}))
        .await;
    receiver.behave_on("/", [Behaviour::Status(500), Behaviour::Answer]);
    let event = shop.event("contact.created", ODD_BODIES[2]).await;
    let calls = Shop::calls(&receiver, 2).await;
    for call in &calls {
        assert_eq!(call.header("webhook-id"), event);
        assert_eq!(String::from_utf8_lossy(&call.body), ODD_BODIES[2]);
        verify_both(call, &webhook.secret);
    }
    assert_ne!(
        calls[0].header("webhook-timestamp"),
        calls[1].header("webhook-timestamp")
    );
    assert_ne!(
        calls[0].header("webhook-signature"),
        calls[1].header("webhook-signature")
    );
}

#[tokio::test]
async fn the_bytes_the_id_and_the_secret_outlive_a_crash() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(
            &receiver.url(),
            json!({"retryDelay": 1000, "retryAttempts": 10}),
        )
        .await;
    receiver.behave(Behaviour::Status(503));
    let mut events = Vec::new();
    for body in ODD_BODIES {
        events.push(shop.event("contact.created", body).await);
    }
    Shop::calls(&receiver, ODD_BODIES.len() as u64).await;
    let shop = shop.restart(true);
    receiver.forget();
    receiver.behave(Behaviour::Answer);
    for (event, body) in events.iter().zip(ODD_BODIES) {
        shop.delivery_is(event, "success").await;
        let calls = receiver.calls();
        let call = calls
            .iter()
            .find(|call| call.header("webhook-id") == event)
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&call.body), *body);
        verify_both(call, &webhook.secret);
    }
}

#[tokio::test]
async fn two_webhooks_get_the_same_event_under_the_same_id_with_their_own_secrets() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let one = shop.webhook(&format!("{}one", receiver.url())).await;
    let two = shop.webhook(&format!("{}two", receiver.url())).await;
    assert_ne!(one.secret, two.secret);
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    for call in Shop::calls(&receiver, 2).await {
        assert_eq!(call.header("webhook-id"), event);
        verify_both(
            &call,
            if call.uri == "/one" {
                &one.secret
            } else {
                &two.secret
            },
        );
    }
}

#[tokio::test]
async fn only_the_subscribed_event_types_are_told() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"events": ["inventory.low"]}))
        .await;
    assert_eq!(
        shop.give("contact.created", r#"{"contactId":"c"}"#)
            .await
            .is(202)["deliveries"],
        0
    );
    assert_eq!(
        shop.give("inventory.low", r#"{"sku":"s"}"#).await.is(202)["deliveries"],
        1
    );
    let calls = Shop::calls(&receiver, 1).await;
    assert_eq!(calls[0].header("x-webhook-event"), "inventory.low");
}
