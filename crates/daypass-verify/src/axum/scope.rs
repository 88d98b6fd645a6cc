//! A scope that one handler asks for.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use super::auth::{Auth, passed};
use super::rejection::AuthRejection;
use crate::{AuthError, VerifiedToken};

/// The name of a scope, as a type.
pub trait ScopeName {
    /// The scope, as tokens have it (RFC 6749 section 3.3).
    const SCOPE: &'static str;
}

/// The caller's token, which carries the scope `S`. One that does not is answered with 403 `insufficient_scope`.
///
/// ```
/// use daypass_verify::axum::{RequireScope, ScopeName};
///
/// struct Orders;
///
/// impl ScopeName for Orders {
///     const SCOPE: &'static str = "orders";
/// }
///
/// async fn orders(auth: RequireScope<Orders>) -> String {
///     format!("the orders of {}", auth.subject())
/// }
/// ```
pub struct RequireScope<S> {
    /// The token.
    pub token: VerifiedToken,
    scope: PhantomData<fn() -> S>,
}

impl<S> Deref for RequireScope<S> {
    type Target = VerifiedToken;

    fn deref(&self) -> &VerifiedToken {
        &self.token
    }
}

impl<S> Clone for RequireScope<S> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), scope: PhantomData }
    }
}

impl<S: ScopeName> fmt::Debug for RequireScope<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScope").field("scope", &S::SCOPE).field("token", &self.token).finish()
    }
}

impl<T: Sync, S: ScopeName> FromRequestParts<T> for RequireScope<S> {
    type Rejection = AuthRejection;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, AuthRejection> {
        let auth = <Auth as FromRequestParts<T>>::from_request_parts(parts, state).await?;
        if auth.has_scope(S::SCOPE) {
            return Ok(Self { token: auth.token, scope: PhantomData });
        }
        Err(AuthRejection::refused(AuthError::Scope(S::SCOPE.to_owned()), passed(parts)?))
    }
}
