//! What a failure at a provider moves: one table, from code and detail. Pure.

use super::Kind;
use crate::deliveries::Reason;
use crate::outcome::{Code, Detail, Failure, Trouble};

/// What becomes of a delivery whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Tried again on schedule.
    Retry,
    /// Waits for a cause to go away; uses no attempt.
    Hold(Reason),
    /// Given up: the same again would fail the same.
    Fail,
    /// It may have been done, and doing it twice is worse than not knowing.
    Unknown,
}

/// The table.
pub(crate) fn of(kind: Kind, failure: &Failure) -> Consequence {
    use Consequence::{Fail, Hold, Retry};
    if let Some(Trouble::AnswerLost | Trouble::Interrupted) = failure.args.trouble {
        return lost(kind);
    }
    match failure.code {
        Code::Unreachable | Code::TimedOut | Code::RateLimited | Code::ProviderDown => Retry,
        Code::Offline => Hold(Reason::Offline),
        Code::KeychainUnavailable => Hold(Reason::Keychain),
        Code::SignInExpired => Hold(Reason::NeedsSignIn),
        Code::CredentialsRejected => Hold(Reason::NeedsCredentials),
        // What is wrong with its address is wrong for all that goes there.
        Code::NotConfigured | Code::BlockedAddress => Hold(Reason::NeedsSetup),
        Code::Disabled => Hold(Reason::Paused),
        Code::Rejected | Code::NotFound => failure.args.detail.map_or(Fail, refused),
        Code::Internal => Fail,
    }
}

/// What a refusal with more to it moves.
const fn refused(detail: Detail) -> Consequence {
    use Consequence::{Fail, Hold, Retry};
    match detail {
        Detail::OutOfCredits
        | Detail::SenderUnknown
        | Detail::WrongBaseUrl
        | Detail::AccountClosed
        | Detail::OnTrial
        | Detail::CountryClosed
        | Detail::Unregistered
        | Detail::NotPermitted
        | Detail::NoSuchBucket
        | Detail::WrongRegion
        | Detail::ClockAhead
        | Detail::ClockBehind
        | Detail::Full
        | Detail::CalendarGone
        | Detail::CalendarReadOnly
        | Detail::ApiSwitchedOff => Hold(Reason::NeedsSetup),
        Detail::MayNotSend | Detail::ClientRefused => Hold(Reason::NeedsCredentials),
        Detail::ScopeMissing | Detail::EndedAfterSevenDays => Hold(Reason::NeedsSignIn),
        Detail::TooLarge
        | Detail::Malformed
        | Detail::AttachmentMissing
        | Detail::NoSuchFile
        | Detail::BrokeOff
        | Detail::NotKept
        | Detail::AnsweredStop
        | Detail::BadNumber
        | Detail::NoWay
        | Detail::PhoneOff
        | Detail::CarrierBlocked
        | Detail::CarrierBusy
        | Detail::CalledOff
        | Detail::NotDelivered
        | Detail::ChangedElsewhere => Fail,
        Detail::NotTheProvider | Detail::Changed | Detail::Stalled | Detail::QuotaUsedUp => Retry,
    }
}

/// What a lost answer moves: an email sent twice cannot be called back; what can be done twice
/// without a difference is.
const fn lost(kind: Kind) -> Consequence {
    match kind {
        Kind::Email => Consequence::Unknown,
        Kind::Sms | Kind::Calendar | Kind::Storage => Consequence::Retry,
    }
}

/// True when a failure says something of the person at the other end, or of this one delivery, and
/// nothing of the provider: others go through all the same, and what was to be sent may not have
/// been there, or not whole.
pub(crate) const fn concerns_one(failure: &Failure) -> bool {
    matches!(
        failure.args.detail,
        Some(
            Detail::OnTrial
                | Detail::CountryClosed
                | Detail::Unregistered
                | Detail::AnsweredStop
                | Detail::BadNumber
                | Detail::NoWay
                | Detail::PhoneOff
                | Detail::CarrierBlocked
                | Detail::CarrierBusy
                | Detail::CalledOff
                | Detail::NotDelivered
        )
    )
}

/// For which reason nothing more may go to the provider until the owner has seen to it; none when
/// the failure concerns this one delivery, or nobody's doing.
pub(crate) fn stops_all(kind: Kind, failure: &Failure) -> Option<Reason> {
    match of(kind, failure) {
        _ if concerns_one(failure) => None,
        Consequence::Hold(
            reason @ (Reason::NeedsCredentials | Reason::NeedsSetup | Reason::NeedsSignIn),
        ) => Some(reason),
        _ => None,
    }
}
