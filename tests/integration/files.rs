//! Files are stored whatever their size and name, listed, linked to and deleted; what fails says so.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use serde_json::json;
use signalbox_practice::{Fault, SendGrid, Step, Storage};
use signalbox_tests::{Bucket, Home, PATIENCE, Shop, form, say, vectors};

const MIB: usize = 1024 * 1024;

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(step).collect()
}

fn query(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn read(url: &str) -> (u16, Vec<u8>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let answer = client.get(url).send().await.expect("an answer");
    (
        answer.status().as_u16(),
        answer.bytes().await.expect("a body").to_vec(),
    )
}

#[tokio::test]
async fn a_file_is_stored_listed_linked_to_and_deleted() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let content = bytes(3000);
    let stored = shop
        .hand_in(form(
            &[("folder", "invoices/2026")],
            "Rechnung März.PDF",
            &content,
            &[],
        ))
        .await
        .is(200);
    assert_eq!(stored["success"], true, "{stored}");
    let key = stored["key"].as_str().expect("a key");
    let rest = key
        .strip_prefix(&format!("{}/invoices/2026/", shop.workspace))
        .expect("workspace and folder");
    assert_eq!(rest, stored["filename"].as_str().expect("a file name"));
    assert_eq!(rest.len(), 36 + 4, "{rest}");
    assert!(rest.ends_with(".pdf"));
    assert_eq!(stored["originalName"], "Rechnung März.PDF");
    assert_eq!(stored["size"], 3000);
    let address = format!("{}/{}/{key}", bucket.storage.url(), Bucket::NAME);
    assert_eq!(stored["fileUrl"], address);

    let delivery = shop
        .delivery(stored["deliveryId"].as_str().expect("a delivery"))
        .await;
    assert_eq!(delivery["status"], "success");
    assert_eq!(delivery["channel"], "storage");
    assert_eq!(delivery["eventType"], "storage.put");
    assert_eq!(delivery["attempts"].as_array().map(Vec::len), Some(1));
    let event = delivery["eventId"].as_str().expect("an event");
    let event = shop.full.get(&format!("/api/events/{event}")).await.is(200);
    let data = &event["event"]["data"];
    assert_eq!(data["key"], key, "{event}");
    assert_eq!(data["name"], "Rechnung März.PDF");
    assert_eq!(data["size"], 3000);
    assert_eq!(data["contentType"], "application/pdf");
    assert!(data.get("content").is_none() && data.get("contentBase64").is_none());

    let listed = shop.full.get("/api/files").await.is(200);
    assert_eq!(
        listed["files"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    let file = &listed["files"][0];
    assert_eq!(file["key"], key);
    assert_eq!(file["originalName"], "Rechnung März.PDF");
    assert_eq!(file["size"], 3000);
    assert!(file["modifiedAt"].is_string());
    assert!(listed["nextCursor"].is_null());

    let link = shop
        .full
        .get(&format!("/api/files/url?key={}", query(key)))
        .await
        .is(200);
    let url = link["url"].as_str().expect("a link");
    assert_eq!(read(url).await, (200, content));
    assert_eq!(
        read(&address).await.0,
        403,
        "without a link nobody reads it"
    );
    assert!(
        link["expiresAt"]
            .as_str()
            .is_some_and(|at| at.starts_with("20"))
    );

    let gone = shop
        .full
        .delete(&format!("/api/files?key={}", query(key)))
        .await
        .is(200);
    assert_eq!(gone["success"], true, "{gone}");
    assert!(bucket.files().is_empty());
    assert_eq!(read(url).await.0, 404);
}

#[tokio::test]
async fn every_naughty_string_is_a_name_that_comes_back_exact() {
    let Some(names) = vectors::read("blns.json") else {
        return;
    };
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let names: Vec<String> = serde_json::from_value(names).expect("a list of strings");
    assert!(names.len() > 500);
    for name in &names {
        let stored = shop.store(name, b"x").await;
        assert_eq!(stored["originalName"], *name);
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop
            .full
            .get(&format!("/api/files?limit=200{cursor}"))
            .await
            .is(200);
        for file in page["files"].as_array().expect("files") {
            listed.push(file["originalName"].as_str().expect("a name").to_owned());
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", query(next)),
            None => break,
        }
    }
    let mut expected = names;
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_large_file_streams_through_with_little_memory_and_comes_back_exact() {
    let (shop, bucket) = (Shop::alone().await, Bucket::open().await);
    bucket.connect(&shop).await;
    shop.store("warm.bin", &bytes(9 * MIB)).await;
    let pid = shop.serve.pid;
    let resident = move || {
        let memory = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let pages = memory
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse().ok());
        pages.unwrap_or(0_usize) * 4096
    };
    let before = resident();
    const LENGTH: usize = 256 * MIB;
    let (address, token) = (shop.serve.address, shop.full.clone());
    let authorization = token.authorization();
    let uploading = tokio::task::spawn_blocking(move || {
        let piece = bytes(MIB);
        let around = form(&[], "large.bin", b"", &[]);
        let at = around
            .windows(4)
            .position(|end| end == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let mut stream = TcpStream::connect(address).expect("a connection");
        let length = around.len() + LENGTH;
        let head = format!(
            "POST /api/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nContent-Type: multipart/form-data; boundary=b0undary\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        stream.write_all(&around[..at]).expect("the form is sent");
        let mut most = 0;
        for _ in 0..LENGTH / MIB {
            stream.write_all(&piece).expect("the file is sent");
            most = resident().max(most);
        }
        stream.write_all(&around[at..]).expect("the form is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        (answer, resident().max(most))
    });
    let (answer, most) = uploading.await.expect("the upload ends");
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body)
        .unwrap_or_default();
    let stored: serde_json::Value = serde_json::from_str(body).expect(&answer);
    assert_eq!(stored["success"], true, "{answer}");
    assert_eq!(stored["size"], LENGTH);
    let growth = most.saturating_sub(before);
    say(&format!(
        "256 MiB stored with {} MiB more memory",
        growth / MIB
    ));
    assert!(growth < 64 * MIB, "{} MiB", growth / MIB);
    assert!(bucket.storage.count(Step::Part) >= 32);
    let key = stored["key"].as_str().expect("a key");
    let file = std::fs::metadata(bucket.folder.path().join(Bucket::NAME).join(key));
    assert_eq!(file.expect("the file").len(), LENGTH as u64);
    let delivery = shop
        .delivery(stored["deliveryId"].as_str().expect("a delivery"))
        .await;
    assert_eq!(delivery["status"], "success");
    assert_eq!(bucket.left_over(), Vec::<String>::new());
}

#[tokio::test]
async fn the_folder_may_stand_behind_a_file_that_is_read_ahead() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    for length in [10, MIB / 2] {
        let stored = shop
            .hand_in(form(
                &[],
                "a.txt",
                &bytes(length),
                &[("folder", "päckchen")],
            ))
            .await
            .is(200);
        let key = stored["key"].as_str().expect("a key");
        assert!(
            key.starts_with(&format!("{}/päckchen/", shop.workspace)),
            "{key}"
        );
    }
    let late = shop
        .hand_in(form(&[], "a.txt", &bytes(9 * MIB), &[("folder", "late")]))
        .await;
    assert_eq!(late.names_field("folder")["code"], "too_late");
    assert_eq!(bucket.files().len(), 2);
    assert_eq!(bucket.left_over(), Vec::<String>::new());
}

#[tokio::test]
async fn a_form_that_is_none_is_refused_and_nothing_is_stored() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let put = bucket.storage.count(Step::Put);
    let post = async |kind: &str, body: &[u8]| {
        let kind = [("content-type", kind)];
        let body = Some(body.to_vec().into());
        shop.full
            .send(http::Method::POST, "/api/files", &kind, body)
            .await
    };
    post("application/json", b"{}").await.is_problem(415);
    post("application/octet-stream", b"x").await.is_problem(415);
    post("multipart/form-data", b"x").await.is_problem(400);
    post("multipart/form-data; boundary=b0undary", b"no form at all")
        .await
        .is_problem(400);
    let whole = form(&[], "a.txt", b"hello", &[]);
    post(
        "multipart/form-data; boundary=b0undary",
        &whole[..whole.len() - 20],
    )
    .await
    .is_problem(400);
    post(
        "multipart/form-data; boundary=b0undary",
        b"--b0undary--\r\n",
    )
    .await
    .names_field("file");
    for folder in [
        "",
        "/a",
        "a/",
        "..",
        "a/../../b",
        "a\\b",
        "a\u{202e}",
        "a\0b",
        &"x".repeat(513),
    ] {
        shop.hand_in(form(&[("folder", folder)], "a", b"x", &[]))
            .await
            .names_field("folder");
    }
    shop.hand_in(form(&[("other", "x")], "a", b"x", &[]))
        .await
        .names_field("other");
    shop.hand_in(form(&[], "a", b"x", &[("other", "x")]))
        .await
        .names_field("other");
    shop.hand_in(form(&[], &"n".repeat(1025), b"x", &[]))
        .await
        .names_field("file");
    let origin = [
        ("content-type", "multipart/form-data; boundary=b0undary"),
        ("origin", "https://evil.example"),
    ];
    shop.full
        .send(
            http::Method::POST,
            "/api/files",
            &origin,
            Some(whole.clone()),
        )
        .await
        .is_problem(403);
    let events = shop.events.clone();
    let kind = [("content-type", "multipart/form-data; boundary=b0undary")];
    events
        .send(http::Method::POST, "/api/files", &kind, Some(whole))
        .await
        .is_problem(403);
    assert_eq!(bucket.storage.count(Step::Put), put);
    assert!(shop.deliveries("channel=storage").await.is_empty());
}

#[tokio::test]
async fn keys_of_another_workspace_are_not_there() {
    let bucket = Bucket::open().await;
    let (shop, other) = (Shop::open().await, Shop::open().await);
    bucket.connect(&shop).await;
    bucket.connect(&other).await;
    let theirs = other.store("theirs.txt", b"theirs").await;
    let mine = shop.store("mine.txt", b"mine").await;
    let listed = shop.full.get("/api/files").await.is(200);
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["files"][0]["key"], mine["key"]);
    let theirs = theirs["key"].as_str().expect("a key");
    let own = |key: &str| format!("{}/{key}", shop.workspace);
    for key in [
        theirs,
        "general/a.txt",
        "",
        "ws_",
        &own("../x"),
        &own(""),
        &own("a\0b"),
    ] {
        for path in ["/api/files/url", "/api/files"] {
            let path = format!("{path}?key={}", query(key));
            let answer = if path.starts_with("/api/files/url") {
                shop.full.get(&path).await
            } else {
                shop.full.delete(&path).await
            };
            answer.is_problem(404);
        }
    }
    for prefix in [other.workspace.as_str(), "ws_", "general"] {
        shop.full
            .get(&format!("/api/files?prefix={}", query(prefix)))
            .await
            .is_problem(404);
    }
    let prefix = query(&own("general/"));
    let listed = shop
        .full
        .get(&format!("/api/files?prefix={prefix}"))
        .await
        .is(200);
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(1));
    assert_eq!(bucket.files().len(), 2);
}

#[tokio::test]
async fn a_link_lives_from_a_second_to_seven_days() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let stored = shop.store("a.txt", b"hello").await;
    let key = query(stored["key"].as_str().expect("a key"));
    for seconds in ["1", "604800"] {
        let path = format!("/api/files/url?key={key}&expiresIn={seconds}");
        let link = shop.full.get(&path).await.is(200);
        let url = link["url"].as_str().expect("a link").to_owned();
        assert!(url.contains(&format!("X-Amz-Expires={seconds}&")), "{url}");
        let altered = url.replace("X-Amz-Signature=", "X-Amz-Signature=0");
        assert_ne!(read(&altered).await.0, 200);
    }
    for seconds in ["0", "604801", "-1", "soon"] {
        let path = format!("/api/files/url?key={key}&expiresIn={seconds}");
        shop.full.get(&path).await.names_field("expiresIn");
    }
    shop.full
        .get("/api/files?limit=0")
        .await
        .names_field("limit");
    shop.full
        .get("/api/files?limit=201")
        .await
        .names_field("limit");
}

#[tokio::test]
async fn without_a_storage_every_use_says_so_and_the_caller_goes_on() {
    let shop = Shop::open().await;
    let key = query(&format!("{}/general/a.txt", shop.workspace));
    for answer in [
        shop.hand_in(form(&[], "a.txt", b"x", &[])).await,
        shop.hand_in(form(&[], "a.txt", &bytes(MIB), &[])).await,
        shop.full.get("/api/files").await,
        shop.full.get(&format!("/api/files/url?key={key}")).await,
        shop.full.delete(&format!("/api/files?key={key}")).await,
    ] {
        let answer = answer.is(200);
        assert_eq!(answer["success"], false, "{answer}");
        assert_eq!(answer["gracefulFail"], true);
        assert_eq!(answer["code"], "not_configured");
        assert_eq!(answer["willRetry"], false);
    }
    let rows = shop.deliveries("channel=storage").await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["status"], "skipped");
        assert_eq!(row["statusReason"], "not_configured");
    }
}

#[tokio::test]
async fn a_paused_storage_keeps_small_files_and_stores_them_when_it_goes_on() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let path = "/api/integrations/storage";
    shop.full
        .patch(path, &json!({"isActive": false}))
        .await
        .is(200);
    let waits = shop
        .hand_in(form(&[], "a.txt", b"small", &[]))
        .await
        .is(200);
    assert_eq!(waits["code"], "disabled");
    assert_eq!(waits["willRetry"], true, "{waits}");
    let large = shop
        .hand_in(form(&[], "b.bin", &bytes(MIB), &[]))
        .await
        .is(200);
    assert_eq!(large["code"], "disabled");
    assert_eq!(large["willRetry"], false, "{large}");
    assert!(bucket.files().is_empty());
    shop.full
        .patch(path, &json!({"isActive": true}))
        .await
        .is(200);
    let row = shop
        .delivery(waits["deliveryId"].as_str().expect("a delivery"))
        .await;
    let event = row["eventId"].as_str().expect("an event");
    shop.delivery_is(event, "success").await;
    assert_eq!(bucket.files().len(), 1);
}

#[tokio::test]
async fn a_small_file_is_tried_again_and_a_large_one_has_to_be_sent_again() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let down = vec![Fault::Refuse(500, "InternalError", "Oops.", 0); 3];
    bucket.storage.misbehave(Step::Put, down.clone());
    let small = shop
        .hand_in(form(&[], "a.txt", b"small", &[]))
        .await
        .is(200);
    assert_eq!(small["success"], false, "{small}");
    assert_eq!(small["code"], "provider_down");
    assert_eq!(small["willRetry"], true);
    assert!(small["retryAfterSeconds"].is_number());
    let id = small["deliveryId"].as_str().expect("a delivery");
    let event = shop.delivery(id).await["eventId"]
        .as_str()
        .expect("an event")
        .to_owned();
    let done = shop.delivery_is(&event, "success").await;
    assert_eq!(done["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!(bucket.files().len(), 1);

    bucket.storage.misbehave(Step::Put, down);
    let large = shop
        .hand_in(form(&[], "b.bin", &bytes(MIB), &[]))
        .await
        .is(200);
    assert_eq!(large["success"], false, "{large}");
    assert_eq!(large["willRetry"], false);
    let id = large["deliveryId"].as_str().expect("a delivery");
    let failed = shop.delivery(id).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    shop.full
        .post(&format!("/api/deliveries/{id}/retry"), &json!({}))
        .await
        .is(202);
    let event = failed["eventId"].as_str().expect("an event");
    let again = shop
        .delivery_when(event, "the second try ended", |row| {
            row["attemptCount"] == 2 && row["status"] == "failed"
        })
        .await;
    let error = again["error"].as_str().unwrap_or_default();
    assert!(error.contains("256 KiB"), "{again}");
    assert_eq!(bucket.files().len(), 1);
}

#[tokio::test]
async fn an_answer_that_gets_lost_doubles_nothing() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    for (step, length) in [(Step::Put, 10), (Step::Put, MIB), (Step::Complete, 9 * MIB)] {
        let before = bucket.files().len();
        bucket.storage.misbehave(step, [Fault::AnswerLost]);
        let stored = shop.store("a.bin", &bytes(length)).await;
        assert_eq!(stored["size"], length);
        assert_eq!(bucket.files().len(), before + 1, "{step:?}");
    }
    assert_eq!(bucket.left_over(), Vec::<String>::new());
}

#[tokio::test]
async fn refused_keys_hold_small_files_until_a_key_is_accepted() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let refused = Fault::Refuse(
        403,
        "InvalidAccessKeyId",
        "It does not exist in our records.",
        0,
    );
    bucket.storage.misbehave(Step::Put, [refused]);
    let held = shop
        .hand_in(form(&[], "a.txt", b"small", &[]))
        .await
        .is(200);
    assert_eq!(held["code"], "credentials_rejected", "{held}");
    assert_eq!(held["willRetry"], true);
    let row = shop
        .delivery(held["deliveryId"].as_str().expect("a delivery"))
        .await;
    assert_eq!(row["status"], "held");
    assert_eq!(row["statusReason"], "needs_credentials");
    let problems = shop.full.get("/api/problems").await.is(200);
    let card = &problems["problems"][0];
    assert_eq!(card["integration"], "storage", "{problems}");
    assert_eq!(card["waiting"], 1);
    bucket.connect(&shop).await;
    shop.delivery_is(row["eventId"].as_str().expect("an event"), "success")
        .await;
    assert_eq!(bucket.files().len(), 1);
    let after = shop.full.get("/api/problems").await.is(200);
    let left = after["problems"].as_array().map(Vec::len);
    assert_eq!(left, Some(0), "{after}");
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_leaves_nothing_in_the_bucket() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let whole = form(&[], "a.bin", &bytes(20 * MIB), &[]);
    {
        let mut stream = TcpStream::connect(shop.serve.address).expect("a connection");
        let head = format!(
            "POST /api/files HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Type: multipart/form-data; boundary=b0undary\r\nContent-Length: {}\r\n\r\n",
            shop.serve.address,
            shop.full.authorization(),
            whole.len()
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        stream
            .write_all(&whole[..18 * MIB])
            .expect("most of the file is sent");
    }
    let ended = shop.full.changes().await.until(async || {
        let rows = shop.deliveries("channel=storage").await;
        rows.first()
            .filter(|row| row["status"] == "failed")
            .cloned()
    });
    let row = ended.await.expect("the delivery ends");
    assert_eq!(row["eventType"], "storage.put");
    assert!(bucket.files().is_empty());
    // The server takes back what was on its way a moment later.
    let gone = async {
        while !bucket.left_over().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(PATIENCE, gone).await;
    assert!(gone.is_ok(), "{:?}", bucket.left_over());
}

#[tokio::test]
async fn parts_of_a_file_that_a_crash_cut_off_are_taken_away_at_the_next_start() {
    let (shop, bucket) = (Shop::alone().await, Bucket::open().await);
    bucket.connect(&shop).await;
    // Somebody else's, which is nobody's business.
    let theirs = bucket.folder.path().join(".upload-theirs");
    std::fs::write(&theirs, "theirs").expect("a file");
    bucket.storage.misbehave(
        Step::Part,
        [vec![Fault::None], vec![Fault::Hang; 9]].concat(),
    );
    let (full, body) = (
        shop.full.clone(),
        form(&[], "large.bin", &bytes(40 * MIB), &[]),
    );
    let uploading = tokio::spawn(async move {
        let kind = [("content-type", "multipart/form-data; boundary=b0undary")];
        full.attempt(http::Method::POST, "/api/files", &kind, Some(body))
            .await
    });
    while bucket.storage.count(Step::Part) < 2 {
        tokio::task::yield_now().await;
    }
    let began = bucket.left_over().len();
    assert!(began > 1, "some of it lies there");
    bucket.storage.misbehave(Step::Part, []);
    let shop = tokio::task::spawn_blocking(move || shop.restart(true))
        .await
        .expect("it starts again");
    let _ = uploading.await;
    let gone = async {
        while bucket.left_over() != [".upload-theirs"] {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(PATIENCE, gone).await;
    assert!(gone.is_ok(), "{:?}", bucket.left_over());
    assert_eq!(bucket.storage.count(Step::Abort), 1);
    assert!(bucket.files().is_empty());
    // Done once, and files are stored as ever.
    shop.store("small.txt", b"small").await;
    let shop = tokio::task::spawn_blocking(move || shop.restart(true))
        .await
        .expect("it starts again");
    shop.store("large.bin", &bytes(17 * MIB)).await;
    assert_eq!(bucket.storage.count(Step::Abort), 1);
    assert_eq!(bucket.left_over(), [".upload-theirs"]);
}

#[tokio::test]
async fn parts_whose_id_never_came_back_are_found_by_their_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Storage::start(([127, 0, 0, 1], 0), folder.path())
        .await
        .expect("a port");
    let shop = Shop::alone().await;
    let setup = json!({
        "accessKeyId": "any", "secretAccessKey": "any", "bucketName": "shop-files", "region": "eu",
        "endpoint": storage.url(), "pathStyle": true, "allowPrivateNetwork": true,
    });
    let saved = shop
        .full
        .post("/api/integrations/storage", &setup)
        .await
        .is(200);
    assert_eq!(saved["success"], true, "{saved}");
    let left = || std::fs::read_dir(folder.path().join(".parts")).map_or(0, Iterator::count);
    storage.misbehave(Step::Begin, vec![Fault::AnswerLost; 3]);
    let lost = shop
        .hand_in(form(&[], "large.bin", &bytes(20 * MIB), &[]))
        .await
        .is(200);
    assert_eq!(lost["success"], false, "{lost}");
    assert_eq!(left(), 3, "each try began one");
    let _shop = tokio::task::spawn_blocking(move || shop.restart(false))
        .await
        .expect("it starts again");
    let gone = async {
        while left() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(PATIENCE, gone).await;
    assert!(gone.is_ok(), "{} are left", left());
}

#[tokio::test(flavor = "multi_thread")]
async fn signalctl_stores_lists_links_to_and_deletes_files() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let home = shop.serve.home();
    let run = |arguments: &[&str]| {
        let workspace = shop.workspace.as_str();
        home.run(&[arguments, &["--workspace", workspace, "--json"]].concat())
    };
    let content = bytes(10 * MIB);
    let file = home.file("März 1.bin", &content);
    let put = run(&[
        "files",
        "put",
        file.to_str().expect("a path"),
        "--folder",
        "a b",
    ]);
    let stored = put.exits(0).json();
    assert_eq!(stored["originalName"], "März 1.bin");
    assert_eq!(stored["size"], content.len());
    let key = stored["key"].as_str().expect("a key");
    let listed = run(&["files", "list"]).exits(0).json();
    assert_eq!(listed["items"][0]["key"], key);
    let url = run(&["files", "url", key, "--expires-in", "60"])
        .exits(0)
        .json();
    assert!(read(url["url"].as_str().expect("a link")).await.1 == content);
    run(&["files", "delete", key]).exits(0);
    assert!(bucket.files().is_empty());
    let input = home.run_with(
        &[
            "files",
            "put",
            "-",
            "--name",
            "in.txt",
            "--workspace",
            &shop.workspace,
            "--json",
        ],
        "from standard input",
    );
    assert_eq!(input.exits(0).json()["size"], 19);
    run(&["files", "put", "-"]).exits(2);
    run(&["files", "put", "/no/such/file"]).exits(1);
    run(&["files", "url", "elsewhere/a"]).exits(1);
    bucket.storage.misbehave(
        Step::List,
        vec![Fault::Refuse(500, "InternalError", "Oops.", 0); 3],
    );
    let listed = run(&["files", "list"]);
    assert_eq!(listed.exits(75).json()["code"], "provider_down");
}

#[tokio::test]
async fn a_stored_file_goes_with_an_email() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let content = bytes(3 * MIB);
    let stored = shop.store("invoice.pdf", &content).await;
    let sendgrid = SendGrid::start(([127, 0, 0, 1], 0)).await.expect("a port");
    let setup = json!({
        "apiKey": "SG.practice.works", "fromEmail": "info@shop.example",
        "apiBaseUrl": sendgrid.url(),
    });
    let set_up = shop
        .full
        .post("/api/integrations/email", &setup)
        .await
        .is(200);
    assert_eq!(set_up["success"], true, "{set_up}");
    let mail = |key: &str| {
        json!({
            "to": "maria@example.com", "subject": "Your invoice", "text": "Attached.",
            "attachments": [{"filename": "invoice.pdf", "contentType": "application/pdf", "key": key}],
        })
    };
    let key = stored["key"].as_str().expect("a key");
    let sent = shop.full.post("/api/email/send", &mail(key)).await.is(200);
    assert_eq!(sent["success"], true, "{sent}");
    let taken = sendgrid.emails();
    let attached = taken[0].body["attachments"][0]["content"]
        .as_str()
        .expect("the file");
    let decoded = base64::engine::general_purpose::STANDARD.decode(attached);
    assert!(decoded.expect("base64") == content);
    let missing = format!("{}/general/none.pdf", shop.workspace);
    let sent = shop
        .full
        .post("/api/email/send", &mail(&missing))
        .await
        .is(200);
    assert_eq!(sent["success"], false, "{sent}");
    assert_eq!(sent["code"], "rejected");
}

#[tokio::test]
async fn practice_mode_has_a_storage_of_its_own() {
    let serve = Home::new().serve_with(&["serve", "--port", "0", "--practice"]);
    let owner = serve.owner().for_workspace("Practice");
    let storage = owner.get("/api/integrations").await.is(200)["storage"].clone();
    assert_eq!(storage["isConfigured"], true, "{storage}");
    assert_eq!(storage["testStatus"], "success", "{storage}");
    let kind = [("content-type", "multipart/form-data; boundary=b0undary")];
    for content in [bytes(100), bytes(9 * MIB)] {
        let body = Some(form(&[], "Übung.bin", &content, &[]));
        let stored = owner
            .send(http::Method::POST, "/api/files", &kind, body)
            .await
            .is(200);
        assert_eq!(stored["success"], true, "{stored}");
        let key = query(stored["key"].as_str().expect("a key"));
        let link = owner
            .get(&format!("/api/files/url?key={key}"))
            .await
            .is(200);
        assert!(read(link["url"].as_str().expect("a link")).await.1 == content);
    }
    let listed = owner.get("/api/files").await.is(200);
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["files"][0]["originalName"], "Übung.bin");
}
