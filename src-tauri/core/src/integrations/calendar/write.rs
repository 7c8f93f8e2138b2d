//! Bringing one entry into a calendar: made, changed or removed, and never twice.
//!
//! What was changed elsewhere is not overwritten: before a change the entry is read, and what it says
//! is compared with what it said after our last write. A removal has nothing to overwrite.

use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::google::{self, Ask, Doing};
use super::{Entry, EntryPatch, Removal, Settings};
use crate::automations::Operation;
use crate::db;
use crate::db::attempts::Ended;
use crate::db::calendar_entries::EntryRow;
use crate::http::{Answer, elapsed_ms};
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::integrations::send::Sent;
use crate::outbox::Outgoing;
use crate::outcome::{Code, Detail, Failure};
use crate::webhooks::headers::MASK;

/// Types of events that are no events of the business.
pub(crate) const CREATE: &str = "calendar.create";
pub(crate) const UPDATE: &str = "calendar.update";
pub(crate) const DELETE: &str = "calendar.delete";
/// So often an entry is read again that somebody else is changing right now.
const READS: u32 = 3;

/// What is to be done.
pub(super) enum Order {
    Create(Box<Entry>),
    Update(Box<EntryPatch>),
    Delete(Removal),
    /// Made, or changed where it is there.
    Sync(Box<Entry>),
}

/// An order of an automation: what is done with which entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ordered {
    pub(crate) operation: Operation,
    pub(crate) entry_id: String,
    /// As it would be handed in by hand.
    pub(crate) request: Box<RawValue>,
}

impl Order {
    /// The order in a body, and the entry that it is about: the subject, where it was handed in by hand.
    pub(super) fn read(
        event_type: &str,
        subject: Option<&str>,
        body: &[u8],
    ) -> Option<(Self, String)> {
        let order = match event_type {
            CREATE => serde_json::from_slice(body).ok().map(Self::Create),
            UPDATE => serde_json::from_slice(body).ok().map(Self::Update),
            DELETE => serde_json::from_slice(body).ok().map(Self::Delete),
            _ => {
                let ordered: Ordered = serde_json::from_slice(body).ok()?;
                let request = ordered.request.get();
                let order = match ordered.operation {
                    Operation::Create => serde_json::from_str(request).ok().map(Self::Create),
                    Operation::Update => serde_json::from_str(request).ok().map(Self::Update),
                    Operation::Delete => serde_json::from_str(request).ok().map(Self::Delete),
                    Operation::Sync => serde_json::from_str(request).ok().map(Self::Sync),
                };
                return Some((order?, ordered.entry_id));
            }
        };
        Some((order?, subject?.to_owned()))
    }
}

/// How an order was carried out.
enum Done {
    /// The entry is as it should be; as Google says.
    Written(Value),
    /// It is not there any more, and nothing was to be done.
    Gone,
    /// It was removed.
    Removed,
}

/// The calls for one delivery.
struct Talk<'a> {
    hub: &'a Hub,
    workspace: WorkspaceId,
    settings: &'a Settings,
    calendar: String,
    entry: &'a str,
    delivery: String,
    token: SecretString,
    renewed: bool,
    ended: Ended,
    retry_after: Option<String>,
}

impl Talk<'_> {
    /// One call; with a new access token once, when Google does not take the one at hand.
    async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer, Failure> {
        let (http, base) = (&self.hub.http, &self.settings.api_base_url);
        let own_port = self.hub.own_port();
        self.ended.request_url = ask.url(base).map(Into::into);
        self.ended.status = None;
        let mut answer = google::ask(http, base, &self.token, own_port, &ask).await?;
        if answer.status == 401 && !self.renewed {
            self.renewed = true;
            self.token = self
                .hub
                .google_token(self.workspace, self.settings, Some(&self.token))
                .await?;
            answer = google::ask(http, base, &self.token, own_port, &ask).await?;
        }
        self.ended.status = Some(answer.status);
        self.ended.response_headers = Some(answer.headers.clone());
        self.ended.response_body = Some(answer.body.clone()).filter(|body| !body.is_empty());
        self.ended.response_truncated = answer.truncated;
        self.retry_after.clone_from(&answer.retry_after);
        Ok(answer)
    }

    /// The entry as it is at Google; none when it is not there at all.
    async fn current(&mut self) -> Result<Option<Value>, Failure> {
        let (calendar, entry) = (self.calendar.clone(), self.entry);
        let answer = self.ask(Ask::get(&calendar, entry)).await?;
        match google::classify(Doing::Change, answer.status, &answer.body) {
            Ok(()) => event(&answer).map(Some),
            Err(failure) if failure.code == Code::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Changes an entry that was just read; none when somebody else was quicker.
    async fn patch(
        &mut self,
        send_updates: &str,
        current: &Value,
        body: Value,
    ) -> Result<Option<Done>, Failure> {
        let (calendar, entry) = (self.calendar.clone(), self.entry);
        let etag = current["etag"].as_str().map(str::to_owned);
        let answer = self
            .ask(Ask::patch(&calendar, entry, send_updates, etag, body))
            .await?;
        if answer.status == 412 {
            return Ok(None);
        }
        match google::classify(Doing::Change, answer.status, &answer.body) {
            Ok(()) => event(&answer).map(|entry| Some(Done::Written(entry))),
            Err(failure) if failure.code == Code::NotFound => Ok(Some(Done::Gone)),
            Err(failure) => Err(failure),
        }
    }

    async fn create(&mut self, entry: &Entry, zone: &str) -> Result<Done, Failure> {
        let internal = || Failure::new(Code::Internal);
        let times = entry.times(zone).map_err(|_| internal())?;
        let updates = entry.send_updates.as_str();
        let body = google::insertion(entry, &times, self.entry, &self.delivery);
        let calendar = self.calendar.clone();
        let answer = self.ask(Ask::insert(&calendar, updates, body)).await?;
        if answer.status != 409 {
            google::classify(Doing::Insert, answer.status, &answer.body)?;
            return event(&answer).map(Done::Written);
        }
        for _ in 0..READS {
            let Some(current) = self.current().await? else {
                break;
            };
            if google::is_written_by(&current, &self.delivery) {
                return Ok(as_it_is(current));
            }
            let body = google::restoration(entry, &times, &self.delivery, &current);
            if let Some(done) = self.patch(updates, &current, body).await? {
                return Ok(done);
            }
        }
        Err(Failure::status(Code::ProviderDown, 409))
    }

    async fn update(
        &mut self,
        patch: &EntryPatch,
        zone: &str,
        known: Option<&EntryRow>,
    ) -> Result<Done, Failure> {
        for _ in 0..READS {
            let Some(current) = self.current().await? else {
                return match known {
                    Some(_) => Ok(Done::Gone),
                    None => Err(Failure::status(Code::NotFound, 404)),
                };
            };
            if google::is_cancelled(&current) || google::is_written_by(&current, &self.delivery) {
                return Ok(as_it_is(current));
            }
            // Its own zone stays, where no other is named.
            let zone = current["start"]["timeZone"].as_str().unwrap_or(zone);
            let times = patch
                .times(zone)
                .map_err(|_| Failure::new(Code::Internal))?;
            let body = google::change(patch, &times, &self.delivery, &current);
            if let Some(known) = known
                && google::was_changed_elsewhere(&body, &current, &known.seen)
            {
                // Now we have seen it: sent again by the owner, it goes through.
                self.remember(&current).await;
                return Err(Failure::status(Code::Rejected, 412).with(Detail::ChangedElsewhere));
            }
            let updates = patch.send_updates.as_str();
            if let Some(done) = self.patch(updates, &current, body).await? {
                return Ok(done);
            }
        }
        Err(Failure::status(Code::ProviderDown, 412))
    }

    async fn delete(&mut self, removal: Removal) -> Result<Done, Failure> {
        let (calendar, entry) = (self.calendar.clone(), self.entry);
        let updates = removal.send_updates.as_str();
        let answer = self.ask(Ask::delete(&calendar, entry, updates)).await?;
        match google::classify(Doing::Change, answer.status, &answer.body) {
            Ok(()) => Ok(Done::Removed),
            Err(failure) if failure.code == Code::NotFound => Ok(Done::Gone),
            Err(failure) => Err(failure),
        }
    }

    /// Remembers what an entry says, to see by it what is changed elsewhere.
    async fn remember(&self, entry: &Value) {
        let row = EntryRow {
            calendar: self.calendar.clone(),
            title: entry["summary"].as_str().unwrap_or_default().to_owned(),
            starts_at: starts_at(entry),
            link: entry["htmlLink"]
                .as_str()
                .filter(|link| link.starts_with("https://") || link.starts_with("http://"))
                .map(str::to_owned),
            seen: google::seen(entry),
        };
        let (workspace, entry) = (self.workspace, self.entry.to_owned());
        let kept = self
            .hub
            .db
            .write(move |tx| db::calendar_entries::put(tx.conn(), workspace, &entry, &row))
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "what a calendar entry says could not be remembered");
        }
    }

    async fn forget(&self) {
        let (workspace, entry) = (self.workspace, self.entry.to_owned());
        let forgotten = self
            .hub
            .db
            .write(move |tx| db::calendar_entries::delete(tx.conn(), workspace, &entry))
            .await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "a calendar entry that is gone could not be forgotten");
        }
    }
}

/// What an entry that needs nothing done amounts to.
fn as_it_is(current: Value) -> Done {
    if google::is_cancelled(&current) {
        Done::Gone
    } else {
        Done::Written(current)
    }
}

fn event(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .filter(|event| event["id"].is_string())
        .ok_or(Failure::status(Code::Unreachable, answer.status).with(Detail::NotTheProvider))
}

fn starts_at(entry: &Value) -> Option<crate::clock::Time> {
    let start = &entry["start"];
    if let Some(text) = start["dateTime"].as_str() {
        return crate::clock::Time::parse(text).ok();
    }
    let date: jiff::civil::Date = start["date"].as_str()?.parse().ok()?;
    super::When::Day(date).moment(&jiff::tz::TimeZone::UTC)
}

impl Hub {
    /// One attempt at a calendar delivery.
    pub(crate) async fn send_to_calendar(&self, out: &Outgoing, settings: &Settings) -> Sent {
        let started = Instant::now();
        let failed = |failure| Sent::failed(failure, &settings.api_base_url);
        // Both were read when it was taken in.
        let Some((order, entry)) = Order::read(&out.event_type, out.subject.as_deref(), &out.body)
        else {
            return failed(Failure::new(Code::Internal));
        };
        let entry = &entry;
        let (workspace, id) = (out.workspace, entry.clone());
        let read = self
            .db
            .read(move |conn| {
                let zone = crate::webhooks::store::zone(conn, workspace)?;
                let known = db::calendar_entries::get(conn, workspace, &id)?;
                Ok((zone.iana_name().unwrap_or("UTC").to_owned(), known))
            })
            .await;
        let (zone, known) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "a calendar entry could not be looked up");
                return failed(Failure::new(Code::ProviderDown));
            }
        };
        let token = match self.google_token(workspace, settings, None).await {
            Ok(token) => token,
            Err(failure) => return failed(failure),
        };
        let mut talk = Talk {
            hub: self,
            workspace,
            settings,
            // It stays where it was made, when another calendar was chosen since.
            calendar: known
                .as_ref()
                .map_or_else(|| settings.calendar_id.clone(), |row| row.calendar.clone()),
            entry,
            delivery: out.id.to_string(),
            token,
            renewed: false,
            ended: Ended::default(),
            retry_after: None,
        };
        let done = match &order {
            Order::Create(wanted) => {
                let done = talk.create(wanted, &zone).await;
                // The calendar where it was once is no more: so it goes into the chosen one.
                match done {
                    Err(failure)
                        if failure.args.detail == Some(Detail::CalendarGone)
                            && talk.calendar != settings.calendar_id =>
                    {
                        talk.calendar.clone_from(&settings.calendar_id);
                        talk.create(wanted, &zone).await
                    }
                    done => done,
                }
            }
            Order::Sync(wanted) if known.is_some() => {
                let patch = EntryPatch::of(wanted);
                talk.update(&patch, &zone, known.as_ref()).await
            }
            Order::Sync(wanted) => talk.create(wanted, &zone).await,
            Order::Update(patch) => talk.update(patch, &zone, known.as_ref()).await,
            Order::Delete(removal) => talk.delete(*removal).await,
        };
        match done {
            Ok(Done::Written(written)) => {
                talk.remember(&written).await;
                talk.ended.provider_id = Some(entry.clone());
            }
            Ok(Done::Removed) => {
                talk.forget().await;
                talk.ended.provider_id = Some(entry.clone());
            }
            Ok(Done::Gone) => {
                talk.forget().await;
                talk.ended.provider_id = Some(entry.clone());
                // Google's own word for it, also where it was read and found cancelled.
                talk.ended.status = Some(410);
            }
            Err(failure) => talk.ended.failure = Some(failure),
        }
        let mut ended = talk.ended;
        ended.forget(talk.token.expose_secret());
        ended.duration_ms = Some(elapsed_ms(started));
        ended.further_headers = Some([("authorization".to_owned(), MASK.to_owned())].into());
        let retry_after =
            google::asked_to_wait(ended.failure.as_ref(), talk.retry_after.as_deref());
        Sent { ended, retry_after }
    }
}
