//! The window in a browser: the files of `serve --ui`, served without a token and with a policy
//! that lets the page load nothing but itself.

use std::path::Path;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::problem::{Problem, Result};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A folder with the built window.
pub(crate) struct Page(ServeDir);

impl Page {
    pub(crate) fn of(folder: &Path) -> Self {
        Self(ServeDir::new(folder))
    }

    /// Everything outside `/api` is the page's.
    pub(crate) fn is_for(path: &str) -> bool {
        path != "/api" && !path.starts_with("/api/")
    }

    pub(crate) async fn answer(&self, mut parts: Parts) -> Result<Response> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Pages can only be read.",
            ));
        }
        // An address inside the page has no file of its own: the page itself knows what to show.
        if !parts
            .uri
            .path()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .contains('.')
        {
            parts.uri = Uri::from_static("/index.html");
        }
        let mut response = match self
            .0
            .clone()
            .oneshot(Request::from_parts(parts, Body::empty()))
            .await
        {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such file in the folder of the page.",
            )
            .into_response(),
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        );
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        Ok(response)
    }
}
