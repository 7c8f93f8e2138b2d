//! What waits is written anew once an automation was changed: nobody gets a text that its owner has
//! corrected.

use std::sync::Arc;

use super::known;
use super::plan::{self, Business, Deed, Happened, Planned, Ready};
use super::queue;
use crate::changes::Topic;
use crate::clock::Time;
use crate::db;
use crate::db::planned::{Becomes, Marks, Waiting};
use crate::deliveries::Reason;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{AutomationId, WorkspaceId};

/// So many are written anew in one commit; others have their turn between.
const BATCH: usize = 100;

/// What one that waits becomes, and what is to be sent. Pure.
fn becomes(row: &Waiting, planned: Option<&Planned>, now: Time) -> Becomes {
    let Some(planned) = planned else {
        return Becomes::Skipped(Reason::Filtered);
    };
    match &planned.deed {
        Deed::NoRecipient(_) => Becomes::Skipped(Reason::NoRecipient),
        Deed::TooLate(_) => Becomes::Skipped(Reason::TooLate),
        Deed::Incomplete(_) => Becomes::Held(Reason::MissingValue),
        Deed::Send { .. } if row.reason == Some(Reason::OverLimit) => {
            Becomes::Held(Reason::OverLimit)
        }
        Deed::Send { .. } => match planned.due {
            Some(due) => Becomes::Due(due.max(now)),
            None if row.is_held => Becomes::Due(now),
            None => Becomes::AsItWas,
        },
    }
}

/// The delivery that an automation makes of a stored event; none where it does not ask for it.
pub(crate) fn planned(
    row: &Waiting,
    automation: &Ready,
    business: &Business,
    now: Time,
) -> Option<Planned> {
    let data = String::from_utf8_lossy(&row.data);
    let id = row.event.to_string();
    let event = Happened {
        event_type: &row.event_type,
        event_id: &id,
        subject: row.subject.as_deref(),
        occurred_at: row.occurred_at,
        data: &data,
    };
    let wanted = automation.listens_to(&row.event_type) && plan::fits(automation, &data);
    wanted.then(|| plan::of_one(&event, automation, &plan::read(&data), business, now).0)
}

impl Hub {
    /// Writes anew whatever waits of an automation; how many.
    pub(super) async fn write_anew(&self, workspace: WorkspaceId, id: AutomationId) -> Result<u64> {
        let (automation, business) = self
            .db
            .read(move |conn| {
                let row = db::automations::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("automation"))?;
                Ok((known::ready(row), known::business(conn, workspace)?))
            })
            .await?;
        let (automation, mut after, mut written) = (Arc::new(automation), 0, 0);
        loop {
            let rows = self
                .db
                .read(move |conn| db::planned::waiting(conn, id, after, BATCH))
                .await?;
            let Some(last) = rows.last() else {
                return Ok(written);
            };
            after = last.seq;
            let now = self.now();
            let again: Vec<_> = rows
                .into_iter()
                .filter(|row| !row.purged)
                .map(|row| {
                    let planned = planned(&row, &automation, &business, now);
                    (row, planned)
                })
                .collect();
            written += self
                .rewrite(workspace, automation.version, again, now)
                .await?;
        }
    }

    async fn rewrite(
        &self,
        workspace: WorkspaceId,
        version: u32,
        again: Vec<(Waiting, Option<Planned>)>,
        now: Time,
    ) -> Result<u64> {
        let lanes = self.lanes.clone();
        self.db
            .write(move |tx| {
                let mut written = 0;
                for (row, planned) in again {
                    let becomes = becomes(&row, planned.as_ref(), now);
                    let why = planned.as_ref().and_then(|planned| match &planned.deed {
                        Deed::Send { .. } => None,
                        Deed::Incomplete(why) | Deed::NoRecipient(why) | Deed::TooLate(why) => {
                            Some(why)
                        }
                    });
                    let own_time = planned.as_ref().and_then(|planned| planned.due);
                    let marks = Marks {
                        version,
                        not_before: own_time.filter(|due| *due > now),
                        until: planned.as_ref().and_then(|planned| planned.until),
                        why,
                    };
                    let integration = match &planned {
                        Some(planned) => db::integrations::get(tx.conn(), workspace, planned.kind)?,
                        None => None,
                    };
                    let recipient = planned.as_ref().map_or_else(String::new, |planned| {
                        queue::recipient(planned.recipient.clone(), integration.as_ref())
                    });
                    if !db::planned::rewrite(tx.conn(), row.seq, &recipient, &becomes, &marks, now)?
                    {
                        continue;
                    }
                    written += 1;
                    if let Some(Deed::Send { body }) = planned.map(|planned| planned.deed) {
                        db::bodies::insert(tx.conn(), row.seq, body.as_bytes())?;
                    }
                    let (lanes, endpoint) = (lanes.clone(), row.endpoint);
                    match becomes {
                        Becomes::Due(at) => tx.after_commit(move || lanes.due(&endpoint, at)),
                        Becomes::Skipped(_) => {
                            if let Some(subject) = &row.subject
                                && db::deliveries::release_next(tx.conn(), &endpoint, subject, now)?
                            {
                                tx.after_commit(move || lanes.look(&endpoint));
                            }
                        }
                        Becomes::AsItWas | Becomes::Held(_) => {}
                    }
                }
                tx.announce(Some(workspace), Topic::Deliveries);
                Ok(written)
            })
            .await
    }
}
