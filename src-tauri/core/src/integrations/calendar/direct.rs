//! Entries that somebody hands in by themselves: made, changed, removed.
//!
//! All three of one entry have its id as their subject: so they keep their order, whatever happens.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::write::{CREATE, DELETE, UPDATE};
use super::{Entry, EntryPatch, Removal, entry_id, is_entry_id};
use crate::clock::Time;
use crate::db;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::integrations::Kind;
use crate::outbox::{Carries, Sending};
use crate::outcome::Graceful;
use crate::webhooks::store;

/// The entry of a subject that is not named.
const MAIN: &str = "main";

/// How bringing an entry into the calendar went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EntrySent {
    /// It is done.
    Accepted(EntryAccepted),
    /// It is not, or not yet; the caller's own work goes on.
    Gracefully(EntryNotYet),
}

/// What was not done in the calendar, or not yet.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EntryNotYet {
    /// The graceful half of every result.
    #[serde(flatten)]
    pub graceful: Graceful,
    /// The entry's id: so it can be changed or removed before it is there.
    pub event_id: String,
}

/// What was done in the calendar.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EntryAccepted {
    /// Always true.
    pub success: bool,
    /// The entry's id.
    pub event_id: String,
    /// Where people see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_link: Option<String>,
    /// True: it was gone from the calendar before, and nothing was to be done.
    pub already_gone: bool,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
    /// True: it was done before, under the same key.
    pub duplicate: bool,
}

/// An entry that we made and that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = NextCalendarEntry))]
pub struct NextEntry {
    /// The entry's id.
    pub event_id: String,
    /// What it is called.
    pub title: String,
    /// When it begins.
    pub starts_at: Option<Time>,
    /// Where people see it.
    pub html_link: Option<String>,
}

impl Hub {
    /// Makes an entry. `request` is what was handed in, exactly.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was stored.
    pub async fn create_calendar_entry(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        entry: &Entry,
        request: Box<RawValue>,
        source: &str,
    ) -> Result<EntrySent> {
        let zone = self.zone_name(workspace).await?;
        found(entry.check(&zone))?;
        // The same key is the same entry; without one, each is another.
        let subject = match &entry.idempotency_key {
            Some(key) => format!("key\u{1f}{key}"),
            None => uuid::Uuid::now_v7().to_string(),
        };
        let sending = Sending {
            kind: Kind::Calendar,
            event_type: CREATE,
            data: request.into(),
            carries: Carries::Data,
            subject: Some(entry_id(workspace, &subject, MAIN)),
            recipient: entry.title.clone(),
            idempotency_key: entry.idempotency_key.clone(),
            source: source.to_owned(),
        };
        self.bring(workspace, sending).await
    }

    /// Changes an entry: what is named, and nothing else.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was stored.
    pub async fn update_calendar_entry(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        entry: &str,
        patch: &EntryPatch,
        request: Box<RawValue>,
        source: &str,
    ) -> Result<EntrySent> {
        let zone = self.zone_name(workspace).await?;
        found(patch.check(&zone))?;
        let sending = Sending {
            kind: Kind::Calendar,
            event_type: UPDATE,
            data: request.into(),
            carries: Carries::Data,
            subject: Some(self.known_id(entry)?),
            recipient: match &patch.title {
                Some(title) => title.clone(),
                None => self.title_of(workspace, entry).await?,
            },
            idempotency_key: patch.idempotency_key.clone(),
            source: source.to_owned(),
        };
        self.bring(workspace, sending).await
    }

    /// Removes an entry; one that is gone already is removed well.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was stored.
    pub async fn delete_calendar_entry(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        entry: &str,
        removal: Removal,
        source: &str,
    ) -> Result<EntrySent> {
        let sending = Sending {
            kind: Kind::Calendar,
            event_type: DELETE,
            data: serde_json::to_string(&removal)
                .map_err(Error::internal)?
                .into(),
            carries: Carries::Data,
            subject: Some(self.known_id(entry)?),
            recipient: self.title_of(workspace, entry).await?,
            idempotency_key: None,
            source: source.to_owned(),
        };
        self.bring(workspace, sending).await
    }

    async fn bring(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        sending: Sending,
    ) -> Result<EntrySent> {
        let removes = sending.event_type == DELETE;
        let (record, duplicate) = self.send_directly(workspace, sending).await?;
        let event_id = match self.outcome(Kind::Calendar, &record) {
            Ok(id) => id.or(record.subject.clone()).unwrap_or_default(),
            Err(graceful) => {
                return Ok(EntrySent::Gracefully(EntryNotYet {
                    graceful,
                    event_id: record.subject.unwrap_or_default(),
                }));
            }
        };
        let id = event_id.clone();
        let known = self
            .db
            .read(move |conn| db::calendar_entries::get(conn, workspace, &id))
            .await?;
        Ok(EntrySent::Accepted(EntryAccepted {
            success: true,
            event_id,
            html_link: known.filter(|_| !removes).and_then(|row| row.link),
            already_gone: record.status_code == Some(410),
            delivery_id: record.id,
            duplicate,
        }))
    }

    fn known_id(&self, entry: &str) -> Result<String> {
        if is_entry_id(entry) {
            Ok(entry.to_owned())
        } else {
            Err(Error::new(
                crate::Kind::NotFound,
                "This is no id of a calendar entry.",
            ))
        }
    }

    async fn title_of(&self, workspace: WorkspaceId, entry: &str) -> Result<String> {
        let id = entry.to_owned();
        let known = self
            .db
            .read(move |conn| db::calendar_entries::get(conn, workspace, &id))
            .await?;
        Ok(known.map_or_else(|| entry.to_owned(), |row| row.title))
    }

    async fn zone_name(&self, workspace: WorkspaceId) -> Result<String> {
        let zone = self
            .db
            .read(move |conn| store::zone(conn, workspace))
            .await?;
        Ok(zone.iana_name().unwrap_or("UTC").to_owned())
    }
}

fn found(wrong: Vec<crate::error::FieldError>) -> Result<()> {
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid(wrong))
    }
}
