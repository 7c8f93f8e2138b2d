//! Where the deliveries of an endpoint go, as it stands now.

use std::sync::Arc;

use rusqlite::Connection;

use super::Target;
use crate::db;
use crate::deliveries::Reason;
use crate::error::Result;
use crate::ids::WorkspaceId;
use crate::integrations::{Kind, WhenPaused};

/// What keeps an endpoint from being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// What is due waits, for this reason.
    Hold(Reason),
    /// What is due is not sent at all.
    Skip,
}

/// An endpoint as it stands.
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    pub(crate) stop: Option<Stop>,
}

/// The webhook or integration behind an endpoint; none when it was removed or never set up.
pub(crate) fn find(conn: &Connection, endpoint: &str) -> Result<Option<Endpoint>> {
    if let Some((kind, workspace)) = integration(endpoint) {
        return Ok(
            db::integrations::get(conn, workspace, kind)?.map(|row| Endpoint {
                stop: row.stop(),
                target: Target::Integration(Arc::new(row.settings)),
            }),
        );
    }
    Ok(
        db::webhooks::by_endpoint(conn, endpoint)?.map(|row| Endpoint {
            stop: row.paused_reason.map(|_| Stop::Hold(Reason::Paused)),
            target: Target::Webhook(Arc::new(row.settings)),
        }),
    )
}

/// The kind and workspace in an endpoint that is an integration's.
pub(crate) fn integration(endpoint: &str) -> Option<(Kind, WorkspaceId)> {
    let (kind, workspace) = endpoint.split_once('.')?;
    Some((Kind::named(kind)?, workspace.parse().ok()?))
}

/// The name of an endpoint's item in the key store of its workspace.
pub(crate) fn item(endpoint: &str) -> &str {
    endpoint.split_once('.').map_or(endpoint, |(kind, _)| kind)
}

/// Deals with what is due at an endpoint that is no more.
pub(crate) fn gone(conn: &Connection, endpoint: &str, now: crate::clock::Time) -> Result<()> {
    if integration(endpoint).is_some() {
        db::deliveries::time_has_come(conn, endpoint, now)?;
        return db::deliveries::hold_pending(conn, endpoint, Reason::NeedsSetup);
    }
    db::deliveries::cancel_waiting(conn, endpoint, now)
}

/// Deals with what is due at an endpoint that must not be called.
pub(crate) fn put_aside(
    conn: &Connection,
    endpoint: &str,
    stop: Stop,
    now: crate::clock::Time,
) -> Result<()> {
    if integration(endpoint).is_some() {
        db::deliveries::time_has_come(conn, endpoint, now)?;
    }
    match stop {
        Stop::Hold(reason) => db::deliveries::hold_pending(conn, endpoint, reason),
        Stop::Skip => db::deliveries::skip_pending(conn, endpoint, Reason::Disabled, now),
    }
}

impl WhenPaused {
    /// What becomes of what is due meanwhile.
    pub(crate) const fn stop(self) -> Stop {
        match self {
            Self::Hold => Stop::Hold(Reason::Paused),
            Self::Skip => Stop::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_tells_whose_it_is() {
        let workspace = WorkspaceId::new();
        let endpoint = Kind::Email.endpoint(workspace);
        assert_eq!(integration(&endpoint), Some((Kind::Email, workspace)));
        assert_eq!(item(&endpoint), "email");
        let webhook = crate::ids::WebhookId::new().to_string();
        assert_eq!(integration(&webhook), None);
        assert_eq!(item(&webhook), webhook);
    }
}
