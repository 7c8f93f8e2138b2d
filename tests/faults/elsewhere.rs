//! Runs a story of this binary inside other surroundings: a network namespace, a private session bus.

use std::process::{Command, Stdio};

use signalbox_tests::say;

/// Runs the ignored test `story` of this binary behind `wrapper`. Its failure is the caller's.
pub(crate) fn inside(wrapper: &[&str], story: &str) {
    let (program, rest) = wrapper.split_first().expect("a wrapper");
    let status = Command::new(program)
        .args(rest)
        .arg(std::env::current_exe().expect("this binary"))
        .args([
            story,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .stdin(Stdio::null())
        .status()
        .expect("the wrapper starts");
    assert!(status.success(), "{story} failed, see above");
}

/// Runs the ignored test `story` with a network of its own, where such a one can be had.
pub(crate) fn in_a_network_of_its_own(story: &str) {
    let namespace = ["unshare", "--map-root-user", "--net"];
    let try_out = "ip link set lo up && ip link add v0 type veth peer name v1";
    if possible(
        &[&namespace[..], &["sh", "-c", try_out]].concat(),
        "a network namespace with an interface",
    ) {
        inside(&namespace, story);
    }
}

/// Whether the command works here; says so when not.
pub(crate) fn possible(command: &[&str], what: &str) -> bool {
    let (program, rest) = command.split_first().expect("a command");
    let works = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        say(&format!("skipped: {what} is not possible here"));
    }
    works
}

/// Runs a command that must work.
pub(crate) fn run(command: &str) {
    let mut words = command.split_whitespace();
    let status = Command::new(words.next().expect("a command"))
        .args(words)
        .status()
        .unwrap_or_else(|error| panic!("{command}: {error}"));
    assert!(status.success(), "{command}");
}
