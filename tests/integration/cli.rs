//! `signalctl`: every command of this slice, its `--json` shape and its exit code, with and without a running owner.

use serde_json::{Value, json};
use signalbox_practice::{Behaviour, Receiver};
use signalbox_tests::{Home, Output, Shop};

#[test]
fn a_command_on_an_empty_home_makes_the_workspace_my_business() {
    let home = Home::new();
    let listed = home.run(&["workspace", "list", "--json"]);
    listed.exits(0);
    let items = listed.json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(items[0]["name"], "My business");
}

#[test]
fn workspaces_are_added_renamed_and_removed() {
    let home = Home::new();
    let added = home.run(&["workspace", "add", "Second shop", "--json"]);
    added.exits(0);
    let added = added.json();
    assert_eq!(
        (&added["success"], &added["name"]),
        (&json!(true), &json!("Second shop"))
    );
    assert!(added["id"].as_str().unwrap().starts_with("ws_"));
    home.run(&["workspace", "rename", "Second shop", "Third shop", "--json"])
        .exits(0);
    let names = |output: Output| -> Vec<Value> {
        output.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].clone())
            .collect()
    };
    assert_eq!(
        names(home.run(&["workspace", "list", "--json"])),
        ["My business", "Third shop"]
    );
    home.run(&["workspace", "remove", "Third shop", "--json"])
        .exits(0);
    assert_eq!(
        names(home.run(&["workspace", "list", "--json"])),
        ["My business"]
    );
    home.run(&["workspace", "remove", "No such shop"]).exits(1);
}

#[tokio::test]
async fn a_token_made_on_the_command_line_works_and_ends_when_revoked() {
    let home = Home::new();
    let serve = home.serve();
    let made = home.run(&[
        "token",
        "create",
        "Booking page",
        "--scope",
        "full",
        "--json",
    ]);
    made.exits(0);
    let made = made.json();
    assert_eq!(
        (&made["success"], &made["scope"]),
        (&json!(true), &json!("full"))
    );
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("tok_"));
    let token = made["token"].as_str().unwrap();
    let api = serve.owner().with_token(token);
    api.get("/api/deliveries").await.is(200);
    let listed = home.run(&["token", "list", "--json"]);
    listed.exits(0);
    assert!(!listed.stdout.contains(token), "a list shows a token");
    assert_eq!(listed.json()["items"][0]["name"], "Booking page");
    home.run(&["token", "revoke", id, "--json"]).exits(0);
    api.get("/api/health").await.is_problem(401);
    home.run(&["token", "revoke", id]).exits(1);
}

#[tokio::test]
async fn a_webhook_is_managed_on_the_command_line() {
    let home = Home::new();
    let serve = home.serve();
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let url = receiver.url();
    let added = home.run(&[
        "webhook",
        "add",
        "--name",
        "Desk",
        "--url",
        &url,
        "--event",
        "booking.created",
        "--event",
        "inventory.low",
        "--allow-private-network",
        "--json",
    ]);
    added.exits(0);
    let added = added.json();
    let webhook = if added["webhook"].is_object() {
        &added["webhook"]
    } else {
        &added
    };
    let id = webhook["id"].as_str().unwrap().to_owned();
    let secret = webhook["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));

    let listed = home.run(&["webhook", "list", "--json"]);
    assert_eq!(listed.exits(0).json()["items"][0]["id"], id.as_str());
    let shown = home.run(&["webhook", "show", &id, "--json"]);
    shown.exits(0);
    for output in [&listed, &shown] {
        assert!(!output.stdout.contains(&secret), "a secret is shown once");
    }
    // The receiver lives in this test's own runtime: a command that waits for it must not block it.
    let run = |arguments: &[&str]| {
        let (home, arguments) = (
            home.clone(),
            arguments
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        );
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            home.run(&arguments)
        })
    };
    let tested = run(&["webhook", "test", &id, "--json"]).await.unwrap();
    assert_eq!(tested.exits(0).json()["success"], true);
    receiver.behave(Behaviour::Status(500));
    let failed = run(&["webhook", "test", &id, "--json"]).await.unwrap();
    assert_eq!(failed.exits(75).json()["gracefulFail"], true);
    receiver.behave(Behaviour::Answer);

    home.run(&["webhook", "pause", &id, "--json"]).exits(0);
    let data = home
        .file("data.json", r#"{"bookingId":"1","n":1e2}"#)
        .display()
        .to_string();
    let given = home.run(&["event", "booking.created", "--data", &data, "--json"]);
    assert_eq!(given.exits(0).json()["deliveries"], 1);
    assert_eq!(receiver.count(), 2, "a paused webhook was called");
    home.run(&["webhook", "resume", &id, "--json"]).exits(0);
    let calls = Shop::calls(&receiver, 3).await;
    assert_eq!(calls[2].body.as_ref(), br#"{"bookingId":"1","n":1e2}"#);

    home.run(&["webhook", "edit", &id, "--name", "Counter", "--json"])
        .exits(0);
    let shown = home.run(&["webhook", "show", "Counter", "--json"]);
    shown.exits(0);
    home.run(&["webhook", "remove", &id, "--json"]).exits(0);
    home.run(&["webhook", "show", &id]).exits(1);
    serve.owner().get("/api/health").await.is(200);
}

#[test]
fn a_command_takes_the_json_of_the_api_from_a_file_or_standard_input() {
    let home = Home::new();
    let webhook = r#"{"name":"Desk","url":"https://shop.example/","events":["*"]}"#;
    home.run_with(&["webhook", "add", "--from", "-", "--json"], webhook)
        .exits(0);
    let file = home
        .file("token.json", r#"{"name":"Till","scope":"full"}"#)
        .display()
        .to_string();
    assert_eq!(
        home.run(&["token", "create", "--from", &file, "--json"])
            .exits(0)
            .json()["scope"],
        "full"
    );
    let event = r#"{"type":"contact.created","data":{"contactId":"c"}}"#;
    home.run_with(&["event", "--from", "-", "--json"], event)
        .exits(0);
}

#[tokio::test]
async fn an_event_given_while_nobody_runs_goes_out_at_the_next_serve() {
    let home = Home::new();
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    let url = receiver.url();
    home.run(&[
        "webhook",
        "add",
        "--name",
        "Desk",
        "--url",
        &url,
        "--event",
        "*",
        "--allow-private-network",
        "--json",
    ])
    .exits(0);
    let arguments = [
        "event",
        "contact.created",
        "--data",
        "-",
        "--key",
        "k1",
        "--subject",
        "s1",
        "--json",
    ];
    let body = "{ \"contactId\" : \"c\" }";
    let given = home.run_with(&arguments, body);
    let event = given.exits(0).json()["eventId"]
        .as_str()
        .unwrap()
        .to_owned();
    let again = home.run_with(&arguments, body);
    assert_eq!(again.exits(0).json()["eventId"], event.as_str());
    assert_eq!(receiver.count(), 0, "nobody was there to send");
    let _serve = home.serve();
    let calls = Shop::calls(&receiver, 1).await;
    assert_eq!(calls[0].header("webhook-id"), event);
    assert_eq!(calls[0].body, body);
}

#[tokio::test]
async fn the_log_is_read_and_acted_on_from_the_command_line() {
    let home = Home::new();
    let shop = Shop::on(home.serve().into()).await;
    let workspace = shop.workspace.clone();
    let receiver = Receiver::start(([127, 0, 0, 1], 0)).await.unwrap();
    receiver.behave(Behaviour::Status(500));
    shop.webhook_with(&receiver.url(), json!({"retryAttempts": 0}))
        .await;
    let mut ids = Vec::new();
    for subject in ["a", "b"] {
        let event = shop
            .event(
                "contact.created",
                &format!(r#"{{"contactId":"{subject}"}}"#),
            )
            .await;
        ids.push(
            shop.delivery_is(&event, "failed").await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let run = |arguments: &[&str]| {
        home.run(&[&["--workspace", &workspace, "--json"], arguments].concat())
    };
    let listed = run(&["deliveries", "list", "--status", "failed", "--order", "asc"]);
    let items = listed.exits(0).json()["items"].clone();
    assert_eq!(
        (&items[0]["id"], &items[1]["id"]),
        (&json!(ids[0]), &json!(ids[1]))
    );
    let shown = run(&["deliveries", "show", &ids[0]]);
    assert!(
        shown.exits(0).stdout.contains("attempts"),
        "{}",
        shown.stdout
    );
    receiver.behave(Behaviour::Answer);
    run(&["deliveries", "retry", &ids[0]]).exits(0);
    Shop::calls(&receiver, 3).await;
    run(&["deliveries", "cancel", &ids[1]]).exits(0);
    run(&["deliveries", "cancel", &ids[1]]).exits(1);
    run(&[
        "deliveries",
        "show",
        "dlv_00000000-0000-7000-8000-000000000000",
    ])
    .exits(1);
}

#[test]
fn wrong_usage_ends_with_2_and_a_refused_request_with_1() {
    let home = Home::new();
    for arguments in [
        ["no-such-command"].as_slice(),
        &["event"],
        &["webhook", "add", "--no-such-flag"],
        &["deliveries", "list", "--order", "sideways"],
        &["serve", "--port", "many"],
    ] {
        let output = home.run(arguments);
        output.exits(2);
        assert_eq!(output.stdout, "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let refused = home.run_with(&["event", "booking.create", "--data", "-"], "{}");
    refused.exits(1);
    assert!(
        refused.stderr.contains("booking.created"),
        "no suggestion: {}",
        refused.stderr
    );
    home.run_with(&["event", "booking.created", "--data", "-"], "{")
        .exits(1);
    home.run(&["event", "booking.created", "--data", "/no/such/file"])
        .exits(1);
    home.run(&["--workspace", "No such shop", "webhook", "list"])
        .exits(1);
}

#[test]
fn the_home_may_be_given_as_an_argument() {
    let home = Home::new();
    let other = home.path().with_file_name("other");
    let place = other.display().to_string();
    home.run(&["--home", &place, "workspace", "add", "Elsewhere", "--json"])
        .exits(0);
    let listed = home.run(&["workspace", "list", "--json", "--home", &place]);
    assert!(listed.exits(0).stdout.contains("Elsewhere"));
    assert!(other.join("signalbox.db").is_file());
    assert!(!home.path().join("signalbox.db").exists());
}

#[test]
fn doctor_says_what_it_checked() {
    let home = Home::new();
    let output = home.run(&["doctor", "--json"]);
    output.exits(0);
    let items = output.json()["items"].clone();
    assert!(
        items.as_array().is_some_and(|items| !items.is_empty()),
        "{items}"
    );
    for finding in items.as_array().unwrap() {
        assert!(
            finding["name"].is_string()
                && finding["ok"].is_boolean()
                && finding["sentence"].is_string()
        );
    }
}

#[test]
fn without_json_people_read_sentences() {
    let home = Home::new();
    let added = home.run(&["workspace", "add", "Second shop"]);
    added.exits(0);
    assert!(
        added.stdout.contains("Second shop") && !added.stdout.trim_start().starts_with('{'),
        "{}",
        added.stdout
    );
    let listed = home.run(&["workspace", "list"]);
    assert!(listed.exits(0).stdout.contains("Second shop"));
}
