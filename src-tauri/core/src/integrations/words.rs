//! What a failure at a provider is called, and what can be done about it at the provider. Pure.

use super::calendar::google;
use super::email::sendgrid;
use super::sms::twilio;
use super::{Kind, Link, storage};
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
            Detail::SenderUnknown if kind == Kind::Sms => format!("{who} does not let your account text from this number or messaging service. Choose one of yours that can."),
            Detail::SenderUnknown => {
                format!("{who} does not know your sender address yet. Verify it there.")
            }
            Detail::MayNotSend if kind == Kind::Sms => format!("Your key for {who} may not send texts. Make one that may, and replace it."),
            Detail::MayNotSend => {
                format!("Your key for {who} may not send mail. Make one that may, and replace it.")
            }
            Detail::WrongBaseUrl => format!(
                "At the address set for {who} is something else; it answered {status}. Check the address."
            ),
            Detail::TooLarge if kind == Kind::Storage => {
                format!("This file is larger than {who} takes in one piece. Nothing of it was stored.")
            }
            Detail::TooLarge if kind == Kind::Sms => format!("This text is too long for {who}. Make it shorter, or send a link."),
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
            Detail::NotPermitted => format!("{who} knows your key, but does not let it do this in the bucket. Give it the right to list, read, write and delete there, or take another key."),
            Detail::NoSuchBucket => format!("{who} has no bucket of this name. Check the name, or make the bucket."),
            Detail::WrongRegion => match &failure.args.name {
                Some(region) => format!("The bucket lies in another region: {region}. Change the region to that."),
                None => "The bucket lies in another region. Look at your storage where it lies, and change the region to that.".into(),
            },
            Detail::ClockAhead | Detail::ClockBehind => {
                let minutes = (failure.args.seconds.unwrap_or_default() + 30) / 60;
                let way = if detail == Detail::ClockAhead { "ahead" } else { "behind" };
                format!("{who} refused it because this computer's clock is off by {minutes} min ({way}). Set the clock, then test the connection.")
            }
            Detail::NoSuchFile => format!("{who} has no such file."),
            Detail::Full => format!("{who} has no more room, or your plan allows no more. Make room there; then test the connection."),
            Detail::Changed => format!("What reached {who}, or came back from there, was not what had been sent. Nothing of it is used."),
            Detail::BrokeOff => "The file broke off before it was whole. Nothing of it was stored; send it again.".into(),
            Detail::Stalled => format!("Nothing moved on the way to {who} for {} s.", failure.args.seconds.unwrap_or_default()),
            Detail::NotKept => "Files over 256 KiB are not kept here when storing them fails. Send it again.".into(),
            Detail::OnTrial => format!("Your {who} account is on trial: it texts only numbers that you verified there. End the trial, or verify this number; then test the connection."),
            Detail::AccountClosed => format!("Your {who} account is suspended or closed. See to it there; then test the connection."),
            Detail::AnsweredStop => "This person answered STOP. We will not text them.".into(),
            Detail::BadNumber => "This number cannot receive texts. Correct the number.".into(),
            Detail::CountryClosed => format!("Your {who} account may not text into this country. Allow it there; then test the connection."),
            Detail::NoWay => format!("{who} knows no way from your number to this one. Another sender may reach it."),
            Detail::PhoneOff => "The phone was off or out of reach. Send it again later.".into(),
            Detail::CarrierBlocked => "The person’s carrier blocked this text. The same again would be blocked too: write it otherwise, or call.".into(),
            Detail::CarrierBusy => "The carriers had too much to do, and dropped this text. Send it again later.".into(),
            Detail::Unregistered => format!("Your number must be registered before it can text here. Register it at {who}; then test the connection."),
            Detail::CalledOff => format!("Somebody called this text off at {who}."),
            Detail::NotDelivered => format!("{who} could not deliver this text, and does not say why."),
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
        (_, Some(Trouble::AnswerLost)) if kind == Kind::Sms => format!(
            "The text went to {who}, and the answer got lost. It is looked for there before it is sent again."
        ),
        (_, Some(Trouble::Interrupted)) if kind == Kind::Sms => format!(
            "Signalbox could not learn whether {who} took the text. It is looked for there before it is sent again."
        ),
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
        (Code::SignInExpired, _) => "Google access ended. Sign in again; nothing is lost.".into(),
        (Code::NotFound, _) if kind == Kind::Calendar => {
            "There is no such entry in your calendar.".into()
        }
        (Code::Rejected, _) => format!("{who} refused this {one} and answered {status}."),
        _ => explain::failure(failure, who),
    }
}

/// Why what was just entered was not saved: a new key never was accepted before.
pub(crate) fn refused_key(kind: Kind, failure: &Failure) -> String {
    match (failure.code, failure.args.detail) {
        (Code::CredentialsRejected, None) => format!(
            "{} does not accept this key. Copy it there once more, whole.",
            kind.provider_name()
        ),
        _ => self::failure(kind, failure),
    }
}

/// The same with the provider's own words, where it explained itself.
pub(crate) fn failure_in_full(kind: Kind, failure: &Failure, body: Option<&[u8]>) -> String {
    let sentence = self::failure(kind, failure);
    let own = match kind {
        Kind::Email => body.and_then(sendgrid::own_words),
        Kind::Sms => body.and_then(twilio::own_words),
        Kind::Storage => body.and_then(storage::own_words),
        Kind::Calendar => body.and_then(google::own_words),
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
        (Kind::Sms, Some(Detail::OnTrial), _) => ("Open Twilio", twilio::BILLING),
        (Kind::Sms, Some(Detail::AccountClosed), _) => ("Open Twilio", twilio::CONSOLE),
        (Kind::Sms, Some(Detail::SenderUnknown), _) => ("Open your numbers", twilio::NUMBERS),
        (Kind::Sms, Some(Detail::CountryClosed), _) => ("Allow the country", twilio::COUNTRIES),
        (Kind::Sms, Some(Detail::Unregistered), _) => ("Register the number", twilio::REGISTRATION),
        (Kind::Sms, Some(Detail::CarrierBlocked), _) => ("Explain", twilio::FILTERING),
        (Kind::Sms, Some(Detail::MayNotSend), _) | (Kind::Sms, None, Code::CredentialsRejected) => {
            ("Open Twilio", twilio::CONSOLE)
        }
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
            Kind::Calendar => format!("Brought up to date in {provider} at {at}{nth}."),
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
            "Held, because access to {provider} ended. It goes out once you have signed in again."
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

/// What is true of a text that Twilio took: when that was, and when it was on the phone.
pub(crate) fn text(
    status: Status,
    who: &str,
    accepted: &str,
    delivered: Option<&str>,
) -> Option<String> {
    let provider = Kind::Sms.provider_name();
    match (status, delivered) {
        (Status::Success, Some(delivered)) => Some(format!(
            "Accepted by {provider} for {who} at {accepted}, delivered at {delivered}."
        )),
        (Status::Success, None) => Some(format!(
            "Sent by {provider} to {who} at {accepted}. Nobody confirmed that it was delivered."
        )),
        (Status::Sending, _) => Some(format!(
            "Accepted by {provider} for {who} at {accepted}. Whether it is delivered is not known yet."
        )),
        _ => None,
    }
}
