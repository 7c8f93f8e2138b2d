//! Google Calendar: signing in by the browser, entries that are never doubled, and the way back when
//! access ends.

use std::net::SocketAddr;

use serde_json::{Value, json};
use signalbox_practice::google::{ACCOUNT, CLIENT_ID, CLIENT_SECRET, HOLIDAYS, SALON};
use signalbox_practice::{Behaviour, Consent, Google};
use signalbox_tests::{Answer, Api, Home, PATIENCE, Shop, vectors};

const AUTHORIZE: &str = "/api/integrations/calendar/authorize";
const EVENTS: &str = "/api/calendar/events";

async fn provider() -> Google {
    Google::start(([127, 0, 0, 1], 0)).await.unwrap()
}

/// How to sign in at the stand-in, with a client of its own.
fn client(google: &Google) -> Value {
    json!({
        "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
        "authUri": google.auth_uri(), "tokenUri": google.token_uri(),
        "revokeUri": google.revoke_uri(), "apiBaseUrl": google.url(),
    })
}

/// A GET as a browser makes it.
async fn get(url: &str) -> Answer {
    let (address, path) = parts(url);
    Api::new(address, "").get(&path).await
}

fn parts(url: &str) -> (SocketAddr, String) {
    let uri: http::Uri = url.parse().unwrap();
    let path = uri.path_and_query().unwrap().to_string();
    (uri.authority().unwrap().as_str().parse().unwrap(), path)
}

/// Opens the consent page; where Google sends the browser back to.
async fn consent_page(begun: &Value) -> String {
    let answer = get(begun["authorizationUrl"].as_str().unwrap()).await;
    answer.is(303);
    answer.header("location").to_owned()
}

/// The owner goes to Google and comes back; the last page.
async fn browse(begun: &Value) -> Answer {
    get(&consent_page(begun).await).await
}

async fn begin(shop: &Shop, wish: &Value) -> Value {
    let begun = shop.full.post(AUTHORIZE, wish).await.is(200);
    assert_eq!(begun["success"], true, "{begun}");
    begun
}

/// How a sign-in stands once it is over.
async fn ended(shop: &Shop, begun: &Value) -> Value {
    let path = format!("{AUTHORIZE}/{}", begun["flowId"].as_str().unwrap());
    let changes = shop.full.changes().await;
    let over = changes.until(async || {
        let stands = shop.full.get(&path).await.is(200);
        (stands["status"] != "waiting").then_some(stands)
    });
    over.await.expect("the sign-in ends")
}

/// The port that waits for the browser.
fn port(begun: &Value) -> SocketAddr {
    let url = begun["authorizationUrl"].as_str().unwrap();
    let (_, after) = url.split_once("127.0.0.1%3A").unwrap();
    let port = after.split('%').next().unwrap();
    format!("127.0.0.1:{port}").parse().unwrap()
}

async fn is_closed(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_err()
}

async fn sign_in(shop: &Shop, wish: &Value) -> Value {
    let begun = begin(shop, wish).await;
    browse(&begun).await.is(200);
    ended(shop, &begun).await
}

async fn connected() -> (Shop, Google) {
    connected_with(Shop::open().await).await
}

async fn connected_with(shop: Shop) -> (Shop, Google) {
    let google = provider().await;
    let stands = sign_in(&shop, &client(&google)).await;
    assert_eq!(stands, json!({"status": "connected"}));
    (shop, google)
}

async fn standing(shop: &Shop) -> Value {
    shop.full.get("/api/integrations").await.is(200)["calendar"].clone()
}

fn haircut() -> Value {
    json!({"title": "Haircut", "startTime": "2031-11-26T10:00:00+01:00", "endTime": "2031-11-26T11:00:00+01:00", "timezone": "Europe/Berlin"})
}

fn with(mut entry: Value, more: Value) -> Value {
    entry
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    entry
}

async fn create(shop: &Shop, entry: &Value) -> Value {
    shop.full.post(EVENTS, entry).await.is(200)
}

async fn made(shop: &Shop, entry: &Value) -> String {
    let made = create(shop, entry).await;
    assert_eq!(made["success"], true, "{made}");
    made["eventId"].as_str().unwrap().to_owned()
}

async fn patch(shop: &Shop, id: &str, change: &Value) -> Value {
    shop.full
        .patch(&format!("{EVENTS}/{id}"), change)
        .await
        .is(200)
}

async fn delete(shop: &Shop, id: &str) -> Value {
    shop.full.delete(&format!("{EVENTS}/{id}")).await.is(200)
}

/// Waits until that many calendar deliveries got through.
async fn all_through(shop: &Shop, count: usize) -> Vec<Value> {
    let changes = shop.full.changes().await;
    let through = changes.until(async || {
        let rows = shop
            .deliveries("channel=calendar&status=success&limit=200")
            .await;
        (rows.len() >= count).then_some(rows)
    });
    through
        .await
        .unwrap_or_else(|| panic!("not {count} within {PATIENCE:?}"))
}

#[tokio::test]
async fn one_sign_in_in_the_browser_and_entries_are_written() {
    let (shop, google) = (Shop::open().await, provider().await);
    let begun = begin(&shop, &client(&google)).await;
    let url = begun["authorizationUrl"].as_str().unwrap();
    for part in [
        "code_challenge_method=S256",
        "access_type=offline",
        "prompt=consent",
    ] {
        assert!(url.contains(part), "{url}");
    }
    assert!(begun["expiresAt"].is_string());
    let path = format!("{AUTHORIZE}/{}", begun["flowId"].as_str().unwrap());
    assert_eq!(
        shop.full.get(&path).await.is(200),
        json!({"status": "waiting"})
    );
    let other = Shop::open().await;
    other.full.get(&path).await.is_problem(404);

    let page = browse(&begun).await;
    page.is(200);
    assert!(
        page.text().contains("You can close this tab"),
        "{}",
        page.text()
    );
    for secret in ["code=", "4/practice", "<script"] {
        assert!(!page.text().contains(secret));
    }
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(ended(&shop, &begun).await, json!({"status": "connected"}));
    assert!(is_closed(port(&begun)).await);

    let standing = standing(&shop).await;
    assert_eq!(standing["isConfigured"], true);
    assert_eq!(standing["provider"], "google");
    assert_eq!(standing["account"], ACCOUNT);
    assert_eq!(standing["calendarId"], "primary");
    assert_eq!(standing["testStatus"], "success");
    assert_eq!(standing["scopes"].as_array().unwrap().len(), 2);
    assert_eq!(standing["permissions"].as_array().unwrap().len(), 2);
    assert_eq!(standing["clientId"], CLIENT_ID);
    assert_eq!(standing["state"]["word"], "Ready");

    let made = create(&shop, &haircut()).await;
    assert_eq!(made["success"], true, "{made}");
    let id = made["eventId"].as_str().unwrap();
    let link = format!("{}/calendar/event?eid={id}", google.url());
    assert_eq!(made["htmlLink"], link);
    let entry = google.entry("primary", id).unwrap();
    assert_eq!(entry["summary"], "Haircut");
    assert_eq!(
        entry["start"],
        json!({"dateTime": "2031-11-26T10:00:00+01:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!(
        entry["reminders"],
        json!({"useDefault": false, "overrides": [{"method": "email", "minutes": 1440}, {"method": "popup", "minutes": 30}]})
    );
    let delivery = shop.delivery(made["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&delivery["status"], &delivery["channel"]),
        (&json!("success"), &json!("calendar"))
    );
    assert_eq!(delivery["body"], haircut().to_string());
    let standing = self::standing(&shop).await;
    assert_eq!(standing["state"]["word"], "Working");
    assert_eq!(standing["nextEntries"][0]["eventId"], id);
    assert_eq!(standing["nextEntries"][0]["htmlLink"], made["htmlLink"]);
}

#[tokio::test]
async fn every_mishap_of_a_sign_in_is_said_and_leaves_the_connection_as_it_was() {
    let (shop, google) = connected().await;
    let before = standing(&shop).await;
    for (consent, status, says) in [
        (Consent::Deny, "denied", "did not allow"),
        (
            Consent::Only(vec![
                "https://www.googleapis.com/auth/calendar.calendarlist.readonly".into(),
            ]),
            "failed",
            "see and change the entries of your calendars",
        ),
        (
            Consent::Only(vec![
                "https://www.googleapis.com/auth/calendar.events".into(),
            ]),
            "failed",
            "see the list of your calendars",
        ),
        (
            Consent::Fail("admin_policy_enforced".into()),
            "failed",
            "administrator",
        ),
        (
            Consent::Fail("server_error".into()),
            "failed",
            "trouble of its own",
        ),
    ] {
        google.consent(consent);
        let begun = begin(&shop, &json!({})).await;
        let page = browse(&begun).await;
        page.is(200);
        let stands = ended(&shop, &begun).await;
        assert_eq!(stands["status"], status, "{stands}");
        assert!(stands["error"].as_str().unwrap().contains(says), "{stands}");
        assert!(page.text().contains(says), "{}", page.text());
        assert!(is_closed(port(&begun)).await);
    }
    google.consent(Consent::Approve);

    // Answers that are not for it: they are told so, and it goes on waiting.
    let begun = begin(&shop, &json!({})).await;
    let path = format!("{AUTHORIZE}/{}", begun["flowId"].as_str().unwrap());
    let waiting = port(&begun);
    let back = consent_page(&begun).await;
    let (_, good) = parts(&back);
    let caller = Api::new(waiting, "");
    caller.get("/").await.is(404);
    for (target, says) in [
        (
            "/callback?code=stolen&state=another".to_owned(),
            "belongs to another sign-in",
        ),
        ("/callback?code=stolen".to_owned(), "does not say to which"),
    ] {
        let page = caller.get(&target).await;
        page.is(400);
        assert!(page.text().contains(says), "{}", page.text());
        let stands = shop.full.get(&path).await.is(200);
        assert_eq!(stands["status"], "waiting");
    }
    let elsewhere = [("host", "evil.example")];
    caller
        .send(http::Method::GET, &good, &elsewhere, None)
        .await
        .is(421);
    let stands = shop.full.get(&path).await.is(200);
    assert_eq!(stands["status"], "waiting");
    assert!(
        stands["error"].as_str().unwrap().contains("wrong name"),
        "{stands}"
    );

    // A newer one takes its place.
    let newer = begin(&shop, &json!({})).await;
    let stands = ended(&shop, &begun).await;
    assert_eq!(stands["status"], "failed");
    assert!(
        stands["error"]
            .as_str()
            .unwrap()
            .contains("Another sign-in was started")
    );

    // A code from another flow is worth nothing: its proof is another.
    let (_, newer_good) = parts(&consent_page(&newer).await);
    let code = |target: &str| {
        target
            .split("code=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .to_owned()
    };
    let mixed = newer_good.replace(&code(&newer_good), &code(&good));
    Api::new(port(&newer), "").get(&mixed).await.is(200);
    let stands = ended(&shop, &newer).await;
    assert_eq!(stands["status"], "failed", "{stands}");

    // The token endpoint has trouble.
    google.calls().behave_on("/token", [Behaviour::Status(500)]);
    let begun = begin(&shop, &json!({})).await;
    browse(&begun).await.is(200);
    assert_eq!(ended(&shop, &begun).await["status"], "failed");
    google.calls().behave_on("/token", [Behaviour::Answer]);

    let after = standing(&shop).await;
    for member in [
        "account",
        "calendarId",
        "connectedAt",
        "testStatus",
        "state",
    ] {
        assert_eq!(after[member], before[member], "{member}");
    }
    made(&shop, &haircut()).await;
    assert_eq!(
        sign_in(&shop, &json!({})).await["status"],
        "connected",
        "starting again works"
    );
}

#[tokio::test]
async fn a_wish_to_sign_in_that_cannot_be_met_is_refused_by_field() {
    let (shop, google) = (Shop::open().await, provider().await);
    shop.events
        .post(AUTHORIZE, &json!({}))
        .await
        .is_problem(403);
    for member in [
        "clientSecret",
        "authUri",
        "tokenUri",
        "revokeUri",
        "apiBaseUrl",
    ] {
        let mut wish = json!({});
        wish[member] = client(&google)[member].clone();
        shop.full.post(AUTHORIZE, &wish).await.names_field(member);
    }
    let plain = with(
        client(&google),
        json!({"tokenUri": "http://token.example/"}),
    );
    shop.full
        .post(AUTHORIZE, &plain)
        .await
        .names_field("tokenUri");
    shop.full
        .post(
            AUTHORIZE,
            &json!({"clientFile": {"web": {"client_id": "x"}}}),
        )
        .await
        .names_field("clientFile");
    shop.full
        .post(AUTHORIZE, &json!({"clientFile": {}}))
        .await
        .names_field("clientFile");
    shop.full
        .get(&format!("{AUTHORIZE}/flow_nobody"))
        .await
        .is_problem(404);
    let none = shop.full.post(AUTHORIZE, &json!({})).await.is(200);
    assert_eq!(
        (&none["success"], &none["code"]),
        (&json!(false), &json!("not_configured"))
    );
    let file = json!({"installed": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "auth_uri": google.auth_uri(), "token_uri": google.token_uri()}});
    let begun = begin(&shop, &json!({"clientFile": file})).await;
    assert!(
        begun["authorizationUrl"]
            .as_str()
            .unwrap()
            .starts_with(&google.auth_uri())
    );
}

#[tokio::test]
async fn tokens_that_were_got_elsewhere_are_tried_before_they_are_kept() {
    let (shop, google) = (Shop::open().await, provider().await);
    let (access, refresh) = google.tokens();
    let setup = with(
        client(&google),
        json!({"accessToken": access, "refreshToken": refresh}),
    );
    let mut setup = setup;
    setup.as_object_mut().unwrap().remove("authUri");
    let saved = shop
        .full
        .post("/api/integrations/calendar", &setup)
        .await
        .is(200);
    assert_eq!(saved["success"], true, "{saved}");
    assert_eq!(
        saved["calendars"],
        json!([{"id": ACCOUNT, "summary": ACCOUNT, "primary": true}, {"id": SALON, "summary": "Salon", "primary": false}])
    );
    assert_eq!(
        google.refreshes(),
        0,
        "the access token is used as long as it is good"
    );
    made(&shop, &haircut()).await;
    google.expire_access_tokens(3599);
    made(&shop, &haircut()).await;
    assert_eq!(google.refreshes(), 1);

    let listed = shop
        .full
        .get("/api/integrations/calendar/calendars")
        .await
        .is(200);
    assert_eq!(listed["calendars"], saved["calendars"]);
    let bad = with(
        setup.clone(),
        json!({"accessToken": "ya29.wrong", "refreshToken": "1//wrong"}),
    );
    let refused = shop
        .full
        .post("/api/integrations/calendar", &bad)
        .await
        .is(200);
    assert_eq!(
        (&refused["success"], &refused["code"]),
        (&json!(false), &json!("sign_in_expired"))
    );
    for (change, path) in [
        (json!({"accessToken": ""}), "accessToken"),
        (json!({"refreshToken": "a b"}), "refreshToken"),
        (json!({"tokenUri": "http://elsewhere.example/"}), "tokenUri"),
        (json!({"apiBaseUrl": "ftp://x"}), "apiBaseUrl"),
        (json!({"calendarId": HOLIDAYS}), "calendarId"),
    ] {
        let wrong = with(setup.clone(), change);
        shop.full
            .post("/api/integrations/calendar", &wrong)
            .await
            .names_field(path);
    }
    made(&shop, &haircut()).await;

    let patch = |change: Value| {
        let full = shop.full.clone();
        async move { full.patch("/api/integrations/calendar", &change).await }
    };
    for member in ["apiBaseUrl", "tokenUri", "revokeUri"] {
        let mut change = json!({});
        change[member] = "https://elsewhere.example/".into();
        let error = patch(change).await.names_field("refreshToken");
        assert_eq!(error["code"], "secret_required", "{member}");
    }
    patch(json!({"calendarId": "nowhere"}))
        .await
        .names_field("calendarId");
    let chosen = patch(json!({"calendarId": SALON})).await.is(200);
    assert_eq!(chosen["success"], true);
    assert_eq!(standing(&shop).await["calendarName"], "Salon");
    let id = made(&shop, &haircut()).await;
    assert!(google.entry(SALON, &id).is_some());
    let tested = shop
        .full
        .post("/api/integrations/calendar/test", &json!({}))
        .await
        .is(200);
    assert_eq!(tested["success"], true, "{tested}");
}

/// The description of one of Google's shapes, in which nothing else may be.
fn schema(document: &Value, name: &str) -> jsonschema::Validator {
    fn strict(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("$ref") {
                    let path = format!("#/schemas/{name}");
                    members.insert("$ref".into(), path.into());
                }
                for noise in [
                    "default",
                    "annotations",
                    "id",
                    "enumDescriptions",
                    "description",
                ] {
                    if members
                        .get(noise)
                        .is_some_and(|v| !v.is_object() || noise == "annotations")
                    {
                        members.remove(noise);
                    }
                }
                if members.get("type") == Some(&json!("any")) {
                    members.remove("type");
                }
                if members.get("type") == Some(&json!("object"))
                    && members.contains_key("properties")
                {
                    members.insert("additionalProperties".into(), false.into());
                }
                members.values_mut().for_each(strict);
            }
            Value::Array(all) => all.iter_mut().for_each(strict),
            _ => {}
        }
    }
    let mut schemas = document["schemas"].clone();
    strict(&mut schemas);
    let root = json!({"$ref": format!("#/schemas/{name}"), "schemas": schemas});
    jsonschema::validator_for(&root).unwrap()
}

/// A patch says by null what is to be taken away.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn every_request_is_as_google_s_discovery_document_says() {
    let Some(document) = vectors::contract("calendar.v3.json") else {
        return;
    };
    let (shop, google) = connected().await;
    let full = json!({
        "description": "Cut & colour", "location": "Main Street 1",
        "attendees": ["Maria Petersen <maria@example.com>", "li@example.com"],
        "reminders": [{"method": "popup", "minutes": 0}, {"method": "email", "minutes": 40320}], "sendUpdates": "none",
    });
    let id = made(&shop, &with(haircut(), full)).await;
    made(&shop, &json!({"title": "Closed", "startTime": "2031-12-24", "endTime": "2031-12-27", "reminders": []})).await;
    made(&shop, &json!({"title": "Night of the clocks", "startTime": "2031-10-26T01:30", "endTime": "2031-10-26T03:30", "timezone": "Europe/Berlin"})).await;
    patch(&shop, &id, &json!({"title": "Haircut and colour", "description": null, "attendees": ["maria@example.com"], "reminders": []})).await;
    patch(
        &shop,
        &id,
        &json!({"startTime": "2031-12-01", "endTime": "2031-12-02", "location": "Elsewhere"}),
    )
    .await;
    patch(&shop, &id, &json!({"startTime": "2031-12-01T10:00:00Z", "endTime": "2031-12-01T11:00:00Z", "sendUpdates": "externalOnly"})).await;
    delete(&shop, &id).await;
    shop.full
        .get("/api/integrations/calendar/calendars")
        .await
        .is(200);

    let event = schema(&document, "Event");
    let methods: Vec<&Value> = ["events", "calendarList"]
        .iter()
        .flat_map(|resource| {
            document["resources"][resource]["methods"]
                .as_object()
                .unwrap()
                .values()
        })
        .collect();
    let mut checked = std::collections::BTreeMap::new();
    for call in google.calls().calls() {
        let Some(path) = call.uri.path().strip_prefix("/calendar/v3/") else {
            continue;
        };
        let method = methods
            .iter()
            .find(|method| {
                let known: Vec<_> = method["path"].as_str().unwrap().split('/').collect();
                let here: Vec<_> = path.split('/').collect();
                method["httpMethod"] == call.method.as_str()
                    && known.len() == here.len()
                    && known
                        .iter()
                        .zip(&here)
                        .all(|(known, here)| known.starts_with('{') || known == here)
            })
            .unwrap_or_else(|| panic!("{} {} is no method of Google's", call.method, call.uri));
        for pair in call
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap();
            let parameter = &method["parameters"][name];
            assert!(
                parameter.is_object(),
                "{name} is no parameter of {}",
                method["id"]
            );
            if let Some(all) = parameter["enum"].as_array() {
                assert!(all.contains(&json!(value)), "{name}={value}");
            }
        }
        if !call.body.is_empty() {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            let wrong: Vec<_> = event
                .iter_errors(&without_nulls(&body))
                .map(|e| e.to_string())
                .collect();
            assert!(wrong.is_empty(), "{body}: {wrong:?}");
        }
        *checked
            .entry(method["id"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    for id in ["insert", "get", "patch", "delete"] {
        assert!(
            checked.contains_key(&format!("calendar.events.{id}")),
            "{checked:?}"
        );
    }
    assert!(checked.contains_key("calendar.calendarList.list"));
    // It was whole days for a while, and those have no zone.
    let cancelled = google.entry("primary", &id).unwrap();
    assert_eq!(
        cancelled["start"],
        json!({"dateTime": "2031-12-01T10:00:00+00:00", "timeZone": "Etc/UTC"})
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_entry_is_422_with_its_path_and_nothing_is_stored() {
    let (shop, google) = connected().await;
    for (change, path) in [
        (json!({"title": ""}), "title"),
        (json!({"startTime": "tomorrow"}), "startTime"),
        (json!({"endTime": "2031-11-26T09:00:00+01:00"}), "endTime"),
        (json!({"timezone": "Mars/Phobos"}), "timezone"),
        (json!({"attendees": ["maria"]}), "attendees.0"),
        (
            json!({"reminders": [{"method": "popup", "minutes": 40321}]}),
            "reminders.0.minutes",
        ),
        (
            json!({"reminders": vec![json!({"method": "email", "minutes": 1}); 6]}),
            "reminders",
        ),
        (
            json!({"reminders": [{"method": "pigeon", "minutes": 1}]}),
            "reminders.0.method",
        ),
        (json!({"sendUpdates": "some"}), "sendUpdates"),
        (json!({"colour": "red"}), "colour"),
        (json!({"idempotencyKey": ""}), "idempotencyKey"),
    ] {
        shop.full
            .post(EVENTS, &with(haircut(), change))
            .await
            .names_field(path);
    }
    shop.full.post_bytes(EVENTS, "{").await.is_problem(400);
    shop.events.post(EVENTS, &haircut()).await.is_problem(403);
    shop.full
        .patch(&format!("{EVENTS}/sb0"), &json!({}))
        .await
        .names_field("title");
    shop.full
        .patch(&format!("{EVENTS}/a%20b"), &json!({"title": "x"}))
        .await
        .is_problem(404);
    shop.full
        .delete(&format!("{EVENTS}/a%20b"))
        .await
        .is_problem(404);
    assert!(shop.deliveries("channel=calendar").await.is_empty());
    assert!(google.entries("primary").is_empty());
}

#[tokio::test]
async fn without_a_calendar_the_caller_s_own_work_goes_on() {
    let shop = Shop::open().await;
    let made = create(&shop, &haircut()).await;
    for (member, value) in [
        ("success", json!(false)),
        ("gracefulFail", json!(true)),
        ("code", json!("not_configured")),
        ("willRetry", json!(false)),
    ] {
        assert_eq!(made[member], value, "{made}");
    }
    let listed = shop
        .full
        .get("/api/integrations/calendar/calendars")
        .await
        .is(200);
    assert_eq!(listed["code"], "not_configured");
    shop.full
        .patch("/api/integrations/calendar", &json!({"isActive": false}))
        .await
        .is_problem(404);
    shop.full
        .delete("/api/integrations/calendar")
        .await
        .is_problem(404);
}

#[tokio::test]
async fn the_same_key_makes_one_entry() {
    let (shop, google) = connected().await;
    let keyed = with(haircut(), json!({"idempotencyKey": "b-7"}));
    let (first, again) = (create(&shop, &keyed).await, create(&shop, &keyed).await);
    assert_eq!(first["eventId"], again["eventId"]);
    assert_eq!(
        (&first["duplicate"], &again["duplicate"]),
        (&json!(false), &json!(true))
    );
    let other = with(keyed, json!({"title": "Other"}));
    let error = shop
        .full
        .post(EVENTS, &other)
        .await
        .names_field("idempotencyKey");
    assert_eq!(error["code"], "idempotency_key_reused");
    assert_eq!(google.entries("primary").len(), 1);
}

#[tokio::test]
async fn with_an_expired_token_twenty_calls_at_once_refresh_it_once() {
    let (shop, google) = connected().await;
    google.expire_access_tokens(3599);
    let calls = (0..20).map(|_| {
        let shop = shop.clone();
        async move { made(&shop, &haircut()).await }
    });
    let ids: std::collections::HashSet<_> = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(google.refreshes(), 1);
    assert_eq!(google.entries("primary").len(), 20);
}

#[tokio::test]
async fn when_access_is_withdrawn_all_is_held_after_one_try_and_goes_out_once_the_owner_is_back() {
    let (shop, google) = connected().await;
    shop.full
        .patch("/api/integrations/calendar", &json!({"calendarId": SALON}))
        .await
        .is(200);
    google.withdraw();
    let calls = (0..20).map(|n| {
        let shop = shop.clone();
        async move {
            create(
                &shop,
                &with(haircut(), json!({"title": format!("Booking {n}")})),
            )
            .await
        }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(
            (&answer["success"], &answer["code"], &answer["willRetry"]),
            (&json!(false), &json!("sign_in_expired"), &json!(true)),
            "{answer}"
        );
    }
    assert_eq!(google.refreshes(), 1, "Google is asked once, and not again");
    assert_eq!(
        shop.deliveries("channel=calendar&status=held&limit=200")
            .await
            .len(),
        20
    );
    let standing = self::standing(&shop).await;
    assert_eq!(standing["state"]["word"], "Needs you, 20 held");
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = &problems["problems"][0];
    assert_eq!(
        (&card["integration"], &card["cause"]),
        (&json!("calendar"), &json!("needs_sign_in"))
    );
    assert_eq!(
        (&card["actions"][0], &card["waiting"]),
        (&json!("reconnect"), &json!(20))
    );

    assert_eq!(sign_in(&shop, &json!({})).await["status"], "connected");
    all_through(&shop, 20).await;
    assert_eq!(
        google.entries(SALON).len(),
        20,
        "the choice of the calendar was kept"
    );
    assert!(google.entries("primary").is_empty());
    assert_eq!(google.refreshes(), 1);
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"], json!([]));
}

#[tokio::test]
async fn an_entry_whose_answer_got_lost_is_there_once_and_guests_are_invited_once() {
    let (shop, google) = connected().await;
    let path = "/calendar/v3/calendars/primary/events";
    google
        .calls()
        .behave_on(path, [Behaviour::AnswerLost, Behaviour::Answer]);
    let answer = create(
        &shop,
        &with(haircut(), json!({"attendees": ["maria@example.com"]})),
    )
    .await;
    assert_eq!(
        (&answer["success"], &answer["willRetry"]),
        (&json!(false), &json!(true)),
        "{answer}"
    );
    all_through(&shop, 1).await;
    let entries = google.entries("primary");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["id"], answer["eventId"]);
    assert_eq!(google.notices().len(), 1);
}

#[tokio::test]
async fn what_was_made_moved_and_cancelled_while_nothing_went_out_ends_as_it_should() {
    let (shop, google) = connected().await;
    let active = |is_active: bool| {
        let full = shop.full.clone();
        async move {
            full.patch(
                "/api/integrations/calendar",
                &json!({"isActive": is_active}),
            )
            .await
            .is(200)
        }
    };
    active(false).await;
    let held = create(&shop, &haircut()).await;
    assert_eq!(
        (&held["code"], &held["willRetry"]),
        (&json!("disabled"), &json!(true)),
        "{held}"
    );
    let id = held["eventId"].as_str().unwrap();
    let stays = create(&shop, &with(haircut(), json!({"title": "Stays"}))).await;
    patch(
        &shop,
        id,
        &json!({"startTime": "2031-11-27T10:00:00+01:00", "endTime": "2031-11-27T11:00:00+01:00"}),
    )
    .await;
    patch(
        &shop,
        stays["eventId"].as_str().unwrap(),
        &json!({"location": "Upstairs"}),
    )
    .await;
    delete(&shop, id).await;
    assert!(google.entries("primary").is_empty());
    active(true).await;
    all_through(&shop, 5).await;
    let gone = google.entry("primary", id).unwrap();
    assert_eq!(gone["status"], "cancelled");
    assert_eq!(
        gone["start"]["dateTime"], "2031-11-27T10:00:00+01:00",
        "moved before it was cancelled"
    );
    let entries = google.entries("primary");
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0]["summary"], &entries[0]["location"]),
        (&json!("Stays"), &json!("Upstairs"))
    );
}

#[tokio::test]
async fn what_somebody_else_changed_is_not_overwritten_and_guests_keep_their_answers() {
    let (shop, google) = connected().await;
    let guests = json!({"attendees": ["maria@example.com", "jo@example.com"]});
    let id = made(&shop, &with(haircut(), guests)).await;
    let later =
        json!({"startTime": "2031-11-26T12:00:00+01:00", "endTime": "2031-11-26T13:00:00+01:00"});

    // Maria accepts: another ETag, and the booking may still be moved.
    let attendees = json!([{"email": "maria@example.com", "responseStatus": "accepted"}, {"email": "jo@example.com", "responseStatus": "declined"}]);
    google.change("primary", &id, json!({"attendees": attendees}));
    assert_eq!(patch(&shop, &id, &later).await["success"], true);
    let entry = google.entry("primary", &id).unwrap();
    assert_eq!(entry["start"]["dateTime"], "2031-11-26T12:00:00+01:00");
    assert_eq!(entry["attendees"][0]["responseStatus"], "accepted");
    patch(
        &shop,
        &id,
        &json!({"attendees": ["Maria@example.com", "li@example.com"]}),
    )
    .await;
    let entry = google.entry("primary", &id).unwrap();
    assert_eq!(entry["attendees"][0]["responseStatus"], "accepted");
    assert_eq!(entry["attendees"][1]["responseStatus"], "needsAction");
    assert_eq!(google.notices().len(), 3, "made, moved, other guests");

    // The owner moves it by hand: that is not undone.
    google.change("primary", &id, json!({"start": {"dateTime": "2031-11-26T15:00:00+01:00"}, "end": {"dateTime": "2031-11-26T16:00:00+01:00"}}));
    let evening =
        json!({"startTime": "2031-11-26T18:00:00+01:00", "endTime": "2031-11-26T19:00:00+01:00"});
    let refused = patch(&shop, &id, &evening).await;
    assert_eq!(
        (&refused["success"], &refused["code"], &refused["willRetry"]),
        (&json!(false), &json!("rejected"), &json!(false)),
        "{refused}"
    );
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("not overwritten"),
        "{refused}"
    );
    assert_eq!(
        google.entry("primary", &id).unwrap()["start"]["dateTime"],
        "2031-11-26T15:00:00+01:00"
    );
    let title = patch(&shop, &id, &json!({"title": "Haircut and colour"})).await;
    assert_eq!(
        title["success"], true,
        "what nobody else changed may be changed"
    );
    // Having seen it, the owner sends it again.
    let delivery = refused["deliveryId"].as_str().unwrap();
    shop.full
        .post(&format!("/api/deliveries/{delivery}/retry"), &json!({}))
        .await
        .is(202);
    all_through(&shop, 5).await;
    assert_eq!(
        google.entry("primary", &id).unwrap()["start"]["dateTime"],
        "2031-11-26T18:00:00+01:00"
    );
}

#[tokio::test]
async fn what_is_gone_already_is_no_failure() {
    let (shop, google) = connected().await;
    let id = made(&shop, &haircut()).await;
    assert_eq!(delete(&shop, &id).await["alreadyGone"], false);
    let again = delete(&shop, &id).await;
    assert_eq!(
        (&again["success"], &again["alreadyGone"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(delete(&shop, "sb0nobody").await["alreadyGone"], true);

    let id = made(&shop, &haircut()).await;
    google.change("primary", &id, json!({"status": "cancelled"}));
    let moved = patch(&shop, &id, &json!({"title": "x"})).await;
    assert_eq!(
        (&moved["success"], &moved["alreadyGone"]),
        (&json!(true), &json!(true)),
        "{moved}"
    );
    assert_eq!(
        google.entry("primary", &id).unwrap()["status"],
        "cancelled",
        "it is not made again"
    );
    let unknown = patch(&shop, "sb0nobody", &json!({"title": "x"})).await;
    assert_eq!(
        (&unknown["success"], &unknown["code"]),
        (&json!(false), &json!("not_found")),
        "{unknown}"
    );
}

#[tokio::test]
async fn an_entry_that_was_deleted_elsewhere_is_restored_when_it_is_made_again() {
    let (shop, google) = connected().await;
    let entry = with(haircut(), json!({"idempotencyKey": "booking-7"}));
    let id = made(&shop, &entry).await;
    // Deleted in Google Calendar: its id stays taken.
    google.change("primary", &id, json!({"status": "cancelled"}));
    assert!(google.entries("primary").is_empty());
    // The workspace asks for the same entry once more, as an import of the same bookings does.
    let rows = shop.deliveries("channel=calendar").await;
    let again = json!({"filter": {"channel": "calendar"}});
    let replayed = shop
        .full
        .post("/api/deliveries/replay", &again)
        .await
        .json();
    assert_eq!(replayed["queued"], rows.len(), "{replayed}");
    all_through(&shop, 2).await;
    let restored = google.entry("primary", &id).unwrap();
    assert_eq!(restored["status"], "confirmed", "{restored}");
    assert_eq!(restored["summary"], "Haircut");
    assert_eq!(google.entries("primary").len(), 1, "restored, not doubled");
}

#[tokio::test]
async fn the_end_of_a_project_in_testing_is_said_in_words_with_its_date() {
    const DAY: i64 = 86_400_000;
    for (days, is_testing) in [(7, true), (3, false)] {
        let (shop, google) = connected_with(Shop::alone().await).await;
        made(&shop, &haircut()).await;
        // So long ago the owner signed in; the access token is in memory only.
        let home = shop.serve.home().path();
        let db = rusqlite::Connection::open(home.join("signalbox.db")).unwrap();
        db.busy_timeout(PATIENCE).unwrap();
        let settings: String = db
            .query_row(
                "SELECT settings FROM integrations WHERE kind = 'calendar'",
                [],
                |r| r.get(0),
            )
            .unwrap();
        let mut settings: Value = serde_json::from_str(&settings).unwrap();
        let connected = &mut settings["connectedAt"];
        let now: jiff::Timestamp = jiff::Timestamp::now();
        let then = jiff::Timestamp::from_millisecond(now.as_millisecond() - days * DAY).unwrap();
        *connected = match connected {
            Value::String(_) => then.to_string().into(),
            _ => then.as_millisecond().into(),
        };
        db.execute(
            "UPDATE integrations SET settings = ? WHERE kind = 'calendar'",
            [settings.to_string()],
        )
        .unwrap();
        drop(db);
        let shop = tokio::task::spawn_blocking(move || shop.restart(true))
            .await
            .unwrap();
        google.withdraw();
        let held = create(&shop, &haircut()).await;
        assert_eq!(held["code"], "sign_in_expired", "{held}");
        let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
        let said = problem["title"].as_str().unwrap();
        assert_eq!(said.contains("after seven days"), is_testing, "{said}");
        if is_testing {
            let day = now.strftime("%-d").to_string();
            assert!(said.contains("Testing") && said.contains(&day), "{said}");
        }
        assert_eq!(problem["actions"][0], "reconnect", "{problem}");
        let stands = sign_in(&shop, &client(&google)).await;
        assert_eq!(stands["status"], "connected", "{stands}");
        all_through(&shop, 2).await;
        assert_eq!(google.entries("primary").len(), 2);
    }
}

#[tokio::test]
async fn what_is_known_of_entries_long_over_goes_with_the_texts() {
    let (shop, google) = connected_with(Shop::alone().await).await;
    let over = made(&shop, &haircut()).await;
    let waited_for = made(&shop, &haircut()).await;
    let to_come = made(&shop, &haircut()).await;
    google.withdraw();
    google.expire_access_tokens(3599);
    let held = patch(&shop, &waited_for, &json!({"title": "Colour"})).await;
    assert_eq!(held["code"], "sign_in_expired", "{held}");
    let path = shop.serve.home().path().join("signalbox.db");
    let db = rusqlite::Connection::open(path).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    let long_ago = jiff::Timestamp::now().as_millisecond() - 400 * 86_400_000;
    db.execute(
        "UPDATE calendar_entries SET starts_at = ? WHERE entry_id <> ?",
        rusqlite::params![long_ago, to_come],
    )
    .unwrap();
    let known = || -> Vec<String> {
        let mut rows = db.prepare("SELECT entry_id FROM calendar_entries").unwrap();
        let all = rows.query_map([], |r| r.get(0)).unwrap();
        all.map(Result::unwrap).collect()
    };
    for (dry_run, left) in [(true, 3), (false, 2)] {
        let asked = json!({"dryRun": dry_run});
        let done = shop
            .full
            .post("/api/settings/clean-up", &asked)
            .await
            .is(200);
        assert_eq!(done["calendarEntries"], 1, "{done}");
        assert_eq!(known().len(), left);
    }
    assert!(!known().contains(&over));
    assert_eq!(
        google.entries("primary").len(),
        3,
        "they stay in the calendar"
    );
}

#[tokio::test]
async fn the_header_idempotency_key_stands_for_the_member_on_every_direct_send() {
    let (shop, google) = connected().await;
    let sendgrid = signalbox_practice::SendGrid::start(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let twilio = signalbox_practice::Twilio::start(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    let number = signalbox_practice::Twilio::NUMBER;
    for (kind, setup) in [
        (
            "email",
            json!({"apiKey": "SG.practice.works", "fromEmail": "info@shop.example", "apiBaseUrl": sendgrid.url()}),
        ),
        (
            "sms",
            json!({"accountSid": signalbox_practice::Twilio::ACCOUNT, "authToken": signalbox_practice::Twilio::TOKEN, "fromNumber": number, "apiBaseUrl": twilio.url()}),
        ),
    ] {
        shop.full
            .post(&format!("/api/integrations/{kind}"), &setup)
            .await
            .is(200);
    }
    let id = made(&shop, &haircut()).await;
    let entry = format!("{EVENTS}/{id}");
    for (method, path, body, other) in [
        (
            http::Method::POST,
            "/api/email/send",
            json!({"to": "maria@example.com", "subject": "s", "text": "t"}),
            ("text", "u"),
        ),
        (
            http::Method::POST,
            "/api/sms/send",
            json!({"to": number, "message": "m"}),
            ("message", "n"),
        ),
        (http::Method::POST, EVENTS, haircut(), ("title", "Colour")),
        (
            http::Method::PATCH,
            entry.as_str(),
            json!({"title": "Cut"}),
            ("title", "Colour"),
        ),
    ] {
        let give = async |key: &str, body: &Value| {
            let headers = [
                ("content-type", "application/json"),
                ("idempotency-key", key),
            ];
            shop.full
                .send(
                    method.clone(),
                    path,
                    &headers,
                    Some(body.to_string().into()),
                )
                .await
        };
        let first = give("once", &body).await.is(200);
        assert_eq!(
            (&first["success"], &first["duplicate"]),
            (&json!(true), &json!(false)),
            "{first}"
        );
        let second = give("once", &body).await.is(200);
        assert_eq!(
            (&second["deliveryId"], &second["duplicate"]),
            (&first["deliveryId"], &json!(true)),
            "{second}"
        );
        let mut another = body.clone();
        another[other.0] = other.1.into();
        give("once", &another).await.is_problem(422);
        let both = with(body.clone(), json!({"idempotencyKey": "twice"}));
        give("once", &both).await.names_field("idempotencyKey");
        give("twice", &both).await.is(200);
        give("", &body).await.names_field("idempotencyKey");
    }
    assert_eq!((sendgrid.emails().len(), twilio.texts().len()), (2, 2));
    assert_eq!(google.entries("primary").len(), 3);
}

#[tokio::test]
async fn limits_are_waited_for_and_a_lost_calendar_needs_the_owner() {
    let (shop, google) = connected().await;
    let path = "/calendar/v3/calendars/primary/events";
    let refusal = r#"{"error":{"code":403,"message":"Calendar usage limits exceeded.","errors":[{"domain":"usageLimits","reason":"quotaExceeded","message":"Calendar usage limits exceeded."}]}}"#;
    for (behaviour, at_least) in [
        (Behaviour::rate_limited("120"), 110),
        (Behaviour::Say(403, "application/json", refusal), 3500),
    ] {
        google.calls().behave_on(path, [behaviour]);
        let answer = create(&shop, &haircut()).await;
        assert_eq!(
            (&answer["code"], &answer["willRetry"]),
            (&json!("rate_limited"), &json!(true)),
            "{answer}"
        );
        assert!(
            answer["retryAfterSeconds"].as_u64().unwrap() >= at_least,
            "{answer}"
        );
    }
    google.calls().behave_on(path, [Behaviour::Answer]);
    shop.full
        .patch("/api/integrations/calendar", &json!({"calendarId": SALON}))
        .await
        .is(200);
    google.remove_calendar(SALON);
    let answer = create(&shop, &haircut()).await;
    assert_eq!(
        (&answer["success"], &answer["willRetry"]),
        (&json!(false), &json!(true)),
        "{answer}"
    );
    assert!(
        answer["error"].as_str().unwrap().contains("Choose another"),
        "{answer}"
    );
    assert_eq!(standing(&shop).await["state"]["word"], "Needs you, 3 held");
    let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
    assert_eq!(
        problem["actions"],
        json!(["choose_calendar", "release", "told_them", "dismiss"]),
        "{problem}"
    );
    let path = format!("/api/problems/{}/resolve", problem["id"].as_str().unwrap());
    let choose = json!({"action": "choose_calendar"});
    let where_to = shop.full.post(&path, &choose).await.is_problem(409);
    assert!(
        where_to["detail"].as_str().unwrap().contains("calendars"),
        "{where_to}"
    );
    let chosen = shop
        .full
        .patch(
            "/api/integrations/calendar",
            &json!({"calendarId": "primary"}),
        )
        .await
        .is(200);
    assert_eq!(chosen["released"], 3, "{chosen}");
    all_through(&shop, 3).await;
}

#[tokio::test]
async fn disconnecting_gives_access_back_and_forgets_even_if_google_does_not_hear_of_it() {
    for broken in [false, true] {
        let (shop, google) = connected().await;
        if broken {
            google
                .calls()
                .behave_on("/revoke", [Behaviour::Status(500)]);
        }
        let gone = shop.full.delete("/api/integrations/calendar").await.is(200);
        assert_eq!(gone["success"], true);
        assert_eq!(google.revoked().len(), usize::from(!broken));
        let calls = google.calls().calls();
        let revoke = calls
            .iter()
            .find(|call| call.uri.path() == "/revoke")
            .unwrap();
        assert_eq!(revoke.uri.query(), None, "the token is in the body");
        assert_eq!(standing(&shop).await["isConfigured"], false);
        assert_eq!(create(&shop, &haircut()).await["code"], "not_configured");
        // It can be connected anew, and nothing of before is needed.
        assert_eq!(
            sign_in(&shop, &client(&google)).await["status"],
            "connected"
        );
        made(&shop, &haircut()).await;
    }
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_across_a_restart_and_no_token_lies_anywhere() {
    let (shop, google) = connected_with(Shop::alone().await).await;
    google.rotate(true);
    for _ in 0..2 {
        google.expire_access_tokens(3599);
        made(&shop, &haircut()).await;
    }
    assert_eq!(google.refreshes(), 2);
    let shop = shop.restart(true);
    made(&shop, &haircut()).await;
    assert_eq!(google.refreshes(), 3, "the access token was in memory only");
    let log = shop
        .full
        .get("/api/deliveries?channel=calendar")
        .await
        .is(200)
        .to_string();
    let home = shop.serve.home().clone();
    let mut secrets = google.good_tokens();
    secrets.push(CLIENT_SECRET.to_owned());
    assert!(secrets.len() >= 3);
    for secret in &secrets {
        assert!(!log.contains(secret));
        for file in home.contents() {
            let path = home.path().join(&file);
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let is_there = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!is_there, "{secret} lies in {}", file.display());
        }
    }
}

#[tokio::test]
async fn signing_in_again_keeps_the_refresh_token_where_google_gives_no_new_one() {
    let (shop, google) = connected().await;
    let begun = begin(&shop, &json!({})).await;
    assert!(
        !begun["authorizationUrl"]
            .as_str()
            .unwrap()
            .contains("prompt=consent"),
        "one is held"
    );
    browse(&begun).await.is(200);
    assert_eq!(ended(&shop, &begun).await["status"], "connected");
    google.expire_access_tokens(3599);
    made(&shop, &haircut()).await;
    assert_eq!(google.refreshes(), 1);
    let client_moved = sign_in(
        &shop,
        &with(client(&google), json!({"calendarId": HOLIDAYS})),
    )
    .await;
    assert_eq!(
        client_moved["status"], "failed",
        "a calendar that can only be read"
    );
}

#[test]
fn the_command_line_connects_and_looks_after_entries() {
    let home = Home::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let google = runtime.block_on(provider());
    let serve = home.serve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.json");
    std::fs::write(&file, client(&google).to_string()).unwrap();
    let mut child = home
        .command(&[
            "connect",
            "calendar",
            "--no-browser",
            "--json",
            "--from",
            file.to_str().unwrap(),
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let url = std::io::BufRead::lines(stderr)
        .map_while(Result::ok)
        .find(|line| line.starts_with("http"))
        .expect("where to go");
    runtime
        .block_on(browse(&json!({"authorizationUrl": url})))
        .is(200);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["success"], &said["account"]),
        (&json!(true), &json!(ACCOUNT))
    );

    let made = home.run(&[
        "calendar",
        "create",
        "--title",
        "Haircut",
        "--start",
        "2031-11-26T10:00",
        "--end",
        "2031-11-26T11:00",
        "--timezone",
        "Europe/Berlin",
        "--attendee",
        "maria@example.com",
        "--json",
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let id = made.json()["eventId"].as_str().unwrap().to_owned();
    let moved = home.run(&[
        "calendar",
        "update",
        &id,
        "--location",
        "Upstairs",
        "--json",
    ]);
    assert_eq!(moved.code, 0, "{}", moved.stderr);
    assert_eq!(
        google.entry("primary", &id).unwrap()["location"],
        "Upstairs"
    );
    assert_eq!(home.run(&["calendar", "delete", &id]).code, 0);
    assert!(google.entries("primary").is_empty());
    google.withdraw();
    let held = home.run(&[
        "calendar",
        "create",
        "--title",
        "x",
        "--start",
        "2031-11-26",
        "--end",
        "2031-11-26",
    ]);
    assert_eq!(held.code, 75, "{}", held.stdout);
    assert_eq!(home.run(&["calendar", "create", "--json"]).code, 2);
    drop(serve);
}
