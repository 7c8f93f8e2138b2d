//! Own headers: which names and values an owner may add to every call of a webhook. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::error::FieldError;

/// How many a webhook may have.
pub(crate) const MOST: usize = 32;
/// What is kept of a value that is nobody's business.
pub(crate) const MASK: &str = "••••••";
/// Of a value this long the last four characters are shown.
pub(crate) const LONG_ENOUGH: usize = 12;

/// Names that are ours, or that HTTP needs for itself.
const RESERVED: [&str; 12] = [
    "host",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "accept-encoding",
    "http2-settings",
    "date",
];
const RESERVED_BEGINNINGS: [&str; 4] = ["content-", "webhook-", "x-webhook-", "proxy-"];

/// Own headers as they are handed in: a value, or null to remove one. Their values are secrets.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct OwnHeaders(pub BTreeMap<String, Option<String>>);

impl fmt::Debug for OwnHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a name cannot be used.
pub(crate) fn wrong_name(name: &str) -> Option<(&'static str, &'static str)> {
    let lower = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(lower.as_bytes()).is_err() || name.len() > 100 {
        Some((
            "invalid",
            "The name of a header is made of letters, digits and -, such as X-Api-Key.",
        ))
    } else if RESERVED.contains(&lower.as_str())
        || RESERVED_BEGINNINGS.iter().any(|b| lower.starts_with(b))
    {
        Some(("reserved", "Signalbox or HTTP itself sets this header."))
    } else {
        None
    }
}

/// Why a value cannot be used: only visible ASCII, spaces and tabs go over every wire.
pub(crate) fn wrong_value(value: &str) -> Option<(&'static str, &'static str)> {
    if value.trim_matches([' ', '\t']).is_empty() {
        Some(("required", "Give this header a value."))
    } else if value
        .bytes()
        .any(|b| b != b'\t' && !(b' '..=b'~').contains(&b))
    {
        Some((
            "invalid",
            "A value is made of letters, digits and signs of ASCII, without line breaks.",
        ))
    } else {
        None
    }
}

impl OwnHeaders {
    /// What is wrong, header by header.
    pub(crate) fn check(&self, removable: bool) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (name, value) in &self.0 {
            let found = match value {
                _ if !seen.insert(name.to_ascii_lowercase()) => Some((
                    "duplicate",
                    "This header is there twice; large and small letters are the same here.",
                )),
                Some(value) => wrong_name(name).or_else(|| wrong_value(value)),
                None if removable => None,
                None => Some(("required", "Give this header a value.")),
            };
            if let Some((code, message)) = found {
                wrong.push(FieldError::new(format!("headers.{name}"), code, message));
            }
        }
        wrong
    }

    /// Names and values, as they go out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| {
            (
                name.as_str(),
                value.as_deref().map(|v| v.trim_matches([' ', '\t'])),
            )
        })
    }

    /// The names a webhook has after this; known ones keep their place and spelling.
    pub(crate) fn names_after(&self, before: &[String]) -> Vec<String> {
        let mut names = before.to_vec();
        for (name, value) in &self.0 {
            let known = names.iter().position(|n| n.eq_ignore_ascii_case(name));
            match (known, value) {
                (Some(at), None) => drop(names.remove(at)),
                (None, Some(_)) => names.push(name.clone()),
                _ => {}
            }
        }
        names
    }
}

/// A value as the log shows it: the last four characters at most.
pub(crate) fn masked(value: &str) -> String {
    match value.len().checked_sub(4).and_then(|at| value.get(at..)) {
        Some(end) if value.len() >= LONG_ENOUGH => format!("{MASK}{end}"),
        _ => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_ours_or_http_s_own_and_names_that_are_none_are_refused() {
        for name in [
            "Host",
            "content-type",
            "Content-Anything",
            "TRANSFER-ENCODING",
            "Connection",
            "User-Agent",
            "webhook-id",
            "Webhook-Anything",
            "X-Webhook-Signature",
            "X-Webhook-Signature-Next",
            "x-webhook-event",
            "Proxy-Authorization",
            "",
            "X Key",
            "X-Key:",
            "X-Käse",
            "X\r\nY",
            "X\0",
        ] {
            assert!(wrong_name(name).is_some(), "{name:?}");
        }
        for name in ["Authorization", "X-Api-Key", "x_y", "Cookie", "X-Webhoo"] {
            assert_eq!(wrong_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn values_are_visible_ascii_spaces_and_tabs() {
        for value in ["", " ", "a\r\nb", "a\nb", "a\0", "é", "a\u{7f}", "\u{80}"] {
            assert!(wrong_value(value).is_some(), "{value:?}");
        }
        for value in ["Bearer abc", "a\tb", "~!\"#"] {
            assert_eq!(wrong_value(value), None, "{value:?}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_value_is_shown() {
        assert_eq!(masked("sk_live_abcdef1234"), "••••••1234");
        assert_eq!(masked("abcd1234"), "••••••");
    }
}
