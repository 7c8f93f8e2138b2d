//! A storage is set up, tested, changed, refused and forgotten.

use serde_json::{Value, json};
use signalbox_practice::{Fault, Step};
use signalbox_tests::{Bucket, Shop};

const STORAGE: &str = "/api/integrations/storage";

async fn storage(shop: &Shop) -> Value {
    shop.full.get("/api/integrations").await.is(200)["storage"].clone()
}

#[tokio::test]
async fn a_storage_is_tested_with_a_tiny_file_and_saved_without_its_secrets_in_any_answer() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    let fresh = storage(&shop).await;
    assert_eq!(fresh["isConfigured"], false);
    assert_eq!(fresh["provider"], "s3");
    let names: Vec<_> = fresh["fields"]
        .as_array()
        .expect("fields to fill in")
        .iter()
        .map(|field| field["name"].as_str().expect("a name"))
        .collect();
    let setup = bucket.setup();
    let setup = setup.as_object().expect("an object");
    assert!(
        setup.keys().all(|name| names.contains(&name.as_str())),
        "{names:?}"
    );
    let presets = fresh["presets"].as_array().expect("presets");
    assert_eq!(presets.len(), 6, "{presets:?}");

    let answer = shop.full.post(STORAGE, &bucket.setup()).await;
    assert_eq!(answer.is(200)["success"], true, "{}", answer.text());
    assert_eq!(bucket.storage.count(Step::Put), 1);
    assert_eq!(bucket.storage.count(Step::Delete), 1);
    assert!(bucket.files().is_empty());
    let now = storage(&shop).await;
    assert_eq!(now["isConfigured"], true);
    assert_eq!(now["isActive"], true);
    assert_eq!(now["bucketName"], Bucket::NAME);
    assert_eq!(now["region"], "eu-central-1");
    assert_eq!(now["endpoint"], bucket.storage.url());
    assert_eq!(now["testStatus"], "success");
    assert!(!now.to_string().contains(Bucket::SECRET));
    assert!(!answer.text().contains(Bucket::SECRET));

    let tested = shop
        .full
        .post(&format!("{STORAGE}/test"), &json!({}))
        .await
        .is(200);
    assert_eq!(tested["success"], true, "{tested}");
    let gone = shop.full.delete(STORAGE).await.is(200);
    assert_eq!(gone["success"], true, "{gone}");
    assert_eq!(storage(&shop).await["isConfigured"], false);
}

#[tokio::test]
async fn wrong_key_wrong_bucket_wrong_region_and_a_wrong_clock_are_four_sentences_and_save_nothing()
{
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let mut sentences = Vec::new();
    for (wrong, fault) in [
        (json!({"secretAccessKey": "another"}), None),
        (
            json!({"bucketName": "no-such-bucket"}),
            Some(Fault::Refuse(404, "NoSuchBucket", "It does not exist.", 0)),
        ),
        (
            json!({}),
            Some(Fault::Refuse(
                400,
                "AuthorizationHeaderMalformed",
                "The region 'eu-central-1' is wrong; expecting 'us-west-2'",
                0,
            )),
        ),
        (
            json!({}),
            Some(Fault::Refuse(
                403,
                "RequestTimeTooSkewed",
                "The difference is too large.",
                9 * 60,
            )),
        ),
    ] {
        let mut setup = bucket.setup();
        let (members, more) = (setup.as_object_mut(), wrong.as_object().cloned());
        members.expect("an object").extend(more.expect("an object"));
        bucket.storage.misbehave(Step::Put, fault);
        let refused = shop.full.post(STORAGE, &setup).await.is(200);
        assert_eq!(refused["success"], false, "{refused}");
        assert_eq!(refused["gracefulFail"], true);
        sentences.push(refused["error"].as_str().expect("a sentence").to_owned());
        let now = storage(&shop).await;
        assert_eq!(now["bucketName"], Bucket::NAME, "the former stays");
        assert_eq!(now["testStatus"], "success");
    }
    let [key, place, region, clock] = sentences.as_slice() else {
        panic!("{sentences:?}");
    };
    assert!(key.contains("key"), "{key}");
    assert!(place.contains("bucket"), "{place}");
    assert!(region.contains("us-west-2"), "{region}");
    assert!(clock.contains("9 min"), "{clock}");
    sentences.dedup();
    assert_eq!(sentences.len(), 4, "{sentences:?}");
    // The former keys still work.
    shop.store("a.txt", b"still here").await;
}

#[tokio::test]
async fn what_cannot_be_a_storage_is_refused_field_by_field() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    for (field, value) in [
        ("bucketName", json!("")),
        ("bucketName", json!("Not A Bucket")),
        ("region", json!("eu central")),
        ("endpoint", json!("http://169.254.169.254")),
        ("endpoint", json!("ftp://s3.example")),
        ("accessKeyId", json!("")),
        ("secretAccessKey", json!("with space")),
    ] {
        let mut setup = bucket.setup();
        setup[field] = value;
        shop.full.post(STORAGE, &setup).await.names_field(field);
    }
    let mut setup = bucket.setup();
    setup["allowPrivateNetwork"] = json!(false);
    let error = shop
        .full
        .post(STORAGE, &setup)
        .await
        .names_field("endpoint");
    assert_eq!(error["code"], "private_address");
    setup["unheard"] = json!(1);
    shop.full.post(STORAGE, &setup).await.names_field("unheard");
    assert_eq!(storage(&shop).await["isConfigured"], false);
    assert_eq!(bucket.storage.count(Step::Put), 0);
}

#[tokio::test]
async fn another_host_needs_the_keys_again_and_other_fields_do_not() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.connect(&shop).await;
    let elsewhere = Bucket::open().await;
    let error = shop
        .full
        .patch(STORAGE, &json!({"endpoint": elsewhere.storage.url()}))
        .await
        .names_field("secretAccessKey");
    assert_eq!(error["code"], "secret_required");
    let changed = shop
        .full
        .patch(STORAGE, &json!({"region": "eu-west-3"}))
        .await
        .is(200);
    assert_eq!(changed["success"], true, "{changed}");
    assert_eq!(storage(&shop).await["region"], "eu-west-3");
    let moved = json!({
        "endpoint": elsewhere.storage.url(), "accessKeyId": Bucket::KEY,
        "secretAccessKey": Bucket::SECRET,
    });
    let moved = shop.full.patch(STORAGE, &moved).await.is(200);
    assert_eq!(moved["success"], true, "{moved}");
    shop.store("a.txt", b"elsewhere").await;
    assert_eq!(elsewhere.files().len(), 1);
    assert!(bucket.files().is_empty());
}

#[tokio::test]
async fn a_storage_that_could_not_be_tested_is_saved_and_says_so() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    bucket.storage.misbehave(
        Step::Put,
        vec![Fault::Refuse(500, "InternalError", "Oops.", 0); 3],
    );
    let saved = shop.full.post(STORAGE, &bucket.setup()).await.is(200);
    assert_eq!(saved["success"], true, "{saved}");
    let now = storage(&shop).await;
    assert_eq!(now["isConfigured"], true);
    assert_eq!(now["testStatus"], "failed");
    assert!(now["testError"].is_string());
}

#[tokio::test]
async fn no_secret_of_a_storage_is_in_any_file_of_the_home() {
    let (shop, bucket) = (Shop::alone().await, Bucket::open().await);
    bucket.connect(&shop).await;
    shop.store("a.txt", b"hello").await;
    for path in shop.serve.home().contents() {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes
            .windows(Bucket::SECRET.len())
            .any(|window| window == Bucket::SECRET.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signalctl_sets_a_storage_up_with_its_secret_from_a_file() {
    let (shop, bucket) = (Shop::open().await, Bucket::open().await);
    let home = shop.serve.home();
    let run = |arguments: &[&str]| {
        let workspace = shop.workspace.as_str();
        home.run(&[arguments, &["--workspace", workspace, "--json"]].concat())
    };
    let url = bucket.storage.url();
    let set = |secret: &str| {
        let secret = home.file("secret", secret);
        let secret = secret.to_str().expect("a path");
        run(&[
            "integrations",
            "set",
            "storage",
            "--access-key-id",
            Bucket::KEY,
            "--bucket",
            Bucket::NAME,
            "--region",
            "eu-central-1",
            "--endpoint",
            &url,
            "--path-style",
            "--allow-private-network",
            "--secret",
            secret,
        ])
    };
    let refused = set("wrong");
    assert_eq!(refused.exits(75).json()["code"], "credentials_rejected");
    set(Bucket::SECRET).exits(0);
    let tested = run(&["integrations", "test", "storage"]);
    assert_eq!(tested.exits(0).json()["success"], true);
    run(&["integrations", "disconnect", "storage"]).exits(0);
}
