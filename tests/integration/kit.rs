//! The receiver's side: the programs that can be copied, each run as it is, and `signalctl listen`.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use signalbox_tests::{Answer, Api, PATIENCE, Shop, Webhook, mac, repository, say};
use tempfile::TempDir;

use crate::judges::installed;

/// A program under test, its words line by line; it is killed when dropped.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// Reads on until a line holds this; gives that line.
    fn line_with(&self, what: &str) -> String {
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(what) {
                return line;
            }
            said.push(line);
        }
        panic!("no line with {what:?} but {said:#?}")
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The command that runs the program; nothing when the language is not on this computer.
fn runs(language: &str, code: &str, port: u16, folder: &TempDir) -> Option<Command> {
    let save = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, code).unwrap();
        path
    };
    let there = |program: &str, version: &str| {
        Command::new(program)
            .arg(version)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let with = |program: &str, version: &str, file: &str| {
        there(program, version).then(|| {
            let mut command = Command::new(program);
            command.arg(save(file));
            command
        })
    };
    match language {
        "node" => with("node", "--version", "receiver.mjs"),
        "python" => with("python3", "--version", "receiver.py"),
        "ruby" => with("ruby", "--version", "receiver.rb"),
        "php" => there("php", "--version").then(|| {
            let mut command = Command::new("php");
            command
                .args(["-S", &format!("127.0.0.1:{port}")])
                .arg(save("receiver.php"));
            command
        }),
        "go" => there("go", "version").then(|| {
            let built = folder.path().join("receiver");
            let status = Command::new("go")
                .args(["build", "-o"])
                .arg(&built)
                .arg(save("receiver.go"))
                .current_dir(folder.path())
                .env("GOCACHE", installed().join("go"))
                .env("GOPROXY", "off")
                .status()
                .unwrap();
            assert!(status.success(), "the program in Go does not build");
            Command::new(built)
        }),
        // Built with the tests, from the very file.
        "rust" => Some(Command::new(env!("CARGO_BIN_EXE_receiver"))),
        other => panic!("how is {other} run?"),
    }
}

/// A call as Signalbox would make it, put together by hand: [`BODY`] signed, perhaps something else sent.
struct Crafted<'a> {
    id: &'a str,
    secrets: &'a [&'a str],
    sent_as: &'a str,
    seconds_ago: u64,
}

fn crafted<'a>(
    id: &'a str,
    secrets: &'a [&'a str],
    sent_as: &'a str,
    seconds_ago: u64,
) -> Crafted<'a> {
    Crafted {
        id,
        secrets,
        sent_as,
        seconds_ago,
    }
}

impl Crafted<'_> {
    async fn send(&self, to: SocketAddr) -> Answer {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = (now.as_secs() - self.seconds_ago).to_string();
        let entries: Vec<_> = self
            .secrets
            .iter()
            .map(|secret| {
                let key = STANDARD.decode(&secret["whsec_".len()..]).unwrap();
                let parts = [self.id, ".", &time, ".", BODY].map(str::as_bytes);
                format!("v1,{}", STANDARD.encode(mac(&key, &parts)))
            })
            .collect();
        let headers = [
            ("content-type", "application/json"),
            ("x-webhook-event", "contact.created"),
            ("webhook-id", self.id),
            ("webhook-timestamp", &time),
            ("webhook-signature", &entries.join(" ")),
        ];
        let body = self.sent_as.to_owned().into();
        Api::new(to, "")
            .send(Method::POST, "/", &headers, Some(body))
            .await
    }
}

const OTHER: &str = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH5WbX5kEWLlc=";
const BODY: &str = r#"{"contactId":"c 1","name":"Zoë 漢字","much":1e2}"#;

/// The webhook's address is a program in this language, which runs: what it takes and what it refuses.
async fn the_program_takes_only_what_is_signed(language: &str) {
    let shop = Shop::open().await;
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let url = format!("http://{address}/");
    let webhook = shop.webhook_with(&url, json!({"retryAttempts": 0})).await;
    let code = snippet(&shop, &webhook, language).await["code"].take();
    let folder = TempDir::with_prefix("signalbox-kit-").unwrap();
    let Some(mut command) = runs(language, code.as_str().unwrap(), port, &folder) else {
        say(&format!(
            "skipped the receiver in {language}: its runtime is not installed"
        ));
        return;
    };
    let program = Running::start(
        command
            .env("SIGNALBOX_SECRET", &webhook.secret)
            .env("PORT", port.to_string())
            .env("TMPDIR", folder.path()),
    );
    program.line_with(&format!("http://{address}"));

    let event = shop.event("contact.created", BODY).await;
    let delivery = shop.delivery_is(&event, "success").await;
    assert_eq!(delivery["attempts"][0]["responseBody"], "handled");
    program.line_with("handled contact.created");

    let mine: &str = &webhook.secret;
    // The same id again, as after an answer that got lost, is handled once.
    let again = crafted(&event, &[mine], BODY, 0).send(address).await;
    assert_eq!((again.status, again.text()), (200, "handled before".into()));
    // While the secret is being changed, the receiver holds either the new one (first) or the old one.
    for (id, secrets) in [("evt_new", [mine, OTHER]), ("evt_old", [OTHER, mine])] {
        let taken = crafted(id, &secrets, BODY, 0).send(address).await;
        assert_eq!((taken.status, taken.text()), (200, "handled".into()));
    }
    let changed = BODY.replace("1e2", "1e3");
    for (what, refused) in [
        ("a changed body", crafted("evt_1", &[mine], &changed, 0)),
        ("another secret", crafted("evt_2", &[OTHER], BODY, 0)),
        ("an old time", crafted("evt_3", &[mine], BODY, 6 * 60)),
        ("no signature", crafted("evt_4", &[], BODY, 0)),
    ] {
        let answer = refused.send(address).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    }
    let bare = Api::new(address, "").post("/", &json!({})).await;
    assert_eq!(bare.status, 401, "no headers: {}", bare.text());
    let taken = crafted("evt_1", &[mine], BODY, 0).send(address).await;
    assert_eq!(
        taken.text(),
        "handled",
        "what was refused is not remembered"
    );

    // A real call with another webhook's secret.
    let stranger = shop.webhook_with(&url, json!({"retryAttempts": 0})).await;
    let test = format!("/api/integrations/webhooks/{}/test", stranger.id);
    let tested = shop.full.post(&test, &json!({})).await.is(200);
    assert_eq!(
        (&tested["success"], &tested["statusCode"]),
        (&json!(false), &json!(401))
    );
}

async fn snippet(shop: &Shop, webhook: &Webhook, language: &str) -> Value {
    let path = format!("/api/integrations/webhooks/{}/snippets", webhook.id);
    let known = shop.full.get(&path).await.is(200);
    let all = known["snippets"].as_array().unwrap();
    let found = all.iter().find(|one| one["language"] == language);
    found.unwrap().clone()
}

#[tokio::test]
async fn the_program_in_javascript_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("node").await;
}

#[tokio::test]
async fn the_program_in_python_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("python").await;
}

#[tokio::test]
async fn the_program_in_php_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("php").await;
}

#[tokio::test]
async fn the_program_in_ruby_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("ruby").await;
}

#[tokio::test]
async fn the_program_in_go_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("go").await;
}

#[tokio::test]
async fn the_program_in_rust_takes_only_what_is_signed() {
    the_program_takes_only_what_is_signed("rust").await;
}

#[tokio::test]
async fn each_program_is_the_file_that_is_tested_and_holds_no_secret() {
    let shop = Shop::open().await;
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    let path = format!("/api/integrations/webhooks/{}/snippets", webhook.id);
    let known = shop.full.get(&path).await;
    assert!(!known.text().contains(&webhook.secret));
    let known = known.is(200);
    let folder = repository().join("src-tauri/core/src/webhooks/receiver");
    let files = [
        "node.mjs",
        "python.py",
        "php.php",
        "ruby.rb",
        "go.go",
        "rust.rs",
    ];
    let snippets = known["snippets"].as_array().unwrap();
    assert_eq!(snippets.len(), files.len());
    for (snippet, file) in snippets.iter().zip(files) {
        let on_disk = std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(snippet["code"], on_disk);
        assert!(on_disk.contains("SIGNALBOX_SECRET"));
        assert_eq!(file.split('.').next().unwrap(), snippet["language"]);
        assert!(snippet["label"].is_string());
        assert!(
            snippet["runs"]
                .as_str()
                .unwrap()
                .contains("SIGNALBOX_SECRET")
        );
        assert_eq!(snippet["install"].is_string(), file == "rust.rs");
    }
    shop.full
        .get("/api/integrations/webhooks/whk_0197c2f0000070008000000000000000/snippets")
        .await
        .is_problem(404);
    shop.events.get(&path).await.is_problem(403);
}

#[tokio::test]
async fn signalctl_prints_a_program_as_it_is() {
    let shop = Shop::open().await;
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    let home = shop.serve.home();
    let ask = [
        "webhook",
        "snippet",
        &webhook.id,
        "--language",
        "ruby",
        "--workspace",
        &shop.workspace,
    ];
    let printed = home.run(&ask);
    printed.exits(0);
    let expected = snippet(&shop, &webhook, "ruby").await;
    assert_eq!(printed.stdout, expected["code"].as_str().unwrap());
    let json = home.run(&[&ask[..], &["--json"]].concat());
    assert_eq!(json.json(), expected);
    home.run(&["webhook", "snippet", &webhook.id, "--language", "cobol"])
        .exits(2);
}

/// `signalctl listen` on a port that a webhook leads to.
struct Listening {
    shop: Shop,
    webhook: Webhook,
    program: Running,
}

impl Listening {
    async fn start(more: impl FnOnce(&Shop, &Webhook) -> Vec<String>) -> Self {
        let shop = Shop::open().await;
        let port = free_port();
        let webhook = shop.webhook(&format!("http://127.0.0.1:{port}/")).await;
        let mut arguments = vec!["listen".into(), "--port".into(), port.to_string()];
        arguments.extend(more(&shop, &webhook));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let program = Running::start(&mut shop.serve.home().command(&arguments));
        program.line_with(&format!("http://127.0.0.1:{port}/"));
        Self {
            shop,
            webhook,
            program,
        }
    }

    /// With `--json` and a file that holds this secret.
    async fn verifying(secret: impl FnOnce(&Webhook) -> String) -> Self {
        Self::start(|shop, webhook| {
            let name = format!("secret-{}", webhook.id);
            let file = shop.serve.home().file(&name, secret(webhook) + "\n");
            vec![
                "--json".into(),
                "--secret-file".into(),
                file.display().to_string(),
            ]
        })
        .await
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.program.line_with("{")).unwrap()
    }
}

#[tokio::test]
async fn listen_verifies_each_call_and_prints_it() {
    let listening = Listening::verifying(|webhook| webhook.secret.clone()).await;
    let event = listening.shop.event("contact.created", BODY).await;
    let call = listening.next();
    assert_eq!(call["verified"], true, "{call}");
    assert_eq!(
        (&call["standardSignature"], &call["hexSignature"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&call["event"], &call["id"]),
        (&json!("contact.created"), &json!(event))
    );
    assert_eq!(
        (&call["subject"], &call["body"]),
        (&json!("c 1"), &json!(BODY))
    );
    let took = call["millisecondsSinceSent"].as_i64().unwrap();
    assert!((0..10_000).contains(&took), "{took} ms");
    listening.shop.delivery_is(&event, "success").await;
}

#[tokio::test]
async fn listen_says_why_a_call_is_not_genuine() {
    let listening = Listening::verifying(|_| OTHER.into()).await;
    listening.shop.event("contact.created", BODY).await;
    let call = listening.next();
    assert_eq!(call["verified"], false);
    let why = call["why"].as_str().unwrap();
    assert!(why.contains("webhook-signature does not fit"), "{why}");
    assert!(why.contains("x-webhook-signature does not fit"), "{why}");
}

#[tokio::test]
async fn listen_without_a_secret_prints_for_people_and_cannot_be_steered() {
    let listening = Listening::start(|_, _| Vec::new()).await;
    let body = "{\"sku\":\"s 1\",\"name\":\"\u{202e}cup\"}";
    let event = listening.shop.event("inventory.low", body).await;
    listening.program.line_with("inventory.low");
    listening.program.line_with(&event);
    listening.program.line_with("s 1");
    let line = listening.program.line_with("name");
    assert!(line.contains("\\u{202e}cup"), "{line}");
    assert!(!line.contains("verified"));
    assert!(!listening.webhook.id.is_empty());
}

#[tokio::test]
async fn listen_ends_cleanly_when_it_is_told_to() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut listening = Listening::start(|_, _| Vec::new()).await;
        let status = listening.program.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn listen_takes_the_secret_from_standard_input_and_never_repeats_a_wrong_one() {
    let shop = Shop::open().await;
    let home = shop.serve.home();
    let wrong = home.run_with(
        &["listen", "--port", "0", "--secret-file", "-"],
        "hunter2-not-a-secret",
    );
    wrong.exits(1);
    assert!(wrong.stderr.contains("whsec_"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("hunter2"), "{}", wrong.stderr);
    // A secret on the command line, where every process of the computer reads it, is no way at all.
    home.run(&["listen", "--secret", OTHER]).exits(2);
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = home.run_with(&["listen", "--port", &port, "--secret-file", "-"], OTHER);
    refused.exits(1);
    assert!(
        refused.stderr.contains("is taken by another program"),
        "{}",
        refused.stderr
    );
}
