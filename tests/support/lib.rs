//! What every story from outside needs: a home, a running `signalctl serve`, an HTTP client and a way to wait.
//!
//! Nothing here knows the product's code. [`Home`] is a data folder of its own, [`Serve`] the process on it, [`Api`]
//! a caller, [`Shop`] a workspace with a token, [`Changes`] the feed a test waits on instead of sleeping.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot go on must stop the test that uses it"
)]

mod api;
mod bucket;
mod process;
mod serve;
mod shop;
mod signature;
pub mod vectors;

pub use api::{Answer, Api, Changes, raw_exchange};
pub use bucket::{Bucket, form};
pub use process::{cpu_ms, pss_kib, sleeps};
pub use serve::{Home, Output, Serve, repository, signalctl};
pub use shop::{Delivery, Shop, Webhook};
pub use signature::{hex, mac, verify_both};

/// How long a test waits for something that must happen before it says that it did not.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Says something that is also read when the test passes: a figure, or that something was skipped.
pub fn say(text: &str) {
    use std::io::Write;
    // Not `eprintln`, which the test harness keeps to itself.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The value below which this share of the values lies.
pub fn percentile<T: Copy + Ord>(values: &mut [T], share: f64) -> Option<T> {
    values.sort_unstable();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied()
}
