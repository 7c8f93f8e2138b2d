//! Calendar: what an entry looks like and what is wrong with it, and how a calendar is connected. Pure.
//!
//! `google` speaks to Google, `write` brings an entry into a calendar, `access` keeps the tokens,
//! `sign_in` waits for the browser, `ics` is an appointment as a file, and `connect` is the life of the connection.

pub(crate) mod access;
mod connect;
mod direct;
pub(crate) mod google;
pub(crate) mod ics;
pub(crate) mod sign_in;
pub(crate) mod write;

use std::collections::HashSet;

use email_address::{EmailAddress, Options};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

pub use access::Client;
pub use connect::{Authorization, Authorize, Authorized, CalendarList, Calendars};
pub use direct::{EntryAccepted, EntryNotYet, EntrySent, NextEntry};
pub use sign_in::{FlowStatus, SignIn};

use super::{Field, Input, Secret, Switches, WhenPaused, check_base_url, said};
use crate::clock::Time;
use crate::error::FieldError;
use crate::ids::WorkspaceId;

/// What Google takes at most.
const MOST_REMINDERS: usize = 5;
const MOST_MINUTES: i64 = 40_320;
const MOST_GUESTS: usize = 200;
const LONGEST_LINE: usize = 1024;
const LONGEST_TEXT: usize = 8192;
/// The longest idempotency key, as of events.
const LONGEST_KEY: usize = 255;
/// The calendar that every account has.
pub(crate) const PRIMARY: &str = "primary";

/// Who hears of a change by email from Google.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SendUpdates {
    /// All guests.
    #[default]
    All,
    /// Guests who do not use Google Calendar.
    ExternalOnly,
    /// Nobody.
    None,
}

impl SendUpdates {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ExternalOnly => "externalOnly",
            Self::None => "none",
        }
    }
}

/// How the owner is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ReminderMethod {
    /// By email.
    Email,
    /// By a notice on the screen.
    Popup,
}

/// A reminder before an entry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reminder {
    /// By email or on the screen.
    pub method: ReminderMethod,
    /// How long before, 0 to 40,320 (four weeks).
    pub minutes: i64,
}

/// An entry is announced so, where nobody says otherwise: by email a day before, and half an hour
/// before on the screen.
const USUAL_REMINDERS: [Reminder; 2] = [
    Reminder {
        method: ReminderMethod::Email,
        minutes: 24 * 60,
    },
    Reminder {
        method: ReminderMethod::Popup,
        minutes: 30,
    },
];

/// An entry to be made: `POST /api/calendar/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarEntry))]
pub struct Entry {
    /// What it is called.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it begins: with an offset (`2026-11-26T10:00:00+01:00`), as the clock in `timezone` shows
    /// it (`2026-11-26T10:00`), or for whole days a date (`2026-11-26`).
    pub start_time: String,
    /// When it ends, in the same way. Of whole days, the first one that is no longer part of it.
    pub end_time: String,
    /// The IANA name of the zone, such as `Europe/Berlin`; else the workspace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whole days; so it is too when both times are dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_day: Option<bool>,
    /// The email addresses of the guests; they are invited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub attendees: Vec<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// At most five; absent: by email a day before and on the screen half an hour before. An empty
    /// list is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminders: Option<Vec<Reminder>>,
    /// Who hears of it from Google.
    #[serde(default)]
    pub send_updates: SendUpdates,
    /// The same key again makes nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// What is to be different about an entry: `PATCH /api/calendar/events/{eventId}`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarEntryPatch))]
pub struct EntryPatch {
    /// What it is called.
    #[serde(default)]
    pub title: Option<String>,
    /// More about it; null for nothing.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub description: Option<Option<String>>,
    /// When it begins.
    #[serde(default)]
    pub start_time: Option<String>,
    /// When it ends.
    #[serde(default)]
    pub end_time: Option<String>,
    /// The zone of the times.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether the times are whole days.
    #[serde(default)]
    pub all_day: Option<bool>,
    /// All guests from now on. Those that stay keep their answers.
    #[serde(default)]
    pub attendees: Option<Vec<String>>,
    /// Where it is; null for nowhere.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub location: Option<Option<String>>,
    /// All reminders from now on.
    #[serde(default)]
    pub reminders: Option<Vec<Reminder>>,
    /// Who hears of it from Google.
    #[serde(default)]
    pub send_updates: SendUpdates,
    /// The same key again changes nothing more.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// An entry to be removed: `DELETE /api/calendar/events/{eventId}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarEntryRemoval))]
pub struct Removal {
    /// Who hears of it from Google.
    #[serde(default)]
    pub send_updates: SendUpdates,
}

/// When something begins or ends, as Google writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// A whole day.
    Day(Date),
    /// A moment, and the zone in which people say it.
    At(ZonedDateTime, String),
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Day(date) => map.serialize_entry("date", &date.to_string())?,
            Self::At(at, zone) => {
                map.serialize_entry("dateTime", &at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())?;
                map.serialize_entry("timeZone", zone)?;
            }
        }
        map.end()
    }
}

impl When {
    /// The moment, in the zone where days begin.
    pub(crate) fn moment(&self, zone: &TimeZone) -> Option<Time> {
        let at = match self {
            Self::At(at, _) => at.timestamp(),
            Self::Day(date) => date.to_zoned_datetime(zone.clone()).ok()?.timestamp(),
        };
        Some(Time::from_ms(at.as_millisecond()))
    }
}

/// A time as it was handed in.
#[derive(Debug, Clone, Copy)]
enum Given {
    Moment(Timestamp),
    Clock(DateTime),
    Day(Date),
}

impl Given {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(Self::Moment(at));
        }
        // A date alone has nothing behind its day.
        if text.len() == 10 {
            return text.parse().ok().map(Self::Day);
        }
        text.parse().ok().map(Self::Clock)
    }

    /// As the clocks of a zone show it. A time that a change of clocks leaves out is as much later,
    /// one that comes twice is the first.
    fn zoned(self, zone: &TimeZone) -> Option<ZonedDateTime> {
        match self {
            Self::Moment(at) => Some(at.to_zoned_datetime(zone.clone())),
            Self::Clock(at) => at.to_zoned_datetime(zone.clone()).ok(),
            Self::Day(day) => day.to_zoned_datetime(zone.clone()).ok(),
        }
    }
}

/// The times of an entry, read; `zone` is the workspace's, for what names none.
pub(crate) struct Times {
    pub(crate) start: Option<When>,
    pub(crate) end: Option<When>,
}

fn no_time(path: &str) -> FieldError {
    FieldError::new(
        path,
        "invalid",
        "This is no time; one looks like 2026-11-26T10:00:00+01:00, 2026-11-26T10:00 or, for whole days, 2026-11-26.",
    )
}

/// Reads the times of an entry. Pure.
///
/// # Errors
/// What is wrong with them, field by field.
pub(crate) fn times(
    start: Option<&str>,
    end: Option<&str>,
    timezone: Option<&str>,
    all_day: Option<bool>,
    own: &str,
) -> Result<Times, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let name = timezone.map_or(own, str::trim);
    let zone = TimeZone::get(name).unwrap_or_else(|_| {
        wrong.push(FieldError::new(
            "timezone",
            "invalid",
            "This is no time zone; one is called like Europe/Berlin.",
        ));
        TimeZone::UTC
    });
    let mut read = |path: &str, text: Option<&str>| -> Option<Given> {
        let given = Given::read(text?);
        if given.is_none() {
            wrong.push(no_time(path));
        }
        given
    };
    let (from, to) = (read("startTime", start), read("endTime", end));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let both_days = [from, to]
        .into_iter()
        .flatten()
        .all(|given| matches!(given, Given::Day(_)));
    let whole_days = all_day.unwrap_or(both_days && (from.is_some() || to.is_some()));
    let when = |path: &str, given: Given, is_end: bool| -> Result<When, FieldError> {
        let zoned = given.zoned(&zone).ok_or_else(|| no_time(path))?;
        if !whole_days {
            return match given {
                Given::Day(_) => Err(FieldError::new(
                    path,
                    "invalid",
                    "Say at what time of the day, or that it is allDay.",
                )),
                _ => Ok(When::At(zoned, name.to_owned())),
            };
        }
        let date = zoned.date();
        // The end is the first day that is no longer part of it.
        let begun = is_end && zoned.time() != jiff::civil::Time::midnight();
        if begun {
            return date.tomorrow().map(When::Day).map_err(|_| no_time(path));
        }
        Ok(When::Day(date))
    };
    let mut read = |path: &str, given: Option<Given>, is_end| {
        given.and_then(|given| {
            when(path, given, is_end)
                .map_err(|found| wrong.push(found))
                .ok()
        })
    };
    let (start, mut end) = (read("startTime", from, false), read("endTime", to, true));
    if let (Some(When::Day(first)), Some(When::Day(last))) = (&start, &end)
        && first == last
    {
        // One day, said with the same day twice.
        end = last.tomorrow().ok().map(When::Day);
    }
    let backwards = match (&start, &end) {
        (Some(When::Day(first)), Some(When::Day(last))) => first > last,
        (Some(When::At(first, _)), Some(When::At(last, _))) => first > last,
        _ => false,
    };
    if backwards {
        wrong.push(FieldError::new(
            "endTime",
            "invalid",
            "It ends before it begins.",
        ));
    }
    if wrong.is_empty() {
        Ok(Times { start, end })
    } else {
        Err(wrong)
    }
}

/// A guest: `Maria Petersen <maria@example.com>` in its two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) email: String,
    pub(crate) name: Option<String>,
}

impl Guest {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return None;
        }
        let options = Options::default()
            .without_domain_literal()
            .with_display_text()
            .with_required_tld();
        let address = EmailAddress::parse_with_options(text, options).ok()?;
        let name = address.display_part().trim().trim_matches('"').trim();
        Some(Self {
            email: address.email().to_owned(),
            name: (!name.is_empty()).then(|| name.to_owned()),
        })
    }
}

fn check_line(wrong: &mut Vec<FieldError>, path: &str, text: &str, longest: usize) {
    if text.chars().count() > longest {
        wrong.push(FieldError::new(
            path,
            "too_long",
            format!("This may have {longest} characters at most."),
        ));
    }
}

fn check_title(wrong: &mut Vec<FieldError>, title: &str) {
    if title.trim().is_empty() {
        wrong.push(FieldError::new("title", "required", "Say what it is."));
    }
    check_line(wrong, "title", title, LONGEST_LINE);
}

fn check_guests(wrong: &mut Vec<FieldError>, guests: &[String]) {
    let mut seen = HashSet::new();
    for (i, text) in guests.iter().enumerate() {
        let path = format!("attendees.{i}");
        match Guest::read(text) {
            None => wrong.push(FieldError::new(
                path,
                "invalid",
                "This is no email address; one looks like maria@example.com.",
            )),
            Some(guest) if !seen.insert(guest.email.to_lowercase()) => {
                wrong.push(FieldError::new(
                    path,
                    "duplicate",
                    "This guest is there twice.",
                ));
            }
            Some(_) => {}
        }
    }
    if guests.len() > MOST_GUESTS {
        wrong.push(FieldError::new(
            "attendees",
            "too_many",
            "One entry has 200 guests at most.",
        ));
    }
}

fn check_reminders(wrong: &mut Vec<FieldError>, reminders: &[Reminder]) {
    if reminders.len() > MOST_REMINDERS {
        wrong.push(FieldError::new(
            "reminders",
            "too_many",
            "One entry has five reminders at most.",
        ));
    }
    for (i, reminder) in reminders.iter().enumerate() {
        if !(0..=MOST_MINUTES).contains(&reminder.minutes) {
            wrong.push(FieldError::new(
                format!("reminders.{i}.minutes"),
                "invalid",
                "A reminder comes 0 to 40,320 minutes (four weeks) before.",
            ));
        }
    }
}

/// What is wrong with reminders.
pub(crate) fn wrong_reminders(reminders: &[Reminder]) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    check_reminders(&mut wrong, reminders);
    wrong
}

fn check_key(wrong: &mut Vec<FieldError>, key: Option<&str>) {
    if key.is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY) {
        wrong.push(FieldError::new(
            "idempotencyKey",
            "invalid",
            "This must be 1 to 255 characters long.",
        ));
    }
}

impl Entry {
    /// Its times; `zone` is the workspace's.
    pub(crate) fn times(&self, zone: &str) -> Result<Times, Vec<FieldError>> {
        let (start, end) = (Some(&*self.start_time), Some(&*self.end_time));
        times(start, end, self.timezone.as_deref(), self.all_day, zone)
    }

    /// What is wrong with it, field by field; `zone` is the workspace's.
    pub(crate) fn check(&self, zone: &str) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        check_title(&mut wrong, &self.title);
        wrong.extend(self.times(zone).err().unwrap_or_default());
        check_line(
            &mut wrong,
            "description",
            self.description.as_deref().unwrap_or_default(),
            LONGEST_TEXT,
        );
        check_line(
            &mut wrong,
            "location",
            self.location.as_deref().unwrap_or_default(),
            LONGEST_LINE,
        );
        check_guests(&mut wrong, &self.attendees);
        check_reminders(&mut wrong, self.reminders.as_deref().unwrap_or_default());
        check_key(&mut wrong, self.idempotency_key.as_deref());
        wrong
    }

    pub(crate) fn reminders(&self) -> &[Reminder] {
        self.reminders.as_deref().unwrap_or(&USUAL_REMINDERS)
    }
}

impl EntryPatch {
    /// All that an entry says, for one that is there already.
    pub(crate) fn of(entry: &Entry) -> Self {
        Self {
            title: Some(entry.title.clone()),
            description: Some(entry.description.clone()),
            start_time: Some(entry.start_time.clone()),
            end_time: Some(entry.end_time.clone()),
            timezone: entry.timezone.clone(),
            all_day: entry.all_day,
            attendees: Some(entry.attendees.clone()),
            location: Some(entry.location.clone()),
            reminders: entry.reminders.clone(),
            send_updates: entry.send_updates,
            idempotency_key: None,
        }
    }

    /// Its times; `zone` is the workspace's.
    pub(crate) fn times(&self, zone: &str) -> Result<Times, Vec<FieldError>> {
        let (start, end) = (self.start_time.as_deref(), self.end_time.as_deref());
        times(start, end, self.timezone.as_deref(), self.all_day, zone)
    }

    /// What is wrong with it, field by field; `zone` is the workspace's.
    pub(crate) fn check(&self, zone: &str) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        if let Some(title) = &self.title {
            check_title(&mut wrong, title);
        }
        wrong.extend(self.times(zone).err().unwrap_or_default());
        let timeless = self.start_time.is_none() && self.end_time.is_none();
        if timeless && (self.timezone.is_some() || self.all_day.is_some()) {
            wrong.push(FieldError::new(
                "startTime",
                "required",
                "Another zone, or whole days, go with the times: give startTime and endTime too.",
            ));
        }
        let text = |given: &Option<Option<String>>| given.clone().flatten().unwrap_or_default();
        check_line(
            &mut wrong,
            "description",
            &text(&self.description),
            LONGEST_TEXT,
        );
        check_line(&mut wrong, "location", &text(&self.location), LONGEST_LINE);
        check_guests(&mut wrong, self.attendees.as_deref().unwrap_or_default());
        check_reminders(&mut wrong, self.reminders.as_deref().unwrap_or_default());
        check_key(&mut wrong, self.idempotency_key.as_deref());
        if *self
            == (Self {
                send_updates: self.send_updates,
                idempotency_key: self.idempotency_key.clone(),
                ..Self::default()
            })
        {
            wrong.push(FieldError::new(
                "title",
                "required",
                "Say what is to be different.",
            ));
        }
        wrong
    }
}

/// The id of an entry at Google, which is one for each subject and entry of a workspace, however often
/// it is made. Base32hex, as Google wants it, of 20 bytes: nobody finds another with the same.
pub(crate) fn entry_id(workspace: WorkspaceId, subject: &str, entry: &str) -> String {
    let mut hash = Sha256::new();
    for part in [workspace.to_string().as_str(), subject, entry] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let bytes = digest.get(..20).unwrap_or(&digest);
    format!(
        "sb{}",
        data_encoding::BASE32HEX_NOPAD
            .encode(bytes)
            .to_ascii_lowercase()
    )
}

/// True for what can be the id of an entry at Google.
pub(crate) fn is_entry_id(text: &str) -> bool {
    // Entries of a series have the moment behind `_`.
    (1..=1024).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A calendar of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarChoice))]
pub struct Choice {
    /// What to give as `calendarId`.
    pub id: String,
    /// What the owner calls it.
    pub summary: String,
    /// The account's own.
    pub primary: bool,
}

/// Google Calendar to be set up with tokens that somebody else got: `POST /api/integrations/calendar`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarSetup))]
pub struct Setup {
    /// Good for an hour; kept in memory only.
    pub access_token: Secret,
    /// Gets further access tokens.
    pub refresh_token: Secret,
    /// The calendar to write into; else the account's own.
    #[serde(default)]
    pub calendar_id: Option<String>,
    /// The client that the tokens were given to; else the publisher's.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret, if it has one.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Where tokens are refreshed; else at Google.
    #[serde(default)]
    pub token_uri: Option<String>,
    /// Where access is given back; else at Google.
    #[serde(default)]
    pub revoke_uri: Option<String>,
    /// Where the calendar is; else at Google.
    #[serde(default)]
    pub api_base_url: Option<String>,
}

/// What is to be different: `PATCH /api/integrations/calendar`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CalendarPatch))]
pub struct Patch {
    /// False pauses, true resumes and lets go what was held.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// What becomes of what comes in meanwhile.
    #[serde(default)]
    pub when_paused: Option<WhenPaused>,
    /// The calendar to write into.
    #[serde(default)]
    pub calendar_id: Option<String>,
    /// Where tokens are refreshed. Another scheme, host or port needs the tokens in the same request.
    #[serde(default)]
    pub token_uri: Option<String>,
    /// Where access is given back, in the same way.
    #[serde(default)]
    pub revoke_uri: Option<String>,
    /// Where the calendar is, in the same way.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// An access token for another refresh token.
    #[serde(default)]
    pub access_token: Option<Secret>,
    /// Another refresh token; tried before it takes the place of the former.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
}

impl Patch {
    pub(crate) const fn switches(&self) -> Switches {
        Switches {
            is_active: self.is_active,
            when_paused: self.when_paused,
        }
    }
}

/// All of it that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) calendar_id: String,
    /// The name of the chosen calendar.
    pub(crate) calendar_name: Option<String>,
    /// The id of the account's own calendar, which is its address.
    pub(crate) account: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// The owner's own client; none is the publisher's.
    pub(crate) client_id: Option<String>,
    pub(crate) connected_at: Time,
    pub(crate) auth_uri: String,
    pub(crate) token_uri: String,
    pub(crate) revoke_uri: String,
    pub(crate) api_base_url: String,
}

impl Settings {
    /// What is wrong with the addresses, field by field.
    pub(crate) fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        for (path, address) in [
            ("authUri", &self.auth_uri),
            ("tokenUri", &self.token_uri),
            ("revokeUri", &self.revoke_uri),
            ("apiBaseUrl", &self.api_base_url),
        ] {
            wrong.extend(check_base_url(path, address));
        }
        if self.calendar_id.is_empty()
            || self.calendar_id.len() > 1024
            || self.calendar_id.chars().any(char::is_control)
        {
            wrong.push(FieldError::new(
                "calendarId",
                "invalid",
                "This is the id of one of your calendars, or primary.",
            ));
        }
        wrong
    }
}

/// What the owner has to fill in, who has tokens and no browser.
pub(super) fn fields() -> Vec<Field> {
    let field = |name, label, input, help| Field::new(name, label, input, help);
    vec![
        field(
            "accessToken",
            "Access token",
            Input::Secret,
            "What the token endpoint gave. It is good for an hour, and kept in memory only.",
        ),
        field(
            "refreshToken",
            "Refresh token",
            Input::Secret,
            "What gets further access tokens. It is kept in this computer’s key store.",
        ),
        field(
            "calendarId",
            "Calendar",
            Input::Text,
            "The id of the calendar to write into; empty for your own.",
        )
        .optional()
        .like(PRIMARY),
        field(
            "clientId",
            "Client ID",
            Input::Text,
            "The client that the tokens were given to, from the Google Cloud console.",
        )
        .optional()
        .like("123-abc.apps.googleusercontent.com")
        .found_at("Open Google’s console", google::CLIENTS),
        field(
            "clientSecret",
            "Client secret",
            Input::Secret,
            "Goes with the client ID.",
        )
        .optional(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(start: &str, end: &str, zone: Option<&str>, all_day: Option<bool>) -> (String, String) {
        let found = times(Some(start), Some(end), zone, all_day, "Europe/Berlin").unwrap();
        let text = |when: Option<When>| serde_json::to_string(&when.unwrap()).unwrap();
        (text(found.start), text(found.end))
    }

    fn at(time: &str, zone: &str) -> String {
        format!(r#"{{"dateTime":"{time}","timeZone":"{zone}"}}"#)
    }

    fn day(date: &str) -> String {
        format!(r#"{{"date":"{date}"}}"#)
    }

    #[test]
    fn times_are_read_as_people_and_programs_write_them() {
        for (start, end, zone, from, to) in [
            // A moment is shown in the zone that is named, else in the workspace's.
            (
                "2026-11-26T09:00:00Z",
                "2026-11-26T11:00:00+01:00",
                None,
                at("2026-11-26T10:00:00+01:00", "Europe/Berlin"),
                at("2026-11-26T11:00:00+01:00", "Europe/Berlin"),
            ),
            (
                "2026-11-26T09:00:00Z",
                "2026-11-26T10:00:00Z",
                Some("America/New_York"),
                at("2026-11-26T04:00:00-05:00", "America/New_York"),
                at("2026-11-26T05:00:00-05:00", "America/New_York"),
            ),
            // What the clock on the wall shows.
            (
                "2026-07-01T10:00",
                "2026-07-01T10:45:00",
                None,
                at("2026-07-01T10:00:00+02:00", "Europe/Berlin"),
                at("2026-07-01T10:45:00+02:00", "Europe/Berlin"),
            ),
            // Clocks go forward: 02:30 is left out, and is an hour later.
            (
                "2026-03-29T02:30",
                "2026-03-29T04:00",
                None,
                at("2026-03-29T03:30:00+02:00", "Europe/Berlin"),
                at("2026-03-29T04:00:00+02:00", "Europe/Berlin"),
            ),
            // Clocks go back: 02:30 comes twice, and is the first; both can be told by their offset.
            (
                "2026-10-25T02:30",
                "2026-10-25T03:30",
                None,
                at("2026-10-25T02:30:00+02:00", "Europe/Berlin"),
                at("2026-10-25T03:30:00+01:00", "Europe/Berlin"),
            ),
            (
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:30:00+01:00",
                None,
                at("2026-10-25T02:30:00+02:00", "Europe/Berlin"),
                at("2026-10-25T02:30:00+01:00", "Europe/Berlin"),
            ),
        ] {
            assert_eq!(json(start, end, zone, None), (from, to), "{start}");
        }
    }

    #[test]
    fn the_end_of_whole_days_is_the_first_day_that_is_no_longer_part_of_them() {
        for (start, end, all_day, from, to) in [
            ("2026-12-24", "2026-12-27", None, "2026-12-24", "2026-12-27"),
            (
                "2026-12-24",
                "2026-12-25",
                Some(true),
                "2026-12-24",
                "2026-12-25",
            ),
            ("2026-12-24", "2026-12-24", None, "2026-12-24", "2026-12-25"),
            (
                "2026-12-24T00:00:00+01:00",
                "2026-12-26T00:00:00+01:00",
                Some(true),
                "2026-12-24",
                "2026-12-26",
            ),
            (
                "2026-12-24T10:00",
                "2026-12-24T18:00",
                Some(true),
                "2026-12-24",
                "2026-12-25",
            ),
            // The day on which clocks change has 23 or 25 hours, and is one day.
            ("2026-03-29", "2026-03-30", None, "2026-03-29", "2026-03-30"),
            // 23:30 in London is the next day in Berlin.
            (
                "2026-12-24T23:30:00Z",
                "2026-12-26T00:00:00+01:00",
                Some(true),
                "2026-12-25",
                "2026-12-26",
            ),
        ] {
            assert_eq!(
                json(start, end, None, all_day),
                (day(from), day(to)),
                "{start}"
            );
        }
    }

    #[test]
    fn what_is_no_time_or_zone_is_named() {
        for (start, end, zone, all_day, path) in [
            ("tomorrow", "2026-11-26T10:00", None, None, "startTime"),
            (
                "2026-11-26T10:00",
                "2026-13-26T10:00",
                None,
                None,
                "endTime",
            ),
            (
                "2026-11-26T10:00",
                "2026-11-26T09:00",
                None,
                None,
                "endTime",
            ),
            ("2026-11-27", "2026-11-26", None, None, "endTime"),
            (
                "2026-11-26T10:00",
                "2026-11-26T11:00",
                Some("Berlin"),
                None,
                "timezone",
            ),
            ("2026-11-26", "2026-11-26T11:00", None, None, "startTime"),
            ("2026-11-26", "2026-11-27", None, Some(false), "startTime"),
        ] {
            let wrong = times(Some(start), Some(end), zone, all_day, "UTC")
                .err()
                .unwrap();
            assert_eq!(wrong[0].path, path, "{start} {end}");
        }
    }

    fn entry(more: serde_json::Value) -> Entry {
        let mut entry = serde_json::json!({"title": "Haircut", "startTime": "2026-11-26T10:00", "endTime": "2026-11-26T11:00"});
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn what_google_would_refuse_is_refused_before() {
        let reminder = |minutes: i64| serde_json::json!({"method": "popup", "minutes": minutes});
        for (more, path) in [
            (serde_json::json!({"title": " "}), "title"),
            (
                serde_json::json!({"reminders": [reminder(40_321)]}),
                "reminders.0.minutes",
            ),
            (
                serde_json::json!({"reminders": [reminder(1), reminder(-1)]}),
                "reminders.1.minutes",
            ),
            (
                serde_json::json!({"reminders": vec![reminder(1); 6]}),
                "reminders",
            ),
            (
                serde_json::json!({"attendees": ["maria@example.com", "maria"]}),
                "attendees.1",
            ),
            (
                serde_json::json!({"attendees": ["maria@example.com", "Maria <MARIA@example.com>"]}),
                "attendees.1",
            ),
            (
                serde_json::json!({"location": "x".repeat(1025)}),
                "location",
            ),
            (
                serde_json::json!({"description": "x".repeat(8193)}),
                "description",
            ),
            (serde_json::json!({"idempotencyKey": ""}), "idempotencyKey"),
        ] {
            let wrong = entry(more).check("UTC");
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert_eq!(wrong[0].path, path);
        }
        let good = serde_json::json!({"reminders": vec![reminder(40_320); 5], "attendees": ["Maria Petersen <maria@example.com>"]});
        assert!(entry(good).check("UTC").is_empty());
        assert_eq!(entry(serde_json::json!({})).reminders().len(), 2);
        assert!(
            entry(serde_json::json!({"reminders": []}))
                .reminders()
                .is_empty()
        );
    }

    #[test]
    fn a_change_says_what_it_changes_and_gives_zone_and_whole_days_with_times() {
        let patch = |json: serde_json::Value| {
            serde_json::from_value::<EntryPatch>(json)
                .unwrap()
                .check("UTC")
        };
        assert_eq!(
            patch(serde_json::json!({"sendUpdates": "none"}))[0].path,
            "title"
        );
        assert_eq!(
            patch(serde_json::json!({"timezone": "UTC"}))[0].path,
            "startTime"
        );
        assert!(patch(serde_json::json!({"location": null})).is_empty());
        assert!(patch(serde_json::json!({"endTime": "2026-11-26T11:00"})).is_empty());
    }

    #[test]
    fn an_entry_has_the_same_id_for_ever_and_no_other_has_it() {
        let (one, other) = (WorkspaceId::new(), WorkspaceId::new());
        let id = entry_id(one, "b-7", "main");
        assert_eq!(id, entry_id(one, "b-7", "main"));
        // Google: base32hex, 5 to 1024 characters.
        assert!((5..=1024).contains(&id.len()));
        assert!(
            id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')),
            "{id}"
        );
        for different in [
            entry_id(other, "b-7", "main"),
            entry_id(one, "b-8", "main"),
            entry_id(one, "b-7", "other"),
            entry_id(one, "b-7m", "ain"),
        ] {
            assert_ne!(id, different);
        }
    }
}
