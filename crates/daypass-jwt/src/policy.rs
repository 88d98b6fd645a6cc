//! What a verifier of access tokens expects.

use crate::compact::ACCESS_TOKEN_TYPE;
use crate::{Algorithms, DEFAULT_MAX_TOKEN_BYTES, PolicyError};

/// The largest leeway that a policy may have, in seconds: 5 minutes.
pub const MAX_LEEWAY_SECONDS: u32 = 300;
const MAX_LIFETIME_SECONDS: u32 = 366 * 24 * 3600;
const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// A way in which a token is bound to a key of its bearer: a member of the claim `cnf` (RFC 7800 section
/// 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `jkt`: the thumbprint of a DPoP key (RFC 9449 section 6.1).
    DpopKey,
    /// `x5t#S256`: the digest of a TLS client certificate (RFC 8705 section 3.1).
    Certificate,
}

/// What a verifier of access tokens expects: an issuer, one or more audiences and a list of algorithms, and
/// how strict the rest is. There is no policy without the first three.
///
/// ```
/// use daypass_jwt::{Algorithm, Policy};
///
/// let policy = Policy::builder("https://id.example", "https://api.example", [Algorithm::ES256, Algorithm::Ed25519])
///     .also_audience("https://api.example/v2")
///     .leeway_seconds(10)
///     .build()?;
/// assert_eq!(policy.issuer(), "https://id.example");
/// # Ok::<(), daypass_jwt::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Algorithms,
    pub(crate) types: Vec<String>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) leeway: i64,
    pub(crate) future_leeway: i64,
    pub(crate) max_lifetime: i64,
    pub(crate) max_bytes: usize,
    pub(crate) single_audience: bool,
    pub(crate) kid_optional: bool,
}

impl Policy {
    /// Starts with what has no default. `issuer` is compared with `iss` exactly, byte by byte; `audience` is
    /// this verifier's own identifier, compared in the same way.
    pub fn builder(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        algorithms: impl Into<Algorithms>,
    ) -> PolicyBuilder {
        PolicyBuilder {
            policy: Self {
                issuer: issuer.into(),
                audiences: vec![audience.into()],
                algorithms: algorithms.into(),
                types: vec![ACCESS_TOKEN_TYPE.to_owned(), format!("application/{ACCESS_TOKEN_TYPE}")],
                bindings: Vec::new(),
                leeway: 5,
                future_leeway: 30,
                max_lifetime: 3600,
                max_bytes: DEFAULT_MAX_TOKEN_BYTES,
                single_audience: false,
                kid_optional: false,
            },
        }
    }

    /// The only issuer whose tokens pass.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audiences, one of which a token must name.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The algorithms that pass.
    pub const fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The seconds after `exp` in which a token still passes.
    pub const fn leeway_seconds(&self) -> i64 {
        self.leeway
    }
}

/// Sets what has a default.
#[derive(Clone, Debug)]
#[must_use]
pub struct PolicyBuilder {
    policy: Policy,
}

impl PolicyBuilder {
    /// Another audience that passes.
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        self.policy.audiences.push(audience.into());
        self
    }

    /// Refuses a token that names any audience besides, for servers that do not trust each other with their
    /// tokens. Default: the token may name others.
    pub const fn single_audience(mut self) -> Self {
        self.policy.single_audience = true;
        self
    }

    /// The header types that pass, compared exactly, case included. Default: `at+jwt` and
    /// `application/at+jwt` (RFC 9068 section 4). Must not be a type that the issuer uses for anything but
    /// access tokens.
    pub fn types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.policy.types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Seconds after `exp` in which a token still passes. Default 5, at most [`MAX_LEEWAY_SECONDS`].
    pub const fn leeway_seconds(mut self, seconds: u32) -> Self {
        self.policy.leeway = seconds as i64;
        self
    }

    /// Seconds by which `iat` and `nbf` may lie in the future. Default 30, at most [`MAX_LEEWAY_SECONDS`].
    pub const fn future_leeway_seconds(mut self, seconds: u32) -> Self {
        self.policy.future_leeway = seconds as i64;
        self
    }

    /// The longest time between `iat` and `exp`, in seconds. Default 3600, at most a year.
    pub const fn max_lifetime_seconds(mut self, seconds: u32) -> Self {
        self.policy.max_lifetime = seconds as i64;
        self
    }

    /// The longest token, in bytes. Default [`DEFAULT_MAX_TOKEN_BYTES`], at most 1 MiB.
    pub const fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.policy.max_bytes = bytes;
        self
    }

    /// A binding whose proof the **caller checks** after verification, against [`crate::AccessClaims::cnf`].
    /// Default: none, and a token with `cnf` is refused, so that a bound token is never taken for a bearer
    /// token.
    pub fn checks_binding(mut self, binding: Binding) -> Self {
        self.policy.bindings.push(binding);
        self
    }

    /// Lets tokens without `kid` pass when exactly one key has their algorithm, for an issuer with a single
    /// key (OpenID Connect Core section 10.1). Default: refused.
    pub const fn key_id_optional(mut self) -> Self {
        self.policy.kid_optional = true;
        self
    }

    /// The policy, or what is wrong with it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let policy = self.policy;
        let leeway = 0..=i64::from(MAX_LEEWAY_SECONDS);
        let fault = if policy.issuer.is_empty() {
            PolicyError::NoIssuer
        } else if policy.audiences.iter().any(String::is_empty) {
            PolicyError::NoAudience
        } else if policy.algorithms.is_empty() {
            PolicyError::NoAlgorithm
        } else if policy.types.is_empty() || policy.types.iter().any(String::is_empty) {
            PolicyError::NoType
        } else if !leeway.contains(&policy.leeway) || !leeway.contains(&policy.future_leeway) {
            PolicyError::Leeway
        } else if !(1..=i64::from(MAX_LIFETIME_SECONDS)).contains(&policy.max_lifetime) {
            PolicyError::Lifetime
        } else if !(1..=MAX_TOKEN_BYTES).contains(&policy.max_bytes) {
            PolicyError::Size
        } else {
            return Ok(policy);
        };
        Err(fault)
    }
}
