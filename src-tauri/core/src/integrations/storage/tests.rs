//! The adapter against real servers on loopback: `s3s` with its signature check, and the practice folder.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use secrecy::SecretString;
use signalbox_practice::{Fault, Step, Storage};

use super::answers::Stopped;
use super::s3::{File, PART_BYTES, S3};
use super::{Keys, Place};
use crate::clock::Clock;
use crate::http::Http;
use crate::outcome::{Code, Detail, Trouble};

struct Bucket {
    storage: Storage,
    folder: tempfile::TempDir,
    http: Http,
}

impl Bucket {
    async fn strict() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = ([127, 0, 0, 1], 0);
        let storage = Storage::start_strict(at, folder.path(), "shop", "KEY", "secret").await;
        Self {
            storage: storage.unwrap(),
            folder,
            http: Http::default(),
        }
    }

    async fn practice() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::start(([127, 0, 0, 1], 0), folder.path()).await;
        Self {
            storage: storage.unwrap(),
            folder,
            http: Http::default(),
        }
    }

    fn place(&self) -> Place {
        Place {
            endpoint: Some(self.storage.url()),
            region: "eu-central-1".to_owned(),
            bucket: "shop".to_owned(),
            path_style: true,
            allow_private: true,
        }
    }

    fn open(&self, place: &Place, id: &str, secret: &str) -> Result<S3, Stopped> {
        let keys = Keys {
            id: id.to_owned(),
            secret: SecretString::from(secret),
        };
        S3::open(&self.http, place, &keys, &Clock::system())
    }

    fn s3(&self) -> S3 {
        self.open(&self.place(), "KEY", "secret").unwrap()
    }

    /// What the server still keeps of uploads that are not whole.
    fn left_over(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in [
            self.folder.path().to_owned(),
            self.folder.path().join(".parts"),
        ] {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().into_string().unwrap();
                if name.starts_with(".upload") || name.ends_with(".part") || name.len() == 20 {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// Waits until nothing of what broke off is left; the server takes back its own a moment later.
async fn is_clean(bucket: &Bucket) {
    let clean = async {
        while !bucket.left_over().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let clean = tokio::time::timeout(Duration::from_secs(30), clean).await;
    assert!(clean.is_ok(), "{:?}", bucket.left_over());
}

fn file(key: &str) -> File {
    File {
        key: key.to_owned(),
        name: format!("{key}.txt"),
        content_type: "text/plain".to_owned(),
        at_most: None,
    }
}

/// Bytes that differ from place to place, so that a mix-up shows.
fn bytes(length: usize) -> Bytes {
    let mut state = 1_u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(step).collect()
}

type Pieces = Result<Bytes, std::io::Error>;

fn pieces(all: &Bytes) -> impl futures_util::Stream<Item = Pieces> + Send + Unpin + use<> {
    let all = all.clone();
    let step = 60_000;
    stream::iter(
        (0..all.len())
            .step_by(step)
            .map(move |at| Ok(all.slice(at..all.len().min(at + step)))),
    )
}

async fn put(s3: &S3, key: &str, all: &Bytes) -> Result<super::s3::Stored, Stopped> {
    s3.upload(&file(key), pieces(all), &|_| {}, &|_| {
        Box::pin(async { Ok(()) })
    })
    .await
}

async fn get(s3: &S3, key: &str) -> Result<Vec<u8>, Stopped> {
    s3.download(key).await?.whole(u64::MAX).await
}

#[tokio::test]
async fn files_of_one_byte_and_around_the_size_of_a_part_come_back_exact() {
    for bucket in [Bucket::strict().await, Bucket::practice().await] {
        let s3 = bucket.s3();
        for (length, parts) in [
            (0, 0),
            (1, 0),
            (PART_BYTES - 1, 0),
            (PART_BYTES, 0),
            (PART_BYTES + 1, 2),
            (3 * PART_BYTES, 3),
        ] {
            let all = bytes(length);
            let before = bucket.storage.count(Step::Part);
            let stored = put(&s3, "a/b", &all).await.unwrap();
            assert_eq!(stored.size, length as u64);
            assert_eq!(bucket.storage.count(Step::Part) - before, parts, "{length}");
            assert!(get(&s3, "a/b").await.unwrap() == all, "{length}");
            let known = s3.head("a/b").await.unwrap();
            assert_eq!(known.size, length as u64);
            assert_eq!(known.name.as_deref(), Some("a/b.txt"));
            assert_eq!(known.content_type.as_deref(), Some("text/plain"));
        }
        assert_eq!(bucket.left_over(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn every_naughty_string_as_a_name_comes_back_exact() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/vectors/blns.json"
    );
    let Ok(text) = std::fs::read(path) else {
        return;
    };
    let names: Vec<String> = serde_json::from_slice(&text).unwrap();
    assert!(names.len() > 500);
    let bucket = Bucket::strict().await;
    let s3 = bucket.s3();
    for name in names {
        let file = File {
            name: name.clone(),
            ..file("blns/x")
        };
        s3.upload(&file, pieces(&bytes(1)), &|_| {}, &|_| {
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
        assert_eq!(s3.head("blns/x").await.unwrap().name, Some(name));
    }
}

#[tokio::test]
async fn odd_keys_make_the_round_trip() {
    for bucket in [Bucket::strict().await, Bucket::practice().await] {
        let s3 = bucket.s3();
        let keys = [
            "k/a b",
            "k/a+b",
            "k/ä&=",
            "k/発票",
            "k/🎉.pdf",
            "k/a?b#c",
            "k/%2e%2e",
            "k/100%",
            "k/'\"<>",
            "k/~",
            "k/=1+1",
            "k/C:",
        ];
        for key in keys {
            put(&s3, key, &bytes(3)).await.unwrap();
            assert_eq!(get(&s3, key).await.unwrap(), bytes(3), "{key}");
        }
        let page = s3.list("k/", None, 1000).await.unwrap();
        let mut listed: Vec<_> = page.files.into_iter().map(|file| file.key).collect();
        let mut expected: Vec<_> = keys.map(str::to_owned).into();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
        for key in keys {
            s3.delete(key).await.unwrap();
            assert!(get(&s3, key).await.unwrap_err().detail() == Some(Detail::NoSuchFile));
        }
    }
}

#[tokio::test]
async fn a_list_goes_on_page_by_page() {
    for bucket in [Bucket::strict().await, Bucket::practice().await] {
        let s3 = bucket.s3();
        for number in 0..7 {
            put(&s3, &format!("a/{number}"), &bytes(number))
                .await
                .unwrap();
        }
        put(&s3, "b/0", &bytes(1)).await.unwrap();
        let (mut seen, mut from) = (Vec::new(), None);
        loop {
            let page = s3.list("a/", from, 3).await.unwrap();
            assert!(page.files.iter().all(|file| file.modified.is_some()));
            seen.extend(page.files.into_iter().map(|file| (file.key, file.size)));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (0..7).map(|n| (format!("a/{n}"), n)).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_link_works_until_it_expires_and_an_altered_one_does_not() {
    let bucket = Bucket::strict().await;
    let s3 = bucket.s3();
    put(&s3, "a/März 1.txt", &bytes(5)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let read = async |url: &str| {
        let answer = client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    let link = s3.link("a/März 1.txt", 3600).await.unwrap();
    assert_eq!(read(&link).await, (200, bytes(5)));
    for altered in [
        link.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        link.replace("/a/", "/b/"),
        link.replace("Signature=", "Signature=0"),
        bucket.place().url("a/März 1.txt"),
    ] {
        assert_ne!(altered, link);
        assert!(matches!(read(&altered).await.0, 400 | 403), "{altered}");
    }
    let short = s3.link("a/März 1.txt", 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(read(&short).await.0, 403);
    assert!(
        s3.link("a", 604_800)
            .await
            .unwrap()
            .contains("Expires=604800&")
    );
}

#[tokio::test]
async fn a_test_leaves_nothing_behind_and_a_wrong_key_is_told() {
    let bucket = Bucket::strict().await;
    bucket.s3().test("ws_1/").await.unwrap();
    assert_eq!(bucket.storage.count(Step::Delete), 1);
    assert!(
        bucket
            .s3()
            .list("", None, 10)
            .await
            .unwrap()
            .files
            .is_empty()
    );
    for (id, secret) in [("OTHER", "secret"), ("KEY", "other")] {
        let s3 = bucket.open(&bucket.place(), id, secret).unwrap();
        let stopped = s3.test("").await.unwrap_err();
        assert_eq!(
            stopped.failure.code,
            Code::CredentialsRejected,
            "{stopped:?}"
        );
        assert_eq!(stopped.detail(), None);
    }
    let nowhere = Place {
        bucket: "none".to_owned(),
        ..bucket.place()
    };
    let nowhere = bucket.open(&nowhere, "KEY", "secret").unwrap();
    let stopped = nowhere.list("", None, 1).await.unwrap_err();
    assert_eq!(stopped.detail(), Some(Detail::NoSuchBucket), "{stopped:?}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_by_how_much() {
    let bucket = Bucket::practice().await;
    let skewed = Fault::Refuse(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        9 * 60,
    );
    bucket.storage.misbehave(Step::Put, [skewed]);
    let stopped = bucket.s3().test("").await.unwrap_err();
    assert_eq!(stopped.detail(), Some(Detail::ClockAhead));
    let seconds = stopped.failure.args.seconds.unwrap();
    assert!((538..=545).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn the_address_policy_holds_for_storages_too() {
    let bucket = Bucket::practice().await;
    for (endpoint, allow_private) in [
        ("http://169.254.169.254", true),
        ("http://[fe80::1]", true),
        ("http://s3.example", false),
        (bucket.storage.url().as_str(), false),
        ("https://10.0.0.1", false),
        ("ftp://127.0.0.1", true),
    ] {
        let place = Place {
            endpoint: Some(endpoint.to_owned()),
            allow_private,
            ..bucket.place()
        };
        let refused = bucket.open(&place, "KEY", "secret").err().unwrap();
        assert_eq!(refused.failure.code, Code::BlockedAddress, "{endpoint}");
    }
    // A name that only turns out to be near when it is looked up; `localhost` is known by its name.
    let named = Place {
        endpoint: Some(bucket.storage.url().replace("127.0.0.1", "localhost")),
        ..bucket.place()
    };
    let s3 = bucket.open(&named, "KEY", "secret").unwrap();
    s3.test("").await.unwrap();
}

#[tokio::test]
async fn a_storage_that_stumbles_is_asked_again_and_nothing_is_doubled() {
    for bucket in [Bucket::strict().await, Bucket::practice().await] {
        let s3 = bucket.s3();
        let large = bytes(2 * PART_BYTES + 5);
        for fault in [Fault::SLOW_DOWN, Fault::Reset, Fault::AnswerLost] {
            bucket.storage.misbehave(Step::Put, [fault.clone()]);
            put(&s3, "one", &bytes(9)).await.unwrap();
            assert_eq!(get(&s3, "one").await.unwrap(), bytes(9));
            bucket
                .storage
                .misbehave(Step::Part, [fault.clone(), Fault::None, fault.clone()]);
            put(&s3, "two", &large).await.unwrap();
            assert!(get(&s3, "two").await.unwrap() == large, "{fault:?}");
            let keys = s3.list("", None, 10).await.unwrap().files;
            assert_eq!(keys.len(), 2, "{fault:?} {keys:?}");
        }
        for fault in [Fault::AnswerLost, Fault::SLOW_DOWN, Fault::Reset] {
            bucket.storage.misbehave(Step::Complete, [fault.clone()]);
            put(&s3, "two", &large).await.unwrap();
            assert!(get(&s3, "two").await.unwrap() == large, "{fault:?}");
        }
        assert_eq!(bucket.left_over(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_does_not_become_a_file_is_taken_away() {
    for bucket in [Bucket::strict().await, Bucket::practice().await] {
        let s3 = bucket.s3();
        let large = bytes(4 * PART_BYTES);
        // The storage refuses for good.
        let refused = Fault::Refuse(403, "QuotaExceeded", "No more room.", 0);
        bucket.storage.misbehave(Step::Part, [Fault::None, refused]);
        let stopped = put(&s3, "x", &large).await.unwrap_err();
        assert_eq!(stopped.detail(), Some(Detail::Full), "{stopped:?}");
        is_clean(&bucket).await;
        // What is to be stored breaks off.
        let broken = stream::iter([
            Ok(large.clone()),
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        ]);
        let stopped = s3
            .upload(&file("x"), broken, &|_| {}, &|_| Box::pin(async { Ok(()) }))
            .await
            .unwrap_err();
        assert_eq!(stopped.detail(), Some(Detail::BrokeOff));
        is_clean(&bucket).await;
        // Whoever wanted it goes away in the middle.
        bucket
            .storage
            .misbehave(Step::Part, [Fault::None, Fault::Hang]);
        let aborts = bucket.storage.count(Step::Abort);
        let (key, source) = (file("x"), pieces(&large));
        let upload = s3.upload(&key, source, &|_| {}, &|_| Box::pin(async { Ok(()) }));
        let cancelled = tokio::time::timeout(Duration::from_secs(2), upload).await;
        assert!(cancelled.is_err());
        while bucket.storage.count(Step::Abort) == aborts {
            tokio::task::yield_now().await;
        }
        is_clean(&bucket).await;
        assert!(s3.list("", None, 10).await.unwrap().files.is_empty());
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_or_comes_back_changed_is_not_taken_for_whole() {
    let bucket = Bucket::strict().await;
    let s3 = bucket.s3();
    put(&s3, "small", &bytes(1000)).await.unwrap();
    put(&s3, "large", &bytes(PART_BYTES + 1000)).await.unwrap();
    for key in ["small", "large"] {
        bucket.storage.misbehave(Step::Get, [Fault::FlipBit]);
        let stopped = get(&s3, key).await.unwrap_err();
        assert_eq!(stopped.detail(), Some(Detail::Changed), "{key}");
        bucket.storage.misbehave(Step::Get, [Fault::DropMidBody]);
        let stopped = get(&s3, key).await.unwrap_err();
        assert_eq!(
            stopped.failure.args.trouble,
            Some(Trouble::BrokenOff),
            "{key}"
        );
    }
    let stopped = s3.download("large").await.unwrap().whole(1000).await;
    assert_eq!(stopped.unwrap_err().detail(), Some(Detail::TooLarge));
}

#[tokio::test]
async fn a_page_to_log_in_at_is_no_storage() {
    let bucket = Bucket::practice().await;
    let s3 = bucket.s3();
    for step in [Step::Put, Step::Begin, Step::List] {
        bucket.storage.misbehave(step, [Fault::LoginPage]);
        let stopped = match step {
            Step::Put => put(&s3, "x", &bytes(1)).await.unwrap_err(),
            Step::Begin => put(&s3, "x", &bytes(PART_BYTES + 1)).await.unwrap_err(),
            _ => s3.list("", None, 1).await.unwrap_err(),
        };
        assert_eq!(stopped.failure.code, Code::Unreachable, "{step:?}");
        assert_eq!(stopped.detail(), Some(Detail::NotTheProvider), "{step:?}");
    }
}

#[tokio::test]
async fn progress_only_grows_and_ends_at_the_size() {
    let bucket = Bucket::practice().await;
    let all = bytes(2 * PART_BYTES + 7);
    let heard = Mutex::new(Vec::new());
    let note = |sent| heard.lock().unwrap().push(sent);
    let key = file("x");
    bucket
        .s3()
        .upload(&key, pieces(&all), &note, &|_| Box::pin(async { Ok(()) }))
        .await
        .unwrap();
    let heard = heard.into_inner().unwrap();
    assert!(heard.is_sorted());
    assert!(
        heard
            .iter()
            .any(|&sent| sent > 0 && sent < all.len() as u64)
    );
    assert!(*heard.last().unwrap() <= all.len() as u64);
}

#[tokio::test]
async fn a_storage_nobody_answers_at_is_unreachable() {
    let bucket = Bucket::practice().await;
    let s3 = bucket.s3();
    let Bucket { storage, .. } = bucket;
    storage.stop().await;
    let stopped = s3.test("").await.unwrap_err();
    assert_eq!(stopped.failure.code, Code::Unreachable);
    assert_eq!(stopped.failure.args.trouble, Some(Trouble::Refused));
}

#[tokio::test]
async fn what_does_not_move_for_a_while_is_ended_and_what_moves_slowly_is_not() {
    let sent = tokio::sync::watch::Sender::new(0);
    let limit = Duration::from_millis(400);
    let silent = std::future::pending::<Result<(), _>>();
    let ended = super::s3::moving(&sent, limit, &|_| {}, silent).await;
    assert_eq!(ended.unwrap_err().detail(), Some(Detail::Stalled));
    let slow = async {
        for _ in 0..10 {
            tokio::time::sleep(limit / 8).await;
            sent.send_modify(|sent| *sent += 1);
        }
        Ok(())
    };
    super::s3::moving(&sent, limit, &|_| {}, slow)
        .await
        .unwrap();
}

#[test]
fn a_file_has_the_address_that_its_storage_gives_it() {
    let place = |endpoint: Option<&str>, bucket: &str, path_style| Place {
        endpoint: endpoint.map(str::to_owned),
        region: "eu-central-1".to_owned(),
        bucket: bucket.to_owned(),
        path_style,
        allow_private: true,
    };
    for (place, expected) in [
        (
            place(None, "shop", false),
            "https://shop.s3.eu-central-1.amazonaws.com/w/a%20b.pdf",
        ),
        (
            place(None, "shop.files", false),
            "https://s3.eu-central-1.amazonaws.com/shop.files/w/a%20b.pdf",
        ),
        (
            place(Some("https://fra1.digitaloceanspaces.com/"), "shop", false),
            "https://shop.fra1.digitaloceanspaces.com/w/a%20b.pdf",
        ),
        (
            place(Some("http://127.0.0.1:9000"), "shop", false),
            "http://127.0.0.1:9000/shop/w/a%20b.pdf",
        ),
        (
            place(Some("https://minio.example"), "shop", true),
            "https://minio.example/shop/w/a%20b.pdf",
        ),
    ] {
        assert_eq!(place.url("w/a b.pdf"), expected);
    }
}

#[tokio::test]
async fn a_link_begins_with_the_address_of_its_file() {
    let http = Http::default();
    let keys = Keys {
        id: "KEY".to_owned(),
        secret: SecretString::from("secret"),
    };
    for (endpoint, path_style) in [
        (None, false),
        (None, true),
        (Some("https://fra1.digitaloceanspaces.com"), false),
        (Some("https://minio.example"), true),
        (Some("https://1.2.3.4"), false),
    ] {
        let place = Place {
            endpoint: endpoint.map(str::to_owned),
            region: "eu-central-1".to_owned(),
            bucket: "shop".to_owned(),
            path_style,
            allow_private: false,
        };
        let s3 = S3::open(&http, &place, &keys, &Clock::system()).unwrap();
        let link = s3.link("w/a b+c/ä.pdf", 60).await.unwrap();
        let expected = place.url("w/a b+c/ä.pdf");
        assert_eq!(link.split('?').next(), Some(expected.as_str()));
    }
}
