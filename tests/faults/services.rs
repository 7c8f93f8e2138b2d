//! Texts and calendar entries without internet, in a real network namespace.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_practice::google::{CLIENT_ID, CLIENT_SECRET};
use signalbox_practice::{Google, Twilio};
use signalbox_tests::{Home, Shop};

use crate::elsewhere::{in_a_network_of_its_own, run};
use crate::offline::far_end;

/// A public address that only this namespace knows; nothing leaves it.
const PUBLIC: &str = "93.184.215.14";
const AT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

#[test]
fn without_a_network_texts_and_entries_are_held_and_go_out_once_when_it_is_back() {
    in_a_network_of_its_own("services::the_story_in_a_namespace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs inside a network namespace, started by the test above"]
async fn the_story_in_a_namespace() {
    run("ip link set lo up");
    let certificates =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec![PUBLIC.to_owned()]).unwrap());
    let home = Home::new();
    let authorities: String = certificates.iter().map(|one| one.cert.pem()).collect();
    let authorities = home.file("authorities.pem", authorities);
    let home = home.with("SSL_CERT_FILE", &authorities.display().to_string());
    let (twilio, google) = (
        Twilio::start(AT).await.unwrap(),
        Google::start(AT).await.unwrap(),
    );
    let [texts, calendar] = [8443, 8444].map(|port| format!("https://{PUBLIC}:{port}"));
    let (access, refresh) = google.tokens();
    let shop = Shop::on(home.serve().into()).await;
    for (kind, setup) in [
        (
            "sms",
            json!({"accountSid": Twilio::ACCOUNT, "authToken": Twilio::TOKEN, "fromNumber": Twilio::NUMBER, "apiBaseUrl": texts}),
        ),
        (
            "calendar",
            json!({"accessToken": access, "refreshToken": refresh, "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "tokenUri": format!("{calendar}/token"), "revokeUri": format!("{calendar}/revoke"), "apiBaseUrl": calendar}),
        ),
    ] {
        let saved = shop
            .full
            .post(&format!("/api/integrations/{kind}"), &setup)
            .await
            .is(200);
        assert_eq!(
            (&saved["success"], &saved["testStatus"]),
            (&json!(true), &json!("failed")),
            "{saved}"
        );
    }
    let text = |n: usize| json!({"to": Twilio::NUMBER, "message": format!("See you at {n}")});
    let entry = |n: usize| json!({"title": format!("Haircut {n}"), "startTime": "2031-11-26T10:00:00+01:00", "endTime": "2031-11-26T11:00:00+01:00"});
    let mut waiting = Vec::new();
    for n in 0..3 {
        for (path, body) in [
            ("/api/sms/send", text(n)),
            ("/api/calendar/events", entry(n)),
        ] {
            let held = shop.full.post(path, &body).await.is(200);
            assert_eq!(
                (&held["code"], &held["willRetry"]),
                (&json!("offline"), &json!(true)),
                "{held}"
            );
            waiting.push(held["deliveryId"].as_str().unwrap().to_owned());
        }
    }
    let stands = shop.full.get("/api/integrations").await.is(200);
    for kind in ["sms", "calendar"] {
        assert_eq!(stands[kind]["state"]["word"], "Offline, 3 waiting");
    }
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
    let near =
        [twilio.url(), google.url()].map(|url| url.trim_start_matches("http://").parse().unwrap());
    for ((port, plain), certificate) in [8443, 8444].into_iter().zip(near).zip(certificates) {
        far_end(
            format!("{PUBLIC}:{port}").parse().unwrap(),
            plain,
            certificate,
        )
        .await;
    }
    run("ip route add default via 93.184.215.1");
    let all_here = async {
        twilio
            .calls()
            .wait_until(|_| twilio.texts().len() == 3)
            .await;
        google
            .calls()
            .wait_until(|_| google.entries("primary").len() == 3)
            .await;
    };
    let arrived = tokio::time::timeout(Duration::from_secs(30), all_here).await;
    assert!(
        arrived.is_ok(),
        "{} texts and {} entries within 30 s",
        twilio.texts().len(),
        google.entries("primary").len()
    );
    for id in waiting {
        let row = shop.full.changes().await.until(async || {
            let row = shop.delivery(&id).await;
            // A text that was taken is followed until it is on the phone.
            (row["status"] == "success").then_some(row)
        });
        let row = row.await.unwrap();
        let codes: Vec<_> = row["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["code"].clone())
            .collect();
        assert_eq!(codes, [json!("offline"), Value::Null], "{row}");
    }
    let taken: std::collections::BTreeSet<_> =
        twilio.texts().into_iter().map(|text| text.body).collect();
    assert_eq!(
        (twilio.texts().len(), taken.len()),
        (3, 3),
        "something went out twice"
    );
    assert_eq!(
        google.entries("primary").len(),
        3,
        "something was made twice"
    );
}
