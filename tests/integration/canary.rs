//! No secret lies anywhere but in the place for secrets: every one there is gets used, refused and
//! replaced, and then all bytes that Signalbox leaves behind are searched in every form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use signalbox_practice::google::{CLIENT_ID, CLIENT_SECRET};
use signalbox_practice::{Behaviour, Google, Receiver, SendGrid, Twilio};
use signalbox_tests::{Bucket, Shop, hex};

const AT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
/// Characters that every way of escaping writes differently.
const ODD: &str = "/+\"=&<";

/// A word of so many characters is nobody else's.
const UNIQUE: usize = 12;

/// What was searched: its name, and its bytes as far as they are ASCII, as every form is.
type Place = (String, String);

/// A secret in one form, with the bytes around it that a file may have there.
struct Form {
    name: String,
    needle: String,
    sample: String,
}

fn forms(secret: &str) -> Vec<Form> {
    let plain = |name: &str, text: String| Form {
        name: name.to_owned(),
        sample: format!("before {text} behind"),
        needle: text,
    };
    let escaped = serde_json::to_string(secret).unwrap();
    let escaped = escaped.trim_matches('"').to_owned();
    let mut forms = vec![
        plain("raw", secret.to_owned()),
        plain("small letters", secret.to_lowercase()),
        plain("hex", hex(secret.as_bytes())),
        plain("large hex", hex(secret.as_bytes()).to_uppercase()),
        plain(
            "URL-escaped",
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        ),
        plain(
            "form",
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        ),
        plain("JSON-escaped", escaped.clone()),
        plain("JSON-escaped with slashes", escaped.replace('/', "\\/")),
    ];
    // A search index keeps words.
    let word = secret
        .split(|c: char| !c.is_ascii_alphanumeric())
        .max_by_key(|word| word.len())
        .unwrap();
    if word.len() >= UNIQUE {
        forms.push(plain("its longest word", word.to_lowercase()));
    }
    for shift in 0..3 {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let mut bytes = vec![b'<'; shift];
            bytes.extend(secret.as_bytes());
            // Characters that its neighbours have a part in say nothing.
            let (skip, whole) = ((shift * 8).div_ceil(6), bytes.len() * 8 / 6);
            let needle = engine.encode(&bytes)[skip..whole].to_owned();
            bytes.extend(b" behind");
            forms.push(Form {
                name: format!("base64, shifted by {shift}"),
                needle,
                sample: engine.encode(&bytes),
            });
        }
    }
    forms
}

fn place(name: impl Into<String>, bytes: &[u8]) -> Place {
    (name.into(), String::from_utf8_lossy(bytes).into_owned())
}

/// What was found: which secret, in which form, where.
fn found(places: &[Place], secrets: &[(String, String)]) -> Vec<String> {
    let mut hits = Vec::new();
    for (whose, secret) in secrets {
        for form in forms(secret) {
            for (place, text) in places {
                if text.contains(&form.needle) {
                    hits.push(format!("{whose} ({}) in {place}", form.name));
                }
            }
        }
    }
    hits
}

fn files(shop: &Shop) -> Vec<Place> {
    let home = shop.serve.home();
    home.contents()
        .into_iter()
        .filter_map(|name| {
            let bytes = std::fs::read(home.path().join(&name)).ok()?;
            Some(place(name.display().to_string(), &bytes))
        })
        .collect()
}

fn secret(name: &str) -> String {
    format!("{name}.canary{ODD}of{}unseen", name.len())
}

/// An answer that repeats what it was told, as some do.
fn echo(status: u16, secret: &str) -> Behaviour {
    let body = json!({"errors": [{"message": format!("{secret} is not right"), "field": null}], "error": {"message": secret}});
    Behaviour::Say(
        status,
        "application/json",
        Box::leak(body.to_string().into_boxed_str()),
    )
}

async fn well(shop: &Shop, kind: &str, setup: &Value) {
    let path = format!("/api/integrations/{kind}");
    let saved = shop.full.post(&path, setup).await.is(200);
    assert_eq!(saved["success"], true, "{kind}: {saved}");
}

/// Every service set up, used, refused and its key replaced. All secrets there were.
async fn used_by_all(shop: &Shop) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    let mut note = |whose: &str, secret: &str| secrets.push((whose.to_owned(), secret.to_owned()));

    let sendgrid = SendGrid::start(AT).await.unwrap();
    let keys = ["first", "second"].map(|n| format!("SG.practice.works.{n}{ODD}mailcanary"));
    let refused = format!("SG.refused{ODD}mailcanaryrefused");
    for (key, works) in [(&keys[0], true), (&refused, false), (&keys[1], true)] {
        let setup =
            json!({"apiKey": key, "fromEmail": "info@shop.example", "apiBaseUrl": sendgrid.url()});
        let saved = shop
            .full
            .post("/api/integrations/email", &setup)
            .await
            .is(200);
        assert_eq!(saved["success"], works, "{saved}");
        note("SendGrid's key", key);
    }
    let email = json!({"to": "maria@example.com", "subject": "s", "text": "t"});
    shop.full.post("/api/email/send", &email).await.is(200);
    for behaviour in [
        echo(400, &keys[1]),
        echo(500, &keys[1]),
        Behaviour::Status(401),
    ] {
        sendgrid.calls().behave_on("/v3/mail/send", [behaviour]);
        shop.full.post("/api/email/send", &email).await.is(200);
    }

    let twilio = Twilio::start(AT).await.unwrap();
    for token in [secret("twilio-first"), secret("twilio-second")] {
        twilio.set_token(&token);
        well(shop, "sms", &json!({"accountSid": Twilio::ACCOUNT, "authToken": token, "fromNumber": Twilio::NUMBER, "apiBaseUrl": twilio.url()})).await;
        note("Twilio's token", &token);
    }
    let text = json!({"to": Twilio::NUMBER, "message": "See you at three"});
    shop.full.post("/api/sms/send", &text).await.is(200);
    let path = Twilio::messages_path();
    twilio.calls().behave_on(
        &path,
        [echo(500, &secret("twilio-second")), Behaviour::Answer],
    );
    shop.full.post("/api/sms/send", &text).await.is(200);
    twilio.set_token(&secret("twilio-another"));
    shop.full.post("/api/sms/send", &text).await.is(200);

    let google = Google::start(AT).await.unwrap();
    let (access, refresh) = google.tokens();
    well(shop, "calendar", &json!({"accessToken": access, "refreshToken": refresh, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "tokenUri": google.token_uri(), "revokeUri": google.revoke_uri(), "apiBaseUrl": google.url()})).await;
    google.rotate(true);
    let entry = json!({"title": "Haircut", "startTime": "2031-11-26T10:00:00+01:00", "endTime": "2031-11-26T11:00:00+01:00"});
    for _ in 0..2 {
        shop.full.post("/api/calendar/events", &entry).await.is(200);
        note("Google's first access token", &access);
        google
            .good_tokens()
            .iter()
            .for_each(|token| note("Google's token", token));
        google.expire_access_tokens(3599);
    }
    note("Google's refresh token", &refresh);
    google
        .good_tokens()
        .iter()
        .for_each(|token| note("Google's token", token));
    note("Google's client secret", CLIENT_SECRET);
    let path = "/calendar/v3/calendars/primary/events";
    let echoes: Vec<_> = google
        .good_tokens()
        .iter()
        .map(|token| echo(500, token))
        .collect();
    for behaviour in echoes.into_iter().chain([Behaviour::Answer]) {
        google.calls().behave_on(path, [behaviour]);
        shop.full.post("/api/calendar/events", &entry).await.is(200);
    }
    google.withdraw();
    shop.full.post("/api/calendar/events", &entry).await.is(200);

    let bucket = Bucket::open().await;
    bucket.connect(shop).await;
    shop.store("price list.txt", b"prices").await;
    note("the storage's secret", Bucket::SECRET);

    let receiver = Receiver::start(AT).await.unwrap();
    let value = secret("header-value");
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"headers": {"X-Till": value}}))
        .await;
    note("a webhook's secret", &webhook.secret);
    note("an own header", &value);
    let event = shop.event("contact.created", r#"{"contactId":"c1"}"#).await;
    shop.delivery_is(&event, "success").await;
    let rotate = format!("/api/integrations/webhooks/{}/rotate-secret", webhook.id);
    let rotated = shop.full.post(&rotate, &json!({})).await.is(200);
    note(
        "a webhook's next secret",
        rotated["secret"].as_str().unwrap(),
    );
    receiver.behave(echo(200, &value));
    let event = shop.event("contact.created", r#"{"contactId":"c3"}"#).await;
    shop.delivery_is(&event, "success").await;
    receiver.behave(echo(500, &value));
    shop.event("contact.created", r#"{"contactId":"c2"}"#).await;
    note("a token", &shop.token);
    secrets
}

#[tokio::test]
async fn no_secret_of_any_service_lies_anywhere_in_any_form() {
    let shop = Shop::alone().await;
    let secrets = used_by_all(&shop).await;
    let mut places = files(&shop);
    for name in ["signalbox.db", "signalbox.db-wal", "search.db", "api.json"] {
        assert!(
            places.iter().any(|(place, _)| place == name),
            "{name} was not searched"
        );
    }
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", shop.serve.pid)).unwrap();
        assert!(!bytes.is_empty());
        places.push(place(file, &bytes));
    }
    places.push(("what it said".into(), shop.serve.home().said()));
    for path in [
        "/api/deliveries/export?format=csv",
        "/api/deliveries/export?format=ndjson",
        "/api/deliveries?limit=200",
        "/api/events?limit=200",
        "/api/integrations",
        "/api/integrations/webhooks",
        "/api/problems",
        "/api/tokens",
        "/api/stats",
    ] {
        let answer = shop.full.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        places.push(place(path, &answer.body));
    }
    for row in shop.deliveries("limit=200").await {
        let path = format!("/api/deliveries/{}", row["id"].as_str().unwrap());
        let answer = shop.full.get(&path).await;
        places.push(place(path, &answer.body));
    }
    assert_eq!(found(&places, &secrets), Vec::<String>::new());
}

#[tokio::test]
async fn a_secret_that_lies_about_is_found_in_every_form() {
    let shop = Shop::alone().await;
    let canary = secret("positive-control");
    let secrets = [("the control".to_owned(), canary.clone())];
    assert_eq!(found(&files(&shop), &secrets), Vec::<String>::new());
    for form in forms(&canary) {
        let file = shop.serve.home().path().join("logs").join("control.log");
        std::fs::write(&file, &form.sample).unwrap();
        let hits = found(&files(&shop), &secrets);
        let this = format!("({})", form.name);
        assert!(
            hits.iter().any(|hit| hit.contains(&this)),
            "{} was not found",
            form.name
        );
        std::fs::remove_file(&file).unwrap();
    }
    // And where it is kept in the database, as an event's words are, the search finds it too.
    let said = json!({"contactId": "c1", "note": canary}).to_string();
    shop.event("contact.created", &said).await;
    let hits = found(&files(&shop), &secrets);
    assert!(
        hits.iter().any(|hit| hit.contains("signalbox.db")),
        "{hits:?}"
    );
}
