//! Taking an event: what is accepted, what is refused and how, idempotency, batches, event types.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use signalbox_tests::{Answer, Shop};

#[tokio::test]
async fn an_event_is_accepted_stored_and_readable() {
    let shop = Shop::open().await;
    let data = json!({"bookingId": "1047", "title": "Cut", "customer": {"name": "Maria"}});
    let accepted = shop
        .events
        .post(
            "/api/events",
            &json!({"type": "booking.created", "data": data, "occurredAt": "2026-11-20T09:00:00Z"}),
        )
        .await
        .is(202);
    assert_eq!(accepted["success"], true);
    assert_eq!(accepted["duplicate"], false);
    assert_eq!(accepted["deliveries"], 0);
    assert!(accepted["warnings"].is_array());
    let id = accepted["eventId"].as_str().unwrap();
    assert!(id.starts_with("evt_"), "{id}");
    let event = shop.full.get(&format!("/api/events/{id}")).await.is(200)["event"].clone();
    assert_eq!(event["type"], "booking.created");
    assert_eq!(event["subject"], "1047");
    assert_eq!(event["data"], data);
    assert_eq!(event["deliveries"], json!([]));
    assert!(
        event["occurredAt"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-20T09:00:00")
    );
}

#[tokio::test]
async fn the_subject_is_the_first_known_id_in_the_data_unless_it_is_given() {
    let shop = Shop::open().await;
    for (body, subject) in [
        (
            json!({"type": "booking.created", "data": {"id": "x", "bookingId": "b"}}),
            json!("b"),
        ),
        (
            json!({"type": "contact.created", "data": {"sku": "s", "contactId": "c"}}),
            json!("c"),
        ),
        (
            json!({"type": "inventory.low", "data": {"id": 7, "sku": "s"}}),
            json!("s"),
        ),
        (
            json!({"type": "contact.created", "data": {"contactId": "c"}, "subject": "given"}),
            json!("given"),
        ),
        (json!({"type": "contact.created", "data": {}}), Value::Null),
    ] {
        let id = shop.events.post("/api/events", &body).await.is(202)["eventId"].clone();
        let event = shop
            .full
            .get(&format!("/api/events/{}", id.as_str().unwrap()))
            .await
            .is(200);
        assert_eq!(event["event"]["subject"], subject, "{body}");
    }
}

#[tokio::test]
async fn an_undeclared_type_is_422_with_the_nearest_known_type() {
    let shop = Shop::open().await;
    let error = shop
        .give("booking.create", r#"{"id":"near"}"#)
        .await
        .names_field("type");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("booking.created"),
        "{error}"
    );
    let stored = shop.full.get("/api/events?subject=near").await.is(200);
    assert_eq!(stored["events"], json!([]));
}

#[tokio::test]
async fn a_wrong_event_is_422_with_the_path_of_the_field() {
    let shop = Shop::open().await;
    for (body, path) in [
        (json!({"data": {}}), "type"),
        (json!({"type": "", "data": {}}), "type"),
        (json!({"type": 5, "data": {}}), "type"),
        (json!({"type": "Booking Created", "data": {}}), "type"),
        (json!({"type": "webhook.test", "data": {}}), "type"),
        (json!({"type": "contact.created"}), "data"),
        (json!({"type": "contact.created", "data": null}), "data"),
        (json!({"type": "contact.created", "data": []}), "data"),
        (json!({"type": "contact.created", "data": "text"}), "data"),
        (json!({"type": "contact.created", "data": 5}), "data"),
        (
            json!({"type": "contact.created", "data": {}, "occurredAt": "yesterday"}),
            "occurredAt",
        ),
        (
            json!({"type": "contact.created", "data": {}, "subject": 5}),
            "subject",
        ),
        (
            json!({"type": "contact.created", "data": {}, "idempotencyKey": 5}),
            "idempotencyKey",
        ),
    ] {
        let answer = shop.events.post("/api/events", &body).await;
        let answer = Answer {
            asked: format!("POST /api/events {body}"),
            ..answer
        };
        answer.names_field(path);
    }
    for body in ["[]", "5", "null", "\"text\""] {
        let answer = shop.events.post_bytes("/api/events", body).await;
        assert!(
            matches!(answer.status, 400 | 422),
            "{body}: {}",
            answer.text()
        );
    }
    let stored = shop.full.get("/api/events").await.is(200);
    assert_eq!(
        stored["events"],
        json!([]),
        "a refused event left something behind"
    );
}

#[tokio::test]
async fn data_over_256_kibibytes_is_413_and_exactly_256_is_taken() {
    let shop = Shop::open().await;
    let data = |bytes: usize| format!(r#"{{"id":"{}"}}"#, "x".repeat(bytes - 9));
    assert_eq!(data(1000).len(), 1000);
    shop.give("contact.created", &data(256 * 1024 + 1))
        .await
        .is_problem(413);
    assert_eq!(
        shop.full.get("/api/events").await.is(200)["events"],
        json!([])
    );
    shop.give("contact.created", &data(256 * 1024))
        .await
        .is(202);
}

#[tokio::test]
async fn a_schema_only_warns() {
    let shop = Shop::open().await;
    let accepted = shop
        .give(
            "booking.created",
            r#"{"bookingId":"1","startTime":"half past nine","unknown":1}"#,
        )
        .await
        .is(202);
    let warnings = accepted["warnings"].as_array().unwrap();
    let warning = warnings
        .iter()
        .find(|warning| {
            warning["path"]
                .as_str()
                .unwrap_or_default()
                .ends_with("startTime")
        })
        .unwrap_or_else(|| panic!("no warning about startTime: {accepted}"));
    assert!(warning["message"].is_string() && warning["code"].is_string());
}

#[tokio::test]
async fn the_same_key_again_is_the_first_answer_and_queues_nothing() {
    let shop = Shop::open().await;
    shop.webhook("http://127.0.0.1:9/").await;
    let body =
        json!({"type": "contact.created", "data": {"contactId": "c"}, "idempotencyKey": "order-1"});
    let first = shop.events.post("/api/events", &body).await.is(202);
    let again = shop.events.post("/api/events", &body).await.is(200);
    assert_eq!(again["eventId"], first["eventId"]);
    assert_eq!(again["duplicate"], true);
    let event = first["eventId"].as_str().unwrap();
    assert_eq!(shop.deliveries(&format!("eventId={event}")).await.len(), 1);
}

#[tokio::test]
async fn the_key_may_come_as_a_header() {
    let shop = Shop::open().await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "h-1"),
    ];
    let body = Bytes::from_static(br#"{"type":"contact.created","data":{"contactId":"c"}}"#);
    let first = shop
        .events
        .send(Method::POST, "/api/events", &headers, Some(body.clone()))
        .await
        .is(202);
    let again = shop
        .events
        .send(Method::POST, "/api/events", &headers, Some(body))
        .await
        .is(200);
    assert_eq!(again["eventId"], first["eventId"]);
    let in_body =
        json!({"type": "contact.created", "data": {"contactId": "c"}, "idempotencyKey": "h-1"});
    let as_member = shop.events.post("/api/events", &in_body).await.is(200);
    assert_eq!(as_member["eventId"], first["eventId"]);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_422_and_changes_nothing() {
    let shop = Shop::open().await;
    let body = |id: &str| json!({"type": "contact.created", "data": {"contactId": id}, "idempotencyKey": "k"});
    shop.events.post("/api/events", &body("one")).await.is(202);
    let problem = shop
        .events
        .post("/api/events", &body("two"))
        .await
        .is_problem(422);
    assert_eq!(
        problem["errors"][0]["code"], "idempotency_key_reused",
        "{problem}"
    );
    let stored = shop.full.get("/api/events").await.is(200);
    assert_eq!(stored["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_remembered_over_a_crash() {
    let shop = Shop::alone().await;
    let body =
        json!({"type": "contact.created", "data": {"contactId": "c"}, "idempotencyKey": "order-1"});
    let first = shop.events.post("/api/events", &body).await.is(202);
    let shop = shop.restart(true);
    let again = shop.events.post("/api/events", &body).await.is(200);
    assert_eq!(again["eventId"], first["eventId"]);
    let other =
        json!({"type": "contact.created", "data": {"contactId": "d"}, "idempotencyKey": "order-1"});
    shop.events
        .post("/api/events", &other)
        .await
        .is_problem(422);
}

#[tokio::test]
async fn the_same_key_at_the_same_moment_makes_one_event() {
    let shop = Shop::open().await;
    let body =
        json!({"type": "contact.created", "data": {"contactId": "c"}, "idempotencyKey": "race"});
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (events, body) = (shop.events.clone(), body.clone());
            tokio::spawn(async move { events.post("/api/events", &body).await })
        })
        .collect();
    let mut ids = Vec::new();
    let mut created = 0;
    for caller in callers {
        let answer = caller.await.unwrap();
        created += u32::from(answer.status == 202);
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
        ids.push(answer.json()["eventId"].clone());
    }
    ids.dedup();
    assert_eq!((created, ids.len()), (1, 1));
}

#[tokio::test]
async fn two_workspaces_may_use_the_same_key() {
    let shop = Shop::open().await;
    let other = Shop::on(shop.serve.clone()).await;
    let body =
        json!({"type": "contact.created", "data": {"contactId": "c"}, "idempotencyKey": "k"});
    shop.events.post("/api/events", &body).await.is(202);
    other.events.post("/api/events", &body).await.is(202);
}

#[tokio::test]
async fn a_batch_of_lines_answers_one_result_a_row_in_order() {
    let shop = Shop::open().await;
    let rows = concat!(
        "{\"type\":\"contact.created\",\"data\":{\"contactId\":\"a\"}}\n",
        "{\"type\":\"no.such\",\"data\":{}}\n",
        "this is no JSON\n",
        "{\"type\":\"contact.created\",\"data\":[]}\r\n",
        "\n",
        "{\"type\":\"contact.created\",\"data\":{\"contactId\":\"b\"}}",
    );
    let headers = [("content-type", "application/x-ndjson")];
    let answer = shop
        .events
        .send(
            Method::POST,
            "/api/events/batch",
            &headers,
            Some(rows.into()),
        )
        .await;
    let results = answer.is(202)["results"].as_array().cloned().unwrap();
    let succeeded: Vec<_> = results.iter().map(|row| row["success"] == true).collect();
    assert_eq!(succeeded, [true, false, false, false, true], "{results:?}");
    assert!(results[1]["errors"][0]["path"].is_string(), "{results:?}");
    let stored = shop.full.get("/api/events").await.is(200);
    assert_eq!(stored["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_batch_may_be_an_array_and_keeps_each_rows_bytes() {
    let shop = Shop::open().await;
    let receiver = signalbox_practice::Receiver::start(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    shop.webhook(&receiver.url()).await;
    let bodies = [
        "{\"contactId\":\"a\",\"n\":1e2}",
        "{ \"contactId\" : \"b\" }",
    ];
    let rows: Vec<_> = bodies
        .iter()
        .map(|data| format!(r#"{{"type":"contact.created","data":{data}}}"#))
        .collect();
    let answer = shop
        .events
        .post_bytes("/api/events/batch", format!("[{}]", rows.join(" ,\n")))
        .await;
    let results = answer.is(202)["results"].as_array().cloned().unwrap();
    assert!(
        results
            .iter()
            .all(|row| row["success"] == true && row["eventId"].is_string())
    );
    let calls = Shop::calls(&receiver, 2).await;
    let mut arrived: Vec<_> = calls.iter().map(|call| call.body.clone()).collect();
    arrived.sort();
    let mut expected = bodies.map(|body| Bytes::from_static(body.as_bytes()));
    expected.sort();
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn a_batch_takes_1000_rows_and_refuses_1001() {
    let shop = Shop::open().await;
    let rows = |count: usize| -> String {
        (0..count)
            .map(|row| {
                format!("{{\"type\":\"contact.created\",\"data\":{{\"contactId\":\"{row}\"}}}}\n")
            })
            .collect()
    };
    let headers = [("content-type", "application/x-ndjson")];
    let send = |body: String| {
        shop.events.send(
            Method::POST,
            "/api/events/batch",
            &headers,
            Some(body.into()),
        )
    };
    send(rows(1001)).await.is_problem(422);
    assert_eq!(
        shop.full.get("/api/events").await.is(200)["events"],
        json!([])
    );
    let results = send(rows(1000)).await.is(202)["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 1000);
    assert!(
        results
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["success"] == true)
    );
}

#[tokio::test]
async fn an_empty_batch_is_422() {
    let shop = Shop::open().await;
    shop.events
        .post_bytes("/api/events/batch", "[]")
        .await
        .is_problem(422);
    for body in ["", "\n\n"] {
        let headers = [("content-type", "application/x-ndjson")];
        let answer = shop
            .events
            .send(
                Method::POST,
                "/api/events/batch",
                &headers,
                Some(body.into()),
            )
            .await;
        answer.is_problem(422);
    }
}

#[tokio::test]
async fn a_batch_may_be_larger_than_one_mebibyte_but_not_than_sixteen() {
    let shop = Shop::open().await;
    let row = format!(
        "{{\"type\":\"contact.created\",\"data\":{{\"contactId\":\"x\",\"t\":\"{}\"}}}}\n",
        "x".repeat(200 * 1024)
    );
    let headers = [("content-type", "application/x-ndjson")];
    let answer = shop
        .events
        .send(
            Method::POST,
            "/api/events/batch",
            &headers,
            Some(row.repeat(10).into()),
        )
        .await;
    answer.is(202);
    let answer = shop
        .events
        .send(
            Method::POST,
            "/api/events/batch",
            &headers,
            Some(row.repeat(85).into()),
        )
        .await;
    answer.is_problem(413);
}

#[tokio::test]
async fn a_key_works_inside_a_batch_too() {
    let shop = Shop::open().await;
    let row = r#"{"type":"contact.created","data":{"contactId":"a"},"idempotencyKey":"b-1"}"#;
    let answer = shop
        .events
        .post_bytes("/api/events/batch", format!("[{row},{row}]"))
        .await;
    let results = answer.is(202)["results"].clone();
    assert_eq!(results[0]["eventId"], results[1]["eventId"], "{results}");
    assert_eq!(results[0]["duplicate"], false);
    assert_eq!(results[1]["duplicate"], true);
}

#[tokio::test]
async fn the_catalogue_holds_the_types_of_the_contract_with_samples_that_fit() {
    let shop = Shop::open().await;
    let types = shop.events.get("/api/event-types").await.is(200)["eventTypes"].clone();
    for name in [
        "booking.created",
        "booking.updated",
        "booking.cancelled",
        "contact.created",
        "form.submitted",
        "inventory.low",
        "message.received",
    ] {
        let found = types
            .as_array()
            .unwrap()
            .iter()
            .find(|known| known["type"] == name);
        let known = found.unwrap_or_else(|| panic!("{name} is missing"));
        assert!(known["label"].is_string() && known["schema"]["properties"].is_object());
        let accepted = shop.give(name, &known["example"].to_string()).await.is(202);
        assert_eq!(
            accepted["warnings"],
            json!([]),
            "the sample of {name} does not fit its own schema"
        );
    }
}

#[tokio::test]
async fn a_declared_type_is_accepted_from_then_on_and_only_in_its_workspace() {
    let shop = Shop::open().await;
    let other = Shop::on(shop.serve.clone()).await;
    let body = json!({"type": "table.reserved", "description": "A table", "example": {"id": "1"}});
    shop.full.post("/api/event-types", &body).await.is(201);
    shop.give("table.reserved", r#"{"id":"1"}"#).await.is(202);
    other
        .give("table.reserved", r#"{"id":"1"}"#)
        .await
        .is_problem(422);
    let types = shop.full.get("/api/event-types").await.is(200)["eventTypes"].clone();
    let known = types
        .as_array()
        .unwrap()
        .iter()
        .find(|known| known["type"] == "table.reserved");
    assert_eq!(known.expect("it is listed")["declared"], true);
    for wrong in [
        "Table",
        "table",
        "table.",
        ".x",
        "table reserved.x",
        "webhook.test",
        "booking.created",
    ] {
        let answer = shop
            .full
            .post("/api/event-types", &json!({"type": wrong}))
            .await;
        assert!(
            matches!(answer.status, 409 | 422),
            "{wrong}: {}",
            answer.status
        );
    }
}

#[tokio::test]
async fn events_are_listed_page_by_page_and_filtered() {
    let shop = Shop::open().await;
    for number in 0..5 {
        shop.event(
            "contact.created",
            &format!(r#"{{"contactId":"c{number}"}}"#),
        )
        .await;
    }
    shop.event("inventory.low", r#"{"sku":"soap"}"#).await;
    let subjects = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["subject"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = shop
        .full
        .get("/api/events?type=contact.created&limit=3")
        .await
        .is(200);
    assert_eq!(subjects(&first), ["c4", "c3", "c2"]);
    let cursor = first["nextCursor"].as_str().expect("there is more");
    let second = shop
        .full
        .get(&format!(
            "/api/events?type=contact.created&limit=3&cursor={cursor}"
        ))
        .await
        .is(200);
    assert_eq!(subjects(&second), ["c1", "c0"]);
    assert_eq!(second["nextCursor"], Value::Null);
    let soap = shop.full.get("/api/events?subject=soap").await.is(200);
    assert_eq!(subjects(&soap), ["soap"]);
    shop.full
        .get("/api/events?limit=nonsense")
        .await
        .is_problem(422);
    shop.full
        .get("/api/events?cursor=nonsense")
        .await
        .is_problem(422);
}
