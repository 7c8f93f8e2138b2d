//! Table `attempts`: written when one starts, completed once, never changed afterwards.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::deliveries::Trigger;
use crate::error::Result;
use crate::ids::AttemptId;
use crate::outcome::Failure;
use crate::webhooks::headers::MASK;

/// How an attempt ended, as it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub(crate) duration_ms: Option<u64>,
    pub(crate) status: Option<u16>,
    pub(crate) failure: Option<Failure>,
    pub(crate) request_url: Option<String>,
    pub(crate) signed_at: Option<Time>,
    /// Own headers, and what a change of secret adds: masked.
    pub(crate) further_headers: Option<BTreeMap<String, String>>,
    pub(crate) response_headers: Option<BTreeMap<String, String>>,
    pub(crate) response_body: Option<Vec<u8>>,
    pub(crate) response_truncated: bool,
    /// What the provider calls what it took; kept with the delivery.
    pub(crate) provider_id: Option<String>,
    /// It was accepted, and this is when to ask what became of it; kept with the delivery.
    pub(crate) check_at: Option<Time>,
}

/// Shorter ones are no secrets, and would be found in many words.
const SHORTEST_SECRET: usize = 8;

impl Ended {
    /// Takes a secret out of what was answered: some echo what they were told.
    pub(crate) fn forget(&mut self, secret: &str) {
        if secret.len() < SHORTEST_SECRET {
            return;
        }
        let escaped = serde_json::to_string(secret).unwrap_or_default();
        let forms = [secret, escaped.trim_matches('"')];
        let forgotten = |text: &str| {
            let found = forms.iter().any(|form| text.contains(form));
            found.then(|| {
                forms
                    .iter()
                    .fold(text.to_owned(), |text, form| text.replace(form, MASK))
            })
        };
        for value in self
            .response_headers
            .iter_mut()
            .flat_map(BTreeMap::values_mut)
        {
            if let Some(masked) = forgotten(value) {
                *value = masked;
            }
        }
        if let Some(body) = &mut self.response_body
            && let Some(masked) = forgotten(&String::from_utf8_lossy(body))
        {
            *body = masked.into_bytes();
        }
    }
}

/// An attempt as stored.
pub(crate) struct AttemptRow {
    pub(crate) id: AttemptId,
    pub(crate) number: u32,
    pub(crate) trigger: Trigger,
    pub(crate) started_at: Time,
    pub(crate) finished_at: Option<Time>,
    pub(crate) ended: Ended,
}

/// Notes that an attempt starts, before its first byte is sent.
pub(crate) fn start(
    conn: &Connection,
    delivery: i64,
    number: u32,
    trigger: Trigger,
    now: Time,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO attempts (delivery_seq, number, trigger, started_at) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![delivery, number, trigger, now])?;
    Ok(())
}

/// Completes an attempt, once: false when it was completed before.
pub(crate) fn finish(
    conn: &Connection,
    delivery: i64,
    number: u32,
    now: Time,
    ended: &Ended,
) -> Result<bool> {
    let json = |map: &Option<BTreeMap<String, String>>| {
        map.as_ref().and_then(|m| serde_json::to_string(m).ok())
    };
    let changed = conn
        .prepare_cached(
            "UPDATE attempts SET finished_at = ?2, duration_ms = ?3, status_code = ?4, code = ?5, args = ?6, request_url = ?7, signed_at = ?8,
               response_headers = ?9, response_body = ?10, response_truncated = ?11, further_headers = ?13
             WHERE delivery_seq = ?1 AND number = ?12 AND finished_at IS NULL",
        )?
        .execute(params![
            delivery,
            now,
            ended.duration_ms.map(u64::cast_signed),
            ended.status,
            ended.failure.as_ref().map(|f| f.code),
            ended.failure.as_ref().and_then(|f| serde_json::to_string(&f.args).ok()),
            ended.request_url,
            ended.signed_at,
            json(&ended.response_headers),
            ended.response_body,
            ended.response_truncated,
            number,
            json(&ended.further_headers)
        ])?;
    Ok(changed == 1)
}

/// The attempts of a delivery, oldest first.
pub(crate) fn of(conn: &Connection, delivery: i64) -> Result<Vec<AttemptRow>> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM attempts WHERE delivery_seq = ? ORDER BY number")?;
    let rows = statement.query_map([delivery], |row| {
        let headers = |name: &str| {
            row.get::<_, Option<String>>(name)?
                .map(|text| super::json(&text))
                .transpose()
        };
        Ok(AttemptRow {
            id: AttemptId::of(row.get("started_at")?, delivery, row.get("number")?),
            number: row.get("number")?,
            trigger: row.get("trigger")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            ended: Ended {
                duration_ms: row
                    .get::<_, Option<i64>>("duration_ms")?
                    .map(i64::cast_unsigned),
                status: row.get("status_code")?,
                failure: super::webhooks::failure(row, "code", "args")?,
                request_url: row.get("request_url")?,
                signed_at: row.get("signed_at")?,
                further_headers: headers("further_headers")?,
                response_headers: headers("response_headers")?,
                response_body: row.get("response_body")?,
                response_truncated: row.get("response_truncated")?,
                provider_id: None,
                check_at: None,
            },
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
