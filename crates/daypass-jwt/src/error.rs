//! What can go wrong, by who needs to know. No error holds bytes of a token or of a key.

/// Why a token was refused. The code is for metrics and logs; what the bearer is told is the caller's choice,
/// and apart from [`VerifyError::Expired`] should not be more than `invalid_token` (RFC 6750 section 3.1).
///
/// ```
/// use daypass_jwt::VerifyError;
///
/// assert_eq!(VerifyError::Expired.code(), "expired");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Longer than the policy's limit in bytes; nothing was decoded.
    #[error("the token is too large")]
    TooLarge,
    /// Not a JWS in compact serialisation with strict base64url and JSON (RFC 7515 section 7.1).
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// `alg` is missing, unknown, not on the list, or not the key's.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// This header parameter is forbidden (`crit`, `b64`, `zip`, `jwk`, …), missing or ill-formed (`kid`).
    #[error("the token's header parameter {0} is not accepted")]
    Header(&'static str),
    /// `typ` is missing or not one of the accepted types (RFC 9068 section 4).
    #[error("the token's type is not accepted")]
    Type,
    /// `iss` is missing or not exactly the policy's issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `aud` is missing, ill-formed, or names none of the accepted audiences.
    #[error("the token is for another audience")]
    Audience,
    /// No key has the token's key id. The caller may fetch the issuer's keys again, within limits.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The key is known and the signature is not its. Fetching keys again would be of no use.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// This claim is missing, ill-formed or outside the policy.
    #[error("the token's claim {0} is not accepted")]
    Claim(&'static str),
}

impl VerifyError {
    /// A stable name of the reason, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Algorithm => "algorithm",
            Self::Header(_) => "header",
            Self::Type => "type",
            Self::Issuer => "issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Audience => "audience",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Claim(_) => "claim",
        }
    }

    /// Whether the token was once good as far as was looked, and only its time is over.
    pub const fn is_expired(&self) -> bool {
        matches!(self, Self::Expired)
    }

    /// Whether fetching the issuer's keys again may help.
    pub const fn is_unknown_key(&self) -> bool {
        matches!(self, Self::UnknownKey)
    }
}

/// Why claims were not signed. None is the fault of whoever asked for the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims do not serialise to JSON.
    #[error("the claims cannot be serialised")]
    Serialize(#[source] serde_json::Error),
    /// The claims serialise to something other than a JSON object (RFC 7519 section 4).
    #[error("the claims are not a JSON object")]
    NotAnObject,
    /// The token would be longer than [`crate::DEFAULT_MAX_TOKEN_BYTES`], and no verifier would take it.
    #[error("the token would be too large")]
    TooLarge,
    /// The cryptographic library refused.
    #[error("signing failed")]
    Crypto,
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key is not what it should be: another type, another curve, a broken encoding, an inconsistent
    /// pair.
    #[error("the key is malformed: {0}")]
    Malformed(&'static str),
    /// The key is well-formed and must not be used.
    #[error("the key is weak: {0}")]
    Weak(&'static str),
    /// Two different keys of one set have the same key id.
    #[error("two keys have the same key id")]
    DuplicateKeyId,
    /// The cryptographic library could not make or write the key.
    #[error("the key cannot be made")]
    Crypto,
}

/// Why a whole JWK set was refused. The caller keeps the set it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// Longer than [`crate::MAX_JWKS_BYTES`].
    #[error("the key set is too large")]
    TooLarge,
    /// More keys than [`crate::MAX_JWKS_KEYS`].
    #[error("the key set has too many keys")]
    TooManyKeys,
    /// Not a JSON object with an array `keys` (RFC 7517 section 5), or with duplicate members.
    #[error("the key set is malformed")]
    Malformed,
    /// A private key is in it: its owner must be told, and none of its keys can be trusted.
    #[error("the key set contains private key material")]
    PrivateMaterial,
}

/// Why a policy cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The issuer is empty.
    #[error("the issuer is empty")]
    NoIssuer,
    /// An audience is empty.
    #[error("an audience is empty")]
    NoAudience,
    /// The list of algorithms is empty.
    #[error("the list of algorithms is empty")]
    NoAlgorithm,
    /// The list of types is empty or has an empty entry.
    #[error("the list of token types is empty or has an empty entry")]
    NoType,
    /// A leeway is above [`crate::MAX_LEEWAY_SECONDS`].
    #[error("the leeway is above {} seconds", crate::MAX_LEEWAY_SECONDS)]
    Leeway,
    /// The maximum lifetime is zero or above a year.
    #[error("the maximum lifetime is zero or above a year")]
    Lifetime,
    /// The size limit is zero or above 1 MiB.
    #[error("the size limit is zero or above 1 MiB")]
    Size,
}
