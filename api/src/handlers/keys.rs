//! The keys that others read our tokens with.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::keys::PublicKey;
use crate::auth::tokens::Tokens;

/// A set of keys (RFC 7517 §5).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysAnswer {
    /// Those whose tokens hold; none where tokens are signed with a secret.
    pub keys: Vec<PublicKey>,
}

/// The public keys of access tokens, as a JSON Web Key Set. A token that one of them verifies may be of a session that has
/// ended since: ask the API where that matters.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "operations", responses((status = 200, body = KeysAnswer)))]
pub async fn published(tokens: web::Data<Tokens>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(KeysAnswer { keys: tokens.published() })
}
