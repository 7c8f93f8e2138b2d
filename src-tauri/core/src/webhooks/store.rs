//! The use cases of webhooks.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::{
    Day, NewWebhook, PausedReason, Settings, TestFailed, TestPassed, Tested, Webhook, WebhookPatch,
    signature,
};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::webhooks::WebhookRow;
use crate::db::{self, deliveries::Standing};
use crate::deliveries::{Channel, Reason, Trigger};
use crate::error::{Error, Result};
use crate::events::{self, TEST_TYPE};
use crate::explain::{self, Role, Shape, State};
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};
use crate::outbox::{Outgoing, finish, lease_until};
use crate::outcome::Graceful;
use crate::receivers;

/// A percentage is shown only from so many items on.
const FEWEST_FOR_RATE: u64 = 20;

impl Hub {
    /// The webhooks of a workspace, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhooks(&self, workspace: WorkspaceId) -> Result<Vec<Webhook>> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let zone = zone(conn, workspace)?;
                db::webhooks::all(conn, workspace)?
                    .into_iter()
                    .map(|row| view(conn, workspace, row, now, &zone))
                    .collect()
            })
            .await
    }

    /// One webhook.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn webhook(&self, workspace: WorkspaceId, id: WebhookId) -> Result<Webhook> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let row = db::webhooks::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                view(conn, workspace, row, now, &zone(conn, workspace)?)
            })
            .await
    }

    /// Makes a webhook and its signing secret, which is in this answer and nowhere else.
    ///
    /// # Errors
    /// `Invalid` fields; `Keychain` when the secret cannot be kept: then nothing was made.
    pub async fn create_webhook(&self, workspace: WorkspaceId, new: NewWebhook) -> Result<Webhook> {
        let paused = (new.is_active == Some(false)).then_some(PausedReason::ByOwner);
        let settings = Settings::from(new);
        self.check_settings(workspace, &settings).await?;
        let (id, secret, now) = (WebhookId::new(), signature::fresh_secret()?, self.now());
        // The item first, then the row that names it: a crash between leaves an orphan, never a
        // webhook without its secret.
        self.secrets
            .put(workspace, &id.to_string(), secret.clone().into())
            .await?;
        self.db
            .write(move |tx| {
                db::webhooks::insert(tx.conn(), workspace, id, &settings, paused, now)?;
                tx.webhooks_changed();
                tx.announce(Some(workspace), Topic::Webhooks);
                Ok(())
            })
            .await?;
        let mut webhook = self.webhook(workspace, id).await?;
        webhook.secret = Some(secret);
        Ok(webhook)
    }

    /// Alters, pauses or resumes a webhook. Resuming lets go what was held.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` fields.
    pub async fn update_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        patch: WebhookPatch,
    ) -> Result<Webhook> {
        let mut settings = self
            .db
            .read(move |conn| {
                db::webhooks::get(conn, workspace, id)?
                    .map(|w| w.settings)
                    .ok_or_else(|| Error::not_found("webhook"))
            })
            .await?;
        settings.apply(&patch);
        self.check_settings(workspace, &settings).await?;
        let (now, lanes, endpoint) = (self.now(), self.lanes.clone(), id.to_string());
        self.db
            .write(move |tx| {
                let row = db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                db::webhooks::update(tx.conn(), id, &settings)?;
                match patch.is_active {
                    Some(false) if row.paused_reason.is_none() => {
                        db::webhooks::set_paused(
                            tx.conn(),
                            &endpoint,
                            Some(PausedReason::ByOwner),
                        )?;
                        db::deliveries::hold_pending(tx.conn(), &endpoint, Reason::Paused)?;
                    }
                    Some(true) if row.paused_reason.is_some() => {
                        db::webhooks::set_paused(tx.conn(), &endpoint, None)?;
                        db::deliveries::release_held(tx.conn(), &endpoint, Reason::Paused, now)?;
                        tx.after_commit(move || lanes.look(&endpoint));
                    }
                    _ => {}
                }
                tx.webhooks_changed();
                tx.announce(Some(workspace), Topic::Webhooks);
                tx.announce(Some(workspace), Topic::Deliveries);
                Ok(())
            })
            .await?;
        self.webhook(workspace, id).await
    }

    /// Removes a webhook and its secret, and cancels what waits; its log stays.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_webhook(&self, workspace: WorkspaceId, id: WebhookId) -> Result<()> {
        let (now, endpoint) = (self.now(), id.to_string());
        self.db
            .write({
                let endpoint = endpoint.clone();
                move |tx| {
                    db::webhooks::get(tx.conn(), workspace, id)?
                        .ok_or_else(|| Error::not_found("webhook"))?;
                    db::webhooks::delete(tx.conn(), id, now)?;
                    db::deliveries::cancel_waiting(tx.conn(), &endpoint, now)?;
                    tx.webhooks_changed();
                    tx.announce(Some(workspace), Topic::Webhooks);
                    tx.announce(Some(workspace), Topic::Deliveries);
                    Ok(())
                }
            })
            .await?;
        if let Err(error) = self.secrets.delete(workspace, &endpoint).await {
            // An orphan in the key store, not a lost secret.
            tracing::warn!(
                ?error,
                "the secret of a removed webhook could not be deleted"
            );
        }
        Ok(())
    }

    /// Calls a webhook once, with the test body or the sample of a type. Marked in the log, never
    /// counted.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an unknown type.
    pub async fn test_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        event_type: Option<String>,
    ) -> Result<Tested> {
        let now = self.now();
        let (name, body) = match event_type {
            None => {
                let body = format!(
                    r#"{{"event":"webhook.test","timestamp":"{now}","data":{{"message":"This is a test webhook"}}}}"#
                );
                (TEST_TYPE.to_owned(), body)
            }
            Some(wanted) => {
                let types = self.event_types(workspace).await?;
                let kind = types.iter().find(|t| t.name == wanted).ok_or_else(|| {
                    let hint = events::nearest(&wanted, types.iter().map(|t| t.name.as_str()))
                        .map(|n| format!(" Did you mean “{n}”?"))
                        .unwrap_or_default();
                    Error::field(
                        "event",
                        "unknown",
                        format!("There is no event type of this name.{hint}"),
                    )
                })?;
                (kind.name.clone(), kind.example.to_string())
            }
        };
        let (out, who) = self
            .db
            .write(move |tx| {
                let webhook = db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                let (event_id, delivery_id, endpoint) =
                    (tx.event_id(now), tx.delivery_id(now), id.to_string());
                let delivery = delivery_id.row();
                db::events::insert(
                    tx.conn(),
                    &db::events::NewRow {
                        id: event_id,
                        workspace,
                        // Marked as a test in the list of events too, whatever its sample is of.
                        event_type: TEST_TYPE,
                        subject: None,
                        occurred_at: now,
                        received_at: now,
                        source: "test",
                        data: body.as_bytes(),
                        data_sha256: Sha256::digest(&body).into(),
                        idempotency_key: None,
                        fingerprint: None,
                        deliveries: 1,
                        first_delivery: delivery,
                    },
                )?;
                db::deliveries::insert(
                    tx.conn(),
                    &db::deliveries::NewRow {
                        id: delivery_id,
                        workspace,
                        event_seq: event_id.row(),
                        channel: Channel::Webhook,
                        endpoint: &endpoint,
                        event_type: &name,
                        subject: None,
                        recipient: &super::host_of(&webhook.settings.url),
                        state: db::deliveries::NewState::Sending(lease_until(now)),
                        trigger: Trigger::Test,
                        now,
                    },
                )?;
                db::attempts::start(tx.conn(), delivery, 1, Trigger::Test, now)?;
                tx.announce(Some(workspace), Topic::Deliveries);
                let who = webhook.settings.name.clone();
                let out = Outgoing {
                    delivery,
                    number: 1,
                    id: delivery_id,
                    workspace,
                    endpoint: endpoint.into(),
                    settings: Arc::new(webhook.settings),
                    event_id,
                    event_type: name,
                    subject: None,
                    test: true,
                    body: body.into(),
                    damaged: false,
                };
                Ok((out, who))
            })
            .await?;
        let sent = self.send(&out).await;
        let delivery_id = out.id;
        let (status_code, duration_ms, failure) = (
            sent.ended.status,
            sent.ended.duration_ms,
            sent.ended.failure.clone(),
        );
        let why = receivers::failure(&sent.ended, &who);
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| finish::finish(tx, &out, &sent.ended, None, now, 0.0, &lanes))
            .await?;
        Ok(match failure {
            None => Tested::Passed(TestPassed {
                success: true,
                message: format!(
                    "{who} received the test and answered {}.",
                    status_code.unwrap_or(200)
                ),
                status_code,
                attempts: 1,
                duration_ms: duration_ms.unwrap_or_default(),
                delivery_id,
            }),
            Some(failure) => {
                let message = why.unwrap_or_else(|| explain::failure(&failure, &who));
                let graceful = Graceful {
                    delivery_id: Some(delivery_id),
                    ..Graceful::ended(failure.code, message.clone())
                };
                Tested::Failed(TestFailed {
                    graceful,
                    message,
                    status_code,
                    attempts: 1,
                    duration_ms,
                })
            }
        })
    }

    async fn check_settings(&self, workspace: WorkspaceId, settings: &Settings) -> Result<()> {
        let types = self.event_types(workspace).await?;
        let wrong = settings.check(types.iter().map(|t| t.name.as_str()));
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(wrong))
        }
    }
}

/// The zone of a workspace; UTC when its name means nothing on this computer.
pub(crate) fn zone(conn: &rusqlite::Connection, workspace: WorkspaceId) -> Result<TimeZone> {
    let workspace =
        db::workspaces::get(conn, workspace)?.ok_or_else(|| Error::not_found("workspace"))?;
    Ok(TimeZone::get(&workspace.timezone).unwrap_or(TimeZone::UTC))
}

/// The last seven days of an endpoint, oldest first, in a zone.
pub(crate) fn days(
    conn: &rusqlite::Connection,
    endpoint: &str,
    now: Time,
    zone: &TimeZone,
) -> Result<Vec<Day>> {
    let today = now.to_timestamp().to_zoned_datetime(zone.clone()).date();
    let mut days: Vec<Day> = (0..7_i64)
        .rev()
        .map(|back| Day {
            day: today.saturating_sub(jiff::Span::new().days(back)),
            succeeded: 0,
            failed: 0,
        })
        .collect();
    let since = now.plus_ms(-8 * 24 * 60 * 60 * 1000);
    for (quarter, succeeded, failed) in db::tallies::since(conn, endpoint, since)? {
        let date = quarter
            .to_timestamp()
            .to_zoned_datetime(zone.clone())
            .date();
        if let Some(day) = days.iter_mut().find(|d| d.day == date) {
            day.succeeded += succeeded;
            day.failed += failed;
        }
    }
    Ok(days)
}

/// How a webhook stands, as plate and word.
pub(crate) fn state(row: &WebhookRow, standing: Standing, offline: bool) -> State {
    if row.paused_reason.is_some() {
        let word = if standing.held > 0 {
            format!("Paused, {} held", standing.held)
        } else {
            "Paused".into()
        };
        return match row.paused_reason {
            Some(PausedReason::ByOwner) | None => {
                State::new(word, Shape::BarsSquareOpen, Role::Held)
            }
            Some(PausedReason::Gone | PausedReason::Failing) => {
                State::new(word, Shape::OctagonBang, Role::Failed)
            }
        };
    }
    if standing.held > 0 {
        return if offline {
            State::new(
                format!("Offline, {} waiting", standing.held),
                Shape::GapSquare,
                Role::Waiting,
            )
        } else {
            State::new(
                format!("Held, {}", standing.held),
                Shape::BarsSquareFilled,
                Role::Held,
            )
        };
    }
    if row.failing_tries > 0 {
        return State::new("Trouble", Shape::TriangleBang, Role::Held);
    }
    if row.last_success_at.is_some() {
        State::new("Working", Shape::TickFilled, Role::Success)
    } else {
        State::new("Ready", Shape::DotOpen, Role::Success)
    }
}

fn sentence(row: &WebhookRow, standing: Standing) -> String {
    let who = &row.settings.name;
    match row.paused_reason {
        Some(PausedReason::Gone) => format!(
            "{who} asked for no more calls. {} kept.",
            explain::count(standing.held, "is", "are")
        ),
        Some(PausedReason::Failing) => format!(
            "{who} has not answered for days and is paused. Nothing is lost; {} held.",
            standing.held
        ),
        Some(PausedReason::ByOwner) if standing.held > 0 => format!(
            "You paused {who}. {} go out when you resume.",
            explain::count(standing.held, "call waits and will", "calls wait and will")
        ),
        Some(PausedReason::ByOwner) => {
            format!("You paused {who}. What happens meanwhile is kept for it.")
        }
        None => match &row.last_failure {
            Some(failure) => explain::failure(failure, who),
            None if row.last_success_at.is_some() => format!("{who} is told of what happens."),
            None => {
                format!("{who} has not been called yet. Send a test to see whether it answers.")
            }
        },
    }
}

fn view(
    conn: &rusqlite::Connection,
    workspace: WorkspaceId,
    row: WebhookRow,
    now: Time,
    zone: &TimeZone,
) -> Result<Webhook> {
    let endpoint = row.id.to_string();
    let standing = db::deliveries::standing(conn, workspace, Some(&endpoint))?;
    let offline = standing.held > 0
        && db::deliveries::held_endpoints(conn, Reason::Offline)?
            .iter()
            .any(|(e, _)| *e == endpoint);
    let total = row.succeeded + row.failed;
    #[allow(clippy::cast_precision_loss)]
    let success_rate = (total >= FEWEST_FOR_RATE).then(|| row.succeeded as f64 / total as f64);
    Ok(Webhook {
        state: state(&row, standing, offline),
        sentence: sentence(&row, standing),
        last_error: row
            .last_failure
            .as_ref()
            .map(|f| explain::failure(f, &row.settings.name)),
        days: days(conn, &endpoint, now, zone)?,
        id: row.id,
        host: super::host_of(&row.settings.url),
        name: row.settings.name,
        url: row.settings.url,
        events: row.settings.events,
        is_active: row.paused_reason.is_none(),
        format: row.settings.format,
        retry_attempts: row.settings.retry_attempts,
        retry_delay: row.settings.retry_delay,
        retry_schedule: row.settings.retry_schedule,
        timeout_seconds: row.settings.timeout_seconds,
        allow_private_network: row.settings.allow_private_network,
        filter: None,
        header_names: Vec::new(),
        total_calls: total,
        successful_calls: row.succeeded,
        failed_calls: row.failed,
        last_triggered: row.last_triggered_at,
        secret_created_at: row.secret_created_at,
        previous_secret_valid_until: None,
        paused_reason: row.paused_reason,
        held: standing.held,
        waiting: standing.waiting,
        success_rate,
        secret: None,
    })
}
