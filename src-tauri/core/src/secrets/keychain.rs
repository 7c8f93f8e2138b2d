//! The operating system's key store: macOS Keychain, Windows Credential Manager, Secret Service.

use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};

use super::SecretError;

/// What all our items are filed under.
const SERVICE: &str = "signalbox";

/// The platform's store. The crate `keyring` opens it once for all and remembers a failure until
/// the process ends; after one, the store is opened again here, so that a key store that comes late
/// is found.
#[derive(Debug)]
pub(super) struct Keychain;

impl Keychain {
    fn entry(user: &str) -> Result<Entry, SecretError> {
        if keyring::Entry::store_status().is_err() && keyring_core::get_default_store().is_none() {
            open_again()?;
        }
        Entry::new(SERVICE, user).map_err(meaning)
    }

    pub(super) fn get(&self, user: &str) -> Result<SecretString, SecretError> {
        let bytes = Self::entry(user)?.get_secret().map_err(meaning)?;
        String::from_utf8(bytes)
            .map(SecretString::from)
            .map_err(|_| SecretError::Missing)
    }

    pub(super) fn put(&self, user: &str, secret: &SecretString) -> Result<(), SecretError> {
        Self::entry(user)?
            .set_secret(secret.expose_secret().as_bytes())
            .map_err(meaning)
    }

    pub(super) fn delete(&self, user: &str) -> Result<(), SecretError> {
        Self::entry(user)?.delete_credential().map_err(meaning)
    }
}

#[cfg(all(
    unix,
    not(any(target_os = "macos", target_os = "ios", target_os = "android"))
))]
fn open_again() -> Result<(), SecretError> {
    keyring_core::set_default_store(
        zbus_secret_service_keyring_store::Store::new().map_err(meaning)?,
    );
    Ok(())
}

#[cfg(not(all(
    unix,
    not(any(target_os = "macos", target_os = "ios", target_os = "android"))
)))]
fn open_again() -> Result<(), SecretError> {
    Err(SecretError::Unavailable)
}

fn meaning(error: Error) -> SecretError {
    match error {
        Error::NoEntry | Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::Ambiguous(_) => {
            SecretError::Missing
        }
        Error::NoStorageAccess(_) => SecretError::Locked,
        Error::TooLong(..) => SecretError::TooLarge,
        Error::Invalid(..) => SecretError::Denied,
        _ => SecretError::Unavailable,
    }
}
