//! Routes of integrations: how they stand, their life, and what is sent through them by itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use http::HeaderMap;
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use serde_json::value::RawValue;
use signalbox_core::Hub;
use signalbox_core::integrations::{
    Configured, EmailSent, Integrations, Kind, Patch, Setup, TestRequest, Tested, calendar, email,
    sms, storage,
};

use crate::problem::{Problem, Result};
use crate::request::{Caller, MAX_BODY_BYTES, OptionalJson, keyed, parse, read};

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

/// What is to be set up; its members are the kind's own.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described; each kind is read by itself")]
pub(crate) enum IntegrationSetup {
    Email(email::Setup),
    Storage(storage::Setup),
    Sms(sms::Setup),
    Calendar(calendar::Setup),
}

/// What is to be different; its members are the kind's own.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only described; each kind is read by itself")]
pub(crate) enum IntegrationPatch {
    Email(email::Patch),
    Storage(storage::Patch),
    Sms(sms::Patch),
    Calendar(calendar::Patch),
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
        Kind::Sms => Setup::Sms(parse(&bytes)?),
        Kind::Storage => Setup::Storage(parse(&bytes)?),
        Kind::Calendar => Setup::Calendar(parse(&bytes)?),
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
        Kind::Sms => Patch::Sms(parse(&bytes)?),
        Kind::Storage => Patch::Storage(parse(&bytes)?),
        Kind::Calendar => Patch::Calendar(parse(&bytes)?),
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
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotencyKey`")),
    request_body = email::Message, responses((status = 200, body = EmailSent)),
)]
pub(crate) async fn send_email(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EmailSent>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let mut message: email::Message = parse(&bytes)?;
    keyed(&headers, &mut message.idempotency_key)?;
    let request: Box<RawValue> = parse(&bytes)?;
    Ok(Json(
        hub.send_email(caller.workspace, &message, request, &caller.source)
            .await?,
    ))
}

/// Begins a sign-in at Google: opens a port on this computer for the browser's answer, for five minutes,
/// and says where the browser has to go. It opens no browser. An earlier sign-in that waits is ended.
#[utoipa::path(
    post, path = "/api/integrations/calendar/authorize", operation_id = "authorizeCalendar", tag = "integrations",
    request_body = Option<calendar::Authorize>, responses((status = 200, body = calendar::Authorization)),
)]
pub(crate) async fn authorize(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    OptionalJson(wish): OptionalJson<calendar::Authorize>,
) -> Result<Json<calendar::Authorization>> {
    Ok(Json(hub.authorize_calendar(caller.workspace, wish).await?))
}

/// How a sign-in stands.
#[utoipa::path(
    get, path = "/api/integrations/calendar/authorize/{flowId}", operation_id = "getCalendarSignIn", tag = "integrations",
    params(("flowId" = String, Path)), responses((status = 200, body = calendar::SignIn)),
)]
pub(crate) async fn sign_in(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(flow): Path<String>,
) -> Result<Json<calendar::SignIn>> {
    Ok(Json(hub.calendar_sign_in(caller.workspace, &flow)?))
}

/// The calendars of the account that can be written into.
#[utoipa::path(get, path = "/api/integrations/calendar/calendars", operation_id = "listCalendars", tag = "integrations", responses((status = 200, body = calendar::Calendars)))]
pub(crate) async fn calendars(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
) -> Result<Json<calendar::Calendars>> {
    Ok(Json(hub.calendars(caller.workspace).await?))
}

/// Makes a calendar entry and waits for the first try, at most 15 s. What is not done, or not yet, is a
/// graceful failure with status 200; with `willRetry` it goes on by itself.
#[utoipa::path(
    post, path = "/api/calendar/events", operation_id = "createCalendarEvent", tag = "integrations",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotencyKey`")),
    request_body = calendar::Entry, responses((status = 200, body = calendar::EntrySent)),
)]
pub(crate) async fn create_entry(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<calendar::EntrySent>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let mut entry: calendar::Entry = parse(&bytes)?;
    keyed(&headers, &mut entry.idempotency_key)?;
    let request: Box<RawValue> = parse(&bytes)?;
    let sent = hub
        .create_calendar_entry(caller.workspace, &entry, request, &caller.source)
        .await?;
    Ok(Json(sent))
}

/// Changes a calendar entry: what is named, and nothing else. What somebody else changed meanwhile is
/// not overwritten.
#[utoipa::path(
    patch, path = "/api/calendar/events/{eventId}", operation_id = "updateCalendarEvent", tag = "integrations",
    params(("eventId" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotencyKey`")),
    request_body = calendar::EntryPatch, responses((status = 200, body = calendar::EntrySent)),
)]
pub(crate) async fn update_entry(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(entry): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<calendar::EntrySent>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let mut patch: calendar::EntryPatch = parse(&bytes)?;
    keyed(&headers, &mut patch.idempotency_key)?;
    let request: Box<RawValue> = parse(&bytes)?;
    let sent = hub
        .update_calendar_entry(caller.workspace, &entry, &patch, request, &caller.source)
        .await?;
    Ok(Json(sent))
}

/// Removes a calendar entry. One that is gone already is removed well: `alreadyGone`.
#[utoipa::path(
    delete, path = "/api/calendar/events/{eventId}", operation_id = "deleteCalendarEvent", tag = "integrations",
    params(("eventId" = String, Path)), request_body = Option<calendar::Removal>, responses((status = 200, body = calendar::EntrySent)),
)]
pub(crate) async fn delete_entry(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(entry): Path<String>,
    OptionalJson(removal): OptionalJson<calendar::Removal>,
) -> Result<Json<calendar::EntrySent>> {
    let sent = hub
        .delete_calendar_entry(caller.workspace, &entry, removal, &caller.source)
        .await?;
    Ok(Json(sent))
}
