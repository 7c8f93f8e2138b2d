//! Routes of integrations: how they stand, their life, and what is sent through them by itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde_json::value::RawValue;
use signalbox_core::Hub;
use signalbox_core::integrations::{
    Configured, EmailSent, Integrations, Kind, Patch, Setup, TestRequest, Tested, email,
};

use crate::problem::{Problem, Result};
use crate::request::{Caller, MAX_BODY_BYTES, OptionalJson, parse, read};

/// The kind of integration in a path; what is no such kind does not exist.
pub(crate) struct OfKind(Kind);

impl FromRequestParts<Arc<Hub>> for OfKind {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self> {
        let text = Path::<String>::from_request_parts(parts, hub).await.ok();
        text.and_then(|Path(text)| Kind::named(&text))
            .map(Self)
            .ok_or_else(|| {
                Problem::new(
                    StatusCode::NOT_FOUND,
                    "There is no such integration. There are email, sms, calendar and storage.",
                )
            })
    }
}

fn not_yet(kind: Kind) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("{} cannot be set up here yet.", kind.provider_name()),
    )
}

/// What is to be set up; its members are the kind's own.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described; each kind is read by itself")]
pub(crate) enum IntegrationSetup {
    Email(email::Setup),
}

/// What is to be different; its members are the kind's own.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described; each kind is read by itself")]
pub(crate) enum IntegrationPatch {
    Email(email::Patch),
}

/// What was disconnected.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Disconnected {
    /// Always true.
    success: bool,
    /// A sentence.
    message: String,
    /// Deliveries that wait until it is set up again.
    held: u64,
}

/// What is set up, and how it stands.
#[utoipa::path(get, path = "/api/integrations", operation_id = "listIntegrations", tag = "integrations", responses((status = 200, body = Integrations)))]
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
) -> Result<Json<Integrations>> {
    Ok(Json(hub.integrations(caller.workspace).await?))
}

/// Sets an integration up, or replaces its key: tested first, then saved. What the provider refuses
/// is a graceful failure with status 200, and nothing is saved. What could not be tested now is
/// saved with that result.
#[utoipa::path(
    post, path = "/api/integrations/{kind}", operation_id = "configureIntegration", tag = "integrations",
    params(("kind" = Kind, Path)), request_body = IntegrationSetup, responses((status = 200, body = Configured)),
)]
pub(crate) async fn configure(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    OfKind(kind): OfKind,
    body: Body,
) -> Result<Json<Configured>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let setup = match kind {
        Kind::Email => Setup::Email(parse(&bytes)?),
        Kind::Sms | Kind::Calendar | Kind::Storage => return Err(not_yet(kind)),
    };
    Ok(Json(
        hub.configure_integration(caller.workspace, setup).await?,
    ))
}

/// Changes an integration, pauses it (`isActive: false`) or resumes it. Another scheme, host or port
/// of its base URL needs the secret in the same request (422 `secret_required`).
#[utoipa::path(
    patch, path = "/api/integrations/{kind}", operation_id = "updateIntegration", tag = "integrations",
    params(("kind" = Kind, Path)), request_body = IntegrationPatch, responses((status = 200, body = Configured)),
)]
pub(crate) async fn update(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    OfKind(kind): OfKind,
    body: Body,
) -> Result<Json<Configured>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let patch = match kind {
        Kind::Email => Patch::Email(parse(&bytes)?),
        Kind::Sms | Kind::Calendar | Kind::Storage => return Err(not_yet(kind)),
    };
    Ok(Json(hub.update_integration(caller.workspace, patch).await?))
}

/// Looks whether an integration works: without side effects, or by a test sent to `testTo`. A test
/// that fails is a result, with status 200.
#[utoipa::path(
    post, path = "/api/integrations/{kind}/test", operation_id = "testIntegration", tag = "integrations",
    params(("kind" = Kind, Path)), request_body = Option<TestRequest>, responses((status = 200, body = Tested)),
)]
pub(crate) async fn test(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    OfKind(kind): OfKind,
    OptionalJson(request): OptionalJson<TestRequest>,
) -> Result<Json<Tested>> {
    Ok(Json(
        hub.test_integration(caller.workspace, kind, request)
            .await?,
    ))
}

/// Disconnects an integration: its settings and secrets are forgotten, its log stays, and what waits
/// is held until it is set up again or closed.
#[utoipa::path(
    delete, path = "/api/integrations/{kind}", operation_id = "disconnectIntegration", tag = "integrations",
    params(("kind" = Kind, Path)), responses((status = 200, body = Disconnected)),
)]
pub(crate) async fn disconnect(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    OfKind(kind): OfKind,
) -> Result<Json<Disconnected>> {
    let held = hub.disconnect_integration(caller.workspace, kind).await?;
    let who = kind.provider_name();
    Ok(Json(Disconnected {
        success: true,
        message: match held {
            0 => format!("{who} is disconnected; its key is forgotten. The log stays."),
            n => format!(
                "{who} is disconnected; its key is forgotten. The log stays, and {n} wait until you set it up again."
            ),
        },
        held,
    }))
}

/// Sends an email and waits for the first try, at most 15 s. What does not go out, or not yet, is a
/// graceful failure with status 200; with `willRetry` it goes on by itself.
#[utoipa::path(
    post, path = "/api/email/send", operation_id = "sendEmail", tag = "integrations",
    request_body = email::Message, responses((status = 200, body = EmailSent)),
)]
pub(crate) async fn send_email(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    body: Body,
) -> Result<Json<EmailSent>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let message: email::Message = parse(&bytes)?;
    let request: Box<RawValue> = parse(&bytes)?;
    Ok(Json(
        hub.send_email(caller.workspace, &message, request, &caller.source)
            .await?,
    ))
}
