//! What is stored: a file as a delivery carries it, with its bytes where they are few enough to be kept. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::s3::File;

/// Up to here the bytes of a file are kept until it is stored, so that it can wait and be tried again.
pub const MAX_KEPT_BYTES: usize = 256 * 1024;
/// The longest content type that is passed on.
const MAX_TYPE_BYTES: usize = 255;
/// What a file is that says nothing of itself.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// A file to be stored, whole or as far as it is known: the body of a `storage.put`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Put {
    /// Where it is to lie.
    pub key: String,
    /// What it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many bytes it has, where that is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What kind of file it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its bytes, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
}

impl Put {
    /// The same without the bytes.
    #[must_use]
    pub fn facts(&self) -> Self {
        Self {
            content: None,
            content_base64: None,
            ..self.clone()
        }
    }

    /// The same with its bytes.
    #[must_use]
    pub fn with(&self, bytes: &[u8]) -> Self {
        let (content, content_base64) = match std::str::from_utf8(bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(BASE64.encode(bytes))),
        };
        Self {
            size: Some(bytes.len() as u64),
            content,
            content_base64,
            ..self.clone()
        }
    }

    /// Its bytes; none when they were not kept.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        match (&self.content, &self.content_base64) {
            (Some(text), _) => Some(Bytes::copy_from_slice(text.as_bytes())),
            (None, Some(base64)) => BASE64.decode(base64).ok().map(Bytes::from),
            (None, None) => None,
        }
    }

    /// The same below `prefix`, where its key is not there already: what an automation names is the workspace's own.
    pub(crate) fn below(self, prefix: &str) -> Self {
        if self.key.starts_with(prefix) {
            self
        } else {
            Self {
                key: format!("{prefix}{}", self.key),
                ..self
            }
        }
    }

    /// The last part of its key.
    #[must_use]
    pub fn filename(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// What it was called, or is.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.filename())
    }

    pub(crate) fn file(&self, at_most: Option<u64>) -> File {
        File {
            key: self.key.clone(),
            name: self.name().to_owned(),
            content_type: self
                .content_type
                .clone()
                .unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
            at_most,
        }
    }
}

/// True when the body of a `storage.put` holds what is to be stored.
pub(crate) fn has_bytes(body: &[u8]) -> bool {
    serde_json::from_slice::<Put>(body)
        .is_ok_and(|put| put.content.is_some() || put.content_base64.is_some())
}

/// What a storage said itself, as it is kept with an attempt.
pub(crate) fn own_words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    (!text.is_empty() && !text.starts_with('{')).then(|| text.to_owned())
}

/// The kind of a file: as it is given, or by the ending of its name where that says nothing.
#[must_use]
pub(crate) fn content_type(given: Option<&str>, name: &str) -> String {
    given
        .map(str::trim)
        .filter(|given| {
            !given.is_empty()
                && given.len() <= MAX_TYPE_BYTES
                && given.bytes().all(|b| (b' '..=b'~').contains(&b))
                && *given != UNKNOWN_TYPE
        })
        .map_or_else(
            || {
                let guessed = mime_guess::from_path(name).first_raw();
                guessed.unwrap_or(UNKNOWN_TYPE).to_owned()
            },
            str::to_owned,
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_as_text_and_other_bytes_as_base64_and_both_come_back() {
        let put = Put {
            key: "ws_1/general/a.txt".to_owned(),
            ..Put::default()
        };
        for bytes in [b"caf\xc3\xa9".as_slice(), b"\xff\x00", b""] {
            let kept = put.with(bytes);
            let json = serde_json::to_string(&kept).unwrap();
            let read: Put = serde_json::from_str(&json).unwrap();
            assert_eq!(read.bytes().unwrap(), bytes);
            assert_eq!(read.size, Some(bytes.len() as u64));
            assert_eq!(read.facts().bytes(), None);
        }
        assert_eq!(put.name(), "a.txt");
    }

    #[test]
    fn the_kind_of_a_file_is_what_is_said_or_what_its_name_says() {
        for (given, name, expected) in [
            (
                Some("text/html; charset=utf-8"),
                "a.pdf",
                "text/html; charset=utf-8",
            ),
            (Some("application/octet-stream"), "a.pdf", "application/pdf"),
            (None, "a.PDF", "application/pdf"),
            (Some("x/y\r\nX: 1"), "a.unknown", "application/octet-stream"),
            (None, "", "application/octet-stream"),
        ] {
            assert_eq!(content_type(given, name), expected, "{given:?} {name}");
        }
    }
}
