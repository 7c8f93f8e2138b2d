//! What is handed to a command: JSON from a file or standard input, and flags that win over it.

use std::io::{self, IsTerminal as _, Read};

use clap::Args;
use serde_json::{Map, Value};

use crate::door::Door;
use crate::said::{Failed, text};

/// `--from`, on everything that makes or changes something.
#[derive(Args)]
pub(crate) struct From {
    /// The request as JSON of the API, from a file or (-) standard input; flags win over it
    #[arg(long, value_name = "FILE|-")]
    from: Option<String>,
}

impl From {
    /// The request so far: an object, empty without `--from`.
    pub(crate) fn read(&self) -> Result<Request, Failed> {
        let Some(source) = &self.from else {
            return Ok(Request::default());
        };
        match serde_json::from_slice(&read(source)?) {
            Ok(Value::Object(members)) => Ok(Request(members)),
            Ok(_) => Err(Failed::said("What --from gives has to be a JSON object.")),
            Err(error) => Err(Failed::said(format!(
                "What --from gives is not valid JSON: {error}."
            ))),
        }
    }

    /// The bytes as they are.
    pub(crate) fn bytes(&self) -> Result<Option<Vec<u8>>, Failed> {
        self.from.as_deref().map(read).transpose()
    }
}

/// A request that is put together.
#[derive(Default)]
pub(crate) struct Request(Map<String, Value>);

impl Request {
    /// Takes over a flag that was given.
    pub(crate) fn set(&mut self, member: &str, flag: Option<impl Into<Value>>) {
        if let Some(value) = flag {
            self.0.insert(member.to_owned(), value.into());
        }
    }

    /// Whether it holds a member.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    /// A member that is text.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member).and_then(Value::as_str)
    }

    /// The request, which may hold nothing.
    pub(crate) fn whole(self) -> Value {
        Value::Object(self.0)
    }

    /// The request; `usage` when it holds nothing.
    pub(crate) fn filled(self, usage: &str) -> Result<Value, Failed> {
        if self.0.is_empty() {
            Err(Failed::Usage(usage.to_owned()))
        } else {
            Ok(Value::Object(self.0))
        }
    }
}

/// Reads a file, or standard input for `-`.
pub(crate) fn read(source: &str) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let done = if source == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(source).map(|read| bytes = read)
    };
    match done {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Failed::said(format!(
            "{} could not be read: {error}.",
            if source == "-" {
                "Standard input"
            } else {
                source
            }
        ))),
    }
}

/// A secret: from a file, from standard input, or typed by somebody who does not see it.
pub(crate) fn secret(source: Option<&str>, label: &str, how: &str) -> Result<String, Failed> {
    let bytes = match source {
        Some(source) => read(source)?,
        None if io::stdin().is_terminal() => {
            return rpassword::prompt_password(format!("{label}: "))
                .map_err(|error| Failed::said(format!("Nothing could be read: {error}.")));
        }
        None => read("-")?,
    };
    let text = String::from_utf8(bytes).map_err(|_| Failed::said("A secret has to be text."))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Failed::Usage(format!("{label} is missing: {how}.")));
    }
    Ok(text.to_owned())
}

/// The id of what is named: an id as it is, a name by looking it up in a list.
pub(crate) async fn id_of(
    door: &Door,
    list: &str,
    rows_at: &str,
    named: &str,
) -> Result<String, Failed> {
    let rows = door.get(list).await?;
    let rows = rows
        .get(rows_at)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if let Some(row) = rows.iter().find(|row| text(row, "id") == named) {
        return Ok(text(row, "id").to_owned());
    }
    let same_name: Vec<_> = rows
        .iter()
        .filter(|row| text(row, "name").to_lowercase() == named.to_lowercase())
        .collect();
    match same_name.as_slice() {
        [row] => Ok(text(row, "id").to_owned()),
        [] => {
            let names: Vec<_> = rows
                .iter()
                .map(|row| format!("“{}”", text(row, "name")))
                .collect();
            let known = if names.is_empty() {
                "There is none yet.".to_owned()
            } else {
                format!("There is {}.", names.join(", "))
            };
            Err(Failed::said(format!(
                "Nothing here is called “{named}”. {known}"
            )))
        }
        _ => Err(Failed::said(format!(
            "More than one is called “{named}”; name it by its id."
        ))),
    }
}

/// A path with a query of what was given.
pub(crate) fn with_query(path: &str, query: &[(&str, Option<String>)]) -> String {
    let mut given = query
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .peekable();
    if given.peek().is_none() {
        return path.to_owned();
    }
    let mut text = form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
    for (name, value) in given {
        text.append_pair(name, value);
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_what_was_given_and_nothing_else() {
        assert_eq!(with_query("/a", &[("x", None)]), "/a");
        assert_eq!(
            with_query(
                "/a",
                &[
                    ("x", None),
                    ("since", Some("2026-11-24T00:00:00+01:00".into()))
                ]
            ),
            "/a?since=2026-11-24T00%3A00%3A00%2B01%3A00"
        );
    }
}
