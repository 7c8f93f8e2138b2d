//! Automations from outside: one event becomes email, text, calendar entry, file and calls.

use serde_json::{Value, json};
use signalbox_practice::google::{CLIENT_ID, CLIENT_SECRET};
use signalbox_practice::{Google, Receiver, SendGrid, Twilio};
use signalbox_tests::{Bucket, PATIENCE, Shop};

const LIST: &str = "/api/automations";
const MARIA: &str = "+436641234567";

/// A shop whose five ways out are stand-ins.
pub(crate) struct Salon {
    pub(crate) shop: Shop,
    pub(crate) sendgrid: SendGrid,
    pub(crate) twilio: Twilio,
    pub(crate) google: Google,
    pub(crate) bucket: Bucket,
    pub(crate) receiver: Receiver,
}

impl Salon {
    pub(crate) async fn open() -> Self {
        Self::of(Shop::open().await).await
    }

    pub(crate) async fn of(shop: Shop) -> Self {
        let at = ([127, 0, 0, 1], 0);
        let salon = Self {
            shop,
            sendgrid: SendGrid::start(at).await.unwrap(),
            twilio: Twilio::start(at).await.unwrap(),
            google: Google::start(at).await.unwrap(),
            bucket: Bucket::open().await,
            receiver: Receiver::start(at).await.unwrap(),
        };
        salon.connect("email").await;
        salon.connect("sms").await;
        salon.connect("calendar").await;
        salon.connect("storage").await;
        salon.shop.webhook(&salon.receiver.url()).await;
        salon
    }

    pub(crate) fn setup(&self, kind: &str) -> Value {
        match kind {
            "email" => {
                json!({"apiKey": "SG.practice.works", "fromEmail": "info@shop.example", "apiBaseUrl": self.sendgrid.url()})
            }
            "sms" => {
                json!({"accountSid": Twilio::ACCOUNT, "authToken": Twilio::TOKEN, "fromNumber": Twilio::NUMBER, "apiBaseUrl": self.twilio.url()})
            }
            "storage" => self.bucket.setup(),
            _ => {
                let (access, refresh) = self.google.tokens();
                json!({
                    "accessToken": access, "refreshToken": refresh, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
                    "tokenUri": self.google.token_uri(), "revokeUri": self.google.revoke_uri(), "apiBaseUrl": self.google.url(),
                })
            }
        }
    }

    pub(crate) async fn connect(&self, kind: &str) {
        let path = format!("/api/integrations/{kind}");
        let saved = self.shop.full.post(&path, &self.setup(kind)).await.is(200);
        assert_eq!(saved["success"], true, "{kind}: {saved}");
    }
}

pub(crate) fn email() -> Value {
    json!({"kind": "email", "to": "{{ customer.email }}", "subject": "Your booking {{ bookingId }}",
        "html": "<p>Dear {{ customer.name }}, see you.</p>"})
}

pub(crate) fn text() -> Value {
    json!({"kind": "sms", "to": "{{ customer.phone }}", "message": "{{ title }} at {{ startTime }}"})
}

pub(crate) fn entry() -> Value {
    json!({"kind": "calendar", "operation": "sync", "title": "{{ title }}: {{ customer.name }}",
        "startTime": "{{ startTime }}", "endTime": "{{ endTime }}"})
}

pub(crate) fn file() -> Value {
    json!({"kind": "storage", "key": "bookings/{{ bookingId }}.txt", "content": "{{ customer.name }}: {{ title }}"})
}

pub(crate) async fn add(shop: &Shop, more: Value) -> Value {
    let mut new = json!({"name": "Confirmation", "event": "booking.created", "action": email()});
    new.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = shop.full.post(LIST, &new).await.is(201);
    assert_eq!(made["success"], true);
    made["automation"].clone()
}

pub(crate) fn id(automation: &Value) -> &str {
    automation["id"].as_str().unwrap()
}

pub(crate) fn booking(number: &str) -> Value {
    json!({
        "bookingId": number, "title": "Cut and colour", "startTime": "2031-11-26T10:00:00+01:00",
        "endTime": "2031-11-26T11:00:00+01:00", "timezone": "Europe/Berlin",
        "customer": {"name": "Maria Petersen", "email": "maria@example.com", "phone": MARIA},
    })
}

/// Waits until the deliveries that fit are as they are to be; gives them, oldest first.
pub(crate) async fn until(
    shop: &Shop,
    filter: &str,
    what: &str,
    satisfies: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let seen = std::cell::RefCell::new(Vec::new());
    let changes = shop.full.changes().await;
    let found = changes.until(async || {
        let rows = shop
            .deliveries(&format!("{filter}&order=asc&limit=200"))
            .await;
        let found = satisfies(&rows).then(|| rows.clone());
        *seen.borrow_mut() = rows;
        found
    });
    found.await.unwrap_or_else(|| {
        panic!(
            "not within {PATIENCE:?}: {what}; there is {:?}",
            seen.borrow()
        )
    })
}

fn all_are(status: &str, count: usize) -> impl Fn(&[Value]) -> bool {
    move |rows| rows.len() == count && rows.iter().all(|row| row["status"] == status)
}

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
