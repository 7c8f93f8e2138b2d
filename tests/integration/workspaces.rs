//! Two businesses, one owner: workspaces keep everything apart; tokens are shown once and stored hashed.

use http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use signalbox_practice::Receiver;
use signalbox_tests::{Home, Shop};

#[tokio::test]
async fn a_fresh_home_has_the_workspace_my_business() {
    let serve = Home::new().serve();
    let listed = serve.owner().get("/api/workspaces").await.is(200);
    let workspaces = listed["workspaces"].as_array().unwrap();
    assert_eq!(workspaces.len(), 1);
    assert_eq!(workspaces[0]["name"], "My business");
    let health = serve.owner().get("/api/health").await.is(200);
    assert_eq!(health["workspace"]["id"], workspaces[0]["id"]);
}

#[tokio::test]
async fn a_workspace_is_named_by_the_header_by_name_or_id() {
    let shop = Shop::open().await;
    let name = shop.owner.get("/api/health").await.is(200)["workspace"]["name"].clone();
    let by_name = shop.serve.owner().for_workspace(name.as_str().unwrap());
    assert_eq!(
        by_name.get("/api/health").await.is(200)["workspace"]["id"],
        shop.workspace.as_str()
    );
    shop.serve
        .owner()
        .for_workspace("No such shop")
        .get("/api/health")
        .await
        .is_problem(404);
}

#[tokio::test]
async fn a_token_cannot_speak_for_another_workspace() {
    let shop = Shop::open().await;
    let other = Shop::on(shop.serve.clone()).await;
    let headers = [("signalbox-workspace", other.workspace.as_str())];
    let answer = shop
        .full
        .send(Method::GET, "/api/health", &headers, None)
        .await;
    if answer.status == 200 {
        assert_eq!(answer.json()["workspace"]["id"], shop.workspace.as_str());
    } else {
        answer.is_problem(403);
    }
}

#[tokio::test]
async fn nothing_of_one_workspace_is_seen_or_touched_from_another() {
    let shop = Shop::open().await;
    let other = Shop::on(shop.serve.clone()).await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let event = shop
        .event("contact.created", r#"{"contactId":"private"}"#)
        .await;
    let delivery = shop.delivery_is(&event, "success").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = shop.full.get("/api/tokens").await.is(200)["tokens"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [
        "/api/events",
        "/api/deliveries",
        "/api/integrations/webhooks",
    ] {
        let listed = other.full.get(path).await.is(200);
        let list = listed
            .as_object()
            .unwrap()
            .values()
            .find_map(Value::as_array)
            .unwrap();
        assert!(list.is_empty(), "{path}: {listed}");
    }
    for path in [
        format!("/api/events/{event}"),
        format!("/api/deliveries/{delivery}"),
        format!("/api/integrations/webhooks/{}", webhook.id),
    ] {
        other.full.get(&path).await.is_problem(404);
        other.owner.get(&path).await.is_problem(404);
    }
    let hook = format!("/api/integrations/webhooks/{}", webhook.id);
    other
        .full
        .patch(&hook, &json!({"name": "stolen"}))
        .await
        .is_problem(404);
    other.full.delete(&hook).await.is_problem(404);
    other
        .full
        .post(&format!("{hook}/test"), &json!({}))
        .await
        .is_problem(404);
    other
        .full
        .post(&format!("/api/deliveries/{delivery}/cancel"), &json!({}))
        .await
        .is_problem(404);
    other
        .full
        .post(&format!("/api/deliveries/{delivery}/retry"), &json!({}))
        .await
        .is_problem(404);
    other
        .full
        .delete(&format!("/api/tokens/{token}"))
        .await
        .is_problem(404);
    let accepted = other
        .give("contact.created", r#"{"contactId":"x"}"#)
        .await
        .is(202);
    assert_eq!(
        accepted["deliveries"], 0,
        "another workspace's webhook was told"
    );
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_token_is_shown_once_and_stored_hashed() {
    let shop = Shop::alone().await;
    let made = shop
        .owner
        .post("/api/tokens", &json!({"name": "Till"}))
        .await
        .is(201);
    assert_eq!(
        (&made["success"], &made["scope"], &made["name"]),
        (&json!(true), &json!("events"), &json!("Till"))
    );
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(
        token.starts_with("sbt_") && token.len() >= 4 + 43,
        "256 bits behind sbt_: {}",
        token.len()
    );
    let listed = shop.owner.get("/api/tokens").await.is(200);
    assert!(!listed.to_string().contains(&token));
    let row = listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == made["id"])
        .unwrap()
        .clone();
    assert_eq!(row["lastFour"], token[token.len() - 4..]);
    let secret = token.trim_start_matches("sbt_").to_owned();
    let home = shop.serve.home().clone();
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    let signing = webhook.secret.trim_start_matches("whsec_").to_owned();
    shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    for name in home.contents() {
        let Ok(bytes) = std::fs::read(home.path().join(&name)) else {
            continue;
        };
        for canary in [&secret, &signing] {
            let found = bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(!found, "a secret stands in {}", name.display());
        }
    }
    drop(shop);
}

#[tokio::test]
async fn a_token_needs_a_name_and_a_known_scope() {
    let shop = Shop::open().await;
    shop.owner
        .post("/api/tokens", &json!({"name": ""}))
        .await
        .names_field("name");
    shop.owner
        .post("/api/tokens", &json!({}))
        .await
        .names_field("name");
    shop.owner
        .post("/api/tokens", &json!({"name": "x", "scope": "root"}))
        .await
        .names_field("scope");
}

#[tokio::test]
async fn a_workspace_needs_a_name_of_its_own_and_a_real_time_zone() {
    let shop = Shop::open().await;
    let owner = shop.serve.owner();
    owner
        .post("/api/workspaces", &json!({"name": ""}))
        .await
        .names_field("name");
    owner
        .post(
            "/api/workspaces",
            &json!({"name": "Zone", "timezone": "Mars/Base"}),
        )
        .await
        .names_field("timezone");
    owner
        .post("/api/workspaces", &json!({"name": "Twin"}))
        .await
        .is(201);
    let twin = owner
        .post("/api/workspaces", &json!({"name": "Twin"}))
        .await;
    assert!(matches!(twin.status, 409 | 422), "{}", twin.text());
    twin.is_problem(twin.status);
}

#[tokio::test]
async fn the_database_is_opened_as_promised() {
    let shop = Shop::alone().await;
    shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let path = shop.serve.home().path().join("signalbox.db");
    let database = Connection::open(path).unwrap();
    let mode: String = database
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    let own: i64 = database
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .unwrap();
    let check: String = database
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!((mode.as_str(), check.as_str()), ("wal", "ok"));
    assert_ne!(own, 0);
    for table in [
        "workspaces",
        "webhooks",
        "events",
        "event_types",
        "deliveries",
        "attempts",
        "api_tokens",
        "settings",
    ] {
        let strict: bool = database
            .query_row(
                "SELECT strict FROM pragma_table_list WHERE name = ?1",
                [table],
                |row| row.get(0),
            )
            .unwrap_or_else(|error| panic!("{table}: {error}"));
        assert!(strict, "{table} is not STRICT");
    }
}
