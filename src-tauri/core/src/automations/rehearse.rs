//! An automation run over what really happened in a time, without sending anything: how many, to
//! whom, what would be missing, and what differs from what was sent.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::AutomationPatch;
use super::known;
use super::plan::{self, Business, Deed, Happened, Planned, Ready};
use super::preview::{Outcome, holes, nobody};
use super::queue::LIMIT_MS;
use super::when;
use crate::clock::Time;
use crate::db;
use crate::db::events::EventRow;
use crate::db::log::first_from;
use crate::db::search::Of;
use crate::deliveries::Status;
use crate::error::{Error, Result};
use crate::events;
use crate::explain::count;
use crate::hub::Hub;
use crate::ids::{AutomationId, DeliveryId, EventId, WorkspaceId};
use crate::integrations::Kind;

/// So many events are gone through at most.
const MOST_EVENTS: u64 = 10_000;
/// So many samples are shown.
const SAMPLES: usize = 20;

/// What is rehearsed: `POST /api/automations/{id}/rehearse`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RehearseRequest {
    /// Events recorded at this time or later.
    pub since: Time,
    /// And before this; else until now.
    #[serde(default)]
    pub until: Option<Time>,
    /// What is different from what is saved, as in `PATCH`; for an editor.
    #[serde(default)]
    pub draft: AutomationPatch,
}

/// How what would be sent compares with what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RehearsalDifference))]
pub enum Difference {
    /// The same was sent.
    Same,
    /// Something else was sent.
    Changed,
    /// Nothing was sent then, and would be now.
    Added,
    /// Something was sent then, and nothing would be now.
    Removed,
}

/// One event of a rehearsal.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RehearsalSample))]
pub struct Sample {
    /// The event.
    pub event_id: EventId,
    /// When it was recorded.
    pub at: Time,
    /// Who and what, in a few words.
    pub what: String,
    /// What it would lead to.
    pub outcome: Outcome,
    /// True: something newer would take its place before it went.
    pub superseded: bool,
    /// True: it would be held, because so many at once look like a mistake.
    pub over_limit: bool,
    /// The same in words.
    pub sentence: String,
    /// Whom it would go to.
    pub recipient: Option<String>,
    /// When it would have gone, if not at once.
    pub due_at: Option<Time>,
    /// The values that are not there.
    pub missing: Vec<String>,
    /// What was sent then.
    pub delivery_id: Option<DeliveryId>,
    /// How it compares with that; null where nothing was sent, and nothing would be.
    pub difference: Option<Difference>,
}

/// A value that is not there, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MissingValue {
    /// `customer.name`
    pub name: String,
    /// Of so many events.
    pub count: u64,
}

/// How a rehearsal went. Nothing was sent.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rehearsal {
    /// Always true.
    pub success: bool,
    /// Events of its types.
    pub checked: u64,
    /// Would be sent.
    pub would_send: u64,
    /// To so many different people or places.
    pub recipients: u64,
    /// Do not meet the condition.
    pub filtered: u64,
    /// Something newer would have taken their place.
    pub superseded: u64,
    /// Would be held for a value.
    pub missing_value: u64,
    /// Have nobody to go to.
    pub no_recipient: u64,
    /// Would have come too late.
    pub too_late: u64,
    /// Would be held, because so many at once look like a mistake.
    pub over_limit: u64,
    /// The same was sent.
    pub same: u64,
    /// Something else was sent.
    pub changed: u64,
    /// Nothing was sent then, and would be now.
    pub added: u64,
    /// Something was sent then, and nothing would be now.
    pub removed: u64,
    /// The values that are not there, the most frequent first.
    pub missing: Vec<MissingValue>,
    /// The last of them, newest first, 20 at most; what stands out comes first.
    pub samples: Vec<Sample>,
    /// False: there were more than 10,000 events, and the rest was left out.
    pub is_complete: bool,
    /// All in one sentence.
    pub sentence: String,
}

/// An event that was gone through, and what became of it.
struct Gone {
    event: EventId,
    at: Time,
    what: String,
    /// None where the condition is not met.
    planned: Option<Planned>,
    /// When it goes.
    due: Time,
    superseded: bool,
    over_limit: bool,
    /// What was sent then, and whether that was the same.
    sent: Option<(DeliveryId, bool)>,
}

impl Hub {
    /// Runs an automation over the events of a time. Nothing is sent or stored.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a time that ends before it begins, or a draft that is none.
    pub async fn rehearse_automation(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        request: RehearseRequest,
    ) -> Result<Rehearsal> {
        let now = self.now();
        let until = request.until.unwrap_or(now.plus_ms(1));
        if until <= request.since {
            return Err(Error::field(
                "until",
                "invalid",
                "This ends before it begins.",
            ));
        }
        let mut row = self.automation_row(workspace, id).await?;
        row.settings.apply(&request.draft);
        if let Some(action) = request.draft.action {
            row.action = action;
        }
        let wrong = self.wrong_automation(workspace, &row).await?;
        if !wrong.is_empty() {
            return Err(Error::invalid(
                wrong
                    .into_iter()
                    .map(|mut found| {
                        found.path = format!("draft.{}", found.path);
                        found
                    })
                    .collect(),
            ));
        }
        let since = request.since;
        self.db
            .read(move |conn| {
                let automation = known::ready(row);
                let business = known::business(conn, workspace)?;
                let (gone, checked, is_complete) =
                    go_through(conn, &automation, &business, since, until)?;
                Ok(summed_up(
                    gone,
                    checked,
                    is_complete,
                    automation.action.kind(),
                ))
            })
            .await
    }
}

fn go_through(
    conn: &Connection,
    automation: &Ready,
    business: &Business,
    since: Time,
    until: Time,
) -> Result<(Vec<Gone>, u64, bool)> {
    let rows = (
        first_from(conn, Of::Events, since)?,
        first_from(conn, Of::Events, until)?,
    );
    let (mut gone, mut checked, mut is_complete) = (Vec::new(), 0, true);
    // The last of each subject that may still wait, and the times of what was sent lately.
    let mut waits: HashMap<String, usize> = HashMap::new();
    let mut lately: VecDeque<Time> = VecDeque::new();
    db::events::within(conn, business.workspace, rows, |event| {
        if !automation.concerns(&event.event_type) || event.purged_at.is_some() {
            return Ok(true);
        }
        if let Some(subject) = &event.subject
            && let Some(before) = waits.remove(subject)
            && let Some(before) = gone.get_mut(before)
        {
            let before: &mut Gone = before;
            let newest_counts =
                when::is_change(&event.event_type) || when::is_follow_up(&automation.settings);
            before.superseded =
                before.due > event.received_at && (newest_counts || before.gathers());
        }
        if !automation.listens_to(&event.event_type) {
            return Ok(true);
        }
        if checked == MOST_EVENTS {
            is_complete = false;
            return Ok(false);
        }
        checked += 1;
        let one = one(conn, automation, business, event, &mut lately)?;
        if let (Some(subject), Some(Deed::Send { .. } | Deed::Incomplete(_))) =
            (&one.1, one.0.planned.as_ref().map(|planned| &planned.deed))
        {
            waits.insert(subject.clone(), gone.len());
        }
        gone.push(one.0);
        Ok(true)
    })?;
    Ok((gone, checked, is_complete))
}

/// One event, and its subject.
fn one(
    conn: &Connection,
    automation: &Ready,
    business: &Business,
    event: EventRow,
    lately: &mut VecDeque<Time>,
) -> Result<(Gone, Option<String>)> {
    let data = String::from_utf8_lossy(&event.data).into_owned();
    let (id, at) = (event.id, event.received_at);
    let name = id.to_string();
    let happened = Happened {
        event_type: &event.event_type,
        event_id: &name,
        subject: event.subject.as_deref(),
        occurred_at: event.occurred_at,
        data: &data,
    };
    let planned = plan::fits(automation, &data).then(|| {
        let value = plan::read(&data);
        plan::of_one(&happened, automation, &value, business, at).0
    });
    let due = planned.as_ref().map_or(at, |planned| {
        planned
            .due
            .max(planned.settles.map(|window| at.plus_ms(window)))
            .unwrap_or(at)
    });
    let mut over_limit = false;
    if let Some(Planned {
        deed: Deed::Send { .. },
        limit: Some(limit),
        ..
    }) = &planned
    {
        while lately
            .front()
            .is_some_and(|first| at.ms_since(*first) >= LIMIT_MS)
        {
            lately.pop_front();
        }
        over_limit = lately.len() >= *limit as usize;
        if !over_limit {
            lately.push_back(at);
        }
    }
    let sent = db::deliveries::of_event(conn, &event)?
        .into_iter()
        .rfind(|row| {
            let of_this = row
                .automation
                .as_ref()
                .is_some_and(|a| a.id == automation.id);
            of_this && !matches!(row.status, Status::Skipped | Status::Cancelled)
        });
    let mut planned = planned;
    // Texts are compared and let go, for there may be thousands.
    let body = match planned.as_mut().map(|planned| &mut planned.deed) {
        Some(Deed::Send { body }) => std::mem::take(body),
        _ => String::new(),
    };
    let sent = match sent {
        Some(row) => db::bodies::of(conn, row.seq)?.map(|sent| (row.id, sent == body.as_bytes())),
        None => None,
    };
    let gone = Gone {
        event: id,
        at,
        what: events::in_a_few_words(&data),
        planned,
        due,
        superseded: false,
        over_limit,
        sent,
    };
    Ok((gone, event.subject))
}

impl Gone {
    /// True when something would be sent.
    fn sends(&self) -> bool {
        let deed = self.planned.as_ref().map(|planned| &planned.deed);
        matches!(deed, Some(Deed::Send { .. })) && !self.superseded
    }

    /// True for a change that waits for another one.
    fn gathers(&self) -> bool {
        self.planned
            .as_ref()
            .is_some_and(|planned| planned.settles.is_some())
    }

    fn difference(&self) -> Option<Difference> {
        match (self.sends(), &self.sent) {
            (false, None) => None,
            (true, None) => Some(Difference::Added),
            (false, Some(_)) => Some(Difference::Removed),
            (true, Some((_, true))) => Some(Difference::Same),
            (true, Some((_, false))) => Some(Difference::Changed),
        }
    }

    fn outcome(&self) -> Outcome {
        match self.planned.as_ref().map(|planned| &planned.deed) {
            None => Outcome::Filtered,
            Some(Deed::NoRecipient(_)) => Outcome::NoRecipient,
            Some(Deed::TooLate(_)) => Outcome::TooLate,
            Some(Deed::Incomplete(_)) => Outcome::MissingValue,
            Some(Deed::Send { .. }) => Outcome::Send,
        }
    }

    fn missing(&self) -> Vec<String> {
        match self.planned.as_ref().map(|planned| &planned.deed) {
            Some(Deed::Incomplete(why)) => why.missing.clone(),
            _ => Vec::new(),
        }
    }

    fn sentence(&self) -> String {
        let Some(planned) = &self.planned else {
            return "Nothing is done: the condition is not met.".into();
        };
        match &planned.deed {
            Deed::NoRecipient(why) => nobody(why),
            Deed::TooLate(_) => "Too late: the moment for it had passed.".into(),
            Deed::Incomplete(why) => holes(why),
            Deed::Send { .. } if self.superseded => {
                "Not sent: something newer happened to the same first.".into()
            }
            Deed::Send { .. } if self.over_limit => {
                "Held: so many at once look like a mistake.".into()
            }
            Deed::Send { .. } => match self.difference() {
                Some(Difference::Same) => {
                    format!("Goes to {}, the same as then.", planned.recipient)
                }
                Some(Difference::Changed) => {
                    format!("Goes to {}, other than then.", planned.recipient)
                }
                _ => format!("Goes to {}.", planned.recipient),
            },
        }
    }

    /// What stands out is shown first.
    fn rank(&self) -> u8 {
        match (self.outcome(), self.difference()) {
            (Outcome::MissingValue, _) => 0,
            (_, Some(Difference::Removed)) => 1,
            (_, Some(Difference::Changed)) => 2,
            (_, Some(Difference::Added)) => 3,
            (Outcome::NoRecipient | Outcome::TooLate, _) => 4,
            _ => 5,
        }
    }

    fn sample(self) -> Sample {
        let sends = self.sends();
        Sample {
            event_id: self.event,
            at: self.at,
            outcome: self.outcome(),
            superseded: self.superseded,
            over_limit: self.over_limit,
            sentence: self.sentence(),
            due_at: (sends && self.due > self.at).then_some(self.due),
            missing: self.missing(),
            difference: self.difference(),
            delivery_id: self.sent.as_ref().map(|(id, _)| *id),
            what: self.what,
            recipient: self
                .planned
                .filter(|_| sends)
                .map(|planned| planned.recipient),
        }
    }
}

fn summed_up(mut gone: Vec<Gone>, checked: u64, is_complete: bool, kind: Kind) -> Rehearsal {
    let mut all = Rehearsal {
        success: true,
        checked,
        is_complete,
        ..Rehearsal::default()
    };
    let (mut recipients, mut missing) = (HashSet::new(), BTreeMap::<String, u64>::new());
    for one in &gone {
        let counted = match one.outcome() {
            Outcome::Send if one.superseded => &mut all.superseded,
            Outcome::Send if one.over_limit => &mut all.over_limit,
            Outcome::Send => &mut all.would_send,
            Outcome::Filtered => &mut all.filtered,
            Outcome::MissingValue => &mut all.missing_value,
            Outcome::NoRecipient => &mut all.no_recipient,
            Outcome::TooLate | Outcome::NotConfigured => &mut all.too_late,
        };
        *counted += 1;
        match one.difference() {
            Some(Difference::Same) => all.same += 1,
            Some(Difference::Changed) => all.changed += 1,
            Some(Difference::Added) => all.added += 1,
            Some(Difference::Removed) => all.removed += 1,
            None => {}
        }
        if let (true, Some(planned)) = (one.sends(), &one.planned) {
            recipients.insert(planned.recipient.to_lowercase());
        }
        for name in one.missing() {
            *missing.entry(name).or_default() += 1;
        }
    }
    all.recipients = recipients.len() as u64;
    all.missing = missing
        .into_iter()
        .map(|(name, count)| MissingValue { name, count })
        .collect();
    all.missing.sort_by_key(|one| std::cmp::Reverse(one.count));
    all.sentence = sentence(&all, kind);
    gone.reverse();
    gone.sort_by_key(Gone::rank);
    all.samples = gone.into_iter().take(SAMPLES).map(Gone::sample).collect();
    all
}

fn sentence(all: &Rehearsal, kind: Kind) -> String {
    if all.checked == 0 {
        return "Nothing of this kind happened in that time, so there is nothing to rehearse."
            .into();
    }
    let (one, many) = kind.nouns();
    let mut parts = vec![format!("{} would go out", count(all.would_send, one, many))];
    for (n, what) in [
        (all.missing_value, "would be held for a missing value"),
        (all.over_limit, "would be held as too many at once"),
        (all.no_recipient, "have nobody to go to"),
        (all.too_late, "would come too late"),
        (all.superseded, "would be overtaken by something newer"),
        (all.filtered, "do not meet the condition"),
        (all.changed, "differ from what was sent"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    format!(
        "Of {}: {}. Nothing was sent.",
        count(all.checked, "event", "events"),
        parts.join(", ")
    )
}
