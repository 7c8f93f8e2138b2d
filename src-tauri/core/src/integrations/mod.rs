//! Integrations: the services that an owner has an account with. Each has one folder, with what it can
//! do in `mod.rs` and one file for each provider, which is told its base URL and secret.
//!
//! Here is what they have in common. The life of an integration is the same for all: `life`
//! (configured, changed, tested, disconnected) and `read` (how it stands). A delivery goes out by
//! `send`; what a failure moves is the table in `consequence`, what it is called is in `words`.
//! A message that somebody hands in by itself is `direct`. Secrets are `kept`.

pub mod calendar;
pub(crate) mod consequence;
mod direct;
pub mod email;
pub(crate) mod kept;
mod life;
mod read;
pub(crate) mod send;
pub mod sms;
pub mod storage;
pub(crate) mod words;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

pub use direct::{EmailAccepted, EmailSent};
pub(crate) use life::mended;
pub use life::{Configured, Refused, Saved, TestRequest, Tested, TestedBadly, TestedWell};
pub use read::{
    CalendarIntegration, EmailIntegration, Integrations, SmsIntegration, Standing,
    StorageIntegration, WebhookCounts,
};

use crate::deliveries::Channel;
use crate::error::FieldError;
use crate::ids::WorkspaceId;

/// What an integration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = IntegrationKind))]
pub enum Kind {
    /// Email.
    Email,
    /// Texts.
    Sms,
    /// Calendar entries.
    Calendar,
    /// Files.
    Storage,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Email, Self::Sms, Self::Calendar, Self::Storage];

    /// The word on the wire, in the database and in the key store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Calendar => "calendar",
            Self::Storage => "storage",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// By which way its deliveries go.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::Email => Channel::Email,
            Self::Sms => Channel::Sms,
            Self::Calendar => Channel::Calendar,
            Self::Storage => Channel::Storage,
        }
    }

    /// The kind behind a channel; none for webhooks.
    #[must_use]
    pub const fn of(channel: Channel) -> Option<Self> {
        match channel {
            Channel::Webhook => None,
            Channel::Email => Some(Self::Email),
            Channel::Sms => Some(Self::Sms),
            Channel::Calendar => Some(Self::Calendar),
            Channel::Storage => Some(Self::Storage),
        }
    }

    /// Who provides it, for programs.
    #[must_use]
    pub const fn provider(self) -> &'static str {
        match self {
            Self::Email => "sendgrid",
            Self::Sms => "twilio",
            Self::Calendar => "google",
            Self::Storage => "s3",
        }
    }

    /// Who provides it, for people.
    #[must_use]
    pub const fn provider_name(self) -> &'static str {
        match self {
            Self::Email => "SendGrid",
            Self::Sms => "Twilio",
            Self::Calendar => "Google Calendar",
            Self::Storage => "S3 storage",
        }
    }

    /// One of what it carries, and many.
    #[must_use]
    pub const fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Email => ("email", "emails"),
            Self::Sms => ("text", "texts"),
            Self::Calendar => ("calendar entry", "calendar entries"),
            Self::Storage => ("file", "files"),
        }
    }

    /// Where its deliveries go, told apart between workspaces.
    #[must_use]
    pub fn endpoint(self, workspace: WorkspaceId) -> String {
        format!("{}.{workspace}", self.as_str())
    }

    /// What the owner has to fill in.
    #[must_use]
    pub fn fields(self) -> Vec<Field> {
        match self {
            Self::Email => email::fields(),
            Self::Sms => sms::fields(),
            Self::Storage => storage::fields(),
            Self::Calendar => calendar::fields(),
        }
    }
}

impl ToSql for Kind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::named(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// What becomes of what comes in while an integration is not active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum WhenPaused {
    /// It waits, and goes out once the integration is active again.
    #[default]
    Hold,
    /// It is not sent.
    Skip,
}

/// A secret as it is handed in; it is never shown, and no route gives it back.
#[derive(Debug, Clone, Default)]
pub struct Secret(pub(crate) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.trim().to_owned().into()))
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Secret {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::Password,
            )))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Secret {}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Input {
    /// A line of text.
    Text,
    /// A secret: never shown again.
    Secret,
    /// An email address.
    Email,
    /// A phone number.
    Phone,
    /// A web address.
    Url,
    /// Yes or no.
    Switch,
    /// One of `choices`.
    Choice,
}

/// A place at the provider, to be opened in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Link {
    /// "Open billing"
    pub label: String,
    /// Where it is.
    pub url: String,
}

/// One thing that has to be filled in to set an integration up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Field {
    /// The member of the request.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What it is and what it is for.
    pub help: String,
    /// How it is filled in.
    pub input: Input,
    /// Whether it must be there.
    pub required: bool,
    /// Something it may look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// What can be chosen; for [`Input::Choice`] only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub choices: Vec<String>,
    /// Where to find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Link>,
}

impl Field {
    /// A field that must be filled in.
    pub(crate) fn new(name: &str, label: &str, input: Input, help: &str) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            help: help.into(),
            input,
            required: true,
            example: None,
            choices: Vec::new(),
            find: None,
        }
    }

    /// The same, which may stay empty.
    pub(crate) fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }

    /// The same with an example.
    pub(crate) fn like(self, example: &str) -> Self {
        Self {
            example: Some(example.into()),
            ..self
        }
    }

    /// The same with where to find it.
    pub(crate) fn found_at(self, label: &str, url: &str) -> Self {
        Self {
            find: Some(Link {
                label: label.into(),
                url: url.into(),
            }),
            ..self
        }
    }
}

/// An integration to be set up, or its key to be replaced.
#[derive(Debug, Clone)]
pub enum Setup {
    /// `POST /api/integrations/email`
    Email(email::Setup),
    /// `POST /api/integrations/storage`
    Storage(storage::Setup),
    /// `POST /api/integrations/sms`
    Sms(sms::Setup),
    /// `POST /api/integrations/calendar`
    Calendar(calendar::Setup),
}

/// What is to be different about an integration; what is absent stays.
#[derive(Debug, Clone)]
pub enum Patch {
    /// `PATCH /api/integrations/email`
    Email(email::Patch),
    /// `PATCH /api/integrations/storage`
    Storage(storage::Patch),
    /// `PATCH /api/integrations/sms`
    Sms(sms::Patch),
    /// `PATCH /api/integrations/calendar`
    Calendar(calendar::Patch),
}

/// What of a change is the same for all kinds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Switches {
    pub(crate) is_active: Option<bool>,
    pub(crate) when_paused: Option<WhenPaused>,
}

/// All of an integration that is no secret, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settings {
    Email(email::Settings),
    Storage(storage::Settings),
    Sms(sms::Settings),
    Calendar(calendar::Settings),
}

impl Settings {
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Email(_) => Kind::Email,
            Self::Storage(_) => Kind::Storage,
            Self::Sms(_) => Kind::Sms,
            Self::Calendar(_) => Kind::Calendar,
        }
    }

    /// Where the provider is.
    pub(crate) fn base_url(&self) -> &str {
        match self {
            Self::Email(settings) => &settings.api_base_url,
            Self::Calendar(settings) => &settings.api_base_url,
            Self::Storage(settings) => settings.base_url(),
            Self::Sms(settings) => &settings.api_base_url,
        }
    }

    /// All addresses that secrets may be told to, by the member that sets them.
    pub(crate) fn places(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Email(settings) => vec![("apiBaseUrl", &settings.api_base_url)],
            Self::Sms(settings) => vec![("apiBaseUrl", &settings.api_base_url)],
            Self::Storage(settings) => vec![("endpoint", settings.base_url())],
            Self::Calendar(settings) => vec![
                ("tokenUri", &settings.token_uri),
                ("revokeUri", &settings.revoke_uri),
                ("apiBaseUrl", &settings.api_base_url),
            ],
        }
    }

    /// Those of texts.
    pub(crate) fn into_sms(self) -> Option<sms::Settings> {
        match self {
            Self::Sms(settings) => Some(settings),
            _ => None,
        }
    }

    /// As it is stored.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Email(settings) => serde_json::to_string(settings),
            Self::Storage(settings) => serde_json::to_string(settings),
            Self::Sms(settings) => serde_json::to_string(settings),
            Self::Calendar(settings) => serde_json::to_string(settings),
        }
        .unwrap_or_default()
    }

    /// What was stored.
    pub(crate) fn from_json(kind: Kind, text: &str) -> rusqlite::Result<Self> {
        match kind {
            Kind::Email => crate::db::json(text).map(Self::Email),
            Kind::Sms => crate::db::json(text).map(Self::Sms),
            Kind::Storage => crate::db::json(text).map(Self::Storage),
            Kind::Calendar => crate::db::json(text).map(Self::Calendar),
        }
    }
}

/// Checks the base URL of a provider: `https`, or this computer itself, where stand-ins are.
pub(crate) fn check_base_url(path: &str, text: &str) -> Option<FieldError> {
    let refused = |code: &str, sentence: &str| Some(FieldError::new(path, code, sentence));
    let loopback = url::Url::parse(text)
        .ok()
        .and_then(|url| crate::http::literal_class(&url))
        == Some(crate::http::guard::Class::Loopback);
    match crate::http::guard::check_url(text, loopback) {
        Err(found) => refused(found.code, found.sentence),
        Ok(url) if url.scheme() != "https" && !loopback => refused(
            "https_required",
            "A key goes to this address, so it has to begin with https://.",
        ),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => refused(
            "invalid",
            "This is the beginning of the provider's addresses, such as https://api.sendgrid.com, without ? or #.",
        ),
        Ok(_) => None,
    }
}

/// A member that may be null to say so: `Some(None)`.
pub(crate) fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
