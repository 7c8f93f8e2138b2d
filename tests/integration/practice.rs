//! Practice mode: every service is there and nothing leaves this computer; practice and real work
//! cannot be taken for each other.

use serde_json::{Value, json};
use signalbox_tests::{Api, Home, Serve};

const AUTHORIZE: &str = "/api/integrations/calendar/authorize";

fn practise() -> (Serve, Api) {
    let serve = Home::new().serve_with(&["practice", "--port", "0"]);
    let owner = serve.owner().for_workspace("Practice");
    (serve, owner)
}

fn browser() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A person at the consent page: looks at it, and presses a button.
async fn press(begun: &Value, button: &str) -> String {
    let url = begun["authorizationUrl"].as_str().unwrap();
    let page = browser().get(url).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("wants access to your practice calendar") && page.contains(button));
    let answer = match button {
        "Allow" => "answer=allow",
        _ => "answer=deny",
    };
    let sent = browser()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(answer)
        .send();
    sent.await.unwrap().text().await.unwrap()
}

async fn sign_in(owner: &Api, button: &str) -> String {
    let begun = owner.post(AUTHORIZE, &json!({})).await.is(200);
    assert_eq!(begun["success"], true, "{begun}");
    let last = press(&begun, button).await;
    let path = format!("{AUTHORIZE}/{}", begun["flowId"].as_str().unwrap());
    let over = owner.changes().await.until(async || {
        let stands = owner.get(&path).await.is(200);
        (stands["status"] != "waiting").then_some(())
    });
    over.await.expect("the sign-in ends");
    last
}

async fn standing(owner: &Api) -> Value {
    owner.get("/api/integrations").await.is(200)
}

/// Where the pages of its Google are.
async fn google(owner: &Api) -> String {
    let begun = owner.post(AUTHORIZE, &json!({})).await.is(200);
    let url = begun["authorizationUrl"].as_str().unwrap();
    url.split("/o/").next().unwrap().to_owned()
}

fn haircut() -> Value {
    json!({"title": "Haircut", "startTime": "2031-11-26T10:00:00+01:00", "endTime": "2031-11-26T11:00:00+01:00"})
}

#[tokio::test]
async fn email_texts_and_files_are_connected_and_the_calendar_is_one_sign_in_away() {
    let (serve, owner) = practise();
    let workspaces = owner.get("/api/workspaces").await.is(200);
    assert_eq!(workspaces["workspaces"][0]["isPractice"], true);
    let stands = standing(&owner).await;
    for kind in ["email", "sms", "storage"] {
        assert_eq!(stands[kind]["testStatus"], "success", "{}", stands[kind]);
    }
    assert_eq!(stands["calendar"]["isConfigured"], false);
    assert_eq!(stands["calendar"]["hasPublisherClient"], true);
    let email = json!({"to": "maria@example.com", "subject": "s", "text": "t"});
    let sent = owner.post("/api/email/send", &email).await.is(200);
    assert_eq!(sent["success"], true, "{sent}");
    let text = json!({"to": "+15005550006", "message": "See you at three"});
    let sent = owner.post("/api/sms/send", &text).await.is(200);
    assert_eq!(sent["success"], true, "{sent}");

    assert!(sign_in(&owner, "Cancel").await.contains("Signalbox"));
    assert_eq!(standing(&owner).await["calendar"]["isConfigured"], false);
    assert!(
        sign_in(&owner, "Allow")
            .await
            .contains("You can close this tab")
    );
    let stands = standing(&owner).await["calendar"].clone();
    assert_eq!(stands["account"], "owner@shop.example", "{stands}");
    let made = owner.post("/api/calendar/events", &haircut()).await.is(200);
    assert_eq!(made["success"], true, "{made}");
    let entry = browser().get(made["htmlLink"].as_str().unwrap()).send();
    assert!(
        entry
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("Haircut")
    );

    // The same again after a restart, at other addresses, and nobody has to sign in anew.
    let (home, _) = serve.terminate();
    let serve = home.serve_with(&["practice", "--port", "0"]);
    let owner = serve.owner().for_workspace("Practice");
    assert_eq!(
        owner.get("/api/workspaces").await.is(200)["workspaces"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let stands = standing(&owner).await;
    for kind in ["email", "sms", "storage", "calendar"] {
        assert_eq!(stands[kind]["testStatus"], "success", "{}", stands[kind]);
    }
    let made = owner.post("/api/calendar/events", &haircut()).await.is(200);
    assert_eq!(made["success"], true, "{made}");
}

#[tokio::test]
async fn access_that_is_removed_at_the_provider_holds_entries_until_the_owner_signs_in_again() {
    let (_serve, owner) = practise();
    sign_in(&owner, "Allow").await;
    let google = google(&owner).await;
    let account = browser()
        .get(&google)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(account.contains("Signalbox has access"), "{account}");
    browser()
        .post(format!("{google}/withdraw"))
        .send()
        .await
        .unwrap();
    let held = owner.post("/api/calendar/events", &haircut()).await.is(200);
    assert_eq!(held["code"], "sign_in_expired", "{held}");
    let problems = owner.get("/api/problems").await.is(200);
    assert_eq!(
        problems["problems"][0]["integration"], "calendar",
        "{problems}"
    );
    sign_in(&owner, "Allow").await;
    let id = held["deliveryId"].as_str().unwrap();
    let path = format!("/api/deliveries/{id}");
    let gone = owner.changes().await.until(async || {
        let row = owner.get(&path).await.is(200);
        (row["delivery"]["status"] == "success").then_some(())
    });
    gone.await.expect("what was held goes out");
    let account = browser()
        .get(&google)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(account.matches("Haircut").count(), 1, "{account}");
}

#[tokio::test]
async fn nothing_leaves_the_practice_workspace() {
    let (_serve, owner) = practise();
    let before = standing(&owner).await;
    for (kind, setup, path) in [
        (
            "email",
            json!({"apiKey": "SG.practice.works", "fromEmail": "a@b.example", "apiBaseUrl": "https://api.sendgrid.com"}),
            "apiBaseUrl",
        ),
        (
            "email",
            json!({"apiKey": "SG.practice.works", "fromEmail": "a@b.example", "apiBaseUrl": "http://127.0.0.1:9"}),
            "apiBaseUrl",
        ),
        (
            "sms",
            json!({"accountSid": "AC5197a1b0c5197a1b0c5197a1b0c51970", "authToken": "x", "fromNumber": "+15005550006", "apiBaseUrl": "https://api.twilio.com"}),
            "apiBaseUrl",
        ),
        (
            "storage",
            json!({"accessKeyId": "x", "secretAccessKey": "y", "bucketName": "bucket", "region": "eu", "endpoint": "https://s3.example"}),
            "endpoint",
        ),
        (
            "calendar",
            json!({"accessToken": "x", "refreshToken": "y", "tokenUri": "https://oauth2.googleapis.com/token"}),
            "tokenUri",
        ),
    ] {
        let refused = owner
            .post(&format!("/api/integrations/{kind}"), &setup)
            .await;
        let field = refused.names_field(path);
        assert_eq!(field["code"], "practice", "{field}");
        assert!(
            field["message"]
                .as_str()
                .unwrap()
                .contains("nothing leaves this computer")
        );
    }
    let own = json!({"clientId": "mine.apps.googleusercontent.com"});
    owner.post(AUTHORIZE, &own).await.names_field("tokenUri");
    let away = json!({"apiBaseUrl": "https://api.sendgrid.com", "apiKey": "SG.practice.works"});
    owner
        .patch("/api/integrations/email", &away)
        .await
        .names_field("apiBaseUrl");
    let hook = json!({"name": "Far", "url": "https://shop.example/hook", "events": ["*"]});
    owner
        .post("/api/integrations/webhooks", &hook)
        .await
        .names_field("url");
    let near = json!({"name": "Near", "url": "http://127.0.0.1:9/", "events": ["*"], "allowPrivateNetwork": true});
    owner
        .post("/api/integrations/webhooks", &near)
        .await
        .is(201);
    let after = standing(&owner).await;
    assert_eq!(after["email"], before["email"]);

    // Who disconnects and sets up again without an address comes back to the stand-in.
    owner.delete("/api/integrations/email").await.is(200);
    let again = json!({"apiKey": "SG.practice.works", "fromEmail": "a@b.example"});
    let again = owner.post("/api/integrations/email", &again).await.is(200);
    assert_eq!(again["testStatus"], "success", "{again}");
}

#[tokio::test]
async fn a_real_workspace_is_not_pointed_at_practice_and_stays_as_it_is() {
    let (serve, owner) = practise();
    owner
        .post("/api/workspaces", &json!({"name": "Real"}))
        .await
        .is(201);
    let real = serve.owner().for_workspace("Real");
    let stands = standing(&owner).await;
    let setup = json!({"apiKey": "SG.practice.works", "fromEmail": "a@b.example", "apiBaseUrl": stands["email"]["apiBaseUrl"]});
    let refused = real.post("/api/integrations/email", &setup).await;
    let field = refused.names_field("apiBaseUrl");
    assert!(
        field["message"].as_str().unwrap().contains("stand-in"),
        "{field}"
    );
    let hooks = owner.get("/api/integrations/webhooks").await.is(200);
    let hook = json!({"name": "Till", "url": hooks["webhooks"][0]["url"], "events": ["*"], "allowPrivateNetwork": true});
    real.post("/api/integrations/webhooks", &hook)
        .await
        .names_field("url");
    assert_eq!(standing(&real).await["email"]["isConfigured"], false);
    assert_eq!(
        standing(&real).await["calendar"]["hasPublisherClient"],
        false
    );
    let far = json!({"name": "Far", "url": "https://shop.example/hook", "events": ["*"]});
    real.post("/api/integrations/webhooks", &far).await.is(201);
}

#[tokio::test]
async fn without_practice_mode_the_practice_workspace_stays_closed() {
    let (serve, _) = practise();
    let (home, _) = serve.terminate();
    let serve = home.serve();
    let owner = serve.owner().for_workspace("Practice");
    let setup = json!({"apiKey": "SG.real", "fromEmail": "a@b.example"});
    owner
        .post("/api/integrations/email", &setup)
        .await
        .names_field("apiBaseUrl");
    let paused = owner
        .patch("/api/integrations/email", &json!({"isActive": false}))
        .await
        .is(200);
    assert_eq!(
        paused["success"], true,
        "what changes no address may be changed"
    );
}
