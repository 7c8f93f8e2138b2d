//! Parts that a process left in a storage when it died: at the next start they are taken away.
//!
//! Only those that we began: each is remembered before the storage is asked for it, and again with the
//! id that it got, before its first part.

use super::s3::S3;
use crate::db;
use crate::db::unfinished_uploads::UnfinishedRow;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::integrations::{Kind, Settings};

impl Hub {
    /// Remembers that parts of this file may lie in the storage.
    pub(super) async fn remember_unfinished(&self, row: UnfinishedRow) -> Result<()> {
        let process = self.process.clone();
        self.db
            .write(move |tx| db::unfinished_uploads::put(tx.conn(), &row, &process))
            .await
    }

    /// Takes away what earlier processes began and did not finish. What cannot be done now is done at
    /// the start after this.
    pub(crate) async fn take_orphans_away(&self) {
        let process = self.process.clone();
        let left = self
            .db
            .read(move |conn| db::unfinished_uploads::of_others(conn, &process))
            .await;
        for row in left.unwrap_or_default() {
            match self.take_away(&row).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "parts of an unfinished file stay in the storage")
                }
            }
        }
    }

    async fn take_away(&self, row: &UnfinishedRow) -> Result<()> {
        let Some(s3) = self.bucket_of(row).await? else {
            return Ok(());
        };
        s3.abandon(&row.key, row.upload_id.as_deref())
            .await
            .map_err(|stopped| {
                Error::new(
                    crate::Kind::Internal,
                    format!("The storage answered {}.", stopped.failure.code.as_str()),
                )
            })?;
        let (workspace, key) = (row.workspace, row.key.clone());
        self.db
            .write(move |tx| db::unfinished_uploads::delete(tx.conn(), workspace, &key))
            .await
    }

    /// The bucket that the parts lie in, if it is still the one that is set up.
    async fn bucket_of(&self, row: &UnfinishedRow) -> Result<Option<S3>> {
        let workspace = row.workspace;
        let found = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, Kind::Storage))
            .await?;
        let Some(Settings::Storage(settings)) = found.map(|found| found.settings) else {
            return Ok(None);
        };
        if settings.place().url("") != row.bucket {
            return Ok(None);
        }
        let kept = self.integration_secrets(workspace, Kind::Storage).await;
        Ok(kept
            .and_then(|kept| self.open_storage(&settings, &kept))
            .ok())
    }
}
