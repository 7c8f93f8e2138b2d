//! What goes wrong, as `application/problem+json` (RFC 9457). The one place where an error of core
//! becomes a status.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use signalbox_core::error::FieldError;
use signalbox_core::outcome::{Code, Graceful};
use signalbox_core::{Error, Kind};

/// A request that is not served, and why.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind of trouble it is, in a few words.
    pub title: String,
    /// The HTTP status once more.
    pub status: u16,
    /// What happened, what it means, what to do.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<u64>,
    /// An integration failed, and the caller's own work goes on: no problem but a result.
    #[serde(skip)]
    graceful: Option<Code>,
}

/// What handlers return.
pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: title(status).to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            graceful: None,
        }
    }

    /// One field that is wrong.
    pub(crate) fn field(path: &str, code: &str, message: &str) -> Self {
        Error::field(path, code, message).into()
    }

    /// The same problem, worth another try after so many seconds.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

/// The title of every problem of a status.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "This could not be read",
        StatusCode::UNAUTHORIZED => "A valid token is needed",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Not with this method",
        StatusCode::CONFLICT => "Not in this state",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "Not this kind of content",
        StatusCode::MISDIRECTED_REQUEST => "Not for this host",
        StatusCode::UNPROCESSABLE_ENTITY => "Some fields need another look",
        StatusCode::TOO_MANY_REQUESTS => "Too many wrong tokens",
        StatusCode::SERVICE_UNAVAILABLE => "Not possible right now",
        StatusCode::INSUFFICIENT_STORAGE => "The disk is full",
        _ => "Signalbox stumbled",
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, retry_after) = match error.kind {
            Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, None),
            Kind::NotFound => (StatusCode::NOT_FOUND, None),
            Kind::Conflict => (StatusCode::CONFLICT, None),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Kind::Keychain => (StatusCode::OK, None),
            Kind::Busy | Kind::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, Some(1)),
            Kind::Damaged => (StatusCode::SERVICE_UNAVAILABLE, Some(60)),
            Kind::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, None),
            Kind::Owned | Kind::WrongData | Kind::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, None)
            }
        };
        if status.is_server_error() {
            tracing::error!(kind = ?error.kind, source = ?error.source, "a request could not be served");
        }
        Self {
            retry_after,
            graceful: (error.kind == Kind::Keychain).then_some(Code::KeychainUnavailable),
            errors: error.fields,
            ..Self::new(status, error.detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Some(code) = self.graceful {
            return axum::Json(Graceful::ended(code, self.detail)).into_response();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"Signalbox\""),
            );
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_store_that_cannot_be_used_is_a_graceful_result_and_no_problem() {
        let response =
            Problem::from(Error::new(Kind::Keychain, "The key store is locked.")).into_response();
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn a_busy_database_asks_to_come_back_in_a_second() {
        let response = Problem::from(Error::new(Kind::Busy, "Busy.")).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }
}
