//! The well-known documents: public keys, and what the service can do. Caches may keep them for
//! five minutes and then ask whether they have changed.

use std::hash::{DefaultHasher, Hasher as _};

use axum::body::Body;
use axum::response::Response;
use daypass_service::jwt::Algorithm;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::answer;
use crate::call::Call;

const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=300");
const JWK_SET: HeaderValue = HeaderValue::from_static("application/jwk-set+json");

/// Authorization-server metadata (RFC 8414 section 2). Nothing is in it that is not enabled, and no
/// list is empty.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    /// RFC 8414 requires this member and forbids it to be empty. There is no authorization endpoint,
    /// and `none` is the registered response type that promises neither a code nor a token.
    response_types_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    introspection_endpoint_auth_methods_supported: &'static [&'static str],
    #[serde(flatten)]
    openid: OpenId,
}

/// What only OpenID Connect Discovery asks for. Libraries that check access tokens by this document
/// read the algorithms here.
#[derive(Default, Serialize)]
struct OpenId {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_types_supported: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    id_token_signing_alg_values_supported: Vec<&'static str>,
}

impl<'a> Metadata<'a> {
    fn of(issuer: &'a str, openid: OpenId) -> Self {
        let base = issuer.trim_end_matches('/');
        let at = |path: &str| format!("{base}{path}");
        Self {
            issuer,
            token_endpoint: at("/oauth2/token"),
            revocation_endpoint: at("/oauth2/revoke"),
            introspection_endpoint: at("/oauth2/introspect"),
            jwks_uri: at("/.well-known/jwks.json"),
            response_types_supported: &["none"],
            grant_types_supported: &["refresh_token", "client_credentials"],
            token_endpoint_auth_methods_supported: &["none", "client_secret_basic", "client_secret_post"],
            revocation_endpoint_auth_methods_supported: &[
                "none",
                "client_secret_basic",
                "client_secret_post",
            ],
            introspection_endpoint_auth_methods_supported: &["client_secret_basic", "client_secret_post"],
            openid,
        }
    }
}

/// The public keys.
pub(super) async fn jwks(call: Call) -> Response {
    let keys = call.service().published_keys();
    cached(call.headers(), &keys.etag, JWK_SET, || Body::from(keys.json.clone()))
}

/// What the service can do, as RFC 8414 has it.
pub(super) async fn authorization_server(call: Call) -> Response {
    document(&call, OpenId::default())
}

/// What the service can do, as OpenID Connect Discovery has it.
pub(super) async fn openid_configuration(call: Call) -> Response {
    let algorithms = call.service().published_keys().algorithms;
    let published = algorithms.into_iter().filter(|algorithm| algorithm.is_asymmetric());
    document(
        &call,
        OpenId {
            subject_types_supported: Some(&["public"]),
            id_token_signing_alg_values_supported: published.map(Algorithm::name).collect(),
        },
    )
}

fn document(call: &Call, openid: OpenId) -> Response {
    let metadata = Metadata::of(&call.service().config().issuer, openid);
    let Ok(json) = serde_json::to_vec(&metadata) else {
        return answer::empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut hasher = DefaultHasher::new();
    hasher.write(&json);
    let etag = format!("\"{:016x}\"", hasher.finish());
    cached(call.headers(), &etag, answer::JSON, || Body::from(json))
}

/// The document, or 304 to who has it (RFC 9110 section 13.1.2).
fn cached(headers: &HeaderMap, etag: &str, media_type: HeaderValue, body: impl FnOnce() -> Body) -> Response {
    let mut response = if has(headers, etag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::bytes(StatusCode::OK, media_type, body())
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, MAX_AGE);
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// Whether `If-None-Match` names the tag, compared weakly.
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
