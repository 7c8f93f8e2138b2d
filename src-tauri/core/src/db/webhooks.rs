//! Table `webhooks`.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, RowIndex, params};
use serde::Deserialize as _;

use crate::clock::Time;
use crate::condition::Condition;
use crate::error::Result;
use crate::ids::{WebhookId, WorkspaceId};
use crate::outcome::{Args, Code, Failure};
use crate::webhooks::{Format, PausedReason, Schedule, Settings};

macro_rules! word_in_sql {
    ($name:ident) => {
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(word)) => Ok(word.into()),
                    _ => Err(rusqlite::Error::InvalidQuery),
                }
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(
                    value.as_str()?,
                );
                Self::deserialize(word).map_err(|_| FromSqlError::InvalidType)
            }
        }
    };
}

pub(super) use word_in_sql;

word_in_sql!(Format);
word_in_sql!(Schedule);
word_in_sql!(PausedReason);

/// A webhook as stored.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRow {
    pub(crate) id: WebhookId,
    pub(crate) settings: Settings,
    pub(crate) paused_reason: Option<PausedReason>,
    pub(crate) paused_at: Option<Time>,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) last_triggered_at: Option<Time>,
    pub(crate) last_success_at: Option<Time>,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) failing_tries: u32,
    pub(crate) failing_since: Option<Time>,
}

/// What is needed to decide whether a webhook is told of an event.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// The webhook's id as text: the endpoint of its deliveries.
    pub(crate) endpoint: String,
    pub(crate) host: String,
    pub(crate) events: Vec<String>,
    pub(crate) paused: bool,
    /// Only events that fit.
    pub(crate) filter: Option<Condition>,
    pub(crate) settings: std::sync::Arc<Settings>,
}

impl Subscription {
    /// Whether this webhook is told of such an event.
    pub(crate) fn wants(&self, event_type: &str, data: &str) -> bool {
        self.events.iter().any(|e| e == "*" || e == event_type)
            && self.filter.as_ref().is_none_or(|filter| filter.fits(data))
    }
}

/// A code and its arguments, from two columns.
pub(crate) fn failure(
    row: &Row<'_>,
    code: impl RowIndex,
    args: impl RowIndex,
) -> rusqlite::Result<Option<Failure>> {
    let Some(code) = row.get::<_, Option<Code>>(code)? else {
        return Ok(None);
    };
    let args = row
        .get::<_, Option<String>>(args)?
        .map(|text| super::json::<Args>(&text))
        .transpose()?
        .unwrap_or_default();
    Ok(Some(Failure { code, args }))
}

fn row(row: &Row<'_>) -> rusqlite::Result<WebhookRow> {
    Ok(WebhookRow {
        id: row.get("id")?,
        settings: Settings {
            name: row.get("name")?,
            url: row.get("url")?,
            events: super::json(&row.get::<_, String>("events")?)?,
            format: row.get("format")?,
            retry_attempts: row.get("retry_attempts")?,
            retry_delay: row.get("retry_delay_ms")?,
            retry_schedule: row.get("retry_schedule")?,
            timeout_seconds: row.get("timeout_seconds")?,
            allow_private_network: row.get("allow_private_network")?,
            filter: row
                .get::<_, Option<String>>("filter")?
                .map(|text| super::json(&text))
                .transpose()?,
            rate_limit: row.get("rate_limit")?,
            header_names: super::json(&row.get::<_, String>("header_names")?)?,
            secret_created_at: row.get("secret_created_at")?,
            previous_secret_valid_until: row.get("previous_secret_valid_until")?,
        },
        paused_reason: row.get("paused_reason")?,
        paused_at: row.get("paused_at")?,
        succeeded: row.get::<_, i64>("succeeded")?.cast_unsigned(),
        failed: row.get::<_, i64>("failed")?.cast_unsigned(),
        last_triggered_at: row.get("last_triggered_at")?,
        last_success_at: row.get("last_success_at")?,
        last_failure: failure(row, "last_code", "last_args")?,
        failing_tries: row.get("failing_tries")?,
        failing_since: row.get("failing_since")?,
    })
}

pub(crate) fn all(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<WebhookRow>> {
    let mut statement = conn.prepare_cached("SELECT * FROM webhooks WHERE workspace_id = ? AND deleted_at IS NULL ORDER BY created_at, id")?;
    Ok(statement
        .query_map([workspace], row)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn get(
    conn: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
) -> Result<Option<WebhookRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM webhooks WHERE workspace_id = ? AND id = ? AND deleted_at IS NULL",
    )?;
    Ok(statement
        .query_row(params![workspace, id], row)
        .optional()?)
}

/// The webhook behind an endpoint, whichever workspace it is of.
pub(crate) fn by_endpoint(conn: &Connection, endpoint: &str) -> Result<Option<WebhookRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM webhooks WHERE id = ? AND deleted_at IS NULL")?;
    Ok(statement.query_row([endpoint], row).optional()?)
}

/// All webhooks' ids, deleted ones too.
pub(crate) fn ids(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<WebhookId>> {
    let mut statement = conn.prepare("SELECT id FROM webhooks WHERE workspace_id = ?")?;
    Ok(statement
        .query_map([workspace], |r| r.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn subscriptions(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Vec<Subscription>> {
    Ok(all(conn, workspace)?
        .into_iter()
        .map(|w| Subscription {
            endpoint: w.id.to_string(),
            host: crate::webhooks::host_of(&w.settings.url),
            events: w.settings.events.clone(),
            paused: w.paused_reason.is_some(),
            // It was read when it was saved.
            filter: w
                .settings
                .filter
                .as_ref()
                .and_then(|filter| Condition::read(filter, "filter").ok()),
            settings: w.settings.into(),
        })
        .collect())
}

pub(crate) fn insert(
    conn: &Connection,
    workspace: WorkspaceId,
    id: WebhookId,
    settings: &Settings,
    paused: Option<PausedReason>,
) -> Result<()> {
    conn.execute(
        "INSERT INTO webhooks (id, workspace_id, name, url, events, format, retry_attempts, retry_delay_ms, retry_schedule, timeout_seconds,
           allow_private_network, filter, rate_limit, header_names, paused_reason, paused_at, secret_created_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, iif(?15 IS NULL, NULL, ?16), ?16, ?16)",
        params![
            id,
            workspace,
            settings.name,
            settings.url,
            list(&settings.events),
            settings.format,
            settings.retry_attempts,
            settings.retry_delay,
            settings.retry_schedule,
            settings.timeout_seconds,
            settings.allow_private_network,
            settings.filter.as_ref().map(|filter| filter.get()),
            settings.rate_limit,
            list(&settings.header_names),
            paused,
            settings.secret_created_at
        ],
    )?;
    Ok(())
}

fn list(names: &[String]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}

/// Stores altered settings; secrets are [`rotated`] elsewhere.
pub(crate) fn update(conn: &Connection, id: WebhookId, settings: &Settings) -> Result<()> {
    conn.execute(
        "UPDATE webhooks SET name = ?2, url = ?3, events = ?4, retry_attempts = ?5, retry_delay_ms = ?6, retry_schedule = ?7,
           timeout_seconds = ?8, allow_private_network = ?9, format = ?10, filter = ?11, rate_limit = ?12, header_names = ?13 WHERE id = ?1",
        params![
            id,
            settings.name,
            settings.url,
            list(&settings.events),
            settings.retry_attempts,
            settings.retry_delay,
            settings.retry_schedule,
            settings.timeout_seconds,
            settings.allow_private_network,
            settings.format,
            settings.filter.as_ref().map(|filter| filter.get()),
            settings.rate_limit,
            list(&settings.header_names)
        ],
    )?;
    Ok(())
}

/// Notes that a newer secret is valid from `made_at` on, and the former one until `until`.
pub(crate) fn rotated(
    conn: &Connection,
    id: WebhookId,
    made_at: Time,
    until: Option<Time>,
) -> Result<()> {
    conn.execute(
        "UPDATE webhooks SET secret_created_at = ?2, previous_secret_valid_until = ?3 WHERE id = ?1",
        params![id, made_at, until],
    )?;
    Ok(())
}

/// Webhooks whose former secret is valid no more, but may still be in the key store.
pub(crate) fn overlaps_ended(
    conn: &Connection,
    now: Time,
) -> Result<Vec<(WorkspaceId, WebhookId)>> {
    let mut statement = conn.prepare_cached(
        "SELECT workspace_id, id FROM webhooks WHERE previous_secret_valid_until <= ? AND deleted_at IS NULL",
    )?;
    Ok(statement
        .query_map([now], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Pauses a webhook, or lets it work again (`None`), which also forgets that it was failing.
pub(crate) fn set_paused(
    conn: &Connection,
    endpoint: &str,
    reason: Option<PausedReason>,
    now: Time,
) -> Result<()> {
    conn.execute(
        "UPDATE webhooks SET paused_reason = ?2, paused_at = iif(?2 IS NULL, NULL, ?3), failing_tries = iif(?2 IS NULL, 0, failing_tries), failing_since = iif(?2 IS NULL, NULL, failing_since) WHERE id = ?1",
        params![endpoint, reason, now],
    )?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, id: WebhookId, now: Time) -> Result<()> {
    conn.execute(
        "UPDATE webhooks SET deleted_at = ? WHERE id = ?",
        params![now, id],
    )?;
    Ok(())
}

/// Notes a try that failed. One that got through is noted with the tally of its commit.
pub(crate) fn tried_in_vain(
    conn: &Connection,
    endpoint: &str,
    at: Time,
    failure: &Failure,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE webhooks SET last_triggered_at = ?2, last_code = ?3, last_args = ?4, failing_tries = failing_tries + 1, failing_since = coalesce(failing_since, ?2) WHERE id = ?1",
    )?
    .execute(params![
        endpoint,
        at,
        failure.code,
        serde_json::to_string(&failure.args).unwrap_or_default()
    ])?;
    Ok(())
}

pub(crate) fn counts(conn: &Connection, workspace: WorkspaceId) -> Result<(u64, u64)> {
    let (total, active): (i64, i64) = conn.query_row(
        "SELECT count(*), count(*) FILTER (WHERE paused_reason IS NULL) FROM webhooks WHERE workspace_id = ? AND deleted_at IS NULL",
        [workspace],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    Ok((total.cast_unsigned(), active.cast_unsigned()))
}
