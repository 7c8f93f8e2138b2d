//! Route of the programs that receive a webhook.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use signalbox_core::Hub;
use signalbox_core::ids::WebhookId;
use signalbox_core::webhooks::receiver::Snippet;

use crate::problem::Result;
use crate::request::{Caller, Id};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Snippets {
    snippets: Vec<Snippet>,
}

/// Small complete programs that receive this webhook and take only what is signed. None holds a secret.
#[utoipa::path(
    get, path = "/api/integrations/webhooks/{id}/snippets", operation_id = "listWebhookSnippets", tag = "webhooks",
    params(("id" = String, Path)), responses((status = 200, body = Snippets)),
)]
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WebhookId>,
) -> Result<Json<Snippets>> {
    Ok(Json(Snippets {
        snippets: hub.webhook_snippets(caller.workspace, id).await?.into(),
    }))
}
