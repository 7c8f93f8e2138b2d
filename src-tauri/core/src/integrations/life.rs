//! The life of an integration, the same for all: set up, changed, tested, disconnected.
//!
//! Secrets are tested first and then saved: the item of the key store, then the row. What the
//! provider refuses is not saved, and the former stays. What could not be tested, because there is
//! no internet or no answer, is saved with that result.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::consequence::{self, Consequence};
use super::email::{self, Message, sendgrid};
use super::kept::Kept;
use super::sms::{self, number, twilio};
use super::{Kind, Patch, Settings, Setup, Switches, WhenPaused, storage, words};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::integrations::IntegrationRow;
use crate::db::{self, Tx};
use crate::deliveries::Reason;
use crate::error::{Error, FieldError, Result};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::outbox::{Carries, Sending, finish, record_test};
use crate::outcome::{Code, Failure, Graceful};

/// Whom to send a test to; nobody is only a look at the key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = IntegrationTest))]
pub struct TestRequest {
    /// An address of your own.
    #[serde(default)]
    pub test_to: Option<String>,
}

/// How setting up or changing an integration went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = ConfiguredIntegration))]
pub enum Configured {
    /// It is saved.
    Saved(Saved),
    /// The provider refused it, or the key store cannot keep it. Nothing was saved; what was there
    /// before stays.
    Refused(Refused),
}

/// An integration that was saved.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SavedIntegration))]
pub struct Saved {
    /// Always true.
    pub success: bool,
    /// A sentence: whether it works, or why that is not known yet.
    pub message: String,
    /// `success` or `failed`; null when there was nothing to test.
    pub test_status: Option<String>,
    /// Why the test could not be made.
    pub test_error: Option<String>,
    /// Deliveries that waited for this and go out now.
    pub released: u64,
    /// The calendars that can be chosen; of a calendar only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendars: Option<Vec<super::calendar::Choice>>,
}

/// An integration that the provider refused.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RefusedIntegration))]
pub struct Refused {
    /// The graceful half of every result.
    #[serde(flatten)]
    pub graceful: Graceful,
    /// The same sentence as `error`.
    pub message: String,
}

/// How a test of an integration went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = TestedIntegration))]
pub enum Tested {
    /// It works.
    Well(TestedWell),
    /// It does not, or that cannot be found out now.
    Badly(TestedBadly),
}

/// A test that went well.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TestedWell {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// When it was.
    pub last_tested: Time,
    /// How long it took.
    pub duration_ms: u64,
    /// The test that was sent, in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// Deliveries that waited for this and go out now.
    pub released: u64,
}

/// A test that went badly.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TestedBadly {
    /// The graceful half of every result.
    #[serde(flatten)]
    pub graceful: Graceful,
    /// The same sentence as `error`.
    pub message: String,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_tested: Option<Time>,
}

/// What is tried before it is saved.
struct Candidate {
    settings: Settings,
    kept: Kept,
    test_to: Option<String>,
}

/// How a try went, and the delivery of the test that was sent.
type Tried = (Result<(), Failure>, Option<DeliveryId>);

impl Hub {
    /// Sets an integration up, or replaces its key and settings: tested first, then saved.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was saved.
    pub async fn configure_integration(
        &self,
        workspace: WorkspaceId,
        setup: Setup,
    ) -> Result<Configured> {
        let candidate = match self.in_practice(workspace, setup) {
            Setup::Calendar(setup) => return self.configure_calendar(workspace, setup).await,
            Setup::Email(setup) => {
                let settings = email::Settings::new(&setup);
                let mut wrong = settings.check();
                wrong.extend(required("apiKey", &setup.api_key));
                wrong.extend(wrong_test_to(None, setup.test_to.as_deref()));
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let secrets = [(sendgrid::KEY, &setup.api_key.0)];
                Candidate {
                    kept: Kept::new(&settings.api_base_url, secrets),
                    settings: Settings::Email(settings),
                    test_to: setup.test_to,
                }
            }
            Setup::Storage(setup) => {
                let settings = storage::Settings::new(&setup);
                let mut wrong = settings.check();
                wrong.extend(required(storage::KEY_ID, &setup.access_key_id));
                wrong.extend(required(storage::SECRET, &setup.secret_access_key));
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let secrets = [
                    (storage::KEY_ID, &setup.access_key_id.0),
                    (storage::SECRET, &setup.secret_access_key.0),
                ];
                Candidate {
                    kept: Kept::new(settings.base_url(), secrets),
                    settings: Settings::Storage(settings),
                    test_to: None,
                }
            }
            Setup::Sms(setup) => {
                let settings = sms::Settings::new(&setup);
                let mut wrong = settings.check();
                wrong.extend(required("authToken", &setup.auth_token));
                wrong.extend(wrong_test_to(Some(&settings), setup.test_to.as_deref()));
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let secrets = [(twilio::TOKEN, &setup.auth_token.0)];
                Candidate {
                    kept: Kept::new(&settings.api_base_url, secrets),
                    settings: Settings::Sms(settings),
                    test_to: setup.test_to,
                }
            }
        };
        let _altering = self.altering_items.lock().await;
        self.try_and_save(workspace, candidate, Switches::default())
            .await
    }

    /// Changes an integration, pauses or resumes it. Resuming lets go what was held.
    ///
    /// # Errors
    /// `NotFound` when it was never set up; `Invalid` fields, or trouble of ours.
    pub async fn update_integration(
        &self,
        workspace: WorkspaceId,
        patch: Patch,
    ) -> Result<Configured> {
        if let Patch::Calendar(patch) = patch {
            return self.update_calendar(workspace, patch).await;
        }
        let _altering = self.altering_items.lock().await;
        let (settings, switches, secret) = match patch {
            Patch::Calendar(_) => return Err(unknown(Kind::Calendar)),
            Patch::Email(patch) => {
                let row = self.integration_row(workspace, Kind::Email).await?;
                let Settings::Email(mut settings) = row.settings else {
                    return Err(unknown(Kind::Email));
                };
                let before = settings.api_base_url.clone();
                settings.apply(&patch);
                let mut wrong = settings.check();
                if let Some(key) = &patch.api_key {
                    wrong.extend(required("apiKey", key));
                }
                let elsewhere = !Kept::new(&before, []).may_go_to(&settings.api_base_url);
                if wrong.is_empty() && elsewhere && patch.api_key.is_none() {
                    wrong.push(FieldError::new(
                        "apiKey",
                        "secret_required",
                        "The key was entered for another address, and goes nowhere else. Enter it again.",
                    ));
                }
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let switches = patch.switches();
                let url = settings.api_base_url.clone();
                let kept = patch
                    .api_key
                    .map(|key| Kept::new(&url, [(sendgrid::KEY, &key.0)]));
                let moved = before != url;
                (
                    Settings::Email(settings),
                    switches,
                    kept.map(Ok).or_else(|| moved.then_some(Err(()))),
                )
            }
            Patch::Sms(patch) => {
                let row = self.integration_row(workspace, Kind::Sms).await?;
                let Settings::Sms(before) = row.settings else {
                    return Err(unknown(Kind::Sms));
                };
                let mut settings = before.clone();
                settings.apply(&patch);
                let mut wrong = settings.check();
                if let Some(token) = &patch.auth_token {
                    wrong.extend(required("authToken", token));
                }
                let elsewhere = !Kept::new(&before.api_base_url, [])
                    .may_go_to(&settings.api_base_url)
                    || before.account_sid != settings.account_sid;
                if wrong.is_empty() && elsewhere && patch.auth_token.is_none() {
                    wrong.push(FieldError::new(
                        "authToken",
                        "secret_required",
                        "The token was entered for another account or address, and goes nowhere else. Enter it again.",
                    ));
                }
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let switches = patch.switches();
                let url = settings.api_base_url.clone();
                let kept = patch
                    .auth_token
                    .map(|token| Kept::new(&url, [(twilio::TOKEN, &token.0)]));
                let moved = before.api_base_url != url;
                (
                    Settings::Sms(settings),
                    switches,
                    kept.map(Ok).or_else(|| moved.then_some(Err(()))),
                )
            }
            Patch::Storage(patch) => {
                let row = self.integration_row(workspace, Kind::Storage).await?;
                let Settings::Storage(before) = row.settings else {
                    return Err(unknown(Kind::Storage));
                };
                let mut settings = before.clone();
                settings.apply(&patch);
                let mut wrong = settings.check();
                let keys = [
                    (storage::KEY_ID, &patch.access_key_id),
                    (storage::SECRET, &patch.secret_access_key),
                ];
                wrong.extend(
                    keys.iter()
                        .filter_map(|(path, key)| required(path, key.as_ref()?)),
                );
                let url = settings.base_url().to_owned();
                let elsewhere = !Kept::new(before.base_url(), []).may_go_to(&url);
                let replaced = keys.iter().any(|(_, key)| key.is_some());
                if wrong.is_empty() && (elsewhere || replaced) {
                    wrong.extend(keys.iter().rev().filter(|(_, key)| key.is_none()).map(|(path, _)| {
                        let sentence = if elsewhere {
                            "The keys were entered for another address, and go nowhere else. Enter both again."
                        } else {
                            "An access key has two parts. Enter both."
                        };
                        FieldError::new(*path, "secret_required", sentence)
                    }));
                }
                if !wrong.is_empty() {
                    return Err(Error::invalid(wrong));
                }
                let switches = patch.switches();
                let kept = match (&patch.access_key_id, &patch.secret_access_key) {
                    (Some(id), Some(secret)) => Some(Ok(Kept::new(
                        &url,
                        [(storage::KEY_ID, &id.0), (storage::SECRET, &secret.0)],
                    ))),
                    // Another bucket or region: tried with the keys that are kept.
                    _ => (settings != before).then_some(Err(())),
                };
                (Settings::Storage(settings), switches, kept)
            }
        };
        let kept = match secret {
            None => return self.save_untested(workspace, settings, switches).await,
            Some(Ok(kept)) => kept,
            // The same host, another path: with the key that is kept.
            Some(Err(())) => match self.integration_secrets(workspace, settings.kind()).await {
                Ok(kept) => kept,
                Err(failure) => return Ok(refused(settings.kind(), &failure)),
            },
        };
        let candidate = Candidate {
            settings,
            kept,
            test_to: None,
        };
        self.try_and_save(workspace, candidate, switches).await
    }

    /// Looks whether an integration works, without side effects, or by sending to the owner. A test
    /// that goes well lets go what waited for it.
    ///
    /// # Errors
    /// `Invalid` for an address that is none.
    pub async fn test_integration(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        request: TestRequest,
    ) -> Result<Tested> {
        let started = Instant::now();
        let row = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, kind))
            .await?;
        let texts = match row.as_ref().map(|row| &row.settings) {
            Some(Settings::Sms(settings)) => Some(settings),
            _ => None,
        };
        if kind != Kind::Sms || texts.is_some() {
            let wrong = wrong_test_to(texts, request.test_to.as_deref());
            if let Some(wrong) = wrong {
                return Err(Error::invalid(vec![wrong]));
            }
        }
        let Some(row) = row else {
            let failure = Failure::new(Code::NotConfigured);
            return Ok(badly(kind, &failure, None, None));
        };
        let (result, delivery_id) = match self.integration_secrets(workspace, kind).await {
            Ok(kept) => {
                let candidate = Candidate {
                    settings: row.settings,
                    kept,
                    test_to: request.test_to,
                };
                self.try_out(workspace, &candidate).await?
            }
            Err(failure) => (Err(failure), None),
        };
        let (now, stored) = (self.now(), result.clone());
        let lanes = self.lanes.clone();
        let released = self
            .db
            .write(move |tx| {
                db::integrations::tested(tx.conn(), workspace, kind, now, &stored)?;
                tx.announce(Some(workspace), Topic::Integrations);
                match stored {
                    Ok(()) => mended(tx, workspace, kind, now, &lanes),
                    Err(_) => Ok(0),
                }
            })
            .await?;
        Ok(match result {
            Ok(()) => Tested::Well(TestedWell {
                success: true,
                message: went_well(kind, delivery_id.is_some()),
                last_tested: now,
                duration_ms: crate::http::elapsed_ms(started),
                delivery_id,
                released,
            }),
            Err(failure) => badly(kind, &failure, delivery_id, Some(now)),
        })
    }

    /// Disconnects an integration: its settings and secrets are forgotten, its log stays. What
    /// waits is held and not closed, for it was promised to somebody: it goes out when the
    /// integration is set up again, with another account perhaps, or the owner closes it.
    ///
    /// # Errors
    /// `NotFound` when it was never set up.
    pub async fn disconnect_integration(&self, workspace: WorkspaceId, kind: Kind) -> Result<u64> {
        if kind == Kind::Calendar {
            self.give_access_back(workspace).await;
            self.access.forget(workspace).await;
        }
        let _altering = self.altering_items.lock().await;
        let automations = self.automations.clone();
        let held = self
            .db
            .write(move |tx| {
                db::integrations::get(tx.conn(), workspace, kind)?.ok_or_else(|| unknown(kind))?;
                db::integrations::delete(tx.conn(), workspace, kind)?;
                automations.forget_with(tx);
                let endpoint = kind.endpoint(workspace);
                let held = db::deliveries::hold_all(tx.conn(), &endpoint, Reason::NeedsSetup)?;
                tx.announce(Some(workspace), Topic::Integrations);
                tx.announce(Some(workspace), Topic::Deliveries);
                Ok(held as u64)
            })
            .await?;
        if let Err(error) = self.secrets.delete(workspace, kind.as_str()).await {
            // An orphan in the key store, not a lost secret.
            tracing::warn!(
                ?error,
                "the secret of a disconnected integration could not be deleted"
            );
        }
        Ok(held)
    }

    async fn integration_row(&self, workspace: WorkspaceId, kind: Kind) -> Result<IntegrationRow> {
        self.db
            .read(move |conn| db::integrations::get(conn, workspace, kind))
            .await?
            .ok_or_else(|| unknown(kind))
    }

    /// Tries a candidate and saves it, unless the provider refuses it.
    async fn try_and_save(
        &self,
        workspace: WorkspaceId,
        candidate: Candidate,
        switches: Switches,
    ) -> Result<Configured> {
        let kind = candidate.settings.kind();
        self.check_places(workspace, &candidate.settings).await?;
        let (result, sent) = self.try_out(workspace, &candidate).await?;
        if let Err(failure) = &result
            && !unproven(kind, failure)
        {
            return Ok(refused(kind, failure));
        }
        // The item first, then the row that names it.
        let kept = candidate.kept.write();
        if let Err(error) = self.secrets.put(workspace, kind.as_str(), kept).await {
            return Ok(refused(kind, &error.failure()));
        }
        self.save_tried(
            workspace,
            candidate.settings,
            switches,
            result,
            sent.is_some(),
        )
        .await
    }

    /// Saves what was tried, whose secrets are kept already, and lets go what waited for it.
    pub(super) async fn save_tried(
        &self,
        workspace: WorkspaceId,
        settings: Settings,
        switches: Switches,
        result: Result<(), Failure>,
        sent: bool,
    ) -> Result<Configured> {
        let kind = settings.kind();
        let (now, lanes, tested) = (self.now(), self.lanes.clone(), result.clone());
        let automations = self.automations.clone();
        let released = self
            .db
            .write(move |tx| {
                db::integrations::save(tx.conn(), workspace, &settings, now)?;
                // Texts name the sender.
                automations.forget_with(tx);
                db::integrations::switch(tx.conn(), workspace, kind, switches)?;
                db::integrations::tested(tx.conn(), workspace, kind, now, &tested)?;
                tx.announce(Some(workspace), Topic::Integrations);
                let switched = switched(tx, workspace, kind, switches, now, &lanes)?;
                Ok(switched + mended(tx, workspace, kind, now, &lanes)?)
            })
            .await?;
        let test_error = result.as_ref().err().map(|f| words::failure(kind, f));
        Ok(Configured::Saved(Saved {
            success: true,
            message: match &test_error {
                None => went_well(kind, sent),
                Some(why) => format!("Saved, but it could not be tested now. {why}"),
            },
            test_status: Some(if result.is_ok() { "success" } else { "failed" }.into()),
            test_error,
            released,
            calendars: None,
        }))
    }

    pub(super) async fn save_untested(
        &self,
        workspace: WorkspaceId,
        settings: Settings,
        switches: Switches,
    ) -> Result<Configured> {
        let (now, lanes, kind) = (self.now(), self.lanes.clone(), settings.kind());
        let automations = self.automations.clone();
        let released = self
            .db
            .write(move |tx| {
                let row = db::integrations::get(tx.conn(), workspace, kind)?
                    .ok_or_else(|| unknown(kind))?;
                db::integrations::save(tx.conn(), workspace, &settings, now)?;
                // Texts name the sender.
                automations.forget_with(tx);
                db::integrations::switch(tx.conn(), workspace, kind, switches)?;
                tx.announce(Some(workspace), Topic::Integrations);
                let mut released = switched(tx, workspace, kind, switches, now, &lanes)?;
                // Another sender, say, may be the one that the provider knows.
                if row.settings != settings && row.needs == Some(Reason::NeedsSetup) {
                    released += mended(tx, workspace, kind, now, &lanes)?;
                }
                Ok(released)
            })
            .await?;
        Ok(Configured::Saved(Saved {
            success: true,
            message: match switches.is_active {
                Some(true) => format!("{} is active.", kind.provider_name()),
                Some(false) => format!("{} is paused.", kind.provider_name()),
                None => "Saved.".into(),
            },
            test_status: None,
            test_error: None,
            released,
            calendars: None,
        }))
    }

    /// Tries settings and secrets: a look without side effects, then, where somebody is named, a
    /// test that is sent and logged as one.
    async fn try_out(&self, workspace: WorkspaceId, candidate: &Candidate) -> Result<Tried> {
        let looked = match &candidate.settings {
            Settings::Calendar(settings) => self.try_calendar(workspace, settings).await,
            Settings::Email(settings) => {
                let url = &settings.api_base_url;
                match candidate.kept.secret(sendgrid::KEY, url) {
                    Ok(key) => {
                        sendgrid::check(&self.http, url, &key.to_owned().into(), self.own_port())
                            .await
                    }
                    Err(failure) => Err(failure),
                }
            }
            Settings::Storage(settings) => match self.open_storage(settings, &candidate.kept) {
                Ok(s3) => {
                    let prefix = storage::key::prefix(&workspace);
                    s3.test(&prefix).await.map_err(|stopped| stopped.failure)
                }
                Err(failure) => Err(failure),
            },
            Settings::Sms(settings) => self.try_sms(settings, &candidate.kept).await,
        };
        if let Err(failure) = looked {
            let failure = match failure.args.status {
                None => self.judged(failure, &candidate.settings).await,
                Some(_) => failure,
            };
            return Ok((Err(failure), None));
        }
        match &candidate.test_to {
            None => Ok((Ok(()), None)),
            Some(to) => self.send_test(workspace, candidate, to).await,
        }
    }

    async fn send_test(
        &self,
        workspace: WorkspaceId,
        candidate: &Candidate,
        to: &str,
    ) -> Result<Tried> {
        let (event_type, data, recipient) = match &candidate.settings {
            Settings::Email(_) => ("email.send", test_message(to), to.to_owned()),
            Settings::Sms(settings) => (
                "sms.send",
                test_text(to),
                number::e164(to, settings.country()).unwrap_or_else(|_| to.to_owned()),
            ),
            // Nobody to send a file or an entry to: looking was the test.
            Settings::Storage(_) | Settings::Calendar(_) => return Ok((Ok(()), None)),
        };
        let sending = Sending {
            kind: candidate.settings.kind(),
            event_type,
            data: data.into(),
            carries: Carries::Data,
            recipient,
            subject: None,
            idempotency_key: None,
            source: "test".into(),
        };
        let (now, settings) = (self.now(), candidate.settings.clone());
        let out = self
            .db
            .write(move |tx| record_test(tx, workspace, &sending, settings, now))
            .await?;
        let sent = self
            .send_through(&out, &candidate.settings, Some(&candidate.kept))
            .await;
        let (id, result) = (out.id, sent.ended.failure.clone().map_or(Ok(()), Err));
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| finish::finish(tx, &out, &sent.ended, None, now, 0.0, &lanes))
            .await?;
        Ok((result, Some(id)))
    }
}

/// The email that a test sends.
fn test_message(to: &str) -> String {
    let message = Message {
        to: email::Addresses::One(to.to_owned()),
        cc: None,
        bcc: None,
        reply_to: None,
        subject: "A test from Signalbox".into(),
        html: None,
        text: Some(
            "This is a test. If you can read it, your customers get their emails too.".into(),
        ),
        attachments: Vec::new(),
        idempotency_key: None,
    };
    serde_json::to_string(&message).unwrap_or_default()
}

/// The text that a test sends.
fn test_text(to: &str) -> String {
    let message = sms::Message {
        to: to.to_owned(),
        message: "A test from Signalbox: your customers get their texts too.".into(),
        idempotency_key: None,
    };
    serde_json::to_string(&message).unwrap_or_default()
}

pub(super) fn unknown(kind: Kind) -> Error {
    Error::new(
        crate::Kind::NotFound,
        format!("{} is not set up in this workspace.", kind.provider_name()),
    )
}

pub(super) fn required(path: &str, secret: &super::Secret) -> Option<FieldError> {
    use secrecy::ExposeSecret as _;
    let text = secret.0.expose_secret();
    if text.is_empty() {
        return Some(FieldError::new(path, "required", "Enter the key."));
    }
    let odd = text.len() > 512 || text.bytes().any(|b| !b.is_ascii_graphic());
    odd.then(|| {
        FieldError::new(
            path,
            "invalid",
            "This is no key: one has no spaces and no letters beyond ASCII. Copy it once more.",
        )
    })
}

/// `texts` are the settings of texts, where it is one that would be sent.
fn wrong_test_to(texts: Option<&sms::Settings>, to: Option<&str>) -> Option<FieldError> {
    let to = to?;
    if let Some(settings) = texts {
        return sms::wrong_number("testTo", to, settings.country());
    }
    email::Mailbox::read(to).is_none().then(|| {
        FieldError::new(
            "testTo",
            "invalid",
            "This is no email address; one looks like maria@example.com.",
        )
    })
}

/// True when a failure says nothing against what was tried.
pub(super) fn unproven(kind: Kind, failure: &Failure) -> bool {
    matches!(
        consequence::of(kind, failure),
        Consequence::Retry | Consequence::Unknown | Consequence::Hold(Reason::Offline)
    )
}

pub(super) fn refused(kind: Kind, failure: &Failure) -> Configured {
    let message = words::refused_key(kind, failure);
    Configured::Refused(Refused {
        graceful: Graceful::ended(failure.code, message.clone()),
        message,
    })
}

fn badly(
    kind: Kind,
    failure: &Failure,
    delivery_id: Option<DeliveryId>,
    last_tested: Option<Time>,
) -> Tested {
    let message = words::failure(kind, failure);
    Tested::Badly(TestedBadly {
        graceful: Graceful {
            delivery_id,
            ..Graceful::ended(failure.code, message.clone())
        },
        message,
        last_tested,
    })
}

fn went_well(kind: Kind, sent: bool) -> String {
    let who = kind.provider_name();
    if sent {
        return format!("{who} took the test. Look whether it arrives.");
    }
    match kind {
        Kind::Email => format!("{who} knows your key and lets it send."),
        Kind::Sms => format!("{who} knows your key."),
        Kind::Calendar => format!("{who} is connected, and lets entries be written."),
        Kind::Storage => {
            format!("{who} knows your key. A small file was stored there and deleted again.")
        }
    }
}

/// What follows from switching: what is due is put aside, or what was held goes out.
fn switched(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    kind: Kind,
    switches: Switches,
    now: Time,
    lanes: &crate::outbox::lanes::Lanes,
) -> Result<u64> {
    let Some(row) = db::integrations::get(tx.conn(), workspace, kind)? else {
        return Ok(0);
    };
    let endpoint = kind.endpoint(workspace);
    if !row.is_active {
        if switches.is_active == Some(false) || switches.when_paused == Some(WhenPaused::Skip) {
            crate::outbox::target::put_aside(tx.conn(), &endpoint, row.when_paused.stop(), now)?;
            tx.announce(Some(workspace), Topic::Deliveries);
        }
        return Ok(0);
    }
    if switches.is_active != Some(true) {
        return Ok(0);
    }
    let released = db::deliveries::release_held(tx.conn(), &endpoint, Reason::Paused, now)?;
    tx.announce(Some(workspace), Topic::Deliveries);
    let lanes = lanes.clone();
    tx.after_commit(move || lanes.look(&endpoint));
    Ok(released as u64)
}

/// The provider is content again: what waited for that goes out, unless it is paused.
pub(crate) fn mended(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    kind: Kind,
    now: Time,
    lanes: &crate::outbox::lanes::Lanes,
) -> Result<u64> {
    db::integrations::set_needs(tx.conn(), workspace, kind, None)?;
    let Some(row) = db::integrations::get(tx.conn(), workspace, kind)? else {
        return Ok(0);
    };
    let endpoint = kind.endpoint(workspace);
    let mut released = 0;
    for reason in [
        Reason::NeedsCredentials,
        Reason::NeedsSetup,
        Reason::NeedsSignIn,
        Reason::Keychain,
    ] {
        released += db::deliveries::release_held(tx.conn(), &endpoint, reason, now)? as u64;
    }
    if released == 0 {
        return Ok(0);
    }
    tx.announce(Some(workspace), Topic::Deliveries);
    match row.stop() {
        // It waits on, for another reason.
        Some(stop) => {
            crate::outbox::target::put_aside(tx.conn(), &endpoint, stop, now)?;
            return Ok(0);
        }
        None => {
            let lanes = lanes.clone();
            tx.after_commit(move || lanes.look(&endpoint));
        }
    }
    let who = kind.provider_name();
    db::problems::note(
        tx.conn(),
        workspace,
        crate::problems::Solution::Mended,
        who,
        released,
        now,
    )?;
    Ok(released)
}
