//! What can go wrong with a request, or in our own house.
//!
//! A provider or receiver that fails is *not* here: that is an [`crate::outcome::Failure`], part of
//! a normal day. A kind exists only because someone decides by it.

use std::fmt;

/// One field of a request that is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Where: `url`, `events.0`, `customer.email`.
    pub path: String,
    /// For programs: `required`, `invalid`, `unknown`, `too_long`, `blocked_address` …
    pub code: String,
    /// For people: a sentence.
    pub message: String,
}

impl FieldError {
    /// A finding about one field.
    pub fn new(path: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// Who or what is to blame, as far as anybody decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fields of the request are wrong (422).
    Invalid,
    /// There is no such thing in this workspace (404).
    NotFound,
    /// The thing is not in a state for this (409).
    Conflict,
    /// More than is taken (413).
    TooLarge,
    /// The key store of the operating system cannot be used now.
    Keychain,
    /// The database is locked by another program (503).
    Busy,
    /// The folder or the disk does not take writes (503).
    ReadOnly,
    /// No space left (507).
    DiskFull,
    /// Another process owns the data folder.
    Owned,
    /// The data is from a newer version, or not ours.
    WrongData,
    /// The stored bytes are damaged.
    Damaged,
    /// A defect of ours.
    Internal,
}

/// A request that cannot be served, with a sentence for the person who made it.
#[derive(Debug)]
pub struct Error {
    /// What decides.
    pub kind: Kind,
    /// The sentence: what happened, what it means, what to do.
    pub detail: String,
    /// The fields that are wrong, for [`Kind::Invalid`].
    pub fields: Vec<FieldError>,
    /// The cause in the words of a library; for the folded details and the log, never a secret.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What core's methods return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind, with its sentence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            fields: Vec::new(),
            source: None,
        }
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => one.message.clone(),
            many => format!("{} fields need another look.", many.len()),
        };
        Self {
            fields,
            ..Self::new(Kind::Invalid, detail)
        }
    }

    /// One field that is wrong.
    pub fn field(path: &str, code: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(path, code, message)])
    }

    /// There is no such thing here; `what` is a noun with its article, such as "a webhook".
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!("There is no {what} with this id in this workspace."),
        )
    }

    /// A state that does not allow what was asked.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// A defect of ours, kept with its cause.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(
                Kind::Internal,
                "Signalbox stumbled over a mistake of its own. Nothing was changed; please try again.",
            )
        }
    }

    /// The same error once more, for a second caller who waited for the same commit.
    pub(crate) fn again(&self) -> Self {
        Self {
            kind: self.kind,
            detail: self.detail.clone(),
            fields: self.fields.clone(),
            source: self.source.as_ref().map(|s| s.to_string().into()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| &**s as _)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let (kind, detail) = match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => (
                Kind::Busy,
                "Another program is holding Signalbox's database. Nothing was stored; please try again in a moment.",
            ),
            Some(Code::DiskFull) => (
                Kind::DiskFull,
                "The disk is full. Nothing was stored; free some space and send it again.",
            ),
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => (
                Kind::ReadOnly,
                "Signalbox may not write to its data folder. Nothing was stored; check the folder's permissions.",
            ),
            Some(Code::SystemIoFailure) => (
                Kind::ReadOnly,
                "The disk reported a fault while storing. Send it again with the same idempotency key: it is stored once at most.",
            ),
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => (
                Kind::Damaged,
                "Signalbox's database is damaged. Nothing was changed; restore the newest backup.",
            ),
            _ => return Self::internal(error),
        };
        Self {
            source: Some(error.into()),
            ..Self::new(kind, detail)
        }
    }
}
