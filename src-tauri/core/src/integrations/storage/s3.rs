//! The calls of S3, by Amazon's own library over our own HTTP: same address policy, constant memory.
//!
//! What is sent is signed whole (its SHA-256 goes along), so that a storage refuses what was damaged on the way. Up to
//! 8 MiB are one PUT; more goes in parts, each repeated on its own, and what does not become a file is taken away again.

use std::error::Error as _;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, HttpClient, IdentityCache, Region,
    RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answers::{self, Answer, Stopped, judge};
use super::verified::{Download, Expected};
use super::{Keys, LINK_SECONDS, Place, key};
use crate::clock::{Clock, Time};
use crate::http::{Http, Streams};
use crate::outcome::{Code, Detail, Failure};

/// Up to here a file is one request; above it comes in parts of at least this size.
pub(crate) const PART_BYTES: usize = 8 * 1024 * 1024;
/// S3 takes no more parts.
const MAX_PARTS: u64 = 10_000;
/// So many parts are under way at a time; each is held in memory until it has arrived.
const LANES: usize = 3;
/// How long a short call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a storage may take to put the parts of a large file together.
const JOINING: Duration = Duration::from_secs(300);
/// So long may nothing move while a file is on its way.
pub(crate) const STALL: Duration = Duration::from_secs(60);
/// A piece of a body is counted as sent when it is handed to the connection.
const PIECE_BYTES: usize = 64 * 1024;
/// The largest page of a list.
pub(crate) const MAX_PAGE: u16 = 1000;

const NAME: &str = "name";
const SHA256: &str = "sha256";
const PART_SIZE: &str = "part-size";

/// A bucket that can be spoken to.
#[derive(Clone)]
pub(crate) struct S3 {
    client: Client,
    bucket: String,
    way: Way,
    clock: Clock,
}

/// What is to be stored.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) key: String,
    /// The name somebody gave it; kept exactly.
    pub(crate) name: String,
    pub(crate) content_type: String,
    /// How long it will be at most, where that is known.
    pub(crate) at_most: Option<u64>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) size: u64,
    pub(crate) etag: String,
}

/// What a storage knows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) size: u64,
    pub(crate) name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) etag: Option<String>,
}

/// A file in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) modified: Option<Time>,
}

/// One page of a list, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) files: Vec<Listed>,
    pub(crate) next: Option<String>,
}

/// Remembers that the parts of a file begin, first without and then with the id that they got.
pub(crate) type Begins<'a> =
    dyn Fn(Option<String>) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;

type Called<T, E> = Result<T, SdkError<E, HttpResponse>>;

impl S3 {
    /// The way to a bucket. Calls nobody.
    pub(crate) fn open(
        http: &Http,
        place: &Place,
        keys: &Keys,
        clock: &Clock,
    ) -> Result<Self, Stopped> {
        let address = place.address();
        let endpoint = crate::http::guard::check_url(&address, place.allow_private)
            .map_err(|_| Failure::new(Code::BlockedAddress))?;
        let streams = http
            .streams(&endpoint, place.allow_private)
            .map_err(|_| Failure::new(Code::Internal))?;
        let way = Way {
            streams,
            sent: None,
        };
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(address)
            .region(Region::new(place.region.clone()))
            .force_path_style(place.path_style)
            .credentials_provider(Credentials::new(
                keys.id.clone(),
                keys.secret.expose_secret(),
                None,
                None,
                "signalbox",
            ))
            .identity_cache(IdentityCache::no_cache())
            .http_client(way.clone())
            // Compatible storages do not know the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(300)),
            )
            // Links cannot be corrected, so a clock that is off is told, not worked around.
            .disable_clock_skew_correction(true)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            bucket: place.bucket.clone(),
            way,
            clock: clock.clone(),
        })
    }

    /// Whether keys, bucket, region and clock are right: a tiny file is stored and taken away again.
    pub(crate) async fn test(&self, prefix: &str) -> Result<(), Stopped> {
        let file = File {
            key: format!("{prefix}signalbox-test-{}.txt", uuid::Uuid::now_v7()),
            name: "test.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            at_most: None,
        };
        let bytes = Bytes::from_static(b"Signalbox was here to test, and is gone again.\n");
        let put = self.put(&self.client, &file, bytes);
        in_time(PATIENCE, put).await?;
        self.delete(&file.key).await
    }

    /// Stores what comes, of whatever length, with constant memory. `progress` hears how much has been sent. `begins` is
    /// waited for before parts begin, and again with the id they got, before the first of them is sent.
    pub(crate) async fn upload<E>(
        &self,
        file: &File,
        source: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
        progress: &(dyn Fn(u64) + Send + Sync),
        begins: &Begins<'_>,
    ) -> Result<Stored, Stopped> {
        let sent = Arc::new(watch::Sender::new(0));
        let way = Way {
            sent: Some(Arc::clone(&sent)),
            ..self.way.clone()
        };
        let config = self.client.config().to_builder().http_client(way).build();
        let client = Client::from_conf(config);
        let mut parts = Parts {
            source: source.fuse(),
            rest: Bytes::new(),
            size: part_size(file.at_most)?,
            spare: Vec::new(),
            sent: &sent,
        };
        let whole = moving(&sent, STALL, progress, async {
            let first = parts.next().await?.unwrap_or_default();
            match parts.next().await? {
                None => self.put(&client, file, first).await.map(Ok),
                Some(second) => Ok(Err([first, second])),
            }
        });
        let begun = match whole.await? {
            Ok(stored) => return Ok(stored),
            Err(begun) => begun,
        };
        begins(None).await?;
        let mut unfinished = self.begin(&client, file, parts.size).await?;
        begins(Some(unfinished.id.clone())).await?;
        let sending = moving(&sent, STALL, progress, unfinished.send(begun, &mut parts));
        let done = match sending.await {
            Ok((size, completed)) => unfinished.finish(self, size, completed).await,
            Err(stopped) => Err(stopped),
        };
        if done.is_err() {
            unfinished.abort().await;
        }
        done
    }

    async fn put(&self, client: &Client, file: &File, bytes: Bytes) -> Result<Stored, Stopped> {
        let size = bytes.len() as u64;
        let put = client
            .put_object()
            .bucket(&self.bucket)
            .key(&file.key)
            .content_type(&file.content_type)
            .set_content_disposition(key::disposition(&file.name))
            .metadata(NAME, key::encode_name(&file.name))
            .metadata(SHA256, hex(&Sha256::digest(&bytes)))
            .body(bytes.into())
            .send()
            .await;
        // Whatever answers 200 without this is no storage: a page to log in at, for one.
        let etag = self.told(put)?.e_tag.ok_or_else(answers::not_http)?;
        Ok(Stored { size, etag })
    }

    async fn begin(
        &self,
        client: &Client,
        file: &File,
        part_size: usize,
    ) -> Result<Unfinished, Stopped> {
        let begun = client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&file.key)
            .content_type(&file.content_type)
            .set_content_disposition(key::disposition(&file.name))
            .metadata(NAME, key::encode_name(&file.name))
            .metadata(PART_SIZE, part_size.to_string())
            .send();
        let begun = in_time(PATIENCE, async { self.told(begun.await) }).await?;
        Ok(Unfinished {
            client: client.clone(),
            bucket: self.bucket.clone(),
            key: file.key.clone(),
            id: begun.upload_id.ok_or_else(answers::not_http)?,
            clock: self.clock.clone(),
            open: true,
        })
    }

    /// Has the parts of a file taken away that never became whole. Without an id, those of exactly this key.
    pub(crate) async fn abandon(&self, key: &str, id: Option<&str>) -> Result<(), Stopped> {
        let ids = match id {
            Some(id) => vec![id.to_owned()],
            None => self.unfinished(key).await?,
        };
        for id in ids {
            let call = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(key)
                .upload_id(id);
            match in_time(PATIENCE, async { self.told(call.send().await) }).await {
                // It is gone already.
                Err(stopped) if stopped.failure.args.status == Some(404) => {}
                done => drop(done?),
            }
        }
        Ok(())
    }

    async fn unfinished(&self, key: &str) -> Result<Vec<String>, Stopped> {
        let call = self
            .client
            .list_multipart_uploads()
            .bucket(&self.bucket)
            .prefix(key);
        let found = in_time(PATIENCE, async { self.told(call.send().await) }).await?;
        Ok(found
            .uploads
            .unwrap_or_default()
            .into_iter()
            .filter(|upload| upload.key.as_deref() == Some(key))
            .filter_map(|upload| upload.upload_id)
            .collect())
    }

    /// What the storage knows of a file.
    pub(crate) async fn head(&self, key: &str) -> Result<Known, Stopped> {
        let call = self.client.head_object().bucket(&self.bucket).key(key);
        let known = in_time(PATIENCE, async { self.told(call.send().await) }).await?;
        Ok(Known {
            size: length(known.content_length)?,
            name: name_in(known.metadata.as_ref()),
            content_type: known.content_type,
            etag: known.e_tag,
        })
    }

    /// Reads a file. Whether it came whole and undamaged is known when [`Download::next`] has nothing more.
    pub(crate) async fn download(&self, key: &str) -> Result<Download, Stopped> {
        let call = self.client.get_object().bucket(&self.bucket).key(key);
        let file = in_time(PATIENCE, async { self.told(call.send().await) }).await?;
        let metadata = file.metadata.unwrap_or_default();
        let expected = Expected::of(
            metadata.get(SHA256).map(String::as_str),
            metadata.get(PART_SIZE).map(String::as_str),
            // Under a key of the storage's own or of the owner's, the tag says nothing about the bytes.
            file.e_tag
                .as_deref()
                .filter(|_| file.ssekms_key_id.is_none() && file.sse_customer_algorithm.is_none()),
        );
        Ok(Download::new(
            length(file.content_length)?,
            file.body,
            expected,
        ))
    }

    /// The files whose keys begin like this, in the order of their keys.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        from: Option<String>,
        limit: u16,
    ) -> Result<Page, Stopped> {
        let call = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(from)
            .max_keys(i32::from(limit.clamp(1, MAX_PAGE)));
        let page = in_time(PATIENCE, async { self.told(call.send().await) }).await?;
        // A page that names nothing of a list is none.
        if page.is_truncated.is_none() && page.name.is_none() {
            return Err(answers::not_http());
        }
        let files = page.contents.unwrap_or_default().into_iter();
        Ok(Page {
            files: files
                .filter_map(|file| {
                    Some(Listed {
                        key: file.key?,
                        size: file.size.and_then(|size| u64::try_from(size).ok())?,
                        modified: file
                            .last_modified
                            .and_then(|at| at.to_millis().ok())
                            .map(Time::from_ms),
                    })
                })
                .collect(),
            next: page
                .next_continuation_token
                .filter(|_| page.is_truncated == Some(true)),
        })
    }

    /// Takes a file away. S3 does not say whether it was there.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Stopped> {
        let call = self.client.delete_object().bucket(&self.bucket).key(key);
        in_time(PATIENCE, async { self.told(call.send().await) }).await?;
        Ok(())
    }

    /// An address at which anybody can read a file for so many seconds. Calls nobody.
    pub(crate) async fn link(&self, key: &str, seconds: u64) -> Result<String, Stopped> {
        let (least, most) = LINK_SECONDS.into_inner();
        let wrong = |_| Failure::new(Code::Internal);
        let time = PresigningConfig::expires_in(Duration::from_secs(seconds.clamp(least, most)))
            .map_err(|_| Failure::new(Code::Internal))?;
        let call = self.client.get_object().bucket(&self.bucket).key(key);
        let link = call.presigned(time).await.map_err(wrong)?;
        Ok(link.uri().to_owned())
    }

    fn told<T, E>(&self, called: Called<T, E>) -> Result<T, Stopped>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        called.map_err(|error| stopped(&error, self.clock.now()))
    }
}

/// The size of the parts of a file that will be at most so long.
fn part_size(at_most: Option<u64>) -> Result<usize, Stopped> {
    const MIB: u64 = 1024 * 1024;
    let least = at_most.unwrap_or(0).div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    usize::try_from(least)
        .map(|least| least.max(PART_BYTES))
        .map_err(|_| Stopped::new(Code::Rejected, Detail::TooLarge))
}

fn length(given: Option<i64>) -> Result<u64, Stopped> {
    given
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(answers::not_http)
}

fn name_in(metadata: Option<&std::collections::HashMap<String, String>>) -> Option<String> {
    Some(key::decode_name(metadata?.get(NAME)?))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Stopped>>,
) -> Result<T, Stopped> {
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(Failure::timed_out(limit.as_secs()).into()))
}

/// Does the work as long as something moves, and passes on how far it is.
pub(super) async fn moving<T>(
    sent: &watch::Sender<u64>,
    limit: Duration,
    progress: &(dyn Fn(u64) + Send + Sync),
    work: impl Future<Output = Result<T, Stopped>>,
) -> Result<T, Stopped> {
    let mut moved = sent.subscribe();
    let stalls = async {
        while let Ok(Ok(())) = tokio::time::timeout(limit, moved.changed()).await {
            progress(*moved.borrow_and_update());
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = stalls => Err(Stopped::stalled(limit.as_secs())),
    }
}

/// What comes, cut into parts.
struct Parts<'a, S> {
    source: S,
    rest: Bytes,
    size: usize,
    /// The memory of parts that have arrived.
    spare: Vec<BytesMut>,
    sent: &'a watch::Sender<u64>,
}

impl<S, E> Parts<'_, S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// The next part, full unless it is the last; nothing when all has been given.
    async fn next(&mut self) -> Result<Option<Bytes>, Stopped> {
        let mut part = self
            .spare
            .pop()
            .unwrap_or_else(|| BytesMut::with_capacity(self.size));
        loop {
            let room = self.size - part.len();
            let piece = self.rest.split_to(room.min(self.rest.len()));
            part.extend_from_slice(&piece);
            if part.len() == self.size {
                return Ok(Some(part.freeze()));
            }
            match self.source.next().await {
                Some(Ok(more)) => self.rest = more,
                Some(Err(_)) => return Err(Stopped::new(Code::Rejected, Detail::BrokeOff)),
                None => return Ok((!part.is_empty()).then(|| part.freeze())),
            }
            // Whoever hands in slowly also moves.
            self.sent.send_modify(|_| {});
        }
    }
}

/// A large file whose parts the storage keeps until it is finished or given up. Given up when dropped.
struct Unfinished {
    client: Client,
    bucket: String,
    key: String,
    id: String,
    clock: Clock,
    open: bool,
}

impl Unfinished {
    async fn send<S, E>(
        &self,
        begun: [Bytes; 2],
        rest: &mut Parts<'_, S>,
    ) -> Result<(u64, Vec<CompletedPart>), Stopped>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let mut under_way = JoinSet::new();
        let mut completed = Vec::new();
        let (mut size, mut number) = (0, 0);
        let mut ready = begun.into_iter();
        while let Some(part) = match ready.next() {
            Some(part) => Some(part),
            None => rest.next().await?,
        } {
            if under_way.len() == LANES {
                completed.extend(rest.take_back(under_way.join_next().await)?);
            }
            size += part.len() as u64;
            number += 1;
            if number > MAX_PARTS as i32 {
                return Err(Stopped::new(Code::Rejected, Detail::TooLarge));
            }
            under_way.spawn(self.part(number, part));
        }
        while let Some(done) = under_way.join_next().await {
            completed.extend(rest.take_back(Some(done))?);
        }
        completed.sort_unstable_by_key(CompletedPart::part_number);
        Ok((size, completed))
    }

    fn part(
        &self,
        number: i32,
        bytes: Bytes,
    ) -> impl Future<Output = Result<(CompletedPart, Bytes), Stopped>> + Send + 'static {
        let call = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .part_number(number)
            .body(bytes.clone().into());
        let clock = self.clock.clone();
        async move {
            let part = call
                .send()
                .await
                .map_err(|error| stopped(&error, clock.now()))?;
            let etag = part.e_tag.ok_or_else(answers::not_http)?;
            let part = CompletedPart::builder()
                .part_number(number)
                .e_tag(etag)
                .build();
            Ok((part, bytes))
        }
    }

    /// Has the parts put together. When the answer gets lost, the file itself is asked for.
    async fn finish(
        &mut self,
        s3: &S3,
        size: u64,
        parts: Vec<CompletedPart>,
    ) -> Result<Stored, Stopped> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let call = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(parts);
        let done = in_time(JOINING, async {
            s3.told(call.send().await)?
                .e_tag
                .ok_or_else(answers::not_http)
        })
        .await;
        let etag = match done {
            Ok(etag) => Ok(etag),
            Err(stopped) => match s3.head(&self.key).await {
                Ok(known) if known.size == size => Ok(known.etag.unwrap_or_default()),
                _ => Err(stopped),
            },
        }?;
        self.open = false;
        Ok(Stored { size, etag })
    }

    /// Has the parts taken away.
    async fn abort(&mut self) {
        let _ = tokio::time::timeout(PATIENCE, self.take_away()).await;
        self.open = false;
    }

    fn take_away(&self) -> impl Future<Output = ()> + Send + 'static {
        let call = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id);
        async move {
            if let Err(error) = call.send().await {
                tracing::warn!(
                    code = error.code(),
                    "the parts of a file stay in the storage"
                );
            }
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.open
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(self.take_away());
        }
    }
}

type Joined = Result<Result<(CompletedPart, Bytes), Stopped>, tokio::task::JoinError>;

impl<S> Parts<'_, S> {
    /// A part that has arrived; its memory is used again.
    fn take_back(&mut self, done: Option<Joined>) -> Result<Option<CompletedPart>, Stopped> {
        let Some(done) = done else {
            return Ok(None);
        };
        let (part, bytes) = done.map_err(|_| Stopped::from(Failure::new(Code::Internal)))??;
        if let Ok(mut memory) = bytes.try_into_mut() {
            memory.clear();
            self.spare.push(memory);
        }
        Ok(Some(part))
    }
}

/// What an error of the library means.
fn stopped<E>(error: &SdkError<E, HttpResponse>, now: Time) -> Stopped
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let SdkError::ConstructionFailure(_) = error {
        return Failure::new(Code::Internal).into();
    }
    let mut cause = error.source();
    while let Some(this) = cause {
        if let Some(Silent(failure)) = this.downcast_ref() {
            return failure.clone().into();
        }
        if let Some(broken) = crate::http::broken(this) {
            return broken.into();
        }
        cause = this.source();
    }
    let Some(answer) = error.raw_response() else {
        return answers::not_http();
    };
    let header = |name| answer.headers().get(name);
    judge(
        Answer {
            status: answer.status().as_u16(),
            code: error.code(),
            message: error.message(),
            date: header("date"),
            region: header("x-amz-bucket-region"),
            retry_after: header("retry-after"),
        },
        now,
    )
}

/// No answer came.
#[derive(Debug)]
struct Silent(Failure);

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.as_str())
    }
}

impl std::error::Error for Silent {}

/// Our HTTP under Amazon's library.
#[derive(Debug, Clone)]
struct Way {
    streams: Streams,
    /// Counts what is sent, while a file is.
    sent: Option<Arc<watch::Sender<u64>>>,
}

impl HttpClient for Way {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Way {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let way = self.clone();
        HttpConnectorFuture::new(way.carry(request))
    }
}

impl Way {
    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |error| ConnectorError::user(Box::new(error));
        let (parts, body) = request.try_into_http1x().map_err(user)?.into_parts();
        let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let body = match &self.sent {
            None => reqwest::Body::wrap(body),
            Some(sent) => reqwest::Body::wrap(Counted {
                body,
                rest: Bytes::new(),
                sent: Arc::clone(sent),
                counted: Arc::clone(&counted),
            }),
        };
        let answer = self
            .streams
            .carry(http::Request::from_parts(parts, body))
            .await;
        if let Some(sent) = &self.sent
            && !answer
                .as_ref()
                .is_ok_and(|answer| answer.status().is_success())
        {
            // It comes again, or never.
            let counted = counted.load(std::sync::atomic::Ordering::Relaxed);
            sent.send_modify(|sent| *sent = sent.saturating_sub(counted));
        }
        match answer {
            Ok(answer) => HttpResponse::try_from(answer.map(SdkBody::from_body_1_x)).map_err(user),
            Err(failure) => {
                let code = failure.code;
                let silent = Box::new(Silent(failure));
                Err(match code {
                    Code::Unreachable => ConnectorError::io(silent),
                    Code::TimedOut => ConnectorError::timeout(silent),
                    // An address that may not be called is not tried again.
                    _ => ConnectorError::user(silent),
                })
            }
        }
    }
}

/// A body that says how much of it has been sent.
struct Counted {
    body: SdkBody,
    rest: Bytes,
    sent: Arc<watch::Sender<u64>>,
    counted: Arc<std::sync::atomic::AtomicU64>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = aws_smithy_types::body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return other,
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE_BYTES));
        let length = piece.len() as u64;
        this.counted
            .fetch_add(length, std::sync::atomic::Ordering::Relaxed);
        this.sent.send_modify(|sent| *sent += length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = Body::size_hint(&self.body);
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && Body::is_end_stream(&self.body)
    }
}
