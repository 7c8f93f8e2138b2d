//! Services that Signalbox reaches for.

pub mod sms;
