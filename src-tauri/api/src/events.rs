//! Routes of events: taking them in, one or many at a time, reading them back, and their types.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use signalbox_core::deliveries::{EventFilter, EventPage};
use signalbox_core::error::FieldError;
use signalbox_core::events::{Event, EventType, NewEvent, NewEventType, Recorded};
use signalbox_core::ids::EventId;
use signalbox_core::{Error, Hub, Kind};

use crate::problem::{Problem, Result};
use crate::request::{self, Caller, Filter, Id, MAX_BATCH_BYTES, content_type, parse, read};

/// The most rows of a batch.
const MAX_ROWS: usize = 1_000;

/// Records an event. The answer comes once it is durable; deliveries go out by themselves.
#[utoipa::path(
    post, path = "/api/events", operation_id = "recordEvent", tag = "events",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same as `idempotencyKey`")),
    request_body = NewEvent,
    responses((status = 202, description = "Recorded", body = Recorded), (status = 200, description = "Recorded before, under the same key", body = Recorded)),
)]
pub(crate) async fn record(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    request::Json(mut event): request::Json<NewEvent>,
) -> Result<(StatusCode, Json<Recorded>)> {
    request::keyed(&headers, &mut event.idempotency_key)?;
    let recorded = hub
        .record_event(caller.workspace, event, &caller.source)
        .await?;
    let status = if recorded.duplicate {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(recorded)))
}

/// How the rows of a batch fared, in order.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BatchResult {
    results: Vec<RowResult>,
}

/// How one row of a batch fared.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum RowResult {
    Recorded(Recorded),
    Refused(RefusedRow),
}

/// A row that was not recorded; the others are.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedRow {
    /// Always false.
    success: bool,
    errors: Vec<FieldError>,
}

impl From<Error> for RefusedRow {
    fn from(error: Error) -> Self {
        let errors = if error.fields.is_empty() {
            let (path, code) = match error.kind {
                Kind::TooLarge => ("data", "too_large"),
                Kind::Invalid => ("", "malformed"),
                _ => ("", "not_stored"),
            };
            vec![FieldError::new(path, code, error.detail)]
        } else {
            error.fields
        };
        Self {
            success: false,
            errors,
        }
    }
}

/// Records up to 1,000 events at once, as an array or as NDJSON. A bad row stops no other.
#[utoipa::path(
    post, path = "/api/events/batch", operation_id = "recordEvents", tag = "events",
    request_body(content((Vec<NewEvent> = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 202, description = "One result a row, in order", body = BatchResult)),
)]
pub(crate) async fn record_batch(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<BatchResult>)> {
    let rows = {
        let bytes = read(body, MAX_BATCH_BYTES).await?;
        rows(
            &bytes,
            content_type(&headers).as_deref() == Some("application/x-ndjson"),
        )?
    };
    let results = hub
        .record_events(caller.workspace, rows, &caller.source)
        .await?;
    let results = results
        .into_iter()
        .map(|row| match row {
            Ok(recorded) => RowResult::Recorded(recorded),
            Err(error) => RowResult::Refused(error.into()),
        })
        .collect();
    Ok((StatusCode::ACCEPTED, Json(BatchResult { results })))
}

/// The rows of a batch, each read by itself.
fn rows(bytes: &[u8], is_ndjson: bool) -> Result<Vec<Result<NewEvent, Error>>> {
    let pieces: Vec<&[u8]> = if is_ndjson {
        bytes
            .split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .collect()
    } else {
        let array: Vec<&RawValue> = match serde_json::from_slice(bytes) {
            Ok(array) => array,
            // For its words about what is wrong.
            Err(_) => {
                return Err(parse::<Vec<Box<RawValue>>>(bytes).err().unwrap_or_else(|| {
                    Problem::new(StatusCode::BAD_REQUEST, "The body could not be read.")
                }));
            }
        };
        array.into_iter().map(|row| row.get().as_bytes()).collect()
    };
    if pieces.is_empty() {
        return Err(Problem::field(
            "",
            "required",
            "The batch is empty; at least one event is expected.",
        ));
    }
    if pieces.len() > MAX_ROWS {
        return Err(Problem::field(
            "",
            "too_many",
            "A batch may hold 1,000 events at most. Nothing of it was stored; send it in parts.",
        ));
    }
    Ok(pieces
        .into_iter()
        .map(|piece| {
            parse(piece).map_err(|problem: Problem| Error {
                fields: problem.errors,
                ..Error::new(Kind::Invalid, problem.detail)
            })
        })
        .collect())
}

/// The events of the workspace, newest first.
#[utoipa::path(get, path = "/api/events", operation_id = "listEvents", tag = "events", params(EventFilter), responses((status = 200, body = EventPage)))]
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(filter): Filter<EventFilter>,
) -> Result<Json<EventPage>> {
    Ok(Json(hub.events(caller.workspace, filter).await?))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OneEvent {
    /// With its deliveries.
    event: Event,
}

/// One event with its deliveries.
#[utoipa::path(
    get, path = "/api/events/{id}", operation_id = "getEvent", tag = "events",
    params(("id" = String, Path)), responses((status = 200, body = OneEvent)),
)]
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<EventId>,
) -> Result<Json<OneEvent>> {
    Ok(Json(OneEvent {
        event: hub.event(caller.workspace, id).await?,
    }))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypes {
    event_types: Vec<EventType>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeclaredType {
    /// Always true.
    success: bool,
    event_type: EventType,
}

/// The event types that can be recorded.
#[utoipa::path(get, path = "/api/event-types", operation_id = "listEventTypes", tag = "events", responses((status = 200, body = EventTypes)))]
pub(crate) async fn types(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<EventTypes>> {
    Ok(Json(EventTypes {
        event_types: hub.event_types(caller.workspace).await?,
    }))
}

/// Declares a further event type.
#[utoipa::path(
    post, path = "/api/event-types", operation_id = "declareEventType", tag = "events",
    request_body = NewEventType, responses((status = 201, body = DeclaredType)),
)]
pub(crate) async fn declare_type(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(new): request::Json<NewEventType>,
) -> Result<Response> {
    let event_type = hub.declare_event_type(caller.workspace, new).await?;
    Ok((
        StatusCode::CREATED,
        Json(DeclaredType {
            success: true,
            event_type,
        }),
    )
        .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_row_of_a_batch_stops_no_other() {
        let ndjson = b"{\"type\":\"a.b\",\"data\":{}}\r\n\n{nonsense\n{\"type\":\"a.b\"}\n";
        let read = rows(ndjson, true).unwrap();
        assert!(read[0].is_ok());
        assert_eq!(
            RefusedRow::from(read.into_iter().nth(1).unwrap().unwrap_err()).errors[0].code,
            "malformed"
        );
        let array = rows(br#"[{"type":"a.b","data":{}},5,{"type":"a.b"}]"#, false).unwrap();
        assert_eq!(array.iter().filter(|row| row.is_ok()).count(), 1);
        assert_eq!(array[2].as_ref().unwrap_err().fields[0].path, "data");
    }

    #[test]
    fn a_batch_that_is_empty_too_long_or_no_list_is_refused_as_a_whole() {
        assert_eq!(rows(b" \n", true).unwrap_err().status, 422);
        assert_eq!(rows(b"[]", false).unwrap_err().status, 422);
        assert_eq!(rows(b"{}", false).unwrap_err().status, 422);
        assert_eq!(rows(b"[", false).unwrap_err().status, 400);
        assert_eq!(
            rows("{}\n".repeat(1_001).as_bytes(), true)
                .unwrap_err()
                .status,
            422
        );
    }
}
