//! Secrets: kept in the operating system's key store, or in a vault file where the owner chose so.
//! Never in the database, never in plain text, never moved from one to the other silently.
//!
//! Key stores block for half a second, or for ever. So every call is made on one thread of its own
//! and waited for only so long; the rest of the house stays live. What was read once is
//! kept in memory.

mod keychain;
mod vault;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::config::SecretsPlace;
use crate::ids::WorkspaceId;
use crate::outcome::{Code, Failure, Trouble};

/// How long a key store may take: one that hangs, hangs for ever.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long the vault may take: it computes, and a busy machine only makes that slower.
const VAULT_DEADLINE: Duration = Duration::from_secs(60);
/// The largest secret, in bytes: what Windows' Credential Manager takes.
pub const MAX_BYTES: usize = 2_560;

/// Why a secret cannot be read or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretError {
    /// There is no key store here.
    Unavailable,
    /// It is locked.
    Locked,
    /// The owner, or a rule, said no.
    Denied,
    /// It did not answer in time.
    Timeout,
    /// It holds no such item.
    Missing,
    /// The vault file cannot be opened with this passphrase, or is damaged.
    Vault,
    /// Longer than [`MAX_BYTES`].
    TooLarge,
}

impl SecretError {
    /// As the failure of a delivery.
    #[must_use]
    pub const fn failure(self) -> Failure {
        Failure::trouble(
            Code::KeychainUnavailable,
            match self {
                Self::Unavailable | Self::Vault | Self::TooLarge => Trouble::KeyStoreMissing,
                Self::Locked => Trouble::KeyStoreLocked,
                Self::Denied => Trouble::KeyStoreDenied,
                Self::Timeout => Trouble::KeyStoreSilent,
                Self::Missing => Trouble::SecretMissing,
            },
        )
    }
}

impl std::fmt::Display for SecretError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "This computer has no key store that Signalbox can use. Unlock or install one, or choose the encrypted vault file.",
            Self::Locked => "This computer's key store is locked. Unlock it and try again.",
            Self::Denied => "This computer's key store refused. Allow Signalbox to use it and try again.",
            Self::Timeout => "This computer's key store does not answer. Try again in a moment, or restart it.",
            Self::Missing => "The secret is no longer in this computer's key store.",
            Self::Vault => "The vault file cannot be opened: the passphrase is wrong, or the file is damaged.",
            Self::TooLarge => "This secret is longer than a key store can hold.",
        })
    }
}

impl std::error::Error for SecretError {}

impl From<SecretError> for crate::Error {
    fn from(error: SecretError) -> Self {
        Self::new(crate::Kind::Keychain, error.to_string())
    }
}

/// Where the items are.
enum Store {
    Keychain(keychain::Keychain),
    Vault(vault::Vault),
}

impl Store {
    fn get(&mut self, user: &str) -> Result<SecretString, SecretError> {
        match self {
            Self::Keychain(keychain) => keychain.get(user),
            Self::Vault(vault) => vault.get(user),
        }
    }

    fn put(&mut self, user: &str, secret: SecretString) -> Result<(), SecretError> {
        match self {
            Self::Keychain(keychain) => keychain.put(user, &secret),
            Self::Vault(vault) => vault.put(user, secret),
        }
    }

    fn delete(&mut self, user: &str) -> Result<(), SecretError> {
        match self {
            Self::Keychain(keychain) => keychain.delete(user),
            Self::Vault(vault) => vault.delete(user),
        }
    }
}

type Work = Box<dyn FnOnce(&mut Store) + Send>;

/// The secrets of all workspaces.
pub(crate) struct Secrets {
    place: SecretsPlace,
    home: std::path::PathBuf,
    thread: Mutex<Option<mpsc::Sender<Work>>>,
    known: Mutex<HashMap<String, SecretString>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The account name of an item: `{workspaceId}/{email|sms|calendar|storage|whk_…}`.
fn user(workspace: WorkspaceId, item: &str) -> String {
    format!("{workspace}/{item}")
}

impl Secrets {
    pub(crate) fn new(place: SecretsPlace, home: &Path) -> Self {
        Self {
            place,
            home: home.to_owned(),
            thread: Mutex::new(None),
            known: Mutex::default(),
        }
    }

    /// The secret of an integration or webhook.
    pub(crate) async fn get(
        &self,
        workspace: WorkspaceId,
        item: &str,
    ) -> Result<SecretString, SecretError> {
        let user = user(workspace, item);
        if let Some(known) = lock(&self.known).get(&user) {
            return Ok(known.clone());
        }
        let secret = self
            .call({
                let user = user.clone();
                move |store| store.get(&user)
            })
            .await?;
        lock(&self.known).insert(user, secret.clone());
        Ok(secret)
    }

    /// Keeps a secret, in place of a former one.
    pub(crate) async fn put(
        &self,
        workspace: WorkspaceId,
        item: &str,
        secret: SecretString,
    ) -> Result<(), SecretError> {
        use secrecy::ExposeSecret as _;
        if secret.expose_secret().len() > MAX_BYTES {
            return Err(SecretError::TooLarge);
        }
        let user = user(workspace, item);
        self.call({
            let (user, secret) = (user.clone(), secret.clone());
            move |store| store.put(&user, secret)
        })
        .await?;
        lock(&self.known).insert(user, secret);
        Ok(())
    }

    /// Forgets a secret; one that is not there is forgotten already.
    pub(crate) async fn delete(
        &self,
        workspace: WorkspaceId,
        item: &str,
    ) -> Result<(), SecretError> {
        let user = user(workspace, item);
        lock(&self.known).remove(&user);
        match self.call(move |store| store.delete(&user)).await {
            Err(SecretError::Missing) => Ok(()),
            other => other,
        }
    }

    /// Whether the place can be used now; `Missing` counts as yes.
    pub(crate) async fn check(&self) -> Result<(), SecretError> {
        match self.call(|store| store.get("check")).await {
            Ok(_) | Err(SecretError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |store| {
            // Nobody waits any more when the deadline has passed.
            let _ = answer.send(work(store));
        });
        self.thread()
            .and_then(|thread| thread.send(work).map_err(|_| SecretError::Unavailable))?;
        let deadline = match self.place {
            SecretsPlace::Vault { .. } => VAULT_DEADLINE,
            SecretsPlace::Keychain => DEADLINE,
        };
        match tokio::time::timeout(deadline, answered).await {
            Err(_) => Err(SecretError::Timeout),
            Ok(Err(_)) => Err(SecretError::Unavailable),
            Ok(Ok(result)) => result,
        }
    }

    /// The thread that talks to the store; started when first needed.
    fn thread(&self) -> Result<mpsc::Sender<Work>, SecretError> {
        let mut thread = lock(&self.thread);
        if let Some(thread) = &*thread {
            return Ok(thread.clone());
        }
        let mut store = match &self.place {
            SecretsPlace::Keychain => Store::Keychain(keychain::Keychain),
            SecretsPlace::Vault { passphrase } => Store::Vault(vault::Vault::new(
                self.home.join("vault.age"),
                passphrase.clone(),
            )),
        };
        let (sender, work) = mpsc::channel::<Work>();
        std::thread::Builder::new()
            .name("secrets".into())
            .spawn(move || work.into_iter().for_each(|work| work(&mut store)))
            .map_err(|_| SecretError::Unavailable)?;
        Ok(thread.insert(sender).clone())
    }
}
