//! A business of its own for one test: a workspace on a shared server, with a token of each scope.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use signalbox_practice::{Call, Receiver};

use crate::{Answer, Api, Home, PATIENCE, Serve};

/// A workspace and those who may speak for it.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The server; shared with other tests unless [`Shop::alone`] made it.
    pub serve: Arc<Serve>,
    /// The workspace's id.
    pub workspace: String,
    /// The owner, speaking for this workspace.
    pub owner: Api,
    /// A token with scope `full`.
    pub full: Api,
    /// A token with scope `events`.
    pub events: Api,
    /// The text of the token with scope `events`.
    pub token: String,
}

/// A webhook as it was created.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `whk_…`
    pub id: String,
    /// The signing secret, shown once.
    pub secret: String,
    /// All of it.
    pub json: Value,
}

/// A row of the log.
pub type Delivery = Value;

/// Lives as long as some test holds it, so that the last one ends the process.
static SHARED: Mutex<Weak<Serve>> = Mutex::new(Weak::new());
static SHOPS: AtomicU32 = AtomicU32::new(1);

impl Shop {
    /// A new workspace on the server the tests share.
    pub async fn open() -> Self {
        let serve = {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let serve = Arc::new(Home::new().serve());
                *shared = Arc::downgrade(&serve);
                serve
            })
        };
        Self::on(serve).await
    }

    /// A new workspace on a server of its own, for tests that stop it.
    pub async fn alone() -> Self {
        Self::on(Arc::new(Home::new().serve())).await
    }

    /// A new workspace on this server.
    pub async fn on(serve: Arc<Serve>) -> Self {
        let number = SHOPS.fetch_add(1, Ordering::Relaxed);
        let owner = serve.owner();
        let made = owner
            .post(
                "/api/workspaces",
                &json!({"name": format!("Shop {number}")}),
            )
            .await
            .is(201);
        let workspace = made["id"].as_str().expect("the workspace's id").to_owned();
        let owner = owner.for_workspace(&workspace);
        let mut tokens = Vec::new();
        for scope in ["events", "full"] {
            let made = owner
                .post(
                    "/api/tokens",
                    &json!({"name": format!("Till, {scope}"), "scope": scope}),
                )
                .await
                .is(201);
            tokens.push(
                made["token"]
                    .as_str()
                    .expect("the token, shown once")
                    .to_owned(),
            );
        }
        Self {
            workspace,
            full: owner.with_token(&tokens[1]),
            events: owner.with_token(&tokens[0]),
            token: tokens.swap_remove(0),
            owner,
            serve,
        }
    }

    /// Stops the server with kill -9 or SIGTERM and starts it again on the same home. Only for a shop of its own.
    pub fn restart(self, kill: bool) -> Self {
        self.restart_as(kill, |home| home)
    }

    /// The same, in other surroundings.
    pub fn restart_as(self, kill: bool, change: impl FnOnce(Home) -> Home) -> Self {
        let Self {
            serve,
            workspace,
            token,
            full,
            events,
            owner,
        } = self;
        drop(owner);
        let serve = Arc::try_unwrap(serve).expect("no one else uses this server");
        let home = if kill {
            serve.kill()
        } else {
            serve.terminate().0
        };
        let serve = Arc::new(change(home).serve());
        let moved = |api: Api| api.at(serve.address);
        Self {
            owner: serve.owner().for_workspace(&workspace),
            full: moved(full),
            events: moved(events),
            workspace,
            token,
            serve,
        }
    }

    /// A webhook for every event type at this address, with consent for loopback and quick retries.
    pub async fn webhook(&self, url: &str) -> Webhook {
        self.webhook_with(url, json!({})).await
    }

    /// The same with more members, which win.
    pub async fn webhook_with(&self, url: &str, more: Value) -> Webhook {
        let mut body = json!({
            "name": "Cash desk", "url": url, "events": ["*"], "allowPrivateNetwork": true,
            "retryAttempts": 3, "retryDelay": 100,
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let made = self
            .full
            .post("/api/integrations/webhooks", &body)
            .await
            .is(201);
        let json = made["webhook"].clone();
        Webhook {
            id: json["id"].as_str().expect("the webhook's id").to_owned(),
            secret: json["secret"]
                .as_str()
                .expect("the secret, shown once")
                .to_owned(),
            json,
        }
    }

    /// The webhook as it stands now.
    pub async fn webhook_now(&self, id: &str) -> Value {
        let answer = self
            .full
            .get(&format!("/api/integrations/webhooks/{id}"))
            .await;
        answer.is(200)["webhook"].clone()
    }

    /// Gives an event whose data is exactly these bytes.
    pub async fn give(&self, event_type: &str, data: &str) -> Answer {
        let body = format!(r#"{{"type":"{event_type}","data":{data}}}"#);
        self.events.post_bytes("/api/events", body).await
    }

    /// Gives an event that must be accepted; its id.
    pub async fn event(&self, event_type: &str, data: &str) -> String {
        let accepted = self.give(event_type, data).await.is(202);
        accepted["eventId"]
            .as_str()
            .expect("the event's id")
            .to_owned()
    }

    /// The deliveries that match, newest first.
    pub async fn deliveries(&self, filter: &str) -> Vec<Delivery> {
        let answer = self.full.get(&format!("/api/deliveries?{filter}")).await;
        answer.is(200)["deliveries"]
            .as_array()
            .cloned()
            .expect("a list")
    }

    /// One delivery with its attempts.
    pub async fn delivery(&self, id: &str) -> Value {
        let answer = self.full.get(&format!("/api/deliveries/{id}")).await;
        answer.is(200)["delivery"].clone()
    }

    /// Waits until the event's only delivery satisfies; gives it with its attempts.
    pub async fn delivery_when(
        &self,
        event: &str,
        what: &str,
        satisfies: impl Fn(&Value) -> bool,
    ) -> Value {
        let seen = std::cell::RefCell::new(Vec::new());
        let found = self.full.changes().await.until(async || {
            let rows = self.deliveries(&format!("eventId={event}")).await;
            let found = rows.iter().find(|row| satisfies(row)).cloned();
            *seen.borrow_mut() = rows;
            found
        });
        let Some(row) = found.await else {
            panic!(
                "not within {PATIENCE:?}: {what}; the event has {:?}",
                seen.borrow()
            );
        };
        self.delivery(row["id"].as_str().expect("the delivery's id"))
            .await
    }

    /// Waits until the event's delivery has this status.
    pub async fn delivery_is(&self, event: &str, status: &str) -> Value {
        self.delivery_when(event, &format!("{event} is {status}"), |row| {
            row["status"] == status
        })
        .await
    }

    /// Waits for that many calls since the receiver's start; gives those it keeps.
    pub async fn calls(receiver: &Receiver, count: u64) -> Vec<Call> {
        tokio::time::timeout(PATIENCE, receiver.wait_for(count))
            .await
            .unwrap_or_else(|_| {
                panic!("{} of {count} calls within {PATIENCE:?}", receiver.count())
            });
        receiver.calls()
    }
}
