//! Everything about one booking or one customer, in the order of time: events, each with what went
//! out because of it.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter::{From, read_limit};
use super::read::Reader;
use super::{Channel, DeliveryRow, Order, Status};
use crate::clock::Time;
use crate::db;
use crate::db::events::EventRow;
use crate::db::log::{Asked, Wanted};
use crate::db::search::Look;
use crate::error::{Error, Result};
use crate::events;
use crate::explain::count;
use crate::hub::Hub;
use crate::ids::{EventId, WorkspaceId};
use crate::words::{Question, Words};

/// Events that are looked at, at most, for one page about a customer.
const LOOKED_AT: usize = 5_000;
/// Rows that are looked at together.
const AT_ONCE: usize = 200;
/// Deliveries that the sentence names.
const NAMED: usize = 4;

/// About what, or about whom: one of the three.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
pub struct StoryFilter {
    /// One booking, contact, article …
    pub subject: Option<String>,
    /// Whom or where something went to.
    pub recipient: Option<String>,
    /// One customer: an email address, a phone number in any spelling, or a name.
    pub customer: Option<String>,
    /// Events of a page, 1 to 200; default 50.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// `GET /api/story`: the newest part first, each part in the order of time.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StoryPage {
    /// "Booking 1047", or the customer.
    pub title: String,
    /// How it stands: "Cash desk received it 16:02; text accepted 16:02, delivered 16:02."
    pub sentence: String,
    /// Oldest first.
    pub steps: Vec<StoryStep>,
    /// Pass it on for what happened before; null at the beginning.
    pub next_cursor: Option<String>,
}

/// An event, and what went out because of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StoryStep {
    /// When it was recorded.
    pub at: Time,
    /// The event.
    pub event_id: EventId,
    /// "Booking changed"
    pub label: String,
    /// "Maria Petersen, cut and colour"
    pub what: String,
    /// Oldest first.
    pub deliveries: Vec<DeliveryRow>,
}

/// What a story is about, read.
enum About {
    Subject(String),
    Recipient(String),
    Customer(Customer),
}

impl About {
    fn read(filter: &StoryFilter) -> Result<Self> {
        let given = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            (!text.trim().is_empty()).then(|| text.to_owned())
        };
        let one_only = |path: &str| {
            Error::field(
                path,
                "invalid",
                "A story is about one of subject, recipient and customer.",
            )
        };
        match (
            given(&filter.subject),
            given(&filter.recipient),
            given(&filter.customer),
        ) {
            (Some(subject), None, None) => Ok(Self::Subject(subject)),
            (None, Some(recipient), None) => Ok(Self::Recipient(recipient)),
            (None, None, Some(customer)) => Customer::read(&customer).map(Self::Customer),
            (None, None, None) => Err(Error::field(
                "subject",
                "required",
                "Say what the story is about: subject, recipient or customer.",
            )),
            (Some(_), _, _) => Err(one_only("subject")),
            (None, ..) => Err(one_only("recipient")),
        }
    }
}

/// A customer, as typed.
struct Customer {
    typed: String,
    question: Question,
}

impl Customer {
    fn read(typed: &str) -> Result<Self> {
        let typed = typed.trim().to_owned();
        // With a space behind it no word is only the beginning of one.
        let question = Question::read(&format!("{typed} ")).ok_or_else(|| {
            Error::field(
                "customer",
                "invalid",
                "Give an email address, a phone number or a name.",
            )
        })?;
        Ok(Self { typed, question })
    }

    /// Whether one value of the data names this customer: two people may share a page, but not a
    /// line.
    fn is_in(&self, data: &Value) -> bool {
        match data {
            Value::String(text) if self.typed.contains('@') => {
                text.trim().to_lowercase() == self.typed.to_lowercase()
            }
            Value::String(text) => {
                let mut words = Words::default();
                words.add(text);
                words.answer(&self.question)
            }
            Value::Number(number) => self.is_in(&Value::String(number.to_string())),
            Value::Array(all) => all.iter().any(|one| self.is_in(one)),
            Value::Object(members) => members.values().any(|one| self.is_in(one)),
            Value::Null | Value::Bool(_) => false,
        }
    }
}

impl Hub {
    /// Everything about one booking or one customer.
    ///
    /// # Errors
    /// `Invalid` when it is not said about what, or about more than one thing, and for a limit or
    /// cursor that is none.
    pub async fn story(&self, workspace: WorkspaceId, filter: StoryFilter) -> Result<StoryPage> {
        let (about, limit) = (About::read(&filter)?, read_limit(filter.limit)?);
        let before = match From::read(filter.cursor.as_deref())? {
            From::After(seq) => Some(seq),
            From::Start | From::Before(_) => None,
        };
        let now = self.now();
        self.db
            .read_log(move |conn, look| {
                let reader = Reader::new(conn, workspace, now)?;
                let mut search = Search {
                    conn,
                    look,
                    workspace,
                    limit,
                };
                let (mut events, next) = match &about {
                    About::Subject(subject) => search.about(subject, before)?,
                    About::Recipient(recipient) => search.sent_to(recipient, before)?,
                    About::Customer(customer) => search.of(customer, before)?,
                };
                events.reverse();
                let title = title(&about, &events);
                let mut steps = Vec::with_capacity(events.len());
                for event in &events {
                    let data = String::from_utf8_lossy(&event.data);
                    let deliveries = db::deliveries::of_event(conn, event)?;
                    steps.push(StoryStep {
                        at: event.received_at,
                        event_id: event.id,
                        label: reader.label(&event.event_type),
                        what: events::in_a_few_words(&data),
                        deliveries: deliveries.iter().map(|row| reader.row(row)).collect(),
                    });
                }
                let more = next.is_some() || before.is_some();
                Ok(StoryPage {
                    sentence: sentence(&steps, more, &title, |at| reader.moment(at)),
                    title,
                    steps,
                    next_cursor: next.and_then(|seq| From::After(seq).cursor()),
                })
            })
            .await
    }
}

/// Events of a story, newest first; the second is the row before which the next page begins.
type Found = (Vec<EventRow>, Option<i64>);

struct Search<'a> {
    conn: &'a Connection,
    look: &'a mut Look,
    workspace: WorkspaceId,
    limit: usize,
}

impl Search<'_> {
    fn about(&mut self, subject: &str, before: Option<i64>) -> Result<Found> {
        let wanted = Wanted {
            subject: Some(subject.to_owned()),
            by_itself: true,
            ..Wanted::default()
        };
        self.walk(&wanted, before, |_| true)
    }

    fn of(&mut self, customer: &Customer, before: Option<i64>) -> Result<Found> {
        let wanted = Wanted {
            question: Some(customer.question.clone()),
            by_itself: true,
            ..Wanted::default()
        };
        self.walk(&wanted, before, |event| {
            serde_json::from_slice(&event.data).is_ok_and(|data| customer.is_in(&data))
        })
    }

    fn walk(
        &mut self,
        wanted: &Wanted,
        before: Option<i64>,
        fits: impl Fn(&EventRow) -> bool,
    ) -> Result<Found> {
        let asked = Asked::events(self.conn, self.workspace, wanted)?;
        let (mut found, mut from, mut seen) = (Vec::new(), before, 0);
        loop {
            let seqs = asked.find(self.conn, self.look, from, Order::Desc, AT_ONCE)?;
            for seq in &seqs {
                seen += 1;
                let Some(event) = db::events::at(self.conn, *seq)?.filter(|event| fits(event))
                else {
                    continue;
                };
                if found.len() == self.limit {
                    let next = found.last().map(|event: &EventRow| event.seq);
                    return Ok((found, next));
                }
                found.push(event);
            }
            from = seqs.last().copied();
            if seqs.len() < AT_ONCE {
                return Ok((found, None));
            }
            if seen >= LOOKED_AT {
                return Ok((found, from));
            }
        }
    }

    /// By the deliveries themselves: whom something went to need not stand in the event.
    fn sent_to(&mut self, recipient: &str, before: Option<i64>) -> Result<Found> {
        let wanted = Wanted {
            recipient: Some(recipient.trim().to_owned()),
            test: Some(false),
            ..Wanted::default()
        };
        let asked = Asked::deliveries(self.conn, self.workspace, &wanted)?;
        // Deliveries stand in the order of their events.
        let mut from = match before {
            None => None,
            Some(seq) => Some(
                db::events::at(self.conn, seq)?.map_or(i64::MIN, |event| event.deliveries.start),
            ),
        };
        let mut found: Vec<EventRow> = Vec::new();
        loop {
            let seqs = asked.find(self.conn, self.look, from, Order::Desc, AT_ONCE)?;
            for seq in &seqs {
                // What was sent again stands with its event, where it was sent first.
                let event = db::deliveries::at(self.conn, *seq)?
                    .filter(|row| row.replay_of.is_none())
                    .map(|row| row.event_id.row());
                let Some(event) = event.filter(|seq| found.last().is_none_or(|e| e.seq != *seq))
                else {
                    continue;
                };
                if found.len() == self.limit {
                    let next = found.last().map(|event| event.seq);
                    return Ok((found, next));
                }
                found.extend(db::events::at(self.conn, event)?);
            }
            from = seqs.last().copied();
            if seqs.len() < AT_ONCE {
                return Ok((found, None));
            }
        }
    }
}

/// "Booking 1047"; a customer by the name in the newest event, else as typed.
fn title(about: &About, oldest_first: &[EventRow]) -> String {
    match about {
        About::Subject(subject) => {
            let kind = oldest_first.last().map(|event| event.event_type.as_str());
            let noun = kind.and_then(|kind| kind.split('.').next());
            match noun {
                None => subject.clone(),
                Some("inventory") => format!("Article {subject}"),
                Some(noun) => format!("{} {subject}", events::label_from_name(noun)),
            }
        }
        About::Recipient(recipient) => recipient.clone(),
        About::Customer(customer) => {
            let name = oldest_first.iter().rev().find_map(|event| {
                let data: Value = serde_json::from_slice(&event.data).ok()?;
                let whole = data.get("customer").filter(|who| who.is_object());
                let who = whole.unwrap_or(&data);
                // A name beside what was typed, or made of it.
                customer
                    .is_in(who)
                    .then(|| who.get("name")?.as_str().map(str::to_owned))?
            });
            name.unwrap_or_else(|| customer.typed.clone())
        }
    }
}

/// How it stands, in a sentence. Pure.
fn sentence(
    steps: &[StoryStep],
    more: bool,
    title: &str,
    moment: impl Fn(Time) -> String,
) -> String {
    let Some(newest) = steps.last() else {
        return format!("Nothing is known of {title}.");
    };
    let mut clauses: Vec<String> = newest
        .deliveries
        .iter()
        .take(NAMED)
        .map(|row| clause(row, &moment))
        .collect();
    if newest.deliveries.len() > NAMED {
        clauses.push(format!("{} more", newest.deliveries.len() - NAMED));
    }
    let last = if clauses.is_empty() {
        "nobody was to be told".to_owned()
    } else {
        clauses.join("; ")
    };
    if steps.len() == 1 && !more {
        return capital(&last) + ".";
    }
    let rows = || steps.iter().flat_map(|step| &step.deliveries);
    let (all, through) = (
        rows().count() as u64,
        rows().filter(|row| row.status == Status::Success).count() as u64,
    );
    let whole = if all == 0 {
        "nobody was to be told".into()
    } else if all == through {
        "everybody was told".into()
    } else {
        let mut parts = vec![format!(
            "{through} of {} got through",
            count(all, "delivery", "deliveries")
        )];
        let failed = rows().filter(|row| row.status == Status::Failed).count();
        let open = rows().filter(|row| row.finished_at.is_none()).count();
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        if open > 0 {
            parts.push(format!("{open} waiting"));
        }
        parts.join(", ")
    };
    let things = count(steps.len() as u64, "thing", "things");
    let things = if more {
        format!("{things} here")
    } else {
        format!("{things} happened")
    };
    format!("{things}; {whole}. Last, {}: {last}.", newest.label)
}

/// What is known of one delivery. Accepted is not delivered.
fn clause(row: &DeliveryRow, moment: &impl Fn(Time) -> String) -> String {
    let what = match row.channel {
        Channel::Webhook => row.who.as_str(),
        Channel::Email => "email",
        Channel::Sms => "text",
        Channel::Calendar => "calendar entry",
        Channel::Storage => "file",
    };
    let at = |time: Option<Time>| {
        time.map(|at| format!(" {}", moment(at)))
            .unwrap_or_default()
    };
    let ended = at(row.finished_at);
    match (row.status, row.channel) {
        (Status::Success, Channel::Webhook) => format!("{what} received it{ended}"),
        (Status::Success, Channel::Email | Channel::Sms) => match row.delivered_at {
            Some(_) => format!("{what} accepted{ended}, delivered{}", at(row.delivered_at)),
            None if row.channel == Channel::Email => {
                format!("{what} accepted by SendGrid{ended}, delivery not confirmed")
            }
            None => format!("{what} accepted{ended}, delivery not confirmed"),
        },
        (Status::Success, Channel::Calendar) => format!("{what} written{ended}"),
        (Status::Success, Channel::Storage) => format!("{what} stored{ended}"),
        (Status::Pending, _) if row.attempt_count > 0 => {
            format!("{what} not through yet, next try{}", at(row.due_at))
        }
        (Status::Pending, _) => format!("{what} waiting"),
        (Status::Sending, _) => format!("{what} under way"),
        (Status::Held, _) => format!("{what} held"),
        (Status::Failed, _) => format!("{what} failed{ended}"),
        (Status::Unknown, _) => format!("{what} not known"),
        (Status::Skipped, _) => format!("{what} skipped"),
        (Status::Cancelled, _) => format!("{what} closed by you{ended}"),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_found_by_one_value_of_the_data() {
        let data = serde_json::json!({
            "customer": {"name": "Jörg Müller", "email": "J.Mueller@example.com", "phone": "+49 170 1234567"},
            "notes": "with Maria Petersen",
        });
        for typed in [
            "jorg muller",
            "Müller",
            "j.mueller@EXAMPLE.com",
            "0170/123 45 67",
        ] {
            assert!(Customer::read(typed).unwrap().is_in(&data), "{typed}");
        }
        for typed in ["Maria Müller", "Mül", "mueller@example.com", "0170 1234568"] {
            assert!(!Customer::read(typed).unwrap().is_in(&data), "{typed}");
        }
        assert!(Customer::read("?!").is_err());
    }
}
