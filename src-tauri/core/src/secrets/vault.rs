//! The vault: one file of secrets encrypted with the owner's passphrase, for machines without a
//! key store. The format is age's (age-encryption.org/v1, scrypt recipient), so that the `age` tool
//! opens it too; inside is a JSON object of item name and secret.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use age::scrypt;
use secrecy::{ExposeSecret, SecretString};

use super::SecretError;

/// scrypt's log2(N): 32 MiB and about a tenth of a second. More memory than that would be half of
/// what the whole program may take.
const WORK_FACTOR: u8 = 15;
/// What a foreign file may ask of us at most.
const MAX_WORK_FACTOR: u8 = 20;

pub(super) struct Vault {
    path: PathBuf,
    passphrase: SecretString,
    /// Read when first needed.
    items: Option<BTreeMap<String, SecretString>>,
}

impl Vault {
    pub(super) const fn new(path: PathBuf, passphrase: SecretString) -> Self {
        Self {
            path,
            passphrase,
            items: None,
        }
    }

    pub(super) fn get(&mut self, user: &str) -> Result<SecretString, SecretError> {
        self.items()?.get(user).cloned().ok_or(SecretError::Missing)
    }

    pub(super) fn put(&mut self, user: &str, secret: SecretString) -> Result<(), SecretError> {
        self.change(|items| {
            items.insert(user.to_owned(), secret);
        })
    }

    pub(super) fn delete(&mut self, user: &str) -> Result<(), SecretError> {
        self.change(|items| {
            items.remove(user);
        })
    }

    /// Alters a copy, writes it, and only then believes it.
    fn change(
        &mut self,
        alter: impl FnOnce(&mut BTreeMap<String, SecretString>),
    ) -> Result<(), SecretError> {
        let mut items = self.items()?.clone();
        alter(&mut items);
        write(&self.path, &self.passphrase, &items).map_err(|error| {
            tracing::error!(%error, "the vault file could not be written");
            SecretError::Vault
        })?;
        self.items = Some(items);
        Ok(())
    }

    fn items(&mut self) -> Result<&BTreeMap<String, SecretString>, SecretError> {
        let items = match self.items.take() {
            Some(items) => items,
            None => read(&self.path, &self.passphrase)?,
        };
        Ok(self.items.insert(items))
    }
}

fn read(
    path: &Path,
    passphrase: &SecretString,
) -> Result<BTreeMap<String, SecretString>, SecretError> {
    let file = match std::fs::read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(_) => return Err(SecretError::Vault),
    };
    let mut identity = scrypt::Identity::new(passphrase.expose_secret().to_owned().into());
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    let plain = age::decrypt(&identity, &file).map_err(|_| SecretError::Vault)?;
    let items: BTreeMap<String, String> =
        serde_json::from_slice(&plain).map_err(|_| SecretError::Vault)?;
    Ok(items
        .into_iter()
        .map(|(user, secret)| (user, secret.into()))
        .collect())
}

/// Replaces the file atomically: written beside it, synced, renamed, and the folder synced.
fn write(
    path: &Path,
    passphrase: &SecretString,
    items: &BTreeMap<String, SecretString>,
) -> std::io::Result<()> {
    let plain: BTreeMap<&str, &str> = items
        .iter()
        .map(|(user, secret)| (user.as_str(), secret.expose_secret()))
        .collect();
    let mut recipient = scrypt::Recipient::new(passphrase.expose_secret().to_owned().into());
    recipient.set_work_factor(WORK_FACTOR);
    let file =
        age::encrypt(&recipient, &serde_json::to_vec(&plain)?).map_err(std::io::Error::other)?;
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&beside)?;
    out.write_all(&file)?;
    out.sync_all()?;
    drop(out);
    std::fs::rename(&beside, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_keeps_its_items_and_opens_only_with_its_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.age");
        let mut vault = Vault::new(
            path.clone(),
            "correct horse battery staple".to_owned().into(),
        );
        assert_eq!(vault.get("a").unwrap_err(), SecretError::Missing);
        vault.put("a", "one".to_owned().into()).unwrap();
        vault.put("b", "two".to_owned().into()).unwrap();
        vault.delete("b").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1"));
        let mut again = Vault::new(
            path.clone(),
            "correct horse battery staple".to_owned().into(),
        );
        assert_eq!(again.get("a").unwrap().expose_secret(), "one");
        assert_eq!(again.get("b").unwrap_err(), SecretError::Missing);
        let mut wrong = Vault::new(path, "wrong".to_owned().into());
        assert_eq!(wrong.get("a").unwrap_err(), SecretError::Vault);
    }
}
