//! Published reference data beside the repository; a test that needs it says so and passes when it is absent.

use serde_json::Value;

use crate::repository;

/// Reads one of the published vectors, or prints a notice and returns nothing.
pub fn read(name: &str) -> Option<Value> {
    published("vectors", name)
}

/// Reads a provider's own contract, an OpenAPI document, or prints a notice and returns nothing.
pub fn contract(name: &str) -> Option<Value> {
    published("contracts", name)
}

fn published(folder: &str, name: &str) -> Option<Value> {
    let path = repository().join("../shared/data").join(folder).join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("the published file is JSON")),
        Err(_) => {
            crate::say(&format!(
                "skipped: {name} is not in ../shared/data/{folder}"
            ));
            None
        }
    }
}
