//! `POST /oauth2/token`: the token endpoint (RFC 6749 section 3.2).

use std::borrow::Cow;

use axum::response::Response;
use daypass_service::core::{Grant, Scope};
use daypass_service::{Refresh, RegisteredClient};

use crate::answer;
use crate::attempt;
use crate::call::Call;
use crate::client_auth::{self, InForm};
use crate::fault::Fault;
use crate::form;
use crate::oauth_error::{OAuthError, unauthorized_client};
use crate::pair;
use crate::query;

const NAMES: [&str; 8] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "refresh_token",
    "scope",
    "resource",
    "attempt",
];

/// What a grant asks for.
struct Asked<'f> {
    client: RegisteredClient,
    scope: Option<Scope>,
    resource: Option<Cow<'f, str>>,
}

/// Exchanges a grant for tokens.
pub(super) async fn token(mut call: Call) -> Result<Response, OAuthError> {
    query::must_not_hold(&call.parts.uri, &NAMES)?;
    let body = call.body().await?;
    let [grant, id, secret, assertion, refresh, scope, resource, attempt] =
        form::read(call.headers(), &body, NAMES)?;
    let grant = match grant.as_deref() {
        None => return Err(Fault::Missing("grant_type").into()),
        Some("refresh_token") => Grant::RefreshToken,
        Some("client_credentials") => Grant::ClientCredentials,
        Some(_) => {
            let what = "the grant type is neither refresh_token nor client_credentials";
            return Err(OAuthError::bad("unsupported_grant_type", what));
        }
    };
    let in_form = InForm { id, secret, assertion: assertion.is_some() };
    let client = client_auth::authenticate(&call, in_form)?;
    if !client.may(grant) {
        return Err(unauthorized_client());
    }
    let scope = scope.map(|scope| scope.parse::<Scope>()).transpose();
    let scope = scope.map_err(|error| OAuthError::bad("invalid_scope", answer::clean(&error.to_string())))?;
    let asked = Asked { client, scope, resource };
    match grant {
        Grant::RefreshToken => renew(&call, &asked, refresh, attempt).await,
        Grant::ClientCredentials => own_token(&call, &asked),
    }
}

async fn renew(
    call: &Call,
    asked: &Asked<'_>,
    token: Option<Cow<'_, str>>,
    attempt: Option<Cow<'_, str>>,
) -> Result<Response, OAuthError> {
    let token = token.ok_or(Fault::Missing("refresh_token"))?;
    let attempts = attempt::read(call.headers(), attempt)?;
    let request = Refresh {
        token: &token,
        attempts: attempts.as_deref(),
        client: Some(&asked.client),
        scope: asked.scope.as_ref(),
        resource: asked.resource.as_deref(),
        address: call.address().map(|address| address.to_string().into()),
    };
    let pair = call.service().refresh(request).await?;
    Ok(pair::in_body(&pair))
}

/// A token for the client itself (RFC 6749 section 4.4).
fn own_token(call: &Call, asked: &Asked<'_>) -> Result<Response, OAuthError> {
    let Asked { client, scope, resource } = asked;
    let pair = call.service().client_credentials(client, scope.as_ref(), resource.as_deref())?;
    Ok(pair::in_body(&pair))
}
