//! Email: an integration's life, what it sends, and what becomes of it when SendGrid fails.

use serde_json::{Value, json};
use signalbox_practice::SendGrid;
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
