//! Routes that read the whole: health, integrations, *Today*, the connection, settings, the doctor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use signalbox_core::Hub;
use signalbox_core::hub::Finding;
use signalbox_core::today::{Connection, Health, Today};

use crate::DEFAULT_PORT;
use crate::problem::Result;
use crate::request::Caller;

/// Whether it runs, and how much waits.
#[utoipa::path(get, path = "/api/health", operation_id = "getHealth", tag = "overview", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Health>> {
    Ok(Json(hub.health(caller.workspace).await?))
}

/// What *Today* shows.
#[utoipa::path(get, path = "/api/today", operation_id = "getToday", tag = "overview", responses((status = 200, body = Today)))]
pub(crate) async fn today(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Today>> {
    Ok(Json(hub.today(caller.workspace).await?))
}

/// Where programs reach Signalbox, and whether one has.
#[utoipa::path(get, path = "/api/connection", operation_id = "getConnection", tag = "overview", responses((status = 200, body = Connection)))]
pub(crate) async fn connection(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
) -> Result<Json<Connection>> {
    Ok(Json(hub.connection(caller.workspace).await?))
}

/// What the owner can set.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Settings {
    /// The port that programs reach Signalbox at.
    port: u16,
}

/// What the owner can set.
#[utoipa::path(get, path = "/api/settings", operation_id = "getSettings", tag = "overview", responses((status = 200, body = Settings)))]
pub(crate) async fn settings(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
) -> Result<Json<Settings>> {
    let address = hub.connection(caller.workspace).await?.address;
    let port = address
        .as_deref()
        .and_then(|address| address.rsplit_once(':')?.1.parse().ok());
    Ok(Json(Settings {
        port: port.unwrap_or(DEFAULT_PORT),
    }))
}

/// What the doctor found.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Findings {
    findings: Vec<Finding>,
}

/// Looks Signalbox over: its folder, its database, its key store.
#[utoipa::path(get, path = "/api/doctor", operation_id = "getDoctor", tag = "overview", responses((status = 200, body = Findings)))]
pub(crate) async fn doctor(State(hub): State<Arc<Hub>>, _: Caller) -> Result<Json<Findings>> {
    Ok(Json(Findings {
        findings: hub.doctor().await?,
    }))
}
