//! Certificates that are not what they should be: each says its own sentence, and nothing is sent.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;
use signalbox_practice::Receiver;
use signalbox_tests::{Home, Shop};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// TLS with this certificate in front of a plain receiver.
async fn shown(certificate: CertificateDer<'static>, key: &KeyPair, plain: SocketAddr) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
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
    format!("https://{address}/")
}

#[tokio::test]
async fn each_kind_of_bad_certificate_says_what_it_is_and_nothing_is_sent() {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "An authority for tests");
    let home = Home::new();
    let trusted = authority.self_signed(&key).unwrap().pem();
    let trusted = home.file("authority.pem", trusted).display().to_string();
    let shop = Shop::on(Arc::new(home.with("SSL_CERT_FILE", &trusted).serve())).await;
    let issuer = Issuer::new(authority, &key);
    let params = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let signed = |change: &dyn Fn(&mut CertificateParams), name: &str| {
        let mut params = params(name);
        change(&mut params);
        params.signed_by(&key, &issuer).unwrap().der().clone()
    };
    let as_it_is = |_: &mut CertificateParams| {};

    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let here = "127.0.0.1";
    let (past, future) = (
        |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        },
        |params: &mut CertificateParams| params.not_before = date_time_ymd(2900, 1, 1),
    );
    for (certificate, says) in [
        (signed(&past, here), "has run out"),
        (signed(&future, here), "is valid only from a later day on"),
        (
            signed(&as_it_is, "elsewhere.example"),
            "belongs to another name",
        ),
        (
            params(here).self_signed(&key).unwrap().der().clone(),
            "Nobody this computer trusts vouches",
        ),
    ] {
        let url = shown(certificate, &key, receiver.address()).await;
        let webhook = shop.webhook_with(&url, json!({"retryAttempts": 0})).await;
        let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
        let delivery = shop.delivery_is(&event, "failed").await;
        assert_eq!(delivery["code"], "unreachable");
        let explanation = delivery["explanation"].as_str().unwrap();
        assert!(explanation.contains(says), "{says}: {explanation}");
        assert!(explanation.contains("nothing was sent"), "{explanation}");
        let test = format!("/api/integrations/webhooks/{}/test", webhook.id);
        let tested = shop.full.post(&test, &json!({})).await.is(200);
        assert_eq!(tested["message"], explanation);
        shop.full
            .delete(&format!("/api/integrations/webhooks/{}", webhook.id))
            .await
            .is(200);
    }
    assert_eq!(receiver.count(), 0);

    let good = shown(signed(&as_it_is, here), &key, receiver.address()).await;
    shop.webhook(&good).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
}

#[tokio::test]
async fn a_refusal_is_explained_by_what_the_receiver_answered() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(signalbox_practice::Behaviour::Status(404));
    let webhook = shop
        .webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivery = shop.delivery_is(&event, "failed").await;
    let explanation = delivery["explanation"].as_str().unwrap();
    assert_eq!(
        explanation,
        "Cash desk answers, but there is nothing at this address (404). Check the address for a slip, or ask its makers whether it was changed."
    );
    assert_eq!(delivery["attempts"][0]["error"], explanation);
    assert_eq!(delivery["attempts"][0]["summary"], explanation);
    let test = format!("/api/integrations/webhooks/{}/test", webhook.id);
    let tested = shop.full.post(&test, &json!({})).await.is(200);
    assert_eq!(tested["message"], explanation);
}
