//! Routes of tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use signalbox_core::Hub;
use signalbox_core::ids::TokenId;
use signalbox_core::tokens::{CreatedToken, NewToken, Token};

use crate::problem::Result;
use crate::request::{self, Caller, Id};
use crate::webhooks::Message;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
}

/// The tokens of the workspace, without what they are shown as.
#[utoipa::path(get, path = "/api/tokens", operation_id = "listTokens", tag = "tokens", responses((status = 200, body = Tokens)))]
pub(crate) async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Result<Json<Tokens>> {
    Ok(Json(Tokens {
        tokens: hub.tokens(caller.workspace).await?,
    }))
}

/// Makes a token; the answer shows it once.
#[utoipa::path(
    post, path = "/api/tokens", operation_id = "createToken", tag = "tokens",
    request_body = NewToken, responses((status = 201, body = CreatedToken)),
)]
pub(crate) async fn create(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    request::Json(new): request::Json<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>)> {
    Ok((
        StatusCode::CREATED,
        Json(hub.create_token(caller.workspace, new).await?),
    ))
}

/// Revokes a token; it is refused from now on.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", operation_id = "revokeToken", tag = "tokens",
    params(("id" = String, Path)), responses((status = 200, body = Message)),
)]
pub(crate) async fn revoke(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Id(id): Id<TokenId>,
) -> Result<Json<Message>> {
    hub.revoke_token(caller.workspace, id).await?;
    Ok(Json(Message {
        message: "The token is revoked. Whoever still shows it is refused.",
    }))
}
