//! Routes of workspaces. The owner sees all of them, a token only its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use signalbox_core::ids::WorkspaceId;
use signalbox_core::workspaces::{NewWorkspace, Workspace, WorkspacePatch};
use signalbox_core::{Error, Hub};

use crate::problem::Result;
use crate::request::{self, Caller, Id};
use crate::webhooks::Message;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Workspaces {
    workspaces: Vec<Workspace>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedWorkspace {
    /// Always true.
    success: bool,
    #[serde(flatten)]
    workspace: Workspace,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneWorkspace {
    workspace: Workspace,
}

/// The workspaces: all for the owner, its own for a token.
#[utoipa::path(get, path = "/api/workspaces", operation_id = "listWorkspaces", tag = "workspaces", responses((status = 200, body = Workspaces)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Workspaces>> {
    let mut workspaces = hub.workspaces().await?;
    workspaces.retain(|workspace| caller.is_owner || workspace.id == caller.workspace);
    Ok(Json(Workspaces { workspaces }))
}

/// Makes a workspace.
#[utoipa::path(
    post, path = "/api/workspaces", operation_id = "createWorkspace", tag = "workspaces",
    request_body = NewWorkspace, responses((status = 201, body = CreatedWorkspace)),
)]
pub(crate) async fn create(
    State(hub): State<Arc<Hub>>,
    _: Caller,
    request::Json(new): request::Json<NewWorkspace>,
) -> Result<(StatusCode, Json<CreatedWorkspace>)> {
    let workspace = hub.create_workspace(new).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedWorkspace {
            success: true,
            workspace,
        }),
    ))
}

/// Renames a workspace or moves it to another time zone.
#[utoipa::path(
    patch, path = "/api/workspaces/{id}", operation_id = "updateWorkspace", tag = "workspaces",
    params(("id" = String, Path)), request_body = WorkspacePatch, responses((status = 200, body = OneWorkspace)),
)]
pub(crate) async fn update(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WorkspaceId>,
    request::Json(patch): request::Json<WorkspacePatch>,
) -> Result<Json<OneWorkspace>> {
    reach(&caller, id)?;
    Ok(Json(OneWorkspace {
        workspace: hub.update_workspace(id, patch).await?,
    }))
}

/// Removes a workspace with its log and its secrets. The last one stays.
#[utoipa::path(
    delete, path = "/api/workspaces/{id}", operation_id = "removeWorkspace", tag = "workspaces",
    params(("id" = String, Path)), responses((status = 200, body = Message)),
)]
pub(crate) async fn remove(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<WorkspaceId>,
) -> Result<Json<Message>> {
    reach(&caller, id)?;
    hub.remove_workspace(id).await?;
    Ok(Json(Message {
        message: "The workspace is removed, with its webhooks, its log and its secrets.",
    }))
}

/// Another workspace does not exist for a token.
fn reach(caller: &Caller, id: WorkspaceId) -> Result<()> {
    if caller.is_owner || caller.workspace == id {
        Ok(())
    } else {
        Err(Error::not_found("workspace").into())
    }
}
