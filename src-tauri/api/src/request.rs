//! What a request brings: who calls, for which workspace, and a body, id or filter that is read
//! strictly, with the path of whatever is wrong in it.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use signalbox_core::error::FieldError;
use signalbox_core::ids::{
    AutomationId, DeliveryId, EventId, ReplayId, TokenId, WebhookId, WorkspaceId,
};
use signalbox_core::tokens::Bearer;
use signalbox_core::{Error, Hub};

use crate::problem::{Problem, Result};

/// The largest body of a request.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The largest body of a batch.
pub(crate) const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Where batches go.
pub(crate) const BATCH_PATH: &str = "/api/events/batch";
/// Names the workspace that the owner speaks for, by name or id.
const WORKSPACE: &str = "signalbox-workspace";

/// Who calls. A request extension; whoever calls the router in process without one is the window.
#[derive(Debug, Clone)]
pub enum Principal {
    /// The owner, who names the workspace by the header `Signalbox-Workspace`.
    Owner {
        /// Where the owner sits: `window` or `signalctl`. Events are marked with it.
        source: &'static str,
    },
    /// A program with a token, good for one workspace.
    Program(Bearer),
}

impl Principal {
    /// The owner at the window.
    pub const WINDOW: Self = Self::Owner { source: "window" };
    /// The owner at the command line.
    pub const SIGNALCTL: Self = Self::Owner {
        source: "signalctl",
    };
}

/// The caller, once it is known for which workspace.
pub(crate) struct Caller {
    /// The workspace that all is about.
    pub(crate) workspace: WorkspaceId,
    /// A token's name, `window` or `signalctl`.
    pub(crate) source: String,
    /// True for the owner, who sees all workspaces.
    pub(crate) is_owner: bool,
}

impl FromRequestParts<Arc<Hub>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self> {
        let source = match parts
            .extensions
            .remove::<Principal>()
            .unwrap_or(Principal::WINDOW)
        {
            Principal::Program(bearer) => {
                return Ok(Self {
                    workspace: bearer.workspace,
                    source: bearer.name,
                    is_owner: false,
                });
            }
            Principal::Owner { source } => source,
        };
        let named = match parts.headers.get(WORKSPACE) {
            // A name may hold any letter, which `HeaderValue::to_str` does not allow.
            Some(name) => Some(std::str::from_utf8(name.as_bytes()).map_err(|_| {
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "The header Signalbox-Workspace has to be UTF-8.",
                )
            })?),
            None => None,
        };
        let workspace = hub.find_workspace(named).await?;
        Ok(Self {
            workspace,
            source: source.to_owned(),
            is_owner: true,
        })
    }
}

/// The bytes of a body, as far as the route takes them.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes> {
    match Limited::new(body, limit).collect().await {
        Ok(all) => Ok(all.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "The request broke off before its body was complete. Nothing was stored.",
        )),
    }
}

/// A body that is too large for its route.
pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "A body may be {} MiB at most here. Nothing was stored.",
            limit / (1024 * 1024)
        ),
    )
}

/// A JSON body, read strictly.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Hub>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &Arc<Hub>) -> Result<Self> {
        let bytes = read(request.into_body(), MAX_BODY_BYTES).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be missing altogether.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<Hub>> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &Arc<Hub>) -> Result<Self> {
        let bytes = read(request.into_body(), MAX_BODY_BYTES).await?;
        if bytes.is_empty() {
            Ok(Self(T::default()))
        } else {
            parse(&bytes).map(Self)
        }
    }
}

/// Takes the header `Idempotency-Key` for the member of this name.
///
/// # Errors
/// When it is no text, or differs from the member.
pub(crate) fn keyed(headers: &HeaderMap, member: &mut Option<String>) -> Result<()> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(());
    };
    let key = key.to_str().map_err(|_| {
        Problem::field(
            "idempotencyKey",
            "invalid",
            "The header Idempotency-Key has to be plain ASCII.",
        )
    })?;
    match member {
        Some(member) if member != key => Err(Problem::field(
            "idempotencyKey",
            "conflict",
            "The header Idempotency-Key and the member idempotencyKey differ; send one of them.",
        )),
        Some(_) => Ok(()),
        None => {
            *member = Some(key.to_owned());
            Ok(())
        }
    }
}

/// Reads JSON: 400 when it is none, 422 with the path when it is not what is expected.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // Only what fails is read again to find out where.
    serde_json::from_slice(bytes).map_err(|error| explain::<T>(bytes, &error))
}

#[cold]
fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "The body is empty; a JSON object is expected.",
        );
    }
    // A wrong field may be found before the place where the JSON itself breaks off.
    let broken = serde_json::from_slice::<IgnoredAny>(bytes).err();
    if let Some(broken) = broken.as_ref().or((!error.is_data()).then_some(error)) {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            format!(
                "The body is not valid JSON: {}, line {}, column {}.",
                without_position(&broken.to_string()),
                broken.line(),
                broken.column()
            ),
        );
    }
    let (path, message) = match serde_path_to_error::deserialize::<_, T>(
        &mut serde_json::Deserializer::from_slice(bytes),
    ) {
        Err(found) => (found.path().to_string(), found.inner().to_string()),
        Ok(_) => (String::new(), error.to_string()),
    };
    Error::invalid(vec![field_error(&path, &message)]).into()
}

/// A filter in the query string, read strictly.
pub(crate) struct Filter<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Hub>> for Filter<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Hub>) -> Result<Self> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// A filter, and beside it one word that is the route's own.
pub(crate) struct FilterAnd<T, O>(pub(crate) T, pub(crate) O);

/// The word of a route that stands beside a filter.
pub(crate) trait Beside {
    /// Its name.
    const NAME: &'static str;
}

impl<T: DeserializeOwned, O: DeserializeOwned + Beside> FromRequestParts<Arc<Hub>>
    for FilterAnd<T, O>
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Hub>) -> Result<Self> {
        let all = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let (own, filter): (Vec<_>, Vec<_>) = all.partition(|(name, _)| name == O::NAME);
        let joined = |pairs: Vec<_>| {
            form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish()
        };
        Ok(Self(query(&joined(filter))?, query(&joined(own))?))
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T> {
    let from = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(from).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        Error::invalid(vec![field_error(&path, &message)]).into()
    })
}

/// What serde says, as a finding about one field.
fn field_error(path: &str, message: &str) -> FieldError {
    let message = without_position(message);
    // `events[1]` is `events.1` here.
    let path = &path.replace('[', ".").replace(']', "");
    let path = path.as_str().trim_start_matches('.');
    let inside = |name: &str| match path {
        "" | "?" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("missing field") {
        return FieldError::new(
            inside(quoted()),
            "required",
            format!("“{}” is missing.", quoted()),
        );
    }
    if message.starts_with("unknown field") {
        let known = message
            .split_once(", expected ")
            .map(|(_, known)| format!(" Known: {}.", known.trim_start_matches("one of ")))
            .unwrap_or_default();
        return FieldError::new(
            inside(quoted()),
            "unknown",
            format!(
                "“{}” is not known here.{}",
                quoted(),
                known.replace('`', "")
            ),
        );
    }
    if message.starts_with("duplicate field") {
        return FieldError::new(
            inside(quoted()),
            "duplicate",
            format!("“{}” is there twice.", quoted()),
        );
    }
    let path = if path == "?" { "" } else { path };
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        return FieldError::new(
            path,
            "type",
            format!("This is {found}; expected is {expected}."),
        );
    }
    let sentence = if let Some((_, known)) = message
        .strip_prefix("unknown variant ")
        .and_then(|rest| rest.split_once(", expected "))
    {
        format!(
            "This can be {}.",
            known.trim_start_matches("one of ").replace('`', "")
        )
    } else if message.starts_with("must ") {
        format!("This {message}.")
    } else if message.contains("digit") || message.contains("integer") || message.contains("number")
    {
        "This has to be a whole number in its range.".to_owned()
    } else {
        format!("This does not fit: {message}.")
    };
    FieldError::new(path, "invalid", sentence)
}

fn without_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message)
}

/// An id in the path; what is no such id does not exist.
pub(crate) struct Id<T>(pub(crate) T);

/// What a kind of id is the id of.
pub(crate) trait Noun {
    /// "webhook"
    const NOUN: &'static str;
}

macro_rules! nouns {
    ($($id:ty: $noun:literal),+ $(,)?) => {
        $(impl Noun for $id { const NOUN: &'static str = $noun; })+
    };
}
nouns! { WorkspaceId: "workspace", AutomationId: "automation", WebhookId: "webhook", EventId: "event", DeliveryId: "delivery", TokenId: "token", ReplayId: "replay" }

impl<T: FromStr + Noun> FromRequestParts<Arc<Hub>> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self> {
        let text = Path::<String>::from_request_parts(parts, hub).await.ok();
        text.and_then(|Path(text)| text.parse().ok())
            .map(Self)
            .ok_or_else(|| Error::not_found(T::NOUN).into())
    }
}

/// The media type of a request, in lower case and without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

#[cfg(test)]
mod tests {
    use signalbox_core::events::NewEvent;
    use signalbox_core::webhooks::NewWebhook;

    use super::*;

    fn refused<T: DeserializeOwned>(json: &str) -> (u16, String, String) {
        let problem = parse::<T>(json.as_bytes()).err().unwrap();
        let field = problem.errors.first().cloned();
        (
            problem.status,
            field.as_ref().map(|f| f.path.clone()).unwrap_or_default(),
            field.map(|f| f.code).unwrap_or_default(),
        )
    }

    #[test]
    fn what_is_no_json_is_malformed_and_what_is_wrong_json_names_the_field() {
        assert_eq!(refused::<NewEvent>("{").0, 400);
        assert_eq!(refused::<NewEvent>(" ").0, 400);
        assert_eq!(refused::<NewEvent>("{} {}").0, 400);
        assert_eq!(refused::<NewEvent>("{\"name\":\"\u{1}\"}").0, 400);
        assert_eq!(
            refused::<NewEvent>(r#"{"type":"a.b"}"#),
            (422, "data".into(), "required".into())
        );
        assert_eq!(
            refused::<NewEvent>(r#"{"type":5,"data":{}}"#),
            (422, "type".into(), "type".into())
        );
        assert_eq!(
            refused::<NewEvent>(r#"{"type":"a.b","data":{},"subjekt":"x"}"#),
            (422, "subjekt".into(), "unknown".into())
        );
        assert_eq!(
            refused::<NewEvent>(r#"{"type":"a.b","data":{},"occurredAt":"x"}"#),
            (422, "occurredAt".into(), "invalid".into())
        );
        assert_eq!(
            refused::<NewWebhook>(r#"{"name":"a","url":"b","events":["a",5]}"#),
            (422, "events.1".into(), "type".into())
        );
    }

    #[test]
    fn data_keeps_its_bytes() {
        let event: NewEvent =
            parse(br#"{"type":"a.b", "data" : {"b" : 1e2, "a":"\u00e9"} }"#).unwrap();
        assert_eq!(event.data.get(), r#"{"b" : 1e2, "a":"\u00e9"}"#);
    }
}
