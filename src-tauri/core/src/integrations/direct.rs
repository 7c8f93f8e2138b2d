//! What somebody hands in to be sent by itself: recorded durably, tried at once, answered with how
//! the first try went.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::broadcast::error::RecvError;

use super::email::Message;
use super::{Kind, words};
use crate::changes::Topic;
use crate::db::deliveries::DeliveryRecord;
use crate::db::{self};
use crate::deliveries::{Reason, Status};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};
use crate::outbox::{Carries, Outgoing, Sending, finish, record_send};
use crate::outcome::{Code, Graceful};

/// How long a caller waits for the first try.
const WAIT: Duration = Duration::from_secs(15);

/// How sending an email went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EmailSent {
    /// The provider accepted it.
    Accepted(EmailAccepted),
    /// It did not go out, or not yet; the caller's own work goes on.
    Gracefully(Graceful),
}

/// An email that the provider accepted. Whether it was delivered, SendGrid does not say.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EmailAccepted {
    /// Always true.
    pub success: bool,
    /// What the provider calls it, if it said.
    pub message_id: Option<String>,
    /// Where it stands in the log.
    pub delivery_id: DeliveryId,
    /// True: it was sent before, under the same key.
    pub duplicate: bool,
}

impl Hub {
    /// Sends an email. `request` is what was handed in, exactly; the answer comes with the outcome
    /// of the first try, or after 15 s.
    ///
    /// # Errors
    /// `Invalid` fields, or trouble of ours; then nothing was stored.
    pub async fn send_email(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        message: &Message,
        request: Box<RawValue>,
        source: &str,
    ) -> Result<EmailSent> {
        let wrong = message.check();
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        let sending = Sending {
            kind: Kind::Email,
            event_type: "email.send",
            data: request.into(),
            carries: Carries::Data,
            subject: None,
            recipient: message.recipient(),
            idempotency_key: message.idempotency_key.clone(),
            source: source.to_owned(),
        };
        let (record, duplicate) = self.send_directly(workspace, sending).await?;
        Ok(match self.outcome(Kind::Email, &record) {
            Ok(message_id) => EmailSent::Accepted(EmailAccepted {
                success: true,
                message_id,
                delivery_id: record.id,
                duplicate,
            }),
            Err(graceful) => EmailSent::Gracefully(graceful),
        })
    }

    /// Records a sending, and waits for its first try. Also whether it was recorded before.
    pub(crate) async fn send_directly(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        sending: Sending,
    ) -> Result<(DeliveryRecord, bool)> {
        let mut changes = self.changes();
        let (now, lanes, dispatch) = (self.now(), self.lanes.clone(), self.dispatch());
        let recorded = self
            .db
            .write(move |tx| record_send(tx, workspace, &sending, now, &lanes, dispatch.as_ref()))
            .await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        if let Some(out) = recorded.own {
            // It goes on when the caller does not wait for it any longer.
            let hub = self.clone();
            let trying = tokio::spawn(async move { hub.try_alone(out).await });
            match tokio::time::timeout_at(deadline, trying).await {
                Ok(Ok(tried)) => tried?,
                Ok(Err(error)) => return Err(Error::internal(error)),
                Err(_) => {}
            }
        }
        let id = recorded.delivery;
        loop {
            let record = self
                .db
                .read(move |conn| db::deliveries::get(conn, workspace, id))
                .await?
                .ok_or_else(|| Error::not_found("delivery"))?;
            let under_way = match record.status {
                Status::Sending => record.leased,
                Status::Pending => record.attempts == 0 && self.dispatch().is_some(),
                _ => false,
            };
            if !under_way {
                return Ok((record, recorded.duplicate));
            }
            loop {
                match tokio::time::timeout_at(deadline, changes.recv()).await {
                    Err(_) => return Ok((record, recorded.duplicate)),
                    Ok(Ok(change))
                        if change.topic != Topic::Deliveries
                            || change.workspace != Some(workspace) => {}
                    // What came meanwhile is all seen by the next look.
                    Ok(Ok(_) | Err(RecvError::Lagged(_))) => {
                        changes = changes.resubscribe();
                        break;
                    }
                    Ok(Err(RecvError::Closed)) => return Ok((record, recorded.duplicate)),
                }
            }
        }
    }

    /// The first attempt, where no worker runs that would make it.
    async fn try_alone(&self, out: Outgoing) -> Result<()> {
        let sent = self.send(&out).await;
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| {
                let retry_after = sent.retry_after.as_deref();
                finish::finish(tx, &out, &sent.ended, retry_after, now, 0.0, &lanes)
            })
            .await
    }

    /// How a delivery stands, as the contract's result: what the provider calls it, or why it did
    /// not go out.
    ///
    /// # Errors
    /// The graceful half.
    pub(crate) fn outcome(
        &self,
        kind: Kind,
        record: &DeliveryRecord,
    ) -> std::result::Result<Option<String>, Graceful> {
        let who = kind.provider_name();
        let (code, error) = match (record.status, &record.failure, record.reason) {
            (Status::Success, ..) => return Ok(record.provider_id.clone()),
            (Status::Sending, ..) if !record.leased => return Ok(record.provider_id.clone()),
            (Status::Sending, ..) => (
                Code::TimedOut,
                format!("{who} has not answered yet. It is still being sent."),
            ),
            (Status::Skipped, _, Some(Reason::NotConfigured)) => (
                Code::NotConfigured,
                format!("{who} is not set up yet, so nothing was sent."),
            ),
            (Status::Skipped, ..) => (
                Code::Disabled,
                format!("{who} is paused, so nothing was sent."),
            ),
            (Status::Held, _, Some(Reason::Paused)) => (
                Code::Disabled,
                format!("{who} is paused. It goes out when you resume."),
            ),
            (Status::Cancelled, ..) => (Code::Rejected, "It was closed, and is not sent.".into()),
            (_, Some(failure), _) => (failure.code, words::failure(kind, failure)),
            (Status::Held, None, Some(Reason::NeedsCredentials)) => (
                Code::CredentialsRejected,
                format!("{who} no longer accepts your key. It goes out once you have replaced it."),
            ),
            (Status::Held, None, Some(Reason::NeedsSignIn)) => (
                Code::SignInExpired,
                format!("Access to {who} ended. It goes out once you have signed in again."),
            ),
            (Status::Held, None, _) => (
                Code::Rejected,
                format!("{who} needs you first. It goes out by itself then."),
            ),
            _ => (
                Code::TimedOut,
                "It waits for its turn and goes out by itself.".into(),
            ),
        };
        Err(Graceful {
            will_retry: matches!(
                record.status,
                Status::Pending | Status::Sending | Status::Held
            ),
            delivery_id: Some(record.id),
            retry_after_seconds: record.due_at.map(|at| {
                let ms = at.ms_since(self.now()).max(0).cast_unsigned();
                ms.div_ceil(1000)
            }),
            ..Graceful::ended(code, error)
        })
    }
}
