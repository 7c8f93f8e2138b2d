//! Bad luck on purpose: killed processes, hostile receivers, no network, no keychain.
//!
//! The rule for all: accepted ⊆ stored; what is stored is delivered, given up for a reason or still waiting; a repeat
//! only for an attempt whose outcome was unknown, with the same `webhook-id` and the same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is a failed test"
)]

mod elsewhere;
mod email;
mod hostile;
mod keychain;
mod kill;
mod offline;
mod services;
