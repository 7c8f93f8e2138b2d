//! Taking an event in: the event and its deliveries in one transaction, answered when durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::target::Stop;
use super::{Outgoing, Target, lease_until};
use crate::automations::known::{Known, Made};
use crate::automations::queue::{Because, queue};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::deliveries::NewState;
use crate::db::{self, Tx};
use crate::deliveries::{Channel, Reason, Trigger};
use crate::error::{Error, Result};
use crate::events::{self, Checked, EventType, NewEvent, NewEventType, Recorded};
use crate::hub::Hub;
use crate::ids::{DeliveryId, EventId, WorkspaceId};
use crate::integrations::{self, Kind};
use crate::outbox::lanes::Lanes;

/// The way to the worker, where one runs.
pub(crate) type Dispatch = tokio::sync::mpsc::UnboundedSender<(Outgoing, super::lanes::Claim)>;

impl Hub {
    /// The event types of a workspace: built in and declared.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn event_types(&self, workspace: WorkspaceId) -> Result<Vec<EventType>> {
        let declared = self.declared(workspace).await?;
        Ok(events::built_in()
            .iter()
            .chain(declared.values())
            .cloned()
            .collect())
    }

    /// Declares a further type.
    ///
    /// # Errors
    /// `Invalid` when the name is not one, or taken.
    pub async fn declare_event_type(
        &self,
        workspace: WorkspaceId,
        new: NewEventType,
    ) -> Result<EventType> {
        if !events::is_type_name(&new.name)
            || new.name == events::TEST_TYPE
            || events::is_reserved(&new.name)
        {
            return Err(Error::field(
                "type",
                "invalid",
                "A type is made of lower-case letters, digits and _, in parts with dots between: gift_card.sold.",
            ));
        }
        let declared = self.declared(workspace).await?;
        if declared.contains_key(&new.name) || events::built_in().iter().any(|t| t.name == new.name)
        {
            return Err(Error::field(
                "type",
                "taken",
                "There is already an event type of this name.",
            ));
        }
        for (path, value) in [("schema", &new.schema), ("example", &new.example)] {
            if value.as_ref().is_some_and(|v| !v.is_object()) {
                return Err(Error::field(path, "invalid", "This must be a JSON object."));
            }
        }
        let kind = EventType {
            label: new
                .label
                .filter(|l| !l.trim().is_empty())
                .unwrap_or_else(|| events::label_from_name(&new.name)),
            description: new.description.unwrap_or_default(),
            schema: new
                .schema
                .unwrap_or_else(|| serde_json::json!({"type": "object"})),
            example: new.example.unwrap_or_else(|| serde_json::json!({})),
            declared: true,
            name: new.name,
        };
        let stored = kind.clone();
        self.db
            .write(move |tx| {
                db::event_types::insert(tx.conn(), workspace, &stored)?;
                tx.announce(Some(workspace), Topic::Events);
                Ok(())
            })
            .await?;
        self.forget_declared(workspace);
        Ok(kind)
    }

    /// Records an event; the answer comes once it is durable. `source` is who handed it in.
    ///
    /// # Errors
    /// `Invalid` fields, `TooLarge`, or trouble of ours; then nothing was stored.
    pub async fn record_event(
        &self,
        workspace: WorkspaceId,
        event: NewEvent,
        source: &str,
    ) -> Result<Recorded> {
        let declared = self.declared(workspace).await?;
        let (checked, now) = (events::check(event, &declared)?, self.now());
        let plan = self.plan_for(workspace, &checked, now).await?;
        let (source, known, lanes, dispatch) = (
            source.to_owned(),
            self.automations.clone(),
            self.lanes.clone(),
            self.dispatch(),
        );
        let work = move |tx: &mut Tx<'_>| {
            let plan = plan.map(|plan| (plan, &*known));
            record(
                tx,
                workspace,
                checked,
                plan,
                &source,
                now,
                &lanes,
                dispatch.as_ref(),
            )
        };
        #[cfg(feature = "early-answer")]
        return self.db.write_answering_early(work).await;
        #[cfg(not(feature = "early-answer"))]
        self.db.write(work).await
    }

    /// Records many at once, each on its own: a bad one stops no other. Results in order.
    ///
    /// # Errors
    /// Trouble of ours; then nothing was stored.
    pub async fn record_events(
        &self,
        workspace: WorkspaceId,
        events: Vec<Result<NewEvent>>,
        source: &str,
    ) -> Result<Vec<Result<Recorded>>> {
        let declared = self.declared(workspace).await?;
        let now = self.now();
        let mut checked = Vec::with_capacity(events.len());
        for event in events {
            checked.push(match event.and_then(|e| events::check(e, &declared)) {
                Ok(event) => Ok((self.plan_for(workspace, &event, now).await?, event)),
                Err(error) => Err(error),
            });
        }
        let (source, known, lanes, dispatch) = (
            source.to_owned(),
            self.automations.clone(),
            self.lanes.clone(),
            self.dispatch(),
        );
        self.db
            .write(move |tx| {
                checked
                    .into_iter()
                    .map(|one| {
                        match one.and_then(|(plan, event)| {
                            let plan = plan.map(|plan| (plan, &*known));
                            let dispatch = dispatch.as_ref();
                            record(tx, workspace, event, plan, &source, now, &lanes, dispatch)
                        }) {
                            // A row's own fault stays the row's; trouble of ours undoes all.
                            Err(error)
                                if !matches!(
                                    error.kind,
                                    crate::Kind::Invalid | crate::Kind::TooLarge
                                ) =>
                            {
                                Err(error)
                            }
                            row => Ok(row),
                        }
                    })
                    .collect()
            })
            .await
    }

    async fn declared(&self, workspace: WorkspaceId) -> Result<Arc<BTreeMap<String, EventType>>> {
        if let Some(known) = self.known_declared(workspace) {
            return Ok(known);
        }
        let read = Arc::new(
            self.db
                .read(move |conn| db::event_types::declared(conn, workspace))
                .await?,
        );
        self.keep_declared(workspace, read.clone());
        Ok(read)
    }
}

/// Two requests with the same key are the same when type, subject, time and bytes are.
fn fingerprint(
    event_type: &str,
    subject: Option<&str>,
    occurred_at: Option<Time>,
    data: &str,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let time = occurred_at
        .map(|t| t.as_ms().to_string())
        .unwrap_or_default();
    for part in [event_type, subject.unwrap_or_default(), &time, data] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn reused(what: &str) -> Error {
    Error::field(
        "idempotencyKey",
        "idempotency_key_reused",
        format!(
            "This key was used before for another {what}. Use a new key, or send the same {what}."
        ),
    )
}

#[allow(
    clippy::too_many_arguments,
    reason = "each is another part of the world"
)]
fn record(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    event: Checked,
    plan: Option<(Made, &Known)>,
    source: &str,
    now: Time,
    lanes: &Lanes,
    dispatch: Option<&Dispatch>,
) -> Result<Recorded> {
    let fingerprint = event.idempotency_key.is_some().then(|| {
        let subject = event.subject.as_deref();
        fingerprint(&event.event_type, subject, event.occurred_at, &event.data)
    });
    if let (Some(key), Some(fingerprint)) = (&event.idempotency_key, fingerprint)
        && let Some((event_id, known, deliveries)) = db::events::by_key(tx.conn(), workspace, key)?
    {
        if known != fingerprint {
            return Err(reused("event"));
        }
        return Ok(Recorded {
            success: true,
            event_id,
            deliveries,
            duplicate: true,
            warnings: event.warnings,
        });
    }
    let subscriptions = tx.subscriptions(workspace)?;
    let told: Vec<_> = subscriptions
        .iter()
        .filter(|s| s.wants(&event.event_type, &event.data))
        .collect();
    let plan = match plan {
        Some((made, known)) => Some(known.settled(tx.conn(), workspace, made, &event, now)?),
        None => None,
    };
    let planned = plan.as_ref().map_or(0, |made| made.plan.planned.len());
    let (event_id, occurred_at) = (tx.event_id(now), event.occurred_at.unwrap_or(now));
    let deliveries = u32::try_from(told.len() + planned).unwrap_or(u32::MAX);
    db::events::insert(
        tx.conn(),
        &db::events::NewRow {
            id: event_id,
            workspace,
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
            occurred_at,
            received_at: now,
            source,
            data: event.data.as_bytes(),
            data_sha256: Sha256::digest(event.data.as_bytes()).into(),
            idempotency_key: event.idempotency_key.as_deref(),
            fingerprint,
            deliveries,
            first_delivery: tx.next_delivery(),
        },
    )?;
    let data = Bytes::copy_from_slice(event.data.as_bytes());
    for to in told {
        let blocked = match &event.subject {
            Some(subject) if !to.paused => {
                db::deliveries::has_open_earlier(tx.conn(), &to.endpoint, subject, i64::MAX, now)?
            }
            _ => false,
        };
        let claim = if to.paused || blocked || dispatch.is_none() {
            None
        } else {
            lanes.claim_new(&to.endpoint, to.settings.rate_limit)
        };
        let state = match (&claim, to.paused, blocked) {
            (Some(_), ..) => NewState::Sending(lease_until(now)),
            (None, true, _) => NewState::Held(Reason::Paused),
            (None, _, true) => NewState::AfterEarlier,
            (None, false, false) => NewState::Due,
        };
        let id = tx.delivery_id(now);
        let delivery = id.row();
        db::deliveries::insert(
            tx.conn(),
            &db::deliveries::NewRow {
                id,
                workspace,
                event_seq: event_id.row(),
                channel: Channel::Webhook,
                endpoint: &to.endpoint,
                event_type: &event.event_type,
                subject: event.subject.as_deref(),
                recipient: &to.host,
                state,
                trigger: Trigger::Auto,
                now,
            },
        )?;
        let rendered = to
            .settings
            .format
            .render(&event.event_type, occurred_at, &event.data);
        let body = match rendered {
            None => data.clone(),
            Some(body) => {
                db::bodies::insert(tx.conn(), delivery, body.as_bytes())?;
                Bytes::from(body)
            }
        };
        match (claim, dispatch) {
            (Some(claim), Some(dispatch)) => {
                db::attempts::start(tx.conn(), delivery, 1, Trigger::Auto, now)?;
                let outgoing = Outgoing {
                    delivery,
                    number: 1,
                    id,
                    workspace,
                    endpoint: Arc::from(to.endpoint.as_str()),
                    target: Target::Webhook(to.settings.clone()),
                    event_id,
                    event_type: event.event_type.clone(),
                    subject: event.subject.clone(),
                    test: false,
                    body,
                    damaged: false,
                };
                let dispatch = dispatch.clone();
                // An error says that the worker has ended: the next start finds the row.
                tx.after_commit(move || drop(dispatch.send((outgoing, claim))));
            }
            _ if state == NewState::Due => {
                let (lanes, endpoint) = (lanes.clone(), to.endpoint.clone());
                tx.after_commit(move || lanes.look(&endpoint));
            }
            _ if state == NewState::AfterEarlier => {
                let (lanes, endpoint) = (lanes.clone(), to.endpoint.clone());
                let at = now.plus_ms(db::deliveries::ORDER_WAIT_MS);
                tx.after_commit(move || lanes.due(&endpoint, at));
            }
            _ => {}
        }
    }
    if let Some(made) = plan {
        let because = Because {
            workspace,
            event: event_id,
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
            now,
            lanes,
            dispatch,
        };
        queue(tx, &because, made)?;
    }
    tx.announce(Some(workspace), Topic::Events);
    tx.announce(Some(workspace), Topic::Deliveries);
    Ok(Recorded {
        success: true,
        event_id,
        deliveries,
        duplicate: false,
        warnings: event.warnings,
    })
}

/// Something that is handed in to be sent by an integration, by itself: no event of the business,
/// but kept as one, of a reserved type.
pub(crate) struct Sending {
    pub(crate) kind: Kind,
    /// One of [`events::RESERVED`].
    pub(crate) event_type: &'static str,
    /// The request, exactly.
    pub(crate) data: Box<str>,
    pub(crate) carries: Carries,
    /// What it is about, where such things keep their order.
    pub(crate) subject: Option<String>,
    pub(crate) recipient: String,
    pub(crate) idempotency_key: Option<String>,
    /// Who handed it in.
    pub(crate) source: String,
}

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// The request itself.
    Data,
    /// This, made of the request.
    Body(Bytes),
    /// What streams through while it is under way: nothing of it can be held or tried again, and the
    /// caller sends it.
    Stream,
}

/// What was recorded: the delivery, and where no worker runs, its first attempt to be made by the
/// caller.
pub(crate) struct RecordedSend {
    pub(crate) delivery: DeliveryId,
    pub(crate) duplicate: bool,
    pub(crate) own: Option<Outgoing>,
}

/// A key that was given, apart from the keys of events, and what it stands for.
type Keyed = Option<(String, [u8; 32])>;

/// Stores a sending and its only delivery, claimed at once where that is possible.
pub(crate) fn record_send(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    sending: &Sending,
    now: Time,
    lanes: &Lanes,
    dispatch: Option<&Dispatch>,
) -> Result<RecordedSend> {
    let (kind, event_type) = (sending.kind, sending.event_type);
    let keyed = sending.idempotency_key.as_ref().map(|key| {
        let fingerprint = fingerprint(event_type, sending.subject.as_deref(), None, &sending.data);
        (format!("{event_type}\u{1f}{key}"), fingerprint)
    });
    if let Some((key, fingerprint)) = &keyed
        && let Some((event, known, _)) = db::events::by_key(tx.conn(), workspace, key)?
    {
        if known != *fingerprint {
            return Err(reused(kind.nouns().0));
        }
        let first = db::events::get(tx.conn(), workspace, event)?
            .and_then(|event| event.deliveries.clone().next())
            .map(|row| db::deliveries::at(tx.conn(), row))
            .transpose()?
            .flatten()
            .ok_or_else(|| Error::not_found("delivery"))?;
        return Ok(RecordedSend {
            delivery: first.id,
            duplicate: true,
            own: None,
        });
    }
    let endpoint = kind.endpoint(workspace);
    let row = db::integrations::get(tx.conn(), workspace, kind)?;
    let streams = sending.carries == Carries::Stream;
    let dispatch = dispatch.filter(|_| !streams);
    let stop = row.as_ref().map(|row| match row.stop() {
        // There would be nothing left to send once the cause is gone: it is tried, or skipped.
        Some(Stop::Hold(_)) if streams && row.is_active => None,
        Some(Stop::Hold(_)) if streams => Some(Stop::Skip),
        stop => stop,
    });
    let blocked = match &sending.subject {
        Some(subject) => {
            db::deliveries::has_open_earlier(tx.conn(), &endpoint, subject, i64::MAX, now)?
        }
        None => false,
    };
    let free = !blocked && stop == Some(None);
    let claim = match dispatch {
        Some(_) if free => lanes.claim_new(&endpoint, None),
        _ => None,
    };
    let state = match stop {
        None => NewState::Skipped(Reason::NotConfigured),
        Some(Some(Stop::Skip)) => NewState::Skipped(Reason::Disabled),
        Some(Some(Stop::Hold(reason))) => NewState::Held(reason),
        Some(None) if blocked => NewState::AfterEarlier,
        Some(None) if claim.is_some() || dispatch.is_none() => NewState::Sending(lease_until(now)),
        Some(None) => NewState::Due,
    };
    let (event_id, id) = store(tx, workspace, sending, keyed, state, Trigger::Auto, now)?;
    let mut recorded = RecordedSend {
        delivery: id,
        duplicate: false,
        own: None,
    };
    match (state, row) {
        (NewState::Sending(_), Some(row)) => {
            let out = first_attempt(
                tx,
                workspace,
                sending,
                row.settings,
                (event_id, id),
                Trigger::Auto,
                now,
            )?;
            match (claim, dispatch) {
                (Some(claim), Some(dispatch)) => {
                    let dispatch = dispatch.clone();
                    // An error says that the worker has ended: the next start finds the row.
                    tx.after_commit(move || drop(dispatch.send((out, claim))));
                }
                _ => recorded.own = Some(out),
            }
        }
        (NewState::Due, _) => {
            let lanes = lanes.clone();
            tx.after_commit(move || lanes.look(&endpoint));
        }
        (NewState::AfterEarlier, _) => {
            let lanes = lanes.clone();
            let at = now.plus_ms(db::deliveries::ORDER_WAIT_MS);
            tx.after_commit(move || lanes.due(&endpoint, at));
        }
        _ => {}
    }
    tx.announce(Some(workspace), Topic::Events);
    Ok(recorded)
}

/// Stores a test whose only attempt the caller makes, with settings that need not be saved yet.
pub(crate) fn record_test(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    sending: &Sending,
    settings: integrations::Settings,
    now: Time,
) -> Result<Outgoing> {
    let state = NewState::Sending(lease_until(now));
    let ids = store(tx, workspace, sending, None, state, Trigger::Test, now)?;
    first_attempt(tx, workspace, sending, settings, ids, Trigger::Test, now)
}

fn store(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    sending: &Sending,
    keyed: Keyed,
    state: NewState,
    trigger: Trigger,
    now: Time,
) -> Result<(EventId, DeliveryId)> {
    let (event_id, id) = (tx.event_id(now), tx.delivery_id(now));
    let (key, fingerprint) = keyed.unzip();
    db::events::insert(
        tx.conn(),
        &db::events::NewRow {
            id: event_id,
            workspace,
            event_type: sending.event_type,
            subject: sending.subject.as_deref(),
            occurred_at: now,
            received_at: now,
            source: &sending.source,
            data: sending.data.as_bytes(),
            data_sha256: Sha256::digest(sending.data.as_bytes()).into(),
            idempotency_key: key.as_deref(),
            fingerprint,
            deliveries: 1,
            first_delivery: id.row(),
        },
    )?;
    db::deliveries::insert(
        tx.conn(),
        &db::deliveries::NewRow {
            id,
            workspace,
            event_seq: event_id.row(),
            channel: sending.kind.channel(),
            endpoint: &sending.kind.endpoint(workspace),
            event_type: sending.event_type,
            subject: sending.subject.as_deref(),
            recipient: &sending.recipient,
            state,
            trigger,
            now,
        },
    )?;
    if let Carries::Body(body) = &sending.carries {
        db::bodies::insert(tx.conn(), id.row(), body)?;
    }
    tx.announce(Some(workspace), Topic::Deliveries);
    Ok((event_id, id))
}

fn first_attempt(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    sending: &Sending,
    settings: integrations::Settings,
    (event_id, id): (EventId, DeliveryId),
    trigger: Trigger,
    now: Time,
) -> Result<Outgoing> {
    db::attempts::start(tx.conn(), id.row(), 1, trigger, now)?;
    Ok(Outgoing {
        delivery: id.row(),
        number: 1,
        id,
        workspace,
        endpoint: sending.kind.endpoint(workspace).into(),
        target: Target::Integration(Arc::new(settings)),
        event_id,
        event_type: sending.event_type.to_owned(),
        subject: sending.subject.clone(),
        test: trigger == Trigger::Test,
        body: match &sending.carries {
            Carries::Body(body) => body.clone(),
            Carries::Data | Carries::Stream => Bytes::copy_from_slice(sending.data.as_bytes()),
        },
        damaged: false,
    })
}
