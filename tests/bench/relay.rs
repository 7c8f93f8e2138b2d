//! The bare relay: accepts the same POST, signs both families, posts on with the same client settings, stores nothing.
//!
//! It is the upper bound of what this machine can do with such calls. It forwards before it answers, so that it never
//! has more under way than it has callers, times the receivers that each event goes to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use signalbox_tests::{hex, mac};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Serves until it is killed; prints its address as its first line.
pub(crate) fn run(targets: Vec<String>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let targets: &'static [String] = targets.leak();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .user_agent("Signalbox/bench")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(64)
            .build()
            .expect("a client");
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        println!("{}", listener.local_addr().expect("its address"));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let client = client.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| forward(client.clone(), targets, request));
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

async fn forward(
    client: reqwest::Client,
    targets: &'static [String],
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = |status, body: String| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        Ok(response)
    };
    let Ok(body) = request.into_body().collect().await else {
        return answer(StatusCode::BAD_REQUEST, String::new());
    };
    let body = body.to_bytes();
    let Ok(event) = serde_json::from_slice::<Event<'_>>(&body) else {
        return answer(StatusCode::BAD_REQUEST, String::new());
    };
    let data = Bytes::copy_from_slice(event.data.get().as_bytes());
    // Unique is enough here; the product's ids are UUIDs of the same length.
    let id = format!("evt_{:036x}", since_1970().as_nanos());
    let calls = targets
        .iter()
        .map(|target| call(&client, target, event.event_type, &id, data.clone()));
    let sent = futures_util::future::join_all(calls).await;
    if sent.into_iter().all(|taken| taken) {
        answer(
            StatusCode::ACCEPTED,
            format!(r#"{{"success":true,"eventId":"{id}"}}"#),
        )
    } else {
        answer(StatusCode::BAD_GATEWAY, String::new())
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Signs and posts once; true when it was taken.
async fn call(
    client: &reqwest::Client,
    target: &str,
    event_type: &str,
    id: &str,
    data: Bytes,
) -> bool {
    let now = since_1970();
    let (seconds, millis) = (now.as_secs().to_string(), now.as_millis().to_string());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    let key = [7_u8; 32];
    let own = hex(&mac(secret.as_bytes(), &[millis.as_bytes(), b".", &data]));
    let standard = mac(
        &key,
        &[id.as_bytes(), b".", seconds.as_bytes(), b".", &data],
    );
    let sent = client
        .post(target)
        .header("content-type", "application/json")
        .header("x-webhook-event", event_type)
        .header("x-webhook-timestamp", &millis)
        .header("x-webhook-signature", own)
        .header("webhook-id", id)
        .header("webhook-timestamp", &seconds)
        .header(
            "webhook-signature",
            format!("v1,{}", STANDARD.encode(standard)),
        )
        .body(data)
        .send()
        .await;
    match sent {
        Ok(taken) if taken.status().is_success() => taken.bytes().await.is_ok(),
        _ => false,
    }
}
