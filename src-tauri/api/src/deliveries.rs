//! Routes of deliveries: the log, and what the owner does about a row.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use signalbox_core::Hub;
use signalbox_core::deliveries::{DeliveryDetail, DeliveryFilter, DeliveryPage, DeliveryRow};
use signalbox_core::ids::DeliveryId;

use crate::problem::Result;
use crate::request::{Caller, Filter, Id, OptionalJson};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneDelivery {
    /// With its attempts.
    delivery: DeliveryDetail,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct MovedDelivery {
    /// As it stands now.
    delivery: DeliveryRow,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RetriedDelivery {
    /// Always true.
    success: bool,
    /// As it stands now.
    delivery: DeliveryRow,
}

/// Why a delivery is closed or let go.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Because {
    /// In the owner's words.
    #[serde(default)]
    reason: Option<String>,
}

/// The log.
#[utoipa::path(get, path = "/api/deliveries", operation_id = "listDeliveries", tag = "deliveries", params(DeliveryFilter), responses((status = 200, body = DeliveryPage)))]
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(filter): Filter<DeliveryFilter>,
) -> Result<Json<DeliveryPage>> {
    Ok(Json(hub.deliveries(caller.workspace, filter).await?))
}

/// One delivery with its attempts.
#[utoipa::path(
    get, path = "/api/deliveries/{id}", operation_id = "getDelivery", tag = "deliveries",
    params(("id" = String, Path)), responses((status = 200, body = OneDelivery)),
)]
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<Json<OneDelivery>> {
    Ok(Json(OneDelivery {
        delivery: hub.delivery(caller.workspace, id).await?,
    }))
}

/// One more attempt now, from `failed`, `unknown` or `held`.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "deliveries",
    params(("id" = String, Path)), responses((status = 202, body = RetriedDelivery)),
)]
pub(crate) async fn retry(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<(StatusCode, Json<RetriedDelivery>)> {
    let delivery = hub.retry_delivery(caller.workspace, id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(RetriedDelivery {
            success: true,
            delivery,
        }),
    ))
}

/// Closes a delivery that has not ended: "I told them myself".
#[utoipa::path(
    post, path = "/api/deliveries/{id}/cancel", operation_id = "cancelDelivery", tag = "deliveries",
    params(("id" = String, Path)), request_body = Option<Because>, responses((status = 200, body = MovedDelivery)),
)]
pub(crate) async fn cancel(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    OptionalJson(because): OptionalJson<Because>,
) -> Result<Json<MovedDelivery>> {
    Ok(Json(MovedDelivery {
        delivery: hub
            .cancel_delivery(caller.workspace, id, because.reason)
            .await?,
    }))
}

/// Lets a held delivery go.
#[utoipa::path(
    post, path = "/api/deliveries/{id}/release", operation_id = "releaseDelivery", tag = "deliveries",
    params(("id" = String, Path)), request_body = Option<Because>, responses((status = 200, body = MovedDelivery)),
)]
pub(crate) async fn release(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
    _because: OptionalJson<Because>,
) -> Result<Json<MovedDelivery>> {
    Ok(Json(MovedDelivery {
        delivery: hub.release_delivery(caller.workspace, id).await?,
    }))
}
