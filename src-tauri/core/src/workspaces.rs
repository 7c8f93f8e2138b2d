//! Workspaces: one business of the owner each. Everything else belongs to exactly one.

use serde::{Deserialize, Serialize};

use crate::automations::{QuietHours, USUAL_LIMIT, starter};
use crate::changes::Topic;
use crate::clock::Time;
use crate::db::{self, Tx};
use crate::error::{Error, FieldError, Result};
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};

/// The workspace that an empty home starts with.
pub(crate) const FIRST_NAME: &str = "My business";

/// The most messages in ten minutes that can be set.
pub(crate) const MOST_MESSAGES: u32 = 10_000;

/// One business.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name, the only one of this spelling.
    pub name: String,
    /// IANA name; days and times in words are in this zone.
    pub timezone: String,
    /// The hours in which automations send no texts; null is none.
    pub quiet_hours: Option<QuietHours>,
    /// How many emails or texts each automation may send in ten minutes; beyond that they are held.
    pub message_limit: u32,
    /// When it was made.
    pub created_at: Time,
    /// Whether it is the one to try things out in, from which nothing leaves this computer.
    pub is_practice: bool,
}

/// A workspace to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewWorkspace {
    /// 1 to 100 characters, not taken.
    pub name: String,
    /// IANA name; default the computer's own zone.
    #[serde(default)]
    pub timezone: Option<String>,
}

/// What is to be different; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkspacePatch {
    /// 1 to 100 characters, not taken.
    #[serde(default)]
    pub name: Option<String>,
    /// IANA name.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The hours in which automations send no texts; null is none.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<QuietHours>))]
    pub quiet_hours: Option<Option<QuietHours>>,
    /// 1 to 10,000 in ten minutes.
    #[serde(default)]
    pub message_limit: Option<u32>,
}

fn said<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn check(workspace: &Workspace) -> Result<()> {
    let mut wrong = Vec::new();
    let (name, timezone) = (&workspace.name, &workspace.timezone);
    wrong.extend(workspace.quiet_hours.as_ref().and_then(QuietHours::check));
    if !(1..=MOST_MESSAGES).contains(&workspace.message_limit) {
        wrong.push(FieldError::new(
            "messageLimit",
            "out_of_range",
            "This may be 1 to 10,000 messages in ten minutes.",
        ));
    }
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        wrong.push(FieldError::new(
            "name",
            "invalid",
            "Give it a name of 1 to 100 characters.",
        ));
    } else if name.parse::<WorkspaceId>().is_ok() {
        wrong.push(FieldError::new(
            "name",
            "invalid",
            "This reads like an id; choose another name.",
        ));
    }
    if jiff::tz::TimeZone::get(timezone).is_err() {
        wrong.push(FieldError::new(
            "timezone",
            "unknown",
            "There is no time zone of this name; one looks like Europe/Berlin.",
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid(wrong))
    }
}

fn taken(tx: &Tx<'_>, name: &str, except: Option<WorkspaceId>) -> Result<()> {
    match db::workspaces::by_name(tx.conn(), name)? {
        Some(other) if Some(other) != except => Err(Error::field(
            "name",
            "taken",
            "There is already a workspace of this name.",
        )),
        _ => Ok(()),
    }
}

/// The computer's own zone, or UTC where it has none with a name.
pub(crate) fn own_zone() -> String {
    jiff::tz::TimeZone::system()
        .iana_name()
        .unwrap_or("UTC")
        .to_owned()
}

impl Hub {
    /// All workspaces, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.db.read(db::workspaces::all).await
    }

    /// The workspace of this name or id; without one, the first.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn find_workspace(&self, name_or_id: Option<&str>) -> Result<WorkspaceId> {
        let all = self.workspaces().await?;
        let found = match name_or_id {
            None => all.first(),
            Some(text) => match text.parse::<WorkspaceId>() {
                Ok(id) => all.iter().find(|w| w.id == id),
                Err(_) => all.iter().find(|w| w.name.eq_ignore_ascii_case(text)),
            },
        };
        found.map(|w| w.id).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|w| format!("“{}”", w.name)).collect();
            Error::new(
                crate::Kind::NotFound,
                format!(
                    "There is no workspace of this name. There is {}.",
                    names.join(", ")
                ),
            )
        })
    }

    /// Makes a workspace.
    ///
    /// # Errors
    /// `Invalid` when the name is empty, too long or taken, or the zone unknown.
    pub async fn create_workspace(&self, new: NewWorkspace) -> Result<Workspace> {
        let workspace = Workspace {
            id: WorkspaceId::new(),
            name: new.name.trim().to_owned(),
            timezone: new.timezone.unwrap_or_else(own_zone),
            quiet_hours: None,
            message_limit: USUAL_LIMIT,
            created_at: self.now(),
            is_practice: false,
        };
        check(&workspace)?;
        self.db
            .write(move |tx| {
                taken(tx, &workspace.name, None)?;
                db::workspaces::insert(tx.conn(), &workspace)?;
                starter::arrive(tx.conn(), workspace.id, workspace.created_at)?;
                tx.announce(None, Topic::Workspaces);
                Ok(workspace)
            })
            .await
    }

    /// Renames a workspace or moves it to another zone.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` as when it is made.
    pub async fn update_workspace(
        &self,
        id: WorkspaceId,
        patch: WorkspacePatch,
    ) -> Result<Workspace> {
        let automations = self.automations.clone();
        self.db
            .write(move |tx| {
                let mut workspace = db::workspaces::get(tx.conn(), id)?
                    .ok_or_else(|| Error::not_found("workspace"))?;
                if let Some(name) = patch.name {
                    workspace.name = name.trim().to_owned();
                }
                if let Some(timezone) = patch.timezone {
                    workspace.timezone = timezone;
                }
                if let Some(quiet_hours) = patch.quiet_hours {
                    workspace.quiet_hours = quiet_hours;
                }
                if let Some(limit) = patch.message_limit {
                    workspace.message_limit = limit;
                }
                check(&workspace)?;
                taken(tx, &workspace.name, Some(id))?;
                db::workspaces::update(tx.conn(), &workspace)?;
                // Texts name it, and its zone.
                automations.forget_with(tx);
                tx.announce(None, Topic::Workspaces);
                Ok(workspace)
            })
            .await
    }

    /// Removes a workspace with its log and its secrets. The last one stays.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for the last one, and while deliveries of it are under way.
    pub async fn remove_workspace(&self, id: WorkspaceId) -> Result<()> {
        let webhooks: Vec<WebhookId> = self
            .db
            .write(move |tx| {
                let all = db::workspaces::all(tx.conn())?;
                if !all.iter().any(|w| w.id == id) {
                    return Err(Error::not_found("workspace"));
                }
                if all.len() == 1 {
                    return Err(Error::conflict(
                        "This is the only workspace; one has to stay.",
                    ));
                }
                if db::deliveries::count_sending(tx.conn(), id)? > 0 {
                    return Err(Error::conflict(
                        "Calls of this workspace are under way; try again in a moment.",
                    ));
                }
                let webhooks = db::webhooks::ids(tx.conn(), id)?;
                db::workspaces::delete(tx.conn(), id)?;
                tx.webhooks_changed();
                tx.announce(None, Topic::Workspaces);
                Ok(webhooks)
            })
            .await?;
        self.forget_tokens();
        let items = webhooks.iter().map(ToString::to_string);
        let kinds = crate::integrations::Kind::ALL.map(|kind| kind.as_str().to_owned());
        for item in items.chain(kinds) {
            // A secret that cannot be deleted now is an orphan in the key store, not a lost one.
            if let Err(error) = self.secrets.delete(id, &item).await {
                tracing::warn!(?error, "a secret could not be removed from the key store");
            }
        }
        Ok(())
    }
}
