//! Automations from outside: made, checked, previewed, and one event that goes five ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use signalbox_tests::{Shop, vectors};

use crate::salon::{
    LIST, MARIA, Salon, add, all_are, booking, email, entry, file, id, text, until,
};

#[tokio::test]
async fn one_booking_becomes_email_text_entry_file_and_call() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    for (name, action) in [
        ("Confirmation", email()),
        ("Text", text()),
        ("Calendar", entry()),
        ("File", file()),
    ] {
        add(shop, json!({"name": name, "action": action})).await;
    }
    let accepted = shop
        .give("booking.created", &booking("1047").to_string())
        .await
        .is(202);
    assert_eq!(accepted["deliveries"], 5, "{accepted}");
    let event = accepted["eventId"].as_str().unwrap();
    let rows = until(
        shop,
        &format!("eventId={event}"),
        "all five",
        all_are("success", 5),
    )
    .await;
    let mut channels: Vec<&str> = rows
        .iter()
        .map(|row| row["channel"].as_str().unwrap())
        .collect();
    channels.sort_unstable();
    assert_eq!(channels, ["calendar", "email", "sms", "storage", "webhook"]);
    for row in &rows {
        assert_eq!(row["subject"], "1047");
        assert_eq!(row["eventType"], "booking.created");
        let by_webhook = row["channel"] == "webhook";
        assert_eq!(row["automationId"].is_null(), by_webhook, "{row}");
        assert_eq!(row["automationVersion"].is_null(), by_webhook);
    }
    let mail = &salon.sendgrid.emails()[0].body;
    assert_eq!(
        mail["personalizations"][0]["to"][0]["email"],
        "maria@example.com"
    );
    assert_eq!(mail["subject"], "Your booking 1047");
    assert_eq!(salon.twilio.texts()[0].to, MARIA);
    assert_eq!(
        salon.twilio.texts()[0].body,
        "Cut and colour at 2031-11-26T10:00:00+01:00"
    );
    let entries = salon.google.entries("primary");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["summary"], "Cut and colour: Maria Petersen");
    assert!(
        salon
            .bucket
            .files()
            .iter()
            .any(|key| key == &format!("{}/bookings/1047.txt", shop.workspace))
    );
    assert_eq!(Shop::calls(&salon.receiver, 1).await.len(), 1);
    let email = rows.iter().find(|row| row["channel"] == "email").unwrap();
    assert_eq!(email["recipient"], "maria@example.com");
    assert_eq!(email["automation"], "Confirmation");
    let detail = shop.delivery(email["id"].as_str().unwrap()).await;
    let body: Value = serde_json::from_str(detail["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["subject"], "Your booking 1047");
    let of = shop
        .deliveries(&format!(
            "automationId={}",
            email["automationId"].as_str().unwrap()
        ))
        .await;
    assert_eq!(of.len(), 1, "{of:?}");
}

#[tokio::test]
async fn what_a_new_business_finds_is_off_and_does_what_it_says_once_it_is_on() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let found = shop.full.get(LIST).await.is(200);
    let found = found["automations"].as_array().unwrap();
    assert_eq!(found.len(), 12);
    for one in found {
        assert_eq!(one["isActive"], false, "{one}");
        shop.full
            .patch(&format!("{LIST}/{}", id(one)), &json!({"isActive": true}))
            .await
            .is(200);
    }
    let mut data = booking("1047");
    data["location"] = json!("Main Street 1, left");
    let accepted = shop
        .give("booking.created", &data.to_string())
        .await
        .is(202);
    let event = accepted["eventId"].as_str().unwrap();
    // Confirmation by email and by text, entry, file and call; the reminder has its own time.
    let of = format!("eventId={event}&status=success");
    let rows = until(shop, &of, "all five", all_are("success", 5)).await;
    let later = shop
        .deliveries(&format!("eventId={event}&status=pending"))
        .await;
    assert_eq!(later.len(), 1, "{later:?}");

    let mail = &salon.sendgrid.emails()[0].body;
    assert!(
        mail["subject"]
            .as_str()
            .unwrap()
            .starts_with("Your booking on ")
    );
    let attached = &mail["attachments"][0];
    assert_eq!(attached["type"], "text/calendar");
    let attached = BASE64
        .decode(attached["content"].as_str().unwrap())
        .unwrap();
    let attached = String::from_utf8(attached).unwrap();
    let by = |channel: &str| {
        let row = rows.iter().find(|row| row["channel"] == channel).unwrap();
        format!("/api/deliveries/{}/ics", row["id"].as_str().unwrap())
    };
    let file = shop.full.get(&by("calendar")).await;
    assert_eq!(file.header("content-type"), "text/calendar; charset=utf-8");
    assert!(
        file.header("content-disposition")
            .contains("appointment.ics")
    );
    for line in [
        "BEGIN:VCALENDAR\r\n",
        "DTSTART:20311126T090000Z\r\n",
        "LOCATION:Main Street 1\\, left\r\n",
        "STATUS:CONFIRMED\r\n",
    ] {
        assert!(file.text().contains(line), "{line}: {}", file.text());
        assert!(attached.contains(line), "{line}: {attached}");
    }
    let uid = |file: &str| {
        file.lines()
            .find(|l| l.starts_with("UID:"))
            .map(str::to_owned)
    };
    assert_eq!(uid(&file.text()), uid(&attached));

    shop.full.get(&by("email")).await.is_problem(409);
    let nobody = "/api/deliveries/dlv_01900000-0000-7000-8000-000000000000/ics";
    shop.full.get(nobody).await.is_problem(404);
}

#[tokio::test]
async fn an_automation_is_made_read_changed_switched_and_removed() {
    let shop = Shop::open().await;
    let made = add(&shop, json!({"event": ["booking.created", "booking.updated"], "relativeTo": {"field": "startTime", "minutes": -1440}})).await;
    assert!(id(&made).starts_with("aut_"));
    for (member, expected) in [
        ("name", json!("Confirmation")),
        ("event", json!(["booking.created", "booking.updated"])),
        ("isActive", json!(true)),
        ("condition", Value::Null),
        ("gatherSeconds", json!(60)),
        ("delayMinutes", Value::Null),
        (
            "relativeTo",
            json!({"field": "startTime", "minutes": -1440}),
        ),
        ("limit", Value::Null),
        ("action", email()),
        ("version", json!(1)),
        ("when", json!("1 day before startTime")),
    ] {
        assert_eq!(made[member], expected, "{member}");
    }
    assert_eq!(made["state"]["word"], "On, not set up");
    let path = format!("{LIST}/{}", id(&made));
    assert_eq!(shop.full.get(&path).await.is(200)["automation"], made);
    let listed = shop.full.get(LIST).await.is(200);
    assert!(listed["automations"].as_array().unwrap().contains(&made));

    let renamed = shop
        .full
        .patch(
            &path,
            &json!({"name": "Hello", "isActive": false, "relativeTo": null, "delayMinutes": 90}),
        )
        .await
        .is(200);
    assert_eq!(renamed["automation"]["name"], "Hello");
    assert_eq!(renamed["automation"]["isActive"], false);
    assert_eq!(renamed["automation"]["delayMinutes"], 90);
    assert_eq!(
        renamed["automation"]["version"], 1,
        "its texts are the same"
    );
    assert_eq!(renamed["automation"]["when"], "90 minutes later");
    assert!(
        renamed["message"]
            .as_str()
            .unwrap()
            .contains("Switched off")
    );

    let removed = shop.full.delete(&path).await.is(200);
    assert_eq!(removed["dropped"], 0);
    for answer in [
        shop.full.get(&path).await,
        shop.full.patch(&path, &json!({"name": "x"})).await,
        shop.full.delete(&path).await,
        shop.full.post(&format!("{path}/preview"), &json!({})).await,
        shop.full.get(&format!("{path}/versions")).await,
        shop.full
            .post(&format!("{path}/restore"), &json!({"version": 1}))
            .await,
    ] {
        answer.is_problem(404);
    }
    shop.events.get(LIST).await.is_problem(403);
    shop.events.post(LIST, &json!({})).await.is_problem(403);
    let other = Shop::open().await;
    let made = add(&shop, json!({})).await;
    other
        .full
        .get(&format!("{LIST}/{}", id(&made)))
        .await
        .is_problem(404);
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field_and_nothing_is_saved() {
    let shop = Shop::open().await;
    let sound = json!({"name": "Confirmation", "event": "booking.created", "action": email()});
    let before = shop.full.get(LIST).await.is(200);
    for (member, value, field) in [
        ("name", json!(""), "name"),
        ("event", json!("booking.creatd"), "event"),
        (
            "event",
            json!(["booking.created", "nothing.else"]),
            "event.1",
        ),
        (
            "condition",
            json!({"path": "price", "op": "above", "value": 3}),
            "condition.op",
        ),
        ("gatherSeconds", json!(4000), "gatherSeconds"),
        ("limit", json!(0), "limit"),
        ("surprise", json!(1), "surprise"),
        (
            "action",
            json!({"kind": "email", "to": "a@example.com"}),
            "action.subject",
        ),
        ("action", json!({"kind": "pigeon"}), "action.kind"),
        (
            "action",
            json!({"kind": "email", "to": "a@example.com", "subject": "Hi", "text": "Hello {{ name"}),
            "action.text",
        ),
    ] {
        let mut new = sound.clone();
        new[member] = value;
        let answer = shop.full.post(LIST, &new).await;
        let error = answer.names_field(field);
        if field == "action.text" {
            assert_eq!(error["code"], "template");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("Line 1, column"), "{message}");
        }
    }
    assert_eq!(
        shop.full.get(LIST).await.is(200),
        before,
        "nothing is saved"
    );
    let made = add(&shop, json!({})).await;
    let path = format!("{LIST}/{}", id(&made));
    let broken = json!({"name": "New name", "action": {"kind": "email", "to": "a@example.com", "subject": "{{ x", "text": "Hi"}});
    shop.full
        .patch(&path, &broken)
        .await
        .names_field("action.subject");
    let other_kind = json!({"action": text()});
    shop.full
        .patch(&path, &other_kind)
        .await
        .names_field("action.kind");
    assert_eq!(
        shop.full.get(&path).await.is(200)["automation"],
        made,
        "nothing half saved"
    );
}

#[tokio::test]
async fn versions_are_kept_counted_and_brought_back() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(shop, json!({})).await;
    let path = format!("{LIST}/{}", id(&made));
    shop.event("booking.created", &booking("1").to_string())
        .await;
    let mut second = email();
    second["subject"] = json!("Second");
    let changed = shop
        .full
        .patch(&path, &json!({"action": second}))
        .await
        .is(200);
    assert_eq!(changed["automation"]["version"], 2);
    assert_eq!(changed["message"], "Saved as version 2.");
    shop.event("booking.created", &booking("2").to_string())
        .await;
    let restored = shop
        .full
        .post(&format!("{path}/restore"), &json!({"version": 1}))
        .await
        .is(200);
    assert_eq!(restored["automation"]["version"], 3);
    assert_eq!(restored["automation"]["action"], email());
    shop.full
        .post(&format!("{path}/restore"), &json!({"version": 9}))
        .await
        .is_problem(404);
    let versions = shop.full.get(&format!("{path}/versions")).await.is(200);
    let versions = versions["versions"].as_array().unwrap();
    let seen: Vec<_> = versions
        .iter()
        .map(|one| {
            json!([
                one["version"],
                one["deliveries"],
                one["isCurrent"],
                one["restoredFrom"]
            ])
        })
        .collect();
    assert_eq!(
        seen,
        [
            json!([3, 0, true, 1]),
            json!([2, 1, false, null]),
            json!([1, 1, false, null])
        ]
    );
    assert_eq!(versions[2]["sentence"], "Used by 1 delivery.");
    assert_eq!(versions[0]["sentence"], "Not used yet.");
}

#[tokio::test]
async fn what_cannot_be_sent_says_why_and_the_rest_goes() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    shop.full.delete("/api/integrations/storage").await.is(200);
    let pause = json!({"isActive": false, "whenPaused": "skip"});
    shop.full
        .patch("/api/integrations/calendar", &pause)
        .await
        .is(200);
    add(shop, json!({"name": "Confirmation"})).await;
    add(shop, json!({"name": "Text", "action": text()})).await;
    add(shop, json!({"name": "Calendar", "action": entry()})).await;
    add(shop, json!({"name": "File", "action": file()})).await;
    add(shop, json!({"name": "Note", "action": {"kind": "email", "to": "info@shop.example", "subject": "New", "text": "{{ notes }} and {{ internal.code }}"}})).await;
    add(
        shop,
        json!({"name": "Never", "condition": {"path": "price", "op": "gt", "value": 1000}}),
    )
    .await;
    let mut data = booking("1");
    data["customer"] = json!({"name": "Maria", "phone": MARIA});
    let accepted = shop
        .give("booking.created", &data.to_string())
        .await
        .is(202);
    assert_eq!(
        accepted["deliveries"], 6,
        "five, and the webhook: {accepted}"
    );
    let event = accepted["eventId"].as_str().unwrap();
    let rows = until(
        shop,
        &format!("eventId={event}"),
        "text and call went out",
        |rows| rows.iter().filter(|row| row["status"] == "success").count() == 2,
    )
    .await;
    for (name, status, reason, sentence) in [
        (
            "Confirmation",
            "skipped",
            "no_recipient",
            "names nobody it can go to",
        ),
        ("Calendar", "skipped", "disabled", "was paused"),
        ("File", "skipped", "not_configured", "is not set up"),
        ("Note", "held", "missing_value", "notes, internal.code"),
    ] {
        let row = rows.iter().find(|row| row["automation"] == name).unwrap();
        assert_eq!(row["status"], status, "{name}: {row}");
        assert_eq!(row["statusReason"], reason, "{name}");
        let detail = shop.delivery(row["id"].as_str().unwrap()).await;
        let said = detail["sentence"].as_str().unwrap();
        assert!(said.contains(sentence), "{name}: {said}");
    }
    let note = rows.iter().find(|row| row["automation"] == "Note").unwrap();
    let release = format!("/api/deliveries/{}/release", note["id"].as_str().unwrap());
    shop.full.post(&release, &json!({})).await.is_problem(409);
    assert!(!rows.iter().any(|row| row["automation"] == "Never"));
}

#[tokio::test]
async fn a_preview_shows_what_would_be_sent_and_sends_nothing() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let made = add(
        shop,
        json!({"condition": {"path": "bookingId", "op": "exists"}}),
    )
    .await;
    let path = format!("{LIST}/{}/preview", id(&made));
    let sample = shop.full.post(&path, &json!({})).await.is(200);
    assert_eq!(sample["outcome"], "send", "{sample}");
    assert_eq!(sample["eventType"], "booking.created");
    assert_eq!(sample["recipient"], "maria@example.com");
    assert_eq!(sample["request"]["to"], "maria@example.com");
    assert_eq!(sample["plainText"], "Dear Maria Petersen, see you.");
    assert_eq!(sample["fits"], true);
    let own = json!({"event": {"type": "booking.created", "data": {"bookingId": "7", "customer": {"email": "jo@example.com"}}}});
    let own = shop.full.post(&path, &own).await.is(200);
    assert_eq!(own["outcome"], "missing_value");
    assert_eq!(own["missing"], json!(["customer.name"]));
    assert_eq!(own["mistakes"][0]["path"], "action.html");
    let nobody = json!({"event": {"type": "booking.created", "data": {"customer": {}}}});
    let nobody = shop.full.post(&path, &nobody).await.is(200);
    assert_eq!(nobody["outcome"], "filtered");
    assert!(
        nobody["why"]
            .as_str()
            .unwrap()
            .contains("bookingId is not there")
    );
    let event = shop
        .event("booking.created", &booking("1047").to_string())
        .await;
    let real = json!({"event": {"eventId": event}, "draft": {"action": {"kind": "email", "to": "{{ customer.email }}", "subject": "Draft {{ bookingId }}", "text": "Hi"}}});
    let real = shop.full.post(&path, &real).await.is(200);
    assert_eq!(real["eventId"], event.as_str());
    assert_eq!(real["request"]["subject"], "Draft 1047");
    let unsaved =
        json!({"automation": {"name": "New", "event": "booking.created", "action": text()}});
    let unsaved = shop
        .full
        .post("/api/automations/preview", &unsaved)
        .await
        .is(200);
    assert_eq!(unsaved["kind"], "sms");
    assert_eq!(unsaved["request"]["to"], MARIA);
    let broken = json!({"draft": {"action": {"kind": "email", "to": "a@example.com", "subject": "Hi", "text": "{{ x"}}});
    let broken = shop.full.post(&path, &broken).await.is(200);
    assert_eq!(broken["mistakes"][0]["line"], 1, "{broken}");
    shop.full
        .post(&path, &json!({"event": {"eventId": "evt_x"}}))
        .await
        .is_problem(422);
    shop.full
        .post(
            &path,
            &json!({"event": {"type": "booking.created", "data": [1]}}),
        )
        .await
        .names_field("event.data");
    until(
        shop,
        &format!("eventId={event}"),
        "the real one",
        all_are("success", 2),
    )
    .await;
    assert_eq!(salon.sendgrid.emails().len(), 1, "previews send nothing");
}

#[tokio::test]
async fn the_command_line_adds_lists_shows_switches_previews_and_removes() {
    let shop = Shop::open().await;
    let home = shop.serve.home();
    let new =
        json!({"name": "Confirmation", "event": "booking.created", "action": email()}).to_string();
    let run = |arguments: &[&str], input: &str| {
        let mut all = vec!["automation"];
        all.extend(arguments);
        all.extend(["--json", "--workspace", shop.workspace.as_str()]);
        home.run_with(&all, input)
    };
    let made = run(&["add", "--from", "-", "--disabled"], &new);
    let made = made.exits(0).json();
    assert_eq!(made["automation"]["isActive"], false);
    let listed = run(&["list"], "").exits(0).json();
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .contains(&made["automation"])
    );
    let enabled = run(&["enable", "Confirmation"], "").exits(0).json();
    assert_eq!(enabled["automation"]["isActive"], true);
    let shown = run(&["show", "Confirmation"], "").exits(0).json();
    assert_eq!(shown["automation"]["isActive"], true);
    let preview = run(&["preview", "Confirmation"], "").exits(0).json();
    assert_eq!(preview["request"]["subject"], "Your booking 1042");
    let disabled = run(&["disable", "Confirmation"], "").exits(0).json();
    assert_eq!(disabled["automation"]["isActive"], false);
    run(&["remove", "Confirmation"], "").exits(0);
    run(&["show", "Confirmation"], "").exits(1);
    run(&["add", "--name", "x"], "").exits(2);
}

#[tokio::test]
async fn a_test_goes_to_the_owner_alone_and_counts_nowhere() {
    let salon = Salon::open().await;
    let shop = &salon.shop;
    let action = json!({"kind": "email", "to": "{{ customer.email }}", "cc": "boss@example.com", "subject": "Booking {{ bookingId }}", "text": "Hi {{ customer.name }}"});
    let made = add(
        shop,
        json!({"action": action, "delayMinutes": 60, "isActive": false}),
    )
    .await;
    let path = format!("{LIST}/{}/test", id(&made));
    let sent = shop
        .full
        .post(&path, &json!({"to": "me@example.com"}))
        .await
        .is(200);
    assert_eq!(sent["success"], true, "{sent}");
    let mail = &salon.sendgrid.emails()[0].body;
    assert_eq!(
        mail["personalizations"][0]["to"],
        json!([{"email": "me@example.com"}])
    );
    assert!(mail["personalizations"][0]["cc"].is_null(), "{mail}");
    assert_eq!(mail["subject"], "Booking 1042");
    let row = shop.delivery(sent["deliveryId"].as_str().unwrap()).await;
    assert_eq!(row["test"], true);
    assert_eq!(row["automationId"], made["id"]);
    let now = shop
        .full
        .get(&format!("{LIST}/{}", id(&made)))
        .await
        .is(200);
    assert_eq!(now["automation"]["counts"]["sent"], 0);

    let missing = json!({"to": "me@example.com", "event": {"type": "booking.created", "data": {"bookingId": "1"}}});
    let said = shop.full.post(&path, &missing).await.is_problem(409);
    assert!(said["detail"].as_str().unwrap().contains("customer.name"));
    for to in ["nobody", "{{ customer.email }}", ""] {
        shop.full
            .post(&path, &json!({"to": to}))
            .await
            .names_field("to");
    }
    shop.full.post(&path, &json!({})).await.names_field("to");
    let calendar = add(shop, json!({"action": entry()})).await;
    let path = format!("{LIST}/{}/test", id(&calendar));
    shop.full
        .post(&path, &json!({"to": "me@example.com"}))
        .await
        .names_field("to");
    let by_text = add(shop, json!({"action": text()})).await;
    let path = format!("{LIST}/{}/test", id(&by_text));
    let sent = shop.full.post(&path, &json!({"to": MARIA})).await.is(200);
    assert_eq!(sent["success"], true, "{sent}");
    shop.full.delete("/api/integrations/sms").await.is(200);
    let not = shop.full.post(&path, &json!({"to": MARIA})).await.is(200);
    assert_eq!(
        (&not["success"], &not["code"]),
        (&json!(false), &json!("not_configured"))
    );
    let none = format!("{LIST}/aut_01a20e85-23c0-7000-8000-00393eb2e7e2/test");
    shop.full
        .post(&none, &json!({"to": MARIA}))
        .await
        .is_problem(404);
    assert_eq!(salon.sendgrid.emails().len(), 1);
}

#[tokio::test]
async fn naughty_strings_are_written_exactly_and_never_executed() {
    let Some(Value::Array(strings)) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    let action = json!({"kind": "email", "to": "{{ customer.email }}", "subject": "Hi", "text": "{{ title }}", "html": "<p>{{ title }}</p>"});
    let made = add(&shop, json!({"action": action, "limit": 10_000})).await;
    let events: Vec<Value> = strings
        .iter()
        .enumerate()
        .map(|(n, title)| {
            let mut data = booking(&n.to_string());
            data["title"] = title.clone();
            json!({"type": "booking.created", "data": data})
        })
        .collect();
    let accepted = shop
        .events
        .post("/api/events/batch", &json!(events))
        .await
        .is(202);
    for (result, title) in accepted["results"].as_array().unwrap().iter().zip(&strings) {
        let event = result["eventId"].as_str().unwrap();
        let filter = format!("eventId={event}&automationId={}", id(&made));
        let row = shop.deliveries(&filter).await.remove(0);
        let title = title.as_str().unwrap();
        if title.trim().is_empty() {
            assert_eq!(row["statusReason"], "not_configured");
            continue;
        }
        let body = shop.delivery(row["id"].as_str().unwrap()).await;
        let sent: Value = serde_json::from_str(body["body"].as_str().unwrap())
            .unwrap_or_else(|error| panic!("{title:?}: {error}: {row}"));
        assert_eq!(sent["text"], title);
        let html = sent["html"].as_str().unwrap();
        let inside = html
            .strip_prefix("<p>")
            .unwrap()
            .strip_suffix("</p>")
            .unwrap();
        assert!(!inside.contains(['<', '>', '"']), "{html}");
        let read = inside
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&#x2f;", "/")
            .replace("&amp;", "&");
        assert_eq!(read, title);
    }
}
