//! Email: what one looks like and what is wrong with it, and how it is set up. Pure; it is sent by
//! `sendgrid`.

pub(crate) mod sendgrid;

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use email_address::{EmailAddress, Options};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Field, Input, Secret, Switches, WhenPaused, check_base_url, said};
use crate::error::FieldError;

/// The most people one email goes to, and the most that its files may hold together.
const MOST_RECIPIENTS: usize = 1_000;
pub(crate) const MOST_ATTACHED: usize = 20 * 1024 * 1024;
/// RFC 5322, section 2.1.1: the longest line.
const LONGEST_LINE: usize = 998;
/// The longest idempotency key, as of events.
const LONGEST_KEY: usize = 255;

/// An email to be sent: `POST /api/email/send`, and what automations make of their texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EmailMessage))]
pub struct Message {
    /// Whom it goes to: `maria@example.com` or `Maria Petersen <maria@example.com>`.
    pub to: Addresses,
    /// Who gets a copy that all see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cc: Option<Addresses>,
    /// Who gets a copy that nobody sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bcc: Option<Addresses>,
    /// Where answers go; else to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What it is about.
    pub subject: String,
    /// The text with its looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The text alone; derived from `html` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Files that go with it, 20 MB together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schema(required = false))]
    pub attachments: Vec<Attachment>,
    /// The same key again sends nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// One address or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Addresses {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;
        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Addresses;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an email address, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Addresses, E> {
                Ok(Addresses::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Addresses, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Addresses::Several(all))
            }
        }
        from.deserialize_any(OneOrSeveral)
    }
}

impl Addresses {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// A file that goes with an email: its bytes, or where it lies in the storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// What it is called.
    pub filename: String,
    /// `application/pdf`; where it is absent, the ending of its name says what it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// The key of a stored file, instead of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An address as it is sent: `Maria Petersen <maria@example.com>` in its two parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Mailbox {
    pub(crate) email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Mailbox {
    /// Reads an address; none when it is no address, or one that could be mistaken for more.
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

impl Message {
    /// Whom the log names: the first that it goes to.
    pub(crate) fn recipient(&self) -> String {
        self.to
            .texts()
            .first()
            .map(|text| Mailbox::read(text).map_or_else(|| text.clone(), |found| found.email))
            .unwrap_or_default()
    }

    /// What is wrong with it, field by field.
    #[must_use]
    pub fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let (mut seen, mut count) = (HashSet::new(), 0);
        for (path, addresses) in [
            ("to", Some(&self.to)),
            ("cc", self.cc.as_ref()),
            ("bcc", self.bcc.as_ref()),
        ] {
            let Some(addresses) = addresses else { continue };
            for (i, text) in addresses.texts().iter().enumerate() {
                let path = match addresses {
                    Addresses::One(_) => path.to_owned(),
                    Addresses::Several(_) => format!("{path}.{i}"),
                };
                count += 1;
                match Mailbox::read(text) {
                    None => wrong.push(no_address(path)),
                    Some(found) if !seen.insert(found.email.to_lowercase()) => {
                        wrong.push(FieldError::new(
                            path,
                            "duplicate",
                            "This address is there twice. Each gets one copy, so name it once.",
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        let mut say = |path: &str, code: &str, sentence: &str| {
            wrong.push(FieldError::new(path, code, sentence))
        };
        if self.to.texts().is_empty() {
            say("to", "required", "Say whom it goes to.");
        }
        if count > MOST_RECIPIENTS {
            say("to", "too_many", "One email goes to 1,000 people at most.");
        }
        if let Some(text) = &self.reply_to
            && Mailbox::read(text).is_none()
        {
            wrong.push(no_address("replyTo".into()));
        }
        let mut say = |path: &str, code: &str, sentence: &str| {
            wrong.push(FieldError::new(path, code, sentence))
        };
        if self.subject.trim().is_empty() {
            say("subject", "required", "Say what it is about.");
        } else if self.subject.len() > LONGEST_LINE || self.subject.chars().any(char::is_control) {
            say(
                "subject",
                "invalid",
                "A subject is one line of at most 998 characters.",
            );
        }
        let says = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        if !says(&self.html) && !says(&self.text) {
            say("text", "required", "Write a text, html, or both.");
        }
        if self
            .idempotency_key
            .as_ref()
            .is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY)
        {
            say(
                "idempotencyKey",
                "invalid",
                "This must be 1 to 255 characters long.",
            );
        }
        let mut attached = 0;
        for (i, file) in self.attachments.iter().enumerate() {
            match file.check() {
                Ok(bytes) => attached += bytes,
                Err(mut found) => {
                    found.path = format!("attachments.{i}.{}", found.path);
                    wrong.push(found);
                }
            }
        }
        if attached > MOST_ATTACHED {
            wrong.push(FieldError::new(
                "attachments",
                "too_large",
                "The files of one email may be 20 MB together. Store them, and send a link.",
            ));
        }
        wrong
    }

    /// The text alone: as it was written, or derived from `html` with its links.
    pub(crate) fn plain(&self) -> String {
        match (&self.text, &self.html) {
            (Some(text), _) if !text.trim().is_empty() => text.clone(),
            (_, Some(html)) => {
                let text = nanohtml2text::html2text(html).replace("\r\n", "\n");
                let text = text.trim();
                // A picture alone says nothing as text, and a text may not be empty.
                if text.is_empty() {
                    self.subject.clone()
                } else {
                    text.to_owned()
                }
            }
            (text, None) => text.clone().unwrap_or_default(),
        }
    }
}

impl Attachment {
    /// How many bytes it has, as far as that is known.
    fn check(&self) -> Result<usize, FieldError> {
        let wrong =
            |path: &str, code: &str, sentence: &str| Err(FieldError::new(path, code, sentence));
        if self.filename.trim().is_empty()
            || self.filename.len() > 255
            || self
                .filename
                .chars()
                .any(|c| c.is_control() || matches!(c, '/' | '\\'))
        {
            return wrong(
                "filename",
                "invalid",
                "Give the file a name of 1 to 255 characters, without / and \\.",
            );
        }
        if !self.content_type.is_empty() && !is_media_type(&self.content_type) {
            return wrong(
                "contentType",
                "invalid",
                "This is the kind of file, such as application/pdf.",
            );
        }
        match (&self.content_base64, &self.key) {
            (Some(content), None) => match BASE64.decode(content) {
                Ok(bytes) if !bytes.is_empty() => Ok(bytes.len()),
                Ok(_) => wrong("contentBase64", "required", "This file is empty."),
                Err(_) => wrong("contentBase64", "invalid", "This is not base64."),
            },
            (None, Some(key)) if !key.is_empty() => Ok(0),
            _ => wrong(
                "contentBase64",
                "required",
                "Give the file's bytes as contentBase64, or the key of a stored file: one of the two.",
            ),
        }
    }
}

/// `type/subtype` of RFC 9110, without parameters.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    text.len() <= 127
        && text
            .split_once('/')
            .is_some_and(|(kind, sub)| token(kind) && token(sub))
}

fn no_address(path: String) -> FieldError {
    FieldError::new(
        path,
        "invalid",
        "This is no email address; one looks like maria@example.com.",
    )
}

/// SendGrid to be set up: `POST /api/integrations/email`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EmailSetup))]
pub struct Setup {
    /// A key of SendGrid's that may send mail.
    pub api_key: Secret,
    /// The sender's address, verified at SendGrid.
    pub from_email: String,
    /// The sender's name.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Where SendGrid is; else `https://api.sendgrid.com`, for EU accounts `https://api.eu.sendgrid.com`.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// Sends a test there before it is saved.
    #[serde(default)]
    pub test_to: Option<String>,
}

/// What is to be different: `PATCH /api/integrations/email`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = EmailPatch))]
pub struct Patch {
    /// False pauses, true resumes and lets go what was held.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// What becomes of what comes in meanwhile.
    #[serde(default)]
    pub when_paused: Option<WhenPaused>,
    /// The sender's address.
    #[serde(default)]
    pub from_email: Option<String>,
    /// The sender's name; null for none.
    #[serde(default, deserialize_with = "said")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub from_name: Option<Option<String>>,
    /// Where SendGrid is. Another scheme, host or port needs the key in the same request.
    #[serde(default)]
    pub api_base_url: Option<String>,
    /// Another key; tested before it takes the place of the former.
    #[serde(default)]
    pub api_key: Option<Secret>,
}

/// All of it that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) from_email: String,
    pub(crate) from_name: Option<String>,
    pub(crate) api_base_url: String,
}

impl Settings {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            from_email: setup.from_email.trim().to_owned(),
            from_name: named(setup.from_name.as_deref()),
            api_base_url: base_url(setup.api_base_url.as_deref()),
        }
    }

    pub(crate) fn apply(&mut self, patch: &Patch) {
        if let Some(from) = &patch.from_email {
            self.from_email = from.trim().to_owned();
        }
        if let Some(name) = &patch.from_name {
            self.from_name = named(name.as_deref());
        }
        if let Some(url) = &patch.api_base_url {
            self.api_base_url = base_url(Some(url));
        }
    }

    /// What is wrong with them, field by field.
    pub(crate) fn check(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        match Mailbox::read(&self.from_email) {
            Some(found) if found.name.is_none() => {}
            _ => wrong.push(no_address("fromEmail".into())),
        }
        if self
            .from_name
            .as_ref()
            .is_some_and(|name| name.chars().count() > 100 || name.chars().any(char::is_control))
        {
            wrong.push(FieldError::new(
                "fromName",
                "invalid",
                "A name is one line of at most 100 characters.",
            ));
        }
        wrong.extend(check_base_url("apiBaseUrl", &self.api_base_url));
        wrong
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

fn named(name: Option<&str>) -> Option<String> {
    name.map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

fn base_url(text: Option<&str>) -> String {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(sendgrid::BASE_URL)
        .trim_end_matches('/')
        .to_owned()
}

/// What the owner has to fill in.
pub(super) fn fields() -> Vec<Field> {
    vec![
        Field::new(
            "apiKey",
            "API key",
            Input::Secret,
            "Make one at SendGrid under Settings, API Keys. “Restricted Access” with “Mail Send” is enough. SendGrid shows it once.",
        )
        .like("SG.…")
        .found_at("Open SendGrid’s API keys", "https://app.sendgrid.com/settings/api_keys"),
        Field::new(
            "fromEmail",
            "Sender’s address",
            Input::Email,
            "Customers see it and answer to it. SendGrid must know it: verify it there under Settings, Sender Authentication.",
        )
        .like("info@your-shop.com")
        .found_at(
            "Open Sender Authentication",
            sendgrid::SENDERS,
        ),
        Field::new(
            "fromName",
            "Sender’s name",
            Input::Text,
            "What customers see beside the address.",
        )
        .optional()
        .like("Salon Petersen"),
        Field::new(
            "apiBaseUrl",
            "SendGrid’s address",
            Input::Url,
            "Leave it empty, unless your account is in the EU: then it is https://api.eu.sendgrid.com.",
        )
        .optional()
        .like(sendgrid::BASE_URL),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: serde_json::Value) -> Message {
        serde_json::from_value(json).unwrap()
    }

    fn paths(json: serde_json::Value) -> Vec<String> {
        message(json).check().into_iter().map(|f| f.path).collect()
    }

    #[test]
    fn an_address_may_have_a_name_and_is_never_more_than_one() {
        let read = |text| Mailbox::read(text).map(|m| (m.name, m.email));
        assert_eq!(
            read("Maria Petersen <maria@example.com>"),
            Some((Some("Maria Petersen".into()), "maria@example.com".into()))
        );
        assert_eq!(
            read(" maria@example.com "),
            Some((None, "maria@example.com".into()))
        );
        assert!(read("müller@exämple.de").is_some());
        for wrong in [
            "",
            "maria",
            "maria@",
            "@example.com",
            "maria@localhost",
            "a@example.com, b@example.com",
            "a@example.com;b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "maria@[127.0.0.1]",
            "<script>@example.com",
            "a b@example.com",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        assert_eq!(
            paths(
                serde_json::json!({"to": ["a@example.com", "nobody"], "cc": "A@example.com", "replyTo": "x", "subject": "Hi\r\nBcc: b@example.com"})
            ),
            ["to.1", "cc", "replyTo", "subject", "text"]
        );
        assert_eq!(
            paths(serde_json::json!({"to": [], "subject": " ", "text": " "})),
            ["to", "subject", "text"]
        );
        assert_eq!(
            paths(
                serde_json::json!({"to": "a@example.com", "subject": "s", "text": "t", "attachments": [
                    {"filename": "a/b", "contentType": "application/pdf", "contentBase64": "YQ=="},
                    {"filename": "a", "contentType": "pdf", "contentBase64": "YQ=="},
                    {"filename": "a", "contentType": "application/pdf", "contentBase64": "…"},
                    {"filename": "a", "contentType": "application/pdf", "contentBase64": "YQ==", "key": "k"},
                    {"filename": "a", "contentType": "application/pdf"},
                    {"filename": "a", "contentType": "application/pdf", "key": "k"},
                ]})
            ),
            [
                "attachments.0.filename",
                "attachments.1.contentType",
                "attachments.2.contentBase64",
                "attachments.3.contentBase64",
                "attachments.4.contentBase64"
            ]
        );
        assert!(
            message(serde_json::json!({"to": "a@example.com", "subject": "s", "html": "<p>t"}))
                .check()
                .is_empty()
        );
    }

    #[test]
    fn text_is_derived_from_html_with_its_links_and_what_was_written_wins() {
        let mut email = message(serde_json::json!({"to": "a@example.com", "subject": "s",
            "html": "<style>p{}</style><p>Dear Maria &amp; Co,</p><p>see <a href=\"https://shop.example/b?x=1&amp;y=2\">your booking</a>.</p><script>x()</script>"}));
        let text = email.plain();
        assert!(text.contains("Dear Maria & Co,"), "{text}");
        assert!(text.contains("https://shop.example/b?x=1&y=2"), "{text}");
        assert!(
            !text.contains("x()") && !text.contains('<') && !text.contains("p{}"),
            "{text}"
        );
        email.text = Some("Hello".into());
        assert_eq!(email.plain(), "Hello");
        email = message(
            serde_json::json!({"to": "a@example.com", "subject": "s", "html": "<img src=x>"}),
        );
        assert_eq!(email.plain(), "s");
    }
}
