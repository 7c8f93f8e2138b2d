//! A shop whose five ways out are stand-ins, and what automations do in it.

use serde_json::{Value, json};
use signalbox_practice::google::{CLIENT_ID, CLIENT_SECRET};
use signalbox_practice::{Google, Receiver, SendGrid, Twilio};
use signalbox_tests::{Bucket, PATIENCE, Shop};

pub(crate) const LIST: &str = "/api/automations";
pub(crate) const MARIA: &str = "+436641234567";

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

pub(crate) fn all_are(status: &str, count: usize) -> impl Fn(&[Value]) -> bool {
    move |rows| rows.len() == count && rows.iter().all(|row| row["status"] == status)
}
