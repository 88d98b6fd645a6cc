//! `POST /oauth2/introspect` (RFC 7662).

use axum::response::Response;
use daypass_service::core::{Session, SubjectId, Timestamp};
use daypass_service::jwt::{AccessClaims, Principal};
use daypass_service::{INTROSPECT_SCOPE, Introspection, Service, ServiceError};
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::call::Call;
use crate::client_auth::{self, InForm};
use crate::fault::Fault;
use crate::form;
use crate::oauth_error::OAuthError;
use crate::query;

const NAMES: [&str; 4] = ["token", "client_id", "client_secret", "client_assertion"];

/// What is told of a token; of one that is not active, nothing else.
#[derive(Default, Serialize)]
struct Told {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_use: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

/// One audience as a string, several as an array (RFC 7519 section 4.1.3).
#[derive(Serialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Serialize)]
struct Confirmation {
    #[serde(skip_serializing_if = "Option::is_none")]
    jkt: Option<String>,
}

/// Tells a client with the scope for it what a token is worth now.
pub(super) async fn introspect(mut call: Call) -> Result<Response, OAuthError> {
    query::must_not_hold(&call.parts.uri, &NAMES)?;
    let body = call.body().await?;
    let [token, id, secret, assertion] = form::read(call.headers(), &body, NAMES)?;
    let in_form = InForm { id, secret, assertion: assertion.is_some() };
    let client = client_auth::authenticate(&call, in_form)?;
    if !client.is_confidential() {
        return Err(OAuthError::invalid_client());
    }
    if !client.holds(INTROSPECT_SCOPE) {
        let what = "the client is not registered for the scope daypass:introspect";
        return Err(OAuthError::new(StatusCode::FORBIDDEN, "insufficient_scope", what));
    }
    let token = token.ok_or(Fault::Missing("token"))?;
    let service = call.service();
    let told = match service.introspect(&token).await? {
        Introspection::Inactive => Told::default(),
        Introspection::Access(claims) => of_access(service, *claims).await?,
        Introspection::Refresh { session } => of_refresh(service, *session).await?,
    };
    let mut response = answer::json(StatusCode::OK, &told);
    answer::token_headers(response.headers_mut());
    Ok(response)
}

async fn of_access(service: &Service, claims: AccessClaims) -> Result<Told, ServiceError> {
    let username = match claims.principal() {
        Principal::Subject(sub) => match SubjectId::new(sub) {
            Ok(sub) => service.username(&sub).await?,
            Err(_) => None,
        },
        Principal::Client(_) => None,
    };
    let bound = claims.cnf.as_ref().is_some_and(|cnf| cnf.jkt.is_some());
    let mut aud = claims.aud;
    Ok(Told {
        active: true,
        token_use: Some("access_token"),
        token_type: Some(if bound { "DPoP" } else { "Bearer" }),
        scope: Some(claims.scope.as_str().to_owned()),
        client_id: Some(claims.client_id),
        username,
        sub: Some(claims.sub),
        iss: Some(claims.iss),
        aud: Some(if aud.len() == 1 { Audience::One(aud.remove(0)) } else { Audience::Several(aud) }),
        iat: Some(claims.iat),
        exp: Some(claims.exp),
        nbf: claims.nbf,
        jti: Some(claims.jti),
        sid: claims.sid,
        auth_time: claims.auth_time,
        amr: claims.amr,
        cnf: claims.cnf.map(|cnf| Confirmation { jkt: cnf.jkt }),
    })
}

/// A refresh token: said to be one, and without audience, so that nobody mistakes it for an access
/// token.
async fn of_refresh(service: &Service, session: Session) -> Result<Told, ServiceError> {
    Ok(Told {
        active: true,
        token_use: Some("refresh_token"),
        scope: Some(session.scope.as_str().to_owned()),
        client_id: Some(session.client.as_str().to_owned()),
        username: service.username(&session.subject).await?,
        sub: Some(session.subject.as_str().to_owned()),
        iss: Some(service.config().issuer.clone()),
        iat: Some(session.rotation.rotated_at.seconds()),
        exp: session.expires_at.map(Timestamp::seconds),
        sid: Some(session.id.to_string()),
        auth_time: Some(session.auth_time.seconds()),
        amr: session.amr.split_whitespace().map(str::to_owned).collect(),
        ..Told::default()
    })
}
