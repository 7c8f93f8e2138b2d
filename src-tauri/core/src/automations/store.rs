//! The use cases of automations: made, read, changed, removed, and the versions of their texts.

use super::check::check;
use super::{
    Automation, AutomationPatch, ChangedAutomation, Counts, NewAutomation, Settings, Version, when,
};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::automations::AutomationRow;
use crate::db::{self, Tx};
use crate::deliveries::read::Reader;
use crate::error::{Error, FieldError, Result};
use crate::explain::{Role, Shape, State, count};
use crate::hub::Hub;
use crate::ids::{AutomationId, WorkspaceId};
use crate::integrations::Kind;
use crate::outbox::target::Stop;

/// How far counts look back.
const COUNTED_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// So many deliveries are closed in one commit; others have their turn between.
const BATCH: usize = 500;
/// The most automations of a workspace.
const MOST: u64 = 500;

impl Hub {
    /// The automations of a workspace, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn automations(&self, workspace: WorkspaceId) -> Result<Vec<Automation>> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let reader = Reader::new(conn, workspace, now)?;
                db::automations::all(conn, workspace)?
                    .into_iter()
                    .map(|row| shown(conn, workspace, &reader, row, now))
                    .collect()
            })
            .await
    }

    /// One automation.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn automation(&self, workspace: WorkspaceId, id: AutomationId) -> Result<Automation> {
        let now = self.now();
        self.db
            .read(move |conn| {
                let row = found(conn, workspace, id)?;
                let reader = Reader::new(conn, workspace, now)?;
                shown(conn, workspace, &reader, row, now)
            })
            .await
    }

    pub(super) async fn automation_row(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
    ) -> Result<AutomationRow> {
        self.db.read(move |conn| found(conn, workspace, id)).await
    }

    /// What is wrong with an automation, with the types that this workspace knows.
    pub(super) async fn wrong_automation(
        &self,
        workspace: WorkspaceId,
        row: &AutomationRow,
    ) -> Result<Vec<FieldError>> {
        let types = self.event_types(workspace).await?;
        let known: Vec<&str> = types.iter().map(|one| one.name.as_str()).collect();
        Ok(check(&row.name, &row.settings, &row.action, &known))
    }

    /// Makes an automation.
    ///
    /// # Errors
    /// `Invalid` fields, among them texts that do not parse, with line and column; then nothing is
    /// saved. `Conflict` from 500 automations on.
    pub async fn create_automation(
        &self,
        workspace: WorkspaceId,
        new: NewAutomation,
    ) -> Result<Automation> {
        let row = row(new, self.now());
        let wrong = self.wrong_automation(workspace, &row).await?;
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let id = row.id;
        let known = self.automations.clone();
        self.db
            .write(move |tx| {
                if db::automations::count(tx.conn(), workspace)? >= MOST {
                    return Err(Error::conflict(
                        "A workspace has 500 automations at most. Remove some first.",
                    ));
                }
                db::automations::insert(tx.conn(), workspace, &row)?;
                changed(tx, workspace, &known);
                Ok(())
            })
            .await?;
        self.automation(workspace, id).await
    }

    /// Alters an automation, or switches it on or off. Another action is another version of its
    /// texts; what waits is written anew.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` fields: then nothing is saved.
    pub async fn update_automation(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        patch: AutomationPatch,
    ) -> Result<ChangedAutomation> {
        self.change(workspace, id, patch, None).await
    }

    /// Brings back the texts of an earlier version, as a new one.
    ///
    /// # Errors
    /// `NotFound` when there is no such automation, or no such version of it.
    pub async fn restore_automation(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        version: u32,
    ) -> Result<ChangedAutomation> {
        let action = self
            .db
            .read(move |conn| {
                found(conn, workspace, id)?;
                Ok(db::automations::versions(conn, id)?
                    .into_iter()
                    .find(|row| row.version == version)
                    .map(|row| row.action))
            })
            .await?
            .ok_or_else(|| {
                Error::new(
                    crate::Kind::NotFound,
                    "This automation has no version of this number.",
                )
            })?;
        let patch = AutomationPatch {
            action: Some(action),
            ..AutomationPatch::default()
        };
        self.change(workspace, id, patch, Some(version)).await
    }

    async fn change(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        patch: AutomationPatch,
        restored_from: Option<u32>,
    ) -> Result<ChangedAutomation> {
        let before = self.automation_row(workspace, id).await?;
        let now = self.now();
        let mut row = before.clone();
        if let Some(name) = &patch.name {
            row.name = name.trim().to_owned();
        }
        row.settings.apply(&patch);
        row.is_active = patch.is_active.unwrap_or(row.is_active);
        if let Some(action) = patch.action {
            row.action = action;
        }
        let mut wrong = self.wrong_automation(workspace, &row).await?;
        if row.action.kind() != before.action.kind() {
            wrong.push(FieldError::new(
                "action.kind",
                "conflict",
                "What it is done with stays. Make another automation for another service.",
            ));
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let is_new_version = row.action != before.action;
        let known = self.automations.clone();
        let stored = row.clone();
        let version = self
            .db
            .write(move |tx| {
                let mut row = stored;
                let current = found(tx.conn(), workspace, id)?;
                row.version = current.version;
                if is_new_version {
                    row.version += 1;
                    row.changed_at = now;
                }
                db::automations::update(tx.conn(), &row, is_new_version, restored_from)?;
                changed(tx, workspace, &known);
                Ok(row.version)
            })
            .await?;
        let (mut rendered_anew, mut dropped) = (0, 0);
        if before.is_active && !row.is_active {
            dropped = self.close_waiting(workspace, id).await?;
        } else if is_new_version || differs(&before.settings, &row.settings) {
            rendered_anew = self.write_anew(workspace, id).await?;
        }
        let mut sentences = vec![match (before.is_active, row.is_active) {
            (false, true) => "Switched on.".to_owned(),
            (true, false) => "Switched off.".to_owned(),
            _ if is_new_version => format!("Saved as version {version}."),
            _ => "Saved.".to_owned(),
        }];
        if dropped > 0 {
            sentences.push(format!(
                "{} that waited {} not sent.",
                deliveries(row.action.kind(), dropped),
                if dropped == 1 { "is" } else { "are" }
            ));
        }
        if rendered_anew > 0 {
            sentences.push(format!(
                "{} that {} written anew.",
                deliveries(row.action.kind(), rendered_anew),
                if rendered_anew == 1 {
                    "waits was"
                } else {
                    "wait were"
                }
            ));
        }
        Ok(ChangedAutomation {
            automation: self.automation(workspace, id).await?,
            rendered_anew,
            dropped,
            message: sentences.join(" "),
        })
    }

    /// Removes an automation: what waits is not sent, its log stays. How many waited.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_automation(&self, workspace: WorkspaceId, id: AutomationId) -> Result<u64> {
        let (now, known) = (self.now(), self.automations.clone());
        self.db
            .write(move |tx| {
                found(tx.conn(), workspace, id)?;
                db::automations::delete(tx.conn(), id, now)?;
                changed(tx, workspace, &known);
                Ok(())
            })
            .await?;
        self.close_waiting(workspace, id).await
    }

    /// Closes what waits of an automation.
    pub(crate) async fn close_waiting(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
    ) -> Result<u64> {
        let mut closed = 0;
        loop {
            let (now, lanes) = (self.now(), self.lanes.clone());
            let n = self
                .db
                .write(move |tx| {
                    let places = db::planned::close_waiting(tx.conn(), id, now, BATCH)?;
                    for (endpoint, subject) in &places {
                        if let Some(subject) = subject
                            && db::deliveries::release_next(tx.conn(), endpoint, subject, now)?
                        {
                            let (lanes, endpoint) = (lanes.clone(), endpoint.clone());
                            tx.after_commit(move || lanes.look(&endpoint));
                        }
                    }
                    tx.announce(Some(workspace), Topic::Deliveries);
                    Ok(places.len())
                })
                .await?;
            closed += n as u64;
            if n < BATCH {
                return Ok(closed);
            }
        }
    }

    /// The versions of an automation's texts, the newest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn automation_versions(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
    ) -> Result<Vec<Version>> {
        self.db
            .read(move |conn| {
                let current = found(conn, workspace, id)?.version;
                Ok(db::automations::versions(conn, id)?
                    .into_iter()
                    .map(|row| Version {
                        sentence: match row.deliveries {
                            0 => "Not used yet.".into(),
                            n => format!("Used by {}.", count(n, "delivery", "deliveries")),
                        },
                        version: row.version,
                        created_at: row.created_at,
                        restored_from: row.restored_from,
                        is_current: row.version == current,
                        deliveries: row.deliveries,
                        action: row.action,
                    })
                    .collect())
            })
            .await
    }
}

/// The row of one that is to be made.
pub(crate) fn row(new: NewAutomation, now: Time) -> AutomationRow {
    AutomationRow {
        id: AutomationId::new(),
        name: new.name.trim().to_owned(),
        is_active: new.is_active.unwrap_or(true),
        settings: Settings::of(&new),
        action: new.action,
        version: 1,
        created_at: now,
        changed_at: now,
    }
}

fn found(
    conn: &rusqlite::Connection,
    workspace: WorkspaceId,
    id: AutomationId,
) -> Result<AutomationRow> {
    db::automations::get(conn, workspace, id)?.ok_or_else(|| Error::not_found("automation"))
}

/// What follows from any change: what is known by heart is learned anew.
fn changed(tx: &mut Tx<'_>, workspace: WorkspaceId, known: &std::sync::Arc<super::known::Known>) {
    known.forget();
    let known = known.clone();
    // What was read before the commit is not kept either.
    tx.after_commit(move || known.forget());
    tx.announce(Some(workspace), Topic::Automations);
}

/// True where what waits may have to be another, or at another time.
fn differs(before: &Settings, after: &Settings) -> bool {
    let condition = |settings: &Settings| settings.condition.as_ref().map(|c| c.get().to_owned());
    before.event != after.event
        || condition(before) != condition(after)
        || before.delay_minutes != after.delay_minutes
        || before.relative_to != after.relative_to
}

fn deliveries(kind: Kind, n: u64) -> String {
    let (one, many) = kind.nouns();
    count(n, one, many)
}

fn shown(
    conn: &rusqlite::Connection,
    workspace: WorkspaceId,
    reader: &Reader,
    row: AutomationRow,
    now: Time,
) -> Result<Automation> {
    let kind = row.action.kind();
    let counts = db::automations::counts(conn, row.id, now.plus_ms(-COUNTED_MS))?;
    let stop = db::integrations::get(conn, workspace, kind)?.map(|row| row.stop());
    let (state, sentence) = standing(reader, &row, stop, counts);
    Ok(Automation {
        when: when::in_words(&row.settings),
        id: row.id,
        name: row.name,
        is_active: row.is_active,
        event: row.settings.event,
        condition: row.settings.condition,
        gather_seconds: row.settings.gather_seconds,
        delay_minutes: row.settings.delay_minutes,
        relative_to: row.settings.relative_to,
        limit: row.settings.limit,
        action: row.action,
        version: row.version,
        created_at: row.created_at,
        changed_at: row.changed_at,
        state,
        sentence,
        counts,
    })
}

/// How an automation stands: off, in want of its service, or ready.
fn standing(
    reader: &Reader,
    row: &AutomationRow,
    stop: Option<Option<Stop>>,
    counts: Counts,
) -> (State, String) {
    let kind = row.action.kind();
    let (who, many) = (kind.provider_name(), kind.nouns().1);
    let events: Vec<String> = row
        .settings
        .event
        .0
        .iter()
        .map(|one| reader.label(one))
        .collect();
    let events = events.join(", ");
    if !row.is_active {
        return (
            State::new("Off", Shape::DashedRound, Role::Muted),
            format!("Switched off. {events}: nothing is done."),
        );
    }
    let held = State::new("On, held", Shape::BarsSquareFilled, Role::Held);
    match stop {
        None => (
            State::new("On, not set up", Shape::DashedRound, Role::Held),
            format!("{who} is not set up, so {many} are skipped."),
        ),
        Some(Some(Stop::Skip)) => (held, format!("{who} is paused, so {many} are skipped.")),
        Some(Some(Stop::Hold(_))) => (held, format!("{who} is held; {many} wait for it.")),
        Some(None) => {
            let done = match counts.sent {
                0 => "Nothing was sent in the last seven days.".to_owned(),
                n => format!("{} in the last seven days.", deliveries(kind, n)),
            };
            (
                State::new("On", Shape::TickFilled, Role::Success),
                format!("{events}, {}. {done}", when::in_words(&row.settings)),
            )
        }
    }
}
