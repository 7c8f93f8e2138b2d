//! What the business uses of others: each folder one capability, each with its provider's file.

pub mod storage;
