//! Texts by Twilio, from outside: set up, sent, followed to their end, and never sent twice.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};
use signalbox_practice::{Behaviour, Call, Twilio};
use signalbox_tests::{Answer, Home, PATIENCE, Shop, repository, vectors};

const MARIA: &str = "+436641234567";

async fn twilio() -> Twilio {
    Twilio::start(([127, 0, 0, 1], 0)).await.unwrap()
}

fn account(twilio: &Twilio) -> Value {
    json!({
        "accountSid": Twilio::ACCOUNT, "authToken": Twilio::TOKEN,
        "fromNumber": Twilio::NUMBER, "apiBaseUrl": twilio.url(),
    })
}

async fn set_up(shop: &Shop, twilio: &Twilio) {
    let saved = shop
        .full
        .post("/api/integrations/sms", &account(twilio))
        .await
        .is(200);
    assert_eq!(saved["success"], true, "{saved}");
}

async fn shop_with(twilio: &Twilio) -> Shop {
    let shop = Shop::open().await;
    set_up(&shop, twilio).await;
    shop
}

async fn send(shop: &Shop, to: &str, message: &str) -> Value {
    let body = json!({"to": to, "message": message});
    shop.full.post("/api/sms/send", &body).await.is(200)
}

/// Waits until a delivery satisfies; gives it with its attempts.
async fn when(
    shop: &Shop,
    delivery: &str,
    what: &str,
    satisfies: impl Fn(&Value) -> bool,
) -> Value {
    let seen = std::cell::RefCell::new(Value::Null);
    let found = shop.full.changes().await.until(async || {
        let row = shop.delivery(delivery).await;
        let found = satisfies(&row).then(|| row.clone());
        *seen.borrow_mut() = row;
        found
    });
    let found = found.await;
    found.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}; it is {}", seen.borrow()))
}

async fn is(shop: &Shop, delivery: &str, status: &str) -> Value {
    when(shop, delivery, status, |row| row["status"] == status).await
}

fn id(answer: &Value) -> String {
    answer["deliveryId"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

fn posts(twilio: &Twilio) -> usize {
    twilio
        .calls()
        .calls()
        .iter()
        .filter(|call| call.method == Method::POST)
        .count()
}

#[tokio::test]
async fn a_text_is_taken_followed_and_known_to_be_on_the_phone() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let sent = send(&shop, MARIA, "Your table is booked for 4 ✓").await;
    assert_eq!(sent["success"], true, "{sent}");
    assert_eq!(sent["status"], "queued");
    let sid = sent["sid"].as_str().unwrap();
    assert_eq!(twilio.texts()[0].sid, sid);
    assert_eq!(twilio.texts()[0].body, "Your table is booked for 4 ✓");
    assert_eq!(twilio.texts()[0].to, MARIA);

    let done = is(&shop, &id(&sent), "success").await;
    assert!(done["deliveredAt"].is_string(), "{done}");
    assert_eq!(done["channel"], "sms");
    assert_eq!(done["recipient"], MARIA);
    assert_eq!(done["state"]["word"], "Delivered");
    assert_eq!(done["attempts"].as_array().unwrap().len(), 1);
    let sentence = done["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("Accepted by Twilio") && sentence.contains("delivered at"),
        "{sentence}"
    );

    let asked = shop.full.get(&format!("/api/sms/{sid}")).await.is(200);
    assert_eq!(asked["success"], true);
    assert_eq!(asked["sid"], sid);
    assert_eq!(asked["status"], "delivered");
    assert_eq!(asked.get("errorCode"), None);
}

#[tokio::test]
async fn a_text_that_was_handed_in_by_itself_is_part_of_the_customer_s_story() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let booking = json!({"bookingId": "1047", "customer": {"name": "Maria Petersen", "phone": "0664 1234567"}});
    shop.event("booking.created", &booking.to_string()).await;
    let sent = send(&shop, MARIA, "See you tomorrow at 14:00.").await;
    is(&shop, &id(&sent), "success").await;
    let told = shop.full.get("/api/story?customer=0664%201234567").await;
    let told = told.is(200);
    assert_eq!(told["title"], "Maria Petersen");
    assert_eq!(told["steps"].as_array().map(Vec::len), Some(2), "{told}");
    let sentence = told["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("text accepted") && sentence.contains(", delivered"),
        "{sentence}"
    );
}

#[tokio::test]
async fn while_it_is_under_way_it_is_accepted_and_not_called_delivered() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let sent = send(&shop, "+15005500001", "Hello").await;
    let row = shop.delivery(&id(&sent)).await;
    assert_eq!(row["status"], "sending");
    assert_eq!(row["deliveredAt"], Value::Null);
    assert_eq!(row["state"]["word"], "Accepted");
    assert!(
        row["sentence"].as_str().unwrap().contains("not known yet"),
        "{row}"
    );
    let sid = sent["sid"].as_str().unwrap();
    let path = format!("/api/sms/{sid}");
    assert_eq!(shop.full.get(&path).await.is(200)["status"], "sending");
    assert_eq!(shop.full.get(&path).await.is(200)["status"], "sent");
}

#[tokio::test]
async fn a_status_is_never_asked_for_within_a_second_and_never_after_it_is_final() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let sent = send(&shop, MARIA, "Hello").await;
    is(&shop, &id(&sent), "success").await;
    let path = format!("Messages/{}.json", sent["sid"].as_str().unwrap());
    let asked = || -> Vec<Call> {
        let calls = twilio.calls().calls();
        calls
            .into_iter()
            .filter(|c| c.uri.path().ends_with(&path))
            .collect()
    };
    let calls = asked();
    assert_eq!(calls.len(), 3, "sending, sent, delivered");
    for two in calls.windows(2) {
        let gap = two[1].instant - two[0].instant;
        assert!(gap >= Duration::from_millis(990), "{gap:?}");
    }
    // Another text is followed through all its steps; the first is not asked for meanwhile.
    let other = send(&shop, MARIA, "Hello again").await;
    is(&shop, &id(&other), "success").await;
    assert_eq!(asked().len(), 3);
}

/// Refused at once: the code, ours for it, where the delivery stands and why, part of the sentence.
const REFUSED: &[(u32, &str, &str, Option<&str>, &str)] = &[
    (
        20003,
        "credentials_rejected",
        "held",
        Some("needs_credentials"),
        "no longer accepts your key",
    ),
    (
        20404,
        "credentials_rejected",
        "held",
        Some("needs_credentials"),
        "no longer accepts your key",
    ),
    (
        20005,
        "rejected",
        "held",
        Some("needs_setup"),
        "suspended or closed",
    ),
    (21211, "rejected", "failed", None, "cannot receive texts"),
    (21214, "rejected", "failed", None, "cannot receive texts"),
    (21217, "rejected", "failed", None, "cannot receive texts"),
    (
        21408,
        "rejected",
        "held",
        Some("needs_setup"),
        "into this country",
    ),
    (21601, "rejected", "failed", None, "does not take this text"),
    (21602, "rejected", "failed", None, "does not take this text"),
    (21605, "rejected", "failed", None, "too long"),
    (
        21606,
        "rejected",
        "held",
        Some("needs_setup"),
        "number or messaging service",
    ),
    (21608, "rejected", "held", Some("needs_setup"), "on trial"),
    (21610, "rejected", "failed", None, "answered STOP"),
    (21611, "rate_limited", "pending", None, "Too many at once"),
    (21612, "rejected", "failed", None, "no way"),
    (21614, "rejected", "failed", None, "cannot receive texts"),
    (21617, "rejected", "failed", None, "too long"),
    (
        21660,
        "rejected",
        "held",
        Some("needs_setup"),
        "number or messaging service",
    ),
    (
        21703,
        "rejected",
        "held",
        Some("needs_setup"),
        "number or messaging service",
    ),
];

#[tokio::test]
async fn each_refusal_of_twilio_has_its_code_its_sentence_and_its_consequence() {
    let twilio = twilio().await;
    let mut shop = shop_with(&twilio).await;
    for (code, ours, status, reason, words) in REFUSED {
        let answer = send(&shop, &format!("+150055{code:05}"), "Hello").await;
        assert_eq!(answer["gracefulFail"], true, "{code}: {answer}");
        assert_eq!(answer["code"], *ours, "{code}: {answer}");
        assert_eq!(answer["willRetry"], *status != "failed", "{code}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(words), "{code}: {error}");
        let row = shop.delivery(&id(&answer)).await;
        assert_eq!(row["status"], *status, "{code}: {row}");
        assert_eq!(row["statusReason"], json!(reason), "{code}: {row}");
        assert!(
            row["attempts"][0]["responseBody"]
                .as_str()
                .unwrap()
                .contains(&code.to_string())
        );
        let other = send(&shop, MARIA, "Hello").await;
        let stops_all = other["success"] == false;
        let of_the_account = [20003, 20404, 20005, 21606, 21660, 21703].contains(code);
        assert_eq!(stops_all, of_the_account, "{code}: {other}");
        if stops_all {
            shop = shop_with(&twilio).await;
        }
    }
    let to: BTreeSet<_> = twilio.texts().into_iter().map(|t| t.to).collect();
    assert_eq!(to, BTreeSet::from([MARIA.to_owned()]), "no other was taken");
}

/// Taken, and given back later.
const GIVEN_BACK: &[(u32, &str, Option<&str>, &str)] = &[
    (30001, "failed", None, "carriers had too much to do"),
    (30002, "held", Some("needs_setup"), "suspended or closed"),
    (30003, "failed", None, "off or out of reach"),
    (30004, "failed", None, "carrier blocked"),
    (30005, "failed", None, "cannot receive texts"),
    (30006, "failed", None, "cannot receive texts"),
    (30007, "failed", None, "carrier blocked"),
    (30008, "failed", None, "does not say why"),
    (30032, "held", Some("needs_setup"), "must be registered"),
    (30034, "held", Some("needs_setup"), "must be registered"),
    (63003, "failed", None, "cannot receive texts"),
    (63016, "failed", None, "does not say why"),
    (63018, "failed", None, "carriers had too much to do"),
    (63024, "failed", None, "cannot receive texts"),
];

#[tokio::test]
async fn each_code_that_comes_later_moves_the_text_to_its_place() {
    let twilio = twilio().await;
    let all = shop_with(&twilio).await;
    let mut sent = Vec::new();
    for row in GIVEN_BACK {
        // What concerns the account stops all that comes after it.
        let shop = if row.0 == 30002 {
            shop_with(&twilio).await
        } else {
            all.clone()
        };
        let answer = send(&shop, &format!("+150055{:05}", row.0), "Hello").await;
        assert_eq!(answer["success"], true, "{answer}");
        sent.push((shop, answer, row));
    }
    for (shop, answer, (code, status, reason, words)) in sent {
        let row = is(&shop, &id(&answer), status).await;
        assert_eq!(row["statusReason"], json!(reason), "{code}: {row}");
        assert_eq!(row["deliveredAt"], Value::Null);
        let error = row["error"].as_str().unwrap();
        assert!(error.contains(words), "{code}: {error}");
        let asked = shop
            .full
            .get(&format!("/api/sms/{}", answer["sid"].as_str().unwrap()))
            .await
            .is(200);
        assert_eq!(asked["status"], "undelivered", "{code}: {asked}");
        assert_eq!(asked["errorCode"], *code);
    }
}

#[tokio::test]
async fn failed_without_a_code_and_called_off_are_ends_too() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    for (to, status, words) in [
        ("+15005500003", "failed", "does not say why"),
        ("+15005500004", "canceled", "called this text off"),
    ] {
        let sent = send(&shop, to, "Hello").await;
        let row = is(&shop, &id(&sent), "failed").await;
        assert!(row["error"].as_str().unwrap().contains(words), "{row}");
        let sid = sent["sid"].as_str().unwrap();
        let asked = shop.full.get(&format!("/api/sms/{sid}")).await.is(200);
        assert_eq!(asked["status"], status);
    }
}

#[tokio::test]
async fn too_many_at_once_and_trouble_at_twilio_are_tried_again_when_it_says() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let slow = send(&shop, "+15005500429", "Hello").await;
    assert_eq!(slow["code"], "rate_limited");
    assert_eq!(slow["willRetry"], true);
    let seconds = slow["retryAfterSeconds"].as_u64().unwrap();
    assert!((6..=8).contains(&seconds), "{seconds}");
    let down = send(&shop, "+15005500503", "Hello").await;
    assert_eq!(down["code"], "provider_down");
    assert_eq!(down["willRetry"], true);
}

#[tokio::test]
async fn what_is_wrong_with_one_person_does_not_stop_the_others() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    for to in ["+15005521608", "+15005521610", "+15005521408"] {
        send(&shop, to, "Hello").await;
    }
    let fine = send(&shop, MARIA, "Hello").await;
    assert_eq!(fine["success"], true, "{fine}");
    let problems = shop.full.get("/api/problems").await.is(200);
    let text = problems.to_string();
    assert!(
        text.contains("on trial") || text.contains("into this country"),
        "{text}"
    );
}

#[tokio::test]
async fn who_answered_stop_is_never_texted_again_by_any_button() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let stopped = send(&shop, "+15005550004", "Hello").await;
    let off = send(&shop, "+15005500003", "Hello").await;
    is(&shop, &id(&off), "failed").await;
    let row = shop.delivery(&id(&stopped)).await;
    assert_eq!(row["actions"], json!(["cancel"]));
    let path = format!("/api/deliveries/{}/retry", id(&stopped));
    let refused = shop.full.post(&path, &json!({})).await.is_problem(409);
    assert!(
        refused["detail"].as_str().unwrap().contains("STOP"),
        "{refused}"
    );

    let problems = shop.full.get("/api/problems").await.is(200);
    let all = problems["problems"].as_array().unwrap();
    let again: Vec<_> = all
        .iter()
        .filter(|p| {
            p["actions"]
                .as_array()
                .unwrap()
                .contains(&json!("retry_all"))
        })
        .collect();
    assert_eq!(again.len(), 1, "{problems}");
    assert_eq!(again[0]["failed"], 1, "only the other one: {problems}");
    let path = format!("/api/problems/{}/resolve", again[0]["id"].as_str().unwrap());
    shop.full
        .post(&path, &json!({"action": "retry_all"}))
        .await
        .is(200);
    is(&shop, &id(&off), "failed").await;
    let to_stopped = twilio
        .calls()
        .calls()
        .iter()
        .filter(|call| {
            call.method == Method::POST
                && String::from_utf8_lossy(&call.body).contains("15005550004")
        })
        .count();
    assert_eq!(to_stopped, 1);

    let problems = shop.full.get("/api/problems").await.is(200);
    let hopeless = problems["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["actions"].as_array().unwrap().first() == Some(&json!("told_them")));
    let path = format!(
        "/api/problems/{}/resolve",
        hopeless.unwrap()["id"].as_str().unwrap()
    );
    shop.full
        .post(&path, &json!({"action": "told_them"}))
        .await
        .is(200);
    assert_eq!(shop.delivery(&id(&stopped)).await["status"], "cancelled");
}

#[tokio::test]
async fn a_lost_answer_is_looked_for_before_anything_is_sent_again() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    twilio.calls().behave_on(
        &Twilio::messages_path(),
        [Behaviour::AnswerLost, Behaviour::Answer],
    );
    let lost = send(&shop, MARIA, "See you at 4").await;
    assert_eq!(lost["success"], false);
    assert_eq!(lost["willRetry"], true);
    assert!(
        lost["error"].as_str().unwrap().contains("looked for"),
        "{lost}"
    );
    let done = is(&shop, &id(&lost), "success").await;
    assert_eq!(done["attempts"].as_array().unwrap().len(), 2);
    assert!(done["deliveredAt"].is_string());
    assert_eq!(posts(&twilio), 1, "it was found, not sent again");
    let texts = twilio.texts();
    assert_eq!(texts.len(), 1);
    let asked = shop
        .full
        .get(&format!("/api/sms/{}", texts[0].sid))
        .await
        .is(200);
    assert_eq!(asked["status"], "delivered");
    assert_eq!(asked["deliveryId"], done["id"]);
}

#[tokio::test]
async fn what_never_reached_twilio_is_looked_for_in_vain_and_sent() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    // The same words an hour ago, or to somebody else, are another text.
    let before = send(&shop, MARIA, "See you at 4").await;
    is(&shop, &id(&before), "success").await;
    twilio.calls().behave_on(
        &Twilio::messages_path(),
        [Behaviour::Reset, Behaviour::Answer],
    );
    let lost = send(&shop, MARIA, "See you at 4").await;
    assert_eq!(lost["willRetry"], true, "{lost}");
    let done = is(&shop, &id(&lost), "success").await;
    assert!(done["deliveredAt"].is_string());
    assert_eq!(
        twilio.texts().len(),
        2,
        "the first belongs to another delivery"
    );
    let sids: BTreeSet<_> = twilio.texts().into_iter().map(|t| t.sid).collect();
    assert_eq!(sids.len(), 2);
}

#[tokio::test]
async fn each_way_to_lose_an_answer_ends_with_one_text() {
    let serve = Shop::open().await.serve;
    let ways = [
        Behaviour::AnswerLost,
        Behaviour::AnswerKept,
        Behaviour::Status(500),
        Behaviour::Status(502),
        Behaviour::Say(200, "text/html", "<html>Please sign in</html>"),
        Behaviour::Say(201, "application/json", "{\"sid\":\"SM"),
        Behaviour::Say(201, "application/json", ""),
        Behaviour::HalfAnswer,
        Behaviour::Large(10 * 1024 * 1024),
        Behaviour::InvalidHttp,
        Behaviour::Close,
    ];
    let (here, mut all) = (tokio::task::LocalSet::new(), tokio::task::JoinSet::new());
    for way in ways {
        let serve = serve.clone();
        let story = async move {
            let twilio = twilio().await;
            let shop = Shop::on(serve).await;
            set_up(&shop, &twilio).await;
            let turns = [way.clone(), Behaviour::Answer];
            twilio.calls().behave_on(&Twilio::messages_path(), turns);
            let lost = send(&shop, MARIA, "See you at 4").await;
            assert_eq!(lost["willRetry"], true, "{way:?}: {lost}");
            let row = is(&shop, &id(&lost), "success").await;
            assert!(row["deliveredAt"].is_string(), "{way:?}");
            assert_eq!(twilio.texts().len(), 1, "{way:?}");
        };
        all.spawn_local_on(story, &here);
    }
    here.await;
    while let Some(ended) = all.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_kill_while_a_text_goes_out_and_one_while_it_is_followed_double_and_lose_nothing() {
    let twilio = twilio().await;
    let shop = Shop::alone().await;
    set_up(&shop, &twilio).await;
    let followed = send(&shop, "+15005500001", "Followed").await;
    twilio.calls().behave_on(
        &Twilio::messages_path(),
        [Behaviour::AnswerKept, Behaviour::Answer],
    );
    let asking = {
        let api = shop.full.clone();
        tokio::spawn(async move {
            let body = Some(json!({"to": MARIA, "message": "Killed"}).to_string().into());
            let json = [("content-type", "application/json")];
            api.attempt(Method::POST, "/api/sms/send", &json, body)
                .await
        })
    };
    let arrived = twilio
        .calls()
        .wait_until(|_| twilio.texts().iter().any(|t| t.body == "Killed") || posts(&twilio) >= 2);
    tokio::time::timeout(PATIENCE, arrived)
        .await
        .expect("the text arrives");
    let shop = shop.restart(true);
    assert!(asking.await.unwrap().is_err(), "nobody was answered");
    let sid = followed["sid"].as_str().unwrap();
    twilio.settle(sid, "delivered", None);
    let row = is(&shop, &id(&followed), "success").await;
    assert!(row["deliveredAt"].is_string(), "{row}");
    assert_eq!(row["attempts"].as_array().unwrap().len(), 1);

    let killed = shop.deliveries("channel=sms").await;
    let killed = killed.iter().find(|row| row["recipient"] == MARIA).unwrap();
    let row = is(&shop, killed["id"].as_str().unwrap(), "success").await;
    assert!(row["deliveredAt"].is_string());
    assert_eq!(
        twilio.texts().iter().filter(|t| t.body == "Killed").count(),
        1
    );
}

#[tokio::test]
async fn two_of_the_same_words_to_one_person_are_two_texts_also_when_both_answers_are_lost() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let lost = [
        Behaviour::AnswerLost,
        Behaviour::AnswerLost,
        Behaviour::Answer,
    ];
    twilio.calls().behave_on(&Twilio::messages_path(), lost);
    let (a, b) = (
        send(&shop, MARIA, "Ready").await,
        send(&shop, MARIA, "Ready").await,
    );
    for lost in [&a, &b] {
        let row = is(&shop, &id(lost), "success").await;
        assert!(row["deliveredAt"].is_string());
    }
    assert_eq!(twilio.texts().len(), 2);
    let mut whose = BTreeSet::new();
    for text in twilio.texts() {
        let asked = shop
            .full
            .get(&format!("/api/sms/{}", text.sid))
            .await
            .is(200);
        whose.insert(asked["deliveryId"].as_str().unwrap().to_owned());
    }
    assert_eq!(whose, BTreeSet::from([id(&a), id(&b)]));
}

#[tokio::test]
async fn the_same_key_sends_once_and_another_text_under_it_is_refused() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let body = json!({"to": MARIA, "message": "Hello", "idempotencyKey": "booking-1047"});
    let first = shop.full.post("/api/sms/send", &body).await.is(200);
    assert_eq!(first["duplicate"], false);
    let again = shop.full.post("/api/sms/send", &body).await.is(200);
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["sid"], first["sid"]);
    assert_eq!(again["deliveryId"], first["deliveryId"]);
    let other = json!({"to": MARIA, "message": "Other", "idempotencyKey": "booking-1047"});
    let refused = shop.full.post("/api/sms/send", &other).await;
    assert_eq!(
        refused.names_field("idempotencyKey")["code"],
        "idempotency_key_reused"
    );
    assert_eq!(twilio.texts().len(), 1);
}

#[tokio::test]
async fn every_request_is_as_twilio_describes_it_and_so_is_every_answer_of_the_stand_in() {
    let Some(contract) = contract() else { return };
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    twilio.calls().behave_on(
        &Twilio::messages_path(),
        [Behaviour::AnswerLost, Behaviour::Answer],
    );
    let lost = send(&shop, MARIA, "5 € & more: ✓ +1").await;
    is(&shop, &id(&lost), "success").await;
    let service = json!({
        "accountSid": Twilio::ACCOUNT, "authToken": Twilio::TOKEN,
        "messagingServiceSid": Twilio::SERVICE, "apiBaseUrl": twilio.url(), "country": "AT",
    });
    shop.full
        .post("/api/integrations/sms", &service)
        .await
        .is(200);
    let sent = send(&shop, "0664 1234567", "Through a service").await;
    assert_eq!(sent["status"], "accepted", "{sent}");
    is(&shop, &id(&sent), "success").await;

    let mut seen = BTreeSet::new();
    for call in twilio.calls().calls() {
        seen.insert(contract.check(&call));
    }
    let expected = [
        "get /2010-04-01/Accounts/{Sid}.json",
        "get /2010-04-01/Accounts/{AccountSid}/Messages.json",
        "post /2010-04-01/Accounts/{AccountSid}/Messages.json",
        "get /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
    for row in shop.deliveries("channel=sms").await {
        let row = shop.delivery(row["id"].as_str().unwrap()).await;
        for attempt in row["attempts"].as_array().unwrap() {
            if let (Some(body), Some(status)) = (
                attempt["responseBody"].as_str(),
                attempt["statusCode"].as_u64(),
            ) {
                let list = attempt["requestUrl"].as_str().unwrap().contains('?');
                contract.check_answer(list, status, &serde_json::from_str(body).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_not_saved_and_the_former_stays() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    for (change, code, words) in [
        (
            json!({"authToken": "another"}),
            "credentials_rejected",
            "does not accept this key",
        ),
        (
            json!({"accountSid": Twilio::SUSPENDED}),
            "rejected",
            "suspended or closed",
        ),
    ] {
        let mut wrong = account(&twilio);
        wrong
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let refused = shop
            .full
            .post("/api/integrations/sms", &wrong)
            .await
            .is(200);
        assert_eq!(refused["success"], false, "{refused}");
        assert_eq!(refused["gracefulFail"], true);
        assert_eq!(refused["code"], code);
        assert!(
            refused["error"].as_str().unwrap().contains(words),
            "{refused}"
        );
    }
    let sent = send(&shop, MARIA, "The former token is used").await;
    assert_eq!(sent["success"], true, "{sent}");
    let stands = shop.full.get("/api/integrations").await.is(200)["sms"].clone();
    for (member, value) in [
        ("isConfigured", json!(true)),
        ("isActive", json!(true)),
        ("provider", json!("twilio")),
        ("accountSid", json!(Twilio::ACCOUNT)),
        ("fromNumber", json!(Twilio::NUMBER)),
        ("messagingServiceSid", Value::Null),
        ("testStatus", json!("success")),
        ("testError", Value::Null),
    ] {
        assert_eq!(stands[member], value, "{member}");
    }
    assert!(!stands.to_string().contains(Twilio::TOKEN));
    let names: Vec<_> = stands["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "accountSid",
            "authToken",
            "fromNumber",
            "messagingServiceSid",
            "country",
            "apiBaseUrl"
        ]
    );
}

#[tokio::test]
async fn a_new_token_lets_go_what_waited_for_it() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    twilio.set_token("changed0at0twilio");
    let held = send(&shop, MARIA, "Hello").await;
    assert_eq!(held["code"], "credentials_rejected");
    assert_eq!(held["willRetry"], true);
    assert_eq!(
        shop.delivery(&id(&held)).await["statusReason"],
        "needs_credentials"
    );
    let problems = shop.full.get("/api/problems").await.is(200);
    assert_eq!(problems["problems"][0]["integration"], "sms", "{problems}");
    let mut new = account(&twilio);
    new["authToken"] = json!("changed0at0twilio");
    let saved = shop.full.post("/api/integrations/sms", &new).await.is(200);
    assert_eq!(saved["released"], 1, "{saved}");
    is(&shop, &id(&held), "success").await;
    assert_eq!(twilio.texts().len(), 1);
}

#[tokio::test]
async fn a_token_goes_only_where_it_was_entered_for() {
    let (here, elsewhere) = (twilio().await, twilio().await);
    let shop = shop_with(&here).await;
    for change in [
        json!({"apiBaseUrl": elsewhere.url()}),
        json!({"accountSid": Twilio::TRIAL}),
    ] {
        let answer = shop.full.patch("/api/integrations/sms", &change).await;
        assert_eq!(answer.names_field("authToken")["code"], "secret_required");
    }
    assert_eq!(elsewhere.calls().count(), 0);
    let change = json!({"apiBaseUrl": elsewhere.url(), "authToken": Twilio::TOKEN});
    let changed = shop
        .full
        .patch("/api/integrations/sms", &change)
        .await
        .is(200);
    assert_eq!(changed["success"], true, "{changed}");
    send(&shop, MARIA, "Hello").await;
    assert_eq!(elsewhere.texts().len(), 1);
}

#[tokio::test]
async fn a_test_can_be_sent_and_is_marked_as_one() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let looked = shop
        .full
        .post("/api/integrations/sms/test", &json!({}))
        .await
        .is(200);
    assert_eq!(looked["success"], true, "{looked}");
    assert!(twilio.texts().is_empty(), "without side effects");
    let to = json!({"testTo": "(415) 555-2671"});
    let tested = shop
        .full
        .post("/api/integrations/sms/test", &to)
        .await
        .is(200);
    assert_eq!(tested["success"], true, "{tested}");
    assert_eq!(twilio.texts()[0].to, "+14155552671");
    let row = is(&shop, &id(&tested), "success").await;
    assert_eq!(row["test"], true);
    let wrong = shop
        .full
        .post("/api/integrations/sms/test", &json!({"testTo": "me"}))
        .await;
    wrong.names_field("testTo");
}

#[tokio::test]
async fn what_is_not_set_up_or_paused_is_a_graceful_answer() {
    let twilio = twilio().await;
    let shop = Shop::open().await;
    let none = send(&shop, "0664 1234567", "Hello").await;
    assert_eq!(none["code"], "not_configured");
    assert_eq!(none["gracefulFail"], true);
    assert_eq!(none["willRetry"], false);
    let row = shop.delivery(&id(&none)).await;
    assert_eq!(
        (&row["status"], &row["statusReason"]),
        (&json!("skipped"), &json!("not_configured"))
    );
    set_up(&shop, &twilio).await;
    shop.full
        .patch("/api/integrations/sms", &json!({"isActive": false}))
        .await
        .is(200);
    let held = send(&shop, MARIA, "Hello").await;
    assert_eq!(held["code"], "disabled");
    assert_eq!(held["willRetry"], true);
    assert!(twilio.texts().is_empty());
    shop.full
        .patch("/api/integrations/sms", &json!({"isActive": true}))
        .await
        .is(200);
    is(&shop, &id(&held), "success").await;
    let skip = json!({"isActive": false, "whenPaused": "skip"});
    shop.full
        .patch("/api/integrations/sms", &skip)
        .await
        .is(200);
    let skipped = send(&shop, MARIA, "Hello").await;
    assert_eq!(skipped["willRetry"], false);
    assert_eq!(
        shop.delivery(&id(&skipped)).await["statusReason"],
        "disabled"
    );
}

#[tokio::test]
async fn a_wrong_setup_is_422_with_the_path_of_the_field() {
    let twilio = twilio().await;
    let shop = Shop::open().await;
    for (change, path) in [
        (json!({"accountSid": "AC1"}), "accountSid"),
        (json!({"accountSid": Twilio::SERVICE}), "accountSid"),
        (json!({"authToken": ""}), "authToken"),
        (json!({"authToken": "two words"}), "authToken"),
        (json!({"authToken": 5}), "authToken"),
        (json!({"fromNumber": null}), "fromNumber"),
        (json!({"fromNumber": "SALON"}), "fromNumber"),
        (json!({"fromNumber": "0664 1234567"}), "fromNumber"),
        (
            json!({"messagingServiceSid": Twilio::SERVICE}),
            "messagingServiceSid",
        ),
        (
            json!({"fromNumber": null, "messagingServiceSid": "MG1"}),
            "messagingServiceSid",
        ),
        (json!({"country": "Austria"}), "country"),
        (json!({"country": "XX"}), "country"),
        (json!({"apiBaseUrl": "http://api.twilio.com"}), "apiBaseUrl"),
        (
            json!({"apiBaseUrl": "https://169.254.169.254"}),
            "apiBaseUrl",
        ),
        (json!({"testTo": "maria"}), "testTo"),
        (json!({"unknownMember": 1}), "unknownMember"),
    ] {
        let mut body = account(&twilio);
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = shop.full.post("/api/integrations/sms", &body).await;
        answer.names_field(path);
    }
    assert_eq!(twilio.calls().count(), 0, "nothing wrong reaches Twilio");
    let stands = shop.full.get("/api/integrations").await.is(200);
    assert_eq!(stands["sms"]["isConfigured"], false);
    shop.full
        .patch("/api/integrations/sms", &json!({"isActive": true}))
        .await
        .is_problem(404);
}

#[tokio::test]
async fn a_wrong_text_is_refused_and_nothing_is_stored() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    for (body, path) in [
        (json!({"message": "Hello"}), "to"),
        (json!({"to": MARIA}), "message"),
        (json!({"to": "", "message": "Hello"}), "to"),
        (json!({"to": "maria@example.com", "message": "Hello"}), "to"),
        (json!({"to": "+43", "message": "Hello"}), "to"),
        (json!({"to": 436_641_234_567_u64, "message": "Hello"}), "to"),
        (json!({"to": [MARIA], "message": "Hello"}), "to"),
        (json!({"to": MARIA, "message": " "}), "message"),
        (json!({"to": MARIA, "message": "x".repeat(1601)}), "message"),
        (json!({"to": MARIA, "message": "a\u{0}b"}), "message"),
        (
            json!({"to": MARIA, "message": "Hello", "idempotencyKey": ""}),
            "idempotencyKey",
        ),
        (
            json!({"to": MARIA, "message": "Hello", "mediaUrl": "x"}),
            "mediaUrl",
        ),
    ] {
        shop.full
            .post("/api/sms/send", &body)
            .await
            .names_field(path);
    }
    let fine = json!({"to": MARIA, "message": "Hello"});
    shop.full
        .post_bytes("/api/sms/send", "{\"to\":")
        .await
        .is_problem(400);
    shop.full
        .with_token("")
        .post("/api/sms/send", &fine)
        .await
        .is_problem(401);
    shop.events
        .post("/api/sms/send", &fine)
        .await
        .is_problem(403);
    let text = [("content-type", "text/plain")];
    let body = Some(fine.to_string().into());
    shop.full
        .send(Method::POST, "/api/sms/send", &text, body)
        .await
        .is_problem(415);
    assert!(shop.deliveries("").await.is_empty());
    assert!(twilio.texts().is_empty());
}

#[tokio::test]
async fn only_texts_of_the_own_workspace_can_be_asked_about() {
    let twilio = twilio().await;
    let (shop, other) = (shop_with(&twilio).await, shop_with(&twilio).await);
    let sent = send(&shop, MARIA, "Hello").await;
    let path = format!("/api/sms/{}", sent["sid"].as_str().unwrap());
    shop.full.get(&path).await.is(200);
    other.full.get(&path).await.is_problem(404);
    shop.full.get("/api/sms/SM00").await.is_problem(404);
    shop.full.with_token("").get(&path).await.is_problem(401);
    shop.events.get(&path).await.is_problem(403);
}

#[tokio::test]
async fn a_status_that_cannot_be_asked_for_is_a_graceful_answer() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let sent = send(&shop, "+15005500002", "Hello").await;
    twilio.calls().behave(Behaviour::Status(503));
    let path = format!("/api/sms/{}", sent["sid"].as_str().unwrap());
    let asked = shop.full.get(&path).await.is(200);
    assert_eq!(asked["gracefulFail"], true, "{asked}");
    assert_eq!(asked["code"], "provider_down");
    assert_eq!(shop.delivery(&id(&sent)).await["status"], "sending");
    twilio.calls().behave(Behaviour::Answer);
    assert_eq!(shop.full.get(&path).await.is(200)["status"], "queued");
}

async fn preview(shop: &Shop, body: &Value) -> Answer {
    shop.full.post("/api/sms/preview", body).await
}

#[tokio::test]
async fn a_text_shows_its_size_and_its_number_before_it_is_sent() {
    let twilio = twilio().await;
    let shop = shop_with(&twilio).await;
    let looked = preview(
        &shop,
        &json!({"to": "(415) 555-2671", "message": "See you at 4"}),
    )
    .await
    .is(200);
    assert_eq!(
        looked["to"], "+14155552671",
        "the sender's country: {looked}"
    );
    assert_eq!(looked["encoding"], "GSM-7");
    assert_eq!(looked["segments"], 1);
    assert_eq!(looked["units"], 12);
    assert_eq!(looked["left"], 148);
    let dear = preview(&shop, &json!({"message": format!("{}’", "a".repeat(70))}))
        .await
        .is(200);
    assert_eq!(dear["encoding"], "UCS-2");
    assert_eq!(dear["segments"], 2);
    assert_eq!(dear["costly"], "’");
    assert_eq!(dear["to"], Value::Null);
    let wrong = preview(&shop, &json!({"to": "066", "message": ""}))
        .await
        .is(200);
    assert!(
        wrong["toError"].is_string() && wrong["messageError"].is_string(),
        "{wrong}"
    );
    preview(&shop, &json!({"to": MARIA}))
        .await
        .names_field("message");
    shop.events
        .post("/api/sms/preview", &json!({"message": ""}))
        .await
        .is_problem(403);
    assert!(twilio.texts().is_empty());
}

#[tokio::test]
async fn a_number_without_a_country_needs_one_that_is_set() {
    let twilio = twilio().await;
    let shop = Shop::open().await;
    let mut service = account(&twilio);
    service["fromNumber"] = Value::Null;
    service["messagingServiceSid"] = json!(Twilio::SERVICE);
    shop.full
        .post("/api/integrations/sms", &service)
        .await
        .is(200);
    let text = json!({"to": "0664 1234567", "message": "Hello"});
    let refused = shop.full.post("/api/sms/send", &text).await;
    assert_eq!(refused.names_field("to")["code"], "country_missing");
    shop.full
        .patch("/api/integrations/sms", &json!({"country": "at"}))
        .await
        .is(200);
    let sent = shop.full.post("/api/sms/send", &text).await.is(200);
    assert_eq!(sent["success"], true, "{sent}");
    assert_eq!(twilio.texts()[0].to, MARIA);
}

#[tokio::test]
async fn the_numbers_of_every_region_are_read_as_people_there_write_them() {
    let Some(published) = vectors::read("phone_examples.json") else {
        return;
    };
    let shop = Shop::open().await;
    let (mut read, mut wrong) = (0, Vec::new());
    for row in published["numbers"].as_array().unwrap() {
        let number = |to: &Value| json!({"to": to, "message": "", "country": row["region"]});
        for way in ["e164", "national", "international"] {
            let looked = preview(&shop, &number(&row[way])).await.is(200);
            if looked["to"] == row["e164"] {
                read += 1;
            } else {
                wrong.push(format!("{} {way}: {looked}", row["region"]));
            }
        }
        let looked = preview(&shop, &number(&row["invalid_e164"])).await.is(200);
        if looked["to"] != Value::Null {
            wrong.push(format!("{} invalid: {looked}", row["region"]));
        }
    }
    assert!(read >= 3 * 244, "{read}: {wrong:?}");
    // Shorter numbers that the published metadata still knew as landlines of these regions.
    assert!(wrong.len() <= 3, "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_sends_looks_and_asks() {
    let twilio = twilio().await;
    let shop = Shop::alone().await;
    set_up(&shop, &twilio).await;
    let home: Home = shop.serve.home().clone();
    let run = |arguments: &[&str]| {
        let all = [arguments, &["--workspace", &shop.workspace, "--json"]].concat();
        home.run(&all)
    };
    let sent = run(&[
        "sms",
        "send",
        "--to",
        MARIA,
        "--message",
        "Hello",
        "--key",
        "k1",
    ]);
    let sent = sent.exits(0).json();
    assert_eq!(sent["success"], true);
    let again = run(&[
        "sms",
        "send",
        "--to",
        MARIA,
        "--message",
        "Hello",
        "--key",
        "k1",
    ])
    .json();
    assert_eq!(again["sid"], sent["sid"]);
    let status = run(&["sms", "status", sent["sid"].as_str().unwrap()]);
    assert_eq!(status.exits(0).json()["success"], true);
    let stopped = run(&["sms", "send", "--to", "+15005550004", "--message", "Hello"]);
    assert_eq!(stopped.exits(75).json()["code"], "rejected");
    let looked = run(&[
        "sms",
        "preview",
        "--to",
        "(415) 555-2671",
        "--message",
        "Hello",
    ]);
    assert_eq!(looked.exits(0).json()["to"], "+14155552671");
    run(&["sms", "preview", "--to", "no number", "--message", "Hello"]).exits(1);
    run(&["sms", "send", "--to", "no number", "--message", "Hello"]).exits(1);
    run(&["sms", "send"]).exits(2);
    let body = home.file(
        "text.json",
        json!({"to": MARIA, "message": "From a file"}).to_string(),
    );
    run(&["sms", "send", "--from", body.to_str().unwrap()]).exits(0);
    assert_eq!(twilio.texts().len(), 2);
}

/// Twilio's own description.
struct Contract(Value);

fn contract() -> Option<Contract> {
    let path = repository().join("../shared/data/contracts/twilio_api_v2010.subset.json");
    match std::fs::read(path) {
        Ok(bytes) => Some(Contract(serde_json::from_slice(&bytes).unwrap())),
        Err(_) => {
            signalbox_tests::say(
                "skipped: Twilio's description is not in ../shared/data/contracts",
            );
            None
        }
    }
}

impl Contract {
    /// A schema of the document with what it refers to; `nullable` as JSON Schema says it.
    fn schema(&self, schema: &Value) -> jsonschema::Validator {
        let mut root = nullable(schema);
        root["components"] = nullable(&self.0["components"]);
        jsonschema::validator_for(&root).unwrap()
    }

    /// Fails unless the call is one of those that are described, in all its parts; gives its name.
    fn check(&self, call: &Call) -> String {
        let method = call.method.as_str().to_lowercase();
        let path = call.uri.path();
        let (name, parameters) = self.0["paths"]
            .as_object()
            .unwrap()
            .iter()
            .find_map(|(name, _)| Some((name, fits(name, path)?)))
            .unwrap_or_else(|| panic!("{path} is not described"));
        let operation = &self.0["paths"][name][&method];
        assert!(operation.is_object(), "{method} {name} is not described");
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(call.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        for (place, given) in parameters
            .into_iter()
            .map(|p| ("path", p))
            .chain(query.into_iter().map(|p| ("query", p)))
        {
            let described = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .find(|p| p["in"] == place && p["name"] == given.0)
                .unwrap_or_else(|| panic!("{place} {} is not described", given.0));
            let value = typed(&described["schema"], &given.1);
            assert!(
                self.schema(&described["schema"]).is_valid(&value),
                "{given:?}"
            );
        }
        assert!(call.header("authorization").starts_with("Basic "));
        if call.method == Method::POST {
            assert_eq!(
                call.header("content-type"),
                "application/x-www-form-urlencoded"
            );
            let schema =
                &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
            let mut form = Map::new();
            for (name, value) in url::form_urlencoded::parse(&call.body).into_owned() {
                let known = &schema["properties"][&name];
                assert!(known.is_object(), "{name} is not described");
                let value = typed(known, &value);
                assert_eq!(form.insert(name, value), None, "given twice");
            }
            let form = Value::Object(form);
            let found = self.schema(schema);
            assert!(
                found.is_valid(&form),
                "{form}: {:?}",
                found.iter_errors(&form).collect::<Vec<_>>()
            );
        } else {
            assert!(call.body.is_empty());
        }
        format!("{method} {name}")
    }

    fn check_answer(&self, list: bool, status: u64, body: &Value) {
        let path = "/2010-04-01/Accounts/{AccountSid}/Messages.json";
        let method = if list { "get" } else { "post" };
        let schema = &self.0["paths"][path][method]["responses"][status.to_string()]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{method} is not answered with {status}");
        let found = self.schema(schema);
        assert!(
            found.is_valid(body),
            "{body}: {:?}",
            found.iter_errors(body).collect::<Vec<_>>()
        );
    }
}

/// The parameters in a path, when it is of this form.
fn fits(form: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (form, path): (Vec<_>, Vec<_>) = (form.split('/').collect(), path.split('/').collect());
    if form.len() != path.len() {
        return None;
    }
    let mut found = Vec::new();
    for (form, part) in form.into_iter().zip(path) {
        if let Some((name, end)) = form.strip_prefix('{').and_then(|f| f.split_once('}')) {
            let value = part.strip_suffix(end)?;
            found.push((name.to_owned(), value.to_owned()));
        } else if form != part {
            return None;
        }
    }
    Some(found)
}

fn typed(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("integer" | "number") => serde_json::from_str(text).unwrap(),
        Some("boolean") => json!(text == "true"),
        _ => json!(text),
    }
}

fn nullable(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut all: Map<String, Value> = members
                .iter()
                .map(|(k, v)| (k.clone(), nullable(v)))
                .collect();
            // Formats of Twilio's own say nothing to a validator.
            all.remove("format")
                .filter(|f| !f.is_string())
                .map(|f| all.insert("format".into(), f));
            if all.remove("nullable") == Some(json!(true)) {
                return json!({"anyOf": [{"type": "null"}, all]});
            }
            Value::Object(all)
        }
        Value::Array(all) => all.iter().map(nullable).collect(),
        other => other.clone(),
    }
}
