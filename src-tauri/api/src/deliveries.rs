//! Routes of deliveries: the log, and what the owner does about a row.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use signalbox_core::Hub;
use signalbox_core::clock::Time;
use signalbox_core::deliveries::export::ExportFormat;
use signalbox_core::deliveries::histogram::Histogram;
use signalbox_core::deliveries::stats::Stats;
use signalbox_core::deliveries::story::{StoryFilter, StoryPage};
use signalbox_core::deliveries::{DeliveryDetail, DeliveryFilter, DeliveryPage, DeliveryRow};
use signalbox_core::ids::DeliveryId;

use crate::problem::Result;
use crate::request::{Beside, Caller, Filter, FilterAnd, Id, OptionalJson};

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

/// How many buckets a histogram has.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Buckets {
    /// At most so many, 1 to 200; default 60. One is exactly the time asked for.
    buckets: Option<u32>,
}

impl Beside for Buckets {
    const NAME: &'static str = "buckets";
}

/// How many deliveries there were when. There are no pages: `limit`, `cursor` and `at` are refused.
#[utoipa::path(
    get, path = "/api/deliveries/histogram", operation_id = "getHistogram", tag = "deliveries",
    params(DeliveryFilter, Buckets), responses((status = 200, body = Histogram)),
)]
pub(crate) async fn histogram(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    FilterAnd(filter, Buckets { buckets }): FilterAnd<DeliveryFilter, Buckets>,
) -> Result<Json<Histogram>> {
    Ok(Json(
        hub.histogram(caller.workspace, filter, buckets).await?,
    ))
}

/// What an export is.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InFormat {
    /// A table, or a JSON document a line.
    #[param(inline)]
    format: ExportFormat,
}

impl Beside for InFormat {
    const NAME: &'static str = "format";
}

/// All rows that fit, as a file: newest first, or as `order` says. There are no pages: `limit`,
/// `cursor` and `at` are refused.
#[utoipa::path(
    get, path = "/api/deliveries/export", operation_id = "exportDeliveries", tag = "deliveries",
    params(DeliveryFilter, InFormat),
    responses((status = 200, description = "The file", content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(crate) async fn export(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    FilterAnd(filter, InFormat { format }): FilterAnd<DeliveryFilter, InFormat>,
) -> Result<impl IntoResponse> {
    let export = hub.export(caller.workspace, filter, format).await?;
    let kind = match format {
        ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
        ExportFormat::Ndjson => "application/x-ndjson",
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", export.file_name),
        ),
    ];
    Ok((headers, Body::from_stream(export.pieces())))
}

/// Since when figures are told.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// Queued at this time or later; without it, in the last seven days.
    since: Option<Time>,
}

/// What went out, in figures. Tests are not counted.
#[utoipa::path(
    get, path = "/api/stats", operation_id = "getStats", tag = "deliveries",
    params(Since), responses((status = 200, body = Stats)),
)]
pub(crate) async fn stats(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(Since { since }): Filter<Since>,
) -> Result<Json<Stats>> {
    Ok(Json(hub.stats(caller.workspace, since).await?))
}

/// Everything about one booking or one customer. A page holds the newest part, oldest first;
/// `nextCursor` leads to what happened before.
#[utoipa::path(
    get, path = "/api/story", operation_id = "getStory", tag = "deliveries",
    params(StoryFilter), responses((status = 200, body = StoryPage)),
)]
pub(crate) async fn story(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(filter): Filter<StoryFilter>,
) -> Result<Json<StoryPage>> {
    Ok(Json(hub.story(caller.workspace, filter).await?))
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

/// The appointment of a calendar delivery as a file that any calendar takes, whatever became of it.
#[utoipa::path(
    get, path = "/api/deliveries/{id}/ics", operation_id = "getAppointment", tag = "deliveries",
    params(("id" = String, Path)),
    responses((status = 200, description = "iCalendar, RFC 5545", content((String = "text/calendar")))),
)]
pub(crate) async fn ics(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<impl IntoResponse> {
    let file = hub.delivery_ics(caller.workspace, id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"appointment.ics\"",
        ),
    ];
    Ok((headers, file))
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
