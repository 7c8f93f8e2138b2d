//! The log at a distance: how many there were when, figures, and the story of a booking or a customer.

use rusqlite::Connection;
use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::Shop;

const MEMBERS: [&str; 5] = ["success", "waiting", "held", "failed", "other"];

async fn get(shop: &Shop, path: &str) -> Value {
    shop.full.get(path).await.is(200)
}

async fn histogram(shop: &Shop, filter: &str) -> Value {
    get(shop, &format!("/api/deliveries/histogram?{filter}")).await
}

/// All buckets together: success, waiting, held, failed, other.
fn sums(histogram: &Value) -> [u64; 5] {
    let buckets = histogram["buckets"].as_array().unwrap();
    MEMBERS.map(|member| {
        buckets
            .iter()
            .map(|bucket| bucket[member].as_u64().unwrap())
            .sum()
    })
}

/// Two that got through, one that failed, one that was closed, one that is held, and a test.
async fn shop_with_some(shop: Shop) -> (Shop, Receiver, String) {
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    for (id, name) in [("b1", "Maria Petersen"), ("b2", "J\\u00f6rg M\\u00fcller")] {
        let data = format!(
            r#"{{"bookingId":"{id}","customer":{{"name":"{name}","email":"{id}@example.com","phone":"+49 170 123456{}"}}}}"#,
            &id[1..]
        );
        let event = shop.event("booking.created", &data).await;
        shop.delivery_is(&event, "success").await;
    }
    receiver.behave(Behaviour::Status(500));
    for id in ["b3", "b4"] {
        let event = shop
            .event("booking.updated", &format!(r#"{{"bookingId":"{id}"}}"#))
            .await;
        let failed = shop.delivery_is(&event, "failed").await;
        if id == "b4" {
            let path = format!("/api/deliveries/{}/cancel", failed["id"].as_str().unwrap());
            shop.full.post(&path, &json!({})).await.is(200);
        }
    }
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .post(&format!("{path}/test"), &json!({}))
        .await
        .is(200);
    shop.full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    let event = shop.event("inventory.low", r#"{"sku":"soap"}"#).await;
    shop.delivery_is(&event, "held").await;
    (shop, receiver, webhook.id)
}

#[tokio::test]
async fn a_histogram_counts_what_the_list_counts_with_any_filter() {
    let (shop, _receiver, webhook) = shop_with_some(Shop::open().await).await;
    for (filter, expected) in [
        ("".into(), [2, 0, 1, 2, 1]),
        ("test=false".into(), [2, 0, 1, 1, 1]),
        ("test=true".into(), [0, 0, 0, 1, 0]),
        ("status=failed,held&test=false".into(), [0, 0, 1, 1, 0]),
        ("status=success".into(), [2, 0, 0, 0, 0]),
        ("eventType=booking.created".into(), [2, 0, 0, 0, 0]),
        (format!("webhookId={webhook}&subject=b4"), [0, 0, 0, 0, 1]),
        ("q=petersen".into(), [1, 0, 0, 0, 0]),
        ("q=soap&status=held".into(), [0, 0, 1, 0, 0]),
        ("channel=email".into(), [0; 5]),
        ("q=%21%3F".into(), [0; 5]),
        ("since=2100-01-01T00:00:00Z".into(), [0; 5]),
        ("until=2020-01-01T00:00:00Z".into(), [0; 5]),
    ] {
        let filter: String = filter;
        for buckets in ["", "&buckets=1", "&buckets=200"] {
            let found = histogram(&shop, &format!("{filter}{buckets}")).await;
            assert_eq!(sums(&found), expected, "{filter}{buckets}: {found}");
        }
        let total = get(&shop, &format!("/api/deliveries?{filter}")).await["total"]
            .as_u64()
            .unwrap();
        assert_eq!(expected.iter().sum::<u64>(), total, "{filter}");
    }
    let found = histogram(&shop, "test=false").await;
    assert!(
        found["sentence"]
            .as_str()
            .unwrap()
            .starts_with("1 failed, 1 held of 5 since "),
        "{found}"
    );
    assert_eq!(found["bucketSeconds"], 60);
    assert_eq!(found["from"], found["buckets"][0]["start"]);
}

#[tokio::test]
async fn buckets_of_days_begin_at_midnight_in_the_workspace_and_hold_what_was_queued_then() {
    let (shop, _receiver, _) = shop_with_some(Shop::alone().await).await;
    let path = format!("/api/workspaces/{}", shop.workspace);
    shop.owner
        .patch(&path, &json!({"timezone": "Europe/Berlin"}))
        .await
        .is(200);
    let times = [
        "2026-03-01T22:59:59Z", // Sunday in Berlin
        "2026-03-01T23:00:00Z", // Monday
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z", // the day with 23 hours
        "2026-03-30T21:59:59Z",
        "2026-03-30T22:00:00Z", // Tuesday in Berlin
    ];
    let shop = shop.restart_as(false, |home| {
        let db = Connection::open(home.path().join("signalbox.db")).unwrap();
        for (row, time) in times.iter().enumerate() {
            let at: jiff::Timestamp = time.parse().unwrap();
            db.execute(
                "UPDATE deliveries SET created_at = ?1 WHERE seq = (SELECT seq FROM deliveries ORDER BY seq LIMIT 1 OFFSET ?2)",
                (at.as_millisecond(), i64::try_from(row).unwrap()),
            )
            .unwrap();
        }
        home
    });
    for more in ["", "&channel=webhook"] {
        let found = histogram(
            &shop,
            &format!("since=2026-02-28T23:00:00Z&until=2026-03-31T22:00:00Z&buckets=31{more}"),
        )
        .await;
        assert_eq!(found["bucketSeconds"], 86_400);
        let all = |bucket: &Value| {
            MEMBERS
                .iter()
                .map(|member| bucket[member].as_u64().unwrap())
                .sum::<u64>()
        };
        let filled: Vec<_> = found["buckets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|bucket| all(bucket) > 0)
            .map(|bucket| (bucket["start"].as_str().unwrap(), all(bucket)))
            .collect();
        assert_eq!(
            filled,
            [
                ("2026-02-28T23:00:00.000Z", 1),
                ("2026-03-01T23:00:00.000Z", 1),
                ("2026-03-27T23:00:00.000Z", 1),
                ("2026-03-28T23:00:00.000Z", 1),
                ("2026-03-29T22:00:00.000Z", 1),
                ("2026-03-30T22:00:00.000Z", 1),
            ],
            "{more}"
        );
        let weeks = histogram(
            &shop,
            &format!("since=2026-02-28T23:00:00Z&until=2026-03-31T22:00:00Z&buckets=6{more}"),
        )
        .await;
        assert_eq!(weeks["bucketSeconds"], 604_800);
        assert_eq!(weeks["buckets"][1]["start"], "2026-03-01T23:00:00.000Z");
        assert_eq!(sums(&weeks).iter().sum::<u64>(), 6);
    }
}

#[tokio::test]
async fn a_histogram_refuses_what_it_has_not_and_what_belongs_to_a_page() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("buckets=0", "buckets"),
        ("buckets=201", "buckets"),
        ("buckets=many", "buckets"),
        ("buckets=1&buckets=2", "buckets"),
        ("status=lost", "status"),
        ("limit=5", "limit"),
        ("cursor=c1", "cursor"),
        ("at=2026-01-01T00:00:00Z", "at"),
        ("colour=red", "colour"),
    ] {
        shop.full
            .get(&format!("/api/deliveries/histogram?{query}"))
            .await
            .names_field(field);
    }
    for path in [
        "/api/deliveries/histogram",
        "/api/deliveries/export?format=csv",
        "/api/stats",
        "/api/story?subject=b1",
    ] {
        shop.events.get(path).await.is_problem(403);
    }
}

#[tokio::test]
async fn figures_tell_first_tries_from_what_retrying_rescued_and_leave_tests_out() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 1}))
        .await;
    for number in 0..18 {
        let event = shop
            .event(
                "booking.created",
                &format!(r#"{{"bookingId":"b{number}"}}"#),
            )
            .await;
        shop.delivery_is(&event, "success").await;
    }
    receiver.behave_on("/", [Behaviour::Status(500), Behaviour::Answer]);
    let event = shop
        .event("booking.created", r#"{"bookingId":"rescued"}"#)
        .await;
    shop.delivery_is(&event, "success").await;
    let few = get(&shop, "/api/stats").await;
    let row = &few["webhooks"][0];
    assert_eq!((&row["total"], &row["rescued"]), (&json!(19), &json!(1)));
    assert_eq!(
        (&row["firstTryRate"], &row["successRate"]),
        (&Value::Null, &Value::Null)
    );
    receiver.behave(Behaviour::Status(500));
    let event = shop
        .event("booking.created", r#"{"bookingId":"lost"}"#)
        .await;
    shop.delivery_is(&event, "failed").await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .post(&format!("{path}/test"), &json!({}))
        .await
        .is(200);
    shop.full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    let event = shop
        .event("booking.created", r#"{"bookingId":"held"}"#)
        .await;
    let held = shop.delivery_is(&event, "held").await;

    let found = get(&shop, "/api/stats").await;
    assert_eq!(
        found["sentence"],
        "95 % of 20 got through, 1 of them by retrying; 1 did not."
    );
    for row in [&found["webhooks"][0], &found["channels"][0]] {
        assert_eq!(row["total"], 21);
        assert_eq!(
            (
                &row["counts"]["success"],
                &row["counts"]["failed"],
                &row["counts"]["held"]
            ),
            (&json!(19), &json!(1), &json!(1))
        );
        assert_eq!(
            (&row["firstTryRate"], &row["successRate"], &row["rescued"]),
            (&json!(0.9), &json!(0.95), &json!(1))
        );
        assert!(
            row["p50Ms"].as_u64() <= row["p95Ms"].as_u64() && row["p95Ms"].is_u64(),
            "{row}"
        );
        assert_eq!(row["oldestWaiting"], held["createdAt"]);
        let days = row["days"].as_array().unwrap();
        assert_eq!(days.len(), 8, "today and the seven days it was asked for");
        assert_eq!(
            (&days[7]["success"], &days[7]["failed"], &days[7]["held"]),
            (&json!(19), &json!(1), &json!(1))
        );
    }
    assert_eq!(found["webhooks"][0]["webhookId"], webhook.id);
    assert_eq!(
        (
            &found["webhooks"][0]["name"],
            &found["channels"][0]["channel"]
        ),
        (&json!("Cash desk"), &json!("webhook"))
    );
    let later = get(&shop, "/api/stats?since=2100-01-01T00:00:00Z").await;
    assert_eq!(later["sentence"], "Nothing was sent in this time.");
    assert_eq!(later["webhooks"][0]["total"], 0);
    assert_eq!(
        later["webhooks"][0]["oldestWaiting"], held["createdAt"],
        "however long ago"
    );
    shop.full
        .get("/api/stats?since=monday")
        .await
        .names_field("since");
    shop.full
        .get("/api/stats?until=2026-01-01T00:00:00Z")
        .await
        .names_field("until");
}

#[tokio::test]
async fn the_story_of_a_booking_is_told_in_the_order_of_time_newest_part_first() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let mut events = Vec::new();
    for kind in ["booking.created", "booking.updated", "booking.cancelled"] {
        let event = shop
            .event(
                kind,
                r#"{"bookingId":"1047","customer":{"name":"Maria Petersen"}}"#,
            )
            .await;
        shop.delivery_is(&event, "success").await;
        events.push(event);
    }
    let other = shop
        .event("booking.created", r#"{"bookingId":"10470"}"#)
        .await;
    shop.delivery_is(&other, "success").await;
    let story = get(&shop, "/api/story?subject=1047").await;
    assert_eq!(story["title"], "Booking 1047");
    let told: Vec<_> = story["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["eventId"].as_str().unwrap())
        .collect();
    assert_eq!(told, events);
    let step = &story["steps"][1];
    assert_eq!(
        (&step["label"], &step["what"]),
        (&json!("Booking changed"), &json!("Maria Petersen"))
    );
    assert_eq!(step["deliveries"][0]["who"], "Cash desk");
    let sentence = story["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with(
            "3 things happened; everybody was told. Last, Booking cancelled: Cash desk received it "
        ),
        "{sentence}"
    );
    assert_eq!(story["nextCursor"], Value::Null);

    let newest = get(&shop, "/api/story?subject=1047&limit=2").await;
    let ids = |story: &Value| -> Vec<String> {
        story["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["eventId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&newest), events[1..]);
    let before = get(
        &shop,
        &format!(
            "/api/story?subject=1047&limit=2&cursor={}",
            newest["nextCursor"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(ids(&before), events[..1]);
    assert_eq!(before["nextCursor"], Value::Null);

    receiver.behave(Behaviour::Status(500));
    let failed = shop.event("inventory.low", r#"{"sku":"soap"}"#).await;
    shop.delivery_is(&failed, "failed").await;
    let story = get(&shop, "/api/story?subject=soap").await;
    assert_eq!(story["title"], "Article soap");
    assert!(
        story["sentence"]
            .as_str()
            .unwrap()
            .starts_with("Cash desk failed "),
        "{story}"
    );
    let nothing = get(&shop, "/api/story?subject=none").await;
    assert_eq!(
        (&nothing["sentence"], &nothing["steps"]),
        (&json!("Nothing is known of none."), &json!([]))
    );
}

#[tokio::test]
async fn a_customer_is_found_by_name_email_and_phone_in_any_spelling() {
    let (shop, _receiver, _) = shop_with_some(Shop::open().await).await;
    // On one page with Maria, but another person.
    shop.event("form.submitted", r#"{"submissionId":"f1","fields":{"who":"Maria Jones","friend":"Ann Petersen","mail":"b1@example.com.evil"}}"#).await;
    for (asked, title) in [
        ("Maria%20Petersen", "Maria Petersen"),
        ("petersen%20maria", "Maria Petersen"),
        ("B1@Example.com", "Maria Petersen"),
        ("0170%201234561", "Maria Petersen"),
        ("%2B491701234561", "Maria Petersen"),
        ("0170-123%2045%2062", "Jörg Müller"),
        ("jorg%20muller", "Jörg Müller"),
    ] {
        let story = get(&shop, &format!("/api/story?customer={asked}")).await;
        assert_eq!(story["title"], title, "{asked}: {story}");
        assert_eq!(story["steps"].as_array().unwrap().len(), 1, "{asked}");
        assert!(
            story["sentence"]
                .as_str()
                .unwrap()
                .starts_with("Cash desk received it "),
            "{asked}"
        );
    }
    for asked in ["Maria%20Peters", "0170%201234569", "Maria%20b2"] {
        let story = get(&shop, &format!("/api/story?customer={asked}")).await;
        assert_eq!(story["steps"], json!([]), "{asked}");
    }
    let recipient = shop.deliveries("limit=1").await[0]["recipient"]
        .as_str()
        .unwrap()
        .to_owned();
    let about = format!("/api/story?recipient={recipient}");
    let everything = get(&shop, &about).await;
    assert_eq!(
        everything["steps"].as_array().unwrap().len(),
        6,
        "with the form, and without the test"
    );
    let some = get(&shop, &format!("{about}&limit=4")).await;
    let rest = get(
        &shop,
        &format!(
            "{about}&limit=4&cursor={}",
            some["nextCursor"].as_str().unwrap()
        ),
    )
    .await;
    let all: Vec<_> = [&rest, &some]
        .iter()
        .flat_map(|part| part["steps"].as_array().unwrap())
        .map(|step| &step["eventId"])
        .collect();
    assert_eq!(
        all,
        everything["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| &step["eventId"])
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_story_is_about_one_thing() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("", "subject"),
        ("subject=", "subject"),
        ("subject=a&customer=b", "subject"),
        ("recipient=a&customer=b", "recipient"),
        ("customer=%3F%21", "customer"),
        ("subject=a&limit=0", "limit"),
        ("subject=a&cursor=x", "cursor"),
        ("about=a", "about"),
    ] {
        shop.full
            .get(&format!("/api/story?{query}"))
            .await
            .names_field(field);
    }
}

#[tokio::test]
async fn the_command_line_tells_figures_and_stories_with_and_without_an_owner() {
    let (shop, _receiver, _) = shop_with_some(Shop::alone().await).await;
    let name = shop.workspace.clone();
    let ask = |shop: &Shop, arguments: &[&str]| {
        let mut all = vec!["--workspace", &name];
        all.extend(arguments);
        let output = shop.serve.home().run(&all);
        output.exits(0);
        output
    };
    let stats = ask(&shop, &["stats", "--json"]).json();
    assert_eq!(stats["webhooks"][0]["counts"]["success"], 2);
    assert!(ask(&shop, &["stats"]).stdout.contains("Cash desk"));
    let story = ask(&shop, &["story", "Maria Petersen", "--json"]).json();
    assert_eq!(story["title"], "Maria Petersen");
    assert!(
        ask(&shop, &["story", "--subject", "b1"])
            .stdout
            .contains("New booking")
    );
    let chart = ask(
        &shop,
        &[
            "deliveries",
            "histogram",
            "--status",
            "failed",
            "--test",
            "false",
            "--json",
        ],
    )
    .json();
    assert_eq!(
        chart["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["failed"].as_u64().unwrap())
            .sum::<u64>(),
        1
    );
    assert!(
        ask(&shop, &["deliveries", "histogram"])
            .stdout
            .contains(" of 6 since ")
    );
    let home = shop.serve.home();
    home.run(&["story"]).exits(2);
    home.run(&["story", "a", "--subject", "b"]).exits(2);
    home.run(&["--workspace", &name, "story", "?!"]).exits(1);
}
