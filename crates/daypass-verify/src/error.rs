//! Why a request is not let through.

use std::time::Duration;

use daypass_jwt::{JwksError, KeyError, PolicyError, VerifyError};

/// Why a request is not let through. What each is answered with: 401 for [`Missing`](Self::Missing),
/// [`Invalid`](Self::Invalid) and [`Revoked`](Self::Revoked), 403 for [`Scope`](Self::Scope), 400 for
/// [`Request`](Self::Request), and 503 for [`Unavailable`](Self::Unavailable), which is never the token's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// There is no token, and one is needed (RFC 6750 section 3: no error code is given to the client).
    #[error("a bearer token is required")]
    Missing,
    /// The request carries more than one token, or one that is not of the form `Bearer <token>`.
    #[error("the authorization header is malformed")]
    Request,
    /// The token is not good (`invalid_token`).
    #[error(transparent)]
    Invalid(#[from] VerifyError),
    /// The token's session has ended (`invalid_token`).
    #[error("the session has ended")]
    Revoked,
    /// The token is good and lacks this scope (`insufficient_scope`).
    #[error("the scope {0} is required")]
    Scope(String),
    /// The token can be judged neither way now: ask again in `retry_after`.
    #[error("{what} cannot be had now")]
    Unavailable {
        /// What is lacking.
        what: Lacking,
        /// When to ask again.
        retry_after: Duration,
    },
}

/// What a verifier lacks when it can judge a token neither way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lacking {
    /// The issuer's keys.
    Keys,
    /// A recent state of the revocation feed, which the configuration insists on.
    Revocations,
}

/// Why a verifier cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// What tokens are expected is not well described.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A key is not good.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A JWK set is not good.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// No key is of an algorithm on the list: nothing would ever pass.
    #[error("no key is of an algorithm that the verifier accepts")]
    NoUsableKey,
    /// A url is not acceptable.
    #[error("the url {url} cannot be used: {fault}")]
    Url {
        /// The url without its query and without names or passwords.
        url: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Remote keys and a revocation feed need a background task, and there is no tokio runtime to run it.
    #[error("there is no tokio runtime: build the verifier inside of one")]
    NoRuntime,
    /// The HTTP client cannot be made: TLS has no certificate store, for one.
    #[error("the HTTP client cannot be made")]
    Transport,
    /// The revocation feed is not well described.
    #[error("the revocation feed cannot be used: {0}")]
    Revocation(&'static str),
    /// Two verifiers of one group are for the same issuer.
    #[error("two verifiers are for the issuer {0}")]
    DuplicateIssuer(String),
    /// A group of verifiers is empty.
    #[error("there is no verifier to choose from")]
    NoVerifier,
    /// One issuer was needed, and the verifier has several.
    #[error("the verifier has several issuers")]
    SeveralIssuers,
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keys => "the issuer's keys",
            Self::Revocations => "the list of ended sessions",
        })
    }
}

impl AuthError {
    /// A stable name of the reason, in snake case: for metrics and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Request => "malformed_request",
            Self::Invalid(why) => why.code(),
            Self::Revoked => "revoked",
            Self::Scope(_) => "scope",
            Self::Unavailable { what: Lacking::Keys, .. } => "keys_unavailable",
            Self::Unavailable { what: Lacking::Revocations, .. } => "revocations_unavailable",
        }
    }
}
