//! What the other side needs: a small complete program in six languages that takes only what is
//! signed, and the check itself ([`verify`]).
//!
//! The programs beside this file are what a receiver copies and what the tests run, byte for byte.
//! None holds a secret: each reads it from the environment variable `SIGNALBOX_SECRET`.

pub mod verify;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::hub::Hub;
use crate::ids::{WebhookId, WorkspaceId};

/// A language there is a program in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs)]
pub enum Language {
    Node,
    Python,
    Php,
    Ruby,
    Go,
    Rust,
}

/// A program that receives a webhook and verifies it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Snippet {
    /// For programs.
    pub language: Language,
    /// What people call it: "Node.js"
    pub label: &'static str,
    /// The whole program.
    pub code: &'static str,
    /// The command that fetches what it needs beyond the language itself, if anything.
    pub install: Option<&'static str>,
    /// How to try it.
    pub runs: &'static str,
}

/// The programs, most used languages first.
#[must_use]
pub fn snippets() -> [Snippet; 6] {
    let one = |language, label, code, install, runs| Snippet {
        language,
        label,
        code,
        install,
        runs,
    };
    [
        one(
            Language::Node,
            "Node.js",
            include_str!("node.mjs"),
            None,
            "Save it as receiver.mjs, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: node receiver.mjs",
        ),
        one(
            Language::Python,
            "Python",
            include_str!("python.py"),
            None,
            "Save it as receiver.py, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: python3 receiver.py",
        ),
        one(
            Language::Php,
            "PHP",
            include_str!("php.php"),
            None,
            "Save it as receiver.php, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: php -S 127.0.0.1:8000 receiver.php",
        ),
        one(
            Language::Ruby,
            "Ruby",
            include_str!("ruby.rb"),
            None,
            "Save it as receiver.rb, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: ruby receiver.rb",
        ),
        one(
            Language::Go,
            "Go",
            include_str!("go.go"),
            None,
            "Save it as receiver.go, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: go run receiver.go",
        ),
        one(
            Language::Rust,
            "Rust",
            include_str!("rust.rs"),
            Some("cargo add axum base64 hmac serde_json sha2 && cargo add tokio --features full"),
            "Save it as src/main.rs of a new package, put the signing secret into the environment variable SIGNALBOX_SECRET, then run: cargo run",
        ),
    ]
}

impl Hub {
    /// Programs that receive this webhook.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn webhook_snippets(
        &self,
        workspace: WorkspaceId,
        id: WebhookId,
    ) -> Result<[Snippet; 6]> {
        self.webhook(workspace, id).await?;
        Ok(snippets())
    }
}
