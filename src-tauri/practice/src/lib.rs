//! Stand-ins for the world outside, on loopback: what the practice workspace and every test deliver to.
//!
//! [`Practice`] is all of them together, as practice mode has them.
//! [`SendGrid`], [`Twilio`] and [`Google`] stand in for the providers of these names, as strict as their contracts.
//!
//! [`Receiver`] takes signed calls, keeps the last of them (or a ledger of all) and answers 200. It knows nothing of
//! the engine, so that it can judge it. With the feature `faults` it can also be told to misbehave ([`Behaviour`]),
//! which a shipped build never can. [`Storage`] speaks as much S3 as Signalbox does, and keeps files in a folder.

mod all;
#[cfg(feature = "faults")]
mod faults;
mod folder;
pub mod google;
mod pages;
mod receiver;
mod sendgrid;
mod storage;
mod twilio;

pub use all::Practice;
#[cfg(feature = "faults")]
pub use faults::Behaviour;
pub use google::{Consent, Google, Notice};
pub use receiver::{Call, Keep, Receiver, Taken};
pub use sendgrid::{Email, SendGrid};
#[cfg(feature = "faults")]
pub use storage::Fault;
pub use storage::{Step, Storage};
pub use twilio::{Text, Twilio};
