//! The log as a file: all rows that fit, piece by piece, so that any length takes the same memory.
//!
//! A piece is read while the one before is taken, and nothing is held open in between: whoever reads
//! slowly, or goes away, is in nobody's way.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use rusqlite::{Connection, OptionalExtension as _};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::read::Reader;
use super::{DeliveryFilter, Order};
use crate::clock::Time;
use crate::db::log::{Asked, Wanted};
use crate::db::{self, Database};
use crate::error::{Error, Result};
use crate::explain;
use crate::hub::Hub;
use crate::ids::WorkspaceId;

/// Rows of one piece.
const PIECE: usize = 250;
/// The columns of a table, by the names that rows have in JSON.
const COLUMNS: [&str; 12] = [
    "id",
    "createdAt",
    "channel",
    "eventType",
    "subject",
    "recipient",
    "status",
    "statusReason",
    "attempts",
    "statusCode",
    "error",
    "finishedAt",
];

/// What the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ExportFormat {
    /// A table, safe to open as a spreadsheet.
    Csv,
    /// A JSON document a line, as in the list.
    Ndjson,
}

/// A file that is about to be read.
#[derive(Debug)]
pub struct Export {
    /// What it is called: it has the date.
    pub file_name: String,
    db: Database,
    workspace: WorkspaceId,
    wanted: Arc<Wanted>,
    order: Order,
    format: ExportFormat,
    now: Time,
    /// The last row there was at the beginning: what comes later is not in the file.
    last: i64,
    /// Where the last piece ended; none before the first.
    reached: Option<i64>,
    next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Head,
    Rows,
    Nothing,
}

impl Hub {
    /// All rows that fit a filter, as a file.
    ///
    /// # Errors
    /// `Invalid` for a status that is none, and for what belongs to a page.
    pub async fn export(
        &self,
        workspace: WorkspaceId,
        filter: DeliveryFilter,
        format: ExportFormat,
    ) -> Result<Export> {
        filter.is_whole()?;
        let (now, wanted) = (self.now(), filter.wanted()?);
        let (last, today) = self
            .db
            .read(move |conn| {
                let reader = Reader::new(conn, workspace, now)?;
                let today = now
                    .to_timestamp()
                    .to_zoned_datetime(reader.zone().clone())
                    .date();
                Ok((db::deliveries::last_row(conn)?, today))
            })
            .await?;
        let ending = match format {
            ExportFormat::Csv => "csv",
            ExportFormat::Ndjson => "ndjson",
        };
        Ok(Export {
            file_name: format!("deliveries-{today}.{ending}"),
            db: self.db.clone(),
            workspace,
            wanted: Arc::new(wanted),
            order: filter.order.unwrap_or_default(),
            format,
            now,
            last,
            reached: None,
            next: if format == ExportFormat::Csv {
                Next::Head
            } else {
                Next::Rows
            },
        })
    }
}

impl Export {
    /// The file, piece by piece, one read ahead. After an error nothing follows.
    pub fn pieces(mut self) -> impl Stream<Item = Result<Bytes>> + Send {
        let (give, taken) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(piece) = self.piece().await {
                // Nobody takes it any more.
                if give.send(piece).await.is_err() {
                    break;
                }
            }
        });
        stream::unfold(taken, |mut taken| async move {
            let piece = taken.recv().await?;
            Some((piece, taken))
        })
    }

    async fn piece(&mut self) -> Option<Result<Bytes>> {
        match self.next {
            Next::Nothing => None,
            Next::Head => {
                self.next = Next::Rows;
                Some(Ok((COLUMNS.join(",") + "\r\n").into()))
            }
            Next::Rows => {
                let rows = self.rows().await;
                if rows.is_err() {
                    self.next = Next::Nothing;
                }
                Some(rows)
            }
        }
    }

    async fn rows(&mut self) -> Result<Bytes> {
        let (workspace, wanted) = (self.workspace, self.wanted.clone());
        let (order, format) = (self.order, self.format);
        let (now, last, reached) = (self.now, self.last, self.reached);
        let (rows, seqs) = self
            .db
            .read_log(move |conn, look| {
                // One look for the whole piece: each by itself would lock and unlock the file.
                let _at_once = conn.unchecked_transaction()?;
                let mut asked = Asked::deliveries(conn, workspace, &wanted)?;
                asked.up_to(last);
                let seqs = asked.find(conn, look, reached, order, PIECE)?;
                Ok((
                    match format {
                        ExportFormat::Csv => table(conn, &wanted, &seqs)?,
                        ExportFormat::Ndjson => lines(conn, workspace, &wanted, &seqs, now)?,
                    },
                    seqs,
                ))
            })
            .await?;
        self.reached = seqs.last().copied();
        if seqs.len() < PIECE {
            self.next = Next::Nothing;
        }
        Ok(rows.into())
    }
}

fn lines(
    conn: &Connection,
    workspace: WorkspaceId,
    wanted: &Wanted,
    seqs: &[i64],
    now: Time,
) -> Result<Vec<u8>> {
    let reader = Reader::new(conn, workspace, now)?;
    let mut out = Vec::with_capacity(seqs.len() * 900);
    db::deliveries::each(conn, seqs, |record| {
        if wanted.fits(record.status) {
            serde_json::to_writer(&mut out, &reader.row(&record)).map_err(Error::internal)?;
            out.push(b'\n');
        }
        Ok(())
    })?;
    Ok(out)
}

fn table(conn: &Connection, wanted: &Wanted, seqs: &[i64]) -> Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(seqs.len() * 250));
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    let mut select = conn.prepare_cached(
        "SELECT id, channel, event_type, subject, recipient, status, status_reason, created_at, finished_at, attempts, status_code, endpoint, code, args
         FROM deliveries WHERE seq = ?",
    )?;
    let mut number = Vec::with_capacity(24);
    for seq in seqs {
        let mut found = select.query([seq])?;
        let Some(row) = found.next()? else {
            continue;
        };
        if !wanted.fits(row.get(5)?) {
            continue;
        }
        let text = |column: usize| -> Result<&str> {
            Ok(row
                .get_ref(column)?
                .as_str_or_null()
                .map_err(rusqlite::Error::from)?
                .unwrap_or_default())
        };
        let mut field = |bytes: &[u8]| csv.write_field(bytes).map_err(Error::internal);
        let mut written = |value: Option<&dyn std::fmt::Display>| -> Result<Vec<u8>> {
            number.clear();
            if let Some(value) = value {
                // Writing to a vector does not fail.
                let _ = write!(number, "{value}");
            }
            Ok(number.clone())
        };
        let error = match db::webhooks::failure(row, 12, 13)? {
            None => None,
            Some(failure) => {
                let endpoint = text(11)?;
                if !names.contains_key(endpoint) {
                    let name = conn
                        .prepare_cached("SELECT name FROM webhooks WHERE id = ?")?
                        .query_row([endpoint], |r| r.get(0))
                        .optional()?;
                    names.insert(endpoint.to_owned(), name);
                }
                let who = match names.get(endpoint) {
                    Some(Some(name)) => name,
                    _ => text(4)?,
                };
                Some(explain::failure(&failure, who))
            }
        };
        field(text(0)?.as_bytes())?;
        field(&written(Some(&row.get::<_, Time>(7)?))?)?;
        field(text(1)?.as_bytes())?;
        for column in [2, 3, 4] {
            field(harmless(text(column)?).as_bytes())?;
        }
        field(text(5)?.as_bytes())?;
        field(text(6)?.as_bytes())?;
        field(&written(Some(&row.get::<_, i64>(9)?))?)?;
        let code: Option<i64> = row.get(10)?;
        field(&written(code.as_ref().map(|code| code as _))?)?;
        field(harmless(error.as_deref().unwrap_or_default()).as_bytes())?;
        let finished: Option<Time> = row.get(8)?;
        field(&written(finished.as_ref().map(|at| at as _))?)?;
        csv.write_record(None::<&[u8]>).map_err(Error::internal)?;
    }
    csv.into_inner()
        .map_err(|error| Error::internal(error.to_string()))
}

/// A cell that no spreadsheet takes for a formula: what one would begin, be it behind spaces,
/// quotes or what cannot be seen, gets an apostrophe before it. An apostrophe before such a text
/// is therefore always ours, and can be taken away again.
fn harmless(text: &str) -> Cow<'_, str> {
    let begins = text
        .chars()
        .find(|c| {
            matches!(c, '\t' | '\r' | '\n')
                || !(c.is_whitespace()
                    || c.is_control()
                    || matches!(c, '"' | '\'' | '`' | '\u{200b}'..='\u{200f}' | '\u{feff}'))
        })
        .is_some_and(|c| {
            matches!(
                c,
                '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\t' | '\r' | '\n'
            )
        });
    if begins {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_reckon_gets_an_apostrophe() {
        for formula in [
            "=1+1",
            "+49 170",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\rx",
            "  =1",
            "'=1",
            "\"=1",
            "＝1",
            "\u{feff}=1",
            "\u{0}=1",
            " \" ' =cmd|' /C calc'!A0",
        ] {
            assert_eq!(harmless(formula), format!("'{formula}"), "{formula:?}");
            // Also with ours before it: so that it can be taken away again.
            let once = harmless(formula).into_owned();
            assert_eq!(harmless(&once), format!("'{once}"));
        }
        for text in [
            "",
            "1+1",
            "a=b",
            "O'Brien",
            "'quoted'",
            "maria@example.com",
            "2026-11-24",
        ] {
            assert_eq!(harmless(text), text, "{text:?}");
        }
    }
}
