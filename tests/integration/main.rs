//! The contract, told from outside: each module one area, each test one sentence that can fail for one reason.
//!
//! The product is the process `signalctl serve` on a home of its own; most tests share one and open a workspace each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod automations;
mod bookings;
mod calendar;
mod canary;
mod certificates;
mod cli;
mod deliveries;
mod email;
mod events;
mod export;
mod files;
mod filters;
mod formats;
mod guard;
mod headers;
mod history;
mod judges;
mod kit;
mod practice;
mod problems;
mod replays;
mod retries;
mod rotation;
mod salon;
mod search;
mod settings;
mod sms;
mod spreadsheet;
mod storage;
mod vectors;
mod webhooks;
mod wire;
mod workspaces;
