//! `signalctl files`: storing, listing, linking to and deleting files.

use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use clap::{Args, Subcommand};
use futures_util::{StreamExt, stream};
use http::Method;
use serde_json::Value;
use signalbox_api::FileForm;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::door::Door;
use crate::given::with_query;
use crate::said::{Ended, Failed, Screen, moment, plain, text};

const FILES: &str = "/api/files";
/// So much is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// What can be done with files.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Store a file of any size
    Put(Put),
    /// List what is stored
    List(List),
    /// Print an address at which anybody may read a file for a while
    Url(Url),
    /// Delete a file
    Delete(Delete),
}

/// What to store, and where.
#[derive(Args)]
pub(crate) struct Put {
    /// The file, or (-) standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The folder it is to lie in; else general
    #[arg(long)]
    folder: Option<String>,
    /// What it is called; else what the file is called
    #[arg(long)]
    name: Option<String>,
    /// What kind it is, such as application/pdf; else by its name
    #[arg(long)]
    content_type: Option<String>,
}

/// Which part of the list.
#[derive(Args)]
pub(crate) struct List {
    /// How the keys begin
    #[arg(long)]
    prefix: Option<String>,
    /// So many at a time
    #[arg(long)]
    limit: Option<u16>,
    /// Where to go on: nextCursor of the page before
    #[arg(long)]
    cursor: Option<String>,
}

/// Which file, and for how long.
#[derive(Args)]
pub(crate) struct Url {
    /// Its key
    key: String,
    /// Seconds, 1 to 604800; else an hour
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
}

/// Which file.
#[derive(Args)]
pub(crate) struct Delete {
    /// Its key
    key: String,
}

impl Command {
    pub(crate) async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        match self {
            Self::Put(put) => put.run(door, screen).await,
            Self::List(list) => list.run(door, screen).await,
            Self::Url(url) => {
                let query = [
                    ("key", Some(url.key)),
                    (
                        "expiresIn",
                        url.expires_in.map(|seconds| seconds.to_string()),
                    ),
                ];
                let link = door.get(&with_query("/api/files/url", &query)).await?;
                said(screen, &link, |link| text(link, "url").to_owned())
            }
            Self::Delete(delete) => {
                let path = with_query(FILES, &[("key", Some(delete.key))]);
                let gone = door.ask(Method::DELETE, &path, None).await?;
                said(screen, &gone, |gone| text(gone, "message").to_owned())
            }
        }
    }
}

/// Says how it went; a graceful failure with its sentence.
fn said(
    screen: Screen,
    answer: &Value,
    sentence: impl Fn(&Value) -> String,
) -> Result<Ended, Failed> {
    if answer.get("gracefulFail").and_then(Value::as_bool) == Some(true) {
        screen.done(answer, text(answer, "error"));
        return Ok(Ended::Gracefully);
    }
    screen.done(answer, &sentence(answer));
    Ok(Ended::Done)
}

impl Put {
    async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let is_input = self.file.as_os_str() == "-";
        let name = match self.name {
            Some(name) => name,
            None if is_input => {
                return Err(Failed::Usage(
                    "Say with --name what the file is called.".to_owned(),
                ));
            }
            None => Path::new(&self.file)
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        let FileForm {
            content_type,
            before,
            after,
        } = FileForm::new(self.folder.as_deref(), &name, self.content_type.as_deref());
        let unreadable = |error: std::io::Error| {
            Failed::said(format!(
                "{} could not be read: {error}.",
                self.file.display()
            ))
        };
        let around = (before.len() + after.len()) as u64;
        let (middle, length) = if is_input {
            (standard_input(), None)
        } else {
            let file = tokio::fs::File::open(&self.file)
                .await
                .map_err(unreadable)?;
            let about = file.metadata().await.map_err(unreadable)?;
            if about.is_dir() {
                return Err(Failed::said(format!(
                    "{} is a folder; files are stored one at a time.",
                    self.file.display()
                )));
            }
            // What is no ordinary file does not know its length.
            let length = about.is_file().then_some(about.len());
            let file = match length {
                // A file that grows meanwhile is stored as long as it was.
                Some(length) => pieces(file.take(length)),
                None => pieces(file),
            };
            (file, length.map(|length| length + around))
        };
        let body = stream::iter([Ok(before)])
            .chain(middle)
            .chain(stream::iter([Ok(after)]));
        let stored = door
            .stream(FILES, &content_type, length, Body::from_stream(body))
            .await?;
        said(screen, &stored, |stored| {
            format!(
                "Stored {} ({} bytes) as {}.",
                text(stored, "originalName"),
                plain(stored, "size"),
                text(stored, "key")
            )
        })
    }
}

fn pieces(
    from: impl AsyncRead + Send + Unpin + 'static,
) -> stream::BoxStream<'static, std::io::Result<Bytes>> {
    stream::unfold(Some(from), |from| async {
        let mut from = from?;
        let mut piece = vec![0; PIECE_BYTES];
        match from.read(&mut piece).await {
            Ok(0) => None,
            Ok(length) => {
                piece.truncate(length);
                Some((Ok(piece.into()), Some(from)))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// Standard input, read by a thread of its own: it may never end.
fn standard_input() -> stream::BoxStream<'static, std::io::Result<Bytes>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = std::io::Read::read(&mut input, &mut piece).map(|length| {
                piece.truncate(length);
                Bytes::from(piece)
            });
            let is_last = read.as_ref().map_or(true, Bytes::is_empty);
            if sender.blocking_send(read).is_err() || is_last {
                return;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    })
    .boxed()
}

impl List {
    async fn run(self, door: &Door, screen: Screen) -> Result<Ended, Failed> {
        let query = [
            ("prefix", self.prefix),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor),
        ];
        let page = door.get(&with_query(FILES, &query)).await?;
        if page.get("gracefulFail").and_then(Value::as_bool) == Some(true) {
            return said(screen, &page, |_| String::new());
        }
        screen.list(
            page,
            "files",
            "Nothing is stored there.",
            &[
                ("KEY", |row| plain(row, "key")),
                ("NAME", |row| plain(row, "originalName")),
                ("BYTES", |row| plain(row, "size")),
                ("STORED (UTC)", |row| moment(row, "modifiedAt")),
            ],
        );
        Ok(Ended::Done)
    }
}
