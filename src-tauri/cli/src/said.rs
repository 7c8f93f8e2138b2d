//! What a command says and how it ended.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Table, presets};
use serde_json::{Value, json};
use signalbox_core::Error;

/// How a command ended, if it could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Done.
    Done,
    /// An integration failed, and the rest goes on.
    Gracefully,
    /// It found something wrong.
    Badly,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The command itself is wrong.
    Usage(String),
    /// A sentence, from before any request was made.
    Said(String),
    /// What the API answered: problem+json.
    Problem(Value),
}

impl Failed {
    pub(crate) fn said(sentence: impl Into<String>) -> Self {
        Self::Said(sentence.into())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Said(error.detail)
    }
}

/// A column of a table: its title, and what stands there for a row.
pub(crate) type Column = (&'static str, fn(&Value) -> String);

/// Where a command speaks: to a person, or with `--json` to a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) json: bool,
}

impl Screen {
    /// Text as it is.
    pub(crate) fn raw(self, text: &str) {
        // Whoever reads no further, as `head` does, has had enough.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }

    fn line(self, text: &str) {
        self.raw(&(text.to_owned() + "\n"));
    }

    /// What was done: the document for a program, the sentence for a person.
    pub(crate) fn done(self, document: &Value, sentence: &str) {
        if self.json {
            self.line(&document.to_string())
        } else {
            self.line(&visible(sentence))
        }
    }

    /// A listing: `{"items":[…]}` for a program, with what the API says beside the rows; a table for a person.
    pub(crate) fn list(self, mut document: Value, rows_at: &str, none: &str, columns: &[Column]) {
        let rows = document
            .get_mut(rows_at)
            .map(Value::take)
            .unwrap_or_default();
        if self.json {
            if let Some(members) = document.as_object_mut() {
                members.remove(rows_at);
                members.insert("items".to_owned(), rows);
            }
            self.line(&document.to_string());
            return;
        }
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() {
            self.line(none);
            return;
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(columns.iter().map(|(title, _)| *title));
        for row in rows {
            table.add_row(columns.iter().map(|(_, cell)| visible(&cell(row))));
        }
        self.line(&table.trim_fmt());
    }

    /// Names and values below each other.
    pub(crate) fn facts(self, document: &Value, facts: &[(&str, String)]) {
        if self.json {
            self.line(&document.to_string());
            return;
        }
        let width = facts
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(&format!("{name:width$}  {}", visible(value)));
        }
    }

    /// Why it did not work, on standard error; with `--json` the problem also on standard output.
    pub(crate) fn failed(self, failed: &Failed) {
        let (detail, errors) = match failed {
            Failed::Usage(sentence) | Failed::Said(sentence) => (sentence.as_str(), None),
            Failed::Problem(problem) => (
                text(problem, "detail"),
                problem.get("errors").and_then(Value::as_array),
            ),
        };
        if self.json {
            match failed {
                Failed::Problem(problem) => self.line(&problem.to_string()),
                _ => self.line(
                    &json!({ "success": false, "title": "Failed", "detail": detail }).to_string(),
                ),
            }
        }
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{}", visible(detail));
        for error in errors.into_iter().flatten() {
            let (path, message) = (text(error, "path"), text(error, "message"));
            // A single finding is the detail itself.
            if !path.is_empty() && message != detail {
                let _ = writeln!(stderr, "  {}: {}", visible(path), visible(message));
            }
        }
    }

    /// Asks a person before something is gone for good. A program that asks has decided.
    pub(crate) fn confirm(self, question: &str) -> Result<(), Failed> {
        if !io::stdin().is_terminal() || self.json {
            return Ok(());
        }
        let _ = write!(io::stderr(), "{} Type yes to go on: ", visible(question));
        let mut answer = String::new();
        let _ = io::stdin().read_line(&mut answer);
        if answer.trim().eq_ignore_ascii_case("yes") {
            Ok(())
        } else {
            Err(Failed::said("Nothing was changed."))
        }
    }
}

/// A member as text; empty when it is none.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A member for a person: numbers and yes or no too.
pub(crate) fn plain(value: &Value, member: &str) -> String {
    match value.get(member) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(all)) => all
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// `2026-11-24 04:09:19` of an RFC 3339 time.
pub(crate) fn moment(value: &Value, member: &str) -> String {
    let time = text(value, member);
    time.get(..19)
        .map_or_else(|| time.to_owned(), |time| time.replace('T', " "))
}

/// Text of others on a terminal: what steers the terminal, or turns the direction of letters, is
/// shown as an escape. Line breaks stay.
pub(crate) fn visible(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            if steers(c) {
                out.extend(c.escape_unicode())
            } else {
                out.push(c)
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(
            visible("\u{1b}[2JCafé\u{202e}x"),
            "\\u{1b}[2JCafé\\u{202e}x"
        );
    }
}
