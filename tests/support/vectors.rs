//! Published reference data beside the repository; a test that needs it says so and passes when it is absent.

use serde_json::Value;

use crate::repository;

/// Reads one of the published files, or prints a notice and returns nothing.
pub fn read(name: &str) -> Option<Value> {
    let path = repository().join("../shared/data/vectors").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("the published file is JSON")),
        Err(_) => {
            crate::say(&format!("skipped: {name} is not in ../shared/data/vectors"));
            None
        }
    }
}
