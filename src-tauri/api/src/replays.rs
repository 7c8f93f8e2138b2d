//! Routes of replays: many deliveries sent again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use signalbox_core::Hub;
use signalbox_core::deliveries::{NewReplay, Replay, Replayed};
use signalbox_core::ids::ReplayId;

use crate::problem::Result;
use crate::request::{self, Caller, Id};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Replays {
    /// Newest first.
    replays: Vec<Replay>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneReplay {
    /// How far it is.
    replay: Replay,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct StoppedReplay {
    /// Always true.
    success: bool,
    /// How many deliveries were closed, or will not be queued.
    cancelled: u64,
    /// As it stands now.
    replay: Replay,
}

/// Sends again what fits a filter, or counts it. It is queued from then on, in waves.
#[utoipa::path(
    post, path = "/api/deliveries/replay", operation_id = "replayDeliveries", tag = "deliveries",
    request_body = NewReplay, responses((status = 200, body = Replayed)),
)]
pub(crate) async fn begin(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(new): request::Json<NewReplay>,
) -> Result<Json<Replayed>> {
    Ok(Json(hub.replay_deliveries(caller.workspace, new).await?))
}

/// The replays that run, and those of the last seven days.
#[utoipa::path(get, path = "/api/replays", operation_id = "listReplays", tag = "deliveries", responses((status = 200, body = Replays)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Replays>> {
    Ok(Json(Replays {
        replays: hub.replays(caller.workspace).await?,
    }))
}

/// One replay, and how far it is.
#[utoipa::path(
    get, path = "/api/replays/{id}", operation_id = "getReplay", tag = "deliveries",
    params(("id" = String, Path)), responses((status = 200, body = OneReplay)),
)]
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<ReplayId>,
) -> Result<Json<OneReplay>> {
    Ok(Json(OneReplay {
        replay: hub.replay(caller.workspace, id).await?,
    }))
}

/// Stops a replay: what it queued and is not out is closed, nothing more is queued.
#[utoipa::path(
    post, path = "/api/replays/{id}/cancel", operation_id = "cancelReplay", tag = "deliveries",
    params(("id" = String, Path)), responses((status = 200, body = StoppedReplay)),
)]
pub(crate) async fn cancel(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<ReplayId>,
) -> Result<Json<StoppedReplay>> {
    let (cancelled, replay) = hub.cancel_replay(caller.workspace, id).await?;
    Ok(Json(StoppedReplay {
        success: true,
        cancelled,
        replay,
    }))
}
