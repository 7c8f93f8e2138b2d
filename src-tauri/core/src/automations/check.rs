//! What is wrong with an automation, field by field. Pure.

use super::template;
use super::{Action, CalendarAction, EmailAction, Operation, Settings, SmsAction, StorageAction};
use crate::condition::Condition;
use crate::error::FieldError;
use crate::events;

const LONGEST_PATH: usize = 200;
const MOST_EVENTS: usize = 20;
const MOST_SECONDS: u32 = 3_600;
/// A year.
const MOST_MINUTES: u32 = 525_600;
const MOST_MESSAGES: u32 = 10_000;
const MOST_GUESTS: usize = 200;

/// What is wrong with an automation; `known` are the workspace's event types.
pub(crate) fn check(
    name: &str,
    settings: &Settings,
    action: &Action,
    known: &[&str],
) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        wrong.push(FieldError::new(
            "name",
            "invalid",
            "Give it a name of 1 to 100 characters.",
        ));
    }
    events(settings, known, &mut wrong);
    if let Some(condition) = &settings.condition
        && let Err(found) = Condition::read(condition, "condition")
    {
        wrong.extend(found);
    }
    timing(settings, &mut wrong);
    wrong.extend(self::action(action));
    wrong
}

fn events(settings: &Settings, known: &[&str], wrong: &mut Vec<FieldError>) {
    let all = &settings.event.0;
    if all.is_empty() || all.len() > MOST_EVENTS {
        wrong.push(FieldError::new(
            "event",
            "required",
            "Say at which event it runs: 1 to 20 types.",
        ));
    }
    for (i, one) in all.iter().enumerate() {
        let path = if all.len() == 1 {
            "event".to_owned()
        } else {
            format!("event.{i}")
        };
        if !known.contains(&one.as_str()) {
            let suggestion = events::nearest(one, known.iter().copied())
                .map(|name| format!(" Did you mean “{name}”?"))
                .unwrap_or_default();
            wrong.push(FieldError::new(
                path,
                "unknown",
                format!("There is no event type of this name.{suggestion}"),
            ));
        } else if all.iter().take(i).any(|before| before == one) {
            wrong.push(FieldError::new(
                path,
                "duplicate",
                "This type is there twice.",
            ));
        }
    }
}

fn timing(settings: &Settings, wrong: &mut Vec<FieldError>) {
    let mut out_of_range = |path: &str, sentence: &str| {
        wrong.push(FieldError::new(path, "out_of_range", sentence));
    };
    if settings.gather_seconds > MOST_SECONDS {
        out_of_range(
            "gatherSeconds",
            "A change may wait 0 to 3,600 seconds for the next one.",
        );
    }
    if settings
        .delay_minutes
        .is_some_and(|minutes| minutes > MOST_MINUTES)
    {
        out_of_range(
            "delayMinutes",
            "This may be 1 to 525,600 minutes (a year) after the event.",
        );
    }
    if settings
        .limit
        .is_some_and(|limit| !(1..=MOST_MESSAGES).contains(&limit))
    {
        out_of_range("limit", "This may be 1 to 10,000 messages in ten minutes.");
    }
    let Some(relative) = &settings.relative_to else {
        return;
    };
    if relative.minutes.unsigned_abs() > u64::from(MOST_MINUTES) {
        out_of_range(
            "relativeTo.minutes",
            "This may be up to 525,600 minutes (a year) before or after it.",
        );
    }
    if settings.delay_minutes.is_some() {
        wrong.push(FieldError::new(
            "relativeTo",
            "conflict",
            "Say either delayMinutes or relativeTo, not both.",
        ));
    }
    let field = &relative.field;
    if field.is_empty()
        || field.len() > LONGEST_PATH
        || field
            .split('.')
            .any(|part| part.is_empty() || part.chars().any(char::is_whitespace))
    {
        wrong.push(FieldError::new(
            "relativeTo.field",
            "invalid",
            "This is the path of a time in the event's data, such as startTime.",
        ));
    }
}

/// What is wrong with what is done, and with its texts.
pub(crate) fn action(action: &Action) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    match action {
        Action::Email(action) => email(action, &mut wrong),
        Action::Sms(action) => sms(action, &mut wrong),
        Action::Calendar(action) => calendar(action, &mut wrong),
        Action::Storage(action) => storage(action, &mut wrong),
    }
    for (path, source) in texts(action) {
        let path = format!("action.{path}");
        if let Err(mistake) = template::check(source) {
            wrong.push(FieldError::new(
                path,
                "template",
                format!(
                    "Line {}, column {}: {}",
                    mistake.line, mistake.column, mistake.message
                ),
            ));
        }
    }
    wrong
}

fn maybe<'a>(all: &mut Vec<(String, &'a str)>, path: &str, source: Option<&'a String>) {
    if let Some(source) = source {
        all.push((path.to_owned(), source));
    }
}

/// The texts of an action, each with its path in it.
pub(crate) fn texts(action: &Action) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> = Vec::new();
    match action {
        Action::Email(action) => {
            maybe(&mut all, "to", Some(&action.to));
            maybe(&mut all, "cc", action.cc.as_ref());
            maybe(&mut all, "bcc", action.bcc.as_ref());
            maybe(&mut all, "replyTo", action.reply_to.as_ref());
            maybe(&mut all, "subject", Some(&action.subject));
            maybe(&mut all, "html", action.html.as_ref());
            maybe(&mut all, "text", action.text.as_ref());
        }
        Action::Sms(action) => {
            maybe(&mut all, "to", Some(&action.to));
            maybe(&mut all, "message", Some(&action.message));
        }
        Action::Calendar(action) => {
            for (path, source) in [
                ("title", &action.title),
                ("description", &action.description),
                ("startTime", &action.start_time),
                ("endTime", &action.end_time),
                ("timezone", &action.timezone),
                ("location", &action.location),
            ] {
                maybe(&mut all, path, source.as_ref());
            }
            for (i, guest) in action.attendees.iter().enumerate() {
                maybe(&mut all, &format!("attendees.{i}"), Some(guest));
            }
        }
        Action::Storage(action) => {
            maybe(&mut all, "key", Some(&action.key));
            maybe(&mut all, "content", Some(&action.content));
            maybe(&mut all, "contentType", action.content_type.as_ref());
        }
    }
    all
}

fn required(path: &str, text: &str, sentence: &str, wrong: &mut Vec<FieldError>) {
    if text.trim().is_empty() {
        wrong.push(FieldError::new(
            format!("action.{path}"),
            "required",
            sentence,
        ));
    }
}

fn email(action: &EmailAction, wrong: &mut Vec<FieldError>) {
    required("to", &action.to, "Say whom it goes to.", wrong);
    required("subject", &action.subject, "Say what it is about.", wrong);
    let says = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if !says(&action.html) && !says(&action.text) {
        required("text", "", "Write a text, html, or both.", wrong);
    }
}

fn sms(action: &SmsAction, wrong: &mut Vec<FieldError>) {
    required("to", &action.to, "Say whom it goes to.", wrong);
    required("message", &action.message, "Write what it says.", wrong);
}

fn storage(action: &StorageAction, wrong: &mut Vec<FieldError>) {
    required("key", &action.key, "Say where the file is to lie.", wrong);
}

fn calendar(action: &CalendarAction, wrong: &mut Vec<FieldError>) {
    if action
        .entry
        .as_ref()
        .is_some_and(|entry| entry.is_empty() || entry.len() > 100)
    {
        wrong.push(FieldError::new(
            "action.entry",
            "invalid",
            "The name of an entry has 1 to 100 characters.",
        ));
    }
    if action.attendees.len() > MOST_GUESTS {
        wrong.push(FieldError::new(
            "action.attendees",
            "too_many",
            "One entry has 200 guests at most.",
        ));
    }
    let reminders = action.reminders.as_deref().unwrap_or_default();
    wrong.extend(
        crate::integrations::calendar::wrong_reminders(reminders)
            .into_iter()
            .map(|found| FieldError {
                path: format!("action.{}", found.path),
                ..found
            }),
    );
    match action.operation {
        Operation::Create | Operation::Sync => {
            for (path, text, sentence) in [
                ("title", &action.title, "Say what the entry is called."),
                ("startTime", &action.start_time, "Say when it begins."),
                ("endTime", &action.end_time, "Say when it ends."),
            ] {
                required(path, text.as_deref().unwrap_or_default(), sentence, wrong);
            }
        }
        Operation::Update => {
            let says_nothing = texts(&Action::Calendar(CalendarAction {
                timezone: None,
                ..action.clone()
            }))
            .is_empty()
                && action.reminders.is_none();
            if says_nothing {
                required("title", "", "Say what is to be different.", wrong);
            }
        }
        Operation::Delete => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::automations::NewAutomation;

    fn wrong(new: serde_json::Value) -> Vec<String> {
        let new: NewAutomation = serde_json::from_str(&new.to_string()).unwrap();
        let known = ["booking.created", "booking.updated"];
        check(&new.name, &Settings::of(&new), &new.action, &known)
            .into_iter()
            .map(|found| format!("{} {}", found.path, found.code))
            .collect()
    }

    #[test]
    fn each_mistake_is_found_at_its_field() {
        let sound = json!({"name": "Confirmation", "event": "booking.created",
            "action": {"kind": "sms", "to": "{{ customer.phone }}", "message": "Hello"}});
        assert_eq!(wrong(sound.clone()), Vec::<String>::new());
        for (member, value, found) in [
            ("name", json!(" "), "name invalid"),
            ("event", json!("booking.create"), "event unknown"),
            ("event", json!([]), "event required"),
            (
                "event",
                json!(["booking.created", "booking.created"]),
                "event.1 duplicate",
            ),
            (
                "condition",
                json!({"path": "a", "op": "is", "value": 1}),
                "condition.op unknown",
            ),
            ("gatherSeconds", json!(3601), "gatherSeconds out_of_range"),
            ("delayMinutes", json!(525_601), "delayMinutes out_of_range"),
            ("limit", json!(0), "limit out_of_range"),
            (
                "relativeTo",
                json!({"field": "", "minutes": 5}),
                "relativeTo.field invalid",
            ),
            (
                "relativeTo",
                json!({"field": "a", "minutes": 9_999_999}),
                "relativeTo.minutes out_of_range",
            ),
            (
                "action",
                json!({"kind": "sms", "to": "", "message": "Hello"}),
                "action.to required",
            ),
            (
                "action",
                json!({"kind": "sms", "to": "+43", "message": "Hello {{ name"}),
                "action.message template",
            ),
            (
                "action",
                json!({"kind": "email", "to": "a@example.com", "subject": "Hi"}),
                "action.text required",
            ),
            (
                "action",
                json!({"kind": "calendar", "operation": "sync", "title": "A", "startTime": "{{ startTime }}"}),
                "action.endTime required",
            ),
            (
                "action",
                json!({"kind": "calendar", "operation": "update"}),
                "action.title required",
            ),
            (
                "action",
                json!({"kind": "storage", "key": "", "content": "x"}),
                "action.key required",
            ),
        ] {
            let mut new = sound.clone();
            new[member] = value;
            assert_eq!(wrong(new), [found], "{member}");
        }
    }
}
