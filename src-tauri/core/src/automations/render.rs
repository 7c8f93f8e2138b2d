//! What an action makes of an event: the request as it would be handed in by hand. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::plan::Business;
use super::template::{self, Escape, Scene, Trouble};
use super::{Action, CalendarAction, EmailAction, Operation, SmsAction, StorageAction, Why};
use crate::integrations::calendar::ics::{self, Appointment};
use crate::integrations::calendar::write::Ordered;
use crate::integrations::calendar::{Entry, EntryPatch, Removal, entry_id, times};
use crate::integrations::email::{Addresses, Attachment, Mailbox, Message};
use crate::integrations::sms;
use crate::integrations::storage::{MAX_KEPT_BYTES, Put, key};

/// RFC 5322, section 2.1.1: the longest line.
const LONGEST_LINE: usize = 998;
/// The entry of a subject that is not named.
const MAIN: &str = "main";

/// What became of an action's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// What is sent, and to whom.
    Ready { body: String, recipient: String },
    /// There is nobody to send it to.
    NoRecipient(Why),
    /// It would have holes.
    Incomplete(Why),
}

/// A text that could not be made, by the path of its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) trouble: Trouble,
}

/// Renders text after text, and notes all that is wrong.
struct Texts<'a> {
    scene: &'a Scene<'a>,
    found: Vec<Found>,
}

impl Texts<'_> {
    fn text(&mut self, path: &str, source: &str, escape: Escape) -> String {
        match template::render(source, escape, self.scene) {
            Ok(text) => text,
            Err(trouble) => {
                self.say(path, trouble);
                String::new()
            }
        }
    }

    fn say(&mut self, path: &str, trouble: Trouble) {
        self.found.push(Found {
            path: path.to_owned(),
            trouble,
        });
    }

    /// Notes that a text has to say something and does not.
    fn is_empty(&mut self, path: &str) {
        if !self.found.iter().any(|found| found.path == path) {
            self.say(path, Trouble::Missing(vec![path.to_owned()]));
        }
    }

    fn one(&mut self, path: &str, source: Option<&String>) -> Option<String> {
        source.map(|source| self.text(path, source, Escape::Plain))
    }

    /// A text that may be left out where a value is not there.
    fn if_there(&self, source: Option<&String>) -> Option<String> {
        let text = template::render(source?, Escape::Plain, self.scene).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Whom it goes to: nobody, where a value is not there or it is empty.
    fn recipient(&mut self, source: &str) -> Option<String> {
        match template::render(source, Escape::Plain, self.scene) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(Trouble::Missing(_)) => None,
            Err(other) => {
                self.say("to", other);
                None
            }
        }
    }

    fn why(&self) -> Why {
        let mut why = Why::default();
        for found in &self.found {
            match &found.trouble {
                Trouble::Missing(names) => {
                    for name in names {
                        if !why.missing.contains(name) {
                            why.missing.push(name.clone());
                        }
                    }
                }
                other => {
                    why.mistake
                        .get_or_insert_with(|| format!("{}: {}", found.path, in_words(other)));
                }
            }
        }
        why
    }
}

/// What is wrong with a text, as a sentence.
pub(crate) fn in_words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Missing(names) => format!("There is no {}.", names.join(", no ")),
        Trouble::Mistake(mistake) => mistake.message.clone(),
        Trouble::TooLong => "This becomes longer than 256 KiB.".into(),
        Trouble::TooMuch => "This takes too long to make; does it repeat without end?".into(),
    }
}

/// Makes the request of an action, and says what is wrong with its texts.
pub(crate) fn make(action: &Action, scene: &Scene<'_>, business: &Business) -> (Made, Vec<Found>) {
    let mut texts = Texts {
        scene,
        found: Vec::new(),
    };
    let made = match action {
        Action::Email(action) => email(action, &mut texts, business),
        Action::Sms(action) => text(action, &mut texts),
        Action::Calendar(action) => entry(action, &mut texts, business),
        Action::Storage(action) => file(action, &mut texts, business),
    };
    let whole = texts.found.is_empty();
    let made = match made {
        Made::Ready { .. } if !whole => Made::Incomplete(texts.why()),
        Made::NoRecipient(_) if texts.found.iter().any(|found| found.path == "to") => {
            Made::Incomplete(texts.why())
        }
        made => made,
    };
    (made, texts.found)
}

fn ready(request: &impl Serialize, recipient: String) -> Made {
    match serde_json::to_string(request) {
        Ok(body) => Made::Ready { body, recipient },
        Err(_) => Made::Incomplete(Why::default()),
    }
}

/// Addresses as they are written in one line.
fn addresses(line: &str) -> Vec<String> {
    if Mailbox::read(line).is_some() {
        return vec![line.to_owned()];
    }
    let mut all: Vec<String> = Vec::new();
    for part in line.split([',', ';']).map(str::trim) {
        if Mailbox::read(part).is_some() && !all.iter().any(|one| one.eq_ignore_ascii_case(part)) {
            all.push(part.to_owned());
        }
    }
    all
}

fn one_or_several(mut all: Vec<String>) -> Addresses {
    if all.len() == 1 {
        Addresses::One(all.swap_remove(0))
    } else {
        Addresses::Several(all)
    }
}

/// A text as one line: breaks become spaces, and what is too long ends earlier.
fn line(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim();
    let end = (0..=most.min(line.len()))
        .rev()
        .find(|end| line.is_char_boundary(*end))
        .unwrap_or(0);
    line.get(..end).unwrap_or_default().to_owned()
}

fn email(action: &EmailAction, texts: &mut Texts<'_>, business: &Business) -> Made {
    let to = texts.recipient(&action.to);
    let copies = |texts: &Texts<'_>, source: &Option<String>| {
        texts
            .if_there(source.as_ref())
            .map(|line| addresses(&line))
            .filter(|all| !all.is_empty())
            .map(one_or_several)
    };
    let (cc, bcc) = (copies(texts, &action.cc), copies(texts, &action.bcc));
    let reply_to = texts
        .if_there(action.reply_to.as_ref())
        .filter(|text| Mailbox::read(text).is_some());
    let subject = texts.text("subject", &action.subject, Escape::Plain);
    let subject = line(&subject, LONGEST_LINE);
    if subject.is_empty() {
        texts.is_empty("subject");
    }
    let mut part = |path: &str, source: &Option<String>, escape| {
        source
            .as_ref()
            .map(|source| texts.text(path, source, escape))
            .filter(|text| !text.trim().is_empty())
    };
    let html = part("html", &action.html, Escape::Html);
    let text = part("text", &action.text, Escape::Plain);
    if html.is_none() && text.is_none() {
        texts.is_empty(if action.html.is_some() {
            "html"
        } else {
            "text"
        });
    }
    let attachments: Vec<Attachment> = match action.attach_ics {
        Some(true) => appointment(texts, business).into_iter().collect(),
        _ => Vec::new(),
    };
    let Some(to) = to else {
        return Made::NoRecipient(Why::default());
    };
    let all = addresses(&to);
    if all.is_empty() {
        return Made::NoRecipient(Why {
            instead: Some(line(&to, 100)),
            ..Why::default()
        });
    }
    let message = Message {
        to: one_or_several(all),
        cc,
        bcc,
        reply_to,
        subject,
        html,
        text,
        attachments,
        idempotency_key: None,
    };
    let recipient = message.recipient();
    ready(&message, recipient)
}

/// The appointment that an event is about, as a file; none where it does not say when that is.
fn appointment(texts: &Texts<'_>, business: &Business) -> Option<Attachment> {
    let scene = texts.scene;
    let said = |name: &str| {
        let value = scene.data.get(name).and_then(Value::as_str)?.trim();
        (!value.is_empty()).then_some(value)
    };
    let zone = said("timezone").filter(|name| jiff::tz::TimeZone::get(name).is_ok());
    let read = |end| times(said("startTime"), end, zone, None, &business.timezone).ok();
    // An end that cannot be read leaves a beginning.
    let found = read(said("endTime")).or_else(|| read(None))?;
    let start = found.start?;
    let subject = scene.subject.unwrap_or(scene.event_id);
    let file = Appointment {
        entry: &entry_id(business.workspace, subject, MAIN),
        said_at: scene.occurred_at,
        title: said("title").unwrap_or("Appointment"),
        description: None,
        location: said("location"),
        start,
        end: found.end,
        is_cancelled: scene.event_type.ends_with(".cancelled"),
    };
    Some(Attachment {
        filename: "appointment.ics".into(),
        content_type: ics::MEDIA_TYPE.into(),
        content_base64: Some(STANDARD.encode(file.to_ics())),
        key: None,
    })
}

fn text(action: &SmsAction, texts: &mut Texts<'_>) -> Made {
    let to = texts.recipient(&action.to);
    let message = texts.text("message", &action.message, Escape::Plain);
    let message = message.trim().to_owned();
    if message.is_empty() {
        texts.is_empty("message");
    } else if sms::wrong_words(&message).is_some() {
        texts.say("message", Trouble::TooLong);
    }
    let Some(to) = to else {
        return Made::NoRecipient(Why::default());
    };
    let recipient = line(&to, 100);
    let message = sms::Message {
        to,
        message,
        idempotency_key: None,
    };
    ready(&message, recipient)
}

fn file(action: &StorageAction, texts: &mut Texts<'_>, business: &Business) -> Made {
    let place = texts.text("key", &action.key, Escape::Plain);
    let content = texts.text("content", &action.content, Escape::Plain);
    let content_type = texts.if_there(action.content_type.as_ref());
    let put = Put {
        key: place.trim().trim_start_matches('/').to_owned(),
        content_type: content_type.or_else(|| {
            let guessed = mime_guess::from_path(&place).first_raw();
            guessed.map(str::to_owned)
        }),
        ..Put::default()
    };
    let put = put.below(&key::prefix(&business.workspace));
    if key::check_key(&put.key).is_err() {
        texts.is_empty("key");
    }
    if content.len() > MAX_KEPT_BYTES {
        texts.say("content", Trouble::TooLong);
    }
    let put = put.with(content.as_bytes());
    let recipient = put.name().to_owned();
    ready(&put, recipient)
}

/// What is done with an entry because of this event.
fn operation(action: &CalendarAction, event_type: &str) -> Operation {
    match action.operation {
        Operation::Sync if event_type.ends_with(".cancelled") => Operation::Delete,
        other => other,
    }
}

fn entry(action: &CalendarAction, texts: &mut Texts<'_>, business: &Business) -> Made {
    let scene = texts.scene;
    let operation = operation(action, scene.event_type);
    let subject = scene.subject.unwrap_or(scene.event_id);
    let named = action.entry.as_deref().unwrap_or(MAIN);
    let send_updates = action.send_updates.unwrap_or_default();
    let title = match operation {
        // It goes by its name alone, and is removed also where that cannot be made.
        Operation::Delete => texts.if_there(action.title.as_ref()),
        _ => texts.one("title", action.title.as_ref()),
    };
    let recipient = line(title.as_deref().unwrap_or(subject), 200);
    let request = match operation {
        Operation::Delete => raw(&Removal { send_updates }),
        Operation::Create | Operation::Sync => whole(action, title, texts, business),
        Operation::Update => part(action, title, texts, business),
    };
    let Some(request) = request else {
        return Made::Incomplete(texts.why());
    };
    let ordered = Ordered {
        operation,
        entry_id: entry_id(business.workspace, subject, named),
        request,
    };
    ready(&ordered, recipient)
}

fn raw(request: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(request).ok()
}

/// Guests whose address is there.
fn guests(action: &CalendarAction, texts: &Texts<'_>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for source in &action.attendees {
        for guest in addresses(&texts.if_there(Some(source)).unwrap_or_default()) {
            if !all.iter().any(|one| one.eq_ignore_ascii_case(&guest)) {
                all.push(guest);
            }
        }
    }
    all
}

/// The zone of the times: what the action says, else what the data names.
fn timezone(action: &CalendarAction, texts: &mut Texts<'_>) -> Option<String> {
    let said = texts.one("timezone", action.timezone.as_ref());
    let named = texts.scene.data.get("timezone").and_then(Value::as_str);
    said.filter(|zone| !zone.trim().is_empty()).or_else(|| {
        named
            .filter(|zone| jiff::tz::TimeZone::get(zone).is_ok())
            .map(str::to_owned)
    })
}

fn whole(
    action: &CalendarAction,
    title: Option<String>,
    texts: &mut Texts<'_>,
    business: &Business,
) -> Option<Box<RawValue>> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let entry = Entry {
        title: line(&title.unwrap_or_default(), 1024),
        description: filled(texts.one("description", action.description.as_ref())),
        start_time: texts
            .one("startTime", action.start_time.as_ref())
            .unwrap_or_default(),
        end_time: texts
            .one("endTime", action.end_time.as_ref())
            .unwrap_or_default(),
        timezone: timezone(action, texts),
        all_day: action.all_day,
        attendees: guests(action, texts),
        location: filled(texts.one("location", action.location.as_ref())),
        reminders: action.reminders.clone(),
        send_updates: action.send_updates.unwrap_or_default(),
        idempotency_key: None,
    };
    // What a text could not be made of is said already.
    if texts.found.is_empty() {
        for wrong in entry.check(&business.timezone) {
            texts.is_empty(&wrong.path);
        }
    }
    raw(&entry)
}

fn part(
    action: &CalendarAction,
    title: Option<String>,
    texts: &mut Texts<'_>,
    business: &Business,
) -> Option<Box<RawValue>> {
    let mut patch = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            patch.insert(name.to_owned(), value);
        }
    };
    set("title", title.map(|title| line(&title, 1024).into()));
    for (name, source) in [
        ("description", &action.description),
        ("startTime", &action.start_time),
        ("endTime", &action.end_time),
        ("location", &action.location),
    ] {
        set(name, texts.one(name, source.as_ref()).map(Value::from));
    }
    if action.start_time.is_some() || action.end_time.is_some() {
        set("timezone", timezone(action, texts).map(Value::from));
        set("allDay", action.all_day.map(Value::from));
    }
    if !action.attendees.is_empty() {
        set("attendees", Some(guests(action, texts).into()));
    }
    set("reminders", action.reminders.as_ref().map(|all| json!(all)));
    set("sendUpdates", action.send_updates.map(|who| json!(who)));
    let patch = Value::Object(patch);
    if texts.found.is_empty() {
        match serde_json::from_value::<EntryPatch>(patch.clone()) {
            Ok(read) => {
                for wrong in read.check(&business.timezone) {
                    texts.is_empty(&wrong.path);
                }
            }
            Err(_) => texts.is_empty("action"),
        }
    }
    raw(&patch)
}
