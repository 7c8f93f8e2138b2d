//! Others judge: the official Standard Webhooks libraries (crates.io, PyPI, npm) every request of a run with retries,
//! schemathesis (PyPI) every route of the API.

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

/// Python in an environment of its own with what the file lists; nothing, and a word about it, without Python.
fn python_with(name: &str, requirements: &str) -> Option<PathBuf> {
    let venv = installed().join(name);
    let python = venv.join("bin/python");
    if !python.exists() && !works(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
        say(&format!(
            "skipped what {requirements} names: python3 with venv is not installed"
        ));
        return None;
    }
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    assert!(
        works(
            Command::new(&python)
                .args(install)
                .arg(fixtures().join(requirements))
        ),
        "pip could not install what {requirements} names"
    );
    Some(python)
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

    if let Some(python) = python_with("python", "requirements.txt") {
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

#[tokio::test]
async fn whatever_is_asked_the_api_answers_as_it_is_described_and_never_500() {
    let Some(python) = python_with("schemathesis", "schemathesis.txt") else {
        return;
    };
    let shop = Shop::alone().await;
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let webhook = shop.webhook(&receiver.url()).await;
    let event = shop.event("contact.created", ODD_BODIES[2]).await;
    let delivery = shop.delivery_is(&event, "success").await;
    // Ids that exist, or most questions would end at 404; what is removed is removed after all else.
    let mut config = String::new();
    for (path, id, more) in [
        // Patched, the webhook would lead to addresses that hang.
        (
            "integrations/webhooks",
            json!(webhook.id),
            "exclude-method = 'PATCH'\n",
        ),
        ("events", json!(event), ""),
        ("deliveries", delivery["id"].clone(), ""),
        ("workspaces", json!(shop.workspace), ""),
    ] {
        config.push_str(&format!(
            "[[operations]]\ninclude-path-regex = '^/api/{path}/\\{{id\\}}'\n{more}parameters = {{ 'path.id' = {id} }}\n"
        ));
    }
    let home = shop.serve.home();
    let config = home.file("schemathesis.toml", config);
    let url = &shop.serve.url;
    for deleting in ["--exclude-method", "--include-method"] {
        let output = tokio::process::Command::new(python.with_file_name("st"))
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{url}/api/openapi.json"), "--url", url])
        .args([
            "-H",
            &format!("Authorization: Bearer {}", shop.serve.credential),
        ])
        .args(["-H", &format!("Signalbox-Workspace: {}", shop.workspace)])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        .args([deleting, "DELETE"])
        // The feed of changes never ends.
        .args(["--exclude-path", "/api/changes"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25"])
        .args(["--continue-on-failure", "--seed", "1", "--no-color"])
        .current_dir(home.file("here", "").parent().unwrap())
        .output()
            .await
        .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        let count = said.lines().find(|line| line.contains("generated,"));
        say(&format!(
            "schemathesis: {}",
            count.unwrap_or_default().trim()
        ));
    }
}
