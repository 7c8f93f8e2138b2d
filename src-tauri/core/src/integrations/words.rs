//! What a failure at a provider is called, and what can be done about it at the provider. Pure.

use super::calendar::google;
use super::email::sendgrid;
use super::{Kind, Link};
use crate::deliveries::{Reason, Status};
use crate::explain;
use crate::outcome::{Code, Detail, Failure, Trouble};

/// What went wrong, as a sentence: what happened, and where it helps, what to do.
pub(crate) fn failure(kind: Kind, failure: &Failure) -> String {
    let who = kind.provider_name();
    let one = kind.nouns().0;
    let status = failure.args.status.unwrap_or_default();
    if let Some(detail) = failure.args.detail {
        return match detail {
            Detail::OutOfCredits => format!(
                "Your {who} allowance is used up. Raise it there, or wait until it begins anew; then test the connection."
            ),
            Detail::SenderUnknown => {
                format!("{who} does not know your sender address yet. Verify it there.")
            }
            Detail::MayNotSend => {
                format!("Your key for {who} may not send mail. Make one that may, and replace it.")
            }
            Detail::WrongBaseUrl => format!(
                "At the address set for {who} is something else; it answered {status}. Check the address."
            ),
            Detail::TooLarge => {
                format!("This {one} is too large for {who}. Store its files, and send a link.")
            }
            Detail::Malformed => {
                format!("{who} does not take this {one} as it is, and answered {status}.")
            }
            Detail::NotTheProvider => format!(
                "Something else answered in place of {who}. In a hotel or a café, sign in to its network first."
            ),
            Detail::AttachmentMissing => {
                "A file that is to go with it could not be read from your storage.".into()
            }
            Detail::CalendarGone => {
                "The chosen calendar no longer exists. Choose another.".into()
            }
            Detail::CalendarReadOnly => "Your account may see the chosen calendar and not write into it. Choose another, or ask its owner.".into(),
            Detail::ScopeMissing => {
                "At Google the calendar permission was left unticked. Sign in again and tick it.".into()
            }
            Detail::ApiSwitchedOff => "Your own client has no calendar yet. Switch on “Google Calendar API” for it in Google’s console, then test the connection.".into(),
            Detail::ChangedElsewhere => "Somebody changed this entry in Google Calendar since it was written, so it was not overwritten. Look at it there; send this again if it is to go through all the same.".into(),
            Detail::QuotaUsedUp => format!(
                "Today’s allowance at {who} is used up. It is tried again in an hour."
            ),
            Detail::ClientRefused => format!(
                "{who} does not accept the client with which you signed in. Sign in again with a client that is there."
            ),
            Detail::EndedAfterSevenDays => format!(
                "Google ended the access after seven days{}, as it does for a project in Testing. Publish the project in Google’s console, then sign in again.",
                failure
                    .args
                    .at
                    .map(|at| format!(", on {}", at.to_timestamp().strftime("%-d %B %Y")))
                    .unwrap_or_default()
            ),
        };
    }
    match (failure.code, failure.args.trouble) {
        (_, Some(Trouble::AnswerLost)) => format!(
            "The {one} went to {who}, and the answer got lost. It may have been taken, so it is not sent again by itself."
        ),
        (_, Some(Trouble::Interrupted)) => {
            format!("Signalbox ended while the {one} went to {who}. It may have been taken.")
        }
        (Code::NotConfigured, _) => format!("{who} is not set up."),
        (Code::Disabled, _) => format!("{who} is switched off."),
        (Code::Offline, _) => format!("No internet. It goes to {who} as soon as it is back."),
        (Code::RateLimited, _) => format!("Too many at once for {who}; slowing down."),
        (Code::KeychainUnavailable, Some(Trouble::SecretMissing)) if kind == Kind::Calendar => {
            format!("The access to {who} is no longer in this computer's key store. Sign in again.")
        }
        (Code::KeychainUnavailable, Some(Trouble::SecretMissing)) => {
            format!("Your key for {who} is no longer in this computer's key store. Enter it again.")
        }
        (Code::SignInExpired, _) => {
            "Google access ended. Sign in again; nothing is lost.".into()
        }
        (Code::NotFound, _) if kind == Kind::Calendar => {
            "There is no such entry in your calendar.".into()
        }
        (Code::Rejected, _) => format!("{who} refused this {one} and answered {status}."),
        _ => explain::failure(failure, who),
    }
}

/// The same with the provider's own words, where it explained itself.
pub(crate) fn failure_in_full(kind: Kind, failure: &Failure, body: Option<&[u8]>) -> String {
    let sentence = self::failure(kind, failure);
    let own = match kind {
        Kind::Email => body.and_then(sendgrid::own_words),
        Kind::Calendar => body.and_then(google::own_words),
        Kind::Sms | Kind::Storage => None,
    };
    match own {
        Some(own) => format!("{sentence} {} says: {own}", kind.provider_name()),
        None => sentence,
    }
}

/// Where at the provider it can be mended.
pub(crate) fn remedy(kind: Kind, failure: &Failure) -> Option<Link> {
    let (label, url) = match (kind, failure.args.detail, failure.code) {
        (Kind::Email, Some(Detail::OutOfCredits), _) => ("Open billing", sendgrid::BILLING),
        (Kind::Email, Some(Detail::SenderUnknown), _) => ("Verify sender", sendgrid::SENDERS),
        (Kind::Email, Some(Detail::MayNotSend), _)
        | (Kind::Email, None, Code::CredentialsRejected) => ("Open API keys", sendgrid::KEYS),
        (Kind::Calendar, Some(Detail::ApiSwitchedOff), _) => {
            ("Switch the calendar on", google::SWITCH_ON)
        }
        (Kind::Calendar, Some(Detail::EndedAfterSevenDays), _) => {
            ("Publish the project", google::AUDIENCE)
        }
        (Kind::Calendar, Some(Detail::ClientRefused), _) => ("Open clients", google::CLIENTS),
        _ => return None,
    };
    Some(Link {
        label: label.into(),
        url: url.into(),
    })
}

/// What is true of a delivery, where that is said otherwise than of a webhook's. `who` gets it.
pub(crate) fn delivery(
    kind: Kind,
    status: Status,
    reason: Option<Reason>,
    who: &str,
    finished: Option<&str>,
    nth: &str,
) -> Option<String> {
    let provider = kind.provider_name();
    let at = finished.unwrap_or("once");
    Some(match (status, reason) {
        (Status::Success, _) => match kind {
            Kind::Email => format!(
                "Accepted by {provider} for {who} at {at}{nth}. {provider} does not say whether it was delivered."
            ),
            Kind::Sms => format!("Accepted by {provider} for {who} at {at}{nth}."),
            Kind::Calendar => format!("{who}: the calendar was brought up to date at {at}{nth}."),
            Kind::Storage => format!("Stored at {at}{nth}."),
        },
        (Status::Held, Some(Reason::Paused)) => {
            format!("Held, because {provider} is paused. It goes to {who} when you resume.")
        }
        (Status::Held, Some(Reason::NeedsCredentials)) => format!(
            "Held, because {provider} does not accept your key. It goes to {who} once you have replaced it."
        ),
        (Status::Held, Some(Reason::NeedsSetup)) => format!(
            "Held, because {provider} needs you first. It goes to {who} once that is done and tested."
        ),
        (Status::Held, Some(Reason::NeedsSignIn)) => format!(
            "Held, because access to {provider} ended. {who} goes out once you have signed in again."
        ),
        (Status::Unknown, _) => format!(
            "It is not known whether {provider} took this for {who}. It is not sent again by itself."
        ),
        (Status::Skipped, Some(Reason::NotConfigured)) => {
            format!("Not sent to {who}, because {provider} is not set up.")
        }
        (Status::Skipped, Some(Reason::Disabled)) => {
            format!("Not sent to {who}, because {provider} was paused.")
        }
        _ => return None,
    })
}
