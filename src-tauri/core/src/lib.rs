//! Signalbox's core: everything that matters, no window, no server.
//!
//! Every use case is one method on [`Hub`]. Around it, from the top down:
//! [`events`] (what can happen), [`webhooks`] (who is told), [`integrations`] (by whom), `outbox` (what is due, claimed, sent,
//! finished), [`deliveries`] (what happened: reading the log), `db`, [`secrets`] and [`http`].
//!
//! Core knows no shell: environment variables, ports and windows are read once at an edge and
//! come in as a [`Config`].

pub mod automations;
pub mod changes;
pub mod clock;
pub mod condition;
pub mod config;
mod db;
pub mod deliveries;
pub mod error;
pub mod events;
pub mod explain;
pub mod http;
pub mod hub;
pub mod ids;
pub mod integrations;
pub mod outbox;
pub mod outcome;
mod practice;
pub mod problems;
mod receivers;
pub mod retention;
pub mod secrets;
pub mod today;
pub mod tokens;
pub mod webhooks;
mod words;
pub mod workspaces;

pub use config::Config;
pub use error::{Error, Kind};
pub use hub::Hub;
