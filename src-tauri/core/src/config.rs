//! What an edge knows and core is told: once, at the start.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::clock::Clock;

/// Where things lie and how to behave. Built by an edge, never from inside core.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder; made with mode 0700 when it is not there.
    pub home: PathBuf,
    /// Where secrets are kept.
    pub secrets: SecretsPlace,
    /// Where the present moment comes from.
    pub clock: Clock,
    /// Names that are looked up when a receiver's name is not found, to tell "this name is wrong"
    /// from "no name resolves anywhere". Only looked up, never connected to.
    pub well_known_names: Vec<String>,
    /// The publisher's client at Google; none: the owner brings an own one.
    pub google_client: Option<crate::integrations::calendar::Client>,
}

impl Config {
    /// The usual configuration for a data folder: OS keychain, the computer's clock.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            secrets: SecretsPlace::Keychain,
            clock: Clock::system(),
            well_known_names: ["one.one.one.one", "dns.google", "www.iana.org"]
                .map(String::from)
                .to_vec(),
            google_client: None,
        }
    }
}

/// Where secrets are kept. Chosen by the owner, never silently.
#[derive(Debug, Clone)]
pub enum SecretsPlace {
    /// The operating system's key store.
    Keychain,
    /// A file in the data folder, encrypted with a passphrase (age format).
    Vault {
        /// The owner's passphrase.
        passphrase: SecretString,
    },
}
