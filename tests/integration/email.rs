//! Email: an integration's life, what it sends, and what becomes of it when SendGrid fails.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, SendGrid};
use signalbox_tests::{Answer, Shop};

const KEY: &str = "SG.practice.works";

/// A stand-in for SendGrid, and a shop that is connected with it.
async fn connected() -> (Shop, SendGrid) {
    let (shop, sendgrid) = (Shop::open().await, provider().await);
    configure(&shop, &sendgrid, KEY).await.is(200);
    (shop, sendgrid)
}

async fn provider() -> SendGrid {
    SendGrid::start(([127, 0, 0, 1], 0)).await.unwrap()
}

fn setup(sendgrid: &SendGrid, key: &str) -> Value {
    json!({"apiKey": key, "fromEmail": "info@shop.example", "fromName": "Salon Petersen", "apiBaseUrl": sendgrid.url()})
}

async fn configure(shop: &Shop, sendgrid: &SendGrid, key: &str) -> Answer {
    shop.full
        .post("/api/integrations/email", &setup(sendgrid, key))
        .await
}

fn hello() -> Value {
    json!({"to": "Maria Petersen <maria@example.com>", "subject": "Your booking", "html": "<p>See you <a href=\"https://shop.example/b\">on Thursday</a>.</p>"})
}

async fn send(shop: &Shop, email: &Value) -> Value {
    shop.full.post("/api/email/send", email).await.is(200)
}

/// The email integration as `GET /api/integrations` shows it.
async fn standing(shop: &Shop) -> Value {
    shop.full.get("/api/integrations").await.is(200)["email"].clone()
}

#[tokio::test]
async fn an_email_goes_out_and_the_log_shows_what_the_customer_got() {
    let (shop, sendgrid) = connected().await;
    let sent = send(&shop, &hello()).await;
    assert_eq!(sent["success"], true, "{sent}");
    assert_eq!(sent["messageId"], "practice.1");
    let emails = sendgrid.emails();
    assert_eq!(emails.len(), 1);
    let body = &emails[0].body;
    assert_eq!(
        body["personalizations"][0]["to"],
        json!([{"email": "maria@example.com", "name": "Maria Petersen"}])
    );
    assert_eq!(
        body["from"],
        json!({"email": "info@shop.example", "name": "Salon Petersen"})
    );
    assert_eq!(body["content"][0]["type"], "text/plain");
    assert!(
        body["content"][0]["value"]
            .as_str()
            .unwrap()
            .contains("https://shop.example/b")
    );
    let delivery = shop.delivery(sent["deliveryId"].as_str().unwrap()).await;
    assert_eq!(delivery["status"], "success");
    assert_eq!(delivery["channel"], "email");
    assert_eq!(delivery["recipient"], "maria@example.com");
    assert_eq!(delivery["state"]["word"], "Accepted");
    assert_eq!(
        delivery["deliveredAt"],
        Value::Null,
        "accepted is not delivered"
    );
    assert_eq!(delivery["body"], hello().to_string());
    assert!(!delivery.to_string().contains(KEY));
    assert_eq!(
        delivery["attempts"][0]["requestUrl"],
        format!("{}/v3/mail/send", sendgrid.url())
    );
    assert_eq!(standing(&shop).await["state"]["word"], "Working");
}

/// The contract's schema of what is posted, with the parts that it refers to.
fn schema_of_a_request() -> Option<jsonschema::Validator> {
    let document = signalbox_tests::vectors::contract("tsg_mail_v3.json")?;
    let mut schema = document["components"]["requestBodies"]["PostMailSend"]["content"]
        ["application/json"]["schema"]
        .clone();
    schema["components"] = document["components"].clone();
    Some(jsonschema::validator_for(&schema).unwrap())
}

#[tokio::test]
async fn every_request_is_as_sendgrid_s_contract_says() {
    let Some(schema) = schema_of_a_request() else {
        return;
    };
    let (shop, sendgrid) = connected().await;
    let plain = json!({"to": ["a@example.com", "B <b@example.com>"], "cc": "c@example.com", "bcc": ["d@example.com"],
        "replyTo": "Front desk <desk@shop.example>", "subject": "Größe\u{1f600}", "text": "t"});
    let mut all = vec![plain, hello()];
    all.push(json!({"to": "a@example.com", "subject": "s", "html": "<p>h", "text": "t", "attachments": [
        {"filename": "Rechnung.pdf", "contentType": "application/pdf", "contentBase64": "JVBERi0="}]}));
    if let Some(naughty) = signalbox_tests::vectors::read("blns.json") {
        for text in naughty.as_array().unwrap().iter().filter_map(Value::as_str) {
            if !text.trim().is_empty() && !text.chars().any(char::is_control) && text.len() < 900 {
                all.push(
                    json!({"to": "a@example.com", "subject": text, "text": text, "html": text}),
                );
            }
        }
    }
    for email in &all {
        let sent = send(&shop, email).await;
        assert_eq!(sent["success"], true, "{email}: {sent}");
    }
    let emails = sendgrid.emails();
    assert_eq!(emails.len(), all.len());
    for (email, given) in emails.iter().zip(&all) {
        let wrong: Vec<_> = schema
            .iter_errors(&email.body)
            .map(|e| e.to_string())
            .collect();
        assert!(wrong.is_empty(), "{given}: {wrong:?}");
        assert_eq!(email.body["subject"], given["subject"]);
        let kinds: Vec<_> = email.body["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds[0], "text/plain", "first the text, then its looks");
    }
    let first = &emails[0].body;
    assert_eq!(
        first["personalizations"][0]["to"][1],
        json!({"email": "b@example.com", "name": "B"})
    );
    assert_eq!(
        first["reply_to"],
        json!({"email": "desk@shop.example", "name": "Front desk"})
    );
    assert_eq!(
        first["personalizations"][0]["bcc"],
        json!([{"email": "d@example.com"}])
    );
    assert!(
        first["personalizations"][0]["custom_args"]["signalbox_delivery"]
            .as_str()
            .unwrap()
            .starts_with("dlv_")
    );
    assert_eq!(emails[2].body["attachments"][0]["filename"], "Rechnung.pdf");
}

#[tokio::test]
async fn what_is_wrong_with_an_email_is_422_with_its_path_and_nothing_is_stored() {
    let (shop, sendgrid) = connected().await;
    for (change, path) in [
        (json!({"to": "nobody"}), "to"),
        (json!({"to": []}), "to"),
        (
            json!({"to": ["a@example.com", "a@example.com\r\nBcc: b@example.com"]}),
            "to.1",
        ),
        (json!({"cc": "maria@example.com"}), "cc"),
        (json!({"to": 5}), "to"),
        (json!({"subject": ""}), "subject"),
        (json!({"subject": "Hello\r\nBcc: b@example.com"}), "subject"),
        (json!({"replyTo": "x"}), "replyTo"),
        (json!({"html": ""}), "text"),
        (json!({"idempotencyKey": ""}), "idempotencyKey"),
        (json!({"from": "ceo@bank.example"}), "from"),
        (
            json!({"attachments": [{"filename": "a\r\nb", "contentType": "a/b", "contentBase64": "YQ=="}]}),
            "attachments.0.filename",
        ),
        (
            json!({"attachments": [{"filename": "a", "contentType": "a/b", "contentBase64": "!"}]}),
            "attachments.0.contentBase64",
        ),
    ] {
        let mut email = hello();
        email
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        shop.full
            .post("/api/email/send", &email)
            .await
            .names_field(path);
    }
    shop.full
        .post_bytes("/api/email/send", "{")
        .await
        .is_problem(400);
    shop.events
        .post("/api/email/send", &hello())
        .await
        .is_problem(403);
    assert!(shop.deliveries("channel=email").await.is_empty());
    assert_eq!(sendgrid.calls().count(), 1, "only the look at the key");
}

#[tokio::test]
async fn where_nothing_is_set_up_the_answer_is_graceful_and_the_log_says_so() {
    let shop = Shop::open().await;
    assert_eq!(standing(&shop).await["state"]["word"], "Not set up");
    let sent = send(&shop, &hello()).await;
    assert_eq!(
        (&sent["success"], &sent["gracefulFail"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&sent["code"], &sent["willRetry"]),
        (&json!("not_configured"), &json!(false))
    );
    let delivery = shop.delivery(sent["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&delivery["status"], &delivery["statusReason"]),
        (&json!("skipped"), &json!("not_configured"))
    );
    let tested = shop
        .full
        .post("/api/integrations/email/test", &json!({}))
        .await
        .is(200);
    assert_eq!(tested["code"], "not_configured");
    shop.full
        .patch("/api/integrations/email", &json!({"isActive": false}))
        .await
        .is_problem(404);
    shop.full
        .delete("/api/integrations/email")
        .await
        .is_problem(404);
    shop.full
        .post("/api/integrations/fax", &json!({}))
        .await
        .is_problem(404);
}

#[tokio::test]
async fn a_key_is_tested_before_it_is_saved_and_a_refused_one_leaves_the_former() {
    let shop = Shop::open().await;
    let sendgrid = provider().await;
    let refused = configure(&shop, &sendgrid, "SG.wrong").await.is(200);
    assert_eq!(
        (&refused["success"], &refused["code"]),
        (&json!(false), &json!("credentials_rejected"))
    );
    assert_eq!(standing(&shop).await["isConfigured"], false);
    let saved = configure(&shop, &sendgrid, KEY).await.is(200);
    assert_eq!(
        (&saved["success"], &saved["testStatus"]),
        (&json!(true), &json!("success"))
    );
    let email = standing(&shop).await;
    assert_eq!(email["isConfigured"], true);
    assert_eq!(email["isActive"], true);
    assert_eq!(
        (&email["provider"], &email["fromEmail"], &email["fromName"]),
        (
            &json!("sendgrid"),
            &json!("info@shop.example"),
            &json!("Salon Petersen")
        )
    );
    assert_eq!(
        (&email["testStatus"], &email["testError"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(email["state"]["word"], "Ready");
    assert!(
        email["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["name"] == "apiKey"
                && field["input"] == "secret"
                && field["required"] == true)
    );

    for (key, code) in [
        ("SG.wrong", "credentials_rejected"),
        ("SG.practice.read-only", "credentials_rejected"),
    ] {
        let refused = configure(&shop, &sendgrid, key).await.is(200);
        assert_eq!(
            (&refused["success"], &refused["code"]),
            (&json!(false), &json!(code)),
            "{refused}"
        );
        let refused = shop
            .full
            .patch("/api/integrations/email", &json!({"apiKey": key}))
            .await
            .is(200);
        assert_eq!(refused["success"], false, "{refused}");
    }
    send(&shop, &hello()).await;
    assert_eq!(sendgrid.emails()[0].key, KEY);
    configure(&shop, &sendgrid, "SG.practice.works.newer")
        .await
        .is(200);
    send(&shop, &hello()).await;
    assert_eq!(sendgrid.emails()[1].key, "SG.practice.works.newer");
}

#[tokio::test]
async fn what_is_wrong_with_a_set_up_is_422_with_its_path() {
    let shop = Shop::open().await;
    let sendgrid = provider().await;
    for (change, path) in [
        (json!({"apiKey": ""}), "apiKey"),
        (json!({"apiKey": "a key with spaces"}), "apiKey"),
        (json!({"fromEmail": "info"}), "fromEmail"),
        (json!({"fromName": "a\r\nb"}), "fromName"),
        (
            json!({"apiBaseUrl": "http://api.sendgrid.com"}),
            "apiBaseUrl",
        ),
        (json!({"apiBaseUrl": "https://10.0.0.1"}), "apiBaseUrl"),
        (
            json!({"apiBaseUrl": "https://169.254.169.254"}),
            "apiBaseUrl",
        ),
        (json!({"apiBaseUrl": "ftp://x"}), "apiBaseUrl"),
        (json!({"testTo": "me"}), "testTo"),
        (json!({"fromMail": "x"}), "fromMail"),
    ] {
        let mut body = setup(&sendgrid, KEY);
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        shop.full
            .post("/api/integrations/email", &body)
            .await
            .names_field(path);
    }
    shop.full
        .post(
            "/api/integrations/email",
            &json!({"fromEmail": "info@shop.example"}),
        )
        .await
        .names_field("apiKey");
    shop.events
        .post("/api/integrations/email", &setup(&sendgrid, KEY))
        .await
        .is_problem(403);
    assert_eq!(sendgrid.calls().count(), 0);
}

#[tokio::test]
async fn one_field_is_changed_without_the_key_but_another_host_asks_for_it() {
    let (shop, sendgrid) = connected().await;
    let elsewhere = provider().await;
    let changed = shop
        .full
        .patch(
            "/api/integrations/email",
            &json!({"fromName": null, "fromEmail": "hello@shop.example"}),
        )
        .await
        .is(200);
    assert_eq!(changed["success"], true);
    send(&shop, &hello()).await;
    assert_eq!(
        sendgrid.emails()[0].body["from"],
        json!({"email": "hello@shop.example"})
    );

    let refused = shop
        .full
        .patch(
            "/api/integrations/email",
            &json!({"apiBaseUrl": elsewhere.url()}),
        )
        .await;
    assert_eq!(refused.names_field("apiKey")["code"], "secret_required");
    assert_eq!(elsewhere.calls().count(), 0, "the key went nowhere");
    assert_eq!(standing(&shop).await["apiBaseUrl"], sendgrid.url());

    let moved = json!({"apiBaseUrl": elsewhere.url(), "apiKey": "SG.practice.works.there"});
    assert_eq!(
        shop.full
            .patch("/api/integrations/email", &moved)
            .await
            .is(200)["success"],
        true
    );
    send(&shop, &hello()).await;
    assert_eq!(elsewhere.emails()[0].key, "SG.practice.works.there");
}

#[tokio::test]
async fn a_test_to_myself_is_sent_marked_and_not_counted() {
    let shop = Shop::open().await;
    let sendgrid = provider().await;
    let mut body = setup(&sendgrid, KEY);
    body["testTo"] = json!("me@shop.example");
    assert_eq!(
        shop.full
            .post("/api/integrations/email", &body)
            .await
            .is(200)["success"],
        true
    );
    let tested = shop
        .full
        .post(
            "/api/integrations/email/test",
            &json!({"testTo": "me@shop.example"}),
        )
        .await
        .is(200);
    assert_eq!(tested["success"], true);
    assert!(tested["deliveryId"].as_str().unwrap().starts_with("dlv_"));
    let looked = shop
        .full
        .post("/api/integrations/email/test", &json!({}))
        .await
        .is(200);
    assert_eq!(
        (&looked["success"], &looked["deliveryId"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(sendgrid.emails().len(), 2, "a look sends nothing");
    let rows = shop.deliveries("channel=email&test=true").await;
    assert_eq!(rows.len(), 2);
    assert!(shop.deliveries("channel=email&test=false").await.is_empty());
    shop.full
        .post("/api/integrations/email/test", &json!({"testTo": "me"}))
        .await
        .names_field("testTo");

    let mut unknown = setup(&sendgrid, KEY);
    unknown["fromEmail"] = json!("unknown@shop.example");
    unknown["testTo"] = json!("me@shop.example");
    let refused = shop
        .full
        .post("/api/integrations/email", &unknown)
        .await
        .is(200);
    assert_eq!(refused["success"], false, "{refused}");
    assert_eq!(standing(&shop).await["fromEmail"], "info@shop.example");
}

#[tokio::test]
async fn a_set_up_that_cannot_be_tested_now_is_saved_with_that_result() {
    let shop = Shop::open().await;
    let nobody = {
        let gone = provider().await;
        let url = gone.url();
        gone.stop().await;
        url
    };
    let mut body = json!({"apiKey": KEY, "fromEmail": "info@shop.example", "apiBaseUrl": nobody});
    let saved = shop
        .full
        .post("/api/integrations/email", &body)
        .await
        .is(200);
    assert_eq!(
        (&saved["success"], &saved["testStatus"]),
        (&json!(true), &json!("failed"))
    );
    let email = standing(&shop).await;
    assert_eq!(
        (&email["isConfigured"], &email["testStatus"]),
        (&json!(true), &json!("failed"))
    );
    assert!(
        email["testError"]
            .as_str()
            .unwrap()
            .contains("Nobody answers"),
        "{email}"
    );
    body["apiBaseUrl"] = json!(shop.serve.url);
    let refused = shop
        .full
        .post("/api/integrations/email", &body)
        .await
        .is(200);
    assert_eq!(
        (&refused["success"], &refused["code"]),
        (&json!(false), &json!("blocked_address")),
        "our own port"
    );
}

#[tokio::test]
async fn paused_email_waits_or_is_skipped_as_the_owner_says() {
    let (shop, sendgrid) = connected().await;
    shop.full
        .patch("/api/integrations/email", &json!({"isActive": false}))
        .await
        .is(200);
    let held = send(&shop, &hello()).await;
    assert_eq!(
        (&held["code"], &held["willRetry"]),
        (&json!("disabled"), &json!(true))
    );
    send(&shop, &hello()).await;
    let row = shop.delivery(held["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&row["status"], &row["statusReason"]),
        (&json!("held"), &json!("paused"))
    );
    let email = standing(&shop).await;
    assert_eq!(
        (&email["state"]["word"], &email["held"]),
        (&json!("Paused, 2 held"), &json!(2))
    );
    let resumed = shop
        .full
        .patch("/api/integrations/email", &json!({"isActive": true}))
        .await
        .is(200);
    assert_eq!(resumed["released"], 2);
    sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 2)
        .await;

    shop.full
        .patch(
            "/api/integrations/email",
            &json!({"isActive": false, "whenPaused": "skip"}),
        )
        .await
        .is(200);
    let skipped = send(&shop, &hello()).await;
    assert_eq!(
        (&skipped["code"], &skipped["willRetry"]),
        (&json!("disabled"), &json!(false))
    );
    let row = shop.delivery(skipped["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&row["status"], &row["statusReason"]),
        (&json!("skipped"), &json!("disabled"))
    );
    shop.full
        .patch("/api/integrations/email", &json!({"isActive": true}))
        .await
        .is(200);
    send(&shop, &hello()).await;
    assert_eq!(sendgrid.emails().len(), 3, "what was skipped stays so");
}

#[tokio::test]
async fn a_disconnected_integration_forgets_its_key_keeps_its_log_and_what_waits() {
    let (shop, sendgrid) = connected().await;
    send(&shop, &hello()).await;
    shop.full
        .patch("/api/integrations/email", &json!({"isActive": false}))
        .await
        .is(200);
    let held = send(&shop, &hello()).await;
    let gone = shop.full.delete("/api/integrations/email").await.is(200);
    assert_eq!((&gone["success"], &gone["held"]), (&json!(true), &json!(1)));
    assert_eq!(shop.deliveries("channel=email").await.len(), 2);
    let row = shop.delivery(held["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&row["status"], &row["statusReason"]),
        (&json!("held"), &json!("needs_setup"))
    );
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"][0]["integration"], "email");
    assert_eq!(
        problems["problems"][0]["title"],
        "SendGrid is disconnected."
    );
    assert_eq!(
        standing(&shop).await["problemId"],
        problems["problems"][0]["id"]
    );
    let again = configure(&shop, &sendgrid, "SG.practice.works.again")
        .await
        .is(200);
    assert_eq!(again["released"], 1);
    sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 2)
        .await;
    assert_eq!(sendgrid.emails()[1].key, "SG.practice.works.again");
}

#[tokio::test]
async fn a_refused_key_holds_all_and_a_new_one_lets_them_go() {
    let (shop, sendgrid) = connected().await;
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Status(401)]);
    let held = send(&shop, &hello()).await;
    assert_eq!(
        (&held["code"], &held["willRetry"]),
        (&json!("credentials_rejected"), &json!(true))
    );
    let tried = sendgrid.calls().count();
    let next = send(&shop, &hello()).await;
    assert_eq!(next["code"], "credentials_rejected");
    assert_eq!(sendgrid.calls().count(), tried, "nothing more goes there");
    let row = shop.delivery(held["deliveryId"].as_str().unwrap()).await;
    assert_eq!(
        (&row["status"], &row["statusReason"], &row["attemptCount"]),
        (&json!("held"), &json!("needs_credentials"), &json!(1))
    );
    assert_eq!(
        row["attempts"][0]["error"],
        "SendGrid no longer accepts your key. Replace it."
    );
    let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
    assert_eq!(
        (&problem["cause"], &problem["waiting"]),
        (&json!("needs_credentials"), &json!(2))
    );
    assert_eq!(
        problem["actions"],
        json!(["replace_key", "release", "told_them", "dismiss"])
    );
    assert_eq!(
        problem["filter"],
        json!({"status": "held", "channel": "email", "test": false})
    );
    assert_eq!(problem["first"].as_array().unwrap().len(), 2);
    let path = format!("/api/problems/{}/resolve", problem["id"].as_str().unwrap());
    shop.full
        .post(&path, &json!({"action": "replace_key"}))
        .await
        .is_problem(409);
    assert_eq!(standing(&shop).await["state"]["word"], "Needs you, 2 held");
    let retry = format!(
        "/api/deliveries/{}/retry",
        held["deliveryId"].as_str().unwrap()
    );
    shop.full.post(&retry, &json!({})).await.is_problem(409);

    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Answer]);
    let saved = configure(&shop, &sendgrid, "SG.practice.works.newer")
        .await
        .is(200);
    assert_eq!(saved["released"], 2);
    sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 2)
        .await;
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"], json!([]));
    assert_eq!(
        problems["solved"][0]["title"],
        "SendGrid works again: 2 went on."
    );
}

#[tokio::test]
async fn a_problem_is_solved_by_a_test_that_goes_well_by_trying_again_or_by_hand() {
    let (shop, sendgrid) = connected().await;
    for how in ["test", "release", "told_them"] {
        let sent = sendgrid.emails().len();
        sendgrid.calls().behave_on("/v3/mail/send", [Behaviour::Say(403, "application/json", r#"{"errors":[{"message":"The from address does not match a verified Sender Identity.","field":"from","help":null}]}"#)]);
        let held = send(&shop, &hello()).await;
        assert_eq!(
            (&held["code"], &held["willRetry"]),
            (&json!("rejected"), &json!(true)),
            "{held}"
        );
        let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
        assert_eq!(problem["cause"], "needs_setup");
        assert_eq!(problem["link"]["label"], "Verify sender");
        sendgrid
            .calls()
            .behave_on("/v3/mail/send", [Behaviour::Answer]);
        let resolve = format!("/api/problems/{}/resolve", problem["id"].as_str().unwrap());
        match how {
            "test" => {
                let tested = shop
                    .full
                    .post("/api/integrations/email/test", &json!({}))
                    .await
                    .is(200);
                assert_eq!(tested["released"], 1, "{tested}");
            }
            action => {
                let done = shop
                    .full
                    .post(&resolve, &json!({"action": action}))
                    .await
                    .is(200);
                assert_eq!(done["deliveries"], 1, "{done}");
            }
        }
        if how == "told_them" {
            let row = shop.delivery(held["deliveryId"].as_str().unwrap()).await;
            assert_eq!(
                (&row["status"], &row["statusReason"]),
                (&json!("cancelled"), &json!("by_owner"))
            );
            // The provider still wants something, as far as is known.
            assert_eq!(
                shop.full.get("/api/problems").await.is(200)["problems"][0]["waiting"],
                0
            );
        } else {
            sendgrid
                .calls()
                .wait_until(|_| sendgrid.emails().len() == sent + 1)
                .await;
            assert_eq!(
                shop.full.get("/api/problems").await.is(200)["problems"],
                json!([])
            );
        }
    }
}

#[tokio::test]
async fn what_is_given_up_is_sent_again_by_hand() {
    let (shop, sendgrid) = connected().await;
    sendgrid.calls().behave_on(
        "/v3/mail/send",
        [Behaviour::Say(
            400,
            "application/json",
            r#"{"errors":[{"message":"The subject is odd.","field":"subject","help":null}]}"#,
        )],
    );
    let failed = send(&shop, &hello()).await;
    assert_eq!(
        (&failed["code"], &failed["willRetry"]),
        (&json!("rejected"), &json!(false))
    );
    let row = shop.delivery(failed["deliveryId"].as_str().unwrap()).await;
    assert_eq!(row["status"], "failed");
    assert!(
        row["attempts"][0]["error"]
            .as_str()
            .unwrap()
            .ends_with("SendGrid says: subject: The subject is odd."),
        "{row}"
    );
    let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
    assert_eq!(
        (&problem["cause"], &problem["failed"]),
        (&json!("failed"), &json!(1))
    );
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Answer]);
    let resolve = format!("/api/problems/{}/resolve", problem["id"].as_str().unwrap());
    assert_eq!(
        shop.full
            .post(&resolve, &json!({"action": "retry_all"}))
            .await
            .is(200)["deliveries"],
        1
    );
    sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 1)
        .await;
}

#[tokio::test]
async fn trouble_of_sendgrid_s_is_tried_again_when_it_asks_for_it() {
    let (shop, sendgrid) = connected().await;
    let in_a_minute = jiff::Timestamp::now().as_second() + 60;
    for (behaviour, code, seconds) in [
        (Behaviour::Status(500), "provider_down", 1..=6),
        (Behaviour::Status(503), "provider_down", 1..=6),
        (Behaviour::rate_limited("40"), "rate_limited", 30..=40),
        (
            Behaviour::StatusWith(
                429,
                http::HeaderName::from_static("x-ratelimit-reset"),
                in_a_minute.to_string(),
            ),
            "rate_limited",
            30..=60,
        ),
        (
            Behaviour::Say(200, "text/html", "<title>Welcome to our Wi-Fi</title>"),
            "unreachable",
            1..=6,
        ),
        (
            Behaviour::Say(200, "application/json", "{\"errors\":["),
            "unreachable",
            1..=6,
        ),
        (
            Behaviour::Redirect("http://127.0.0.1:9/".into()),
            "unreachable",
            1..=6,
        ),
    ] {
        sendgrid
            .calls()
            .behave_on("/v3/mail/send", [behaviour.clone()]);
        let sent = send(&shop, &hello()).await;
        assert_eq!(
            (&sent["code"], &sent["willRetry"]),
            (&json!(code), &json!(true)),
            "{behaviour:?}: {sent}"
        );
        let wait = sent["retryAfterSeconds"].as_i64().unwrap();
        assert!(seconds.contains(&wait), "{behaviour:?}: {wait} s");
        let id = sent["deliveryId"].as_str().unwrap();
        shop.full
            .post(&format!("/api/deliveries/{id}/cancel"), &json!({}))
            .await
            .is(200);
    }
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Status(500), Behaviour::Answer]);
    let sent = send(&shop, &hello()).await;
    let delivery = shop.full.changes().await.until(async || {
        let row = shop.delivery(sent["deliveryId"].as_str().unwrap()).await;
        (row["status"] == "success").then_some(row)
    });
    assert_eq!(delivery.await.unwrap()["attemptCount"], 2);
}

#[tokio::test]
async fn where_the_answer_got_lost_it_is_not_known_and_never_sent_again_by_itself() {
    let (shop, sendgrid) = connected().await;
    for behaviour in [
        Behaviour::AnswerLost,
        Behaviour::Reset,
        Behaviour::Close,
        Behaviour::InvalidHttp,
    ] {
        let calls = sendgrid.calls().count();
        sendgrid
            .calls()
            .behave_on("/v3/mail/send", [behaviour.clone()]);
        let sent = send(&shop, &hello()).await;
        assert_eq!(
            (&sent["success"], &sent["willRetry"]),
            (&json!(false), &json!(false)),
            "{behaviour:?}: {sent}"
        );
        let row = shop.delivery(sent["deliveryId"].as_str().unwrap()).await;
        assert_eq!(
            (&row["status"], &row["state"]["word"]),
            (&json!("unknown"), &json!("Not known")),
            "{behaviour:?}"
        );
        assert_eq!(sendgrid.calls().count(), calls + 1);
    }
    assert_eq!(sendgrid.emails().len(), 1, "one of them had been taken");
    let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
    assert_eq!(problem["cause"], "unknown");
    assert_eq!(problem["filter"]["status"], "unknown");
    assert_eq!(
        problem["title"],
        "It is not known whether SendGrid took 4 emails."
    );
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Answer]);
    let first = shop.deliveries("status=unknown&order=asc").await[0].clone();
    let retry = format!("/api/deliveries/{}/retry", first["id"].as_str().unwrap());
    shop.full.post(&retry, &json!({})).await.is(202);
    sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 2)
        .await;
    let resolve = format!("/api/problems/{}/resolve", problem["id"].as_str().unwrap());
    let done = shop
        .full
        .post(&resolve, &json!({"action": "told_them"}))
        .await
        .is(200);
    assert_eq!(done["deliveries"], 3);
    assert_eq!(
        shop.full.get("/api/problems").await.is(200)["problems"],
        json!([])
    );
}

#[tokio::test]
async fn an_email_under_way_when_signalbox_is_killed_is_not_known_afterwards() {
    let shop = Shop::alone().await;
    let sendgrid = provider().await;
    configure(&shop, &sendgrid, KEY).await.is(200);
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Hang]);
    let api = shop.full.clone();
    let asking = tokio::spawn(async move {
        let json = [("content-type", "application/json")];
        let body = Some(hello().to_string().into());
        api.attempt(http::Method::POST, "/api/email/send", &json, body)
            .await
    });
    sendgrid.calls().wait_for(2).await;
    let shop = tokio::task::spawn_blocking(move || shop.restart(true))
        .await
        .unwrap();
    assert!(asking.await.unwrap().is_err());
    let row = shop
        .full
        .changes()
        .await
        .until(async || shop.deliveries("status=unknown").await.first().cloned());
    let row = row.await.unwrap();
    assert_eq!(row["attemptCount"], 1);
    assert_eq!(sendgrid.calls().count(), 2, "it was not sent again");
}

#[tokio::test]
async fn the_same_key_sends_once_and_another_email_under_it_is_refused() {
    let (shop, sendgrid) = connected().await;
    let mut email = hello();
    email["idempotencyKey"] = json!("booking-1047");
    let first = send(&shop, &email).await;
    let again = send(&shop, &email).await;
    assert_eq!(
        (&first["duplicate"], &again["duplicate"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&again["messageId"], &again["deliveryId"]),
        (&first["messageId"], &first["deliveryId"])
    );
    assert_eq!(sendgrid.emails().len(), 1);
    email["subject"] = json!("Another");
    let refused = shop.full.post("/api/email/send", &email).await;
    assert_eq!(
        refused.names_field("idempotencyKey")["code"],
        "idempotency_key_reused"
    );
    // The keys of events are others.
    let event = json!({"type": "contact.created", "data": {"contactId": "1"}, "idempotencyKey": "booking-1047"});
    assert_eq!(
        shop.events.post("/api/events", &event).await.is(202)["duplicate"],
        false
    );
}

#[tokio::test]
async fn what_is_sent_by_itself_is_no_event_of_the_business() {
    let (shop, _sendgrid) = connected().await;
    send(&shop, &hello()).await;
    let receiver = signalbox_practice::Receiver::start(([127, 0, 0, 1], 0))
        .await
        .unwrap();
    shop.webhook(&receiver.url()).await;
    send(&shop, &hello()).await;
    let own = shop.event("contact.created", r#"{"contactId":"1"}"#).await;
    shop.delivery_is(&own, "success").await;
    assert_eq!(receiver.count(), 1, "no webhook is told of an email");
    let listed = |query: &'static str| {
        let api = shop.full.clone();
        async move {
            api.get(query).await.is(200)["events"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!(listed("/api/events").await, 1);
    assert_eq!(listed("/api/events?type=email.send").await, 2);
    shop.give("email.send", "{}").await.names_field("type");
    shop.full
        .post("/api/event-types", &json!({"type": "email.send"}))
        .await
        .names_field("type");
}

#[tokio::test]
async fn two_workspaces_have_an_account_and_a_log_of_their_own() {
    let shared = std::sync::Arc::new(signalbox_tests::Home::new().serve());
    let (one, other) = (Shop::on(shared.clone()).await, Shop::on(shared).await);
    let sendgrid = provider().await;
    configure(&one, &sendgrid, "SG.practice.works.one")
        .await
        .is(200);
    assert_eq!(standing(&other).await["isConfigured"], false);
    assert_eq!(send(&other, &hello()).await["code"], "not_configured");
    configure(&other, &sendgrid, "SG.practice.works.other")
        .await
        .is(200);
    send(&one, &hello()).await;
    send(&other, &hello()).await;
    let keys: Vec<_> = sendgrid
        .emails()
        .into_iter()
        .map(|email| email.key)
        .collect();
    assert_eq!(keys, ["SG.practice.works.one", "SG.practice.works.other"]);
    one.full
        .patch("/api/integrations/email", &json!({"isActive": false}))
        .await
        .is(200);
    assert_eq!(send(&other, &hello()).await["success"], true);
    assert_eq!(one.deliveries("channel=email").await.len(), 1);
}

#[tokio::test]
async fn a_file_by_key_is_kindly_refused_until_there_is_a_storage() {
    let (shop, sendgrid) = connected().await;
    let mut email = hello();
    email["attachments"] =
        json!([{"filename": "a.pdf", "contentType": "application/pdf", "key": "ws/x/y.pdf"}]);
    let sent = send(&shop, &email).await;
    assert_eq!(
        (&sent["code"], &sent["willRetry"]),
        (&json!("rejected"), &json!(false))
    );
    assert!(sendgrid.emails().is_empty());
}

#[tokio::test]
async fn no_key_stands_anywhere_but_in_the_vault() {
    let shop = Shop::alone().await;
    let sendgrid = provider().await;
    let canaries = [
        "SG.practice.works.canary-one",
        "SG.practice.works.canary-two",
        "SG.canary-refused",
    ];
    for key in [canaries[0], canaries[2], canaries[1]] {
        configure(&shop, &sendgrid, key).await.is(200);
    }
    send(&shop, &hello()).await;
    sendgrid
        .calls()
        .behave_on("/v3/mail/send", [Behaviour::Status(401)]);
    let held = send(&shop, &hello()).await;
    let shown = [
        shop.full.get("/api/integrations").await.text(),
        shop.full.get("/api/problems").await.text(),
        shop.full
            .get(&format!(
                "/api/deliveries/{}",
                held["deliveryId"].as_str().unwrap()
            ))
            .await
            .text(),
        shop.serve.home().said(),
    ];
    let home = shop.serve.home().clone();
    let mut places: Vec<(String, Vec<u8>)> = shown
        .into_iter()
        .map(|text| ("an answer".to_owned(), text.into_bytes()))
        .collect();
    for name in home.contents() {
        if let Ok(bytes) = std::fs::read(home.path().join(&name)) {
            places.push((name.display().to_string(), bytes));
        }
    }
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", shop.serve.pid)).unwrap();
        places.push((file.to_owned(), bytes));
    }
    for canary in canaries {
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD.encode(canary);
        let hex = signalbox_tests::hex(canary.as_bytes());
        for form in [
            canary.to_owned(),
            base64.trim_end_matches('=').to_owned(),
            hex,
        ] {
            for (place, bytes) in &places {
                let found = bytes
                    .windows(form.len())
                    .any(|window| window == form.as_bytes());
                assert!(!found, "{canary} stands in {place}");
            }
        }
    }
}

#[tokio::test]
async fn on_the_command_line_secrets_are_read_from_a_file_or_standard_input() {
    let home = signalbox_tests::Home::new();
    let sendgrid = provider().await;
    let url = sendgrid.url();
    let key = home.file("key", KEY).display().to_string();
    let set = [
        "integrations",
        "set",
        "email",
        "--from-email",
        "info@shop.example",
        "--api-base-url",
        &url,
        "--secret",
        &key,
        "--json",
    ];
    let run = |arguments: Vec<String>| {
        let home = home.clone();
        async move {
            tokio::task::spawn_blocking(move || {
                home.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .await
            .unwrap()
        }
    };
    let of = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let saved = run(of(&set)).await;
    assert_eq!(saved.exits(0).json()["testStatus"], "success");
    let listed = run(of(&["integrations", "list", "--json"])).await;
    assert_eq!(
        listed.exits(0).json()["items"][0]["fromEmail"],
        "info@shop.example"
    );
    let text = home.file("text", "Hello Maria").display().to_string();
    let sent = run(of(&[
        "email",
        "send",
        "--to",
        "maria@example.com",
        "--subject",
        "Hi",
        "--text",
        &text,
        "--json",
    ]))
    .await;
    assert_eq!(
        sent.exits(0).json()["messageId"],
        "practice.1",
        "also where nobody serves"
    );
    run(of(&["integrations", "test", "email"])).await.exits(0);
    run(of(&[
        "integrations",
        "set",
        "email",
        "--from-name",
        "Salon",
    ]))
    .await
    .exits(0);
    let wrong = home.file("wrong", "SG.wrong").display().to_string();
    run(of(&["integrations", "set", "email", "--secret", &wrong]))
        .await
        .exits(75);
    run(of(&["integrations", "disable", "email"]))
        .await
        .exits(0);
    let held = run(of(&[
        "email",
        "send",
        "--to",
        "maria@example.com",
        "--subject",
        "Hi",
        "--text",
        &text,
    ]))
    .await;
    held.exits(75);
    run(of(&["integrations", "enable", "email"])).await.exits(0);
    run(of(&["integrations", "disconnect", "email", "--json"]))
        .await
        .exits(0);
    run(of(&[
        "email",
        "send",
        "--to",
        "maria@example.com",
        "--subject",
        "Hi",
        "--text",
        &text,
    ]))
    .await
    .exits(75);
    run(of(&[
        "email",
        "send",
        "--to",
        "nobody",
        "--subject",
        "Hi",
        "--text",
        &text,
    ]))
    .await
    .exits(1);
    run(of(&["email", "send"])).await.exits(2);
}

#[tokio::test]
async fn another_sender_lets_go_what_waited_for_one_that_sendgrid_does_not_know() {
    let shop = Shop::open().await;
    let sendgrid = provider().await;
    let mut unknown = setup(&sendgrid, KEY);
    unknown["fromEmail"] = json!("unknown@shop.example");
    shop.full
        .post("/api/integrations/email", &unknown)
        .await
        .is(200);
    let held = send(&shop, &hello()).await;
    assert_eq!(held["willRetry"], true);
    let error = held["error"].as_str().unwrap();
    assert!(error.contains("does not know your sender"), "{error}");
    let known = json!({"fromEmail": "info@shop.example"});
    let saved = shop
        .full
        .patch("/api/integrations/email", &known)
        .await
        .is(200);
    assert_eq!(saved["released"], 1);
    let all_here = sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 1);
    all_here.await;
}

#[tokio::test]
async fn an_allowance_that_is_used_up_is_told_from_a_wrong_key() {
    let shop = Shop::open().await;
    let sendgrid = provider().await;
    configure(&shop, &sendgrid, "SG.practice.out-of-credits")
        .await
        .is(200);
    let held = send(&shop, &hello()).await;
    assert_eq!(
        (&held["code"], &held["willRetry"]),
        (&json!("rejected"), &json!(true))
    );
    let problem = shop.full.get("/api/problems").await.is(200)["problems"][0].clone();
    assert_eq!(problem["cause"], "needs_setup");
    assert_eq!(problem["link"]["label"], "Open billing");
    let today = shop.full.get("/api/today").await.is(200);
    assert_eq!(today["arm"], "needs_you");
}
