//! How a try ended, in the words of the contract (§2): a code and its arguments.
//! Codes are stored; sentences are made when read, by [`crate::explain`].

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::ids::DeliveryId;

/// Why something outside did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Code {
    /// The owner never set it up.
    NotConfigured,
    /// The owner switched it off.
    Disabled,
    /// This computer has no way there now.
    Offline,
    /// Nobody answers at that address.
    Unreachable,
    /// The answer did not come in time.
    TimedOut,
    /// Too many at once.
    RateLimited,
    /// The other side has trouble of its own (5xx).
    ProviderDown,
    /// Permission ended; the owner must sign in again.
    SignInExpired,
    /// The key is not accepted.
    CredentialsRejected,
    /// This one was refused.
    Rejected,
    /// The address is one we never call.
    BlockedAddress,
    /// The key store cannot be used now.
    KeychainUnavailable,
    /// What was to be changed is not there.
    NotFound,
    /// A defect of ours.
    Internal,
}

impl Code {
    /// The word on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::Disabled => "disabled",
            Self::Offline => "offline",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::RateLimited => "rate_limited",
            Self::ProviderDown => "provider_down",
            Self::SignInExpired => "sign_in_expired",
            Self::CredentialsRejected => "credentials_rejected",
            Self::Rejected => "rejected",
            Self::BlockedAddress => "blocked_address",
            Self::KeychainUnavailable => "keychain_unavailable",
            Self::NotFound => "not_found",
            Self::Internal => "internal",
        }
    }
}

impl ToSql for Code {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Code {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Self::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text))
            .map_err(|_| FromSqlError::InvalidType)
    }
}

/// What stood in the way below HTTP, or what the answer lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The name is not known.
    NameNotFound,
    /// Nobody listens there.
    Refused,
    /// No way leads there.
    NoRoute,
    /// The connection broke off before the answer was whole.
    BrokenOff,
    /// The certificate has run out.
    CertificateExpired,
    /// The certificate is valid only from a later day on.
    CertificateEarly,
    /// The certificate is for another name.
    CertificateName,
    /// Nobody we know vouches for the certificate.
    CertificateUnknown,
    /// TLS could not be agreed on.
    Tls,
    /// The answer was no HTTP.
    NotHttp,
    /// The process ended before the answer came.
    Interrupted,
    /// The key store: no service.
    KeyStoreMissing,
    /// The key store: locked.
    KeyStoreLocked,
    /// The key store: the owner said no.
    KeyStoreDenied,
    /// The key store: no answer in time.
    KeyStoreSilent,
    /// The key store: what we stored is gone.
    SecretMissing,
    /// The key store: the address that is a secret is gone.
    AddressMissing,
    /// The stored bytes are not what was accepted.
    Damaged,
    /// The request was on its way, and the answer never came: it may have been done.
    AnswerLost,
}

/// What a provider said, more precisely than by a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The allowance of the account is used up.
    OutOfCredits,
    /// The sender is not verified.
    SenderUnknown,
    /// The key is right and has not the right for this.
    MayNotSend,
    /// The address of the provider is none of its.
    WrongBaseUrl,
    /// Larger than is taken.
    TooLarge,
    /// Something in it is not as the provider wants it.
    Malformed,
    /// Somebody else answered in the provider's place: a sign-in page of a network, a proxy.
    NotTheProvider,
    /// A file that is to go with it is not there, or cannot be read.
    AttachmentMissing,
    /// The key is right and has not the right to do this in the bucket.
    NotPermitted,
    /// There is no such bucket.
    NoSuchBucket,
    /// The bucket lies in another region: `name`, where it was told.
    WrongRegion,
    /// This computer's clock is ahead, by `seconds`.
    ClockAhead,
    /// This computer's clock is behind, by `seconds`.
    ClockBehind,
    /// There is no such file.
    NoSuchFile,
    /// There is no more room.
    Full,
    /// What arrived, or came back, is not what was sent.
    Changed,
    /// What was to be stored broke off on its way here.
    BrokeOff,
    /// Nothing moved for `seconds`.
    Stalled,
    /// It was too large to be kept, so there is nothing left to send.
    NotKept,
    /// The account is on trial and reaches only numbers its owner verified.
    OnTrial,
    /// The account is suspended or closed.
    AccountClosed,
    /// The person asked not to be texted any more.
    AnsweredStop,
    /// The number takes no texts, or is none.
    BadNumber,
    /// The account may not text into this country.
    CountryClosed,
    /// No way leads from this sender to this number.
    NoWay,
    /// The phone was off or out of reach.
    PhoneOff,
    /// The person's carrier blocked it.
    CarrierBlocked,
    /// The carriers had too much to do.
    CarrierBusy,
    /// The sender must be registered with the carriers first.
    Unregistered,
    /// Somebody called it off at the provider.
    CalledOff,
    /// The provider gave it up and does not say why.
    NotDelivered,
    /// The calendar is no more.
    CalendarGone,
    /// The calendar can be seen and not be written into.
    CalendarReadOnly,
    /// A permission was left unticked.
    ScopeMissing,
    /// The owner's own client has no calendar switched on.
    ApiSwitchedOff,
    /// Somebody else changed what was to be changed.
    ChangedElsewhere,
    /// All that is allowed in a day, or a month, is used up.
    QuotaUsedUp,
    /// The client with which the owner signed in is refused.
    ClientRefused,
    /// The sign-in ended after seven days, as those of a project in *Testing* do.
    EndedAfterSevenDays,
}

/// A code with its arguments, as stored beside an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What programs decide by.
    pub code: Code,
    /// The rest of the story.
    pub args: Args,
}

/// The arguments of a [`Failure`]; what sentences are made of. Never a secret, an address of a
/// person, or a body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Args {
    /// The HTTP status that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What stood in the way below HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// How long was waited, or is to be waited, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What the provider said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// A name that the provider gave: a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The provider's own number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<u32>,
    /// A moment that the sentence names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

impl Failure {
    /// A failure that its code says all about.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            args: Args {
                status: None,
                trouble: None,
                seconds: None,
                detail: None,
                name: None,
                provider_code: None,
                at: None,
            },
        }
    }

    /// A failure with the HTTP status that came back.
    #[must_use]
    pub const fn status(code: Code, status: u16) -> Self {
        Self {
            code,
            args: Args {
                status: Some(status),
                trouble: None,
                seconds: None,
                detail: None,
                name: None,
                provider_code: None,
                at: None,
            },
        }
    }

    /// A failure below HTTP.
    #[must_use]
    pub const fn trouble(code: Code, trouble: Trouble) -> Self {
        Self {
            code,
            args: Args {
                status: None,
                trouble: Some(trouble),
                seconds: None,
                detail: None,
                name: None,
                provider_code: None,
                at: None,
            },
        }
    }

    /// A time-out after so many seconds.
    #[must_use]
    pub const fn timed_out(seconds: u64) -> Self {
        Self {
            code: Code::TimedOut,
            args: Args {
                status: None,
                trouble: None,
                seconds: Some(seconds),
                detail: None,
                name: None,
                provider_code: None,
                at: None,
            },
        }
    }

    /// The same failure, with what the provider said.
    #[must_use]
    pub const fn with(mut self, detail: Detail) -> Self {
        self.args.detail = Some(detail);
        self
    }
}

/// The graceful half of the contract's result: it did not work, and the caller's own work goes on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Graceful {
    /// Always false.
    pub success: bool,
    /// A sentence for the owner.
    pub error: String,
    /// Always true: the booking, the form goes on.
    pub graceful_fail: bool,
    /// For programs.
    pub code: Code,
    /// True: it goes on by itself, do not send again.
    pub will_retry: bool,
    /// Where it stands in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<DeliveryId>,
    /// When the next try is, if one is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Graceful {
    /// A failure that ends here.
    pub fn ended(code: Code, error: impl Into<String>) -> Self {
        Self {
            success: false,
            error: error.into(),
            graceful_fail: true,
            code,
            will_retry: false,
            delivery_id: None,
            retry_after_seconds: None,
        }
    }
}
