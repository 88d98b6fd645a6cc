//! The judgement of a request: its token, and the scopes that the layer wants.

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;

use super::bearer::bearer_token;
use crate::{AuthError, VerifiedToken, Verifier};

/// What a layer asks of requests.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) verifier: Verifier,
    pub(super) optional: bool,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) realm: Arc<str>,
}

/// A request that a layer let through says so by this extension: with or without token.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "extractors read it"))]
pub(crate) struct Passed {
    pub(crate) token: Option<VerifiedToken>,
    pub(crate) realm: Arc<str>,
}

impl Gate {
    /// Lets a request through, with its token among its extensions, or says why not.
    pub(super) async fn admit<B>(self: Arc<Self>, request: Request<B>) -> Result<Request<B>, AuthError> {
        let (mut parts, body) = request.into_parts();
        let token = match bearer_token(&parts.headers)? {
            Some(token) => Some(self.verifier.verify(token).await?),
            None if self.optional => None,
            None => return Err(AuthError::Missing),
        };
        if let Some(token) = &token {
            self.scopes.iter().try_for_each(|scope| require(token, scope))?;
        }
        // What prints the request from here on does not print the token.
        if let Some(value) = parts.headers.get_mut(AUTHORIZATION) {
            value.set_sensitive(true);
        }
        // A layer further out may have left the token of another verifier.
        match token.clone() {
            Some(token) => _ = parts.extensions.insert(token),
            None => _ = parts.extensions.remove::<VerifiedToken>(),
        }
        parts.extensions.insert(Passed { token, realm: Arc::clone(&self.realm) });
        Ok(Request::from_parts(parts, body))
    }
}

fn require(token: &VerifiedToken, scope: &str) -> Result<(), AuthError> {
    if token.has_scope(scope) { Ok(()) } else { Err(AuthError::Scope(scope.to_owned())) }
}
