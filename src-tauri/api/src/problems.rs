//! Routes of *Needs you*.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use signalbox_core::Hub;
use signalbox_core::problems::{Problems, Resolve, Resolved};

use crate::problem::Result;
use crate::request::{self, Caller};

/// What needs the owner, grouped by cause, and what was solved lately.
#[utoipa::path(get, path = "/api/problems", operation_id = "listProblems", tag = "problems", responses((status = 200, body = Problems)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Problems>> {
    Ok(Json(hub.problems(caller.workspace).await?))
}

/// Does one of its actions about a problem. When the key store cannot be used, the answer is a
/// graceful failure with status 200.
#[utoipa::path(
    post, path = "/api/problems/{id}/resolve", operation_id = "resolveProblem", tag = "problems",
    params(("id" = String, Path)), request_body = Resolve, responses((status = 200, body = Resolved)),
)]
pub(crate) async fn resolve(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(id): Path<String>,
    request::Json(resolve): request::Json<Resolve>,
) -> Result<Json<Resolved>> {
    Ok(Json(
        hub.resolve_problem(caller.workspace, &id, resolve.action)
            .await?,
    ))
}
