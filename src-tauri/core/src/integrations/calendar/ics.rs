//! An appointment as a file that any calendar takes: iCalendar, RFC 5545.
//!
//! Moments are written in UTC, so that no zone has to be described; whole days are dates. Its UID is
//! the one that Google gives to the same entry, so whoever has both sees it once.

use super::write::Order;
use super::{Times, When, times};
use crate::clock::Time;
use crate::db;
use crate::deliveries::Channel;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{DeliveryId, WorkspaceId};

/// What kind of file it is.
pub(crate) const MEDIA_TYPE: &str = "text/calendar";
/// The longest line, in bytes, without its end.
const LONGEST_LINE: usize = 75;

/// An appointment.
#[derive(Debug)]
pub(crate) struct Appointment<'a> {
    /// The id of the entry.
    pub(crate) entry: &'a str,
    /// When this was said: the newest counts.
    pub(crate) said_at: Time,
    pub(crate) title: &'a str,
    pub(crate) description: Option<&'a str>,
    pub(crate) location: Option<&'a str>,
    pub(crate) start: When,
    pub(crate) end: Option<When>,
    pub(crate) is_cancelled: bool,
}

impl Appointment<'_> {
    /// The file.
    pub(crate) fn to_ics(&self) -> String {
        let mut lines = vec![
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".into(),
            "PRODID:-//Signalbox//Signalbox//EN".into(),
            "METHOD:PUBLISH".into(),
            "BEGIN:VEVENT".into(),
            format!("UID:{}@google.com", text(self.entry)),
            format!("DTSTAMP:{}", utc(self.said_at.to_timestamp())),
            // Minutes, for the number has 31 bits.
            format!("SEQUENCE:{}", (self.said_at.as_seconds() / 60).max(0)),
            moment("DTSTART", &self.start),
        ];
        lines.extend(self.end.as_ref().map(|end| moment("DTEND", end)));
        lines.push(format!("SUMMARY:{}", text(self.title)));
        for (name, value) in [
            ("LOCATION", self.location),
            ("DESCRIPTION", self.description),
        ] {
            lines.extend(value.map(|value| format!("{name}:{}", text(value))));
        }
        let status = if self.is_cancelled {
            "CANCELLED"
        } else {
            "CONFIRMED"
        };
        lines.push(format!("STATUS:{status}"));
        lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".into()]);
        lines.iter().map(|line| folded(line)).collect()
    }
}

fn utc(at: jiff::Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn moment(name: &str, when: &When) -> String {
    match when {
        When::Day(day) => format!("{name};VALUE=DATE:{}", day.strftime("%Y%m%d")),
        When::At(at, _) => format!("{name}:{}", utc(at.timestamp())),
    }
}

/// Words as a value: what would end it or part it is escaped, and what no text can hold is left out.
fn text(words: &str) -> String {
    let words = words.replace("\r\n", "\n").replace('\r', "\n");
    let mut value = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '\\' | ';' | ',' => value.extend(['\\', c]),
            '\n' => value.push_str("\\n"),
            '\t' => value.push(c),
            c if c.is_control() => {}
            c => value.push(c),
        }
    }
    value
}

/// A line with its end, broken where it is too long: what goes on begins with a blank.
fn folded(line: &str) -> String {
    let mut all = String::with_capacity(line.len() + 2);
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > LONGEST_LINE {
            all.push_str("\r\n ");
            length = 1;
        }
        all.push(c);
        length += c.len_utf8();
    }
    all + "\r\n"
}

/// A delivery has nothing that could be put into a calendar.
fn nothing_to_tell(detail: &str) -> Error {
    Error::conflict(detail)
}

impl Hub {
    /// The appointment of a calendar delivery as a file, whatever became of the delivery.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it is about no calendar, or does not say when the appointment is.
    pub async fn delivery_ics(&self, workspace: WorkspaceId, id: DeliveryId) -> Result<String> {
        self.db
            .read(move |conn| {
                let record = db::deliveries::get(conn, workspace, id)?
                    .ok_or_else(|| Error::not_found("delivery"))?;
                if record.channel != Channel::Calendar {
                    return Err(nothing_to_tell(
                        "Only what goes into a calendar can be had as an appointment.",
                    ));
                }
                let body = match &record.automation {
                    Some(_) => db::bodies::of(conn, record.seq)?.unwrap_or_default(),
                    None => db::deliveries::claimed(conn, record.seq)?.data,
                };
                let subject = record.subject.as_deref();
                let order = Order::read(&record.event_type, subject, &body);
                let Some((order, entry)) = order.filter(|_| record.purged_at.is_none()) else {
                    return Err(nothing_to_tell(
                        "What this delivery says was not made, or was removed for its age.",
                    ));
                };
                let own = db::workspaces::get(conn, workspace)?
                    .map_or_else(|| "UTC".to_owned(), |found| found.timezone);
                let known = db::calendar_entries::get(conn, workspace, &entry)?;
                let said = Said::of(order, &own);
                let start = said.times.start.or_else(|| {
                    let at = known.as_ref()?.starts_at?.to_timestamp();
                    let zone = jiff::tz::TimeZone::UTC;
                    Some(When::At(at.to_zoned_datetime(zone), "UTC".into()))
                });
                let Some(start) = start else {
                    return Err(nothing_to_tell(
                        "This delivery does not say when the appointment is. The one that made the entry does.",
                    ));
                };
                let title = said.title.or_else(|| known.map(|row| row.title));
                Ok(Appointment {
                    entry: &entry,
                    said_at: record.created_at,
                    title: title.as_deref().unwrap_or("Appointment"),
                    description: said.description.as_deref(),
                    location: said.location.as_deref(),
                    start,
                    end: said.times.end,
                    is_cancelled: said.is_cancelled,
                }
                .to_ics())
            })
            .await
    }
}

/// What an order says about its appointment.
struct Said {
    title: Option<String>,
    description: Option<String>,
    location: Option<String>,
    times: Times,
    is_cancelled: bool,
}

impl Said {
    fn of(order: Order, own: &str) -> Self {
        let nothing = Times {
            start: None,
            end: None,
        };
        match order {
            Order::Create(entry) | Order::Sync(entry) => Self {
                times: times(
                    Some(&entry.start_time),
                    Some(&entry.end_time),
                    entry.timezone.as_deref(),
                    entry.all_day,
                    own,
                )
                .unwrap_or(nothing),
                title: Some(entry.title),
                description: entry.description,
                location: entry.location,
                is_cancelled: false,
            },
            Order::Update(patch) => Self {
                times: times(
                    patch.start_time.as_deref(),
                    patch.end_time.as_deref(),
                    patch.timezone.as_deref(),
                    patch.all_day,
                    own,
                )
                .unwrap_or(nothing),
                title: patch.title,
                description: patch.description.flatten(),
                location: patch.location.flatten(),
                is_cancelled: false,
            },
            Order::Delete(_) => Self {
                title: None,
                description: None,
                location: None,
                times: nothing,
                is_cancelled: true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn appointment<'a>(title: &'a str, start: &str, end: &str, zone: &str) -> Appointment<'a> {
        let times = times(Some(start), Some(end), None, None, zone).unwrap();
        Appointment {
            entry: "abc",
            said_at: Time::parse("2026-11-24T09:03:00Z").unwrap(),
            title,
            description: None,
            location: Some("Main Street 1; 2nd floor, left"),
            start: times.start.unwrap(),
            end: times.end,
            is_cancelled: false,
        }
    }

    /// The lines as a reader of the file has them.
    fn lines(file: &str) -> Vec<String> {
        let unfolded = file.replace("\r\n ", "");
        unfolded
            .split_terminator("\r\n")
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn an_appointment_is_a_file_of_rfc_5545() {
        let file = appointment(
            "Cut",
            "2026-11-26T09:30",
            "2026-11-26T11:00",
            "Europe/Berlin",
        );
        assert_eq!(
            lines(&file.to_ics()),
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//Signalbox//Signalbox//EN",
                "METHOD:PUBLISH",
                "BEGIN:VEVENT",
                "UID:abc@google.com",
                "DTSTAMP:20261124T090300Z",
                "SEQUENCE:29925183",
                "DTSTART:20261126T083000Z",
                "DTEND:20261126T100000Z",
                "SUMMARY:Cut",
                "LOCATION:Main Street 1\\; 2nd floor\\, left",
                "STATUS:CONFIRMED",
                "END:VEVENT",
                "END:VCALENDAR",
            ]
        );
    }

    #[test]
    fn whole_days_are_dates_and_what_is_cancelled_says_so() {
        let mut file = appointment("Holiday", "2026-12-24", "2026-12-27", "Europe/Berlin");
        file.is_cancelled = true;
        let lines = lines(&file.to_ics());
        for line in [
            "DTSTART;VALUE=DATE:20261224",
            "DTEND;VALUE=DATE:20261227",
            "STATUS:CANCELLED",
        ] {
            assert!(lines.iter().any(|one| one == line), "{line}: {lines:?}");
        }
    }

    #[test]
    fn no_words_end_their_line() {
        let title = "a\\b;c,d\r\nEND:VEVENT\nX\u{0}Y\tZ\rW";
        let file = appointment(title, "2026-11-26T09:30", "2026-11-26T11:00", "UTC");
        let lines = lines(&file.to_ics());
        assert_eq!(lines[10], "SUMMARY:a\\\\b\\;c\\,d\\nEND:VEVENT\\nXY\tZ\\nW");
        assert_eq!(lines.len(), 15);
    }

    proptest! {
        #[test]
        fn lines_are_no_longer_than_75_bytes_and_say_the_same_unfolded(title in "\\PC{0,200}") {
            let file = appointment(&title, "2026-11-26T09:30", "2026-11-26T11:00", "UTC").to_ics();
            for line in file.split_terminator("\r\n") {
                prop_assert!(line.len() <= LONGEST_LINE);
            }
            let read = lines(&file).swap_remove(10);
            let read = read.strip_prefix("SUMMARY:").unwrap();
            prop_assert_eq!(read.replace("\\;", ";").replace("\\,", ",").replace("\\\\", "\\"), title);
        }
    }
}
