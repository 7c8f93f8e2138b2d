//! The operating system's key store locked, hung and gone, with the real gnome-keyring on a private session bus.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use signalbox_practice::Receiver;
use signalbox_tests::{Home, Shop, percentile, say};
use tempfile::TempDir;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue};

use crate::elsewhere::{inside, possible};

/// The figure of the contract between window and engine: asking never takes longer than this.
const LIVE: Duration = Duration::from_millis(100);

const PASSWORD: &str = "test";

#[test]
fn without_the_key_store_deliveries_are_held_the_api_lives_and_they_go_out_after_unlock() {
    let session = ["dbus-run-session", "--"];
    let version = [&session[..], &["gnome-keyring-daemon", "--version"]].concat();
    if !possible(&version, "a private gnome-keyring") {
        return;
    }
    // The bus itself starts a keyring when somebody asks for one: it too must see only this folder.
    let folder = TempDir::with_prefix("signalbox-keyring-").unwrap();
    let places = ["HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"]
        .map(|name| format!("{name}={}", folder.path().display()));
    let mut wrapper = vec!["env"];
    wrapper.extend(places.iter().map(String::as_str));
    wrapper.extend(session);
    inside(&wrapper, "keychain::the_story_on_a_private_bus");
}

/// A keyring daemon; ends with this value.
struct Keyring(Child);

impl Keyring {
    fn start() -> Self {
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args([
                "--foreground",
                "--unlock",
                "--replace",
                "--components=secrets",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        daemon
            .stdin
            .take()
            .unwrap()
            .write_all(PASSWORD.as_bytes())
            .unwrap();
        // It is ready once it owns its name: then a look-up answers, with "nothing found".
        let deadline = Instant::now() + Duration::from_secs(10);
        while !owned() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        Self(daemon)
    }

    /// The owner types the password into the prompt of the running daemon.
    async fn unlock(&self) {
        const DAEMON: &str = "org.freedesktop.secrets";
        const SERVICE: &str = "/org/freedesktop/secrets";
        let bus = zbus::Connection::session().await.unwrap();
        let opened = bus
            .call_method(
                Some(DAEMON),
                SERVICE,
                Some("org.freedesktop.Secret.Service"),
                "OpenSession",
                &("plain", zbus::zvariant::Value::from("")),
            )
            .await
            .unwrap();
        let (_, session): (OwnedValue, OwnedObjectPath) = opened.body().deserialize().unwrap();
        let login = ObjectPath::try_from("/org/freedesktop/secrets/collection/login").unwrap();
        let no_parameters: &[u8] = &[];
        let secret = (&session, no_parameters, PASSWORD.as_bytes(), "text/plain");
        bus.call_method(
            Some(DAEMON),
            SERVICE,
            Some("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"),
            "UnlockWithMasterPassword",
            &(login, secret),
        )
        .await
        .expect("the keyring is unlocked");
    }

    fn lock(&self) {
        let locked = Command::new("dbus-send")
            .args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.secrets",
                "/org/freedesktop/secrets",
            ])
            .args([
                "org.freedesktop.Secret.Service.Lock",
                "array:objpath:/org/freedesktop/secrets/collection/login",
            ])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(locked.success(), "the keyring could not be locked");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    fn stop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.stop();
    }
}

fn owned() -> bool {
    let answer = Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
        ])
        .args([
            "org.freedesktop.DBus.NameHasOwner",
            "string:org.freedesktop.secrets",
        ])
        .output()
        .unwrap();
    String::from_utf8_lossy(&answer.stdout).contains("boolean true")
}

/// An event is accepted and held for the keychain; meanwhile the API answers at once.
async fn held_and_live(shop: &Shop, receiver: &Receiver, state: &str) -> String {
    let before = receiver.count();
    let event = shop
        .event("contact.created", &json!({"contactId": state}).to_string())
        .await;
    let mut asked = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        shop.full.get("/api/deliveries?limit=1").await.is(200);
        asked.push(started.elapsed());
    }
    let held = shop.delivery_is(&event, "held").await;
    for _ in 0..200 {
        let started = Instant::now();
        shop.full.get("/api/health").await.is(200);
        asked.push(started.elapsed());
    }
    let p99 = percentile(&mut asked, 0.99).unwrap();
    say(&format!(
        "keychain {state}: held, the API answers with p99 {p99:?}"
    ));
    assert_eq!(held["statusReason"], "keychain", "{held}");
    assert_eq!(receiver.count(), before, "sent without a signature");
    assert!(p99 < LIVE, "{state}: the API stood still: {p99:?}");
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs inside a private session bus, started by the test above"]
async fn the_story_on_a_private_bus() {
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a private bus");
    let mut keyring = Keyring::start();
    let home = Home::new()
        .with("SIGNALBOX_SECRETS", "")
        .with("SIGNALBOX_VAULT_PASSPHRASE_FILE", "")
        .with("DBUS_SESSION_BUS_ADDRESS", &bus);
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let shop = Shop::on(home.serve().into()).await;
    let webhook = shop.webhook(&receiver.url()).await;
    let user = format!("{}/{}", shop.workspace, webhook.id);
    let stored = Command::new("secret-tool")
        .args(["lookup", "service", "signalbox", "username", &user])
        .output();
    let stored = stored.expect("secret-tool is installed");
    assert_eq!(
        String::from_utf8_lossy(&stored.stdout),
        webhook.secret,
        "the keychain does not hold the secret"
    );
    let event = shop
        .event("contact.created", r#"{"contactId":"open"}"#)
        .await;
    shop.delivery_is(&event, "success").await;

    // Locked: a fresh start, so that nothing is remembered from before.
    keyring.lock();
    let shop = shop.restart(false);
    let event = held_and_live(&shop, &receiver, "locked").await;
    keyring.unlock().await;
    shop.delivery_is(&event, "success").await;

    keyring.signal(Signal::SIGSTOP);
    let shop = shop.restart(false);
    let event = held_and_live(&shop, &receiver, "hung").await;
    keyring.signal(Signal::SIGCONT);
    shop.delivery_is(&event, "success").await;

    let nowhere = |home: Home| home.with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let shop = shop.restart_as(false, nowhere);
    let event = held_and_live(&shop, &receiver, "absent").await;
    let shop = shop.restart_as(false, |home| home.with("DBUS_SESSION_BUS_ADDRESS", &bus));
    shop.delivery_is(&event, "success").await;

    // Killed: the bus starts another one when asked, and that one is locked.
    keyring.stop();
    let shop = shop.restart(false);
    let event = held_and_live(&shop, &receiver, "killed").await;
    let _unlocked = Keyring::start();
    shop.delivery_is(&event, "success").await;

    let ids: Vec<_> = receiver
        .calls()
        .iter()
        .map(|call| call.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids.len(), 5, "each went out once: {ids:?}");
    for call in receiver.calls() {
        signalbox_tests::verify_both(&call, &webhook.secret);
    }
}
