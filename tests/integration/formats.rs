//! Formats of chats: what arrives is what Slack, Discord, Teams and Google Chat document, says what
//! happened exactly, and the address, which is a secret, is seen nowhere.

use futures_util::{StreamExt as _, stream};
use jsonschema::Validator;
use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Answer, Home, Shop, repository, vectors, verify_both};

const CHATS: [&str; 4] = ["slack", "discord", "teams", "google_chat"];
const PREVIEW: &str = "/api/integrations/webhooks/preview";
const NEEDLE: &str = "services/T00000000/needle-in-no-haystack-7f3a";

/// The documented shape of a chat's messages.
fn schema(format: &str) -> Validator {
    let path = repository().join(format!("tests/fixtures/chats/{format}.json"));
    let text = std::fs::read(path).unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&text).unwrap()).unwrap()
}

/// Checks a body against shape and size, and gives what people read in it, without markup.
fn read(format: &str, schema: &Validator, body: &str) -> String {
    let message: Value = serde_json::from_str(body).unwrap();
    let wrong: Vec<_> = schema
        .iter_errors(&message)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{format}: {wrong:?}\n{body}");
    match format {
        "slack" => {
            let texts = message["blocks"].as_array().unwrap().iter();
            let texts = texts.map(|block| block["text"]["text"].as_str().unwrap());
            without_entities(&texts.collect::<Vec<_>>().join("\n"))
        }
        "discord" => {
            let content = message["content"].as_str().unwrap();
            let embed = message["embeds"][0]["description"].as_str();
            without_backslashes(&format!("{content}\n{}", embed.unwrap_or_default()))
        }
        "teams" => {
            assert!(body.len().max(body.encode_utf16().count() * 2) < 28 * 1024);
            let card = &message["attachments"][0]["content"]["body"];
            let blocks = card.as_array().unwrap().iter().map(|block| {
                let runs = block["inlines"].as_array().unwrap().iter();
                runs.map(|run| run["text"].as_str().unwrap())
                    .collect::<String>()
            });
            let text = blocks.collect::<Vec<_>>().join("\n");
            text.replace("{\u{2060}{", "{{")
        }
        _ => {
            assert!(body.len() <= 32_000);
            let widgets = &message["cardsV2"][0]["card"]["sections"][0]["widgets"];
            let texts = widgets.as_array().unwrap().iter();
            let texts = texts.map(|widget| widget["textParagraph"]["text"].as_str().unwrap());
            let text = texts.collect::<Vec<_>>().join("\n");
            without_entities(
                &text
                    .replace("<br>", "\n")
                    .replace("<b>", "")
                    .replace("</b>", ""),
            )
        }
    }
}

fn without_entities(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// What Discord shows: a sign behind a backslash is itself; markup is ours alone.
fn without_backslashes(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            '\\' => shown.extend(rest.next()),
            '*' => {
                assert_eq!(rest.next(), Some('*'), "markup in {text}");
            }
            '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '@' | '#' => {
                panic!("{c} means something in {text}")
            }
            c => shown.push(c),
        }
    }
    shown
}

async fn preview(shop: &Shop, format: &str, event: &Value) -> Value {
    let request = json!({"format": format, "event": event});
    shop.full.post(PREVIEW, &request).await.is(200)
}

#[tokio::test]
async fn each_type_has_words_of_its_own_in_each_chat() {
    let shop = Shop::open().await;
    shop.full
        .post("/api/event-types", &json!({"type": "gift_card.sold", "example": {"cardId": "g-1", "amount": 50.5, "buyer": {"name": "Lena"}, "tags": ["a", "b"], "sent": true}}))
        .await
        .is(201);
    let table = [
        (
            "booking.created",
            "Maria Petersen booked Cut and colour\nWhen: Thu 26 Nov 2026, 09:30–11:00 (Europe/Berlin)\nWhere: Nordlicht Salon\nPrice: 85\nEmail: maria@example.com\nPhone: +4915112345678\nBooking number: 1042",
        ),
        (
            "booking.updated",
            "The booking of Maria Petersen has changed: Cut and colour\nWhen: Fri 27 Nov 2026, 10:30–12:00 (Europe/Berlin)",
        ),
        (
            "booking.cancelled",
            "The booking of Maria Petersen is cancelled: Cut and colour\n",
        ),
        (
            "contact.created",
            "New contact: Tom Brandt\nEmail: tom@example.com\nPhone: +4915123456789\nCame from: Website\nContact number: c-207",
        ),
        (
            "form.submitted",
            "Lena Hansen sent the form “Gift voucher”\nAmount: 80\nFor: Lena Hansen\nEmail: lena@example.com",
        ),
        (
            "inventory.low",
            "Colour 7.1 is running low: 3 left\nWarns at: 6\nArticle number: COL-71",
        ),
        (
            "message.received",
            "Message from +4915145678901 (sms)\nText: Can I come half an hour later?",
        ),
        (
            "gift_card.sold",
            "Gift card sold\ncardId: g-1\namount: 50.5\nbuyer.name: Lena\ntags: a, b\nsent: yes",
        ),
    ];
    for format in CHATS {
        let schema = schema(format);
        for (kind, expected) in table {
            let answer = preview(&shop, format, &json!({"type": kind})).await;
            assert_eq!(answer["contentType"], "application/json");
            let text = read(format, &schema, answer["body"].as_str().unwrap());
            assert!(text.starts_with(expected), "{format}\n{text}\n{expected}");
            assert_eq!(
                answer["message"]["headline"],
                expected.lines().next().unwrap()
            );
        }
    }
}

#[tokio::test]
async fn times_and_numbers_are_told_as_they_were_meant() {
    let shop = Shop::open().await;
    for (data, expected) in [
        (
            r#"{"startTime":"2026-11-26T08:30:00Z","timezone":"Europe/Berlin"}"#,
            "Thu 26 Nov 2026, 09:30 (Europe/Berlin)",
        ),
        (
            r#"{"startTime":"2026-11-26T08:30:00Z"}"#,
            "Thu 26 Nov 2026, 08:30 (UTC)",
        ),
        (
            r#"{"startTime":"2026-11-26T08:30:00-03:30"}"#,
            "Thu 26 Nov 2026, 08:30 (UTC-03:30)",
        ),
        (
            r#"{"startTime":"2026-11-26T22:00","endTime":"2026-11-27T01:00","timezone":"Nowhere/Else"}"#,
            "Thu 26 Nov 2026, 22:00 – Fri 27 Nov 2026, 01:00",
        ),
        (r#"{"startTime":"2026-11-26"}"#, "Thu 26 Nov 2026"),
        (r#"{"startTime":"tomorrow","endTime":5}"#, "tomorrow – 5"),
        (
            r#"{"price":12345678901234567890.10,"customer":"\ud800"}"#,
            "12345678901234567890.10",
        ),
        (r#"{"notes":"\ud800"}"#, r"\ud800"),
    ] {
        let body =
            format!(r#"{{"format":"slack","event":{{"type":"booking.created","data":{data}}}}}"#);
        let answer = shop.full.post_bytes(PREVIEW, body).await.is(200);
        assert_eq!(answer["message"]["facts"][0]["value"], expected, "{data}");
        read("slack", &schema("slack"), answer["body"].as_str().unwrap());
    }
}

/// The same value with this text in every field, and as a name where names are free.
fn filled(value: &Value, text: &str) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, text)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => text.into(),
    }
}

#[tokio::test]
async fn every_naughty_string_in_every_field_fits_and_is_shown_exactly() {
    let Some(strings) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    let types = shop.full.get("/api/event-types").await.is(200)["eventTypes"].clone();
    shop.full
        .post("/api/event-types", &json!({"type": "gift_card.sold"}))
        .await
        .is(201);
    let schemas = CHATS.map(|format| (format, schema(format)));
    let strings: Vec<_> = strings
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(strings.len() > 500);
    stream::iter(&strings)
        .for_each_concurrent(8, async |text| {
            let mut events: Vec<_> = types
                .as_array()
                .unwrap()
                .iter()
                .map(|t| json!({"type": t["type"], "data": filled(&t["example"], text)}))
                .collect();
            events.push(json!({"type": "gift_card.sold", "data": {*text: text, "in": {*text: text}, "list": [text, text]}}));
            let seen: String = text
                .trim()
                .chars()
                .map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c })
                .collect();
            for event in &events {
                for (format, schema) in &schemas {
                    let answer = preview(&shop, format, event).await;
                    let shown = read(format, schema, answer["body"].as_str().unwrap());
                    let is_told = event["type"] != "inventory.low" || !seen.contains('\n');
                    assert!(
                        !is_told || shown.contains(&seen),
                        "{format} {event}\n{shown}"
                    );
                }
            }
        })
        .await;
}

#[tokio::test]
async fn what_is_too_much_is_cut_and_counted_within_each_chat_s_limits() {
    let shop = Shop::open().await;
    shop.full
        .post("/api/event-types", &json!({"type": "gift_card.sold"}))
        .await
        .is(201);
    for (what, unit) in [
        ("signs", "&*<"),
        ("emoji", "😀"),
        ("lines", "a\n"),
        ("letters", "é"),
    ] {
        let long = unit.repeat(1_500);
        let many: serde_json::Map<_, _> = (0..60)
            .map(|n| (format!("{n}{long}"), json!(unit.repeat(400))))
            .collect();
        let events = [
            json!({"type": "gift_card.sold", "data": many}),
            json!({"type": "message.received", "data": {"from": long, "text": long}}),
            json!({"type": "booking.created", "data": {"title": long, "customer": {"name": long}, "notes": long}}),
        ];
        for event in &events {
            if event.to_string().len() > 250_000 {
                continue;
            }
            for format in CHATS {
                let answer = preview(&shop, format, event).await;
                let text = read(format, &schema(format), answer["body"].as_str().unwrap());
                assert!(text.contains('…'), "{format} {what}");
                if event["type"] == "gift_card.sold" {
                    assert!(text.ends_with(" more"), "{format} {what}\n{text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_previewed_is_refused_with_its_path() {
    let shop = Shop::open().await;
    for (request, path) in [
        (
            json!({"format": "slack", "event": {"type": "booking.create"}}),
            "event.type",
        ),
        (
            json!({"format": "slack", "event": {"type": "no.such", "data": {}}}),
            "event.type",
        ),
        (
            json!({"format": "slack", "event": {"type": "webhook.test"}}),
            "event.type",
        ),
        (
            json!({"format": "teams", "event": {"type": "contact.created", "data": []}}),
            "event.data",
        ),
        (
            json!({"format": "irc", "event": {"type": "contact.created"}}),
            "format",
        ),
        (json!({"format": "slack"}), "event"),
    ] {
        let answer = shop.full.post(PREVIEW, &request).await;
        Answer {
            asked: format!("POST preview {request}"),
            ..answer
        }
        .names_field(path);
    }
    let large = json!({"format": "slack", "event": {"type": "contact.created", "data": {"x": "x".repeat(257 * 1024)}}});
    shop.full.post(PREVIEW, &large).await.is_problem(413);
    let fine = json!({"format": "slack", "event": {"type": "contact.created"}});
    shop.events.post(PREVIEW, &fine).await.is_problem(403);
    let plain = json!({"format": "payload", "event": {"type": "contact.created", "data": {"contactId": "c"}}});
    let plain = shop.full.post(PREVIEW, &plain).await.is(200);
    assert_eq!(plain["body"], r#"{"contactId":"c"}"#);
    assert_eq!(plain["message"], Value::Null);
    let envelope = json!({"format": "envelope", "event": {"type": "contact.created"}});
    let envelope = shop.full.post(PREVIEW, &envelope).await.is(200);
    let body = envelope["body"].as_str().unwrap();
    assert!(body.starts_with(r#"{"type":"contact.created","timestamp":""#));
}

#[tokio::test]
async fn a_message_arrives_in_the_chat_s_shape_the_same_on_every_try() {
    let shop = Shop::open().await;
    for format in CHATS {
        let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
        receiver.behave_on(
            &format!("/{NEEDLE}"),
            [Behaviour::Status(500), Behaviour::Answer],
        );
        let url = format!("{}{NEEDLE}", receiver.url());
        let webhook = shop.webhook_with(&url, json!({"format": format})).await;
        assert_eq!(webhook.json["format"], format);
        let seen = format!("{}••••••7f3a", receiver.url());
        assert_eq!(webhook.json["url"], seen);
        let data = r#"{"messageId":"m","from":"<users/all>","text":"<!channel> @everyone *hi*"}"#;
        let event = shop.event("message.received", data).await;
        let delivery = shop
            .delivery_when(&event, "it arrived", |row| {
                row["webhookId"] == webhook.id.as_str() && row["status"] == "success"
            })
            .await;
        let calls = receiver.calls();
        assert_eq!(calls.len(), 2);
        for call in &calls {
            assert_eq!(call.uri.path()[1..], *NEEDLE);
            assert_eq!(call.header("content-type"), "application/json");
            verify_both(call, &webhook.secret);
            assert_eq!(call.body, calls[0].body);
        }
        let body = std::str::from_utf8(&calls[0].body).unwrap();
        let text = read(format, &schema(format), body);
        assert_eq!(
            text,
            "Message from <users/all>\nText: <!channel> @everyone *hi*"
        );
        assert_eq!(delivery["body"], body);
        assert_eq!(delivery["attempts"][0]["requestUrl"], seen);
        let path = format!("/api/integrations/webhooks/{}", webhook.id);
        let tested = shop
            .full
            .post(&format!("{path}/test"), &json!({}))
            .await
            .is(200);
        assert_eq!(tested["success"], true);
        let test = receiver.calls()[2].body.clone();
        let text = read(format, &schema(format), std::str::from_utf8(&test).unwrap());
        assert!(text.starts_with("This is a test from Signalbox"), "{text}");
        shop.full.delete(&path).await.is(200);
    }
}

#[tokio::test]
async fn the_address_is_in_no_file_and_no_answer_and_survives_a_restart() {
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on(
        &format!("/{NEEDLE}"),
        [
            Behaviour::Say(
                404,
                "text/html",
                "<pre>Cannot POST /services/T00000000/needle-in-no-haystack-7f3a</pre>",
            ),
            Behaviour::StatusWith(
                301,
                http::header::LOCATION,
                format!("https://127.0.0.1/{NEEDLE}"),
            ),
            Behaviour::Answer,
        ],
    );
    let url = format!("{}{NEEDLE}", receiver.url());
    let webhook = shop.webhook_with(&url, json!({"format": "slack"})).await;
    let shop = shop.restart(true);
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivery = shop.delivery_is(&event, "success").await;
    assert_eq!(receiver.count(), 3);
    let id = delivery["id"].as_str().unwrap().to_owned();
    for path in [
        "/api/integrations/webhooks".to_owned(),
        format!("/api/integrations/webhooks/{}", webhook.id),
        "/api/integrations".into(),
        "/api/deliveries".into(),
        format!("/api/deliveries/{id}"),
        "/api/deliveries/export?format=ndjson".into(),
        "/api/stats".into(),
        "/api/problems".into(),
    ] {
        let text = shop.full.get(&path).await.text();
        assert!(!text.contains("needle-in-no"), "{path}: {text}");
    }
    let (home, _) = {
        let home: Home = shop.serve.home().clone();
        (home, shop)
    };
    for file in home.contents() {
        let bytes = std::fs::read(home.path().join(&file)).unwrap_or_default();
        let needle = b"needle-in-no";
        assert!(
            !bytes.windows(needle.len()).any(|w| w == needle),
            "{} holds the address",
            file.display()
        );
    }
}

#[tokio::test]
async fn an_address_is_changed_kept_and_asked_for_again_where_it_would_be_shown() {
    let shop = Shop::open().await;
    let (first, second) = (
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
        Receiver::start(([127, 0, 0, 1], 0)).await.unwrap(),
    );
    let url = format!("{}{NEEDLE}", first.url());
    let webhook = shop
        .webhook_with(
            &url,
            json!({"format": "slack", "headers": {"X-Key": "very-secret"}}),
        )
        .await;
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    let patch = async |change: Value| shop.full.patch(&path, &change).await;
    // As it is read back, it is the one that is kept.
    let seen = webhook.json["url"].clone();
    let same = patch(json!({"url": seen, "name": "Team"})).await.is(200);
    assert_eq!(same["webhook"]["url"], seen);
    patch(json!({"format": "discord"})).await.is(200);
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(first.calls()[0].uri.path()[1..], *NEEDLE);
    assert_eq!(first.calls()[0].header("x-key"), "very-secret");
    let moved = patch(json!({"url": format!("{}services/another-address-99aa", second.url())}))
        .await
        .is(200);
    assert_eq!(
        moved["webhook"]["url"],
        format!("{}••••••99aa", second.url())
    );
    assert_eq!(moved["webhook"]["headerNames"], json!([]));
    let event = shop.event("contact.created", r#"{"contactId":"d"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(second.calls()[0].uri, "/services/another-address-99aa");
    assert_eq!(second.calls()[0].header("x-key"), "");
    let refused = patch(json!({"format": "payload"})).await;
    let refused = refused.names_field("url");
    assert_eq!(refused["code"], "secret_required");
    patch(json!({"url": format!("{}x••••••99ab", second.url())}))
        .await
        .names_field("url");
    patch(json!({"url": format!("{}{}", second.url(), "x".repeat(1_000))}))
        .await
        .names_field("url");
    let plain = patch(json!({"format": "payload", "url": second.url()}))
        .await
        .is(200);
    assert_eq!(plain["webhook"]["url"], second.url());
    let hidden = patch(json!({"format": "teams"})).await.is(200);
    assert_eq!(hidden["webhook"]["url"], format!("{}••••••", second.url()));
    let event = shop.event("contact.created", r#"{"contactId":"e"}"#).await;
    shop.delivery_is(&event, "success").await;
    assert_eq!(second.calls()[1].uri, "/");
}

#[tokio::test]
async fn a_chat_s_own_pace_is_kept_unless_another_is_given() {
    let shop = Shop::open().await;
    let url = format!("https://shop.example/{NEEDLE}");
    for (format, rate) in [
        ("slack", json!(1)),
        ("discord", json!(2)),
        ("teams", json!(4)),
        ("google_chat", json!(1)),
        ("payload", Value::Null),
    ] {
        let more = json!({"format": format, "rateLimitPerSecond": null});
        let made = shop.webhook_with(&url, more).await;
        assert_eq!(made.json["rateLimitPerSecond"], rate, "{format}");
    }
    let made = shop.webhook_with(&url, json!({"format": "slack"})).await;
    let path = format!("/api/integrations/webhooks/{}", made.id);
    for (change, rate) in [
        (json!({"format": "teams"}), json!(4)),
        (json!({"rateLimitPerSecond": 3}), json!(3)),
        (json!({"format": "slack"}), json!(3)),
        (json!({"rateLimitPerSecond": null}), json!(1)),
        (json!({"format": "payload", "url": url}), Value::Null),
    ] {
        let changed = shop.full.patch(&path, &change).await.is(200);
        assert_eq!(changed["webhook"]["rateLimitPerSecond"], rate, "{change}");
    }
}

#[tokio::test]
async fn discord_is_called_again_when_the_body_of_its_answer_asks_for_it() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on(
        &format!("/{NEEDLE}"),
        [
            Behaviour::Say(
                429,
                "application/json",
                r#"{"message":"You are being rate limited.","retry_after":1.2,"global":false}"#,
            ),
            Behaviour::Answer,
        ],
    );
    let url = format!("{}{NEEDLE}", receiver.url());
    shop.webhook_with(&url, json!({"format": "discord"})).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivery = shop.delivery_is(&event, "success").await;
    let at: Vec<i64> = receiver
        .calls()
        .iter()
        .map(|call| call.header("x-webhook-timestamp").parse().unwrap())
        .collect();
    assert!(at[1] - at[0] >= 1_200, "{at:?}");
    assert_eq!(delivery["attempts"][0]["code"], "rate_limited");
}

#[tokio::test]
async fn on_the_command_line_the_address_of_a_chat_is_no_argument() {
    let home = Home::new();
    let _serve = home.serve();
    let url = format!("https://shop.example/{NEEDLE}");
    let add = [
        "webhook", "add", "--name", "Team", "--event", "*", "--format",
    ];
    let told = home.run(&[&add[..], &["slack", "--url", &url]].concat());
    told.exits(2);
    assert!(told.stderr.contains("standard input"), "{}", told.stderr);
    let made = home.run_with(&[&add[..], &["google_chat", "--json"]].concat(), &url);
    made.exits(0);
    let made = made.json();
    assert_eq!(made["webhook"]["format"], "google_chat");
    assert_eq!(made["webhook"]["url"], "https://shop.example/••••••7f3a");
    let other = "https://shop.example/services/another-address-99aa";
    home.run(&["webhook", "edit", "Team", "--url", other])
        .exits(2);
    let edited = home.run_with(&["webhook", "edit", "Team", "--url", "-", "--json"], other);
    edited.exits(0);
    assert_eq!(
        edited.json()["webhook"]["url"],
        "https://shop.example/••••••99aa"
    );
}
