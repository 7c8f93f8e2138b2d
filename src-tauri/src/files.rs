//! Files of the owner's: what the router answers goes into one that was chosen, piece by piece.

use std::path::{Path, PathBuf};

use axum::{body::Body, http::Request, response::Response};
use futures_util::StreamExt;
use tauri::{AppHandle, State};
use tauri_plugin_dialog::DialogExt;
use tokio::{fs::File, io::AsyncWriteExt, sync::oneshot};

use crate::request::Door;

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

async fn write(answer: Response, place: &Path) -> std::io::Result<()> {
    let mut file = File::create(place).await?;
    let mut pieces = answer.into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece.map_err(std::io::Error::other)?)
            .await?;
    }
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Bytes, http::StatusCode, routing::get};
    use futures_util::stream;

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
}
