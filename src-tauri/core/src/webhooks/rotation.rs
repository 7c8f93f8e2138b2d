//! Changing a signing secret while calls go on: both are valid for a while, until the receiver has
//! proved that it knows the new one, or the time is over.

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::{Settings, TestFailed, Tested, signature};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db;
use crate::deliveries::Reason;
use crate::error::{Error, Result};
use crate::explain;
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};
use crate::secrets::SecretError;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How long both secrets are valid unless told otherwise, and at most.
const USUAL_HOURS: u32 = 24;
const MOST_HOURS: u32 = 168;

/// How a signing secret is to be changed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rotate {
    /// How long the former secret stays valid too, 0 to 168; default 24.
    #[serde(default)]
    pub overlap_hours: Option<u32>,
    /// True ends a running change: the receiver is called with the new secret alone, and if it
    /// accepts, the former one is forgotten.
    #[serde(default)]
    pub finish: Option<bool>,
}

/// How a change of secret went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Rotated {
    /// There is a new secret.
    Made(RotatedSecret),
    /// The former secret is forgotten.
    Finished(RotationFinished),
    /// The receiver did not accept the new secret alone; both stay valid.
    Refused(TestFailed),
}

/// A new secret, shown this once.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RotatedSecret {
    /// Always true.
    pub success: bool,
    /// The new signing secret.
    pub secret: String,
    /// Until when the former one is valid too; null when it ended at once.
    pub previous_valid_until: Option<Time>,
}

/// A change of secret that has ended.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RotationFinished {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
}

impl Hub {
    /// Makes a new signing secret, or ends a change that is under way.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` hours; `Conflict` when a change is under way already, or none is to be
    /// finished; `Keychain` when the key store cannot be used: then nothing has changed.
    pub async fn rotate_secret(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        how: Rotate,
    ) -> Result<Rotated> {
        let hours = match (how.finish == Some(true), how.overlap_hours) {
            (true, None) => return self.finish_rotation(workspace, id).await,
            (true, Some(_)) => {
                return Err(Error::field(
                    "overlapHours",
                    "invalid",
                    "To finish a change there is no overlap to choose; leave this out.",
                ));
            }
            (false, hours) => hours.unwrap_or(USUAL_HOURS),
        };
        if hours > MOST_HOURS {
            return Err(Error::field(
                "overlapHours",
                "out_of_range",
                "Both secrets may be valid for 0 to 168 hours.",
            ));
        }
        let altering = self.altering_items.lock().await;
        let settings = self.settings_of(workspace, id).await?;
        let now = self.now();
        if hours > 0 && settings.overlap(now).is_some() {
            return Err(Error::conflict(
                "A change of this secret is under way. Finish it first, or change it at once with an overlap of 0 hours: then both secrets end.",
            ));
        }
        let (endpoint, fresh) = (id.to_string(), signature::fresh_secret()?);
        let (kept, until) = match self.secrets.get(workspace, &endpoint).await {
            Ok(item) => (
                Kept::read(&item).rotated(&settings, fresh.clone(), now),
                Some(now.plus_ms(i64::from(hours) * HOUR_MS)),
            ),
            // What is lost cannot be valid; own headers have to be entered again.
            Err(SecretError::Missing) => (Kept::new(fresh.clone()), None),
            Err(error) => return Err(error.into()),
        };
        self.secrets.put(workspace, &endpoint, kept.write()).await?;
        let age = settings.secret_created_at;
        self.db
            .write(move |tx| {
                db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                db::webhooks::rotated(tx.conn(), id, now, until)?;
                db::problems::secret_changed(tx.conn(), workspace, id, age, now)?;
                tx.webhooks_changed();
                tx.announce(Some(workspace), Topic::Webhooks);
                Ok(())
            })
            .await?;
        drop(altering);
        match until {
            // Calls that were held for what was lost can be signed again.
            None => self.let_go(id.to_string(), workspace, Reason::Keychain),
            Some(_) if hours == 0 => self.forget_former(workspace, id).await,
            Some(_) => {}
        }
        Ok(Rotated::Made(RotatedSecret {
            success: true,
            secret: fresh,
            previous_valid_until: until.filter(|_| hours > 0),
        }))
    }

    async fn finish_rotation(&self, workspace: WorkspaceId, id: WebhookId) -> Result<Rotated> {
        let settings = self.settings_of(workspace, id).await?;
        let who = settings.name.clone();
        let Some(until) = settings.overlap(self.now()) else {
            return Err(Error::conflict(
                "No change of this secret is under way; only one is valid.",
            ));
        };
        let tested = self
            .try_once(workspace, id, None, |settings| {
                settings.previous_secret_valid_until = None;
            })
            .await?;
        if let Tested::Failed(mut failed) = tested {
            let zone = self
                .db
                .read(move |conn| super::store::zone(conn, workspace))
                .await?;
            let until = explain::moment(until, self.now(), &zone);
            failed.message = format!(
                "{} So a test with the new secret alone did not pass, and both stay valid until {until}.",
                failed.message
            );
            failed.graceful.error.clone_from(&failed.message);
            return Ok(Rotated::Refused(failed));
        }
        let (now, made_at) = (self.now(), settings.secret_created_at);
        self.db
            .write(move |tx| {
                let row = db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                // Changed again meanwhile: that one was not proved.
                if row.settings.secret_created_at == made_at {
                    db::webhooks::rotated(tx.conn(), id, made_at, Some(now))?;
                    tx.webhooks_changed();
                    tx.announce(Some(workspace), Topic::Webhooks);
                }
                Ok(())
            })
            .await?;
        self.forget_former(workspace, id).await;
        Ok(Rotated::Finished(RotationFinished {
            success: true,
            message: format!(
                "{who} accepted a test with the new secret alone. The former one is forgotten."
            ),
        }))
    }

    /// Takes former secrets whose time is over out of the key store.
    pub(crate) async fn end_overlaps(&self, now: Time) {
        let ended = self
            .db
            .read(move |conn| db::webhooks::overlaps_ended(conn, now))
            .await
            .inspect_err(|error| tracing::error!(%error, "changes of secrets could not be read"));
        for (workspace, id) in ended.unwrap_or_default() {
            self.forget_former(workspace, id).await;
        }
    }

    /// Takes a former secret out of the key store. While that cannot be used, it is tried again
    /// later; the row has ended the secret already.
    async fn forget_former(&self, workspace: WorkspaceId, id: WebhookId) {
        let _altering = self.altering_items.lock().await;
        let forgotten = async {
            let (settings, endpoint) = (self.settings_of(workspace, id).await?, id.to_string());
            if settings.overlap(self.now()).is_some() {
                return Ok(());
            }
            let item = self.secrets.get(workspace, &endpoint).await?;
            if let Some(kept) = Kept::read(&item).without_former(&settings) {
                self.secrets.put(workspace, &endpoint, kept.write()).await?;
            }
            self.db
                .write(move |tx| {
                    db::webhooks::rotated(tx.conn(), id, settings.secret_created_at, None)?;
                    tx.webhooks_changed();
                    tx.announce(Some(workspace), Topic::Webhooks);
                    Ok(())
                })
                .await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "a former secret is still in the key store; it is not used");
        }
    }
}

impl Settings {
    /// Until when the former secret is valid too, while it is.
    pub(crate) fn overlap(&self, now: Time) -> Option<Time> {
        self.previous_secret_valid_until
            .filter(|until| now < *until)
    }
}
