//! Receives webhooks of Signalbox and takes only what Signalbox has signed.
//!
//! Put the signing secret (`whsec_…`) into the environment variable `SIGNALBOX_SECRET`, then: `cargo run`

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const TOLERANCE_SECONDS: u64 = 5 * 60;

struct Receiver {
    key: Vec<u8>,
    /// Ids that were handled. Keep them in your database: this set is gone after a restart.
    handled: Mutex<HashSet<String>>,
}

/// Your own work comes here. If it fails, the answer is 500 and Signalbox calls again later.
fn handle(event: &str, data: &serde_json::Value) -> Result<(), String> {
    let members = data.as_object().ok_or("the body is no JSON object")?;
    println!("handled {event} {} members", members.len());
    Ok(())
}

/// Why a call is refused, if it is not genuine. `body` holds the bytes as they came.
fn check(key: &[u8], headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(timestamp), Some(signatures)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return Err("a header is missing");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let sent: u64 = timestamp.parse().unwrap_or(0);
    if now.abs_diff(sent) > TOLERANCE_SECONDS {
        return Err("the timestamp is too old or too new");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "the key cannot be used")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    // While the secret is being changed there are two signatures; one that fits is enough.
    let fits = signatures
        .split(' ')
        .filter_map(|given| STANDARD.decode(given.strip_prefix("v1,")?).ok())
        .any(|given| mac.clone().verify_slice(&given).is_ok());
    fits.then_some(()).ok_or("the signature does not fit")
}

async fn take(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    if let Err(why) = check(&receiver.key, &headers, &body) {
        return (StatusCode::UNAUTHORIZED, why);
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (id, event) = (header("webhook-id"), header("x-webhook-event"));
    let id = id.unwrap_or_default();
    let mut handled = receiver
        .handled
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if handled.contains(id) {
        return (StatusCode::OK, "handled before");
    }
    let data = serde_json::from_slice(&body).unwrap_or_default();
    if let Err(why) = handle(event.unwrap_or_default(), &data) {
        eprintln!("{why}");
        return (StatusCode::INTERNAL_SERVER_ERROR, "failed");
    }
    handled.insert(id.to_owned());
    (StatusCode::OK, "handled")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("SIGNALBOX_SECRET")
        .map_err(|_| "Set SIGNALBOX_SECRET to the signing secret of the webhook.")?;
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(&secret))?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "8000".to_owned());
    let receiver = Arc::new(Receiver {
        key,
        handled: Mutex::default(),
    });
    // axum takes bodies of up to 2 MB, as long as nothing else is said.
    let router = Router::new().route("/", post(take)).with_state(receiver);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening at http://{}/", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
