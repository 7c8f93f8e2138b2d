//! The loopback HTTP API: one router, one guard, one description.
//!
//! Every use case of core is one route of [`router`]. The desktop window and `signalctl` call that
//! router in process; other software reaches the same router through [`Server`], behind the guard.
//! Nothing is decided here: requests become calls of [`signalbox_core::Hub`], and its answers JSON.

mod automations;
mod changes;
mod deliveries;
pub mod edge;
mod events;
mod files;
mod form;
mod guard;
mod integrations;
mod overview;
mod page;
mod problem;
mod problems;
mod replays;
mod request;
mod router;
mod serve;
mod sms;
mod snippets;
mod tokens;
mod webhooks;
mod workspaces;

pub use changes::{Changed, merged};
pub use form::FileForm;
pub use problem::Problem;
pub use request::Principal;
pub use router::{openapi, router};
pub use serve::{DEFAULT_PORT, Ready, Running, ServeOptions, Server, running, serve};
