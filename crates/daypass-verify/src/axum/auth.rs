//! The caller.

use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::claims::{FromToken, NoClaims};
use super::rejection::AuthRejection;
use crate::http::Passed;
use crate::{AuthError, VerifiedToken};

/// The caller's token, and its claims as a type of yours.
///
/// Without token the answer is 401. An `Option<Auth>` is `None` then, where the layer is
/// [optional](crate::http::AuthLayer::optional); a bad token is refused all the same. Claims that do not fit the type
/// make the token an invalid one.
///
/// ```
/// use daypass_verify::axum::Auth;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Staff {
///     roles: Vec<String>,
/// }
///
/// async fn roles(auth: Auth<Staff>) -> String {
///     format!("{}: {}", auth.subject(), auth.claims.roles.join(", "))
/// }
///
/// async fn greeting(auth: Option<Auth>) -> String {
///     auth.map_or("Hello.".to_owned(), |auth| format!("Hello, {}.", auth.subject()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Auth<C = NoClaims> {
    /// The token.
    pub token: VerifiedToken,
    /// Its claims.
    pub claims: C,
}

impl<C> Deref for Auth<C> {
    type Target = VerifiedToken;

    fn deref(&self) -> &VerifiedToken {
        &self.token
    }
}

impl<C: FromToken> Auth<C> {
    fn read(passed: &Passed, token: &VerifiedToken) -> Result<Self, AuthRejection> {
        let claims = C::from_token(token).map_err(|error| {
            tracing::debug!(jti = %token.claims().jti, %error, "the claims of a token are not as wanted");
            AuthRejection::refused(AuthError::Invalid(error), passed)
        })?;
        Ok(Self { token: token.clone(), claims })
    }
}

impl<S: Sync, C: FromToken> FromRequestParts<S> for Auth<C> {
    type Rejection = AuthRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AuthRejection> {
        let passed = passed(parts)?;
        let token =
            passed.token.as_ref().ok_or_else(|| AuthRejection::refused(AuthError::Missing, passed))?;
        Self::read(passed, token)
    }
}

impl<S: Sync, C: FromToken> OptionalFromRequestParts<S> for Auth<C> {
    type Rejection = AuthRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, AuthRejection> {
        let passed = passed(parts)?;
        passed.token.as_ref().map(|token| Self::read(passed, token)).transpose()
    }
}

/// What the layer left.
pub(super) fn passed(parts: &Parts) -> Result<&Passed, AuthRejection> {
    parts.extensions.get().ok_or_else(|| {
        tracing::error!(
            path = parts.uri.path(),
            "a handler asks for a token on a route that is behind no `Verifier::layer()`"
        );
        AuthRejection::no_layer()
    })
}
