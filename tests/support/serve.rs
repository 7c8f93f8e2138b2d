//! The product as a process: a home of its own, commands run on it, and the server.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Api, PATIENCE};

/// The root of the repository: where the test runs, for what was built may have been built elsewhere.
pub fn repository() -> PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR");
    Path::new(here.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR")))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

/// The binary under test: built beside the tests by the same selection.
pub fn signalctl() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let built = test
        .ancestors()
        .nth(2)
        .expect("a test lies in deps/ of the build folder")
        .join("signalctl");
    assert!(
        built.is_file(),
        "{} is missing: build the workspace before its tests (make test does)",
        built.display()
    );
    built
}

/// What a finished command said.
#[derive(Debug)]
pub struct Output {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.stdout.trim()).unwrap_or_else(|error| {
            panic!(
                "standard output is not one JSON document ({error})\nexit {}\nstdout: {}\nstderr: {}",
                self.code, self.stdout, self.stderr
            )
        })
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "\nstdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

/// A data folder that goes away with the last owner of this value, and the vault's passphrase beside it.
#[derive(Clone, Debug)]
pub struct Home {
    folder: Arc<TempDir>,
    place: PathBuf,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
}

impl Home {
    /// A fresh home whose secrets are in a vault.
    pub fn new() -> Self {
        Self::of(signalctl())
    }

    /// A fresh home for another build of the binary.
    pub fn of(binary: PathBuf) -> Self {
        let folder = TempDir::with_prefix("signalbox-test-").expect("a temporary folder");
        let mut passphrase = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.path().join("passphrase"))
            .expect("a file for the passphrase");
        passphrase
            .write_all(b"correct horse battery staple for tests only\n")
            .expect("the passphrase is written");
        let passphrase = folder.path().join("passphrase").display().to_string();
        Self {
            place: folder.path().join("home"),
            folder: Arc::new(folder),
            binary,
            environment: vec![
                ("SIGNALBOX_SECRETS".into(), "vault".into()),
                ("SIGNALBOX_VAULT_PASSPHRASE_FILE".into(), passphrase),
            ],
            wrapper: Vec::new(),
        }
    }

    /// The same home, commands with one more variable. An empty value removes it.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.environment.push((name.into(), value.into()));
        }
        self
    }

    /// The same home with its data folder elsewhere, as on a certain disk.
    pub fn at(mut self, place: PathBuf) -> Self {
        self.place = place;
        self
    }

    /// The same home, each command run inside another one, as `ip netns exec NAME`.
    pub fn inside(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The data folder.
    pub fn path(&self) -> PathBuf {
        self.place.clone()
    }

    /// A file beside the data folder that goes away with it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    /// What the processes on this home have said on standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// A command on this home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .args(arguments)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("HOME", self.folder.path())
            .env("SIGNALBOX_HOME", self.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs a command to its end, with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("signalctl starts");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("signalctl ends");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the server on a free port and waits for its ready line.
    pub fn serve(&self) -> Serve {
        self.serve_with(&["serve", "--port", "0"])
    }

    /// Starts the server with these arguments and waits for its ready line.
    pub fn serve_with(&self, arguments: &[&str]) -> Serve {
        let stderr = File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("stderr"))
            .expect("a file for standard error");
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("signalctl starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (ready, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let _ = ready.send(lines.next().and_then(Result::ok).unwrap_or_default());
            // Read on, so that the server never blocks on a full pipe.
            for _ in lines {}
        });
        let line = line.recv_timeout(PATIENCE).unwrap_or_default();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("serve gave no ready line but {line:?}\n{}", self.said());
        };
        let url = ready["url"]
            .as_str()
            .expect("the ready line names the url")
            .to_owned();
        let address = url
            .strip_prefix("http://")
            .expect("the url is http")
            .parse()
            .expect("the url is an address and a port");
        let pid = u32::try_from(ready["pid"].as_u64().expect("the ready line names the pid"))
            .expect("a pid is small");
        let api =
            fs::read(self.path().join("api.json")).expect("api.json is there once serve is ready");
        let api: Value = serde_json::from_slice(&api).expect("api.json is JSON");
        Serve {
            home: self.clone(),
            url,
            address,
            pid,
            ready,
            credential: api["credential"]
                .as_str()
                .expect("api.json holds the credential")
                .to_owned(),
            child,
        }
    }

    /// Every file and folder in the data folder, relative to it.
    pub fn contents(&self) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        let mut next = 0;
        while let Some(folder) = found.get(next).cloned() {
            next += 1;
            let Ok(entries) = fs::read_dir(self.path().join(&folder)) else {
                continue;
            };
            found.extend(
                entries
                    .flatten()
                    .map(|entry| folder.join(entry.file_name())),
            );
        }
        found.split_off(1)
    }

    /// The permission bits of a file in the data folder.
    pub fn mode(&self, name: impl AsRef<Path>) -> u32 {
        let path = self.path().join(name);
        let meta = fs::symlink_metadata(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        meta.permissions().mode() & 0o777
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server; it is killed when dropped.
#[derive(Debug)]
pub struct Serve {
    home: Home,
    /// `http://127.0.0.1:…`
    pub url: String,
    /// The same as an address.
    pub address: SocketAddr,
    /// The process that serves (under a wrapper not the one that was started).
    pub pid: u32,
    /// The whole ready line.
    pub ready: Value,
    /// The owner's credential from `api.json`.
    pub credential: String,
    child: Child,
}

impl Serve {
    /// The home it serves.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The owner as a caller.
    pub fn owner(&self) -> Api {
        Api::new(self.address, &self.credential)
    }

    /// kill -9, and waits until it is gone.
    pub fn kill(mut self) -> Home {
        self.end(Signal::SIGKILL);
        self.home.clone()
    }

    /// SIGTERM, and waits for its end.
    pub fn terminate(mut self) -> (Home, ExitStatus) {
        let status = self.end(Signal::SIGTERM);
        (self.home.clone(), status)
    }

    /// Sends a signal without waiting for anything.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid).expect("a pid is small");
        let _ = kill(Pid::from_raw(pid), signal);
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.child.wait().expect("the server ends")
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("what serve said:\n{}", self.home.said());
        }
    }
}
