//! `POST /oauth2/revoke` (RFC 7009).

use axum::response::Response;
use http::StatusCode;

use crate::answer;
use crate::call::Call;
use crate::client_auth::{self, InForm};
use crate::fault::Fault;
use crate::form;
use crate::oauth_error::OAuthError;
use crate::query;

// `token_type_hint` is only a hint, and none is needed here: it is ignored.
const NAMES: [&str; 4] = ["token", "client_id", "client_secret", "client_assertion"];

/// Ends the session of a token, of whichever kind. One that is none is revoked already.
pub(super) async fn revoke(mut call: Call) -> Result<Response, OAuthError> {
    query::must_not_hold(&call.parts.uri, &NAMES)?;
    let body = call.body().await?;
    let [token, id, secret, assertion] = form::read(call.headers(), &body, NAMES)?;
    let in_form = InForm { id, secret, assertion: assertion.is_some() };
    let client = client_auth::authenticate(&call, in_form)?;
    let token = token.ok_or(Fault::Missing("token"))?;
    let source = call.source(Some(client.id()));
    call.service().revoke(&client, &token, source).await?;
    let mut response = answer::empty(StatusCode::OK);
    answer::token_headers(response.headers_mut());
    Ok(response)
}
