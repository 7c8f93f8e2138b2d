//! Email without internet, in a real network namespace.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_practice::SendGrid;
use signalbox_tests::{Home, Shop};

use crate::elsewhere::{in_a_network_of_its_own, run};
use crate::offline::far_end;

/// A public address that only this namespace knows; nothing leaves it.
const PUBLIC: &str = "93.184.215.14";

#[test]
fn without_a_network_emails_are_held_and_go_out_once_when_it_is_back() {
    in_a_network_of_its_own("email::the_story_in_a_namespace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs inside a network namespace, started by the test above"]
async fn the_story_in_a_namespace() {
    run("ip link set lo up");
    let certificate = rcgen::generate_simple_self_signed(vec![PUBLIC.to_owned()]).unwrap();
    let home = Home::new();
    let authority = home.file("authority.pem", certificate.cert.pem());
    let home = home.with("SSL_CERT_FILE", &authority.display().to_string());
    let sendgrid = SendGrid::start(([127, 0, 0, 1], 0)).await.unwrap();
    let shop = Shop::on(home.serve().into()).await;
    let setup = json!({"apiKey": "SG.practice.works", "fromEmail": "info@shop.example", "apiBaseUrl": format!("https://{PUBLIC}:8443")});
    let saved = shop
        .full
        .post("/api/integrations/email", &setup)
        .await
        .is(200);
    assert_eq!(
        (&saved["success"], &saved["testStatus"]),
        (&json!(true), &json!("failed"))
    );
    let email = json!({"to": "maria@example.com", "subject": "s", "text": "t"});
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let held = shop.full.post("/api/email/send", &email).await.is(200);
        assert_eq!(
            (&held["code"], &held["willRetry"]),
            (&json!("offline"), &json!(true)),
            "{held}"
        );
        waiting.push(held["deliveryId"].as_str().unwrap().to_owned());
    }
    let standing = shop.full.get("/api/integrations").await.is(200)["email"].clone();
    assert_eq!(standing["state"]["word"], "Offline, 3 waiting");
    assert_eq!(
        shop.full.get("/api/problems").await.is(200)["problems"],
        json!([]),
        "nobody's fault"
    );
    let shop = tokio::task::spawn_blocking(move || shop.restart(true))
        .await
        .unwrap();

    run("ip link add v0 type veth peer name v1");
    run(&format!("ip addr add {PUBLIC}/24 dev v0"));
    run("ip link set v1 up");
    run("ip link set v0 up");
    let near = sendgrid
        .url()
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    far_end(format!("{PUBLIC}:8443").parse().unwrap(), near, certificate).await;
    run("ip route add default via 93.184.215.1");
    let all_here = sendgrid
        .calls()
        .wait_until(|_| sendgrid.emails().len() == 3);
    let arrived = tokio::time::timeout(Duration::from_secs(30), all_here).await;
    assert!(
        arrived.is_ok(),
        "{} of 3 within 30 s",
        sendgrid.emails().len()
    );
    for id in waiting {
        let row = shop.full.changes().await.until(async || {
            let row = shop.delivery(&id).await;
            (row["status"] == "success").then_some(row)
        });
        let row = row.await.unwrap();
        let codes: Vec<_> = row["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["code"].clone())
            .collect();
        assert_eq!(codes, [json!("offline"), Value::Null]);
    }
    assert_eq!(sendgrid.emails().len(), 3, "something went out twice");
}
