//! A folder that is spoken to in S3: as much of it as Signalbox uses. Buckets stand in the path and need not be made.
//!
//! A file lies at `bucket/key`, each part of the path spelled as in the address; what is known of it, and the parts of
//! those that are not whole yet, lie in hidden folders beside the buckets.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use sha2::{Digest, Sha256};
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::storage::Body;

/// The access key that is refused, so that a refusal can be practised.
const REFUSED_KEY: &str = "REFUSED";
/// The most a list holds at a time.
const MAX_PAGE: usize = 1000;
/// The largest list of parts that is read.
const MAX_XML_BYTES: usize = 4 * 1024 * 1024;

/// The files.
pub(crate) struct Folder {
    root: PathBuf,
    numbers: AtomicU64,
}

/// A refusal in the words of S3.
struct Refused(u16, &'static str, &'static str);

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self(404, "NoSuchKey", "The specified key does not exist."),
            io::ErrorKind::StorageFull => Self(507, "XMinioStorageFull", "There is no more room."),
            _ => Self(500, "InternalError", "The folder could not be used."),
        }
    }
}

/// Bucket and key, as the address spells them.
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
}

impl Folder {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        Ok(Self {
            root: root.to_owned(),
            numbers: AtomicU64::new(1),
        })
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.serve(request)
            .await
            .unwrap_or_else(|Refused(status, code, message)| refusal(status, code, message))
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
        let (parts, body) = request.into_parts();
        let query = |name: &str| {
            let pairs = parts.uri.query()?.split('&');
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .find(|(known, _)| *known == name)
                .map(|(_, value)| decoded(value))
        };
        let signed = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
            .or_else(|| query("X-Amz-Credential").map(|key| format!("Credential={key}")))
            .ok_or(Refused(403, "AccessDenied", "There is no signature."))?;
        if signed.contains(&format!("Credential={REFUSED_KEY}/")) {
            return Err(Refused(
                403,
                "InvalidAccessKeyId",
                "The access key does not exist in our records.",
            ));
        }
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let place = Place { bucket, key };
        check(place.bucket)?;
        if key.is_empty() {
            if parts.method == Method::GET && query("uploads").is_some() {
                return self
                    .unfinished(bucket, &query("prefix").unwrap_or_default())
                    .await;
            }
            return match (&parts.method, query("list-type")) {
                (&Method::GET, Some(_)) => self.list(bucket, query).await,
                _ => Err(Refused(
                    501,
                    "NotImplemented",
                    "Only files, and lists of them.",
                )),
            };
        }
        for part in key.split('/') {
            check(part)?;
        }
        let upload = query("uploadId").filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit()));
        match (&parts.method, upload, query("partNumber")) {
            (&Method::PUT, Some(id), Some(number)) if number.parse::<u32>().is_ok() => {
                let folder = self.parts_of(&id);
                if !fs::try_exists(&folder).await? {
                    return Err(Refused(404, "NoSuchUpload", "There is no such upload."));
                }
                let tag = self
                    .store(&parts.headers, body, &folder.join(&number))
                    .await?;
                Ok(tagged(&tag))
            }
            (&Method::PUT, None, None) => {
                let tag = self.store(&parts.headers, body, &self.file(&place)).await?;
                let known = known(&parts.headers, &tag);
                write(&self.known(&place), known.as_bytes()).await?;
                Ok(tagged(&tag))
            }
            (&Method::POST, None, None) if query("uploads").is_some() => {
                let number = self.numbers.fetch_add(1, Ordering::Relaxed);
                let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                let id = format!("{:x}{number:04x}", since.as_nanos());
                let known = known(&parts.headers, "");
                write(&self.parts_of(&id).join("known"), known.as_bytes()).await?;
                write(&self.parts_of(&id).join("for"), path.as_bytes()).await?;
                Ok(xml(&format!(
                    "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                )))
            }
            (&Method::POST, Some(id), None) => self.complete(&place, &id, body).await,
            (&Method::DELETE, Some(id), None) => {
                fs::remove_dir_all(self.parts_of(&id))
                    .await
                    .map_err(|_| Refused(404, "NoSuchUpload", "There is no such upload."))?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (&Method::DELETE, None, None) => {
                for path in [self.file(&place), self.known(&place)] {
                    match fs::remove_file(path).await {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (&Method::GET | &Method::HEAD, None, None) => {
                self.read(&place, parts.method == Method::GET).await
            }
            _ => Err(Refused(
                501,
                "NotImplemented",
                "This storage does not do that.",
            )),
        }
    }

    fn file(&self, place: &Place<'_>) -> PathBuf {
        self.root.join(place.bucket).join(place.key)
    }

    fn known(&self, place: &Place<'_>) -> PathBuf {
        self.root.join(".known").join(place.bucket).join(place.key)
    }

    fn parts_of(&self, id: &str) -> PathBuf {
        self.root.join(".parts").join(id)
    }

    /// Writes a body beside its place, checks it against its sum and moves it there; gives its tag.
    async fn store(
        &self,
        headers: &HeaderMap,
        mut body: Incoming,
        path: &Path,
    ) -> Result<String, Refused> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let beside = self.root.join(format!(".{number}.new"));
        let mut file = fs::File::create(&beside).await?;
        let mut sum = Sha256::new();
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|_| Refused(400, "IncompleteBody", "The body ended before its length."));
            match frame {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        sum.update(&data);
                        file.write_all(&data).await?;
                    }
                }
                Err(refused) => {
                    let _ = fs::remove_file(&beside).await;
                    return Err(refused);
                }
            }
        }
        file.flush().await?;
        let sum: String = sum.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let claimed = headers
            .get("x-amz-content-sha256")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if claimed != "UNSIGNED-PAYLOAD" && claimed != sum {
            let _ = fs::remove_file(&beside).await;
            return Err(Refused(
                400,
                "XAmzContentSHA256Mismatch",
                "The body is not what was signed.",
            ));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        fs::rename(beside, path).await?;
        Ok(sum)
    }

    async fn complete(
        &self,
        place: &Place<'_>,
        id: &str,
        body: Incoming,
    ) -> Result<Response<Body>, Refused> {
        let folder = self.parts_of(id);
        let known = fs::read_to_string(folder.join("known"))
            .await
            .map_err(|_| Refused(404, "NoSuchUpload", "There is no such upload."))?;
        let wanted = http_body_util::Limited::new(body, MAX_XML_BYTES)
            .collect()
            .await
            .map_err(|_| Refused(400, "MalformedXML", "The list of parts cannot be read."))?
            .to_bytes();
        let wanted = String::from_utf8_lossy(&wanted);
        let numbers = wanted.split("<PartNumber>").skip(1);
        let whole = folder.join("whole");
        let mut file = fs::File::create(&whole).await?;
        let mut sums = Sha256::new();
        let mut count = 0;
        for number in numbers.filter_map(|rest| rest.split('<').next()) {
            let number: u32 = number
                .parse()
                .map_err(|_| Refused(400, "InvalidPart", "A part has no number."))?;
            let mut part = fs::File::open(folder.join(number.to_string()))
                .await
                .map_err(|_| Refused(400, "InvalidPart", "A part is not there."))?;
            tokio::io::copy(&mut part, &mut file).await?;
            sums.update(number.to_be_bytes());
            count += 1;
        }
        file.flush().await?;
        let path = self.file(place);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        fs::rename(&whole, path).await?;
        let tag: String = sums.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let tag = format!("{tag}-{count}");
        let known = format!("etag: \"{tag}\"\n{known}");
        write(&self.known(place), known.as_bytes()).await?;
        fs::remove_dir_all(folder).await?;
        Ok(xml(&format!(
            "<CompleteMultipartUploadResult><Key>{}</Key><ETag>&quot;{tag}&quot;</ETag></CompleteMultipartUploadResult>",
            place.key
        )))
    }

    /// Large files that were begun and neither finished nor given up.
    async fn unfinished(&self, bucket: &str, prefix: &str) -> Result<Response<Body>, Refused> {
        let mut uploads = String::new();
        // Before the first there is no such folder.
        fs::create_dir_all(self.parts_of("")).await?;
        let mut folders = fs::read_dir(self.parts_of("")).await?;
        while let Some(folder) = folders.next_entry().await? {
            let Ok(path) = fs::read_to_string(folder.path().join("for")).await else {
                continue;
            };
            let key = match path.split_once('/') {
                Some((of, key)) if of == bucket && decoded(key).starts_with(prefix) => decoded(key),
                _ => continue,
            };
            let id = folder.file_name().to_string_lossy().into_owned();
            uploads += &format!(
                "<Upload><Key>{}</Key><UploadId>{id}</UploadId></Upload>",
                escaped(&key)
            );
        }
        Ok(xml(&format!(
            "<ListMultipartUploadsResult><Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>"
        )))
    }

    async fn read(&self, place: &Place<'_>, with_body: bool) -> Result<Response<Body>, Refused> {
        let file = fs::File::open(self.file(place)).await?;
        let about = file.metadata().await?;
        if about.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        let known = fs::read_to_string(self.known(place)).await?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        for (name, value) in known.lines().filter_map(|line| line.split_once(": ")) {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        headers.insert(header::CONTENT_LENGTH, about.len().into());
        let modified = about.modified().ok().and_then(|at| at.try_into().ok());
        if let Some(modified) = modified.and_then(http_date) {
            headers.insert(header::LAST_MODIFIED, modified);
        }
        if with_body {
            let pieces = futures_util::stream::unfold(file, |mut file| async {
                let mut piece = vec![0; 64 * 1024];
                match file.read(&mut piece).await {
                    Ok(0) => None,
                    Ok(length) => {
                        piece.truncate(length);
                        Some((Ok(Frame::data(Bytes::from(piece))), file))
                    }
                    Err(error) => Some((Err(error.into()), file)),
                }
            });
            *response.body_mut() = StreamBody::new(pieces).boxed_unsync();
        }
        Ok(response)
    }

    async fn list(
        &self,
        bucket: &str,
        query: impl Fn(&str) -> Option<String>,
    ) -> Result<Response<Body>, Refused> {
        let prefix = query("prefix").unwrap_or_default();
        let after = query("continuation-token").or_else(|| query("start-after"));
        let most = query("max-keys")
            .and_then(|most| most.parse().ok())
            .unwrap_or(MAX_PAGE)
            .min(MAX_PAGE);
        let root = self.root.join(bucket);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(mut entries) = fs::read_dir(folder).await else {
                continue;
            };
            while let Some(entry) = entries.next_entry().await? {
                let about = entry.metadata().await?;
                let path = entry.path();
                if about.is_dir() {
                    folders.push(path);
                } else if let Some(key) = path.strip_prefix(&root).ok().and_then(Path::to_str) {
                    found.push((decoded(&key.replace('\\', "/")), about));
                }
            }
        }
        found.retain(|(key, _)| {
            key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key > after)
        });
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let more = found.len() > most;
        found.truncate(most);
        let mut list =
            format!("<ListBucketResult><Name>{bucket}</Name><IsTruncated>{more}</IsTruncated>");
        if let Some((last, _)) = found.last().filter(|_| more) {
            list += &format!(
                "<NextContinuationToken>{}</NextContinuationToken>",
                escaped(last)
            );
        }
        for (key, about) in &found {
            let modified = about.modified().ok().and_then(|at| at.try_into().ok());
            let modified: jiff::Timestamp = modified.unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            list += &format!(
                "<Contents><Key>{}</Key><LastModified>{modified:.3}</LastModified><Size>{}</Size></Contents>",
                escaped(key),
                about.len()
            );
        }
        Ok(xml(&(list + "</ListBucketResult>")))
    }
}

/// A part of a path that leads nowhere else, on any system.
fn check(part: &str) -> Result<(), Refused> {
    let plain = part
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~%+@!$&'(),;=".contains(&b));
    if part.is_empty() || part.starts_with('.') || part.len() > 250 || !plain {
        Err(Refused(
            400,
            "InvalidURI",
            "This storage cannot keep a file under this key.",
        ))
    } else {
        Ok(())
    }
}

/// What is to be known of a file beside its bytes, a line each.
fn known(headers: &HeaderMap, tag: &str) -> String {
    let mut lines = String::new();
    if !tag.is_empty() {
        lines += &format!("etag: \"{tag}\"\n");
    }
    for (name, value) in headers {
        let kept = matches!(name.as_str(), "content-type" | "content-disposition")
            || name.as_str().starts_with("x-amz-meta-");
        if let (true, Ok(value)) = (kept, value.to_str()) {
            lines += &format!("{name}: {value}\n");
        }
    }
    lines
}

async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await?;
    }
    fs::write(path, bytes).await
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|code| u8::from_str_radix(code, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &rest[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

pub(crate) fn http_date(at: jiff::Timestamp) -> Option<HeaderValue> {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .ok()?;
    HeaderValue::try_from(date).ok()
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body(""));
    *response.status_mut() = status;
    response
}

fn tagged(tag: &str) -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn body(text: &str) -> Body {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(crate) fn text(status: u16, kind: &'static str, words: &str) -> Response<Body> {
    let mut response = Response::new(body(words));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn xml(document: &str) -> Response<Body> {
    let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{document}");
    text(200, "application/xml", &document)
}

pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    text(status, "application/xml", &document)
}
