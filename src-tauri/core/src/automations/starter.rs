//! What a new business can switch on: for every event what a small business usually wants, in words
//! that can go out as they are. All of it arrives switched off.

use super::{
    Action, CalendarAction, EmailAction, Events, NewAutomation, Operation, RelativeTo, SmsAction,
    StorageAction, store,
};
use crate::clock::Time;
use crate::db;
use crate::error::Result;
use crate::ids::WorkspaceId;

/// How long before an appointment a reminder goes out, in minutes.
const DAY_BEFORE: i64 = -24 * 60;
const OWNER: &str = "{{ workspace.email }}";
const CUSTOMER: &str = "{{ customer.email }}";
const BOOKING: [&str; 3] = ["booking.created", "booking.updated", "booking.cancelled"];

/// The words of a letter, as they stand in its two files.
struct Letter {
    html: &'static str,
    text: &'static str,
}

macro_rules! letter {
    ($name:literal) => {
        Letter {
            html: include_str!(concat!("starter/", $name, ".html")),
            text: include_str!(concat!("starter/", $name, ".txt")),
        }
    };
}

impl Letter {
    /// The whole letter: what several share is one file.
    fn action(&self, to: &str, subject: &str) -> EmailAction {
        let html = include_str!("starter/frame.html")
            .replace("<!-- words -->\n", self.html)
            .replace("<!-- booking -->\n", include_str!("starter/booking.html"))
            .replace("<!-- answers -->\n", include_str!("starter/answers.html"));
        let text = self
            .text
            .replace("<!-- booking -->\n", include_str!("starter/booking.txt"))
            .replace("<!-- answers -->\n", include_str!("starter/answers.txt"));
        EmailAction {
            to: to.into(),
            subject: subject.into(),
            html: Some(html),
            text: Some(text),
            ..EmailAction::default()
        }
    }
}

fn text(message: &str) -> Action {
    Action::Sms(SmsAction {
        to: "{{ customer.phone }}".into(),
        message: message.trim().into(),
    })
}

fn automation(name: &str, events: &[&str], action: Action) -> NewAutomation {
    NewAutomation {
        name: name.into(),
        event: Events(events.iter().map(|one| (*one).to_owned()).collect()),
        is_active: Some(false),
        condition: None,
        gather_seconds: None,
        delay_minutes: None,
        relative_to: None,
        limit: None,
        action,
    }
}

/// All of it, in the order in which it is shown.
fn starters() -> Vec<NewAutomation> {
    let letter = |name: &str, event: &str, letter: &Letter, to: &str, subject: &str| {
        let action = EmailAction {
            // So the customer has it in the calendar with one click, changed too.
            attach_ics: BOOKING.contains(&event).then_some(true),
            ..letter.action(to, subject)
        };
        automation(name, &[event], Action::Email(action))
    };
    // An answer goes to the customer and not to ourselves.
    let notice = |name: &str, event: &str, letter: &Letter, reply_to: &str, subject: &str| {
        let action = EmailAction {
            reply_to: Some(reply_to.into()),
            ..letter.action(OWNER, subject)
        };
        automation(name, &[event], Action::Email(action))
    };
    vec![
        letter(
            "Booking confirmation",
            "booking.created",
            &letter!("confirmation"),
            CUSTOMER,
            "Your booking on {{ startTime | date(\"%A, %-d %B\") }}",
        ),
        automation(
            "Booking confirmation by text",
            &["booking.created"],
            text(include_str!("starter/confirmation_text.txt")),
        ),
        letter(
            "Booking changed",
            "booking.updated",
            &letter!("change"),
            CUSTOMER,
            "Your booking has changed: {{ startTime | date(\"%A, %-d %B\") }}",
        ),
        letter(
            "Booking cancelled",
            "booking.cancelled",
            &letter!("cancellation"),
            CUSTOMER,
            "Your booking has been cancelled",
        ),
        NewAutomation {
            relative_to: Some(RelativeTo {
                field: "startTime".into(),
                minutes: DAY_BEFORE,
            }),
            ..automation(
                "Reminder the day before",
                &["booking.created", "booking.updated"],
                text(include_str!("starter/reminder_text.txt")),
            )
        },
        automation(
            "Bookings in the calendar",
            &BOOKING,
            Action::Calendar(entry()),
        ),
        automation(
            "Bookings as files",
            &BOOKING,
            Action::Storage(StorageAction {
                key: "bookings/{{ event.subject | default(event.id) }}.json".into(),
                content: "{{ data | tojson }}".into(),
                content_type: Some("application/json".into()),
            }),
        ),
        letter(
            "Welcome",
            "contact.created",
            &letter!("welcome"),
            "{{ email }}",
            "Welcome to {{ workspace.name }}",
        ),
        letter(
            "Form received",
            "form.submitted",
            &letter!("form_thanks"),
            CUSTOMER,
            "Thank you, we have received {{ formName | default(\"your form\") }}",
        ),
        notice(
            "Form received, to you",
            "form.submitted",
            &letter!("form_notice"),
            CUSTOMER,
            "{{ formName | default(\"A form\") }}{% if customer.name %} from {{ customer.name }}{% endif %}",
        ),
        letter(
            "Stock is low, to you",
            "inventory.low",
            &letter!("stock"),
            OWNER,
            "Running low: {{ name | default(sku) }}",
        ),
        notice(
            "New message, to you",
            "message.received",
            &letter!("message"),
            "{{ from }}",
            "Message from {{ from | default(\"somebody\") }}",
        ),
    ]
}

fn entry() -> CalendarAction {
    CalendarAction {
        operation: Operation::Sync,
        entry: None,
        title: Some(
            "{{ title | default(\"Booking\") }}{% if customer.name %}: {{ customer.name }}{% endif %}"
                .into(),
        ),
        description: Some(include_str!("starter/entry.txt").into()),
        start_time: Some("{{ startTime }}".into()),
        end_time: Some("{{ endTime }}".into()),
        timezone: None,
        all_day: None,
        attendees: Vec::new(),
        location: Some("{{ location | default(\"\") }}".into()),
        reminders: None,
        send_updates: None,
    }
}

/// Puts them into a workspace that has just been made.
pub(crate) fn arrive(conn: &rusqlite::Connection, workspace: WorkspaceId, now: Time) -> Result<()> {
    for starter in starters() {
        db::automations::insert(conn, workspace, &store::row(starter, now))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::automations::check::{action, texts};
    use crate::automations::template::{Escape, Scene, Trouble, render};
    use crate::integrations::sms::segments;

    fn scene<'a>(event_type: &'a str, data: &'a Value) -> Scene<'a> {
        Scene {
            event_type,
            event_id: "evt_1",
            subject: None,
            occurred_at: Time::from_ms(1_795_493_359_000),
            data,
            workspace: "Nordlicht Salon",
            email: Some("hello@nordlicht.example"),
            timezone: "Europe/Berlin",
            now: Time::from_ms(1_795_493_359_000),
        }
    }

    fn example(event_type: &str) -> Value {
        let all = crate::events::built_in();
        let found = all.iter().find(|kind| kind.name == event_type).unwrap();
        found.example.clone()
    }

    /// Each text of each starter, with each type that it listens to.
    fn all() -> Vec<(String, String, String, String)> {
        let mut all = Vec::new();
        for starter in starters() {
            for event in &starter.event.0 {
                for (path, source) in texts(&starter.action) {
                    all.push((starter.name.clone(), event.clone(), path, source.to_owned()));
                }
            }
        }
        all
    }

    fn escape(path: &str) -> Escape {
        if path == "html" {
            Escape::Html
        } else {
            Escape::Plain
        }
    }

    #[test]
    fn each_type_has_something_and_all_of_it_can_be_saved_and_is_off() {
        let starters = starters();
        for kind in crate::events::built_in() {
            assert!(
                starters.iter().any(|s| s.event.0.contains(&kind.name)),
                "{}",
                kind.name
            );
        }
        for starter in &starters {
            assert_eq!(action(&starter.action), [], "{}", starter.name);
            assert_eq!(starter.is_active, Some(false));
        }
    }

    #[test]
    fn each_text_can_be_made_of_the_example_of_its_type() {
        for (name, event, path, source) in all() {
            let data = example(&event);
            let made = render(&source, escape(&path), &scene(&event, &data));
            let made = made.unwrap_or_else(|trouble| panic!("{name}, {path}: {trouble:?}"));
            assert!(!made.contains("<!--"), "{name}, {path}: {made}");
            // What may be absent leaves no gap behind.
            assert!(!made.contains("\n\n\n"), "{name}, {path}: {made:?}");
        }
    }

    #[test]
    fn of_an_empty_event_each_text_misses_what_it_truly_needs_and_nothing_else() {
        let mut needs: Vec<(String, String)> = Vec::new();
        for (name, event, path, source) in all() {
            let data = json!({});
            match render(&source, escape(&path), &scene(&event, &data)) {
                Ok(made) => assert!(!made.contains("\n\n\n"), "{name}, {path}: {made:?}"),
                Err(Trouble::Missing(names)) => {
                    let need = (format!("{name}: {path}"), names.join(" "));
                    if !needs.contains(&need) {
                        needs.push(need);
                    }
                }
                Err(other) => panic!("{name}, {path}: {other:?}"),
            }
        }
        let needs: Vec<String> = needs
            .into_iter()
            .map(|(a, b)| format!("{a}: {b}"))
            .collect();
        assert_eq!(
            needs,
            [
                "Booking confirmation: to: customer.email",
                "Booking confirmation: subject: startTime",
                "Booking confirmation: html: startTime",
                "Booking confirmation: text: startTime",
                "Booking confirmation by text: to: customer.phone",
                "Booking confirmation by text: message: startTime",
                "Booking changed: to: customer.email",
                "Booking changed: subject: startTime",
                "Booking changed: html: startTime",
                "Booking changed: text: startTime",
                "Booking cancelled: to: customer.email",
                "Reminder the day before: to: customer.phone",
                "Reminder the day before: message: startTime",
                "Bookings in the calendar: startTime: startTime",
                "Bookings in the calendar: endTime: endTime",
                "Welcome: to: email",
                "Form received: to: customer.email",
                "Form received, to you: replyTo: customer.email",
                "Stock is low, to you: subject: name",
                "Stock is low, to you: html: name",
                "Stock is low, to you: text: name",
                "New message, to you: replyTo: from",
                "New message, to you: html: text",
                "New message, to you: text: text",
            ]
        );
    }

    #[test]
    fn a_text_fits_into_one_segment() {
        for (name, event, _, source) in all().iter().filter(|one| one.2 == "message") {
            let data = example(event);
            let made = render(source, Escape::Plain, &scene(event, &data)).unwrap();
            assert_eq!(segments::count(&made).segments, 1, "{name}: {made}");
        }
    }

    #[test]
    fn a_booking_is_kept_as_it_was_handed_in_and_answers_of_every_kind_can_be_read() {
        let data = json!({"bookingId": "1", "price": 85.5, "notes": "", "room": null});
        let made = render(
            "{{ data | tojson }}",
            Escape::Plain,
            &scene("booking.created", &data),
        );
        assert_eq!(serde_json::from_str::<Value>(&made.unwrap()).unwrap(), data);
        let data = json!({"fields": {"Extras": ["Tea", "Wash"], "News": true, "Guests": 2, "At": {"h": 9}, "Empty": ""}});
        let made = render(
            include_str!("starter/answers.txt"),
            Escape::Plain,
            &scene("form.submitted", &data),
        );
        assert_eq!(
            made.as_deref().map(str::trim),
            Ok("Extras: Tea, Wash\nNews: yes\nGuests: 2\nAt: {\"h\":9}")
        );
    }
}
