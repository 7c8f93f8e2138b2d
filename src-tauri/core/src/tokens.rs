//! Tokens: what a program shows to be let in. Shown once, stored as a SHA-256, good for one
//! workspace.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::changes::Topic;
use crate::clock::Time;
use crate::db;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::ids::{TokenId, WorkspaceId};

/// What a token may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Post events, read event types and health.
    #[default]
    Events,
    /// Everything in its workspace.
    Full,
}

impl Scope {
    /// The word on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Full => "full",
        }
    }
}

impl ToSql for Scope {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Scope {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "events" => Ok(Self::Events),
            "full" => Ok(Self::Full),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A token as its owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The program it was made for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Time,
    /// When it was last shown, to about a minute.
    pub last_used_at: Option<Time>,
    /// Its last four characters, to recognise it by.
    pub last_four: String,
}

/// A token to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The program it is for, 1 to 100 characters.
    pub name: String,
    /// Default `events`.
    #[serde(default)]
    pub scope: Option<Scope>,
}

/// A token just made, the only time it is shown.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CreatedToken {
    /// Always true.
    pub success: bool,
    /// Its id.
    pub id: TokenId,
    /// The program it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// `sbt_…`, shown once.
    pub token: String,
}

/// Who is calling, once a token was recognised.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token's workspace.
    pub workspace: WorkspaceId,
    /// What it may do.
    pub scope: Scope,
    /// The program's name.
    pub name: String,
    /// The token's id.
    pub token: TokenId,
}

/// Tokens seen lately, by their hash: a call must not cost a look-up in the database.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<[u8; 32], (Bearer, Time)>>);

/// How long `lastUsedAt` may lag, so that not every call writes.
const LAST_USED_LAG_MS: i64 = 60_000;

/// 256 random bits behind a prefix, in letters that survive a copy and paste.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn fresh(prefix: &str) -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

impl Hub {
    /// The tokens of a workspace that are not revoked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self, workspace: WorkspaceId) -> Result<Vec<Token>> {
        self.db
            .read(move |conn| db::tokens::all(conn, workspace))
            .await
    }

    /// Makes a token; this is the only time it is shown.
    ///
    /// # Errors
    /// `Invalid` when the name is empty or too long.
    pub async fn create_token(
        &self,
        workspace: WorkspaceId,
        new: NewToken,
    ) -> Result<CreatedToken> {
        let name = new.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 100 {
            return Err(Error::field(
                "name",
                "invalid",
                "Give it a name of 1 to 100 characters.",
            ));
        }
        let created = CreatedToken {
            success: true,
            id: TokenId::new(),
            name,
            scope: new.scope.unwrap_or_default(),
            token: fresh("sbt_")?,
        };
        let hash: [u8; 32] = Sha256::digest(&created.token).into();
        let now = self.now();
        self.db
            .write(move |tx| {
                let row = Token {
                    id: created.id,
                    name: created.name.clone(),
                    scope: created.scope,
                    created_at: now,
                    last_used_at: None,
                    last_four: created
                        .token
                        .get(created.token.len() - 4..)
                        .unwrap_or_default()
                        .to_owned(),
                };
                db::tokens::insert(tx.conn(), workspace, &row, &hash)?;
                tx.announce(Some(workspace), Topic::Tokens);
                Ok(created)
            })
            .await
    }

    /// Revokes a token; it is refused from now on.
    ///
    /// # Errors
    /// `NotFound` when this workspace has no such token.
    pub async fn revoke_token(&self, workspace: WorkspaceId, id: TokenId) -> Result<()> {
        let now = self.now();
        self.db
            .write(move |tx| {
                if !db::tokens::revoke(tx.conn(), workspace, id, now)? {
                    return Err(Error::not_found("token"));
                }
                tx.announce(Some(workspace), Topic::Tokens);
                Ok(())
            })
            .await?;
        self.forget_tokens();
        Ok(())
    }

    /// Who shows this token, if it is one of ours and not revoked. Compared by its SHA-256, so that
    /// the time it takes says nothing about the token.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn authenticate(&self, bearer: &str) -> Result<Option<Bearer>> {
        if !bearer.starts_with("sbt_") {
            return Ok(None);
        }
        let hash: [u8; 32] = Sha256::digest(bearer).into();
        let now = self.now();
        let seen = self.seen_tokens().get(&hash).cloned();
        let (found, noted) = match seen {
            Some((found, noted)) => (found, Some(noted)),
            None => match self
                .db
                .read(move |conn| db::tokens::by_hash(conn, &hash))
                .await?
            {
                Some(found) => (found, None),
                None => return Ok(None),
            },
        };
        if noted.is_none_or(|at| now.ms_since(at) >= LAST_USED_LAG_MS) {
            self.seen_tokens().insert(hash, (found.clone(), now));
            let id = found.token;
            // Not waited for: nobody's call is slower for it.
            self.db
                .write_later(move |tx| db::tokens::used(tx.conn(), id, now));
        }
        Ok(Some(found))
    }

    pub(crate) fn forget_tokens(&self) {
        self.seen_tokens().clear();
    }

    fn seen_tokens(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Bearer, Time)>> {
        self.seen
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
