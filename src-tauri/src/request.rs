//! The one command the window works with: a request to the same router other software reaches by
//! HTTP, without a socket in between.

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use tauri::State;
use tower::ServiceExt;

/// More than the largest page of any list.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// The router the window speaks to.
pub(crate) struct Door(pub(crate) Router);

/// What came back: the status and the body, as any HTTP client would see them.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// JSON, as text.
    pub(crate) body: String,
}

impl Answer {
    fn refused(status: StatusCode, title: &str, detail: &str) -> Self {
        let body =
            serde_json::json!({ "title": title, "status": status.as_u16(), "detail": detail });
        Self {
            status: status.as_u16(),
            body: body.to_string(),
        }
    }
}

/// Carries one request of the page to the router and its answer back.
#[tauri::command]
pub(crate) async fn request(
    door: State<'_, Door>,
    method: String,
    path: String,
    body: Option<String>,
    workspace: Option<String>,
) -> Result<Answer, ()> {
    Ok(door.ask(&method, &path, body, workspace.as_deref()).await)
}

impl Door {
    /// Asks the router.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
        workspace: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(workspace) = workspace.and_then(|name| HeaderValue::from_str(name).ok()) {
            request = request.header("signalbox-workspace", workspace);
        }
        let Ok(request) = request.body(Body::from(body.unwrap_or_default())) else {
            return Answer::refused(
                StatusCode::BAD_REQUEST,
                "Not a request",
                "The window asked for something that is no address.",
            );
        };
        read(self.pass(request).await).await
    }

    /// Gives a request to the router as it is.
    pub(crate) async fn pass(&self, request: Request<Body>) -> Response {
        match self.0.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

/// Why a request was refused, in the router's words.
pub(crate) async fn refusal(answer: Response) -> String {
    let body = read(answer).await.body;
    let said = serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default();
    ["detail", "error", "title"]
        .iter()
        .find_map(|member| said[member].as_str())
        .unwrap_or("Signalbox gave no answer to this. Please try again.")
        .to_owned()
}

/// Reads an answer for the page.
pub(crate) async fn read(answer: Response) -> Answer {
    let status = answer.status();
    let endless = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if endless {
        return Answer::refused(
            StatusCode::NOT_ACCEPTABLE,
            "Comes by itself",
            "The window hears of changes by the event `change`.",
        );
    }
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
        .collect()
        .await;
    match body.map(|body| String::from_utf8(body.to_bytes().into())) {
        Ok(Ok(body)) => Answer {
            status: status.as_u16(),
            body,
        },
        _ => Answer::refused(
            StatusCode::BAD_GATEWAY,
            "Too much for the window",
            "The answer is larger than the window takes, or no text. Ask for less at a time.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Json,
        routing::{get, post},
    };

    use super::*;

    fn door() -> Door {
        Door(
            Router::new()
                .route(
                    "/api/echo",
                    post(|headers: header::HeaderMap, body: String| async move {
                        let workspace = headers
                            .get("signalbox-workspace")
                            .and_then(|name| name.to_str().ok())
                            .unwrap_or_default()
                            .to_owned();
                        (
                            StatusCode::ACCEPTED,
                            Json(serde_json::json!({ "workspace": workspace, "body": body })),
                        )
                    }),
                )
                .route(
                    "/api/changes",
                    get(|| async {
                        (
                            [(header::CONTENT_TYPE, "text/event-stream")],
                            "data: {}\n\n",
                        )
                    }),
                ),
        )
    }

    #[tokio::test]
    async fn a_request_of_the_page_reaches_the_router_with_its_body_and_its_workspace() {
        let answer = door()
            .ask(
                "POST",
                "/api/echo",
                Some("{\"a\":1e2}".into()),
                Some("Practice"),
            )
            .await;
        assert_eq!(answer.status, 202);
        assert_eq!(
            answer.body,
            r#"{"workspace":"Practice","body":"{\"a\":1e2}"}"#
        );
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused_with_a_sentence() {
        let answer = door().ask("GET", "no address", None, None).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("no address"), "{}", answer.body);
    }

    #[tokio::test]
    async fn a_stream_without_an_end_is_not_waited_for() {
        assert_eq!(
            door().ask("GET", "/api/changes", None, None).await.status,
            406
        );
    }
}
