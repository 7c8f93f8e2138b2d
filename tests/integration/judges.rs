//! The official Standard Webhooks libraries (crates.io, PyPI, npm) judge every request of a run with retries.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Call, Keep, Receiver};
use signalbox_tests::{Shop, repository, say, signalctl, verify_both};

use crate::wire::ODD_BODIES;

const STANDARD_HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
/// The libraries parse what they have verified, and Python and JavaScript refuse nothing here but lone surrogates.
const RETRIED: usize = 2;

/// Every body of the wire tests, each failed twice and then taken.
async fn a_run_with_retries() -> (String, Vec<Call>) {
    let shop = Shop::open().await;
    let receiver = Receiver::start_keeping(([127, 0, 0, 1], 0), Keep::Last(1000))
        .await
        .unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    for body in ODD_BODIES {
        let failing = [
            Behaviour::Status(500),
            Behaviour::rate_limited("1"),
            Behaviour::Answer,
        ];
        receiver.behave_on("/", failing);
        let event = shop.event("contact.created", body).await;
        shop.delivery_is(&event, "success").await;
    }
    let calls = receiver.calls();
    assert_eq!(calls.len(), ODD_BODIES.len() * (RETRIED + 1));
    (webhook.secret, calls)
}

/// One line a request: what the scripts in `fixtures/` read.
fn lines(secret: &str, calls: &[Call]) -> String {
    let mut lines = String::new();
    for call in calls {
        let headers: serde_json::Map<String, Value> = STANDARD_HEADERS
            .iter()
            .map(|name| ((*name).to_owned(), json!(call.header(name))))
            .collect();
        let line = json!({"secret": secret, "headers": headers, "bodyBase64": STANDARD.encode(&call.body)});
        lines.push_str(&format!("{line}\n"));
    }
    lines
}

fn fixtures() -> PathBuf {
    repository().join("tests/fixtures")
}

/// Where what the judges need is installed: beside the build, never in the repository.
pub(crate) fn installed() -> PathBuf {
    let place = signalctl()
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("judges");
    std::fs::create_dir_all(&place).unwrap();
    place
}

/// Whether the command worked; it is absent or broken otherwise.
fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn judged(command: &mut Command, input: &str) -> usize {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the judge refused a request");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn the_official_libraries_verify_every_request_of_a_run_with_retries() {
    let (secret, calls) = a_run_with_retries().await;
    for call in &calls {
        verify_both(call, &secret);
        let judge = standardwebhooks::Webhook::new(&secret).unwrap();
        judge.verify(&call.body, &call.headers).unwrap();
        assert!(
            judge.verify(b"{}x", &call.headers).is_err(),
            "a forged body passed"
        );
    }
    let input = lines(&secret, &calls);

    let venv = installed().join("python");
    let python = venv.join("bin/python");
    if !python.exists() && !works(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
        say("skipped the judge from PyPI: python3 with venv is not installed");
    } else {
        let requirements = fixtures().join("requirements.txt");
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ];
        assert!(
            works(Command::new(&python).args(install).arg(requirements)),
            "pip could not install the judge"
        );
        let count = judged(
            Command::new(&python).arg(fixtures().join("verify.py")),
            &input,
        );
        assert_eq!(count, calls.len());
    }

    let folder = installed().join("node");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", "package-lock.json", "verify.mjs"] {
        std::fs::copy(fixtures().join(file), folder.join(file)).unwrap();
    }
    let install = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
    ];
    assert!(
        works(Command::new("npm").args(install).current_dir(&folder)),
        "npm could not install the judge"
    );
    let count = judged(
        Command::new("node").arg("verify.mjs").current_dir(&folder),
        &input,
    );
    assert_eq!(count, calls.len());
}
