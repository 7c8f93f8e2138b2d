//! When an attempt fails: the schedule, `Retry-After`, 410, redirects, order per subject, independence.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Call, Receiver};
use signalbox_tests::Shop;

/// Jitter may add a tenth; a busy machine may add this much more.
const LATE: Duration = Duration::from_millis(700);

fn gaps(calls: &[Call]) -> Vec<Duration> {
    calls
        .windows(2)
        .map(|pair| pair[1].instant - pair[0].instant)
        .collect()
}

#[tokio::test]
async fn the_first_try_is_at_once_and_each_gap_doubles_with_jitter_only_added() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    shop.webhook_with(
        &receiver.url(),
        json!({"retryAttempts": 3, "retryDelay": 400}),
    )
    .await;
    let given = std::time::Instant::now();
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    let calls = Shop::calls(&receiver, 4).await;
    assert_eq!(calls.len(), 4, "1 try and 3 retries");
    assert!(calls[0].instant - given < LATE, "the first try was late");
    for (gap, planned) in gaps(&calls).into_iter().zip([400, 800, 1600]) {
        let planned = Duration::from_millis(planned);
        // The gap runs from the end of one attempt to the start of the next.
        assert!(gap >= planned, "{gap:?} is before {planned:?}");
        assert!(
            gap <= planned.mul_f32(1.1) + LATE,
            "{gap:?} is long after {planned:?}"
        );
    }
    assert_eq!(failed["attemptCount"], 4);
    let attempts = failed["attempts"].as_array().unwrap();
    let numbers: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt["number"].as_u64().unwrap())
        .collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4]);
    for attempt in attempts {
        assert_eq!(attempt["statusCode"], 500);
        assert_eq!(attempt["trigger"], "auto");
        assert!(
            attempt["error"]
                .as_str()
                .is_some_and(|sentence| sentence.len() > 10),
            "{attempt}"
        );
        assert!(attempt["durationMs"].is_number() && attempt["startedAt"].is_string());
    }
}

#[tokio::test]
async fn without_retries_one_failure_is_final() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(404));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    assert_eq!((receiver.count(), &failed["statusCode"]), (1, &json!(404)));
    assert_eq!(shop.events.get("/api/health").await.is(200)["failed"], 1);
}

#[tokio::test]
async fn retry_after_in_seconds_delays_the_next_try() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on("/", [Behaviour::rate_limited("2"), Behaviour::Answer]);
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    let gap = gaps(&receiver.calls())[0];
    assert!(gap >= Duration::from_secs(2), "{gap:?}");
    assert!(gap <= Duration::from_millis(2200) + LATE, "{gap:?}");
}

#[tokio::test]
async fn retry_after_as_a_date_delays_the_next_try_on_any_failure() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let then = jiff::Timestamp::now() + Duration::from_secs(4);
    let date = then
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let limited = Behaviour::StatusWith(503, http::header::RETRY_AFTER, date);
    receiver.behave_on("/", [limited, Behaviour::Answer]);
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    let second = &receiver.calls()[1];
    // A date has whole seconds: it may name a moment up to one before `then`.
    let named =
        std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(then.as_second()).unwrap());
    let late = second
        .at
        .duration_since(named)
        .expect("not before the date");
    assert!(
        late <= Duration::from_millis(400) + LATE,
        "{late:?} after the date"
    );
}

#[tokio::test]
async fn a_retry_after_that_says_nothing_leaves_the_schedule_alone() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let nonsense =
        ["soon, perhaps", "-5", "Thu, 01 Jan 1970 00:00:00 GMT"].map(Behaviour::rate_limited);
    receiver.behave_on("/", nonsense.into_iter().chain([Behaviour::Answer]));
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    shop.delivery_is(&event, "success").await;
    for (gap, planned) in gaps(&receiver.calls()).into_iter().zip([100, 200, 400]) {
        assert!(
            gap <= Duration::from_millis(planned).mul_f32(1.1) + LATE,
            "{gap:?}"
        );
    }
}

#[tokio::test]
async fn retry_after_waits_at_most_a_day() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::rate_limited("99999999"));
    shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let waiting = shop
        .delivery_when(&event, "it waits", |row| {
            row["status"] == "pending" && row["attemptCount"] == 1
        })
        .await;
    let due: jiff::Timestamp = waiting["dueAt"].as_str().unwrap().parse().unwrap();
    let wait = due.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((86_000..=86_400).contains(&wait), "{wait} s");
}

#[tokio::test]
async fn gone_fails_this_delivery_and_pauses_the_webhook_with_its_queue() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(410));
    let webhook = shop.webhook(&receiver.url()).await;
    let first = shop.event("contact.created", r#"{"contactId":"1"}"#).await;
    let failed = shop.delivery_is(&first, "failed").await;
    assert_eq!(failed["attemptCount"], 1, "410 is not retried");
    let now = shop.webhook_now(&webhook.id).await;
    assert_eq!(now["pausedReason"], "gone", "{now}");
    let later = shop.event("contact.created", r#"{"contactId":"2"}"#).await;
    let held = shop.delivery_is(&later, "held").await;
    assert_eq!(held["statusReason"], "paused");
    assert_eq!(receiver.count(), 1);
    receiver.behave(Behaviour::Answer);
    let path = format!("/api/integrations/webhooks/{}", webhook.id);
    shop.full
        .patch(&path, &json!({"isActive": true}))
        .await
        .is(200);
    shop.delivery_is(&later, "success").await;
    assert_eq!(
        shop.webhook_now(&webhook.id).await["pausedReason"],
        Value::Null
    );
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_never_followed() {
    let shop = Shop::open().await;
    let elsewhere = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Redirect(elsewhere.url()));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 1}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let failed = shop.delivery_is(&event, "failed").await;
    assert_eq!(failed["statusCode"], 302);
    assert_eq!((receiver.count(), elsewhere.count()), (2, 0));
}

#[tokio::test]
async fn a_refused_connection_is_an_attempt_and_goes_out_when_the_receiver_is_back() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let address = receiver.address();
    receiver.stop().await;
    shop.webhook_with(
        &format!("http://{address}/"),
        json!({"retryAttempts": 8, "retryDelay": 200}),
    )
    .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let waiting = shop
        .delivery_when(&event, "it was refused", |row| {
            row["status"] == "pending" && row["attemptCount"] == 1
        })
        .await;
    assert_eq!(waiting["attempts"][0]["code"], "unreachable", "{waiting}");
    let receiver = Receiver::start(address).await.unwrap();
    shop.delivery_is(&event, "success").await;
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_later_event_about_the_same_subject_waits_for_the_earlier_one() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on(
        "/",
        [
            Behaviour::Status(500),
            Behaviour::Status(500),
            Behaviour::Answer,
        ],
    );
    shop.webhook_with(&receiver.url(), json!({"retryDelay": 300}))
        .await;
    let types = ["booking.created", "booking.updated", "booking.cancelled"];
    let mut events = Vec::new();
    for event_type in types {
        events.push(shop.event(event_type, r#"{"bookingId":"1047"}"#).await);
    }
    let calls = Shop::calls(&receiver, 5).await;
    let arrived: Vec<_> = calls
        .iter()
        .map(|call| call.header("x-webhook-event").to_owned())
        .collect();
    assert_eq!(arrived, [types[0], types[0], types[0], types[1], types[2]]);
}

#[tokio::test]
async fn another_subject_and_another_webhook_never_wait() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let stuck = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    stuck.behave(Behaviour::Hang);
    let options = json!({"timeoutSeconds": 60, "events": ["booking.created"]});
    shop.webhook_with(&stuck.url(), options.clone()).await;
    shop.webhook_with(&receiver.url(), options).await;
    for number in 0..40 {
        shop.event("booking.created", &format!(r#"{{"bookingId":"{number}"}}"#))
            .await;
    }
    let started = std::time::Instant::now();
    Shop::calls(&receiver, 40).await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_in_time_is_given_up_for_this_attempt() {
    let shop = Shop::open().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave_on("/", [Behaviour::Hang, Behaviour::Answer]);
    shop.webhook_with(&receiver.url(), json!({"timeoutSeconds": 5}))
        .await;
    let event = shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    let delivered = shop.delivery_is(&event, "success").await;
    let attempts = delivered["attempts"].as_array().unwrap();
    let first = attempts
        .iter()
        .find(|attempt| attempt["number"] == 1)
        .unwrap();
    assert_eq!(first["code"], "timed_out", "{first}");
    let took = first["durationMs"].as_u64().unwrap();
    assert!((4900..6500).contains(&took), "{took} ms");
}
