//! What would be sent because of an event, and what is missing. Nothing is sent.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::known;
use super::plan::{self, Deed, Happened, Planned};
use super::render::{self, Found};
use super::template::Trouble;
use super::{Action, AutomationPatch, NewAutomation, Why, store};
use crate::clock::Time;
use crate::db;
use crate::db::automations::AutomationRow;
use crate::error::{Error, Result};
use crate::events::{self, EventType};
use crate::explain;
use crate::hub::Hub;
use crate::ids::{AutomationId, EventId, WorkspaceId};
use crate::integrations::Kind;
use crate::integrations::email;

/// The event that a preview is about: one that happened, or one that might.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PreviewEvent {
    /// One that happened; else `type` and `data`.
    #[serde(default)]
    pub event_id: Option<EventId>,
    /// A type that the automation listens to.
    #[serde(default, rename = "type")]
    pub event_type: Option<String>,
    /// Its data; else the sample of the type.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub data: Option<Box<RawValue>>,
}

/// What is to be looked at: `POST /api/automations/{id}/preview`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationPreviewRequest))]
pub struct PreviewRequest {
    /// The event; else the newest of its type, else the sample.
    #[serde(default)]
    pub event: Option<PreviewEvent>,
    /// What is different from what is saved, as in `PATCH`; for an editor.
    #[serde(default)]
    pub draft: AutomationPatch,
}

/// An automation that is not saved yet: `POST /api/automations/preview`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationDraft))]
pub struct Draft {
    /// As it would be made.
    pub automation: NewAutomation,
    /// The event; else the newest of its type, else the sample.
    #[serde(default)]
    pub event: Option<PreviewEvent>,
}

/// What an event would lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationOutcome))]
pub enum Outcome {
    /// It is sent, at once or when it is due.
    Send,
    /// The condition is not met: nothing is done.
    Filtered,
    /// A value is missing: it is held.
    MissingValue,
    /// There is nobody to send it to.
    NoRecipient,
    /// Its time has passed.
    TooLate,
    /// The service is not set up.
    NotConfigured,
}

/// Something that is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = TemplateMistake))]
pub struct Mistake {
    /// The field: `action.subject`.
    pub path: String,
    /// Where in it, from 1; null when that is no matter of a place.
    pub line: Option<usize>,
    /// The letter in the line, from 1.
    pub column: Option<usize>,
    /// A sentence.
    pub message: String,
    /// The values that are not there.
    pub missing: Vec<String>,
}

/// What would be sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationPreview))]
pub struct Preview {
    /// Always true: it was looked at.
    pub success: bool,
    /// Which service.
    pub kind: Kind,
    /// The event's type.
    pub event_type: String,
    /// The event, where it is one that happened.
    pub event_id: Option<EventId>,
    /// What the event is about.
    pub subject: Option<String>,
    /// Who and what, in a few words.
    pub what: String,
    /// What it would lead to.
    pub outcome: Outcome,
    /// The same in words.
    pub sentence: String,
    /// Whether the condition is met, and why.
    pub fits: bool,
    /// Why, as a sentence; null without a condition.
    pub why: Option<String>,
    /// Whom it goes to.
    pub recipient: Option<String>,
    /// The request as it would be sent; null where nothing is.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
    pub request: Option<Box<RawValue>>,
    /// Of an email: the text alone, as it would go out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_text: Option<String>,
    /// The values that are not there.
    pub missing: Vec<String>,
    /// What is wrong with its texts, each with its place.
    pub mistakes: Vec<Mistake>,
    /// When it goes, if it has a time of its own.
    pub due_at: Option<Time>,
}

/// An event to look at.
struct Shown {
    id: Option<EventId>,
    event_type: String,
    subject: Option<String>,
    occurred_at: Time,
    data: String,
}

impl Hub {
    /// What an automation would do because of an event.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an event that is none. Texts that do not parse are no error here:
    /// they are what is shown.
    pub async fn preview_automation(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        request: PreviewRequest,
    ) -> Result<Preview> {
        let mut row = self.automation_row(workspace, id).await?;
        row.settings.apply(&request.draft);
        if let Some(action) = request.draft.action {
            row.action = action;
        }
        self.preview_row(workspace, row, request.event).await
    }

    /// What an automation would do that is not saved yet.
    ///
    /// # Errors
    /// `Invalid` for an event that is none.
    pub async fn preview_draft(&self, workspace: WorkspaceId, draft: Draft) -> Result<Preview> {
        let row = store::row(draft.automation, self.now());
        self.preview_row(workspace, row, draft.event).await
    }

    pub(super) async fn preview_row(
        &self,
        workspace: WorkspaceId,
        row: AutomationRow,
        event: Option<PreviewEvent>,
    ) -> Result<Preview> {
        let mut mistakes = mistakes_of(&row.action);
        let unreadable = self
            .wrong_automation(workspace, &row)
            .await?
            .into_iter()
            .find(|wrong| wrong.path.starts_with("condition") || wrong.path.starts_with("event"));
        if let Some(wrong) = unreadable {
            return Err(Error::invalid(vec![wrong]));
        }
        let types = self.event_types(workspace).await?;
        let wanted: Vec<String> = row.settings.event.0.clone();
        let now = self.now();
        let (shown, business, is_set_up) = self
            .db
            .read(move |conn| {
                let shown = find(
                    conn,
                    workspace,
                    event.unwrap_or_default(),
                    &wanted,
                    &types,
                    now,
                )?;
                let kinds = db::integrations::kinds(conn, workspace)?;
                Ok((shown, known::business(conn, workspace)?, kinds))
            })
            .await?;
        let kind = row.action.kind();
        let is_set_up = is_set_up.contains(&kind);
        let automation = known::ready(row);
        let id = shown.id.unwrap_or_else(EventId::new).to_string();
        let happened = Happened {
            event_type: &shown.event_type,
            event_id: &id,
            subject: shown.subject.as_deref(),
            occurred_at: shown.occurred_at,
            data: &shown.data,
        };
        let (fits, why) = match &automation.condition {
            None => (true, None),
            Some(condition) => {
                let (fits, why) = condition.why(&shown.data);
                (fits, Some(why))
            }
        };
        let data = plan::read(&shown.data);
        // It is looked at in the moment in which it happened: its times may be past by now.
        let at = shown.occurred_at;
        let (planned, found) = plan::of_one(&happened, &automation, &data, &business, at);
        for one in &found {
            if !mistakes.iter().any(|known| known.path == path_of(one)) {
                mistakes.push(mistake(one));
            }
        }
        let zone = business.zone.clone();
        let sentence = sentence(&planned, fits, is_set_up, |at| {
            explain::moment(at, now, &zone)
        });
        let Planned {
            recipient,
            deed,
            due,
            ..
        } = planned;
        let outcome = match &deed {
            _ if !fits => Outcome::Filtered,
            Deed::NoRecipient(_) => Outcome::NoRecipient,
            Deed::TooLate(_) => Outcome::TooLate,
            _ if !is_set_up => Outcome::NotConfigured,
            Deed::Incomplete(_) => Outcome::MissingValue,
            Deed::Send { .. } => Outcome::Send,
        };
        let mut missing: Vec<String> = Vec::new();
        if let Deed::Incomplete(Why { missing: names, .. }) = &deed {
            missing.clone_from(names);
        }
        let (body, recipient) = match deed {
            Deed::Send { body } => (Some(body), Some(recipient)),
            _ => (None, None),
        };
        Ok(Preview {
            success: true,
            kind,
            event_id: shown.id,
            what: events::in_a_few_words(&shown.data),
            event_type: shown.event_type,
            subject: shown.subject,
            outcome,
            sentence,
            fits,
            why,
            recipient,
            plain_text: body
                .as_ref()
                .filter(|_| kind == Kind::Email)
                .and_then(|body| serde_json::from_str::<email::Message>(body).ok())
                .map(|message| message.plain()),
            request: body.and_then(|body| RawValue::from_string(body).ok()),
            missing,
            mistakes,
            due_at: due,
        })
    }
}

/// The event to look at: the one that is named, else the newest of a type, else the sample.
fn find(
    conn: &rusqlite::Connection,
    workspace: WorkspaceId,
    event: PreviewEvent,
    wanted: &[String],
    types: &[EventType],
    now: Time,
) -> Result<Shown> {
    if let Some(id) = event.event_id {
        let row = db::events::get(conn, workspace, id)?.ok_or_else(|| Error::not_found("event"))?;
        if row.purged_at.is_some() {
            return Err(Error::conflict(
                "The text of this event was removed for its age. Choose a newer one.",
            ));
        }
        return Ok(stored(row));
    }
    let named = event.event_type;
    if let Some(data) = event.data {
        let data: Box<str> = data.into();
        if !data.starts_with('{') {
            return Err(Error::field(
                "event.data",
                "invalid",
                "The data of an event must be a JSON object.",
            ));
        }
        return Ok(Shown {
            id: None,
            event_type: named
                .or_else(|| wanted.first().cloned())
                .unwrap_or_default(),
            subject: events::subject_of(&data),
            occurred_at: now,
            data: data.into(),
        });
    }
    let of: Vec<String> = match named {
        Some(name) => vec![name],
        None => wanted.to_vec(),
    };
    if let Some(row) = db::events::newest_of(conn, workspace, &of)? {
        return Ok(stored(row));
    }
    let kind = types
        .iter()
        .find(|one| of.contains(&one.name))
        .ok_or_else(|| {
            Error::field(
                "event.type",
                "unknown",
                "There is no event type of this name.",
            )
        })?;
    let data = kind.example.to_string();
    Ok(Shown {
        id: None,
        event_type: kind.name.clone(),
        subject: events::subject_of(&data),
        occurred_at: before_its_times(&kind.example, now),
        data,
    })
}

fn stored(row: db::events::EventRow) -> Shown {
    Shown {
        id: Some(row.id),
        event_type: row.event_type,
        subject: row.subject,
        occurred_at: row.occurred_at,
        data: String::from_utf8_lossy(&row.data).into_owned(),
    }
}

/// A moment two weeks before the first time that a sample names, or now.
fn before_its_times(example: &serde_json::Value, now: Time) -> Time {
    const TWO_WEEKS_MS: i64 = 14 * 24 * 60 * 60 * 1000;
    example
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| Time::parse(value.as_str()?).ok())
        .min()
        .map_or(now, |at| now.min(at.plus_ms(-TWO_WEEKS_MS)))
}

fn path_of(found: &Found) -> String {
    match found.path.as_str() {
        "action" => "action".into(),
        path => format!("action.{path}"),
    }
}

fn mistake(found: &Found) -> Mistake {
    let (line, column) = match &found.trouble {
        Trouble::Mistake(mistake) => (Some(mistake.line), Some(mistake.column)),
        _ => (None, None),
    };
    Mistake {
        path: path_of(found),
        line,
        column,
        message: render::in_words(&found.trouble),
        missing: match &found.trouble {
            Trouble::Missing(names) => names.clone(),
            _ => Vec::new(),
        },
    }
}

/// Texts that do not parse.
fn mistakes_of(action: &Action) -> Vec<Mistake> {
    super::check::texts(action)
        .into_iter()
        .filter_map(|(path, source)| {
            let mistake = super::template::check(source).err()?;
            Some(Mistake {
                path: format!("action.{path}"),
                line: Some(mistake.line),
                column: Some(mistake.column),
                message: mistake.message,
                missing: Vec::new(),
            })
        })
        .collect()
}

/// What would become of it, in words.
fn sentence(
    planned: &Planned,
    fits: bool,
    is_set_up: bool,
    moment: impl Fn(Time) -> String,
) -> String {
    if !fits {
        return "Nothing is done: the condition is not met.".into();
    }
    let kind = planned.kind;
    match &planned.deed {
        Deed::NoRecipient(why) => nobody(why),
        Deed::TooLate(why) => match why.passed {
            Some(at) => format!("Too late: it would have been due at {}.", moment(at)),
            None => "Too late.".into(),
        },
        _ if !is_set_up => format!(
            "{} is not set up, so this would be skipped.",
            kind.provider_name()
        ),
        Deed::Incomplete(why) => holes(why),
        Deed::Send { .. } => match planned.due {
            Some(at) => format!("Goes to {} at {}.", planned.recipient, moment(at)),
            None => format!("Goes to {}.", planned.recipient),
        },
    }
}

/// Why there is nobody to send it to.
pub(crate) fn nobody(why: &Why) -> String {
    match &why.instead {
        Some(text) => format!("Not sent: “{text}” is nobody it can go to."),
        None => "Not sent: the event names nobody it can go to.".into(),
    }
}

/// Why it waits for a value.
pub(crate) fn holes(why: &Why) -> String {
    match (why.missing.as_slice(), &why.mistake) {
        ([], Some(mistake)) => format!("Held, because its text cannot be made: {mistake}"),
        ([], None) => "Held, because its text cannot be made.".into(),
        ([one], _) => format!("Held, because a value is missing: {one}."),
        (many, _) => format!("Held, because values are missing: {}.", many.join(", ")),
    }
}
