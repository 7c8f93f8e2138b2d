//! Searching and paging the log: words, filters together, both directions, and an index that may
//! go missing at any time.

use std::fs;

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::Shop;

fn q(text: &str) -> String {
    let mut encoded = String::from("q=");
    for byte in text.bytes() {
        encoded.push_str(&format!("%{byte:02X}"));
    }
    encoded
}

async fn count(shop: &Shop, filter: &str) -> usize {
    let page = shop
        .full
        .get(&format!("/api/deliveries?{filter}"))
        .await
        .is(200);
    let rows = page["deliveries"].as_array().expect("a list").len();
    assert_eq!(page["total"], rows, "{filter}");
    rows
}

async fn with_bookings(shop: Shop) -> (Shop, Receiver) {
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    for (id, name, phone) in [
        ("b1", "J\\u00f6rg M\\u00fcller", "+49 170 1234567"),
        ("b2", "Maria Petersen", "0171/765 43 21"),
        ("b3", "Zoë Łuczak 👾", "+1 (555) 010-9999"),
    ] {
        let data =
            format!(r#"{{"bookingId":"{id}","customer":{{"name":"{name}","phone":"{phone}"}}}}"#);
        let event = shop.event("booking.created", &data).await;
        shop.delivery_is(&event, "success").await;
    }
    receiver.behave(Behaviour::Status(500));
    let event = shop
        .event("inventory.low", r#"{"sku":"soap","name":"Lavender soap"}"#)
        .await;
    shop.delivery_is(&event, "failed").await;
    (shop, receiver)
}

async fn all_is_found(shop: &Shop) {
    for (typed, rows) in [
        ("müller", 1),
        ("MULLER", 1),
        ("mueller jörg", 1),
        ("peter", 1),
        ("maria muller", 0),
        ("👾", 1),
        ("0170 1234567", 1),
        ("+491701234567", 1),
        ("01717654321", 1),
        ("+49 171 7654321", 1),
        ("0171 7654322", 0),
        ("b2", 1),
        ("lavender", 1),
        ("received", 4),
        ("127.0.0.1", 4),
        ("\"maria\" OR \"soap\"", 0),
        ("*", 0),
    ] {
        assert_eq!(count(shop, &q(typed)).await, rows, "{typed}");
    }
    assert_eq!(
        count(
            shop,
            &format!("{}&status=failed&eventType=inventory.low", q("soap"))
        )
        .await,
        1
    );
    assert_eq!(
        count(shop, &format!("{}&status=success", q("soap"))).await,
        0
    );
    assert_eq!(
        count(shop, "eventType=inventory.low,booking.created").await,
        4
    );
    let found = shop
        .full
        .get(&format!("/api/events?{}", q("maria")))
        .await
        .is(200);
    assert_eq!(found["events"][0]["subject"], "b2");
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn words_are_found_in_any_case_and_phone_numbers_in_any_spelling_at_once_and_later() {
    let (shop, _receiver) = with_bookings(Shop::alone().await).await;
    all_is_found(&shop).await;
    let shop = shop.restart(false);
    all_is_found(&shop).await;
}

#[tokio::test]
async fn an_index_that_is_missing_damaged_or_of_another_database_is_made_anew() {
    let (mut shop, _receiver) = with_bookings(Shop::alone().await).await;
    let index = shop.serve.home().path().join("search.db");
    shop = shop.restart(true);
    all_is_found(&shop).await;
    fs::remove_file(&index).unwrap();
    all_is_found(&shop).await;
    shop = shop.restart(true);
    all_is_found(&shop).await;
    for damage in [&b"this is no database at all"[..], &[]] {
        shop = shop.restart_as(true, |home| {
            fs::write(home.path().join("search.db"), damage).unwrap();
            home
        });
        all_is_found(&shop).await;
    }
    shop = shop.restart_as(false, |home| {
        let search = rusqlite::Connection::open(home.path().join("search.db")).unwrap();
        search
            .execute("UPDATE marks SET seq = 1000000", [])
            .unwrap();
        home
    });
    all_is_found(&shop).await;
    assert!(index.exists());
    assert_eq!(shop.serve.home().mode("search.db"), 0o600);
}

#[tokio::test]
async fn an_index_that_is_damaged_under_a_running_engine_does_not_stop_the_log() {
    let (shop, receiver) = with_bookings(Shop::alone().await).await;
    let index = shop.serve.home().path().join("search.db");
    let length = fs::metadata(&index).unwrap().len();
    fs::write(&index, vec![7; usize::try_from(length).unwrap()]).unwrap();
    all_is_found(&shop).await;
    receiver.behave(Behaviour::Status(200));
    let event = shop
        .event("contact.created", r#"{"contactId":"c","name":"Newcomer"}"#)
        .await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(count(&shop, &q("newcomer")).await, 1);
}

#[tokio::test]
async fn a_row_that_moved_is_found_where_it_stands_now() {
    let (shop, receiver) = with_bookings(Shop::open().await).await;
    let failed = shop.deliveries("status=failed").await[0]["id"].clone();
    receiver.behave(Behaviour::Status(200));
    shop.full
        .post(
            &format!("/api/deliveries/{}/retry", failed.as_str().unwrap()),
            &json!({}),
        )
        .await
        .is(202);
    let event = shop.deliveries("eventType=inventory.low").await[0]["eventId"].clone();
    shop.delivery_is(event.as_str().unwrap(), "success").await;
    assert_eq!(count(&shop, "status=failed").await, 0);
    assert_eq!(
        count(&shop, "status=success&eventType=inventory.low").await,
        1
    );
}

#[tokio::test]
async fn pages_are_turned_in_both_directions_and_begin_at_a_date() {
    let (shop, _receiver) = with_bookings(Shop::open().await).await;
    let all = shop.deliveries("").await;
    let ids = |page: &Value| -> Vec<Value> {
        page["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect()
    };
    let get = async |query: String| {
        shop.full
            .get(&format!("/api/deliveries?limit=2{query}"))
            .await
            .is(200)
    };
    for order in ["desc", "asc"] {
        let first = get(format!("&order={order}")).await;
        assert_eq!(first["previousCursor"], Value::Null);
        let next = first["nextCursor"].as_str().unwrap();
        let second = get(format!("&order={order}&cursor={next}")).await;
        assert_eq!(second["nextCursor"], Value::Null);
        let back = second["previousCursor"].as_str().unwrap();
        let again = get(format!("&order={order}&cursor={back}")).await;
        assert_eq!(ids(&again), ids(&first), "{order}");
        assert_eq!(again["previousCursor"], Value::Null);
        assert_eq!(again["nextCursor"], next);
    }
    let at = all[1]["createdAt"].as_str().unwrap();
    let page = get(format!("&at={at}")).await;
    assert_eq!(ids(&page)[0], all[1]["id"]);
    assert!(page["previousCursor"].is_string());
    let page = get(format!("&order=asc&at={at}")).await;
    assert_eq!(ids(&page), [all[1]["id"].clone(), all[0]["id"].clone()]);
}
