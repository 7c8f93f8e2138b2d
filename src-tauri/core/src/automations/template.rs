//! Texts with values of an event in them. Pure.

use serde_json::Value;

use crate::clock::Time;

/// What a text may name.
pub(crate) struct Scene<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) occurred_at: Time,
    pub(crate) data: &'a Value,
    pub(crate) workspace: &'a str,
    pub(crate) timezone: &'a str,
    pub(crate) now: Time,
}

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    Html,
    Plain,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// Why a text could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    Missing(Vec<String>),
    Mistake(Mistake),
    TooLong,
    TooMuch,
}

pub(crate) fn check(source: &str) -> Result<(), Mistake> {
    if source.matches("{{").count() == source.matches("}}").count() {
        return Ok(());
    }
    Err(Mistake {
        line: 1,
        column: 1,
        message: "A bracket is not closed.".into(),
    })
}

pub(crate) fn render(source: &str, escape: Escape, scene: &Scene<'_>) -> Result<String, Trouble> {
    let (mut made, mut missing, mut rest) = (String::new(), Vec::new(), source);
    while let Some((before, after)) = rest.split_once("{{") {
        made.push_str(before);
        let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
        rest = behind;
        let name = name.trim();
        let (name, default) = match name.split_once("| default(") {
            Some((name, text)) => (name.trim(), Some(text.trim_matches([')', '"', '\'']))),
            None => (name, None),
        };
        let found = match name {
            "event.id" => Some(Value::from(scene.event_id)),
            "event.type" => Some(Value::from(scene.event_type)),
            "workspace.name" => Some(Value::from(scene.workspace)),
            "workspace.timezone" => Some(Value::from(scene.timezone)),
            "event.subject" => scene.subject.map(Value::from),
            "now" => Some(Value::from(scene.now.to_string())),
            "event.occurredAt" => Some(Value::from(scene.occurred_at.to_string())),
            path => path
                .trim_start_matches("data.")
                .split('.')
                .try_fold(scene.data, |inside, name| inside.get(name))
                .cloned(),
        };
        match (found, default) {
            (Some(Value::String(text)), _) if escape == Escape::Html => {
                made.push_str(&text.replace('&', "&amp;").replace('<', "&lt;"));
            }
            (Some(Value::String(text)), _) => made.push_str(&text),
            (Some(Value::Null) | None, Some(default)) => made.push_str(default),
            (Some(Value::Null) | None, None) => missing.push(name.to_owned()),
            (Some(other), _) => made.push_str(&other.to_string()),
        }
    }
    made.push_str(rest);
    if missing.is_empty() {
        Ok(made)
    } else {
        Err(Trouble::Missing(missing))
    }
}
