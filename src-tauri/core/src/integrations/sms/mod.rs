//! Texts: what one looks like and what is wrong with it, how large it is, and how they are set up.
//! Pure; one is sent, looked for and followed by `send`, in the words of `twilio`.

pub(crate) mod number;
pub(crate) mod progress;
pub mod segments;
pub(crate) mod send;
pub(crate) mod twilio;

use serde::{Deserialize, Serialize};

use super::{Field, Input, Secret, Switches, WhenPaused, check_base_url, said};
use crate::error::FieldError;

pub use progress::Status;
pub use segments::{Encoding, Size};
pub use send::{SmsAccepted, SmsSent, SmsStatus, SmsStood};

/// The longest message Twilio takes, in letters.
const LONGEST: usize = 1600;
/// The longest idempotency key, as of events.
const LONGEST_KEY: usize = 255;

/// A text to one person: `POST /api/sms/send`, and what automations make of their texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SmsMessage))]
pub struct Message {
    /// The phone number, best with a plus and the country: `+43 664 1234567`.
    pub to: String,
    /// What it says.
    pub message: String,
    /// The same key again sends nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

impl Message {
    /// What is wrong with it, field by field. `country` is where a number belongs that does not say
    /// so itself.
    pub(crate) fn check(&self, country: Option<&str>) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        wrong.extend(wrong_number("to", &self.to, country));
        wrong.extend(wrong_words(&self.message));
        if self
            .idempotency_key
            .as_ref()
            .is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY)
        {
            wrong.push(FieldError::new(
                "idempotencyKey",
                "invalid",
                "This must be 1 to 255 characters long.",
            ));
        }
        wrong
    }
}

/// What is wrong with a phone number.
pub(crate) fn wrong_number(path: &str, text: &str, country: Option<&str>) -> Option<FieldError> {
    let wrong = number::e164(text, country).err()?;
    Some(FieldError::new(path, wrong.code(), wrong.sentence()))
}

/// What is wrong with what a text says.
pub(crate) fn wrong_words(message: &str) -> Option<FieldError> {
    if message.trim().is_empty() {
        Some(FieldError::new(
            "message",
            "required",
            "Write what it says.",
        ))
    } else if message.chars().count() > LONGEST {
        Some(FieldError::new(
            "message",
            "too_long",
            "A text can have 1,600 letters at most. Make it shorter, or send a link.",
        ))
    } else if message.contains('\0') {
        Some(FieldError::new(
            "message",
            "invalid",
            "A text cannot carry the character NUL.",
        ))
    } else {
        None
    }
}

/// A text to be looked at before it is sent: `POST /api/sms/preview`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SmsDraft))]
pub struct Draft {
    /// The phone number as it was written, if there is one yet.
    #[serde(default)]
    pub to: Option<String>,
    /// What it says so far.
    pub message: String,
    /// Where the number belongs if it does not say so, in two letters; else what is set.
    #[serde(default)]
    pub country: Option<String>,
}

/// What a text would be. Nothing is sent.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SmsPreview))]
pub struct Preview {
    /// The number as it would be called; null when it is none, or none was given.
    pub to: Option<String>,
    /// Why the number is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_error: Option<String>,
    /// Why the message cannot be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_error: Option<String>,
    /// What it takes.
    #[serde(flatten)]
    pub size: Size,
    /// The first letter that makes it larger: without it and its like, twice as much fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costly: Option<String>,
    /// What it takes, in words.
    pub sentence: String,
}

impl Draft {
    /// Looks at it. `country` is the one that is set.
    pub(crate) fn preview(&self, country: Option<&str>) -> Preview {
        let country = self.country.as_deref().or(country);
        let read = self
            .to
            .as_deref()
            .filter(|to| !to.trim().is_empty())
            .map(|to| number::e164(to, country));
        let (to, to_error) = match read {
            None => (None, None),
            Some(Ok(number)) => (Some(number), None),
            Some(Err(wrong)) => (None, Some(wrong.sentence().to_owned())),
        };
        let size = segments::count(&self.message);
        let costly = segments::first_beyond_gsm7(&self.message).map(String::from);
        let texts = crate::explain::count(size.segments.into(), "text", "texts");
        let sentence = match &costly {
            None => format!("This is {texts}; {} letters are left.", size.left),
            Some(letter) => format!(
                "This is {texts}; {} letters are left. The letter “{letter}” makes less than half as much fit.",
                size.left
            ),
        };
        Preview {
            to,
            to_error,
            message_error: wrong_words(&self.message).map(|wrong| wrong.message),
            size,
            costly,
            sentence,
        }
    }
}

/// Twilio to be set up: `POST /api/integrations/sms`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SmsSetup))]
pub struct Setup {
    /// The account: `AC…`.
    pub account_sid: String,
    /// Its auth token.
    pub auth_token: Secret,
    /// The number that texts come from. This or a messaging service.
    #[serde(default)]
    pub from_number: Option<String>,
    /// The messaging service that chooses the number: `MG…`.
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// Where numbers belong that do not say so, in two letters; else where the sender's number belongs.
    #[serde(default)]
    pub country: Option<String>,
    /// Where Twilio is; else `https://api.twilio.com`.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// Sends a test there before it is saved.
    #[serde(default)]
    pub test_to: Option<String>,
}

/// What is to be different: `PATCH /api/integrations/sms`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = SmsPatch))]
pub struct Patch {
    /// False pauses, true resumes and lets go what was held.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// What becomes of what comes in meanwhile.
    #[serde(default)]
    pub when_paused: Option<WhenPaused>,
    /// Another account; it needs its token in the same request.
    #[serde(default)]
    pub account_sid: Option<String>,
    /// The number that texts come from, instead of a messaging service.
    #[serde(default)]
    pub from_number: Option<String>,
    /// The messaging service that chooses the number, instead of a number.
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// Where numbers belong that do not say so; null for where the sender's number belongs.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub country: Option<Option<String>>,
    /// Where Twilio is. Another scheme, host or port needs the token in the same request.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// Another token; tested before it takes the place of the former.
    #[serde(default)]
    pub auth_token: Option<Secret>,
}

/// All of it that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) account_sid: String,
    pub(crate) from_number: Option<String>,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) api_base_url: String,
}

impl Settings {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            account_sid: setup.account_sid.trim().to_owned(),
            from_number: sender_number(setup.from_number.as_deref()),
            messaging_service_sid: given(setup.messaging_service_sid.as_deref()),
            country: country(setup.country.as_deref()),
            api_base_url: base_url(setup.api_base_url.as_deref()),
        }
    }

    pub(crate) fn apply(&mut self, patch: &Patch) {
        if let Some(sid) = &patch.account_sid {
            sid.trim().clone_into(&mut self.account_sid);
        }
        if let Some(number) = sender_number(patch.from_number.as_deref()) {
            self.from_number = Some(number);
            self.messaging_service_sid = None;
        }
        if let Some(service) = given(patch.messaging_service_sid.as_deref()) {
            self.messaging_service_sid = Some(service);
            if patch.from_number.is_none() {
                self.from_number = None;
            }
        }
        if let Some(other) = &patch.country {
            self.country = country(other.as_deref());
        }
        if let Some(url) = &patch.api_base_url {
            self.api_base_url = base_url(Some(url));
        }
    }

    /// What is wrong with them, field by field.
    pub(crate) fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, code: &str, sentence: &str| {
            wrong.push(FieldError::new(path, code, sentence));
        };
        if !twilio::is_sid(&self.account_sid, &["AC"]) {
            say(
                "accountSid",
                "invalid",
                "This is no account of Twilio's; one is AC and 32 digits or letters from a to f.",
            );
        }
        match (&self.from_number, &self.messaging_service_sid) {
            (None, None) => say(
                "fromNumber",
                "required",
                "Say where texts come from: your number at Twilio, or a messaging service.",
            ),
            (Some(_), Some(_)) => say(
                "messagingServiceSid",
                "conflict",
                "Choose one: a number of yours, or a messaging service that chooses it.",
            ),
            (None, Some(sid)) if !twilio::is_sid(sid, &["MG"]) => say(
                "messagingServiceSid",
                "invalid",
                "This is no messaging service of Twilio's; one is MG and 32 digits or letters from a to f.",
            ),
            (None, Some(_)) => {}
            (Some(number), None) => {
                if number::e164(number, None).as_ref() != Ok(number) {
                    say(
                        "fromNumber",
                        "invalid",
                        "This is no phone number. Write yours as Twilio shows it: +15005550006.",
                    );
                }
            }
        }
        if let Some(country) = &self.country
            && number::known(country).is_none()
        {
            say(
                "country",
                "unknown",
                "This is no country; one is two letters, such as AT or US.",
            );
        }
        wrong.extend(check_base_url("apiBaseUrl", &self.api_base_url));
        wrong
    }

    /// Where a number belongs that does not say so itself.
    pub(crate) fn country(&self) -> Option<&str> {
        match (&self.country, &self.from_number) {
            (Some(country), _) => Some(country),
            (None, Some(number)) => number::country_of(number),
            (None, None) => None,
        }
    }

    /// Who texts come from.
    pub(crate) fn sender(&self) -> Option<twilio::Sender<'_>> {
        match (&self.from_number, &self.messaging_service_sid) {
            (Some(number), _) => Some(twilio::Sender::Number(number)),
            (None, Some(sid)) => Some(twilio::Sender::Service(sid)),
            (None, None) => None,
        }
    }
}

impl Patch {
    pub(crate) const fn switches(&self) -> Switches {
        Switches {
            is_active: self.is_active,
            when_paused: self.when_paused,
        }
    }
}

fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// The number as it is sent; what is none stays as it is, to be refused.
fn sender_number(text: Option<&str>) -> Option<String> {
    let text = given(text)?;
    Some(number::e164(&text, None).unwrap_or(text))
}

fn country(text: Option<&str>) -> Option<String> {
    given(text).map(|text| text.to_ascii_uppercase())
}

fn base_url(text: Option<&str>) -> String {
    given(text)
        .as_deref()
        .unwrap_or(twilio::BASE_URL)
        .trim_end_matches('/')
        .to_owned()
}

/// What the owner has to fill in.
pub(super) fn fields() -> Vec<Field> {
    vec![
        Field::new(
            "accountSid",
            "Account SID",
            Input::Text,
            "It stands on the first page of Twilio’s console, under Account Info.",
        )
        .like("AC…")
        .found_at("Open Twilio’s console", twilio::CONSOLE),
        Field::new(
            "authToken",
            "Auth token",
            Input::Secret,
            "It stands below the account SID; press Show there.",
        )
        .found_at("Open Twilio’s console", twilio::CONSOLE),
        Field::new(
            "fromNumber",
            "Your number",
            Input::Phone,
            "The number at Twilio that your texts come from. Leave it empty if you use a messaging service.",
        )
        .optional()
        .like("+15005550006")
        .found_at("Open your numbers", twilio::NUMBERS),
        Field::new(
            "messagingServiceSid",
            "Messaging service",
            Input::Text,
            "Instead of a number: the service chooses among yours.",
        )
        .optional()
        .like("MG…")
        .found_at("Open messaging services", twilio::SERVICES),
        Field::new(
            "country",
            "Country of your customers",
            Input::Text,
            "Two letters. A number without a country belongs there; empty means where your own number belongs.",
        )
        .optional()
        .like("AT"),
        Field::new(
            "apiBaseUrl",
            "Address of Twilio",
            Input::Url,
            "Leave it empty, unless Twilio gave you another one.",
        )
        .optional()
        .like(twilio::BASE_URL),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
        let mut settings = Settings {
            account_sid: format!("AC{}", "0a".repeat(16)),
            from_number: Some("+15005550006".into()),
            messaging_service_sid: None,
            country: None,
            api_base_url: twilio::BASE_URL.into(),
        };
        change(&mut settings);
        settings
    }

    #[test]
    fn a_number_without_a_country_belongs_where_it_is_set_or_where_the_sender_is() {
        assert_eq!(settings(|_| {}).country(), Some("US"));
        assert_eq!(
            settings(|s| s.country = Some("AT".into())).country(),
            Some("AT")
        );
        let service = settings(|s| {
            s.from_number = None;
            s.messaging_service_sid = Some(format!("MG{}", "0a".repeat(16)));
        });
        assert_eq!(service.country(), None);
        assert!(service.check().is_empty());
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let named = |change: fn(&mut Settings)| {
            let found = settings(change).check();
            found.into_iter().map(|f| f.path).collect::<Vec<_>>()
        };
        assert_eq!(named(|_| {}), [""; 0]);
        assert_eq!(named(|s| s.account_sid = "AC1".into()), ["accountSid"]);
        assert_eq!(named(|s| s.from_number = None), ["fromNumber"]);
        assert_eq!(
            named(|s| s.from_number = Some("SALON".into())),
            ["fromNumber"]
        );
        assert_eq!(named(|s| s.country = Some("XX".into())), ["country"]);
        assert_eq!(
            named(|s| s.api_base_url = "http://api.twilio.com".into()),
            ["apiBaseUrl"]
        );
        assert_eq!(
            named(|s| s.messaging_service_sid = Some("MG1".into())),
            ["messagingServiceSid"]
        );
    }

    #[test]
    fn a_service_takes_the_place_of_a_number_and_the_other_way_round() {
        let service = format!("MG{}", "0a".repeat(16));
        let mut changed = settings(|_| {});
        changed.apply(&Patch {
            messaging_service_sid: Some(service.clone()),
            ..Patch::default()
        });
        assert_eq!(changed.sender(), Some(twilio::Sender::Service(&service)));
        changed.apply(&Patch {
            from_number: Some("+43 664 1234567".into()),
            ..Patch::default()
        });
        assert_eq!(
            changed.sender(),
            Some(twilio::Sender::Number("+436641234567"))
        );
    }

    #[test]
    fn a_draft_tells_what_it_would_be() {
        let draft = |to: &str, message: &str| {
            Draft {
                to: Some(to.into()),
                message: message.into(),
                country: None,
            }
            .preview(Some("AT"))
        };
        let fine = draft("0664 1234567", "See you at 4");
        assert_eq!(fine.to.as_deref(), Some("+436641234567"));
        assert_eq!(fine.sentence, "This is 1 text; 148 letters are left.");
        let dear = draft("066", "It’s ready");
        assert!(dear.to.is_none() && dear.to_error.is_some());
        assert_eq!(dear.costly.as_deref(), Some("’"));
        assert!(draft("", " ").message_error.is_some());
    }
}
