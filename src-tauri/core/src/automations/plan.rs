//! What an event asks for: pure. The same event, automations and moment give the same plan.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::render::{self, Found, Made};
use super::template::Scene;
use super::when::{self, QuietHours, When};
use super::{Action, Settings, Why};
use crate::clock::Time;
use crate::condition::Condition;
use crate::ids::{AutomationId, WorkspaceId};
use crate::integrations::Kind;

/// The business, as far as texts and times need it.
#[derive(Debug, Clone)]
pub(crate) struct Business {
    pub(crate) workspace: WorkspaceId,
    pub(crate) name: String,
    /// What its emails come from, once that is set up.
    pub(crate) email: Option<String>,
    pub(crate) timezone: String,
    pub(crate) zone: TimeZone,
    pub(crate) quiet_hours: Option<QuietHours>,
    /// How many messages in ten minutes, for automations that do not say so.
    pub(crate) limit: u32,
}

/// An automation that is ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) id: AutomationId,
    pub(crate) version: u32,
    pub(crate) settings: Settings,
    pub(crate) condition: Option<Condition>,
    pub(crate) action: Action,
}

impl Ready {
    /// True when it does something because of such an event.
    pub(crate) fn listens_to(&self, event_type: &str) -> bool {
        self.settings.event.0.iter().any(|one| one == event_type)
    }

    /// True for the end of what this one is about, also where it does not listen to that.
    fn ends_with(&self, event_type: &str) -> bool {
        let Some(family) = event_type.strip_suffix(".cancelled") else {
            return false;
        };
        self.settings.event.0.iter().any(|one| {
            one.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// True when an event of this type means anything to it.
    pub(crate) fn concerns(&self, event_type: &str) -> bool {
        self.listens_to(event_type) || self.ends_with(event_type)
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happened<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) event_id: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) occurred_at: Time,
    pub(crate) data: &'a str,
}

/// What is done, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// This is sent.
    Send { body: String },
    /// It waits for a value.
    Incomplete(Why),
    /// There is nobody to send it to.
    NoRecipient(Why),
    /// Its time has passed.
    TooLate(Why),
}

/// One delivery to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) automation: AutomationId,
    pub(crate) version: u32,
    pub(crate) kind: Kind,
    pub(crate) recipient: String,
    pub(crate) deed: Deed,
    /// Its own time; none is as soon as it can.
    pub(crate) due: Option<Time>,
    /// From then on there is no point in it.
    pub(crate) until: Option<Time>,
    /// How long it waits for another change, in milliseconds; then `due` follows from that.
    pub(crate) settles: Option<i64>,
    /// How many of these in ten minutes.
    pub(crate) limit: Option<u32>,
}

/// All that an event asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Whose deliveries about the same subject are the truth no more, while they wait.
    pub(crate) supersedes: Vec<Supersedes>,
    pub(crate) planned: Vec<Planned>,
}

/// What of an automation's a newer event takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Supersedes {
    pub(crate) automation: AutomationId,
    pub(crate) kind: Kind,
    /// True: only changes that wait for another one, for nothing may overtake them and be undone by
    /// them; false: whatever waits.
    pub(crate) gathered_only: bool,
}

/// The data as texts see it; what cannot be read has no values.
pub(crate) fn read(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_default()
}

/// What an event asks of these automations.
pub(crate) fn plan(
    event: &Happened<'_>,
    automations: &[Arc<Ready>],
    business: &Business,
    now: Time,
) -> Plan {
    let mut plan = Plan::default();
    let mut data = None;
    for automation in automations {
        if !automation.concerns(event.event_type) {
            continue;
        }
        if event.subject.is_some() {
            let newest_counts =
                when::is_change(event.event_type) || when::is_follow_up(&automation.settings);
            plan.supersedes.push(Supersedes {
                automation: automation.id,
                kind: automation.action.kind(),
                gathered_only: !newest_counts,
            });
        }
        if !automation.listens_to(event.event_type) {
            continue;
        }
        let data = data.get_or_insert_with(|| read(event.data));
        if fits(automation, event.data) {
            plan.planned
                .push(of_one(event, automation, data, business, now).0);
        }
    }
    plan
}

/// Whether an event's data is what an automation asks for.
pub(crate) fn fits(automation: &Ready, data: &str) -> bool {
    automation
        .condition
        .as_ref()
        .is_none_or(|condition| condition.fits(data))
}

/// The text that an automation makes of an event, and what is wrong with it.
pub(crate) fn text(
    event: &Happened<'_>,
    automation: &Ready,
    data: &Value,
    business: &Business,
    now: Time,
) -> (Made, Vec<Found>) {
    let scene = Scene {
        event_type: event.event_type,
        event_id: event.event_id,
        subject: event.subject,
        occurred_at: event.occurred_at,
        data,
        workspace: &business.name,
        email: business.email.as_deref(),
        timezone: &business.timezone,
        now,
    };
    render::make(&automation.action, &scene, business)
}

/// The delivery that one automation makes of an event, and what is wrong with its texts.
pub(crate) fn of_one(
    event: &Happened<'_>,
    automation: &Ready,
    data: &Value,
    business: &Business,
    now: Time,
) -> (Planned, Vec<Found>) {
    let kind = automation.action.kind();
    let (made, found) = text(event, automation, data, business, now);
    let (mut recipient, mut deed) = match made {
        Made::Ready { body, recipient } => (recipient, Deed::Send { body }),
        Made::NoRecipient(why) => (String::new(), Deed::NoRecipient(why)),
        Made::Incomplete(why) => (String::new(), Deed::Incomplete(why)),
    };
    let (mut due, mut until, mut settles) = (None, None, None);
    match when::when(
        &automation.settings,
        event.event_type,
        event.occurred_at,
        data,
        &business.zone,
        now,
    ) {
        When::AtOnce => {}
        When::Settled(ms) => settles = Some(ms),
        When::At {
            due: at,
            until: end,
        } => (due, until) = (Some(at), end),
        When::TooLate(at) => deed = Deed::TooLate(passed(at)),
        When::Unknown(field) => {
            if !matches!(deed, Deed::NoRecipient(_)) {
                deed = Deed::Incomplete(Why::missing(vec![field]));
            }
        }
    }
    if let (Kind::Sms, Some(quiet), Deed::Send { .. }) = (kind, &business.quiet_hours, &deed) {
        let at = due.unwrap_or(now);
        let later = quiet.after(at, &business.zone);
        if later > at {
            due = Some(later);
        }
        if let (Some(at), Some(end)) = (due, until)
            && at >= end
        {
            deed = Deed::TooLate(passed(end));
        }
    }
    if recipient.is_empty() {
        recipient = event.subject.unwrap_or_default().to_owned();
    }
    let planned = Planned {
        automation: automation.id,
        version: automation.version,
        kind,
        recipient,
        deed,
        due,
        until,
        settles,
        limit: matches!(kind, Kind::Email | Kind::Sms)
            .then(|| automation.settings.limit.unwrap_or(business.limit)),
    };
    (planned, found)
}

fn passed(at: Time) -> Why {
    Why {
        passed: Some(at),
        ..Why::default()
    }
}
