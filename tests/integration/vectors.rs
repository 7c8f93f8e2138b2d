//! Published reference data: what others' parsers and strings have tripped over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signalbox_practice::{Keep, Receiver};
use signalbox_tests::{Shop, hex, mac, vectors};

#[tokio::test]
async fn every_valid_text_of_the_json_test_suite_arrives_byte_for_byte_and_no_invalid_one_is_taken()
{
    let Some(suite) = vectors::read("jsontestsuite_test_parsing.b64.json") else {
        return;
    };
    let shop = Shop::open().await;
    let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Last(1000))
        .await
        .unwrap();
    shop.webhook(&receiver.url()).await;
    let mut expected = Vec::new();
    for (name, text) in suite.as_object().unwrap() {
        let text = STANDARD.decode(text.as_str().unwrap()).unwrap();
        // As a member of data, so that whatever is valid JSON, an array or a bare number too, is a valid event.
        let mut body = br#"{"type":"form.submitted","data":{"v":"#.to_vec();
        body.extend_from_slice(&text);
        body.extend_from_slice(b"}}");
        let answer = shop.events.post_bytes("/api/events", body).await;
        match name.as_bytes()[0] {
            b'y' => assert_eq!(answer.status, 202, "{name}: {}", answer.text()),
            b'n' => assert!(
                matches!(answer.status, 400 | 422),
                "{name}: {} {}",
                answer.status,
                answer.text()
            ),
            _ => assert!(
                matches!(answer.status, 202 | 400 | 422),
                "{name}: {} {}",
                answer.status,
                answer.text()
            ),
        }
        if answer.status == 202 {
            let id = answer.json()["eventId"].as_str().unwrap().to_owned();
            let data = [br#"{"v":"#.as_slice(), &text, b"}"].concat();
            expected.push((name.clone(), id, data));
        }
    }
    assert!(
        expected.len() >= 90,
        "only {} texts were taken",
        expected.len()
    );
    let calls = Shop::calls(&receiver, expected.len() as u64).await;
    for (name, id, data) in expected {
        let call = calls.iter().find(|call| call.header("webhook-id") == id);
        let call = call.unwrap_or_else(|| panic!("{name} did not arrive"));
        assert_eq!(
            call.body.as_ref(),
            data.as_slice(),
            "{name} did not arrive byte for byte"
        );
    }
}

#[tokio::test]
async fn naughty_strings_arrive_and_are_shown_exactly() {
    let Some(strings) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Last(1000))
        .await
        .unwrap();
    shop.webhook(&receiver.url()).await;
    let strings = strings.as_array().unwrap();
    let rows: Vec<_> = strings
        .iter()
        .enumerate()
        .map(|(number, text)| json!({"type": "message.received", "data": {"messageId": format!("m{number}"), "text": text}}))
        .collect();
    let results = shop
        .events
        .post("/api/events/batch", &json!(rows))
        .await
        .is(202)["results"]
        .clone();
    let calls = Shop::calls(&receiver, strings.len() as u64).await;
    for (result, row) in results.as_array().unwrap().iter().zip(&rows) {
        let id = result["eventId"]
            .as_str()
            .unwrap_or_else(|| panic!("refused: {row} {result}"));
        let call = calls
            .iter()
            .find(|call| call.header("webhook-id") == id)
            .expect("it arrived");
        assert_eq!(call.body, row["data"].to_string());
    }
    for (result, row) in results.as_array().unwrap().iter().zip(&rows).step_by(25) {
        let id = result["eventId"].as_str().unwrap();
        let event = shop.full.get(&format!("/api/events/{id}")).await.is(200);
        assert_eq!(event["event"]["data"], row["data"]);
    }
}

#[tokio::test]
async fn a_naughty_string_is_found_by_itself() {
    let Some(strings) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    let strings: Vec<_> = strings
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|text| text.as_str())
        .filter(|text| text.chars().any(char::is_alphanumeric))
        .collect();
    let rows: Vec<_> = strings
        .iter()
        .map(|text| json!({"type": "message.received", "data": {"text": text}}))
        .collect();
    let results = shop
        .events
        .post("/api/events/batch", &json!(rows))
        .await
        .is(202)["results"]
        .clone();
    let mut missed = Vec::new();
    for (text, result) in strings.iter().zip(results.as_array().unwrap()) {
        let mut cursor = String::new();
        let found = loop {
            let mut url = reqwest::Url::parse("http://127.0.0.1/api/events?limit=200").unwrap();
            url.query_pairs_mut()
                .append_pair("q", text)
                .extend_pairs((!cursor.is_empty()).then_some(("cursor", &cursor)));
            let path = &url.as_str()["http://127.0.0.1".len()..];
            let page = shop.full.get(path).await.is(200);
            let events = page["events"].as_array().unwrap();
            if events.iter().any(|event| event["id"] == result["eventId"]) {
                break true;
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break false,
            }
        };
        if !found {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test]
async fn a_naughty_string_is_a_valid_subject_or_refused_with_its_path() {
    let Some(strings) = vectors::read("blns.json") else {
        return;
    };
    let shop = Shop::open().await;
    for text in strings.as_array().unwrap().iter().step_by(5) {
        let body = json!({"type": "contact.created", "data": {}, "subject": text});
        let answer = shop.events.post("/api/events", &body).await;
        match answer.status {
            202 => {
                let id = answer.json()["eventId"].as_str().unwrap().to_owned();
                let event = shop.full.get(&format!("/api/events/{id}")).await.is(200);
                let subject = &event["event"]["subject"];
                assert!(
                    subject == text || (text == "" && *subject == Value::Null),
                    "{text} became {subject}"
                );
            }
            _ => drop(answer.names_field("subject")),
        }
    }
}

#[test]
fn the_judge_of_this_suite_agrees_with_the_published_hmac_and_signing_vectors() {
    let Some(published) = vectors::read("rfc_and_spec_vectors.json") else {
        return;
    };
    let bytes = |text: &Value| -> Vec<u8> {
        let text = text.as_str().unwrap();
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    for case in published["rfc4231_hmac_sha256"]["cases"]
        .as_array()
        .unwrap()
    {
        let expected = case["mac"].as_str().unwrap();
        let computed = hex(&mac(&bytes(&case["key"]), &[&bytes(&case["data"])]));
        assert_eq!(
            &computed[..expected.len()],
            expected,
            "case {}",
            case["case"]
        );
    }
    let vector = &published["standard_webhooks_sign"];
    let key = vector["secret"]
        .as_str()
        .unwrap()
        .trim_start_matches("whsec_");
    let key = STANDARD.decode(key).unwrap();
    let content = format!(
        "{}.{}.{}",
        vector["msg_id"].as_str().unwrap(),
        vector["timestamp"],
        vector["payload"].as_str().unwrap()
    );
    let signature = format!("v1,{}", STANDARD.encode(mac(&key, &[content.as_bytes()])));
    assert_eq!(signature, vector["signature"].as_str().unwrap());
    assert_ne!(signature, vector["wrong_signature"].as_str().unwrap());
    let Some(wycheproof) = vectors::read("wycheproof_hmac_sha256_test.json") else {
        return;
    };
    let mut checked = 0;
    for group in wycheproof["testGroups"].as_array().unwrap() {
        let length = usize::try_from(group["tagSize"].as_u64().unwrap()).unwrap() / 4;
        for case in group["tests"].as_array().unwrap() {
            let computed = hex(&mac(&bytes(&case["key"]), &[&bytes(&case["msg"])]));
            let agrees = computed[..length] == *case["tag"].as_str().unwrap();
            assert_eq!(agrees, case["result"] == "valid", "case {}", case["tcId"]);
            checked += 1;
        }
    }
    assert_eq!(checked, 174);
}
