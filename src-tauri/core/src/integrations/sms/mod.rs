//! Texts: the shape of one, its number, its size. Twilio itself is in [`twilio`].

pub(crate) mod number;
pub(crate) mod progress;
pub mod segments;
pub(crate) mod twilio;

use serde::{Deserialize, Serialize};

pub use progress::Status;

/// The longest message Twilio takes, in letters.
pub const LONGEST: usize = 1600;

/// A text to one person: the data of an event of the type `sms.send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Message {
    /// The phone number, best with a plus and the country.
    pub to: String,
    /// What it says.
    pub message: String,
}

/// What is wrong with a message, in words; nothing when it can be sent.
#[must_use]
pub fn wrong_message(message: &str) -> Option<&'static str> {
    if message.trim().is_empty() {
        Some("A text needs some words.")
    } else if message.chars().count() > LONGEST {
        Some("A text can have 1,600 letters at most. Make it shorter.")
    } else {
        None
    }
}
