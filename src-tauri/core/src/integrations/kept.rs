//! What the key store keeps for an integration, in one item: its secrets by name, and the only place
//! that may be told them: scheme, host and port of the base URL that they were entered for. Pure.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::db::attempts::Ended;
use crate::outcome::{Code, Failure, Trouble};
use crate::webhooks::kept::origin;

/// An integration's item.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    secrets: BTreeMap<String, String>,
    bound_to: String,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    /// Secrets that may be told to where `base_url` leads.
    pub(crate) fn new<'a>(
        base_url: &str,
        secrets: impl IntoIterator<Item = (&'a str, &'a SecretString)>,
    ) -> Self {
        Self {
            secrets: secrets
                .into_iter()
                .map(|(name, secret)| (name.to_owned(), secret.expose_secret().to_owned()))
                .collect(),
            bound_to: origin(base_url).unwrap_or_default(),
        }
    }

    pub(crate) fn read(item: &SecretString) -> Option<Self> {
        serde_json::from_str(item.expose_secret()).ok()
    }

    pub(crate) fn write(&self) -> SecretString {
        serde_json::to_string(self).unwrap_or_default().into()
    }

    /// The same with another secret of this name.
    pub(crate) fn with(&self, name: &str, secret: &SecretString) -> Self {
        let mut kept = self.clone();
        let secret = secret.expose_secret().to_owned();
        kept.secrets.insert(name.to_owned(), secret);
        kept
    }

    /// Takes its secrets out of what a provider answered.
    pub(crate) fn forget_in(&self, ended: &mut Ended) {
        self.secrets
            .values()
            .for_each(|secret| ended.forget(secret));
    }

    /// True when it keeps this very secret.
    pub(crate) fn holds(&self, name: &str, secret: &str) -> bool {
        self.secrets.get(name).is_some_and(|known| known == secret)
    }

    /// True when these secrets may be told to where `base_url` leads.
    pub(crate) fn may_go_to(&self, base_url: &str) -> bool {
        origin(base_url).is_some_and(|origin| origin == self.bound_to)
    }

    /// A secret, for a call to `base_url`.
    ///
    /// # Errors
    /// As of a secret that is missing, when it is for elsewhere or not there.
    pub(crate) fn secret(&self, name: &str, base_url: &str) -> Result<&str, Failure> {
        self.secrets
            .get(name)
            .filter(|_| self.may_go_to(base_url))
            .map(String::as_str)
            .ok_or(Failure::trouble(
                Code::KeychainUnavailable,
                Trouble::SecretMissing,
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_nowhere_but_where_it_was_entered_for() {
        let key = SecretString::from("SG.one");
        let kept = Kept::new("https://api.sendgrid.com", [("apiKey", &key)]);
        let kept = Kept::read(&kept.write()).unwrap();
        assert_eq!(
            kept.secret("apiKey", "https://api.sendgrid.com/v3"),
            Ok("SG.one")
        );
        for elsewhere in [
            "https://api.eu.sendgrid.com",
            "https://api.sendgrid.com:8443",
            "http://api.sendgrid.com",
            "not an address",
        ] {
            assert!(kept.secret("apiKey", elsewhere).is_err(), "{elsewhere}");
        }
        assert!(
            kept.secret("authToken", "https://api.sendgrid.com")
                .is_err()
        );
    }
}
