//! What can be done with files: stored, listed, linked to, deleted, read.
//!
//! A small file is a delivery like any other: its bytes are kept until it is stored, so it can wait and be tried again.
//! A large one streams through while its delivery is under way; nothing of it is kept, so when that fails it has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use super::answers::Stopped;
use super::put::{MAX_KEPT_BYTES, Put, content_type};
use super::s3::{File, S3};
use super::setup::{KEY_ID, SECRET};
use super::{Keys, LINK_SECONDS, key};
use crate::clock::Time;
use crate::db;
use crate::db::attempts::Ended;
use crate::db::unfinished_uploads::UnfinishedRow;
use crate::error::{Error, Result};
use crate::http::guard::Class;
use crate::http::{elapsed_ms, literal_class};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::integrations::kept::Kept;
use crate::integrations::send::Sent;
use crate::integrations::{Kind, Settings, words};
use crate::outbox::{Carries, Outgoing, Sending, Target, finish, lease_until, record_send};
use crate::outcome::{Code, Detail, Failure, Graceful};

/// The type of the event that a file to be stored is.
pub(crate) const PUT: &str = "storage.put";
/// A link is good for an hour unless it is asked for otherwise.
const LINK_FOR: u64 = 3600;
/// The usual and the largest page of a list.
const PAGE: u16 = 50;
const MAX_PAGE: u16 = 200;
/// A list does not tell names; so many files are asked for theirs at a time.
const ASKED_AT_ONCE: usize = 8;
/// While a large file is on its way, its lease is renewed this often.
const RENEWED: Duration = Duration::from_secs(300);

/// A file that is handed in.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Where it is to lie, under the workspace.
    pub folder: String,
    /// What it is called.
    pub name: String,
    /// What kind it is, where that is said.
    pub content_type: Option<String>,
    /// How long it is at most, where that is known.
    pub at_most: Option<u64>,
}

/// How storing a file went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum UploadedFile {
    /// It is stored.
    Stored(StoredFile),
    /// It is not, or not yet; the caller's own work goes on.
    Gracefully(Graceful),
}

/// A file that was stored.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StoredFile {
    /// Always true.
    pub success: bool,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
    /// Where it lies: `{workspaceId}/{folder}/{uuid}.{ext}`.
    pub key: String,
    /// Its address, for those who may read there; anybody else needs a link.
    pub file_url: String,
    /// The last part of the key.
    pub filename: String,
    /// What it was called, exactly.
    pub original_name: String,
    /// In bytes.
    pub size: u64,
}

/// A list of files.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FileList {
    /// One page.
    Listed(ListedFiles),
    /// The storage could not be asked.
    Gracefully(Graceful),
}

/// One page of a list of files.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ListedFiles {
    /// Always true.
    pub success: bool,
    /// In the order of their keys.
    pub files: Vec<ListedFile>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
}

/// A file in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ListedFile {
    /// Where it lies.
    pub key: String,
    /// The last part of the key.
    pub filename: String,
    /// What it was called; null when that is not known.
    pub original_name: Option<String>,
    /// In bytes.
    pub size: u64,
    /// When it was stored.
    pub modified_at: Option<Time>,
}

/// A link to a file.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FileLink {
    /// The link.
    Link(LinkToFile),
    /// None could be made.
    Gracefully(Graceful),
}

/// An address at which anybody may read a file for a while.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinkToFile {
    /// Always true.
    pub success: bool,
    /// The address.
    pub url: String,
    /// From then on it leads nowhere.
    pub expires_at: Time,
}

/// How deleting a file went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeletedFile {
    /// It is gone.
    Deleted(FileGone),
    /// The storage could not be asked.
    Gracefully(Graceful),
}

/// A file that is no longer there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FileGone {
    /// Always true.
    pub success: bool,
    /// Where it lay.
    pub key: String,
    /// A sentence.
    pub message: String,
}

impl Hub {
    /// Where the files of practice mode lie.
    #[must_use]
    pub fn practice_files(&self) -> std::path::PathBuf {
        self.home().join("practice-files")
    }

    /// Stores a file of any length. The answer comes once it is stored, or with why it is not.
    ///
    /// # Errors
    /// `Invalid` for a folder or name that cannot be, or a file that broke off; trouble of ours.
    pub async fn upload_file<E: Send + 'static>(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        new: NewFile,
        mut source: impl Stream<Item = std::result::Result<Bytes, E>> + Send + Unpin + 'static,
        from: &str,
    ) -> Result<UploadedFile> {
        key::check_name(&new.name).map_err(|wrong| Error::invalid(vec![wrong]))?;
        let key = key::new_key(&workspace, &new.folder, &new.name)
            .map_err(|wrong| Error::invalid(vec![wrong]))?;
        let put = Put {
            key,
            content_type: Some(content_type(new.content_type.as_deref(), &new.name)),
            name: Some(new.name),
            ..Put::default()
        };
        let mut ahead = BytesMut::new();
        while ahead.len() <= MAX_KEPT_BYTES {
            match source.next().await {
                Some(Ok(piece)) => ahead.extend_from_slice(&piece),
                Some(Err(_)) => return Err(broke_off()),
                None => return self.store_small(workspace, put, &ahead, from).await,
            }
        }
        let source = stream::iter([Ok(ahead.freeze())]).chain(source);
        let (hub, from) = (self.clone(), from.to_owned());
        // It is seen to its end, also when nobody waits for it any longer.
        tokio::spawn(async move {
            hub.store_large(workspace, put, new.at_most, source, &from)
                .await
        })
        .await
        .map_err(Error::internal)?
    }

    async fn store_small(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        put: Put,
        bytes: &[u8],
        from: &str,
    ) -> Result<UploadedFile> {
        let put = put.with(bytes);
        let body = serde_json::to_vec(&put).map_err(Error::internal)?;
        let sending = sending(&put, Carries::Body(body.into()), from)?;
        let (record, _) = self.send_directly(workspace, sending).await?;
        Ok(match self.outcome(Kind::Storage, &record) {
            Ok(_) => {
                let size = bytes.len() as u64;
                UploadedFile::Stored(self.stored(workspace, record.id, &put, size).await?)
            }
            Err(graceful) => UploadedFile::Gracefully(graceful),
        })
    }

    async fn store_large<E: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        put: Put,
        at_most: Option<u64>,
        source: impl Stream<Item = std::result::Result<Bytes, E>> + Send + Unpin,
        from: &str,
    ) -> Result<UploadedFile> {
        let (now, lanes) = (self.now(), self.lanes.clone());
        let sending = sending(&put, Carries::Stream, from)?;
        let recorded = self
            .db
            .write(move |tx| record_send(tx, workspace, &sending, now, &lanes, None))
            .await?;
        let (id, mut size) = (recorded.delivery, 0);
        if let Some(out) = recorded.own {
            // Each holds some parts in memory.
            let _room = self.uploads.acquire().await.map_err(Error::internal)?;
            let sent = tokio::select! {
                sent = self.stream_through(&out, &put, at_most, source, &mut size) => sent,
                never = self.renew(&out) => match never {},
            };
            let (now, lanes) = (self.now(), self.lanes.clone());
            self.db
                .write(move |tx| finish::finish(tx, &out, &sent.ended, None, now, 0.0, &lanes))
                .await?;
        }
        let record = self
            .db
            .read(move |conn| db::deliveries::get(conn, workspace, id))
            .await?
            .ok_or_else(|| Error::not_found("delivery"))?;
        Ok(match self.outcome(Kind::Storage, &record) {
            Ok(_) => UploadedFile::Stored(self.stored(workspace, id, &put, size).await?),
            Err(graceful) => UploadedFile::Gracefully(graceful),
        })
    }

    async fn stream_through<E>(
        &self,
        out: &Outgoing,
        put: &Put,
        at_most: Option<u64>,
        source: impl Stream<Item = std::result::Result<Bytes, E>> + Send + Unpin,
        size: &mut u64,
    ) -> Sent {
        let settings = match &out.target {
            Target::Integration(settings) => settings,
            Target::Webhook(_) => return Sent::failed(Failure::new(Code::Internal), ""),
        };
        let Settings::Storage(bucket) = &**settings else {
            return Sent::failed(Failure::new(Code::Internal), settings.base_url());
        };
        let mut sent = match self.integration_secrets(out.workspace, Kind::Storage).await {
            Ok(kept) => {
                let file = put.file(at_most);
                let (sent, stored) = self
                    .store(out.workspace, bucket, &kept, &file, source)
                    .await;
                *size = stored;
                sent
            }
            Err(failure) => Sent::failed(failure, settings.base_url()),
        };
        if sent.ended.status.is_none()
            && let Some(failure) = sent.ended.failure.take()
        {
            sent.ended.failure = Some(self.judged(failure, settings).await);
        }
        sent
    }

    /// Keeps a delivery its own while it is under way for long.
    async fn renew(&self, out: &Outgoing) -> std::convert::Infallible {
        let (delivery, number) = (out.delivery, out.number);
        loop {
            tokio::time::sleep(RENEWED).await;
            let until = lease_until(self.now());
            self.db
                .write_later(move |tx| db::deliveries::renew(tx.conn(), delivery, number, until));
        }
    }

    /// One attempt at storing what was kept.
    pub(crate) async fn store_once(
        &self,
        out: &Outgoing,
        settings: &super::Settings,
        kept: &Kept,
    ) -> Sent {
        let failed = |failure| Sent::failed(failure, settings.base_url());
        let Ok(put) = serde_json::from_slice::<Put>(&out.body) else {
            return failed(Failure::new(Code::Internal));
        };
        let Some(bytes) = put.bytes() else {
            return failed(Failure::new(Code::Rejected).with(Detail::NotKept));
        };
        let put = put.below(&key::prefix(&out.workspace));
        if key::check_key(&put.key).is_err() {
            return failed(Failure::new(Code::Rejected).with(Detail::Malformed));
        }
        let source = stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        self.store(out.workspace, settings, kept, &put.file(put.size), source)
            .await
            .0
    }

    /// One call, and how many bytes were stored.
    async fn store<E>(
        &self,
        workspace: WorkspaceId,
        settings: &super::Settings,
        kept: &Kept,
        file: &File,
        source: impl Stream<Item = std::result::Result<Bytes, E>> + Send + Unpin,
    ) -> (Sent, u64) {
        let started = Instant::now();
        let s3 = match self.open_storage(settings, kept) {
            Ok(s3) => s3,
            Err(failure) => return (Sent::failed(failure, settings.base_url()), 0),
        };
        let began = AtomicBool::new(false);
        let bucket = settings.place().url("");
        let begins = |upload_id| -> BoxFuture<'_, std::result::Result<(), Failure>> {
            began.store(true, Ordering::Relaxed);
            let row = UnfinishedRow {
                workspace,
                key: file.key.clone(),
                bucket: bucket.clone(),
                upload_id,
            };
            Box::pin(async {
                let remembered = self.remember_unfinished(row).await;
                remembered.map_err(|_| Failure::new(Code::Internal))
            })
        };
        let stored = s3.upload(file, source, &|_| {}, &begins).await;
        // What failed was given up there too; if that went wrong, the next start sees to it.
        if stored.is_ok() && began.load(Ordering::Relaxed) {
            let key = file.key.clone();
            self.db
                .write_later(move |tx| db::unfinished_uploads::delete(tx.conn(), workspace, &key));
        }
        let mut ended = Ended {
            duration_ms: Some(elapsed_ms(started)),
            request_url: Some(settings.place().url(&file.key)),
            ..Ended::default()
        };
        let (mut retry_after, mut size) = (None, 0);
        match stored {
            Ok(stored) => {
                size = stored.size;
                let answer = serde_json::json!({ "size": stored.size, "etag": stored.etag });
                ended.status = Some(200);
                ended.response_body = Some(answer.to_string().into_bytes());
                ended.provider_id = Some(file.key.clone());
            }
            Err(stopped) => {
                ended.status = stopped.failure.args.status;
                ended.response_body = stopped.words.map(|words| String::from(words).into_bytes());
                ended.failure = Some(stopped.failure);
                retry_after = stopped.retry_after;
            }
        }
        (Sent { ended, retry_after }, size)
    }

    async fn stored(
        &self,
        workspace: WorkspaceId,
        delivery_id: DeliveryId,
        put: &Put,
        size: u64,
    ) -> Result<StoredFile> {
        let row = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, Kind::Storage))
            .await?;
        let file_url = match row.map(|row| row.settings) {
            Some(Settings::Storage(settings)) => settings.place().url(&put.key),
            _ => String::new(),
        };
        Ok(StoredFile {
            success: true,
            delivery_id,
            key: put.key.clone(),
            file_url,
            filename: put.filename().to_owned(),
            original_name: put.name().to_owned(),
            size,
        })
    }

    /// The way to a bucket, with its keys. Calls nobody.
    pub(crate) fn open_storage(
        &self,
        settings: &super::Settings,
        kept: &Kept,
    ) -> std::result::Result<S3, Failure> {
        let address = settings.base_url();
        let url = url::Url::parse(address).map_err(|_| Failure::new(Code::BlockedAddress))?;
        if literal_class(&url) == Some(Class::Loopback)
            && self.own_port().is_some()
            && url.port_or_known_default() == self.own_port()
        {
            return Err(Failure::new(Code::BlockedAddress));
        }
        let keys = Keys {
            id: kept.secret(KEY_ID, address)?.to_owned(),
            secret: kept.secret(SECRET, address)?.into(),
        };
        S3::open(&self.http, &settings.place(), &keys, self.clock())
            .map_err(|stopped| stopped.failure)
    }

    /// The workspace's bucket, if it is set up and active; else why it cannot be used.
    async fn storage(
        &self,
        workspace: WorkspaceId,
    ) -> Result<std::result::Result<(S3, super::Settings), Graceful>> {
        let row = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, Kind::Storage))
            .await?;
        let opened = match row {
            None => Err(Failure::new(Code::NotConfigured)),
            Some(row) if !row.is_active => Err(Failure::new(Code::Disabled)),
            Some(row) => match row.settings {
                Settings::Storage(settings) => {
                    let kept = self.integration_secrets(workspace, Kind::Storage).await;
                    kept.and_then(|kept| Ok((self.open_storage(&settings, &kept)?, settings)))
                }
                _ => Err(Failure::new(Code::Internal)),
            },
        };
        Ok(opened.map_err(|failure| graceful(&failure, None)))
    }

    /// A call that failed, as the caller is told.
    async fn failed(&self, stopped: Stopped, settings: super::Settings) -> Graceful {
        let words = stopped.words;
        let failure = match stopped.failure.args.status {
            None => {
                self.judged(stopped.failure, &Settings::Storage(settings))
                    .await
            }
            Some(_) => stopped.failure,
        };
        graceful(&failure, words.as_deref())
    }

    /// Which files there are, page by page.
    ///
    /// # Errors
    /// `NotFound` for a prefix outside the workspace; `Invalid` for a page that cannot be.
    pub async fn list_files(
        &self,
        workspace: WorkspaceId,
        prefix: Option<&str>,
        limit: Option<u16>,
        cursor: Option<String>,
    ) -> Result<FileList> {
        let own = key::prefix(&workspace);
        let prefix = prefix.unwrap_or(&own);
        if !prefix.starts_with(&own) {
            return Err(not_there());
        }
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::field("limit", "invalid", "1 to 200 at a time."));
        }
        let (s3, settings) = match self.storage(workspace).await? {
            Ok(storage) => storage,
            Err(graceful) => return Ok(FileList::Gracefully(graceful)),
        };
        let page = match s3.list(prefix, cursor, limit).await {
            Ok(page) => page,
            Err(stopped) => {
                return Ok(FileList::Gracefully(self.failed(stopped, settings).await));
            }
        };
        let files = stream::iter(page.files)
            .map(|file| {
                let s3 = &s3;
                async move {
                    let known = s3.head(&file.key).await.ok();
                    ListedFile {
                        filename: file.key.rsplit('/').next().unwrap_or_default().to_owned(),
                        original_name: known.and_then(|known| known.name),
                        size: file.size,
                        modified_at: file.modified,
                        key: file.key,
                    }
                }
            })
            .buffered(ASKED_AT_ONCE)
            .collect()
            .await;
        Ok(FileList::Listed(ListedFiles {
            success: true,
            files,
            next_cursor: page.next,
        }))
    }

    /// A link to a file, good for so many seconds. Whether the file is there is not asked.
    ///
    /// # Errors
    /// `NotFound` for a key outside the workspace; `Invalid` for a time that cannot be.
    pub async fn file_link(
        &self,
        workspace: WorkspaceId,
        key: &str,
        seconds: Option<u64>,
    ) -> Result<FileLink> {
        own_key(workspace, key)?;
        let seconds = seconds.unwrap_or(LINK_FOR);
        if !LINK_SECONDS.contains(&seconds) {
            return Err(Error::field(
                "expiresIn",
                "invalid",
                "A link is good for 1 second to 7 days (604800 seconds).",
            ));
        }
        let (s3, settings) = match self.storage(workspace).await? {
            Ok(storage) => storage,
            Err(graceful) => return Ok(FileLink::Gracefully(graceful)),
        };
        let ms = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
        let expires_at = self.now().plus_ms(ms);
        Ok(match s3.link(key, seconds).await {
            Ok(url) => FileLink::Link(LinkToFile {
                success: true,
                url,
                expires_at,
            }),
            Err(stopped) => FileLink::Gracefully(self.failed(stopped, settings).await),
        })
    }

    /// Deletes a file. One that is not there counts as deleted.
    ///
    /// # Errors
    /// `NotFound` for a key outside the workspace.
    pub async fn delete_file(&self, workspace: WorkspaceId, key: &str) -> Result<DeletedFile> {
        own_key(workspace, key)?;
        let (s3, settings) = match self.storage(workspace).await? {
            Ok(storage) => storage,
            Err(graceful) => return Ok(DeletedFile::Gracefully(graceful)),
        };
        Ok(match s3.delete(key).await {
            Ok(()) => DeletedFile::Deleted(FileGone {
                success: true,
                key: key.to_owned(),
                message: "The file is deleted.".into(),
            }),
            Err(stopped) => DeletedFile::Gracefully(self.failed(stopped, settings).await),
        })
    }

    /// The bytes of a stored file that is to go with an email, if they are no more than `most`.
    ///
    /// # Errors
    /// What another try may mend as it is; all else as a file that is missing.
    pub(crate) async fn stored_file(
        &self,
        workspace: WorkspaceId,
        key: &str,
        most: usize,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let missing = || Failure::new(Code::Rejected).with(Detail::AttachmentMissing);
        own_key(workspace, key).map_err(|_| missing())?;
        let Ok(Ok((s3, _))) = self.storage(workspace).await else {
            return Err(missing());
        };
        let read = async { s3.download(key).await?.whole(most as u64).await };
        read.await.map_err(|stopped| match stopped.failure.code {
            Code::Unreachable | Code::TimedOut | Code::RateLimited | Code::ProviderDown => {
                Failure::new(stopped.failure.code).with(Detail::AttachmentMissing)
            }
            _ => missing(),
        })
    }
}

/// A `storage.put`, as it is recorded.
fn sending(put: &Put, carries: Carries, from: &str) -> Result<Sending> {
    let facts = serde_json::to_string(&put.facts()).map_err(Error::internal)?;
    Ok(Sending {
        kind: Kind::Storage,
        event_type: PUT,
        data: facts.into(),
        carries,
        subject: None,
        recipient: put.name().to_owned(),
        idempotency_key: None,
        source: from.to_owned(),
    })
}

fn graceful(failure: &Failure, own: Option<&str>) -> Graceful {
    let own = own.map(str::as_bytes);
    let sentence = words::failure_in_full(Kind::Storage, failure, own);
    Graceful::ended(failure.code, sentence)
}

fn not_there() -> Error {
    Error::new(
        crate::Kind::NotFound,
        "There is no such place in this workspace's storage; its keys begin with the workspace's id.",
    )
}

/// A key that a caller names: below the workspace's own prefix, or not there.
fn own_key(workspace: WorkspaceId, key: &str) -> Result<()> {
    if key.starts_with(&key::prefix(&workspace)) && key::check_key(key).is_ok() {
        Ok(())
    } else {
        Err(not_there())
    }
}

fn broke_off() -> Error {
    Error::field(
        "file",
        "broke_off",
        "The file broke off before it was whole. Nothing was stored; send it again.",
    )
}
