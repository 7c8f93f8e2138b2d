//! The active automations of each workspace, kept at hand: an event asks no question of the
//! database for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::plan::{Business, Happened, Plan, Ready, plan};
use crate::clock::Time;
use crate::condition::Condition;
use crate::db;
use crate::error::{Error, Result};
use crate::events::Checked;
use crate::hub::Hub;
use crate::ids::{EventId, WorkspaceId};

/// What is kept at hand, and how often it was changed.
#[derive(Debug, Default)]
pub(crate) struct Known {
    changes: AtomicU64,
    kept: Mutex<HashMap<WorkspaceId, Arc<Snapshot>>>,
}

/// The active automations of a workspace, as they were after so many changes.
#[derive(Debug)]
pub(crate) struct Snapshot {
    changes: u64,
    pub(crate) business: Business,
    pub(crate) automations: Vec<Arc<Ready>>,
}

/// What an event asks for, made before its transaction.
#[derive(Debug)]
pub(crate) struct Made {
    /// It was made with what was known after so many changes.
    changes: u64,
    /// What stands in the texts where the event's own id belongs, which is not known yet.
    pub(crate) stand_in: String,
    pub(crate) plan: Plan,
}

impl Known {
    fn kept(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Arc<Snapshot>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Forgets all: something about them is being changed, or was.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.kept().clear();
    }

    fn get(&self, workspace: WorkspaceId) -> Option<Arc<Snapshot>> {
        self.kept().get(&workspace).cloned()
    }

    fn keep(&self, snapshot: &Arc<Snapshot>) {
        let mut kept = self.kept();
        // What changed while it was read is not in it.
        if snapshot.changes == self.now() {
            kept.insert(snapshot.business.workspace, snapshot.clone());
        }
    }

    /// Reads the active automations of a workspace.
    pub(crate) fn read(&self, conn: &Connection, workspace: WorkspaceId) -> Result<Snapshot> {
        let changes = self.now();
        let business = business(conn, workspace)?;
        let automations = db::automations::all(conn, workspace)?
            .into_iter()
            .filter(|row| row.is_active)
            .map(|row| Arc::new(ready(row)))
            .collect();
        Ok(Snapshot {
            changes,
            business,
            automations,
        })
    }

    /// The plan for an event, made again where something was changed since it was made.
    pub(crate) fn settled(
        &self,
        conn: &Connection,
        workspace: WorkspaceId,
        made: Made,
        event: &Checked,
        now: Time,
    ) -> Result<Made> {
        if made.changes == self.now() {
            return Ok(made);
        }
        Ok(self.read(conn, workspace)?.plan(event, now))
    }
}

/// The business of a workspace.
pub(crate) fn business(conn: &Connection, workspace: WorkspaceId) -> Result<Business> {
    let found =
        db::workspaces::get(conn, workspace)?.ok_or_else(|| Error::not_found("workspace"))?;
    Ok(Business {
        workspace,
        zone: TimeZone::get(&found.timezone).unwrap_or(TimeZone::UTC),
        name: found.name,
        timezone: found.timezone,
        quiet_hours: found.quiet_hours,
        limit: found.message_limit,
    })
}

/// An automation as it is asked; a condition that was checked when it was saved.
pub(crate) fn ready(row: db::automations::AutomationRow) -> Ready {
    let condition = row
        .settings
        .condition
        .as_ref()
        .and_then(|json| Condition::read(json, "condition").ok());
    Ready {
        id: row.id,
        version: row.version,
        settings: row.settings,
        condition,
        action: row.action,
    }
}

impl Snapshot {
    fn plan(&self, event: &Checked, now: Time) -> Made {
        let stand_in = EventId::new().to_string();
        let happened = Happened {
            event_type: &event.event_type,
            event_id: &stand_in,
            subject: event.subject.as_deref(),
            occurred_at: event.occurred_at.unwrap_or(now),
            data: &event.data,
        };
        Made {
            changes: self.changes,
            plan: plan(&happened, &self.automations, &self.business, now),
            stand_in,
        }
    }
}

impl Hub {
    /// The active automations of a workspace.
    pub(crate) async fn active_automations(&self, workspace: WorkspaceId) -> Result<Arc<Snapshot>> {
        if let Some(known) = self.automations.get(workspace) {
            return Ok(known);
        }
        let known = self.automations.clone();
        let read = self
            .db
            .read(move |conn| known.read(conn, workspace))
            .await?;
        let read = Arc::new(read);
        self.automations.keep(&read);
        Ok(read)
    }

    /// What an event asks of the automations; none where it means nothing to any of them.
    pub(crate) async fn plan_for(
        &self,
        workspace: WorkspaceId,
        event: &Checked,
        now: Time,
    ) -> Result<Option<Made>> {
        let known = self.active_automations(workspace).await?;
        let concerns = known
            .automations
            .iter()
            .any(|automation| automation.concerns(&event.event_type));
        Ok(concerns.then(|| known.plan(event, now)))
    }
}
