//! Routes of automations.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use signalbox_core::Hub;
use signalbox_core::automations::{
    Automation, AutomationPatch, ChangedAutomation, Draft, NewAutomation, Preview, PreviewRequest,
    Rehearsal, RehearseRequest, TestRequest, Tested, Version,
};
use signalbox_core::ids::AutomationId;

use crate::problem::Result;
use crate::request::{self, Caller, Id, OptionalJson};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Automations {
    automations: Vec<Automation>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneAutomation {
    automation: Automation,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedAutomation {
    /// Always true.
    success: bool,
    automation: Automation,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AutomationVersions {
    /// The newest first.
    versions: Vec<Version>,
}

/// What was done.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RemovedAutomation {
    /// Deliveries that waited and are not sent.
    dropped: u64,
    /// A sentence.
    message: &'static str,
}

/// Which version is brought back.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreAutomation {
    /// Its number.
    version: u32,
}

/// All automations of the workspace.
#[utoipa::path(get, path = "/api/automations", operation_id = "listAutomations", tag = "automations", responses((status = 200, body = Automations)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Automations>> {
    Ok(Json(Automations {
        automations: hub.automations(caller.workspace).await?,
    }))
}

/// Makes an automation. Texts that do not parse are refused with line and column, and nothing is saved.
#[utoipa::path(
    post, path = "/api/automations", operation_id = "createAutomation", tag = "automations",
    request_body = NewAutomation, responses((status = 201, body = CreatedAutomation)),
)]
pub(crate) async fn create(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(new): request::Json<NewAutomation>,
) -> Result<(StatusCode, Json<CreatedAutomation>)> {
    let automation = hub.create_automation(caller.workspace, new).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedAutomation {
            success: true,
            automation,
        }),
    ))
}

/// One automation.
#[utoipa::path(
    get, path = "/api/automations/{id}", operation_id = "getAutomation", tag = "automations",
    params(("id" = String, Path)), responses((status = 200, body = OneAutomation)),
)]
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
) -> Result<Json<OneAutomation>> {
    Ok(Json(OneAutomation {
        automation: hub.automation(caller.workspace, id).await?,
    }))
}

/// Changes an automation, or switches it on or off. What waits is written anew; switched off, it is
/// not sent.
#[utoipa::path(
    patch, path = "/api/automations/{id}", operation_id = "updateAutomation", tag = "automations",
    params(("id" = String, Path)), request_body = AutomationPatch, responses((status = 200, body = ChangedAutomation)),
)]
pub(crate) async fn update(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
    request::Json(patch): request::Json<AutomationPatch>,
) -> Result<Json<ChangedAutomation>> {
    Ok(Json(
        hub.update_automation(caller.workspace, id, patch).await?,
    ))
}

/// Removes an automation; what waits is not sent, its log stays.
#[utoipa::path(
    delete, path = "/api/automations/{id}", operation_id = "removeAutomation", tag = "automations",
    params(("id" = String, Path)), responses((status = 200, body = RemovedAutomation)),
)]
pub(crate) async fn remove(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
) -> Result<Json<RemovedAutomation>> {
    Ok(Json(RemovedAutomation {
        dropped: hub.remove_automation(caller.workspace, id).await?,
        message: "The automation is removed. What waited is not sent; its log stays.",
    }))
}

/// What an automation would do because of an event. Nothing is sent.
#[utoipa::path(
    post, path = "/api/automations/{id}/preview", operation_id = "previewAutomation", tag = "automations",
    params(("id" = String, Path)), request_body = Option<PreviewRequest>, responses((status = 200, body = Preview)),
)]
pub(crate) async fn preview(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
    OptionalJson(request): OptionalJson<PreviewRequest>,
) -> Result<Json<Preview>> {
    Ok(Json(
        hub.preview_automation(caller.workspace, id, request)
            .await?,
    ))
}

/// What an automation would do that is not saved yet. Nothing is saved or sent.
#[utoipa::path(
    post, path = "/api/automations/preview", operation_id = "previewAutomationDraft", tag = "automations",
    request_body = Draft, responses((status = 200, body = Preview)),
)]
pub(crate) async fn preview_draft(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(draft): request::Json<Draft>,
) -> Result<Json<Preview>> {
    Ok(Json(hub.preview_draft(caller.workspace, draft).await?))
}

/// Runs an automation over what happened in a time: how many, to whom, what would be missing, what
/// differs from what was sent. Nothing is sent.
#[utoipa::path(
    post, path = "/api/automations/{id}/rehearse", operation_id = "rehearseAutomation", tag = "automations",
    params(("id" = String, Path)), request_body = RehearseRequest, responses((status = 200, body = Rehearsal)),
)]
pub(crate) async fn rehearse(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
    request::Json(request): request::Json<RehearseRequest>,
) -> Result<Json<Rehearsal>> {
    Ok(Json(
        hub.rehearse_automation(caller.workspace, id, request)
            .await?,
    ))
}

/// Sends what an automation would send, once, to an address of your own. A test that fails is a
/// result, with status 200.
#[utoipa::path(
    post, path = "/api/automations/{id}/test", operation_id = "testAutomation", tag = "automations",
    params(("id" = String, Path)), request_body = TestRequest, responses((status = 200, body = Tested)),
)]
pub(crate) async fn test(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
    request::Json(request): request::Json<TestRequest>,
) -> Result<Json<Tested>> {
    Ok(Json(
        hub.test_automation(caller.workspace, id, request).await?,
    ))
}

/// The versions of an automation's texts.
#[utoipa::path(
    get, path = "/api/automations/{id}/versions", operation_id = "listAutomationVersions", tag = "automations",
    params(("id" = String, Path)), responses((status = 200, body = AutomationVersions)),
)]
pub(crate) async fn versions(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
) -> Result<Json<AutomationVersions>> {
    Ok(Json(AutomationVersions {
        versions: hub.automation_versions(caller.workspace, id).await?,
    }))
}

/// Brings back the texts of an earlier version, as a new one.
#[utoipa::path(
    post, path = "/api/automations/{id}/restore", operation_id = "restoreAutomation", tag = "automations",
    params(("id" = String, Path)), request_body = RestoreAutomation, responses((status = 200, body = ChangedAutomation)),
)]
pub(crate) async fn restore(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<AutomationId>,
    request::Json(wanted): request::Json<RestoreAutomation>,
) -> Result<Json<ChangedAutomation>> {
    Ok(Json(
        hub.restore_automation(caller.workspace, id, wanted.version)
            .await?,
    ))
}
