//! Lists, details, events: rows as people and programs see them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::Connection;
use serde_json::value::RawValue;

use super::filter::{From, read_limit};
use super::{
    Attempt, Channel, DeliveryDetail, DeliveryFilter, DeliveryPage, DeliveryRow, EventFilter,
    EventPage, Order, Status,
};
use crate::clock::Time;
use crate::db::deliveries::DeliveryRecord;
use crate::db::events::EventRow;
use crate::db::log::{Asked, first_from};
use crate::db::search::Of;
use crate::db::{self};
use crate::error::{Error, Result};
use crate::events::{self, Event, EventType};
use crate::explain;
use crate::hub::Hub;
use crate::ids::{DeliveryId, EventId, WorkspaceId};
use crate::integrations::{Kind, words};
use crate::outcome::Code;
use crate::receivers;
use crate::webhooks::{send, store::zone};

/// What turns records into rows: the names of types, the zone, the present.
pub(crate) struct Reader {
    declared: BTreeMap<String, EventType>,
    zone: TimeZone,
    now: Time,
}

impl Reader {
    pub(crate) fn new(conn: &Connection, workspace: WorkspaceId, now: Time) -> Result<Self> {
        Ok(Self {
            declared: db::event_types::declared(conn, workspace)?,
            zone: zone(conn, workspace)?,
            now,
        })
    }

    /// "New booking 1047"
    pub(crate) fn title(&self, event_type: &str, subject: Option<&str>) -> String {
        let label = self.label(event_type);
        // What was handed in by itself is about an id of ours, which says nothing to anybody.
        match subject.filter(|_| !events::is_reserved(event_type)) {
            Some(subject) => format!("{label} {subject}"),
            None => label,
        }
    }

    pub(crate) fn label(&self, event_type: &str) -> String {
        if event_type == events::TEST_TYPE {
            return "Test".into();
        }
        if events::is_reserved(event_type) {
            return match event_type {
                "email.send" => "Email",
                "sms.send" => "Text",
                "storage.put" => "File",
                _ => "Calendar entry",
            }
            .into();
        }
        let known = events::built_in()
            .iter()
            .find(|t| t.name == event_type)
            .or_else(|| self.declared.get(event_type));
        known.map_or_else(|| events::label_from_name(event_type), |t| t.label.clone())
    }

    pub(crate) fn moment(&self, at: Time) -> String {
        explain::moment(at, self.now, &self.zone)
    }

    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(crate) fn row(&self, record: &DeliveryRecord) -> DeliveryRow {
        let who = record
            .who
            .clone()
            .unwrap_or_else(|| record.recipient.clone());
        let due = record.due_at.map(|at| self.moment(at));
        let tried = record.attempts > 0 && !record.after_earlier;
        DeliveryRow {
            state: followed(record)
                .or_else(|| self.scheduled(record))
                .unwrap_or_else(|| {
                    explain::delivery_state(
                        record.status,
                        record.reason,
                        record.channel,
                        tried,
                        due.as_deref(),
                    )
                }),
            error: record
                .failure
                .as_ref()
                .map(|f| explain::failed(record.channel, f, &who)),
            what: self.title(&record.event_type, record.subject.as_deref()),
            id: record.id,
            channel: record.channel,
            event_id: record.event_id,
            event_type: record.event_type.clone(),
            subject: record.subject.clone(),
            webhook_id: record.endpoint.parse().ok(),
            automation_id: record.automation.as_ref().map(|a| a.id),
            automation: record.automation.as_ref().map(|a| a.name.clone()),
            automation_version: record.automation.as_ref().map(|a| a.version),
            recipient: record.recipient.clone(),
            who,
            status: record.status,
            status_reason: record.reason,
            status_code: record.status_code,
            code: record.failure.as_ref().map(|f| f.code),
            attempt_count: record.attempts,
            test: record.test,
            replay_of: record.replay_of,
            created_at: record.created_at,
            due_at: record.due_at,
            finished_at: record.finished_at,
            delivered_at: record.delivered_at,
            duration_ms: record.duration_ms,
        }
    }

    /// How one stands whose own time is to come.
    fn scheduled(&self, record: &DeliveryRecord) -> Option<explain::State> {
        let at = record.automation.as_ref()?.not_before?;
        (record.status == Status::Pending && at > self.now)
            .then(|| explain::scheduled_state(&self.moment(at)))
    }

    pub(crate) fn event(&self, row: EventRow) -> Result<Event> {
        let data = String::from_utf8(row.data).map_err(Error::internal)?;
        Ok(Event {
            id: row.id,
            label: self.label(&row.event_type),
            event_type: row.event_type,
            subject: row.subject,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            source: row.source,
            what: events::in_a_few_words(&data),
            data: match row.purged_at {
                Some(_) => None,
                None => Some(RawValue::from_string(data).map_err(Error::internal)?),
            },
            purged_at: row.purged_at,
            deliveries: None,
        })
    }
}

impl Hub {
    /// A page of the log.
    ///
    /// # Errors
    /// `Invalid` for a status, limit or cursor that is none.
    pub async fn deliveries(
        &self,
        workspace: WorkspaceId,
        filter: DeliveryFilter,
    ) -> Result<DeliveryPage> {
        let (from, limit, wanted) = (
            From::read(filter.cursor.as_deref())?,
            read_limit(filter.limit)?,
            filter.wanted()?,
        );
        let (now, order) = (self.now(), filter.order.unwrap_or_default());
        self.db
            .read_log(move |conn, look| {
                let reader = Reader::new(conn, workspace, now)?;
                let asked = Asked::deliveries(conn, workspace, &wanted)?;
                let from = match filter.at {
                    None => from,
                    // The first row later than it, or the last one earlier, is where the page follows.
                    Some(at) => From::After(match order {
                        Order::Desc => first_from(conn, Of::Deliveries, at.plus_ms(1))?,
                        Order::Asc => first_from(conn, Of::Deliveries, at)? - 1,
                    }),
                };
                let mut seqs = match from {
                    From::Start => asked.find(conn, look, None, order, limit + 1)?,
                    From::After(seq) => asked.find(conn, look, Some(seq), order, limit + 1)?,
                    From::Before(seq) => {
                        asked.find(conn, look, Some(seq), order.reversed(), limit + 1)?
                    }
                };
                let beyond = seqs.len() > limit;
                seqs.truncate(limit);
                if let From::Before(_) = from {
                    seqs.reverse();
                }
                let before = match (seqs.first(), from) {
                    (None, _) | (_, From::Start) => false,
                    (_, From::Before(_)) => beyond,
                    (Some(first), From::After(_)) => !asked
                        .find(conn, look, Some(*first), order.reversed(), 1)?
                        .is_empty(),
                };
                let after = beyond || matches!(from, From::Before(_));
                let mut records = Vec::with_capacity(seqs.len());
                db::deliveries::each(conn, &seqs, |record| {
                    records.extend(Some(record).filter(|record| wanted.fits(record.status)));
                    Ok(())
                })?;
                let (total, total_is_exact) = asked.count(conn, look)?;
                Ok(DeliveryPage {
                    next_cursor: seqs
                        .last()
                        .filter(|_| after)
                        .and_then(|seq| From::After(*seq).cursor()),
                    previous_cursor: seqs
                        .first()
                        .filter(|_| before)
                        .and_then(|seq| From::Before(*seq).cursor()),
                    deliveries: records.iter().map(|r| reader.row(r)).collect(),
                    total,
                    total_is_exact,
                })
            })
            .await
    }

    pub(crate) async fn delivery_row(
        &self,
        workspace: WorkspaceId,
        id: DeliveryId,
    ) -> Result<DeliveryRow> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let record = db::deliveries::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("delivery"))?;
                Ok(Reader::new(conn, workspace, now)?.row(&record))
            })
            .await
    }

    /// One delivery with its attempts, secrets masked.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delivery(&self, workspace: WorkspaceId, id: DeliveryId) -> Result<DeliveryDetail> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let record = db::deliveries::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("delivery"))?;
                let reader = Reader::new(conn, workspace, now)?;
                let row = reader.row(&record);
                let body = match &record.automation {
                    // Its text was never made.
                    Some(_) => db::bodies::of(conn, record.seq)?.unwrap_or_default(),
                    None => db::deliveries::claimed(conn, record.seq)?.data,
                };
                let body = String::from_utf8_lossy(&body).into_owned();
                let attempts = db::attempts::of(conn, record.seq)?;
                let doubt = attempts
                    .last()
                    .filter(|_| record.channel == Channel::Webhook)
                    .and_then(|a| receivers::doubt(&a.ended, &row.who));
                let attempts: Vec<Attempt> = attempts
                    .into_iter()
                    .map(|a| attempt(a, &row, &body))
                    .collect();
                let (finished, due) = (
                    record.finished_at.map(|at| reader.moment(at)),
                    record.due_at.map(|at| reader.moment(at)),
                );
                let explanation = explanation(&record, &row, &attempts, doubt, &reader);
                // Without internet nothing was tried.
                let offline = attempts.iter().filter(|a| a.code == Some(Code::Offline));
                let tries = attempts.len().saturating_sub(offline.count());
                let taken = attempts
                    .last()
                    .filter(|_| followed(&record).is_some())
                    .map(|last| reader.moment(last.started_at));
                let on_the_phone = record.delivered_at.map(|at| reader.moment(at));
                let text = taken.and_then(|at| {
                    words::text(record.status, &row.who, &at, on_the_phone.as_deref())
                });
                let text = text.or_else(|| automatic(&record, &row.who, |at| reader.moment(at)));
                Ok(DeliveryDetail {
                    sentence: text.unwrap_or_else(|| {
                        explain::delivery(
                            record.channel,
                            record.status,
                            record.reason,
                            &row.who,
                            u32::try_from(tries).unwrap_or(record.attempts),
                            finished.as_deref(),
                            due.as_deref(),
                        )
                    }),
                    explanation,
                    actions: super::act::actions(&record),
                    body,
                    purged_at: record.purged_at,
                    attempts,
                    row,
                })
            })
            .await
    }

    /// A page of events, newest first; tests are not among them.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that is none.
    pub async fn events(&self, workspace: WorkspaceId, filter: EventFilter) -> Result<EventPage> {
        let (from, limit) = (
            From::read(filter.cursor.as_deref())?,
            read_limit(filter.limit)?,
        );
        let from = match from {
            From::After(seq) => Some(seq),
            From::Start | From::Before(_) => None,
        };
        let (now, wanted) = (self.now(), filter.wanted());
        self.db
            .read_log(move |conn, look| {
                let reader = Reader::new(conn, workspace, now)?;
                let asked = Asked::events(conn, workspace, &wanted)?;
                let mut seqs = asked.find(conn, look, from, Order::Desc, limit + 1)?;
                let more = seqs.len() > limit;
                seqs.truncate(limit);
                let mut events = Vec::with_capacity(seqs.len());
                for seq in &seqs {
                    if let Some(row) = db::events::at(conn, *seq)? {
                        events.push(reader.event(row)?);
                    }
                }
                Ok(EventPage {
                    events,
                    next_cursor: seqs
                        .last()
                        .filter(|_| more)
                        .and_then(|seq| From::After(*seq).cursor()),
                })
            })
            .await
    }

    /// One event with its deliveries.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn event(&self, workspace: WorkspaceId, id: EventId) -> Result<Event> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let row = db::events::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("event"))?;
                let reader = Reader::new(conn, workspace, now)?;
                let deliveries = db::deliveries::of_event(conn, &row)?
                    .iter()
                    .map(|r| reader.row(r))
                    .collect();
                Ok(Event {
                    deliveries: Some(deliveries),
                    ..reader.event(row)?
                })
            })
            .await
    }
}

/// How a text stands that Twilio took: taken and delivered are two facts.
fn followed(record: &DeliveryRecord) -> Option<explain::State> {
    let awaited = record.status == Status::Sending && !record.leased;
    let delivered = record.delivered_at.is_some();
    (record.channel == Channel::Sms && (awaited || record.status == Status::Success))
        .then(|| explain::text_state(awaited, delivered))
}

/// What is true of a delivery that an automation made, where that is said otherwise.
fn automatic(
    record: &DeliveryRecord,
    who: &str,
    moment: impl Fn(Time) -> String,
) -> Option<String> {
    let automatic = record.automation.as_ref()?;
    let passed = automatic.why.passed.map(&moment);
    let own_time = automatic.not_before.map(&moment);
    explain::automatic(
        record.status,
        record.reason,
        who,
        &automatic.why,
        passed.as_deref(),
        own_time.as_deref(),
    )
}

/// Why it stands as it does: for one that got through, what is odd about it or what went wrong
/// first; for any other, what its last attempt met, in as much detail as the answer gives.
fn explanation(
    record: &DeliveryRecord,
    row: &DeliveryRow,
    attempts: &[Attempt],
    doubt: Option<String>,
    reader: &Reader,
) -> Option<String> {
    if record.status == Status::Success {
        let first = attempts.iter().find(|a| a.error.is_some());
        return doubt.or_else(|| match (first, attempts.last()) {
            (Some(first), Some(last)) if first.code == Some(Code::Offline) => {
                Some(explain::was_offline(
                    &reader.moment(first.started_at),
                    &reader.moment(last.started_at),
                ))
            }
            (first, _) => first.and_then(|a| a.error.clone()),
        });
    }
    attempts
        .last()
        .filter(|last| last.code.is_some() && last.code == row.code)
        .map_or_else(|| row.error.clone(), |last| last.error.clone())
}

fn attempt(row: db::attempts::AttemptRow, of: &DeliveryRow, body: &str) -> Attempt {
    let (ended, who) = (row.ended, &of.who);
    let error = explain::ended(of.channel, &ended, who);
    let provider = Kind::of(of.channel).map(Kind::provider_name);
    let summary = match (&error, row.finished_at, ended.status) {
        (Some(error), ..) => error.clone(),
        (None, None, _) => format!("Being sent to {who}."),
        (None, Some(_), Some(status)) if let Some(provider) = provider => {
            format!("Accepted by {provider}, which answered {status}.")
        }
        (None, Some(_), Some(status)) => format!("Received by {who}, which answered {status}."),
        (None, Some(_), None) => format!("Received by {who}."),
    };
    Attempt {
        state: explain::attempt_state(
            of.channel,
            row.finished_at.is_some(),
            ended.failure.as_ref(),
        ),
        id: row.id,
        number: row.number,
        trigger: row.trigger,
        started_at: row.started_at,
        duration_ms: ended.duration_ms,
        status_code: ended.status,
        code: ended.failure.as_ref().map(|f| f.code),
        error,
        summary,
        request_url: ended.request_url.unwrap_or_default(),
        request_headers: match ended.signed_at {
            Some(at) => send::shown(
                &of.event_id.to_string(),
                &of.event_type,
                at,
                ended.further_headers,
            ),
            None => ended.further_headers.unwrap_or_default(),
        },
        request_body: body.to_owned(),
        response_headers: ended.response_headers,
        response_body: ended
            .response_body
            .map(|b| String::from_utf8_lossy(&b).into_owned()),
        response_truncated: ended.response_truncated,
    }
}
