//! One call to a provider for one delivery. Nothing here touches the database.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::SecretString;

use super::email::{self, sendgrid};
use super::kept::Kept;
use super::{Kind, Settings};
use crate::db::attempts::Ended;
use crate::http::guard::{self, Class};
use crate::hub::Hub;
use crate::ids::WorkspaceId;
use crate::outbox::{Outgoing, network};
use crate::outcome::{Code, Failure, Trouble};
pub(crate) use crate::webhooks::send::Sent;

impl Sent {
    /// A call that was never made.
    pub(crate) fn failed(failure: Failure, address: &str) -> Self {
        Self {
            ended: Ended {
                failure: Some(failure),
                request_url: Some(address.to_owned()),
                duration_ms: Some(0),
                ..Ended::default()
            },
            retry_after: None,
        }
    }
}

/// An address of a provider, checked before each call, and whether it may be this computer. Where
/// our own API listens is never called.
pub(crate) fn provider_url(
    address: &str,
    own_port: Option<u16>,
) -> Result<(url::Url, bool), Failure> {
    let blocked = || Failure::new(Code::BlockedAddress);
    let class = |url: &url::Url| crate::http::literal_class(url);
    let parsed = url::Url::parse(address).map_err(|_| blocked())?;
    let loopback = class(&parsed) == Some(Class::Loopback);
    let url = guard::check_url(address, loopback).map_err(|_| blocked())?;
    if !loopback && url.scheme() != "https"
        || loopback && own_port.is_some() && url.port_or_known_default() == own_port
    {
        return Err(blocked());
    }
    Ok((url, loopback))
}

impl Hub {
    /// One attempt at a delivery of an integration, with its secrets from the key store, or with
    /// those in `candidate`, which are being tried before they are kept.
    pub(crate) async fn send_through(
        &self,
        out: &Outgoing,
        settings: &Settings,
        candidate: Option<&Kept>,
    ) -> Sent {
        let stored;
        let kept = match candidate {
            Some(kept) => kept,
            None => match self
                .integration_secrets(out.workspace, settings.kind())
                .await
            {
                Ok(found) => {
                    stored = found;
                    &stored
                }
                Err(failure) => return Sent::failed(failure, settings.base_url()),
            },
        };
        let mut sent = match settings {
            Settings::Email(settings) => self.send_email_once(out, settings, kept).await,
            Settings::Storage(settings) => self.store_once(out, settings, kept).await,
            Settings::Sms(settings) => self.send_sms_once(out, settings, kept).await,
            Settings::Calendar(settings) => self.send_to_calendar(out, settings).await,
        };
        kept.forget_in(&mut sent.ended);
        if sent.ended.status.is_none()
            && let Some(failure) = sent.ended.failure.take()
        {
            sent.ended.failure = Some(self.judged(failure, settings).await);
        }
        sent
    }

    /// The secrets that are kept for an integration.
    pub(crate) async fn integration_secrets(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
    ) -> Result<Kept, Failure> {
        let item = self
            .secrets
            .get(workspace, kind.as_str())
            .await
            .map_err(crate::secrets::SecretError::failure)?;
        Kept::read(&item).ok_or(Failure::trouble(
            Code::KeychainUnavailable,
            Trouble::SecretMissing,
        ))
    }

    /// A failure, seen again: *offline* when the cause is on our side. What was on its way is not.
    pub(crate) async fn judged(&self, failure: Failure, settings: &Settings) -> Failure {
        match settings.base_url().parse() {
            Ok(url) if failure.args.trouble != Some(Trouble::AnswerLost) => {
                network::judge(failure, &url, &self.well_known_names).await
            }
            _ => failure,
        }
    }

    async fn send_email_once(
        &self,
        out: &Outgoing,
        settings: &email::Settings,
        kept: &Kept,
    ) -> Sent {
        let base_url = &settings.api_base_url;
        let failed = |failure| Sent::failed(failure, base_url);
        let key: SecretString = match kept.secret(sendgrid::KEY, base_url) {
            Ok(key) => key.into(),
            Err(failure) => return failed(failure),
        };
        // It was read when it was taken in.
        let Ok(message) = serde_json::from_slice::<email::Message>(&out.body) else {
            return failed(Failure::new(Code::Internal));
        };
        let mut files = Vec::with_capacity(message.attachments.len());
        let mut room = email::MOST_ATTACHED;
        for file in &message.attachments {
            let base64 = match (&file.content_base64, &file.key) {
                (Some(content), _) => {
                    room = room.saturating_sub(content.len() / 4 * 3);
                    content.as_str().into()
                }
                (None, Some(key)) => match self.stored_file(out.workspace, key, room).await {
                    Ok(bytes) => {
                        room = room.saturating_sub(bytes.len());
                        BASE64.encode(bytes).into()
                    }
                    Err(failure) => return failed(failure),
                },
                (None, None) => return failed(Failure::new(Code::Internal)),
            };
            files.push(sendgrid::File {
                filename: &file.filename,
                content_type: match file.content_type.as_str() {
                    "" => super::storage::content_type(None, &file.filename).into(),
                    given => given.into(),
                },
                base64,
            });
        }
        let delivery = out.id.to_string();
        match sendgrid::request(&message, settings, &files, &delivery) {
            Some(body) => sendgrid::send(&self.http, base_url, &key, body, self.own_port()).await,
            None => failed(Failure::new(Code::Internal)),
        }
    }
}

impl Hub {
    /// Asks for the final status of a delivery that was accepted.
    pub(crate) async fn check_final_status(&self, delivery: i64) {
        // Texts alone have one.
        self.check_sms(delivery).await;
    }
}
