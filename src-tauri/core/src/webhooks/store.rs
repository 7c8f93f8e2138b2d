//! The use cases of webhooks.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::headers::MASK;
use super::kept::{self, Kept};
use super::{
    ChangedWebhook, Day, FilterSample, FilterTest, FilterTested, FormatPreview, FormatPreviewed,
    NewWebhook, PausedReason, PreviewedEvent, SecretAge, Settings, TestFailed, TestPassed, Tested,
    Webhook, WebhookPatch, check_events, signature,
};
use crate::changes::Topic;
use crate::clock::Time;
use crate::condition::Condition;
use crate::db::webhooks::WebhookRow;
use crate::db::{self, Tx, deliveries::Standing};
use crate::deliveries::read::Reader;
use crate::deliveries::{Channel, Reason, Trigger};
use crate::error::{Error, FieldError, Result};
use crate::events::{self, EventType, NewEvent, TEST_TYPE};
use crate::explain::{self, Role, Shape, State};
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};
use crate::outbox::{Outgoing, Target, finish, lease_until};
use crate::outcome::Graceful;
use crate::problems::{self, Solution};
use crate::receivers;
use crate::secrets::SecretError;

/// A percentage is shown only from so many items on.
const FEWEST_FOR_RATE: u64 = 20;
/// A filter is tried on so many events, and shows so many.
const FILTER_LOOKS_BACK: u32 = 10_000;
const FILTER_SAMPLES: usize = 20;

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
        let headers = new.headers.clone().unwrap_or_default();
        let mut settings = Settings::new(new, self.now());
        let mut wrong = headers.check(false);
        wrong.extend(self.wrong_settings(workspace, &settings).await?);
        let (id, secret) = (WebhookId::new(), signature::fresh_secret()?);
        let mut kept = Kept::new(secret.clone()).with_headers(&settings, headers.iter());
        if settings.format.is_chat() {
            kept = kept.with_address(&settings, settings.url.clone());
            settings.url = kept::shown(&settings.url);
        }
        if !kept.fits() {
            wrong.push(too_long());
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        // The item first, then the row that names it: a crash between leaves an orphan, never a
        // webhook without its secret.
        self.secrets
            .put(workspace, &id.to_string(), kept.write())
            .await?;
        self.db
            .write(move |tx| {
                db::webhooks::insert(tx.conn(), workspace, id, &settings, paused)?;
                tx.webhooks_changed();
                tx.announce(Some(workspace), Topic::Webhooks);
                Ok(())
            })
            .await?;
        let mut webhook = self.webhook(workspace, id).await?;
        webhook.secret = Some(secret);
        Ok(webhook)
    }

    /// The settings of a webhook.
    pub(super) async fn settings_of(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<Settings> {
        self.db
            .read(move |conn| {
                db::webhooks::get(conn, workspace, id)?
                    .map(|w| w.settings)
                    .ok_or_else(|| Error::not_found("webhook"))
            })
            .await
    }

    /// Alters, pauses or resumes a webhook. Resuming lets go what was held.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` fields; `Keychain` when values of headers cannot be kept: then nothing
    /// was altered.
    pub async fn update_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        patch: WebhookPatch,
    ) -> Result<ChangedWebhook> {
        let _altering = self.altering_items.lock().await;
        let before = self.settings_of(workspace, id).await?;
        let mut settings = before.clone();
        let warnings = settings.apply(&patch);
        let headers = patch.headers.clone().unwrap_or_default();
        let mut wrong = headers.check(true);
        wrong.extend(self.wrong_settings(workspace, &settings).await?);
        let address = settings
            .secret_address(&before)
            .map_err(|found| wrong.push(found))
            .unwrap_or_default();
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let item = id.to_string();
        if !headers.0.is_empty() || address.is_some() {
            let kept = match self.secrets.get(workspace, &item).await {
                // A chat asks for no signature: with a new address nothing is lost any more.
                Err(SecretError::Missing) if address.is_some() => {
                    Kept::new(signature::fresh_secret()?)
                }
                item => Kept::read(&item?),
            };
            let mut kept = kept.with_headers(&settings, headers.iter());
            if let Some(address) = &address {
                kept = kept.with_address(&before, address.clone());
                settings.url = kept::shown(address);
            }
            if !kept.fits() {
                return Err(Error::invalid(vec![too_long()]));
            }
            self.secrets.put(workspace, &item, kept.write()).await?;
        }
        let left_headers = !before.header_names.is_empty()
            && settings.header_names.is_empty()
            && headers.0.is_empty();
        let left_address = before.format.is_chat() && before.url != settings.url;
        let (now, lanes, endpoint) = (self.now(), self.lanes.clone(), id.to_string());
        let stored = settings.clone();
        self.db
            .write(move |tx| {
                let settings = stored;
                let row = db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                db::webhooks::update(tx.conn(), id, &settings)?;
                match patch.is_active {
                    Some(false) if row.paused_reason.is_none() => {
                        db::webhooks::set_paused(
                            tx.conn(),
                            &endpoint,
                            Some(PausedReason::ByOwner),
                            now,
                        )?;
                        db::deliveries::hold_pending(tx.conn(), &endpoint, Reason::Paused)?;
                    }
                    Some(true) if row.paused_reason.is_some() => {
                        resume(tx, workspace, &row, now)?;
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
        if (left_headers || left_address)
            && let Err(error) = self.tidy_item(workspace, &item, &settings).await
        {
            // They are for elsewhere, and nobody names them: they go nowhere.
            tracing::warn!(%error, "values of own headers, or a former address, are still in the key store");
        }
        if address.is_some() {
            self.let_go(item, workspace, Reason::Keychain);
        }
        Ok(ChangedWebhook {
            webhook: self.webhook(workspace, id).await?,
            warnings,
        })
    }

    async fn tidy_item(
        &self,
        workspace: WorkspaceId,
        item: &str,
        settings: &Settings,
    ) -> Result<()> {
        let kept = Kept::read(&self.secrets.get(workspace, item).await?).tidy(settings);
        Ok(self.secrets.put(workspace, item, kept.write()).await?)
    }

    /// Tries a filter on what has happened: how much of it fits, and why.
    ///
    /// # Errors
    /// `Invalid` types or filter.
    pub async fn test_filter(
        &self,
        workspace: WorkspaceId,
        test: FilterTest,
    ) -> Result<FilterTested> {
        let types = self.event_types(workspace).await?;
        let mut wrong = check_events(&test.events, types.iter().map(|t| t.name.as_str()));
        let condition = Condition::read(&test.filter, "filter")
            .map_err(|found| wrong.extend(found))
            .ok();
        let Some(condition) = condition.filter(|_| wrong.is_empty()) else {
            return Err(Error::invalid(wrong));
        };
        let now = self.now();
        let since = test
            .since
            .unwrap_or_else(|| now.plus_ms(-30 * 24 * 60 * 60 * 1000));
        self.db
            .read(move |conn| {
                let reader = Reader::new(conn, workspace, now)?;
                let mut tested = FilterTested {
                    checked: 0,
                    matched: 0,
                    sentence: String::new(),
                    samples: Vec::new(),
                };
                db::events::newest(conn, workspace, since, FILTER_LOOKS_BACK, |event| {
                    if !test.events.iter().any(|e| e == "*" || *e == event.event_type) {
                        return;
                    }
                    let data = String::from_utf8_lossy(&event.data);
                    tested.checked += 1;
                    let matches = if tested.samples.len() < FILTER_SAMPLES {
                        let (matches, why) = condition.why(&data);
                        tested.samples.push(FilterSample {
                            event_id: event.id,
                            at: event.received_at,
                            label: reader.label(&event.event_type),
                            what: events::in_a_few_words(&data),
                            matches,
                            why,
                        });
                        matches
                    } else {
                        condition.fits(&data)
                    };
                    tested.matched += u64::from(matches);
                })?;
                tested.sentence = match tested.checked {
                    0 => "Nothing of this kind has happened since then, so there is nothing to try it on.".into(),
                    1 if tested.matched == 1 => "The only event since then fits.".into(),
                    1 => "The only event since then does not fit.".into(),
                    n => format!("{} of the last {n} events fit.", tested.matched),
                };
                Ok(tested)
            })
            .await
    }

    /// What a format makes of an event. Nothing is sent.
    ///
    /// # Errors
    /// `Invalid` type or data, `TooLarge`.
    pub async fn preview_format(
        &self,
        workspace: WorkspaceId,
        preview: FormatPreview,
    ) -> Result<FormatPreviewed> {
        let types = self.event_types(workspace).await?;
        let PreviewedEvent { event_type, data } = preview.event;
        let sample = || types.iter().find(|t| t.name == event_type);
        let data = match data.or_else(|| serde_json::value::to_raw_value(&sample()?.example).ok()) {
            Some(data) => data,
            None => return Err(unknown_type("event.type", &event_type, &types)),
        };
        let declared = types
            .iter()
            .filter(|t| t.declared)
            .map(|t| (t.name.clone(), t.clone()))
            .collect();
        let checked = events::check(
            NewEvent {
                event_type,
                data,
                subject: None,
                occurred_at: None,
                idempotency_key: None,
            },
            &declared,
        )
        .map_err(|mut error| {
            for field in &mut error.fields {
                field.path = format!("event.{}", field.path);
            }
            error
        })?;
        let (kind, data) = (checked.event_type, checked.data);
        let format = preview.format;
        Ok(FormatPreviewed {
            content_type: super::format::CONTENT_TYPE,
            message: format.message(&kind, &data),
            body: format
                .render(&kind, self.now(), &data)
                .unwrap_or_else(|| data.into()),
        })
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
        self.try_once(workspace, id, event_type, |_| ()).await
    }

    /// One call, with the settings altered for it alone.
    pub(super) async fn try_once(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
        event_type: Option<String>,
        alter: impl FnOnce(&mut Settings) + Send + 'static,
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
                let kind = types
                    .iter()
                    .find(|t| t.name == wanted)
                    .ok_or_else(|| unknown_type("event", &wanted, &types))?;
                (kind.name.clone(), kind.example.to_string())
            }
        };
        let (out, who) = self
            .db
            .write(move |tx| {
                let mut webhook = db::webhooks::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("webhook"))?;
                alter(&mut webhook.settings);
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
                let rendered = webhook.settings.format.render(&name, now, &body);
                if let Some(rendered) = &rendered {
                    db::bodies::insert(tx.conn(), delivery, rendered.as_bytes())?;
                }
                db::attempts::start(tx.conn(), delivery, 1, Trigger::Test, now)?;
                tx.announce(Some(workspace), Topic::Deliveries);
                let who = webhook.settings.name.clone();
                let out = Outgoing {
                    delivery,
                    number: 1,
                    id: delivery_id,
                    workspace,
                    endpoint: endpoint.into(),
                    target: Target::Webhook(Arc::new(webhook.settings)),
                    event_id,
                    event_type: name,
                    subject: None,
                    test: true,
                    body: rendered.unwrap_or(body).into(),
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

    async fn wrong_settings(
        &self,
        workspace: WorkspaceId,
        settings: &Settings,
    ) -> Result<Vec<FieldError>> {
        let types = self.event_types(workspace).await?;
        let mut wrong = settings.check(types.iter().map(|t| t.name.as_str()));
        wrong.extend(self.wrong_receiver(workspace, &settings.url).await?);
        Ok(wrong)
    }
}

impl Settings {
    /// The address that is to be kept anew, where it is a secret; nothing when the one that is kept
    /// stays, or none is.
    fn secret_address(&self, before: &Self) -> std::result::Result<Option<String>, FieldError> {
        let stays = self.url == before.url;
        match (before.format.is_chat(), self.format.is_chat()) {
            (false, false) => Ok(None),
            (true, true) if stays => Ok(None),
            (true, false) if stays => Err(FieldError::new(
                "url",
                "secret_required",
                "The address of a chat is a secret, and in this format it would be shown. Enter the address for this format.",
            )),
            (true, _) if self.url.contains(MASK) => Err(FieldError::new(
                "url",
                "invalid",
                "Only the end of this address is here. Enter the whole address.",
            )),
            (_, false) => Ok(None),
            (_, true) => Ok(Some(self.url.clone())),
        }
    }
}

fn unknown_type(path: &str, wanted: &str, types: &[EventType]) -> Error {
    let hint = events::nearest(wanted, types.iter().map(|t| t.name.as_str()))
        .map(|n| format!(" Did you mean “{n}”?"))
        .unwrap_or_default();
    Error::field(
        path,
        "unknown",
        format!("There is no event type of this name.{hint}"),
    )
}

fn too_long() -> FieldError {
    FieldError::new(
        "headers",
        "too_long",
        "These headers are longer than a key store holds: about 2,200 characters for all of a webhook together, less twice the address of a chat.",
    )
}

/// Lets a paused webhook be called again, with what was held.
fn resume(tx: &mut Tx<'_>, workspace: WorkspaceId, row: &WebhookRow, now: Time) -> Result<()> {
    let endpoint = row.id.to_string();
    db::webhooks::set_paused(tx.conn(), &endpoint, None, now)?;
    db::deliveries::release_held(tx.conn(), &endpoint, Reason::Paused, now)?;
    if row.paused_reason != Some(PausedReason::ByOwner) {
        let (how, who) = (Solution::CalledAgain, &row.settings.name);
        db::problems::note(tx.conn(), workspace, how, who, 0, now)?;
    }
    Ok(())
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
    let (age, is_old) =
        problems::secret_age(row.settings.secret_created_at, &row.settings.name, now);
    let dismissed = db::problems::dismissed(conn, workspace)?;
    let facts = problems::facts(conn, &row, &dismissed)?;
    let problem_id = problems::of(&[facts], &[], &[], &dismissed, now, zone)
        .into_iter()
        .next()
        .map(|problem| problem.id);
    Ok(Webhook {
        problem_id,
        secret_age: SecretAge {
            sentence: age,
            is_old,
        },
        previous_secret_valid_until: row.settings.overlap(now),
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
        filter: row.settings.filter,
        header_names: row.settings.header_names,
        rate_limit_per_second: row.settings.rate_limit,
        total_calls: total,
        successful_calls: row.succeeded,
        failed_calls: row.failed,
        last_triggered: row.last_triggered_at,
        secret_created_at: row.settings.secret_created_at,
        paused_reason: row.paused_reason,
        held: standing.held,
        waiting: standing.waiting,
        success_rate,
        secret: None,
    })
}
