//! What is said of an event to people in a chat: one line, and what belongs to it. Pure, and of no
//! receiver: how it is written down for one is [`super`].
//!
//! `data` is whatever was handed in. Each value is read by itself, so that one that cannot be read as
//! text spoils no other, and numbers keep their spelling.

use std::borrow::Cow;
use std::fmt;

use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::events::{self, TEST_TYPE};

/// A message has so many facts; further ones are counted.
const MOST_FACTS: usize = 40;
/// The longest value, label and piece of a headline, in characters.
const LONGEST_VALUE: usize = 1_500;
const LONGEST_LABEL: usize = 80;
const LONGEST_PIECE: usize = 80;

/// What is said of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChatMessage {
    /// "Maria Petersen booked Cut and colour"
    pub headline: String,
    /// What belongs to it, in the order in which it is read.
    pub facts: Vec<ChatFact>,
    /// Facts for which there was no room.
    pub left_out: usize,
}

/// One thing that belongs to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChatFact {
    /// "When"
    pub label: String,
    /// "Thu 26 Nov 2026, 09:30–11:00 (Europe/Berlin)"
    pub value: String,
}

/// What is said of an event of this type with this data.
pub(super) fn message(event_type: &str, data: &str) -> ChatMessage {
    let data = Members::of(data);
    let mut said = ChatMessage {
        headline: String::new(),
        facts: Vec::new(),
        left_out: 0,
    };
    match event_type {
        "booking.created" | "booking.updated" | "booking.cancelled" => {
            said.headline = booking(event_type, &data);
            said.add("When", when(&data));
            said.tell(&data, &[("location", "Where"), ("price", "Price")]);
            said.customer(&data);
            said.tell(
                &data,
                &[("notes", "Notes"), ("bookingId", "Booking number")],
            );
        }
        "contact.created" => {
            said.headline = with("New contact", ": ", data.piece("name"));
            said.tell(
                &data,
                &[
                    ("email", "Email"),
                    ("phone", "Phone"),
                    ("source", "Came from"),
                    ("contactId", "Contact number"),
                ],
            );
        }
        "form.submitted" => {
            let who = data.members("customer").piece("name");
            let form = data.piece("formName").or_else(|| data.piece("formId"));
            said.headline = match (who, form) {
                (Some(who), Some(form)) => format!("{who} sent the form “{form}”"),
                (Some(who), None) => format!("{who} sent a form"),
                (None, form) => with("Form sent", ": ", form),
            };
            said.all(&data.members("fields"), "");
            said.customer(&data);
        }
        "inventory.low" => {
            let what = data.piece("name").or_else(|| data.piece("sku"));
            let what = what.unwrap_or_else(|| "Something".into());
            said.headline = match data.piece("quantity") {
                Some(left) => format!("{what} is running low: {left} left"),
                None => format!("{what} is running low"),
            };
            said.tell(
                &data,
                &[("threshold", "Warns at"), ("sku", "Article number")],
            );
        }
        "message.received" => {
            let from = data.piece("from").map(|from| format!("from {from}"));
            let by = data.piece("channel").map(|by| format!("({by})"));
            said.headline = with(&with("Message", " ", from), " ", by);
            said.tell(&data, &[("text", "Text")]);
        }
        TEST_TYPE => {
            said.headline = "This is a test from Signalbox".into();
            said.add(
                "It works",
                Some("What happens in your business is told here.".into()),
            );
        }
        declared => {
            said.headline = events::label_from_name(declared);
            said.all(&data, "");
        }
    }
    said
}

fn booking(event_type: &str, data: &Members<'_>) -> String {
    let (who, what) = (data.members("customer").piece("name"), data.piece("title"));
    let of = with("", "", who.as_ref().map(|who| format!(" of {who}")));
    match (event_type, who, what) {
        ("booking.created", Some(who), Some(what)) => format!("{who} booked {what}"),
        ("booking.created", Some(who), None) => format!("{who} made a booking"),
        ("booking.created", None, what) => with("New booking", ": ", what),
        ("booking.updated", _, what) => with(&format!("The booking{of} has changed"), ": ", what),
        (_, _, what) => with(&format!("The booking{of} is cancelled"), ": ", what),
    }
}

/// `first`, and where there is a second, that behind it.
fn with(first: &str, between: &str, second: Option<String>) -> String {
    match second {
        Some(second) => format!("{first}{between}{second}"),
        None => first.to_owned(),
    }
}

impl ChatMessage {
    fn add(&mut self, label: &str, value: Option<String>) {
        let Some(value) = value.map(|value| readable(&value)) else {
            return;
        };
        if value.trim().is_empty() {
            return;
        }
        if self.facts.len() == MOST_FACTS {
            self.left_out += 1;
            return;
        }
        let label = cut(&one_line(label), LONGEST_LABEL);
        self.facts.push(ChatFact {
            label: if label.is_empty() {
                "Value".into()
            } else {
                label
            },
            value: cut(value.trim(), LONGEST_VALUE),
        });
    }

    /// The members of these names.
    fn tell(&mut self, data: &Members<'_>, names: &[(&str, &str)]) {
        for (name, label) in names {
            self.add(label, data.text(name));
        }
    }

    fn customer(&mut self, data: &Members<'_>) {
        let customer = data.members("customer");
        self.tell(&customer, &[("email", "Email"), ("phone", "Phone")]);
    }

    /// All members, and those of objects among them.
    fn all(&mut self, data: &Members<'_>, within: &str) {
        for (name, value) in &data.0 {
            let label = format!("{within}{name}");
            if within.is_empty() && value.get().starts_with('{') {
                self.all(&Members::of(value.get()), &format!("{label}."));
            } else {
                self.add(&label, text(value));
            }
        }
    }
}

/// The members of an object, in their order, each as it was written.
#[derive(Default)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// None when it is no object.
    fn of(json: &'a str) -> Self {
        struct All<'a>(Members<'a>);
        impl<'de> Visitor<'de> for All<'de> {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
                while let Some(name) = map.next_key::<&'de RawValue>()? {
                    let name = serde_json::from_str::<String>(name.get())
                        .map_or_else(|_| Cow::from(unquoted(name)), Cow::from);
                    self.0.0.push((name, map.next_value()?));
                }
                Ok(self.0)
            }
        }
        serde_json::Deserializer::from_str(json)
            .deserialize_map(All(Self::default()))
            .unwrap_or_default()
    }

    /// Of members of one name the last counts.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut same = self.0.iter().rev().filter(|(known, _)| known == name);
        same.next().map(|(_, value)| *value)
    }

    fn members(&self, name: &str) -> Self {
        self.get(name)
            .map(|value| Self::of(value.get()))
            .unwrap_or_default()
    }

    fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// A value as a piece of a headline: short, in one line.
    fn piece(&self, name: &str) -> Option<String> {
        let piece = cut(&one_line(&self.text(name)?), LONGEST_PIECE);
        Some(piece).filter(|piece| !piece.is_empty())
    }
}

/// A value as people read it. What is no text, number or yes and no stays as it was written.
fn text(value: &RawValue) -> Option<String> {
    let written = value.get();
    match written.bytes().next()? {
        b'"' => Some(serde_json::from_str(written).unwrap_or_else(|_| unquoted(value).to_owned())),
        b'n' => None,
        b't' => Some("yes".into()),
        b'f' => Some("no".into()),
        b'[' => Some(match serde_json::from_str::<Vec<Item<'_>>>(written) {
            Ok(items) => items
                .iter()
                .filter_map(|item| Some(Cow::from(text(item.0)?)))
                .collect::<Vec<_>>()
                .join(", "),
            Err(_) => written.to_owned(),
        }),
        _ => Some(written.to_owned()),
    }
}

/// An item of a list that is told item by item: no list itself.
struct Item<'a>(&'a RawValue);

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = <&RawValue>::deserialize(from)?;
        if value.get().starts_with(['[', '{']) {
            return Err(serde::de::Error::custom("a list of its own"));
        }
        Ok(Self(value))
    }
}

/// Text that is no valid Unicode, as it was written.
fn unquoted(value: &RawValue) -> &str {
    value.get().trim_matches('"')
}

/// Without the signs that no screen shows and some receivers refuse.
fn readable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\r' => '\n',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

fn one_line(text: &str) -> String {
    readable(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first so many characters, with a sign where more followed.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let end = text
                .char_indices()
                .nth(most.saturating_sub(1))
                .map_or(0, |(at, _)| at);
            format!("{}…", text.get(..end).unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

/// From when until when, as it is on the wall where it takes place.
fn when(data: &Members<'_>) -> Option<String> {
    let named = data.text("timezone").filter(|name| !name.trim().is_empty());
    let zone = named.as_deref().and_then(|name| TimeZone::get(name).ok());
    let named = named.as_deref().filter(|_| zone.is_some());
    let read = |name| {
        let text = data.text(name)?;
        Some(Moment::read(&text, zone.as_ref()).ok_or(text))
    };
    let (start, end) = match (read("startTime")?, read("endTime")) {
        (Ok(start), Some(Ok(end))) if start.whose == end.whose => (start, end),
        (Ok(start), None) => (start, start),
        // What is no time is told as it is.
        (start, end) => {
            let said = |one: Result<Moment, String>| match one {
                Ok(moment) => moment.said(named),
                Err(text) => text,
            };
            let start = said(start);
            return Some(match end {
                Some(end) => format!("{start} – {}", said(end)),
                None => start,
            });
        }
    };
    if start == end {
        return Some(start.said(named));
    }
    let between = match (start.clock, end.clock) {
        (true, true) if start.at.date() == end.at.date() => {
            format!("{}–{}", start.wall(), end.at.strftime("%H:%M"))
        }
        _ => format!("{} – {}", start.wall(), end.wall()),
    };
    Some(format!("{between}{}", start.whose(named)))
}

/// A moment as clocks on the wall show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    at: civil::DateTime,
    /// False: a day, without a time.
    clock: bool,
    whose: Whose,
}

/// Whose clock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// That of the place that is named beside it, or nobody knows.
    Named,
    /// That far from UTC.
    Offset(Offset),
}

impl Moment {
    fn read(text: &str, zone: Option<&TimeZone>) -> Option<Self> {
        let pieces = Pieces::parse(text.trim()).ok()?;
        let Some(time) = pieces.time() else {
            return Some(Self {
                at: pieces.date().at(0, 0, 0, 0),
                clock: false,
                whose: Whose::Named,
            });
        };
        let at = pieces.date().to_datetime(time);
        let (at, whose) = match (pieces.to_numeric_offset(), zone) {
            (None, _) => (at, Whose::Named),
            (Some(offset), None) => (at, Whose::Offset(offset)),
            (Some(offset), Some(zone)) => {
                let moment = offset.to_timestamp(at).ok()?;
                (zone.to_datetime(moment), Whose::Named)
            }
        };
        Some(Self {
            at,
            clock: true,
            whose,
        })
    }

    fn wall(&self) -> String {
        let form = if self.clock {
            "%a %-d %b %Y, %H:%M"
        } else {
            "%a %-d %b %Y"
        };
        self.at.strftime(form).to_string()
    }

    fn whose(&self, named: Option<&str>) -> String {
        match (self.whose, named) {
            (Whose::Offset(offset), _) if offset == Offset::UTC => " (UTC)".into(),
            (Whose::Offset(offset), _) => {
                let minutes = offset.seconds() / 60;
                let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
                format!(" (UTC{sign}{:02}:{:02})", minutes / 60, minutes % 60)
            }
            (Whose::Named, Some(zone)) if self.clock => format!(" ({zone})"),
            (Whose::Named, _) => String::new(),
        }
    }

    fn said(&self, named: Option<&str>) -> String {
        format!("{}{}", self.wall(), self.whose(named))
    }
}
