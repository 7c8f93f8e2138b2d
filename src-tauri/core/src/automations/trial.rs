//! A text as it would go out, sent to the owner alone.

use serde::{Deserialize, Serialize};

use super::preview::{Preview, PreviewEvent};
use super::{Action, AutomationPatch};
use crate::db;
use crate::db::planned::Marks;
use crate::error::{Error, FieldError, Result};
use crate::hub::Hub;
use crate::ids::{AutomationId, DeliveryId, WorkspaceId};
use crate::integrations::email::Mailbox;
use crate::integrations::sms::number;
use crate::integrations::{Kind, Settings, words};
use crate::outbox::{Carries, Sending, finish, record_test};
use crate::outcome::{Code, Graceful};

/// What is sent to whom as a test: `POST /api/automations/{id}/test`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationTest))]
pub struct TestRequest {
    /// An address or a number of your own: nobody else gets it.
    pub to: String,
    /// The event; else the newest of its type, else the sample.
    #[serde(default)]
    pub event: Option<PreviewEvent>,
    /// What is different from what is saved, as in `PATCH`; for an editor.
    #[serde(default)]
    pub draft: AutomationPatch,
}

/// How a test went.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = TestedAutomation))]
pub enum Tested {
    /// The provider took it.
    Well(TestSent),
    /// It did not, or the service is not set up.
    Badly(Graceful),
}

/// A test that the provider took.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = AutomationTestSent))]
pub struct TestSent {
    /// Always true.
    pub success: bool,
    /// A sentence.
    pub message: String,
    /// Where it stands in the log, marked as a test.
    pub delivery_id: DeliveryId,
}

impl Hub {
    /// Sends what an automation would send, once, to the owner. It counts nowhere.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an address that is none, or an automation that sends no messages;
    /// `Conflict` where a value is missing.
    pub async fn test_automation(
        &self,
        workspace: WorkspaceId,
        id: AutomationId,
        request: TestRequest,
    ) -> Result<Tested> {
        let mut row = self.automation_row(workspace, id).await?;
        if let Some(action) = request.draft.action {
            row.action = action;
        }
        // It is for somebody who wants to see it, whatever the condition says, and at once.
        row.settings.condition = None;
        row.settings.delay_minutes = None;
        row.settings.relative_to = None;
        let kind = row.action.kind();
        let integration = self
            .db
            .read(move |conn| db::integrations::get(conn, workspace, kind))
            .await?;
        let settings = integration.map(|row| row.settings);
        address(&mut row.action, request.to.trim(), settings.as_ref())?;
        let (version, preview) = (
            row.version,
            self.preview_row(workspace, row, request.event).await?,
        );
        let Preview {
            request: Some(body),
            recipient,
            ..
        } = preview
        else {
            return Err(Error::conflict(preview.sentence));
        };
        let Some(settings) = settings else {
            let sentence = format!(
                "{} is not set up yet, so nothing was sent.",
                kind.provider_name()
            );
            return Ok(Tested::Badly(Graceful::ended(
                Code::NotConfigured,
                sentence,
            )));
        };
        let body: Box<str> = body.into();
        let sending = Sending {
            kind,
            event_type: if kind == Kind::Sms {
                "sms.send"
            } else {
                "email.send"
            },
            carries: Carries::Body(body.to_string().into()),
            data: body,
            recipient: recipient.unwrap_or_default(),
            subject: None,
            idempotency_key: None,
            source: "test".into(),
        };
        let now = self.now();
        let out = self
            .db
            .write(move |tx| {
                let out = record_test(tx, workspace, &sending, settings, now)?;
                let marks = Marks {
                    version,
                    not_before: None,
                    until: None,
                    why: None,
                };
                db::planned::mark(tx.conn(), out.delivery, id, None, &marks)?;
                Ok(out)
            })
            .await?;
        let sent = self.send(&out).await;
        let (delivery_id, failure) = (out.id, sent.ended.failure.clone());
        let (now, lanes) = (self.now(), self.lanes.clone());
        self.db
            .write(move |tx| finish::finish(tx, &out, &sent.ended, None, now, 0.0, &lanes))
            .await?;
        Ok(match failure {
            None => Tested::Well(TestSent {
                success: true,
                message: format!(
                    "{} took it for {}.",
                    kind.provider_name(),
                    request.to.trim()
                ),
                delivery_id,
            }),
            Some(failure) => Tested::Badly(Graceful {
                delivery_id: Some(delivery_id),
                ..Graceful::ended(failure.code, words::failure(kind, &failure))
            }),
        })
    }
}

/// Addresses it to the owner, and to nobody else.
fn address(action: &mut Action, to: &str, settings: Option<&Settings>) -> Result<()> {
    let wrong = |code: &str, sentence: &str| {
        Err(Error::invalid(vec![FieldError::new("to", code, sentence)]))
    };
    match action {
        Action::Email(email) => {
            if Mailbox::read(to).is_none() || to.contains("{{") || to.contains("{%") {
                return wrong(
                    "invalid",
                    "This is no email address; one looks like maria@example.com.",
                );
            }
            to.clone_into(&mut email.to);
            (email.cc, email.bcc) = (None, None);
        }
        Action::Sms(text) => {
            let country = match settings {
                Some(Settings::Sms(settings)) => settings.country(),
                _ => None,
            };
            match number::e164(to, country) {
                Ok(number) => text.to = number,
                Err(found) => return wrong(found.code(), found.sentence()),
            }
        }
        Action::Calendar(_) | Action::Storage(_) => {
            return wrong(
                "not_possible",
                "Only emails and texts can be sent to you as a test. Look at the preview instead.",
            );
        }
    }
    Ok(())
}
