//! One booking, one story: gathered, planned, held back, written anew, rehearsed, sent again.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Fault, Step};

use crate::salon::{LIST, Salon, add, all_are, booking, email, entry, file, id, text, until};

fn later(minutes: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    at.to_string()
}

async fn sent_emails(salon: &Salon) -> Vec<String> {
    let emails = salon.sendgrid.emails();
    emails
        .iter()
        .map(|mail| mail.body["subject"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn changes_are_gathered_and_only_the_newest_is_told() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"event": ["booking.created", "booking.updated"], "gatherSeconds": 2,
        "action": {"kind": "email", "to": "{{ customer.email }}", "subject": "{{ event.type }} {{ title }}", "text": "Hi"}}))
    .await;
    let of = format!("automationId={}", id(&made));
    shop.event("booking.created", &booking("1").to_string())
        .await;
    until(
        shop,
        &of,
        "what was created goes at once",
        all_are("success", 1),
    )
    .await;
    for title in ["first", "second", "third"] {
        let mut data = booking("1");
        data["title"] = json!(title);
        shop.event("booking.updated", &data.to_string()).await;
    }
    let rows = until(shop, &of, "the newest goes", |rows| {
        rows.len() == 4 && rows[3]["status"] == "success"
    })
    .await;
    for row in &rows[1..3] {
        assert_eq!(row["status"], "skipped");
        assert_eq!(row["statusReason"], "superseded");
    }
    assert_eq!(
        sent_emails(&salon).await,
        ["booking.created Cut and colour", "booking.updated third"]
    );
    let other = booking("2");
    shop.event("booking.updated", &other.to_string()).await;
    let rows = shop.deliveries(&format!("{of}&subject=2")).await;
    assert_eq!(rows[0]["status"], "pending");
    assert!(rows[0]["dueAt"].is_string());
    let word = rows[0]["state"]["word"].as_str().unwrap();
    assert!(word.starts_with("Planned, "), "{word}");
    // What was cancelled is not told of its change any more, also where nobody listens to that.
    shop.event("booking.cancelled", &other.to_string()).await;
    let rows = shop.deliveries(&format!("{of}&subject=2")).await;
    assert_eq!(rows[0]["statusReason"], "superseded", "{rows:?}");
}

#[tokio::test]
async fn a_reminder_is_planned_moves_with_the_booking_and_goes_with_it() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(
        shop,
        json!({"event": ["booking.created", "booking.updated"], "action": text(),
        "relativeTo": {"field": "startTime", "minutes": -1440}}),
    )
    .await;
    let of = format!("automationId={}&channel=sms", id(&made));
    let mut data = booking("1");
    data["startTime"] = json!(later(3 * 1440));
    shop.event("booking.created", &data.to_string()).await;
    let first = shop.deliveries(&of).await.remove(0);
    assert_eq!(first["status"], "pending");
    let due: jiff::Timestamp = first["dueAt"].as_str().unwrap().parse().unwrap();
    let expected: jiff::Timestamp = data["startTime"].as_str().unwrap().parse().unwrap();
    let before = expected.duration_since(due).as_mins();
    assert!((1439..=1440).contains(&before), "{before}");
    let detail = shop.delivery(first["id"].as_str().unwrap()).await;
    assert!(
        detail["sentence"]
            .as_str()
            .unwrap()
            .starts_with("Planned for"),
        "{detail}"
    );

    data["startTime"] = json!(later(5 * 1440));
    shop.event("booking.updated", &data.to_string()).await;
    let rows = shop.deliveries(&of).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["statusReason"], "superseded");
    assert_eq!(rows[0]["status"], "pending");
    assert_ne!(rows[0]["dueAt"], first["dueAt"]);

    data["startTime"] = json!(later(60));
    shop.event("booking.updated", &data.to_string()).await;
    let rows = shop.deliveries(&of).await;
    assert_eq!(rows[0]["status"], "skipped");
    assert_eq!(rows[0]["statusReason"], "too_late");
    let late = shop.delivery(rows[0]["id"].as_str().unwrap()).await;
    assert!(
        late["sentence"].as_str().unwrap().starts_with("Too late"),
        "{late}"
    );
    assert_eq!(rows[1]["statusReason"], "superseded");

    let mut other = booking("2");
    other["startTime"] = json!(later(5 * 1440));
    shop.event("booking.created", &other.to_string()).await;
    shop.event("booking.cancelled", &other.to_string()).await;
    let rows = shop.deliveries(&format!("{of}&subject=2")).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["statusReason"], "superseded");
    let mut third = booking("3");
    third.as_object_mut().unwrap().remove("startTime");
    shop.event("booking.created", &third.to_string()).await;
    let rows = shop.deliveries(&format!("{of}&subject=3")).await;
    assert_eq!(rows[0]["statusReason"], "missing_value");
    assert!(salon.twilio.texts().is_empty());
}

#[tokio::test]
async fn what_is_planned_far_ahead_keeps_nothing_else_waiting_and_is_not_let_go_with_the_rest() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    add(shop, json!({"name": "Reminder", "relativeTo": {"field": "startTime", "minutes": -60},
        "action": {"kind": "email", "to": "{{ customer.email }}", "subject": "Reminder", "text": "Hi"}}))
    .await;
    let made = add(shop, json!({"name": "At once"})).await;
    let mut data = booking("1");
    data["startTime"] = json!(later(5 * 1440));
    shop.event("booking.created", &data.to_string()).await;
    let of = format!("automationId={}", id(&made));
    until(
        shop,
        &of,
        "the later one is not behind",
        all_are("success", 1),
    )
    .await;
    // Paused and resumed: what is planned is not held by that, and not sent because of it.
    for is_active in [false, true] {
        shop.full
            .patch("/api/integrations/email", &json!({"isActive": is_active}))
            .await
            .is(200);
        shop.event("booking.created", &booking("2").to_string())
            .await;
    }
    until(
        shop,
        &format!("{of}&subject=2"),
        "both went out",
        all_are("success", 2),
    )
    .await;
    let rows = shop.deliveries("channel=email&status=pending").await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(!sent_emails(&salon).await.contains(&"Reminder".to_owned()));
}

#[tokio::test]
async fn what_waits_is_written_anew_once_its_text_is_changed() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"action": {"kind": "email", "to": "{{ customer.email }}", "subject": "{{ customer.vip }}", "text": "Hi"}})).await;
    let path = format!("{LIST}/{}", id(&made));
    let of = format!("automationId={}", id(&made));
    shop.event("booking.created", &booking("1").to_string())
        .await;
    let held = shop.deliveries(&of).await.remove(0);
    assert_eq!(held["statusReason"], "missing_value");
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = &problems["problems"][0];
    assert_eq!(card["cause"], "missing_value", "{problems}");
    assert_eq!(card["automationId"], made["id"]);
    assert!(card["title"].as_str().unwrap().contains("customer.vip"));
    assert_eq!(card["first"][0]["id"], held["id"]);

    let mended = json!({"kind": "email", "to": "{{ customer.email }}", "subject": "{{ customer.vip | default(\"Mended\") }}", "text": "Hi"});
    let changed = shop
        .full
        .patch(&path, &json!({"action": mended}))
        .await
        .is(200);
    assert_eq!(changed["renderedAnew"], 1, "{changed}");
    let rows = until(shop, &of, "it goes out by itself", all_are("success", 1)).await;
    assert_eq!(rows[0]["automationVersion"], 2);
    assert_eq!(sent_emails(&salon).await, ["Mended"]);
    assert_eq!(
        shop.full.get("/api/problems").await.is(200)["problems"],
        json!([])
    );

    shop.full
        .patch(&path, &json!({"delayMinutes": 60}))
        .await
        .is(200);
    shop.event("booking.created", &booking("2").to_string())
        .await;
    let planned = shop.deliveries(&format!("{of}&subject=2")).await.remove(0);
    assert_eq!(planned["status"], "pending");
    let second = json!({"action": {"kind": "email", "to": "jo@example.com", "subject": "Second", "text": "Hi"}});
    let changed = shop.full.patch(&path, &second).await.is(200);
    assert_eq!(changed["renderedAnew"], 1);
    let again = shop.delivery(planned["id"].as_str().unwrap()).await;
    assert_eq!(again["recipient"], "jo@example.com");
    assert_eq!(again["automationVersion"], 3);
    assert!(again["body"].as_str().unwrap().contains("Second"));
    assert_eq!(again["dueAt"], planned["dueAt"]);
    let off = shop
        .full
        .patch(&path, &json!({"isActive": false}))
        .await
        .is(200);
    assert_eq!(off["dropped"], 1, "{off}");
    let closed = shop.delivery(planned["id"].as_str().unwrap()).await;
    assert_eq!(closed["status"], "cancelled");
    assert_eq!(closed["statusReason"], "by_owner");
}

#[tokio::test]
async fn quiet_hours_put_texts_off_to_their_end() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let workspace = format!("/api/workspaces/{}", shop.workspace);
    let bad = json!({"quietHours": {"from": "late", "to": "08:00"}});
    shop.owner
        .patch(&workspace, &bad)
        .await
        .names_field("quietHours");
    let bad = json!({"messageLimit": 0});
    shop.owner
        .patch(&workspace, &bad)
        .await
        .names_field("messageLimit");
    let now = jiff::Timestamp::now();
    let clock = |minutes: i64| {
        let at = now + jiff::SignedDuration::from_mins(minutes);
        at.to_string()[11..16].to_owned()
    };
    let quiet = json!({"timezone": "UTC", "quietHours": {"from": clock(-60), "to": clock(60)}});
    let set = shop.owner.patch(&workspace, &quiet).await.is(200);
    assert_eq!(set["workspace"]["quietHours"], quiet["quietHours"], "{set}");
    add(shop, json!({"name": "Text", "action": text()})).await;
    add(shop, json!({"name": "Email"})).await;
    let event = shop
        .event("booking.created", &booking("1").to_string())
        .await;
    let rows = until(
        shop,
        &format!("eventId={event}"),
        "the email goes",
        |rows| {
            rows.iter()
                .any(|row| row["channel"] == "email" && row["status"] == "success")
        },
    )
    .await;
    let text = rows.iter().find(|row| row["channel"] == "sms").unwrap();
    assert_eq!(text["status"], "pending", "{text}");
    assert_eq!(text["dueAt"].as_str().unwrap()[11..16], clock(60));
    shop.owner
        .patch(&workspace, &json!({"quietHours": null}))
        .await
        .is(200);
    let second = shop
        .event("booking.created", &booking("2").to_string())
        .await;
    until(
        shop,
        &format!("eventId={second}&channel=sms"),
        "without quiet hours texts go",
        |rows| rows.len() == 1 && rows[0]["status"] == "success",
    )
    .await;
}

#[tokio::test]
async fn eighteen_hundred_imported_contacts_are_held_and_send_none_leaves_the_log_honest() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"name": "Welcome", "event": "contact.created",
        "action": {"kind": "email", "to": "{{ email }}", "subject": "Welcome", "text": "Hi {{ name }}"}}))
    .await;
    let of = format!("automationId={}", id(&made));
    for batch in 0..2 {
        let rows: Vec<Value> = (0..900)
            .map(|n| {
                let n = batch * 900 + n;
                json!({"type": "contact.created", "data": {"contactId": format!("c{n}"), "name": "Jo", "email": format!("jo{n}@example.com")}})
            })
            .collect();
        let accepted = shop
            .events
            .post("/api/events/batch", &json!(rows))
            .await
            .is(202);
        let results = accepted["results"].as_array().unwrap();
        assert!(
            results.iter().all(|row| row["success"] == true),
            "the import goes on"
        );
    }
    let count = async |filter: &str| {
        let page = shop
            .full
            .get(&format!("/api/deliveries?{of}&{filter}&limit=1"))
            .await
            .is(200);
        page["total"].as_u64().unwrap()
    };
    assert_eq!(count("status=held").await, 1750);
    let held = shop
        .deliveries(&format!("{of}&status=held&limit=1"))
        .await
        .remove(0);
    assert_eq!(held["statusReason"], "over_limit");
    let detail = shop.delivery(held["id"].as_str().unwrap()).await;
    assert!(
        detail["body"].as_str().unwrap().contains("Welcome"),
        "it is ready"
    );
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = &problems["problems"][0];
    assert_eq!(card["cause"], "over_limit", "{problems}");
    assert_eq!(card["waiting"], 1750);
    assert_eq!(card["actions"], json!(["release", "told_them", "dismiss"]));
    assert_eq!(card["buttons"][0]["label"], "Send all 1750");
    assert_eq!(card["first"].as_array().unwrap().len(), 3);
    let filter = &card["filter"];
    assert_eq!(filter["automationId"], made["id"]);
    assert_eq!(
        count(&format!("status={}", filter["status"].as_str().unwrap())).await,
        1750
    );
    let resolve = format!("/api/problems/{}/resolve", card["id"].as_str().unwrap());
    let none = shop
        .full
        .post(&resolve, &json!({"action": "told_them"}))
        .await
        .is(200);
    assert_eq!(none["deliveries"], 1750, "{none}");
    until(
        shop,
        &format!("{of}&status=success"),
        "the first fifty went",
        all_are("success", 50),
    )
    .await;
    assert_eq!(count("status=cancelled").await, 1750);
    assert_eq!(count("status=held,pending,failed,unknown").await, 0);
    assert_eq!(
        salon.sendgrid.emails().len(),
        50,
        "and nobody else got anything"
    );
    let after = shop.full.get("/api/problems").await.is(200);
    assert_eq!(after["problems"], json!([]));
    assert!(
        after["solved"][0]["title"]
            .as_str()
            .unwrap()
            .contains("not sent"),
        "{after}"
    );
    shop.full
        .post(&resolve, &json!({"action": "release"}))
        .await
        .is_problem(404);
}

#[tokio::test]
async fn over_the_limit_all_are_sent_once_the_owner_says_so() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"limit": 2, "action": {"kind": "sms", "to": "{{ customer.phone }}", "message": "{{ bookingId }}"}})).await;
    let of = format!("automationId={}", id(&made));
    for n in 0..5 {
        shop.event("booking.created", &booking(&n.to_string()).to_string())
            .await;
    }
    until(
        shop,
        &format!("{of}&status=held"),
        "three are held",
        all_are("held", 3),
    )
    .await;
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = problems["problems"][0]["id"].as_str().unwrap().to_owned();
    let resolve = format!("/api/problems/{card}/resolve");
    let sent = shop
        .full
        .post(&resolve, &json!({"action": "release"}))
        .await
        .is(200);
    assert_eq!(sent["deliveries"], 3, "{sent}");
    until(shop, &of, "all went out", |rows| {
        rows.len() == 5 && rows.iter().all(|row| row["status"] == "success")
    })
    .await;
    assert_eq!(salon.twilio.texts().len(), 5);
}

/// Breaks one way out, from now on.
fn break_down(salon: &Salon, channel: &str) {
    match channel {
        "email" => salon.sendgrid.calls().behave(Behaviour::Status(500)),
        "sms" => salon.twilio.calls().behave(Behaviour::Reset),
        "calendar" => salon.google.calls().behave(Behaviour::Close),
        "storage" => salon
            .bucket
            .storage
            .misbehave(Step::Put, (0..100).map(|_| Fault::Reset)),
        _ => salon.receiver.behave(Behaviour::Status(503)),
    }
}

#[tokio::test]
async fn whichever_of_the_five_is_broken_the_other_four_succeed_and_the_caller_hears_202() {
    let channels = ["email", "sms", "calendar", "storage", "webhook"];
    for broken in channels {
        let salon = Salon::open().await;
        let shop = &salon.shop;
        let all = json!(["booking.created", "booking.updated", "booking.cancelled"]);
        for action in [email(), text(), entry(), file()] {
            add(
                shop,
                json!({"event": all, "gatherSeconds": 0, "action": action}),
            )
            .await;
        }
        break_down(&salon, broken);
        for event_type in ["booking.created", "booking.updated", "booking.cancelled"] {
            let subject = format!("{broken}-{event_type}");
            let accepted = shop.give(event_type, &booking(&subject).to_string()).await;
            assert_eq!(accepted.status, 202, "{broken}, {event_type}");
            let event = accepted.json()["eventId"].as_str().unwrap().to_owned();
            let rows = until(
                shop,
                &format!("eventId={event}"),
                &format!("with {broken} broken, {event_type} gets through on the other four"),
                |rows| rows.iter().filter(|row| row["status"] == "success").count() == 4,
            )
            .await;
            assert_eq!(rows.len(), 5);
            for row in rows {
                if row["channel"] == broken {
                    assert_ne!(row["status"], "success", "{broken}: {row}");
                } else {
                    assert_eq!(row["status"], "success", "{broken}: {row}");
                }
            }
        }
    }
}

#[tokio::test]
async fn one_booking_keeps_one_entry_through_created_updated_and_cancelled() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"event": ["booking.created", "booking.updated", "booking.cancelled"], "gatherSeconds": 0, "action": entry()})).await;
    let of = format!("automationId={}", id(&made));
    let mut data = booking("1");
    shop.event("booking.created", &data.to_string()).await;
    until(shop, &of, "it is made", all_are("success", 1)).await;
    data["title"] = json!("Colour only");
    data["startTime"] = json!("2031-11-27T10:00:00+01:00");
    data["endTime"] = json!("2031-11-27T11:00:00+01:00");
    shop.event("booking.updated", &data.to_string()).await;
    until(shop, &of, "it is moved", all_are("success", 2)).await;
    let entries = salon.google.entries("primary");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["summary"], "Colour only: Maria Petersen");
    assert!(
        entries[0]["start"]["dateTime"]
            .as_str()
            .unwrap()
            .starts_with("2031-11-27")
    );
    shop.event("booking.cancelled", &data.to_string()).await;
    until(shop, &of, "it is removed", all_are("success", 3)).await;
    let left = salon.google.entries("primary");
    assert!(
        left.iter().all(|entry| entry["status"] == "cancelled"),
        "{left:?}"
    );
    // Booked again under the same number, it is there again.
    shop.event("booking.created", &data.to_string()).await;
    until(shop, &of, "it is back", all_are("success", 4)).await;
    let back = salon.google.entries("primary");
    assert_eq!(
        back.iter()
            .filter(|entry| entry["status"] != "cancelled")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_rehearsal_says_how_many_to_whom_and_what_differs_and_sends_nothing() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let since = later(-1);
    let made = add(shop, json!({"action": {"kind": "email", "to": "{{ customer.email }}", "subject": "{{ title }}", "text": "Dear {{ customer.name }}"}})).await;
    let path = format!("{LIST}/{}", id(&made));
    for number in ["1", "2", "3"] {
        let mut data = booking(number);
        data["customer"]["email"] = json!(format!("jo{number}@example.com"));
        if number == "3" {
            data["customer"].as_object_mut().unwrap().remove("name");
        }
        shop.event("booking.created", &data.to_string()).await;
    }
    let of = format!("automationId={}", id(&made));
    until(
        shop,
        &format!("{of}&status=success"),
        "two went",
        all_are("success", 2),
    )
    .await;
    let same = shop
        .full
        .post(&format!("{path}/rehearse"), &json!({"since": since}))
        .await
        .is(200);
    for (member, expected) in [
        ("checked", 3),
        ("wouldSend", 2),
        ("recipients", 2),
        ("missingValue", 1),
        ("same", 2),
        ("changed", 0),
        ("added", 0),
        ("removed", 0),
        ("filtered", 0),
    ] {
        assert_eq!(same[member], expected, "{member}: {same}");
    }
    assert_eq!(
        same["missing"],
        json!([{"name": "customer.name", "count": 1}])
    );
    assert_eq!(same["samples"].as_array().unwrap().len(), 3);
    assert_eq!(same["samples"][0]["outcome"], "missing_value");
    assert_eq!(same["isComplete"], true);
    let draft = json!({"since": since, "draft": {
        "condition": {"path": "bookingId", "op": "ne", "value": "1"},
        "action": {"kind": "email", "to": "{{ customer.email }}", "subject": "{{ title }}", "text": "Dear {{ customer.name | default(\"guest\") }}"}}});
    let other = shop
        .full
        .post(&format!("{path}/rehearse"), &draft)
        .await
        .is(200);
    for (member, expected) in [
        ("wouldSend", 2),
        ("filtered", 1),
        ("removed", 1),
        ("same", 1),
        ("missingValue", 0),
    ] {
        assert_eq!(other[member], expected, "{member}: {other}");
    }
    let bad = json!({"since": since, "until": later(-60)});
    shop.full
        .post(&format!("{path}/rehearse"), &bad)
        .await
        .names_field("until");
    shop.full
        .post(&format!("{path}/rehearse"), &json!({}))
        .await
        .names_field("since");
    let broken = json!({"since": since, "draft": {"action": {"kind": "email", "to": "a@example.com", "subject": "{{", "text": "x"}}});
    shop.full
        .post(&format!("{path}/rehearse"), &broken)
        .await
        .names_field("draft.action.subject");
    shop.full
        .post(
            &format!("{LIST}/aut_01a20e85-23c0-7000-8000-00393eb2e7e2/rehearse"),
            &json!({"since": since}),
        )
        .await
        .is_problem(404);
    assert_eq!(
        salon.sendgrid.emails().len(),
        2,
        "a rehearsal sends nothing"
    );
    let before = shop.deliveries(&of).await.len();
    assert_eq!(before, 3);
}

#[tokio::test]
async fn what_was_wrong_is_corrected_and_sent_again_with_each_person_s_own_data() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({"action": {"kind": "email", "to": "{{ customer.email }}", "subject": "Wrong {{ bookingId }}", "text": "Hi"}})).await;
    let path = format!("{LIST}/{}", id(&made));
    let of = format!("automationId={}", id(&made));
    for number in ["1", "2"] {
        shop.event("booking.created", &booking(number).to_string())
            .await;
    }
    let mut nobody = booking("3");
    nobody["customer"] = json!({});
    shop.event("booking.created", &nobody.to_string()).await;
    until(
        shop,
        &format!("{of}&status=success"),
        "both went",
        all_are("success", 2),
    )
    .await;
    let right = json!({"action": {"kind": "email", "to": "{{ customer.email }}", "subject": "Right {{ bookingId }}", "text": "Hi"}});
    shop.full.patch(&path, &right).await.is(200);
    let replay = |content: &str, dry: bool| json!({"filter": {"automationId": made["id"]}, "content": content, "dryRun": dry});
    for content in ["original", "current"] {
        let dry = shop
            .full
            .post("/api/deliveries/replay", &replay(content, true))
            .await
            .is(200);
        assert_eq!(dry["matched"], 3, "{dry}");
        assert_eq!(dry["queued"], 2, "{dry}");
        assert_eq!(dry["excluded"][0]["reason"], "no_recipient", "{dry}");
    }
    let run = shop
        .full
        .post("/api/deliveries/replay", &replay("current", false))
        .await
        .is(200);
    assert_eq!(run["queued"], 2, "{run}");
    let rows = until(
        shop,
        &format!("{of}&status=success"),
        "both went again",
        all_are("success", 4),
    )
    .await;
    let again: Vec<_> = rows
        .iter()
        .filter(|row| !row["replayOf"].is_null())
        .collect();
    assert_eq!(again.len(), 2);
    for row in again {
        assert_eq!(row["automationVersion"], 2);
        assert_eq!(row["automationId"], made["id"]);
        let body = shop.delivery(row["id"].as_str().unwrap()).await;
        let right = format!("Right {}", row["subject"].as_str().unwrap());
        assert!(body["body"].as_str().unwrap().contains(&right));
    }
    let mut subjects = sent_emails(&salon).await;
    subjects.sort();
    assert_eq!(subjects, ["Right 1", "Right 2", "Wrong 1", "Wrong 2"]);
    shop.full.delete(&path).await.is(200);
    let gone = shop
        .full
        .post("/api/deliveries/replay", &replay("current", true))
        .await
        .is(200);
    assert_eq!(gone["queued"], 0);
    let why: Vec<_> = gone["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].clone())
        .collect();
    assert!(why.contains(&json!("automation_deleted")), "{gone}");
}
