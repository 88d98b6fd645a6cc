//! A token's claims as a type of the application's.

use daypass_jwt::VerifyError;
use serde::de::DeserializeOwned;

use crate::VerifiedToken;

/// What can be read from a token's claims: whatever serde can deserialise from them, all claims being offered,
/// and [`NoClaims`].
pub trait FromToken: Sized {
    /// Reads the claims. [`VerifyError::Malformed`] if they do not fit.
    fn from_token(token: &VerifiedToken) -> Result<Self, VerifyError>;
}

impl<C: DeserializeOwned> FromToken for C {
    fn from_token(token: &VerifiedToken) -> Result<Self, VerifyError> {
        token.decode()
    }
}

/// Nothing beyond what [`VerifiedToken::claims`] has; costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoClaims;

impl FromToken for NoClaims {
    fn from_token(_: &VerifiedToken) -> Result<Self, VerifyError> {
        Ok(Self)
    }
}
