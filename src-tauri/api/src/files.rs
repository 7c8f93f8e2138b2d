//! Routes of files. An upload is read as it comes, part of a form by part, and never as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, StatusCode, header};
use multer::{Field, Multipart};
use serde::Deserialize;
use signalbox_core::error::FieldError;
use signalbox_core::integrations::storage::{
    DeletedFile, FileLink, FileList, NewFile, UploadedFile, key,
};
use signalbox_core::{Error, Hub};

use crate::problem::{Problem, Result};
use crate::request::{Caller, Filter};

/// Where files go.
pub(crate) const FILES_PATH: &str = "/api/files";
/// A file up to here is read whole, so that the folder may also stand behind it.
const READ_AHEAD: usize = 1024 * 1024;
/// The longest text of a field that is no file.
const MAX_TEXT_BYTES: usize = 4096;

/// Stores a file: form fields `file` and, best before it, `folder`. It may be of any size; after 60
/// seconds in which nothing moves it is given up. Up to 256 KiB are kept and tried again; whatever is
/// larger has to be sent again when it fails. When it fails, the answer is a graceful failure with
/// status 200.
#[utoipa::path(
    post, path = "/api/files", operation_id = "uploadFile", tag = "files",
    request_body(content_type = "multipart/form-data", content = Upload),
    responses((status = 200, body = UploadedFile)),
)]
pub(crate) async fn upload(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Json<UploadedFile>> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "A file comes as multipart/form-data with a boundary, in a field “file”.",
        )
    })?;
    let at_most = http_body::Body::size_hint(request.body()).upper();
    let mut form = Multipart::new(request.into_body().into_data_stream(), boundary);
    let mut folder = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("folder") if folder.is_none() => folder = Some(text(field).await?),
            Some("file") => {
                let new = NewFile {
                    folder: folder
                        .clone()
                        .unwrap_or_else(|| key::DEFAULT_FOLDER.to_owned()),
                    name: name(&field),
                    content_type: field.content_type().map(ToString::to_string),
                    at_most,
                };
                return store(&hub, caller, new, form, folder, field).await;
            }
            other => return Err(unknown(other.unwrap_or_default())),
        }
    }
    Err(invalid(
        "file",
        "required",
        "There is no field “file” in this form.",
    ))
}

/// The form of an upload.
#[derive(utoipa::ToSchema)]
#[allow(dead_code, reason = "describes the form; it is read as it comes")]
pub(crate) struct Upload {
    /// Where it is to lie; else `general`.
    folder: Option<String>,
    /// The file with its name; a name given as `filename*` (RFC 8187) is exact whatever is in it.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

async fn store(
    hub: &Arc<Hub>,
    caller: Caller,
    mut new: NewFile,
    mut form: Multipart<'static>,
    mut folder: Option<String>,
    mut file: Field<'static>,
) -> Result<Json<UploadedFile>> {
    let (mut ahead, mut length, mut whole) = (Vec::new(), 0, false);
    while length <= READ_AHEAD {
        match file.chunk().await.map_err(broken)? {
            Some(piece) => {
                length += piece.len();
                ahead.push(piece);
            }
            None => {
                whole = true;
                break;
            }
        }
    }
    if whole {
        drop(file);
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name() {
                Some("folder") if folder.is_none() => folder = Some(text(field).await?),
                other => return Err(unknown(other.unwrap_or_default())),
            }
        }
        new.folder = folder.unwrap_or(new.folder);
        new.at_most = Some(length as u64);
        let pieces = stream::iter(ahead.into_iter().map(Ok)).boxed();
        return Ok(Json(upload_from(hub, caller, new, pieces).await?));
    }
    let too_late = Arc::new(AtomicBool::new(false));
    let pieces = stream::iter(ahead.into_iter().map(Ok))
        .chain(rest(file, form, Arc::clone(&too_late)))
        .boxed();
    let uploaded = upload_from(hub, caller, new, pieces).await?;
    if too_late.load(Ordering::SeqCst) {
        return Err(invalid(
            "folder",
            "too_late",
            "Behind a file over 1 MiB comes nothing more; put the folder before the file. Nothing was stored.",
        ));
    }
    Ok(Json(uploaded))
}

async fn upload_from(
    hub: &Arc<Hub>,
    caller: Caller,
    new: NewFile,
    pieces: stream::BoxStream<'static, Result<Bytes, multer::Error>>,
) -> Result<UploadedFile> {
    Ok(hub
        .upload_file(caller.workspace, new, pieces, &caller.source)
        .await?)
}

/// What follows of a large file. A field behind it comes too late: it might have been the folder.
fn rest(
    file: Field<'static>,
    form: Multipart<'static>,
    too_late: Arc<AtomicBool>,
) -> impl Stream<Item = Result<Bytes, multer::Error>> + Send {
    stream::unfold(Some((file, form, too_late)), |state| async {
        let (mut file, mut form, too_late) = state?;
        match file.chunk().await {
            Ok(Some(piece)) => return Some((Ok(piece), Some((file, form, too_late)))),
            Err(error) => return Some((Err(error), None)),
            Ok(None) => drop(file),
        }
        match form.next_field().await {
            Ok(None) => None,
            Ok(Some(_)) => {
                too_late.store(true, Ordering::SeqCst);
                Some((Err(multer::Error::IncompleteStream), None))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn text(mut field: Field<'static>) -> Result<String> {
    let path = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_TEXT_BYTES {
            return Err(invalid(&path, "too_long", "This is too long."));
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid(&path, "invalid", "This has to be UTF-8."))
}

fn invalid(path: &str, code: &str, message: &str) -> Problem {
    Error::invalid(vec![FieldError::new(path, code, message)]).into()
}

fn unknown(field: &str) -> Problem {
    invalid(
        field,
        "unknown",
        "This form has one field “file” and at most one “folder”.",
    )
}

fn broken(_: multer::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "The form broke off or is not multipart/form-data as its boundary says. Nothing was stored.",
    )
}

/// The name that came with a file: `filename*` of RFC 8187, else `filename` as browsers write it.
fn name(file: &Field<'_>) -> String {
    let header = file.headers().get(header::CONTENT_DISPOSITION);
    let header = header.map(|value| value.as_bytes()).unwrap_or_default();
    exact_name(header)
        .or_else(|| plain_name(header))
        .unwrap_or_default()
}

fn exact_name(header: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(header).ok()?;
    let (_, rest) = text.split_once("filename*=")?;
    let rest = rest.split(';').next()?.trim();
    let (charset, rest) = rest.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    key::unpercent(encoded)
}

fn plain_name(header: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(header);
    let at = text
        .match_indices("filename=")
        .map(|(at, found)| (at, at + found.len()))
        .find(|(at, _)| text[..*at].ends_with([';', ' ', '\t']))?
        .1;
    let rest = text.get(at..)?.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split(';').next().map(|name| name.trim().to_owned());
    };
    let (mut name, mut characters) = (String::new(), quoted.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => name.push(escaped),
                Some(other) => name.extend(['\\', other]),
                None => {}
            },
            other => name.push(other),
        }
    }
    // What the HTML standard has browsers write for what would break the header.
    Some(
        name.replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n"),
    )
}

/// Which part of a list is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Listing {
    prefix: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

/// The files of the workspace, in the order of their keys.
#[utoipa::path(
    get, path = "/api/files", operation_id = "listFiles", tag = "files",
    params(
        ("prefix" = Option<String>, Query, description = "How the keys begin; else all of the workspace"),
        ("limit" = Option<u16>, Query, description = "1 to 200, else 50"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, body = FileList)),
)]
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(wanted): Filter<Listing>,
) -> Result<Json<FileList>> {
    let (prefix, limit) = (wanted.prefix.as_deref(), wanted.limit);
    Ok(Json(
        hub.list_files(caller.workspace, prefix, limit, wanted.cursor)
            .await?,
    ))
}

/// Which file, and for how long.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    key: String,
    expires_in: Option<u64>,
}

/// An address at which anybody may read the file until it expires.
#[utoipa::path(
    get, path = "/api/files/url", operation_id = "getFileUrl", tag = "files",
    params(
        ("key" = String, Query),
        ("expiresIn" = Option<u64>, Query, description = "Seconds, 1 to 604800; else 3600"),
    ),
    responses((status = 200, body = FileLink)),
)]
pub(crate) async fn link(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(wanted): Filter<Wanted>,
) -> Result<Json<FileLink>> {
    Ok(Json(
        hub.file_link(caller.workspace, &wanted.key, wanted.expires_in)
            .await?,
    ))
}

/// Which file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    key: String,
}

/// Deletes a file. One that is not there counts as deleted.
#[utoipa::path(
    delete, path = "/api/files", operation_id = "deleteFile", tag = "files",
    params(("key" = String, Query)), responses((status = 200, body = DeletedFile)),
)]
pub(crate) async fn remove(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Filter(wanted): Filter<Named>,
) -> Result<Json<DeletedFile>> {
    Ok(Json(hub.delete_file(caller.workspace, &wanted.key).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_programs_and_browsers_write_it() {
        for (header, expected) in [
            (
                "form-data; name=\"file\"; filename=\"a.txt\"",
                Some("a.txt"),
            ),
            (
                "form-data; filename=\"a;b.txt\"; name=\"file\"",
                Some("a;b.txt"),
            ),
            ("form-data; name=file; filename=a.txt", Some("a.txt")),
            (
                "form-data; name=\"file\"; filename=\"a\\\"b\\\\c\\d\"",
                Some("a\"b\\c\\d"),
            ),
            (
                "form-data; name=\"file\"; filename=\"a%22b%0D%0A%41\"",
                Some("a\"b\r\n%41"),
            ),
            (
                "form-data; name=\"file\"; filename=\"März 🎉.pdf\"",
                Some("März 🎉.pdf"),
            ),
            ("form-data; name=\"file\"", None),
        ] {
            assert_eq!(
                plain_name(header.as_bytes()).as_deref(),
                expected,
                "{header}"
            );
            assert_eq!(exact_name(header.as_bytes()), None);
        }
        let header =
            b"form-data; name=\"file\"; filename=\"x\"; filename*=utf-8''M%C3%A4rz%0A%2522.pdf";
        assert_eq!(exact_name(header).as_deref(), Some("M\u{e4}rz\n%22.pdf"));
        assert_eq!(exact_name(b"form-data; filename*=utf-8''%zz"), None);
        assert_eq!(
            exact_name(b"form-data; filename*=utf-8''").as_deref(),
            Some("")
        );
    }
}
