//! Files of the owner's, piece by piece: what the router answers goes into one that was chosen, and
//! one that the page was given goes to the router.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    body::{Body, Bytes},
    http::{Request, header},
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use signalbox_api::FileForm;
use tauri::{
    AppHandle, State,
    ipc::{InvokeBody, Request as Invocation},
};
use tauri_plugin_dialog::DialogExt;
use tokio::{
    fs::File,
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::request::{Answer, Door, read};

/// Asks where to, and writes the answer to a request there. False: the owner chose no place.
///
/// # Errors
/// A sentence: what was refused, or why nothing could be written. No half file stays.
#[tauri::command]
pub(crate) async fn save(
    app: AppHandle,
    door: State<'_, Door>,
    path: String,
    name: String,
    workspace: Option<String>,
) -> Result<bool, String> {
    let (chosen, choice) = oneshot::channel();
    app.dialog()
        .file()
        .set_file_name(name)
        .save_file(move |place| drop(chosen.send(place)));
    let Ok(Some(place)) = choice.await else {
        return Ok(false);
    };
    let place = place
        .into_path()
        .map_err(|_| "This place is no folder on this computer. Choose another.".to_owned())?;
    let answer = door.answer(&path, workspace.as_deref()).await?;
    keep(answer, &place).await?;
    Ok(true)
}

impl Door {
    async fn answer(&self, path: &str, workspace: Option<&str>) -> Result<Response, String> {
        let mut request = Request::get(path);
        if let Some(workspace) = workspace {
            request = request.header("signalbox-workspace", workspace);
        }
        let request = request
            .body(Body::empty())
            .map_err(|_| "The window asked for something that is no address.".to_owned())?;
        let answer = self.pass(request).await;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(crate::request::refusal(answer).await)
    }
}

/// Files on their way from the page to the router.
#[derive(Default)]
pub(crate) struct Uploads {
    going: Mutex<HashMap<u32, Upload>>,
    next: AtomicU32,
}

struct Upload {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    after: Bytes,
    answer: JoinHandle<Answer>,
}

/// A file as the page knows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Described {
    folder: Option<String>,
    name: String,
    kind: Option<String>,
}

/// Begins to store a file; its pieces follow under the number that is returned.
#[tauri::command]
pub(crate) async fn upload_begin(
    door: State<'_, Door>,
    uploads: State<'_, Uploads>,
    path: String,
    file: Described,
    workspace: Option<String>,
) -> Result<u32, String> {
    uploads
        .begin(&door, &path, &file, workspace.as_deref())
        .await
}

/// The next piece, as the body; the number stands in the header `upload`. False: no more is wanted,
/// for the answer is there.
#[tauri::command]
pub(crate) async fn upload_piece(
    uploads: State<'_, Uploads>,
    request: Invocation<'_>,
) -> Result<bool, ()> {
    let number = request
        .headers()
        .get("upload")
        .and_then(|number| number.to_str().ok()?.parse().ok());
    let (Some(number), InvokeBody::Raw(piece)) = (number, request.body()) else {
        return Ok(false);
    };
    Ok(uploads.piece(number, Bytes::copy_from_slice(piece)).await)
}

/// Ends a file: all of it was given, or it is called off. The answer of the router.
#[tauri::command]
pub(crate) async fn upload_end(
    uploads: State<'_, Uploads>,
    number: u32,
    whole: bool,
) -> Result<Answer, String> {
    uploads.end(number, whole).await
}

impl Uploads {
    fn going(&self) -> MutexGuard<'_, HashMap<u32, Upload>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin(
        &self,
        door: &Door,
        path: &str,
        file: &Described,
        workspace: Option<&str>,
    ) -> Result<u32, String> {
        let form = FileForm::new(file.folder.as_deref(), &file.name, file.kind.as_deref());
        // A few pieces ahead of the router: a slow storage slows the page down.
        let (pieces, coming) = mpsc::channel(2);
        let mut request = Request::post(path).header(header::CONTENT_TYPE, form.content_type);
        if let Some(workspace) = workspace {
            request = request.header("signalbox-workspace", workspace);
        }
        let request = request
            .body(Body::from_stream(stream::unfold(
                coming,
                |mut coming| async move { Some((coming.recv().await?, coming)) },
            )))
            .map_err(|_| "The window asked for something that is no address.".to_owned())?;
        let door = Door(door.0.clone());
        let answer = tokio::spawn(async move { read(door.pass(request).await).await });
        // The router may have answered before it wants any of it.
        let _ = pieces.send(Ok(form.before)).await;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.going().insert(
            number,
            Upload {
                pieces,
                after: form.after,
                answer,
            },
        );
        Ok(number)
    }

    async fn piece(&self, number: u32, piece: Bytes) -> bool {
        let pieces = self.going().get(&number).map(|one| one.pieces.clone());
        match pieces {
            Some(pieces) => pieces.send(Ok(piece)).await.is_ok(),
            None => false,
        }
    }

    async fn end(&self, number: u32, whole: bool) -> Result<Answer, String> {
        let gone = || "This file is on its way no more. Choose it again.".to_owned();
        let Some(upload) = self.going().remove(&number) else {
            return Err(gone());
        };
        let last = if whole {
            Ok(upload.after)
        } else {
            Err(io::Error::other("called off"))
        };
        // An error says that the answer is there already.
        let _ = upload.pieces.send(last).await;
        drop(upload.pieces);
        upload.answer.await.map_err(|_| gone())
    }
}

/// Writes beside the place first: an older file there is whole until the new one is.
async fn keep(answer: Response, place: &Path) -> Result<(), String> {
    let beside = beside(place);
    let written = write(answer, &beside).await;
    let kept = match written {
        Ok(()) => tokio::fs::rename(&beside, place).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        // Nothing may be there to remove.
        let _ = tokio::fs::remove_file(&beside).await;
        return Err(format!(
            "The file could not be written: {error}. Choose another place, or free some space."
        ));
    }
    Ok(())
}

fn beside(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    place.with_file_name(name)
}

async fn write(answer: Response, place: &Path) -> io::Result<()> {
    let mut file = File::create(place).await?;
    let mut pieces = answer.into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece.map_err(io::Error::other)?).await?;
    }
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        http::StatusCode,
        routing::{get, post},
    };

    use super::*;

    fn door() -> Door {
        Door(
            Router::new()
                .route(
                    "/whole",
                    get(|| async {
                        Body::from_stream(stream::iter(
                            ["one,", "two"]
                                .map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece))),
                        ))
                    }),
                )
                .route(
                    "/broken",
                    get(|| async {
                        Body::from_stream(stream::iter([
                            Ok(Bytes::from("one,")),
                            Err(std::io::Error::other("the database is gone")),
                        ]))
                    }),
                )
                .route(
                    "/store",
                    post(|body: Body| async move {
                        match axum::body::to_bytes(body, usize::MAX).await {
                            Ok(whole) => (StatusCode::OK, whole),
                            Err(_) => (StatusCode::BAD_REQUEST, Bytes::from("it broke off")),
                        }
                    }),
                )
                .route(
                    "/refused",
                    get(|| async {
                        (
                            StatusCode::UNPROCESSABLE_ENTITY,
                            r#"{"detail":"Which format?"}"#,
                        )
                    }),
                ),
        )
    }

    #[tokio::test]
    async fn an_answer_is_kept_piece_by_piece_and_takes_the_place_of_an_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("log.csv");
        std::fs::write(&place, "older").unwrap();
        let answer = door().answer("/whole", None).await.unwrap();
        keep(answer, &place).await.unwrap();
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "one,two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_leaves_the_older_file_and_no_half_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("log.csv");
        std::fs::write(&place, "older").unwrap();
        let answer = door().answer("/broken", None).await.unwrap();
        let said = keep(answer, &place).await.unwrap_err();
        assert!(said.contains("could not be written"), "{said}");
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "older");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_its_sentence_and_makes_no_file() {
        assert_eq!(
            door().answer("/refused", None).await.unwrap_err(),
            "Which format?"
        );
    }

    fn described() -> Described {
        Described {
            folder: Some("vouchers".into()),
            name: "a \"b\".pdf".into(),
            kind: Some("application/pdf".into()),
        }
    }

    #[tokio::test]
    async fn a_file_of_the_page_reaches_the_router_as_a_form_piece_by_piece() {
        let uploads = Uploads::default();
        let number = uploads
            .begin(&door(), "/store", &described(), None)
            .await
            .unwrap();
        for piece in ["one,", "two"] {
            assert!(uploads.piece(number, piece.into()).await);
        }
        let answer = uploads.end(number, true).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("one,two\r\n--"), "{}", answer.body);
        assert!(
            answer.body.contains("filename*=UTF-8''a%20%22b%22.pdf"),
            "{}",
            answer.body
        );
        assert!(
            uploads.end(number, true).await.is_err(),
            "it is there no more"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_called_off_breaks_off_for_the_router() {
        let uploads = Uploads::default();
        let number = uploads
            .begin(&door(), "/store", &described(), None)
            .await
            .unwrap();
        assert!(uploads.piece(number, "one,".into()).await);
        assert_eq!(
            uploads.end(number, false).await.unwrap().body,
            "it broke off"
        );
    }
}
