//! Words for what happened: made when read, from codes and arguments. Pure.
//!
//! The status language (word, shape, role) and every sentence come from here, so that window,
//! command line and API say the same.

use serde::Serialize;

use crate::automations::{self, Why};
use crate::clock::Time;
use crate::db::attempts::Ended;
use crate::deliveries::{Channel, Reason, Status};
use crate::integrations::{Kind, words};
use crate::outcome::{Code, Failure, Trouble};
use crate::receivers;

/// How a thing stands: a word, a shape for those who see no colour, a role for colour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct State {
    /// "Received", "Retry at 16:20"
    pub word: String,
    /// Which plate is drawn.
    pub shape: Shape,
    /// Which colour it has.
    pub role: Role,
}

/// Round runs, square holds, eight sides stop, a diamond asks, a triangle warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub enum Shape {
    TickFilled,
    TickOpen,
    ArrowOpen,
    HandsOpen,
    Retry,
    GapSquare,
    BarsSquareFilled,
    BarsSquareOpen,
    OctagonBar,
    OctagonBang,
    DiamondQuestion,
    ChevronsOpen,
    CrossOpen,
    DashedRound,
    DotOpen,
    TriangleBang,
}

/// The colour's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub enum Role {
    Success,
    Accent,
    Waiting,
    Held,
    Failed,
    Unknown,
    Muted,
}

impl State {
    /// A state from its three parts.
    pub fn new(word: impl Into<String>, shape: Shape, role: Role) -> Self {
        Self {
            word: word.into(),
            shape,
            role,
        }
    }
}

/// A moment as people say it: "09:03" on its own day, "Thu 26 Nov 09:03" on another.
#[must_use]
pub fn moment(at: Time, now: Time, zone: &jiff::tz::TimeZone) -> String {
    let (at, now) = (
        at.to_timestamp().to_zoned_datetime(zone.clone()),
        now.to_timestamp().to_zoned_datetime(zone.clone()),
    );
    if at.date() == now.date() {
        at.strftime("%H:%M").to_string()
    } else {
        at.strftime("%a %-d %b %H:%M").to_string()
    }
}

/// Where a delivery stands, as plate and word.
#[must_use]
pub fn delivery_state(
    status: Status,
    reason: Option<Reason>,
    channel: Channel,
    tried: bool,
    due: Option<&str>,
) -> State {
    match status {
        Status::Pending if tried => State::new(
            due.map_or("Retry".into(), |at| format!("Retry at {at}")),
            Shape::Retry,
            Role::Waiting,
        ),
        Status::Pending => State::new("Waiting", Shape::HandsOpen, Role::Waiting),
        Status::Sending => State::new("Sending", Shape::ArrowOpen, Role::Accent),
        Status::Held if reason == Some(Reason::Offline) => {
            State::new("Waiting for internet", Shape::GapSquare, Role::Waiting)
        }
        Status::Held => State::new(
            match reason {
                Some(Reason::Paused) => "Held, paused",
                Some(Reason::NeedsSignIn) => "Held, sign in",
                Some(Reason::NeedsCredentials) => "Held, key",
                Some(Reason::NeedsSetup) => "Held, set-up",
                Some(Reason::Keychain) => "Held, key store",
                Some(Reason::OverLimit) => "Held, limit",
                Some(Reason::MissingValue) => "Held, value missing",
                _ => "Held",
            },
            Shape::BarsSquareFilled,
            Role::Held,
        ),
        Status::Success => match channel {
            Channel::Webhook => State::new("Received", Shape::TickFilled, Role::Success),
            Channel::Calendar => State::new("Written", Shape::TickFilled, Role::Success),
            Channel::Storage => State::new("Stored", Shape::TickFilled, Role::Success),
            Channel::Email | Channel::Sms => State::new("Accepted", Shape::TickOpen, Role::Success),
        },
        Status::Failed => State::new("Failed", Shape::OctagonBar, Role::Failed),
        Status::Unknown => State::new("Not known", Shape::DiamondQuestion, Role::Unknown),
        Status::Skipped => State::new("Skipped", Shape::ChevronsOpen, Role::Muted),
        Status::Cancelled => State::new("Cancelled", Shape::CrossOpen, Role::Muted),
    }
}

/// How a delivery stands whose own time is to come.
#[must_use]
pub fn scheduled_state(at: &str) -> State {
    State::new(format!("Planned, {at}"), Shape::HandsOpen, Role::Waiting)
}

/// What is true of a delivery that an automation made, where that is another thing than of one that
/// was handed in. `passed` is the moment that had passed, `own_time` the one that is to come.
#[must_use]
pub(crate) fn automatic(
    status: Status,
    reason: Option<Reason>,
    who: &str,
    why: &Why,
    passed: Option<&str>,
    own_time: Option<&str>,
) -> Option<String> {
    Some(match (status, reason) {
        (Status::Pending, _) => format!("Planned for {}; it goes to {who} by itself.", own_time?),
        (Status::Held, Some(Reason::OverLimit)) => {
            format!("Held: so many at once look like a mistake. It goes to {who} when you let it.")
        }
        (Status::Held, Some(Reason::MissingValue)) => automations::holes(why),
        (Status::Skipped, Some(Reason::NoRecipient)) => automations::nobody(why),
        (Status::Skipped, Some(Reason::TooLate)) => match passed {
            Some(at) => format!("Too late: the moment for it had passed at {at}. It was not sent."),
            None => "Too late: the moment for it had passed. It was not sent.".into(),
        },
        (Status::Skipped, Some(Reason::Superseded)) => {
            "Not sent, because something newer happened to the same.".into()
        }
        (Status::Skipped, Some(Reason::Filtered)) => {
            "Not sent, because its automation was changed and does not ask for it any more.".into()
        }
        _ => return None,
    })
}

/// How a text stands that was taken: still on its way, on the phone, or nobody knows.
#[must_use]
pub fn text_state(awaited: bool, delivered: bool) -> State {
    match (awaited, delivered) {
        (true, _) => State::new("Accepted", Shape::TickOpen, Role::Accent),
        (false, true) => State::new("Delivered", Shape::TickFilled, Role::Success),
        (false, false) => State::new("Sent, not confirmed", Shape::TickOpen, Role::Success),
    }
}

/// How one attempt ended, as plate and word.
#[must_use]
pub fn attempt_state(channel: Channel, ended: bool, failure: Option<&Failure>) -> State {
    match (ended, failure) {
        (false, _) => State::new("Sending", Shape::ArrowOpen, Role::Accent),
        (true, None) => delivery_state(Status::Success, None, channel, true, None),
        (true, Some(failure)) => match failure.code {
            Code::Offline => State::new("No internet", Shape::GapSquare, Role::Waiting),
            Code::KeychainUnavailable => State::new("Held", Shape::BarsSquareFilled, Role::Held),
            _ if matches!(
                failure.args.trouble,
                Some(Trouble::Interrupted | Trouble::AnswerLost)
            ) =>
            {
                State::new("Not known", Shape::DiamondQuestion, Role::Unknown)
            }
            _ => State::new("Failed", Shape::OctagonBar, Role::Failed),
        },
    }
}

/// What went wrong on the way of a channel, as a sentence; `who` is the receiver of a webhook.
#[must_use]
pub fn failed(channel: Channel, failure: &Failure, who: &str) -> String {
    match Kind::of(channel) {
        None => self::failure(failure, who),
        Some(kind) => words::failure(kind, failure),
    }
}

/// What an attempt met, in as much detail as the answer gives; none when it got through.
pub(crate) fn ended(channel: Channel, ended: &Ended, who: &str) -> Option<String> {
    match Kind::of(channel) {
        None => receivers::failure(ended, who),
        Some(kind) => ended
            .failure
            .as_ref()
            .map(|failure| words::failure_in_full(kind, failure, ended.response_body.as_deref())),
    }
}

/// What went wrong at `who`, as a sentence: what happened, and where it helps, what to do.
#[must_use]
pub fn failure(failure: &Failure, who: &str) -> String {
    let status = failure.args.status.unwrap_or_default();
    match failure.code {
        Code::NotConfigured => "This integration is not set up yet.".into(),
        Code::Disabled => "This integration is switched off.".into(),
        Code::Offline => format!("No internet. {who} is told as soon as it is back."),
        Code::TimedOut => format!("{who} did not answer within {} seconds.", failure.args.seconds.unwrap_or(15)),
        Code::RateLimited => format!("Too many calls at once for {who}; it asks to slow down."),
        Code::ProviderDown => format!("{who} has trouble of its own and answered {status}."),
        Code::SignInExpired => format!("{who} no longer grants access. Sign in again."),
        Code::CredentialsRejected => format!("{who} no longer accepts your key. Replace it."),
        Code::Rejected => match status {
            410 => format!("{who} says: stop. It wants no more calls at this address."),
            404 | 405 => format!("{who} knows no such address and answered {status}. Check the address with its makers."),
            401 | 403 => format!("{who} did not let us in and answered {status}. Check the address and its key."),
            300..=399 => format!("{who} points to another address and answered {status}. Signalbox never follows; enter the new address."),
            _ => format!("{who} refused this call and answered {status}."),
        },
        Code::BlockedAddress => format!("{who} leads to an address that is never called, or that needs your consent. Check the address."),
        Code::NotFound => format!("{who} no longer has this."),
        Code::Internal if failure.args.trouble == Some(Trouble::Damaged) => "The stored text is damaged and was not sent. Restore the newest backup.".into(),
        Code::Internal => "Signalbox stumbled over a mistake of its own.".into(),
        Code::KeychainUnavailable => match failure.args.trouble {
            Some(Trouble::KeyStoreLocked) => "This computer's key store is locked. Unlock it; what waits goes out by itself.".into(),
            Some(Trouble::KeyStoreDenied) => "This computer's key store refused. Allow Signalbox to use it.".into(),
            Some(Trouble::KeyStoreSilent) => "This computer's key store does not answer. What waits goes out when it does.".into(),
            Some(Trouble::SecretMissing) => format!("The signing secret of {who} is no longer in the key store. Make a new one."),
            Some(Trouble::AddressMissing) => format!("The address of {who} is no longer in the key store. Enter it again in its settings."),
            _ => "This computer has no key store that can be used now. What waits goes out when there is one.".into(),
        },
        Code::Unreachable => match failure.args.trouble {
            Some(Trouble::NameNotFound) => format!("The name of {who} is not known on the internet. Check the address."),
            Some(Trouble::Refused) => format!("Nobody answers at the address of {who}."),
            Some(Trouble::NoRoute) => format!("No way leads to {who} from here."),
            Some(Trouble::BrokenOff) => format!("{who} hung up before its answer was whole."),
            Some(Trouble::CertificateExpired) => format!("The certificate of {who} has run out, so that nothing was sent. Its makers must renew it. If many addresses say so, check the date of this computer."),
            Some(Trouble::CertificateEarly) => format!("The certificate of {who} is valid only from a later day on, so that nothing was sent. Check the date of this computer; if it is right, its makers must look at their certificate."),
            Some(Trouble::CertificateName) => format!("The certificate at the address of {who} belongs to another name, so that nothing was sent. Check the address for a slip. In a hotel or a café, sign in to its network first; else its makers must get a certificate for this name."),
            Some(Trouble::CertificateUnknown) => format!("Nobody this computer trusts vouches for the certificate of {who}, so that nothing was sent. {who} may have made it itself, or show only a part of it. Its makers must get one from a public authority and install it whole."),
            Some(Trouble::Tls) => format!("No secure connection to {who} could be agreed on, so that nothing was sent. Its web server may be too old for this. Its makers must allow TLS 1.2 or newer."),
            Some(Trouble::NotHttp) => format!("What {who} answered is no answer of a web server."),
            Some(Trouble::Interrupted) => format!("Signalbox ended before {who} answered. It is told again, under the same id."),
            Some(Trouble::AnswerLost) => format!("The answer of {who} got lost."),
            _ => format!("{who} cannot be reached."),
        },
    }
}

/// What is true of a delivery, in one sentence.
#[must_use]
pub fn delivery(
    channel: Channel,
    status: Status,
    reason: Option<Reason>,
    who: &str,
    attempts: u32,
    finished: Option<&str>,
    due: Option<&str>,
) -> String {
    let nth = match attempts {
        0 | 1 => String::new(),
        2 => ", on the second try".into(),
        3 => ", on the third try".into(),
        n => format!(", on try {n}"),
    };
    // Of a calendar entry the log names its title, and it goes to the calendar.
    let who = match Kind::of(channel) {
        Some(Kind::Calendar) => Kind::Calendar.provider_name(),
        _ => who,
    };
    if let Some(kind) = Kind::of(channel)
        && let Some(sentence) = words::delivery(kind, status, reason, who, finished, &nth)
    {
        return sentence;
    }
    match status {
        Status::Success => format!("Received by {who} at {}{nth}.", finished.unwrap_or("once")),
        Status::Sending => format!("Being sent to {who} now."),
        Status::Pending if attempts == 0 => format!("Waits to go to {who}."),
        Status::Pending => format!(
            "Not through to {who} yet. Next try {}.",
            due.unwrap_or("soon")
        ),
        Status::Held => match reason {
            Some(Reason::Offline) => format!("Waits for internet. It goes to {who} by itself."),
            Some(Reason::Paused) => {
                format!("Held, because {who} is paused. It goes out when you resume.")
            }
            Some(Reason::Keychain) => format!(
                "Held, because the key store cannot be used. It goes to {who} by itself once it can."
            ),
            _ => format!("Held before it goes to {who}."),
        },
        Status::Failed => {
            let tries = match attempts {
                0 | 1 => String::new(),
                n => format!(" after {n} tries"),
            };
            let since = match reason {
                Some(Reason::Replayed) => " It was sent again as another delivery.",
                Some(Reason::TextPurged) => " Its text was removed for its age.",
                _ => "",
            };
            format!("Did not get through to {who}{tries}.{since}")
        }
        Status::Unknown => format!("It is not known whether {who} got this."),
        Status::Skipped => format!("Was not sent to {who}."),
        Status::Cancelled => "Closed by you. It is not sent.".into(),
    }
}

/// Why something that got through came late: there was no internet meanwhile.
#[must_use]
pub fn was_offline(since: &str, until: &str) -> String {
    format!("There was no internet from {since} to {until}. It waited here and went out by itself.")
}

/// "1 call", "3 calls".
#[must_use]
pub fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}
