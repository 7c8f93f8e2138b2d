//! What the key store keeps for a webhook, in one item: the signing secret, the former one while a
//! change of secret is under way, the values of own headers, and where the format is a chat's, the
//! address. Pure.
//!
//! A secret alone is kept as it is, so that whoever looks into the key store sees what the owner
//! was shown. With anything beside it the item is a small JSON object.
//!
//! The item is written before the row that speaks of it is committed. So the row decides: it names
//! the moment at which the valid secret was made, until when the former one is valid too, the names
//! of own headers, and how the address ends. What the row does not speak of is not used.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::headers::{self, MASK};
use crate::clock::Time;
use crate::secrets::MAX_BYTES;

/// A webhook's item.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former: Option<Former>,
    /// By name in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// The only place that may be told the headers' values: scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers_for: Option<String>,
    /// Addresses that are secrets, the newest first: two while a change of address is under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Former {
    secret: String,
    /// When the secret beside it was made, in milliseconds.
    replaced_at: i64,
}

/// The secrets that are valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Valid<'a> {
    /// The newest.
    pub(crate) secret: &'a str,
    /// The one before it, while both are valid.
    pub(crate) former: Option<&'a str>,
}

/// Scheme, host and port of a URL: whom the values of headers were entered for.
pub(crate) fn origin(url: &str) -> Option<String> {
    url::Url::parse(url)
        .ok()
        .map(|url| url.origin().ascii_serialization())
}

/// An address that is a secret, as it may be seen: where it leads, and its last four characters.
pub(crate) fn shown(address: &str) -> String {
    let Ok(mut url) = url::Url::parse(address) else {
        return MASK.to_owned();
    };
    url.set_fragment(None);
    let origin = url.origin().ascii_serialization();
    let rest = url.as_str().strip_prefix(&origin).unwrap_or_default();
    format!("{origin}/{}", headers::masked(rest))
}

impl Kept {
    pub(crate) fn new(secret: String) -> Self {
        Self {
            secret,
            former: None,
            headers: BTreeMap::new(),
            headers_for: None,
            addresses: Vec::new(),
        }
    }

    pub(crate) fn read(item: &SecretString) -> Self {
        let text = item.expose_secret();
        match text.starts_with('{').then(|| serde_json::from_str(text)) {
            Some(Ok(kept)) => kept,
            _ => Self::new(text.to_owned()),
        }
    }

    pub(crate) fn write(&self) -> SecretString {
        if self.former.is_none() && self.headers.is_empty() && self.addresses.is_empty() {
            return self.secret.clone().into();
        }
        serde_json::to_string(self).unwrap_or_default().into()
    }

    /// Which secrets are valid for a row at a moment.
    pub(crate) fn valid(&self, settings: &Settings, now: Time) -> Valid<'_> {
        match &self.former {
            None => Valid {
                secret: &self.secret,
                former: None,
            },
            Some(former) if former.replaced_at == settings.secret_created_at.as_ms() => Valid {
                secret: &self.secret,
                former: settings
                    .previous_secret_valid_until
                    .filter(|until| now < *until)
                    .map(|_| former.secret.as_str()),
            },
            // The row does not know of the newer one (yet).
            Some(former) => Valid {
                secret: &former.secret,
                former: None,
            },
        }
    }

    /// The values of own headers that may be sent to where a row points.
    pub(crate) fn headers(&self, settings: &Settings) -> Vec<(&str, &str)> {
        if self.headers.is_empty() || self.headers_for != origin(&settings.url) {
            return Vec::new();
        }
        settings
            .header_names
            .iter()
            .filter_map(|name| {
                let (name, value) = self.headers.get_key_value(&name.to_ascii_lowercase())?;
                Some((name.as_str(), value.as_str()))
            })
            .collect()
    }

    /// Where a row's calls go; nothing when its address is a secret that is not kept here.
    pub(crate) fn address<'a>(&'a self, settings: &'a Settings) -> Option<&'a str> {
        if !settings.format.is_chat() {
            return Some(&settings.url);
        }
        let mut known = self.addresses.iter().map(String::as_str);
        known.find(|address| shown(address) == settings.url)
    }

    /// With an address before the one that is used now.
    pub(crate) fn with_address(&self, before: &Settings, address: String) -> Self {
        let former = self.address(before).filter(|_| before.format.is_chat());
        let former = former
            .filter(|former| *former != address)
            .map(str::to_owned);
        Self {
            addresses: std::iter::once(address).chain(former).collect(),
            ..self.clone()
        }
    }

    /// Without what the row does not speak of any more.
    pub(crate) fn tidy(&self, settings: &Settings) -> Self {
        let address = self.address(settings).filter(|_| settings.format.is_chat());
        Self {
            addresses: address.map(str::to_owned).into_iter().collect(),
            ..self.with_headers(settings, std::iter::empty())
        }
    }

    /// With a fresh secret beside the one that is valid for the row now.
    pub(crate) fn rotated(&self, settings: &Settings, fresh: String, now: Time) -> Self {
        let secret = self.valid(settings, now).secret.to_owned();
        Self {
            secret: fresh,
            former: Some(Former {
                secret,
                replaced_at: now.as_ms(),
            }),
            ..self.clone()
        }
    }

    /// Without the former secret; `None` when there is none to forget.
    pub(crate) fn without_former(&self, settings: &Settings) -> Option<Self> {
        let former = self.former.as_ref()?;
        (former.replaced_at == settings.secret_created_at.as_ms()).then(|| Self {
            former: None,
            ..self.clone()
        })
    }

    /// With own headers altered, for where `settings` points; values for elsewhere are dropped.
    pub(crate) fn with_headers<'a>(
        &self,
        settings: &Settings,
        altered: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Self {
        let here = origin(&settings.url);
        let mut headers = if self.headers_for == here {
            self.headers.clone()
        } else {
            BTreeMap::new()
        };
        for (name, value) in altered {
            let name = name.to_ascii_lowercase();
            match value {
                Some(value) => headers.insert(name, value.to_owned()),
                None => headers.remove(&name),
            };
        }
        Self {
            headers_for: here.filter(|_| !headers.is_empty()),
            headers,
            ..self.clone()
        }
    }

    /// Whether a key store takes it, also while a change of secret and of address is under way.
    pub(crate) fn fits(&self) -> bool {
        let mut widest = self.clone();
        if let [only] = widest.addresses.as_slice() {
            widest.addresses.push(only.clone());
        }
        widest.former.get_or_insert_with(|| Former {
            secret: self.secret.clone(),
            replaced_at: i64::MAX,
        });
        widest.write().expose_secret().len() <= MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::NewWebhook;

    fn settings(made: i64, until: Option<i64>) -> Settings {
        let mut settings = Settings::new(
            NewWebhook {
                url: "https://shop.example/hook".into(),
                ..NewWebhook::default()
            },
            Time::from_ms(made),
        );
        settings.previous_secret_valid_until = until.map(Time::from_ms);
        settings
    }

    #[test]
    fn a_secret_alone_is_kept_as_it_is_and_read_back_from_both_shapes() {
        let kept = Kept::new("whsec_A".into());
        assert_eq!(kept.write().expose_secret(), "whsec_A");
        let headers = [("X-Key", Some("v"))];
        let kept = kept.with_headers(&settings(1, None), headers.into_iter());
        let again = Kept::read(&kept.write());
        let mut row = settings(1, None);
        row.header_names = vec!["X-Key".into()];
        assert_eq!(again.valid(&row, Time::from_ms(2)).secret, "whsec_A");
        assert_eq!(again.headers(&row), [("x-key", "v")]);
    }

    #[test]
    fn the_row_decides_which_secret_is_valid_before_during_and_after() {
        let before = settings(1, None);
        let kept = Kept::new("old".into()).rotated(&before, "new".into(), Time::from_ms(100));
        let kept = Kept::read(&kept.write());
        let valid = |row: &Settings, now| {
            let valid = kept.valid(row, Time::from_ms(now));
            (valid.secret.to_owned(), valid.former.map(str::to_owned))
        };
        assert_eq!(valid(&before, 150), ("old".into(), None), "not committed");
        let during = settings(100, Some(200));
        assert_eq!(valid(&during, 199), ("new".into(), Some("old".into())));
        assert_eq!(valid(&during, 200), ("new".into(), None));
        assert_eq!(valid(&settings(100, None), 150), ("new".into(), None));
        // Rotated again after a crash between item and row: the one in use stays the former.
        let again = kept.rotated(&before, "newer".into(), Time::from_ms(300));
        assert_eq!(
            again.valid(&settings(300, Some(400)), Time::from_ms(301)),
            Valid {
                secret: "newer",
                former: Some("old")
            }
        );
        let cleaned = kept.without_former(&during).unwrap();
        assert_eq!(cleaned.write().expose_secret(), "new");
        assert!(kept.without_former(&before).is_none());
    }

    #[test]
    fn values_of_headers_go_nowhere_but_where_they_were_entered_for() {
        let mut row = settings(1, None);
        row.header_names = vec!["X-Key".into()];
        let kept = Kept::new("s".into()).with_headers(&row, [("X-Key", Some("v"))].into_iter());
        for (url, expected) in [
            ("https://shop.example/other", 1),
            ("https://shop.example:443/", 1),
            ("https://shop.example:8443/", 0),
            ("http://shop.example/", 0),
            ("https://shop.example.evil.example/", 0),
        ] {
            row.url = url.into();
            assert_eq!(kept.headers(&row).len(), expected, "{url}");
        }
        row.header_names.clear();
        row.url = "https://shop.example/".into();
        assert!(
            kept.headers(&row).is_empty(),
            "the row does not speak of it"
        );
    }

    #[test]
    fn of_an_address_that_is_a_secret_only_host_and_last_four_are_seen() {
        for (address, expected) in [
            (
                "https://hooks.slack.com/services/T0/B0/abcdefgh",
                "https://hooks.slack.com/••••••efgh",
            ),
            (
                "https://prod-01.logic.azure.com:443/workflows/1?sig=abcdefgh#x",
                "https://prod-01.logic.azure.com/••••••efgh",
            ),
            (
                "http://127.0.0.1:8080/short",
                "http://127.0.0.1:8080/••••••",
            ),
            ("no address", "••••••"),
        ] {
            assert_eq!(shown(address), expected);
            assert_eq!(origin(&shown(address)), origin(address));
        }
    }

    #[test]
    fn the_row_decides_which_address_is_called_before_and_after_a_change() {
        let mut before = settings(1, None);
        before.format = crate::webhooks::Format::Slack;
        let (first, second) = (
            "https://shop.example/services/first-1111",
            "https://shop.example/services/second-2222",
        );
        before.url = shown(first);
        let kept = Kept::new("s".into()).with_address(&before, first.into());
        let changed = kept.with_address(&before, second.into());
        let changed = Kept::read(&changed.write());
        assert_eq!(changed.address(&before), Some(first), "not committed");
        let mut after = before.clone();
        after.url = shown(second);
        assert_eq!(changed.address(&after), Some(second));
        let tidy = changed.tidy(&after);
        assert_eq!(tidy.address(&after), Some(second));
        assert_eq!(tidy.address(&before), None);
        after.format = crate::webhooks::Format::Payload;
        assert_eq!(tidy.tidy(&after).write().expose_secret(), "s");
    }

    #[test]
    fn an_item_has_room_for_a_change_of_secret() {
        let row = settings(1, None);
        let secret = crate::webhooks::signature::fresh_secret().unwrap();
        let with = |length: usize| {
            let value = "v".repeat(length);
            Kept::new(secret.clone())
                .with_headers(&row, [("x-key", Some(value.as_str()))].into_iter())
        };
        let longest = (0..MAX_BYTES).rev().find(|n| with(*n).fits()).unwrap();
        assert!(longest > 2_200, "{longest}");
        let rotated = with(longest).rotated(&row, secret.clone(), Time::from_ms(i64::MAX));
        assert!(rotated.write().expose_secret().len() <= MAX_BYTES);
    }
}
