//! Who may speak at the door at all: token, scope, origin, host, content type, size.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use signalbox_tests::{Answer, Home, Shop, raw_exchange};

const EVERY_METHOD: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// Every path of the description, with something harmless for its variables.
async fn every_path(shop: &Shop) -> Vec<String> {
    let description = shop.full.get("/api/openapi.json").await.is(200);
    let paths: Vec<String> = description["paths"]
        .as_object()
        .expect("the description lists paths")
        .keys()
        .map(|path| {
            let mut concrete = String::new();
            for piece in path.split('/').skip(1) {
                concrete.push('/');
                concrete.push_str(if piece.starts_with('{') {
                    "whk_00000000-0000-7000-8000-000000000000"
                } else {
                    piece
                });
            }
            concrete
        })
        .collect();
    assert!(paths.len() >= 15, "too few paths described: {paths:?}");
    paths
}

/// 401 without a handler having run; HEAD has no body to look at.
fn is_unauthorised(answer: &Answer, method: &Method) {
    if *method == Method::HEAD {
        assert_eq!(answer.status, 401, "{}", answer.asked);
    } else {
        answer.is_problem(401);
    }
}

#[tokio::test]
async fn every_route_and_method_answers_401_without_a_token() {
    let shop = Shop::alone().await;
    let nobody = shop.full.with_token("");
    for path in every_path(&shop).await {
        for method in EVERY_METHOD {
            is_unauthorised(
                &nobody.send(method.clone(), &path, &[], None).await,
                &method,
            );
        }
    }
}

#[tokio::test]
async fn every_route_and_method_answers_401_to_a_wrong_or_revoked_token() {
    let shop = Shop::alone().await;
    let made = shop
        .owner
        .post("/api/tokens", &json!({"name": "Old till"}))
        .await
        .is(201);
    let id = made["id"].as_str().unwrap();
    let revoked = shop.full.with_token(made["token"].as_str().unwrap());
    revoked.get("/api/health").await.is(200);
    shop.owner
        .delete(&format!("/api/tokens/{id}"))
        .await
        .is(200);
    let wrong = shop
        .full
        .with_token("sbt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for path in every_path(&shop).await {
        for method in EVERY_METHOD {
            for caller in [&wrong, &revoked] {
                is_unauthorised(
                    &caller.send(method.clone(), &path, &[], None).await,
                    &method,
                );
            }
        }
    }
}

#[tokio::test]
async fn a_token_in_the_wrong_scheme_is_401() {
    let shop = Shop::alone().await;
    for value in [
        format!("Basic {}", shop.token),
        shop.token.clone(),
        "Bearer".to_owned(),
        format!("Bearer {}x", shop.token),
        format!("Bearer  {}", &shop.token[..shop.token.len() - 1]),
    ] {
        let headers = [("authorization", value.as_str())];
        let answer = shop
            .events
            .send(Method::GET, "/api/health", &headers, None)
            .await;
        answer.is_problem(401);
    }
}

#[tokio::test]
async fn a_token_for_events_is_refused_whatever_is_not_events() {
    let shop = Shop::open().await;
    for path in [
        "/api/deliveries",
        "/api/tokens",
        "/api/workspaces",
        "/api/settings",
        "/api/integrations",
        "/api/integrations/webhooks",
        "/api/events",
    ] {
        shop.events.get(path).await.is_problem(403);
    }
    let body = json!({"name": "x", "scope": "full"});
    shop.events.post("/api/tokens", &body).await.is_problem(403);
    for path in ["/api/health", "/api/event-types", "/api/openapi.json"] {
        shop.events.get(path).await.is(200);
    }
}

#[tokio::test]
async fn a_request_with_an_origin_is_refused_even_with_a_token() {
    let shop = Shop::open().await;
    let own = format!("http://127.0.0.1:{}", shop.serve.address.port());
    for origin in [
        "http://evil.example",
        "null",
        own.as_str(),
        "http://localhost",
    ] {
        let headers = [("origin", origin), ("content-type", "application/json")];
        let body =
            Bytes::from_static(br#"{"type":"contact.created","data":{"contactId":"origin"}}"#);
        let answer = shop
            .full
            .send(Method::POST, "/api/events", &headers, Some(body))
            .await;
        answer.is_problem(403);
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let answer = shop.full.get("/api/events?subject=origin").await.is(200);
    assert_eq!(
        answer["events"],
        json!([]),
        "nothing of a refused request is stored"
    );
}

#[tokio::test]
async fn a_preflight_gets_no_permission() {
    let shop = Shop::open().await;
    let headers = [
        ("origin", "http://evil.example"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    let nobody = shop.full.with_token("");
    let answer = nobody
        .send(Method::OPTIONS, "/api/events", &headers, None)
        .await;
    assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control-"))
    );
}

#[tokio::test]
async fn only_the_three_loopback_names_with_the_port_are_accepted_as_host() {
    let shop = Shop::open().await;
    let port = shop.serve.address.port();
    let request = |line: &str, hosts: &[String]| {
        let mut text = format!(
            "GET {line} HTTP/1.1\r\nAuthorization: Bearer {}\r\n",
            shop.token
        );
        for host in hosts {
            text.push_str(&format!("Host: {host}\r\n"));
        }
        text + "Connection: close\r\n\r\n"
    };
    let good = format!("127.0.0.1:{port}");
    for host in [
        good.clone(),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ] {
        let answer = raw_exchange(
            shop.serve.address,
            request("/api/health", std::slice::from_ref(&host)).as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
    for host in [
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost.:{port}"),
        format!("2130706433:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}, evil.example"),
        String::new(),
    ] {
        let answer = raw_exchange(
            shop.serve.address,
            request("/api/health", std::slice::from_ref(&host)).as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host:?}: {answer}");
    }
    let evil = format!("evil.example:{port}");
    for (line, hosts) in [
        ("/api/health".to_owned(), vec![]),
        ("/api/health".to_owned(), vec![good.clone(), evil.clone()]),
        ("/api/health".to_owned(), vec![good.clone(), good.clone()]),
        (format!("http://{evil}/api/health"), vec![good.clone()]),
    ] {
        let answer = raw_exchange(shop.serve.address, request(&line, &hosts).as_bytes()).await;
        // HTTP itself already forbids an absent or doubled Host: 400 is as good.
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(
            matches!(status, "421" | "400"),
            "{line} {hosts:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_host_is_judged_before_the_token() {
    let shop = Shop::open().await;
    let request = "GET /api/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = raw_exchange(shop.serve.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
}

#[tokio::test]
async fn a_body_of_another_content_type_is_415_and_stores_nothing() {
    let shop = Shop::open().await;
    let body = r#"{"type":"contact.created","data":{"contactId":"type"}}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/x-ndjson",
        "application/jsonp",
        "",
    ] {
        let headers = [("content-type", content_type)];
        let answer = shop
            .events
            .send(Method::POST, "/api/events", &headers, Some(body.into()))
            .await;
        answer.is_problem(415);
    }
    let none = shop
        .events
        .send(Method::POST, "/api/events", &[], Some(body.into()))
        .await;
    none.is_problem(415);
    let stored = shop.full.get("/api/events?subject=type").await.is(200);
    assert_eq!(stored["events"], json!([]));
    let charset = [("content-type", "application/json; charset=utf-8")];
    shop.events
        .send(Method::POST, "/api/events", &charset, Some(body.into()))
        .await
        .is(202);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_413_and_stores_nothing() {
    let shop = Shop::open().await;
    let body = format!(
        r#"{{"type":"contact.created","data":{{"contactId":"big"}},"x":"{}"}}"#,
        "x".repeat(1024 * 1024)
    );
    shop.events
        .post_bytes("/api/events", body)
        .await
        .is_problem(413);
    let stored = shop.full.get("/api/events?subject=big").await.is(200);
    assert_eq!(stored["events"], json!([]));
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_404_and_a_wrong_method_405() {
    let shop = Shop::open().await;
    shop.full.get("/api/nothing").await.is_problem(404);
    shop.full.get("/").await.is_problem(404);
    shop.full.delete("/api/health").await.is_problem(405);
}

#[tokio::test]
async fn an_id_that_does_not_exist_is_404_everywhere() {
    let shop = Shop::open().await;
    let id = "00000000-0000-7000-8000-000000000000";
    for path in [
        format!("/api/events/evt_{id}"),
        format!("/api/deliveries/dlv_{id}"),
        format!("/api/integrations/webhooks/whk_{id}"),
        "/api/deliveries/nonsense".to_owned(),
        "/api/integrations/webhooks/%00".to_owned(),
    ] {
        shop.full.get(&path).await.is_problem(404);
    }
    for path in [
        format!("/api/deliveries/dlv_{id}/retry"),
        format!("/api/deliveries/dlv_{id}/cancel"),
        format!("/api/integrations/webhooks/whk_{id}/test"),
    ] {
        shop.full.post(&path, &json!({})).await.is_problem(404);
    }
    shop.full
        .delete(&format!("/api/tokens/tok_{id}"))
        .await
        .is_problem(404);
    shop.full
        .delete(&format!("/api/integrations/webhooks/whk_{id}"))
        .await
        .is_problem(404);
    let patch = json!({"name": "x"});
    shop.full
        .patch(&format!("/api/integrations/webhooks/whk_{id}"), &patch)
        .await
        .is_problem(404);
}

#[tokio::test]
async fn malformed_json_is_400_on_every_route_that_takes_a_body() {
    let shop = Shop::open().await;
    let webhook = shop.webhook("http://127.0.0.1:9/").await;
    for path in [
        "/api/events".to_owned(),
        "/api/integrations/webhooks".to_owned(),
        format!("/api/integrations/webhooks/{}/test", webhook.id),
        "/api/tokens".to_owned(),
        "/api/workspaces".to_owned(),
        "/api/event-types".to_owned(),
    ] {
        for body in [
            "{",
            "{\"name\":}",
            "nonsense",
            "{\"name\":\"\u{1}\"}",
            "{} {}",
        ] {
            shop.full.post_bytes(&path, body).await.is_problem(400);
        }
    }
}

#[tokio::test]
async fn a_file_in_the_home_is_for_the_owner_alone() {
    let home = Home::new();
    let serve = home.serve();
    let shop = Shop::on(serve.into()).await;
    shop.webhook("http://127.0.0.1:9/").await;
    shop.event("contact.created", r#"{"contactId":"c"}"#).await;
    assert_eq!(home.mode("."), 0o700);
    assert_eq!(home.mode("api.json"), 0o600);
    for name in home.contents() {
        let expected = if home.path().join(&name).is_dir() {
            0o700
        } else {
            0o600
        };
        assert_eq!(home.mode(&name), expected, "{}", name.display());
    }
}

#[tokio::test]
async fn health_speaks_for_the_workspace_of_its_token() {
    let shop = Shop::open().await;
    let health = shop.events.get("/api/health").await.is(200);
    assert_eq!(health["workspace"]["id"], shop.workspace.as_str());
    assert!(health["workspace"]["name"].is_string() && health["version"].is_string());
    assert!(health["online"].is_boolean() && health["status"].is_string());
    for count in ["pending", "held", "failed"] {
        assert_eq!(health[count], 0, "{count}: {health}");
    }
}

#[tokio::test]
async fn the_overview_shows_all_five_integrations_and_none_is_set_up() {
    let shop = Shop::open().await;
    shop.webhook("http://127.0.0.1:9/").await;
    let overview = shop.full.get("/api/integrations").await.is(200);
    for (kind, provider) in [
        ("email", "sendgrid"),
        ("sms", "twilio"),
        ("calendar", "google"),
        ("storage", "s3"),
    ] {
        assert_eq!(overview[kind]["isConfigured"], false, "{kind}");
        assert_eq!(overview[kind]["isActive"], false, "{kind}");
        assert_eq!(overview[kind]["provider"], provider);
        assert_eq!(overview[kind]["testStatus"], Value::Null);
    }
    assert_eq!(overview["webhooks"], json!({"total": 1, "active": 1}));
}

#[tokio::test]
async fn the_feed_of_changes_names_workspace_and_topics_and_only_the_tokens_own() {
    let shop = Shop::open().await;
    let other = Shop::on(shop.serve.clone()).await;
    let mut changes = shop.full.changes().await;
    other
        .event("contact.created", r#"{"contactId":"elsewhere"}"#)
        .await;
    shop.event("contact.created", r#"{"contactId":"here"}"#)
        .await;
    let change = changes
        .next_within(Duration::from_secs(5))
        .await
        .expect("a change");
    assert_eq!(change["workspaceId"], shop.workspace.as_str(), "{change}");
    let topics = change["topics"].as_array().expect("topics");
    assert!(topics.contains(&json!("events")), "{change}");
}

#[tokio::test]
async fn the_description_names_every_route_of_this_slice() {
    let shop = Shop::open().await;
    let description = shop.events.get("/api/openapi.json").await.is(200);
    assert!(
        description["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    for (path, methods) in [
        ("/api/health", ["get"].as_slice()),
        ("/api/integrations", &["get"]),
        ("/api/integrations/webhooks", &["get", "post"]),
        (
            "/api/integrations/webhooks/{id}",
            &["get", "patch", "delete"],
        ),
        ("/api/integrations/webhooks/{id}/test", &["post"]),
        ("/api/events", &["get", "post"]),
        ("/api/events/batch", &["post"]),
        ("/api/events/{id}", &["get"]),
        ("/api/event-types", &["get", "post"]),
        ("/api/deliveries", &["get"]),
        ("/api/deliveries/{id}", &["get"]),
        ("/api/deliveries/{id}/retry", &["post"]),
        ("/api/deliveries/{id}/cancel", &["post"]),
        ("/api/workspaces", &["get", "post"]),
        ("/api/tokens", &["get", "post"]),
        ("/api/tokens/{id}", &["delete"]),
        ("/api/settings", &["get"]),
        ("/api/changes", &["get"]),
        ("/api/openapi.json", &["get"]),
    ] {
        for method in methods {
            let known = description["paths"]
                .get(path)
                .and_then(|path| path.get(method));
            assert!(known.is_some(), "{method} {path} is not described");
        }
    }
}

#[tokio::test]
async fn a_second_owner_of_a_home_is_told_who_owns_it_and_ends_with_1() {
    let home = Home::new();
    let serve = home.serve();
    let second = home.run(&["serve", "--port", "0"]);
    second.exits(1);
    assert!(
        second.stderr.contains(&serve.pid.to_string()),
        "it does not say who owns: {}",
        second.stderr
    );
    serve.owner().get("/api/health").await.is(200);
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_never_another_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Home::new().run(&["serve", "--port", &port]);
    output.exits(1);
    assert!(output.stderr.contains(&port), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[tokio::test]
async fn serve_ends_cleanly_on_sigterm_and_takes_its_address_away() {
    let serve = Home::new().serve();
    let (home, status) = serve.terminate();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        !home.path().join("api.json").exists(),
        "api.json outlived its owner"
    );
}
