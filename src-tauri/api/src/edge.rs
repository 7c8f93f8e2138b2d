//! What both programs read once, at the start: the environment, and where the log goes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use signalbox_core::config::SecretsPlace;
use signalbox_core::integrations::calendar;
use signalbox_core::{Config, Error, Kind};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The bundle identifier, by which platforms name folders.
pub const IDENTIFIER: &str = "dev.signalbox.app";
const HOME: &str = "SIGNALBOX_HOME";
const SECRETS: &str = "SIGNALBOX_SECRETS";
const PASSPHRASE_FILE: &str = "SIGNALBOX_VAULT_PASSPHRASE_FILE";
/// Two weeks of logs are kept.
const LOG_FILES: usize = 14;

/// From now on, what this process makes is for its own user only. Call it first.
pub fn keep_files_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Threads share two arenas of the C library instead of having up to eight for each core, of which
/// every one keeps what its thread once needed; and what is large goes back to the system at once.
/// Call it before the first thread starts.
pub fn keep_memory_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE_BYTES: libc::c_int = 256 * 1024;
        #[allow(
            unsafe_code,
            reason = "mallopt(3) has no safe form; it takes two numbers and reads no memory of ours"
        )]
        // SAFETY: no other thread runs yet; an option that is not known is refused, and nothing else happens.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 2);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        }
    }
}

/// The configuration that the environment asks for.
///
/// # Errors
/// As for [`config`].
pub fn config_from_env() -> Result<Config, Error> {
    config(None)
}

/// The configuration that the environment asks for; a `home` that is given wins over `SIGNALBOX_HOME`.
///
/// # Errors
/// A variable whose value is not understood, or a passphrase file that cannot be read.
pub fn config(home: Option<PathBuf>) -> Result<Config, Error> {
    let home = match home.or_else(|| env::var_os(HOME).filter(|value| !value.is_empty()).map(PathBuf::from)) {
        Some(home) => home,
        None => data_folder().ok_or_else(|| wrong(format!("Your home folder is not known. Say with {HOME} where Signalbox shall keep its data.")))?,
    };
    let home = std::path::absolute(home).map_err(Error::internal)?;
    let place = env::var_os(SECRETS).unwrap_or_default();
    let secrets = match place.to_str() {
        Some("" | "keychain") => SecretsPlace::Keychain,
        Some("vault") => SecretsPlace::Vault {
            passphrase: passphrase(env::var_os(PASSPHRASE_FILE).filter(|value| !value.is_empty()))?,
        },
        _ => {
            return Err(wrong(format!(
                "{SECRETS} is “{}”; it can be “keychain” (the operating system's key store) or “vault” (an encrypted file).",
                place.to_string_lossy()
            )));
        }
    };
    Ok(Config {
        secrets,
        google_client: publishers_client(),
        ..Config::new(home)
    })
}

/// The client at Google that the publisher built in, if any.
fn publishers_client() -> Option<calendar::Client> {
    let given = |text: Option<&'static str>| text.filter(|text| !text.is_empty());
    Some(calendar::Client {
        id: given(option_env!("SIGNALBOX_GOOGLE_CLIENT_ID"))?.to_owned(),
        secret: given(option_env!("SIGNALBOX_GOOGLE_CLIENT_SECRET")).map(SecretString::from),
    })
}

fn passphrase(file: Option<std::ffi::OsString>) -> Result<SecretString, Error> {
    let Some(file) = file else {
        return Err(wrong(format!(
            "{SECRETS} is “vault”, but {PASSPHRASE_FILE} does not say which file holds the passphrase."
        )));
    };
    let path = PathBuf::from(file);
    let text = fs::read_to_string(&path).map_err(|error| Error {
        source: Some(error.into()),
        ..wrong(format!(
            "The passphrase of the vault could not be read from {}.",
            path.display()
        ))
    })?;
    let passphrase = text.trim_end_matches(['\r', '\n']);
    if passphrase.is_empty() {
        return Err(wrong(format!(
            "{} is empty; it should hold the passphrase of the vault.",
            path.display()
        )));
    }
    Ok(SecretString::from(passphrase))
}

fn wrong(detail: String) -> Error {
    Error::new(Kind::Invalid, detail)
}

/// The platform's folder for the data of applications.
fn data_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        set("APPDATA")
    } else if cfg!(target_os = "macos") {
        env::home_dir().map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| env::home_dir().map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join(IDENTIFIER))
}

/// Starts the log in `logs/` of the data folder: one file a day, of two weeks. Only what Signalbox
/// itself says, from warnings on: never what a library says about addresses, headers or bodies.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn start_logging(home: &Path) -> Result<(), Error> {
    let folder = home.join("logs");
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error {
        source: Some(error),
        ..Error::new(
            Kind::ReadOnly,
            format!(
                "The log could not be opened in {}. Check the permissions of the folder.",
                folder.display()
            ),
        )
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&folder)
        .map_err(|error| failed(error.into()))?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("signalbox")
        .filename_suffix("log")
        .max_log_files(LOG_FILES)
        .build(&folder)
        .map_err(|error| failed(error.into()))?;
    let own = [
        "signalbox_core",
        "signalbox_api",
        "signalctl",
        "signalbox_desktop",
        "signalbox",
    ]
    .map(|name| (name, LevelFilter::WARN));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(file)
        .with_ansi(false)
        .with_target(false);
    // A process has one log; a second start, as in tests, keeps the first.
    let _ = tracing_subscriber::registry()
        .with(Targets::new().with_targets(own))
        .with(log)
        .try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_file_without_its_line_end_and_never_empty() {
        use secrecy::ExposeSecret;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        fs::write(&file, "correct horse \r\n").unwrap();
        assert_eq!(
            passphrase(Some(file.clone().into()))
                .unwrap()
                .expose_secret(),
            "correct horse "
        );
        fs::write(&file, "\n").unwrap();
        assert!(passphrase(Some(file.into())).is_err());
        assert!(
            passphrase(None)
                .unwrap_err()
                .detail
                .contains(PASSPHRASE_FILE)
        );
    }

    #[test]
    fn a_home_that_is_given_wins() {
        assert_eq!(
            config(Some("/tmp/shop".into())).unwrap().home,
            Path::new("/tmp/shop")
        );
    }
}
