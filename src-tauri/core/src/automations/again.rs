//! Texts made anew of events that happened before: for sending again.

use std::collections::HashMap;

use rusqlite::Connection;

use super::known;
use super::plan::{self, Business, Happened, Ready};
use super::queue;
use super::render::Made;
use crate::db;
use crate::db::integrations::IntegrationRow;
use crate::deliveries::WhyLeft;
use crate::error::Result;
use crate::ids::{AutomationId, WorkspaceId};
use crate::integrations::Kind;

/// The automations of a workspace, active or not, with what their texts need.
pub(crate) struct Anew {
    business: Business,
    automations: HashMap<AutomationId, Ready>,
    integrations: HashMap<Kind, IntegrationRow>,
}

/// A text that was made anew.
pub(crate) struct Written {
    pub(crate) version: u32,
    pub(crate) recipient: String,
    pub(crate) body: String,
}

impl Anew {
    pub(crate) fn read(conn: &Connection, workspace: WorkspaceId) -> Result<Self> {
        let mut integrations = HashMap::new();
        for kind in db::integrations::kinds(conn, workspace)? {
            if let Some(row) = db::integrations::get(conn, workspace, kind)? {
                integrations.insert(kind, row);
            }
        }
        Ok(Self {
            business: known::business(conn, workspace)?,
            automations: db::automations::all(conn, workspace)?
                .into_iter()
                .map(|row| (row.id, known::ready(row)))
                .collect(),
            integrations,
        })
    }

    /// The text that an automation makes of an event now, whatever the time is.
    pub(crate) fn write(
        &self,
        conn: &Connection,
        automation: AutomationId,
        event: i64,
    ) -> Result<std::result::Result<Written, WhyLeft>> {
        let (Some(automation), Some(event)) = (
            self.automations.get(&automation),
            db::events::at(conn, event)?,
        ) else {
            return Ok(Err(WhyLeft::AutomationDeleted));
        };
        let text = String::from_utf8_lossy(&event.data);
        let id = event.id.to_string();
        let happened = Happened {
            event_type: &event.event_type,
            event_id: &id,
            subject: event.subject.as_deref(),
            occurred_at: event.occurred_at,
            data: &text,
        };
        if !automation.listens_to(&event.event_type) || !plan::fits(automation, &text) {
            return Ok(Err(WhyLeft::Filtered));
        }
        let now = event.received_at;
        let data = plan::read(&text);
        let (made, _) = plan::text(&happened, automation, &data, &self.business, now);
        Ok(match made {
            Made::Ready { body, recipient } => {
                let integration = self.integrations.get(&automation.action.kind());
                Ok(Written {
                    version: automation.version,
                    recipient: queue::recipient(recipient, integration),
                    body,
                })
            }
            Made::NoRecipient(_) => Err(WhyLeft::NoRecipient),
            Made::Incomplete(_) => Err(WhyLeft::MissingValue),
        })
    }
}
