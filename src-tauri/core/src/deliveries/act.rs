//! What the owner does with one delivery: again, closed, let go.

use super::{Channel, DeliveryRow, Reason, Status, Trigger};
use crate::changes::Topic;
use crate::db;
use crate::db::deliveries::DeliveryRecord;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::integrations::Kind;
use crate::outbox::target::{self, Stop};
use crate::outcome::{Detail, Failure};

enum Wish {
    Retry,
    Cancel,
    Release,
}

impl Hub {
    /// One more attempt now, of the same delivery with the same id and bytes.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` unless it is failed, unknown or held, and while its webhook is paused.
    pub async fn retry_delivery(
        &self,
        workspace: WorkspaceId,
        id: DeliveryId,
    ) -> Result<DeliveryRow> {
        self.act(workspace, id, Wish::Retry).await
    }

    /// Closes a delivery that is pending, held, failed or unknown: "I told them myself".
    ///
    /// # Errors
    /// `NotFound`; `Conflict` in any other state.
    pub async fn cancel_delivery(
        &self,
        workspace: WorkspaceId,
        id: DeliveryId,
        _reason: Option<String>,
    ) -> Result<DeliveryRow> {
        self.act(workspace, id, Wish::Cancel).await
    }

    /// Lets a held delivery go.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` unless it is held, and while its webhook is paused.
    pub async fn release_delivery(
        &self,
        workspace: WorkspaceId,
        id: DeliveryId,
    ) -> Result<DeliveryRow> {
        self.act(workspace, id, Wish::Release).await
    }

    async fn act(&self, workspace: WorkspaceId, id: DeliveryId, wish: Wish) -> Result<DeliveryRow> {
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| {
                let row = db::deliveries::get(tx.conn(), workspace, id)?
                    .ok_or_else(|| Error::not_found("delivery"))?;
                let allowed = match wish {
                    Wish::Retry => {
                        matches!(row.status, Status::Failed | Status::Unknown | Status::Held)
                    }
                    Wish::Cancel => matches!(
                        row.status,
                        Status::Pending | Status::Held | Status::Failed | Status::Unknown
                    ),
                    Wish::Release => row.status == Status::Held,
                };
                if !allowed {
                    return Err(Error::conflict(match row.status {
                        Status::Success => {
                            "This got through already. To send it once more, replay it."
                        }
                        Status::Sending => "This is being sent right now. Look again in a moment.",
                        Status::Pending => "This goes out by itself.",
                        _ => "This is closed.",
                    }));
                }
                if matches!(wish, Wish::Retry) && row.purged_at.is_some() {
                    return Err(Error::conflict(
                        "Its text was removed for its age. There is nothing left to send.",
                    ));
                }
                if matches!(wish, Wish::Cancel) {
                    db::deliveries::cancel(tx.conn(), row.seq, now)?;
                    if let Some(subject) = &row.subject
                        && db::deliveries::release_next(tx.conn(), &row.endpoint, subject, now)?
                    {
                        let endpoint = row.endpoint.clone();
                        tx.after_commit(move || lanes.look(&endpoint));
                    }
                } else {
                    if never_again(row.failure.as_ref()) {
                        return Err(Error::conflict("This person answered STOP, so this is not sent again. Tell them another way, and close it."));
                    }
                    if row.reason == Some(Reason::MissingValue) {
                        return Err(Error::conflict("A value is missing, so there is no text to send yet. Change the text of its automation so that it goes without; then this goes out by itself."));
                    }
                    may_go(tx.conn(), row.channel, &row.endpoint)?;
                    let trigger = if matches!(wish, Wish::Retry) {
                        Trigger::Manual
                    } else {
                        Trigger::Auto
                    };
                    db::deliveries::due_now(tx.conn(), row.seq, now, trigger)?;
                    let endpoint = row.endpoint.clone();
                    tx.after_commit(move || lanes.look(&endpoint));
                }
                tx.announce(Some(workspace), Topic::Deliveries);
                Ok(())
            })
            .await?;
        self.delivery_row(workspace, id).await
    }
}

/// True when whoever it was for does not want it: it is never sent again, by nobody's hand.
pub(crate) fn never_again(failure: Option<&Failure>) -> bool {
    failure.is_some_and(|failure| failure.args.detail == Some(Detail::AnsweredStop))
}

/// Whether the endpoint of a delivery may be called now.
pub(crate) fn may_go(conn: &rusqlite::Connection, channel: Channel, endpoint: &str) -> Result<()> {
    let provider = Kind::of(channel).map(Kind::provider_name);
    let found = target::find(conn, endpoint)?;
    let why = match (found.map(|to| to.stop), provider) {
        (Some(None), _) => return Ok(()),
        (None, None) => "Its webhook was removed. There is nowhere to send it.".into(),
        (None, Some(who)) => {
            format!("{who} is not set up. Set it up first; then it goes out by itself.")
        }
        (Some(Some(_)), None) => {
            "Its webhook is paused. Resume that first; then it goes out by itself.".into()
        }
        (Some(Some(Stop::Skip | Stop::Hold(Reason::Paused))), Some(who)) => {
            format!("{who} is paused. Resume it first.")
        }
        (Some(Some(Stop::Hold(_))), Some(who)) => format!(
            "{who} needs you first. See to that, and test it; then this goes out by itself."
        ),
    };
    Err(Error::conflict(why))
}

/// What the owner can do with a delivery that stands so.
pub(super) fn actions(record: &DeliveryRecord) -> Vec<super::Action> {
    use super::Action;
    match record.status {
        Status::Failed if record.purged_at.is_some() => vec![Action::Cancel],
        Status::Failed if never_again(record.failure.as_ref()) => vec![Action::Cancel],
        Status::Failed | Status::Unknown => vec![Action::Retry, Action::Cancel],
        Status::Held if matches!(record.reason, Some(Reason::Paused | Reason::MissingValue)) => {
            vec![Action::Cancel]
        }
        Status::Held => vec![Action::Release, Action::Cancel],
        Status::Pending => vec![Action::Cancel],
        Status::Sending | Status::Success | Status::Skipped | Status::Cancelled => Vec::new(),
    }
}
