//! No internet, in a real network namespace: nothing is simulated but the far end, which lives in the namespace too.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use signalbox_practice::Receiver;
use signalbox_tests::{Home, Shop, say};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::elsewhere::{in_a_network_of_its_own, run};

/// A public address that only this namespace knows; nothing leaves it.
const PUBLIC: &str = "93.184.215.14";
const PRIVATE: &str = "10.77.0.2";
const WAITING: usize = 20;

#[test]
fn without_a_network_public_calls_are_held_and_go_out_once_and_in_order_when_it_is_back() {
    in_a_network_of_its_own("offline::the_story_in_a_namespace");
}

/// The far end: TLS with a certificate of our own authority, in front of a plain receiver.
pub(crate) async fn far_end(
    address: SocketAddr,
    plain: SocketAddr,
    certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
) {
    let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut near = acceptor.accept(stream).await?;
                let mut far = TcpStream::connect(plain).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs inside a network namespace, started by the test above"]
async fn the_story_in_a_namespace() {
    run("ip link set lo up");
    let certificate = rcgen::generate_simple_self_signed(vec![PUBLIC.to_owned()]).unwrap();
    let home = Home::new();
    let authority = home
        .file("authority.pem", certificate.cert.pem())
        .display()
        .to_string();
    let home = home.with("SSL_CERT_FILE", &authority);
    let near = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let far = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let shop = Shop::on(home.serve().into()).await;
    let public = format!("https://{PUBLIC}:8443/hook");
    shop.webhook_with(
        &public,
        json!({"name": "Far", "events": ["booking.created"], "retryAttempts": 0}),
    )
    .await;
    shop.webhook_with(
        &format!("http://{PRIVATE}:8080/"),
        json!({"name": "Printer", "events": ["inventory.low"]}),
    )
    .await;
    shop.webhook_with(
        &near.url(),
        json!({"name": "Near", "events": ["contact.created"]}),
    )
    .await;

    // Offline: accepted at once, held without using up the only try there is; loopback is never offline.
    let mut events = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..WAITING {
        let started = Instant::now();
        events.push(
            shop.event("booking.created", &format!(r#"{{"bookingId":"{number}"}}"#))
                .await,
        );
        slowest = slowest.max(started.elapsed());
    }
    let printer = shop.event("inventory.low", r#"{"sku":"paper"}"#).await;
    for event in events.iter().chain([&printer]) {
        let held = shop.delivery_is(event, "held").await;
        assert_eq!(held["statusReason"], "offline", "{held}");
    }
    assert!(
        slowest < Duration::from_millis(500),
        "accepting took {slowest:?} without a network"
    );
    let beside = shop
        .event("contact.created", r#"{"contactId":"near"}"#)
        .await;
    shop.delivery_is(&beside, "success").await;
    assert_eq!(shop.full.get("/api/health").await.is(200)["online"], false);

    let today = shop.full.get("/api/today").await.is(200);
    let (sentence, as_of) = (today["sentence"].as_str(), today["asOf"].as_str());
    assert!(
        sentence.is_some_and(|s| s.starts_with("No internet since ") && s.contains("21 messages")),
        "{today}"
    );
    assert!(
        as_of.is_some_and(|s| s.starts_with("As of ") && s.ends_with(", 21 waiting.")),
        "{today}"
    );

    // Held also over a crash.
    let shop = tokio::task::spawn_blocking(move || shop.restart(true))
        .await
        .unwrap();

    // An interface, the far end and last a route: from here on the internet is reachable.
    run("ip link add v0 type veth peer name v1");
    run(&format!("ip addr add {PUBLIC}/24 dev v0"));
    run("ip link set v1 up");
    run("ip link set v0 up");
    far_end(
        format!("{PUBLIC}:8443").parse().unwrap(),
        far.address(),
        certificate,
    )
    .await;
    run("ip route add default via 93.184.215.1");
    let back = Instant::now();
    let all_here = far.wait_for(WAITING as u64);
    let arrived = tokio::time::timeout(Duration::from_secs(30), all_here).await;
    assert!(arrived.is_ok(), "{} of {WAITING} within 30 s", far.count());
    say(&format!(
        "offline: {WAITING} held and accepted in at most {slowest:?} each; all out {:?} after the network came back",
        back.elapsed()
    ));
    let mut started = Vec::new();
    for event in &events {
        let delivered = shop.delivery_is(event, "success").await;
        let attempts = delivered["attempts"].as_array().unwrap();
        let answered = attempts
            .iter()
            .find(|attempt| attempt["statusCode"] == 200)
            .unwrap();
        started.push(answered["startedAt"].as_str().unwrap().to_owned());
    }
    assert!(started.is_sorted(), "not oldest first: {started:?}");
    let mut ids: Vec<_> = far
        .calls()
        .iter()
        .map(|call| call.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), WAITING, "something went out twice");
    ids.sort();
    events.sort();
    assert_eq!(ids, events);
    // The private address has an interface now, but nobody there: that is an attempt, no longer offline.
    let tried = shop
        .delivery_when(&printer, "the printer was tried", |row| {
            row["attemptCount"] != 0
        })
        .await;
    assert_ne!(tried["statusReason"], "offline", "{tried}");
    let _ = fs::remove_file(authority);
}
