//! The operating system's key store: macOS Keychain, Windows Credential Manager, Secret Service.

use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};

use super::SecretError;

/// What all our items are filed under.
const SERVICE: &str = "signalbox";

/// The platform's store. The crate `keyring` opens it once for all and remembers a failure until
/// the process ends, and an open store holds a session with the service that was running then. So
/// after an error the store is opened again and asked once more: a key store that came late, or was
/// restarted, is found.
#[derive(Debug)]
pub(super) struct Keychain;

impl Keychain {
    pub(super) fn get(&self, user: &str) -> Result<SecretString, SecretError> {
        let bytes = ask(user, Entry::get_secret)?;
        String::from_utf8(bytes)
            .map(SecretString::from)
            .map_err(|_| SecretError::Missing)
    }

    pub(super) fn put(&self, user: &str, secret: &SecretString) -> Result<(), SecretError> {
        ask(user, |entry| {
            entry.set_secret(secret.expose_secret().as_bytes())
        })
    }

    pub(super) fn delete(&self, user: &str) -> Result<(), SecretError> {
        ask(user, Entry::delete_credential)
    }
}

fn ask<T>(user: &str, act: impl Fn(&Entry) -> keyring_core::Result<T>) -> Result<T, SecretError> {
    // Opens the platform's store when this is the first call; its failure shows in the next line.
    let _ = keyring::Entry::store_status();
    match Entry::new(SERVICE, user).and_then(|entry| act(&entry)) {
        Ok(done) => Ok(done),
        Err(Error::NoEntry) => Err(SecretError::Missing),
        Err(first) => {
            if open_again().is_err() {
                return Err(meaning(first));
            }
            Entry::new(SERVICE, user)
                .and_then(|entry| act(&entry))
                .map_err(meaning)
        }
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
