//! Filters of webhooks: saved, shown, changed, obeyed at intake, tried on what has happened.

use serde_json::{Value, json};
use signalbox_practice::Receiver;
use signalbox_tests::{Answer, Shop};

fn dear() -> Value {
    json!({"all": [{"path": "price", "op": "gte", "value": 100}]})
}

#[tokio::test]
async fn an_event_that_does_not_fit_makes_no_delivery_and_the_others_are_told() {
    let shop = Shop::open().await;
    let filtered = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let everything = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&filtered.url(), json!({"filter": dear()}))
        .await;
    shop.webhook(&everything.url()).await;
    let cheap = shop
        .give("booking.created", r#"{"bookingId":"1","price":99.99}"#)
        .await
        .is(202);
    let fits = shop
        .give("booking.created", r#"{"bookingId":"2","price":1e2}"#)
        .await
        .is(202);
    assert_eq!(
        (&cheap["deliveries"], &fits["deliveries"]),
        (&json!(1), &json!(2))
    );
    Shop::calls(&everything, 2).await;
    let calls = Shop::calls(&filtered, 1).await;
    assert_eq!(calls[0].body.as_ref(), br#"{"bookingId":"2","price":1e2}"#);
    let event = cheap["eventId"].as_str().unwrap();
    let rows = shop.deliveries(&format!("eventId={event}")).await;
    assert_eq!(rows.len(), 1, "no row for the one that did not want it");
}

#[tokio::test]
async fn a_filter_is_shown_as_it_was_given_and_can_be_changed_and_removed() {
    let shop = Shop::open().await;
    let exact = r#"{"any":[{"path":"n","op":"eq","value":12345678901234567890123}]}"#;
    let body = format!(
        r#"{{"name":"Desk","url":"https://shop.example/","events":["*"],"filter":{exact}}}"#
    );
    let made = shop
        .full
        .post_bytes("/api/integrations/webhooks", body)
        .await;
    assert!(made.text().contains(exact), "{}", made.text());
    let id = made.is(201)["webhook"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/integrations/webhooks/{id}");
    let changed = shop
        .full
        .patch(&path, &json!({"filter": dear()}))
        .await
        .is(200);
    assert_eq!(changed["webhook"]["filter"], dear());
    let named = shop
        .full
        .patch(&path, &json!({"name": "Till"}))
        .await
        .is(200);
    assert_eq!(named["webhook"]["filter"], dear(), "what is absent stays");
    let removed = shop
        .full
        .patch(&path, &json!({"filter": null}))
        .await
        .is(200);
    assert_eq!(removed["webhook"]["filter"], Value::Null);
}

#[tokio::test]
async fn a_wrong_filter_is_422_with_the_path_inside_of_it() {
    let shop = Shop::open().await;
    for (filter, path) in [
        (json!("price > 100"), "filter"),
        (json!({"all": []}), "filter.all"),
        (
            json!({"all": [{"path": "a", "op": "eq", "value": 1}, {"path": "b", "op": "like", "value": 1}]}),
            "filter.all.1.op",
        ),
        (
            json!({"any": [{"all": [{"path": "a", "op": "in", "value": 5}]}]}),
            "filter.any.0.all.0.value",
        ),
    ] {
        let body = json!({"name": "Desk", "url": "https://shop.example/", "events": ["*"], "filter": filter});
        let answer = shop.full.post("/api/integrations/webhooks", &body).await;
        Answer {
            asked: format!("POST webhooks with {filter}"),
            ..answer
        }
        .names_field(path);
        let test = json!({"events": ["*"], "filter": filter});
        shop.full
            .post("/api/integrations/webhooks/filter/test", &test)
            .await
            .names_field(path);
    }
}

#[tokio::test]
async fn the_tester_says_how_many_past_events_fit_and_why() {
    let shop = Shop::open().await;
    for (id, price) in [("1", "30"), ("2", "130"), ("3", "230")] {
        shop.event(
            "booking.created",
            &format!(r#"{{"bookingId":"{id}","price":{price},"customer":{{"name":"Maria"}}}}"#),
        )
        .await;
    }
    shop.event("contact.created", r#"{"contactId":"c","price":500}"#)
        .await;
    let test = |body: Value| {
        let full = shop.full.clone();
        async move {
            full.post("/api/integrations/webhooks/filter/test", &body)
                .await
        }
    };
    let tested = test(json!({"events": ["booking.created"], "filter": dear()}))
        .await
        .is(200);
    assert_eq!(
        (&tested["checked"], &tested["matched"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(tested["sentence"], "2 of the last 3 events fit.");
    let samples = tested["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    assert_eq!(samples[2]["matches"], false);
    assert_eq!(samples[2]["why"], "price is 30, not at least 100.");
    assert_eq!(samples[0]["label"], "New booking");
    assert_eq!(samples[0]["what"], "Maria");
    let all = test(json!({"events": ["*"], "filter": dear()}))
        .await
        .is(200);
    assert_eq!(all["matched"], 3);
    let later = test(json!({"events": ["*"], "filter": dear(), "since": "2100-01-01T00:00:00Z"}))
        .await
        .is(200);
    assert_eq!(later["checked"], 0);
    test(json!({"events": ["no.such"], "filter": dear()}))
        .await
        .names_field("events.0");
}
