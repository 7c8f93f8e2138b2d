//! Routes of texts: sending one, looking at one before, and how far one has come.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::HeaderMap;
use serde_json::value::RawValue;
use signalbox_core::Hub;
use signalbox_core::integrations::sms::{Draft, Message, Preview, SmsSent, SmsStood};

use crate::problem::Result;
use crate::request::{self, Caller, MAX_BODY_BYTES, parse, read};

/// Sends a text and waits until Twilio has taken it, at most 15 s. What does not go out, or not yet,
/// is a graceful failure with status 200; with `willRetry` it goes on by itself. Whether it arrived
/// is followed: `GET /api/sms/{sid}`, and `deliveredAt` in the log.
#[utoipa::path(
    post, path = "/api/sms/send", operation_id = "sendSms", tag = "integrations",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotencyKey`")),
    request_body = Message, responses((status = 200, body = SmsSent)),
)]
pub(crate) async fn send(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SmsSent>> {
    let bytes = read(body, MAX_BODY_BYTES).await?;
    let mut message: Message = parse(&bytes)?;
    request::keyed(&headers, &mut message.idempotency_key)?;
    let request: Box<RawValue> = parse(&bytes)?;
    Ok(Json(
        hub.send_sms(caller.workspace, &message, request, &caller.source)
            .await?,
    ))
}

/// What a text would be: its number as it would be called, and how many texts it takes. Nothing is
/// sent.
#[utoipa::path(
    post, path = "/api/sms/preview", operation_id = "previewSms", tag = "integrations",
    request_body = Draft, responses((status = 200, body = Preview)),
)]
pub(crate) async fn preview(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(draft): request::Json<Draft>,
) -> Result<Json<Preview>> {
    Ok(Json(hub.preview_sms(caller.workspace, draft).await?))
}

/// How far a text has come, in Twilio's words. Twilio is asked unless that is final already.
#[utoipa::path(
    get, path = "/api/sms/{sid}", operation_id = "getSms", tag = "integrations",
    params(("sid" = String, Path)), responses((status = 200, body = SmsStood)),
)]
pub(crate) async fn status(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(sid): Path<String>,
) -> Result<Json<SmsStood>> {
    Ok(Json(hub.sms_status(caller.workspace, &sid).await?))
}
