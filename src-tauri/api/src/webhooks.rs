//! Routes of webhooks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use signalbox_core::Hub;
use signalbox_core::ids::WebhookId;
use signalbox_core::webhooks::{
    ChangedWebhook, FilterTest, FilterTested, FormatPreview, FormatPreviewed, NewWebhook, Rotate,
    Rotated, Tested, Webhook, WebhookPatch,
};

use crate::problem::Result;
use crate::request::{self, Caller, Id, OptionalJson};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Webhooks {
    webhooks: Vec<Webhook>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneWebhook {
    webhook: Webhook,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedWebhook {
    /// Always true.
    success: bool,
    /// With its secret, the only time it is shown.
    webhook: Webhook,
}

/// What was done, as a sentence.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Message {
    pub(crate) message: &'static str,
}

/// Which event to test with.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestRequest {
    /// A type whose sample is sent; else `webhook.test`.
    #[serde(default)]
    event: Option<String>,
}

/// All webhooks of the workspace.
#[utoipa::path(get, path = "/api/integrations/webhooks", operation_id = "listWebhooks", tag = "webhooks", responses((status = 200, body = Webhooks)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Webhooks>> {
    Ok(Json(Webhooks {
        webhooks: hub.webhooks(caller.workspace).await?,
    }))
}

/// Adds a webhook; the answer shows its secret once. When the key store cannot be used, the answer
/// is a graceful failure with status 200.
#[utoipa::path(
    post, path = "/api/integrations/webhooks", operation_id = "createWebhook", tag = "webhooks",
    request_body = NewWebhook, responses((status = 201, body = CreatedWebhook), (status = 200, body = signalbox_core::outcome::Graceful)),
)]
pub(crate) async fn create(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(new): request::Json<NewWebhook>,
) -> Result<(StatusCode, Json<CreatedWebhook>)> {
    let webhook = hub.create_webhook(caller.workspace, new).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedWebhook {
            success: true,
            webhook,
        }),
    ))
}

/// One webhook.
#[utoipa::path(
    get, path = "/api/integrations/webhooks/{id}", operation_id = "getWebhook", tag = "webhooks",
    params(("id" = String, Path)), responses((status = 200, body = OneWebhook)),
)]
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Json<OneWebhook>> {
    Ok(Json(OneWebhook {
        webhook: hub.webhook(caller.workspace, id).await?,
    }))
}

/// Changes a webhook, pauses it (`isActive: false`) or resumes it. Own headers are dropped when
/// scheme, host or port of the address change; a warning says so.
#[utoipa::path(
    patch, path = "/api/integrations/webhooks/{id}", operation_id = "updateWebhook", tag = "webhooks",
    params(("id" = String, Path)), request_body = WebhookPatch, responses((status = 200, body = ChangedWebhook)),
)]
pub(crate) async fn update(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    request::Json(patch): request::Json<WebhookPatch>,
) -> Result<Json<ChangedWebhook>> {
    Ok(Json(hub.update_webhook(caller.workspace, id, patch).await?))
}

/// Removes a webhook; what waits for it is cancelled, its log stays.
#[utoipa::path(
    delete, path = "/api/integrations/webhooks/{id}", operation_id = "removeWebhook", tag = "webhooks",
    params(("id" = String, Path)), responses((status = 200, body = Message)),
)]
pub(crate) async fn remove(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Json<Message>> {
    hub.remove_webhook(caller.workspace, id).await?;
    Ok(Json(Message {
        message: "The webhook is removed. What waited for it is cancelled; its log stays.",
    }))
}

/// Sends a test, one attempt, and waits for how it went. A test that fails is a result, with status 200.
#[utoipa::path(
    post, path = "/api/integrations/webhooks/{id}/test", operation_id = "testWebhook", tag = "webhooks",
    params(("id" = String, Path)), request_body = Option<TestRequest>, responses((status = 200, body = Tested)),
)]
pub(crate) async fn test(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    OptionalJson(request): OptionalJson<TestRequest>,
) -> Result<Json<Tested>> {
    Ok(Json(
        hub.test_webhook(caller.workspace, id, request.event)
            .await?,
    ))
}

/// Makes a new signing secret, shown once; the former one stays valid for `overlapHours`. With
/// `finish`, ends that once the receiver has accepted a test signed with the new secret alone; one
/// that refuses is a result, with status 200.
#[utoipa::path(
    post, path = "/api/integrations/webhooks/{id}/rotate-secret", operation_id = "rotateWebhookSecret", tag = "webhooks",
    params(("id" = String, Path)), request_body = Option<Rotate>, responses((status = 200, body = Rotated)),
)]
pub(crate) async fn rotate(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
    OptionalJson(how): OptionalJson<Rotate>,
) -> Result<Json<Rotated>> {
    Ok(Json(hub.rotate_secret(caller.workspace, id, how).await?))
}

/// Tries a filter on past events: how many fit, and why; nothing is saved or sent.
#[utoipa::path(
    post, path = "/api/integrations/webhooks/filter/test", operation_id = "testWebhookFilter", tag = "webhooks",
    request_body = FilterTest, responses((status = 200, body = FilterTested)),
)]
pub(crate) async fn test_filter(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(test): request::Json<FilterTest>,
) -> Result<Json<FilterTested>> {
    Ok(Json(hub.test_filter(caller.workspace, test).await?))
}

/// What a format makes of an event, or of the sample of its type; nothing is saved or sent.
#[utoipa::path(
    post, path = "/api/integrations/webhooks/preview", operation_id = "previewWebhookFormat", tag = "webhooks",
    request_body = FormatPreview, responses((status = 200, body = FormatPreviewed)),
)]
pub(crate) async fn preview(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(preview): request::Json<FormatPreview>,
) -> Result<Json<FormatPreviewed>> {
    Ok(Json(hub.preview_format(caller.workspace, preview).await?))
}
