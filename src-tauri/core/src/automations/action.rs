//! What an automation does: its texts, each a template.

use serde::{Deserialize, Serialize};

use crate::integrations::Kind;
use crate::integrations::calendar::{Reminder, SendUpdates};

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// An email is sent.
    Email(EmailAction),
    /// A text is sent.
    Sms(SmsAction),
    /// An entry of the calendar is made, changed or removed.
    Calendar(CalendarAction),
    /// A file is stored.
    Storage(StorageAction),
}

/// Each with its own members and `kind`: two schemas that both allow nothing else would allow nothing.
#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Action {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::PartialSchema;
        use utoipa::openapi::RefOr;
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
        [
            ("email", <EmailAction as PartialSchema>::schema()),
            ("sms", <SmsAction as PartialSchema>::schema()),
            ("calendar", <CalendarAction as PartialSchema>::schema()),
            ("storage", <StorageAction as PartialSchema>::schema()),
        ]
        .into_iter()
        .fold(OneOfBuilder::new(), |all, (kind, schema)| {
            let RefOr::T(Schema::Object(mut object)) = schema else {
                return all.item(schema);
            };
            let word = ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some([kind]));
            object.properties.insert("kind".into(), word.into());
            object.required.push("kind".into());
            all.item(Schema::Object(object))
        })
        .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Action {
    fn name() -> std::borrow::Cow<'static, str> {
        "AutomationAction".into()
    }

    fn schemas(
        schemas: &mut Vec<(
            String,
            utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
        )>,
    ) {
        <CalendarAction as utoipa::ToSchema>::schemas(schemas);
    }
}

impl Action {
    /// Which service does it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Email(_) => Kind::Email,
            Self::Sms(_) => Kind::Sms,
            Self::Calendar(_) => Kind::Calendar,
            Self::Storage(_) => Kind::Storage,
        }
    }
}

/// An email; every text is a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EmailAction {
    /// Whom it goes to, several with commas; where this is empty nothing is sent.
    pub to: String,
    /// Who gets a copy that all see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cc: Option<String>,
    /// Who gets a copy that nobody sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bcc: Option<String>,
    /// Where answers go; else to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What it is about.
    pub subject: String,
    /// The text with its looks; values are escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The text alone; derived from `html` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the appointment goes along as a file that any calendar takes: made of the event's
    /// `title`, `startTime`, `endTime`, `timezone` and `location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_ics: Option<bool>,
}

/// A text to one person; both are templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SmsAction {
    /// The phone number; where this is empty nothing is sent.
    pub to: String,
    /// What it says.
    pub message: String,
}

/// What is done with an entry of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarOperation))]
pub enum Operation {
    /// It is made.
    Create,
    /// What is named is changed.
    Update,
    /// It is removed.
    Delete,
    /// It is made or changed, and removed once the event's type ends in `.cancelled`.
    Sync,
}

/// An entry of the calendar; every text is a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CalendarAction {
    /// What is done with it.
    pub operation: Operation,
    /// Which entry of the event's subject; default `main`. No template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// The zone of the times; else the one that the event's data names, else the workspace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whole days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_day: Option<bool>,
    /// Email addresses of the guests; one that is empty is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub attendees: Vec<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How the owner is reminded, as in `POST /api/calendar/events`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Vec<Reminder>>,
    /// Who hears of it from Google.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_updates: Option<SendUpdates>,
}

/// A file; every text is a template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StorageAction {
    /// Where it lies, under the workspace: `bookings/{{ bookingId }}.json`.
    pub key: String,
    /// What is in it.
    pub content: String,
    /// What kind of file it is; else by the ending of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}
