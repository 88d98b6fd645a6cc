//! How a verifier is made: what has no default is asked for by type, the rest are setters.

use std::sync::Arc;

use daypass_ambient::{Clock, SystemClock};
use daypass_jwt::{Algorithm, Algorithms, Policy};

use crate::cache::DEFAULT_CACHE_BYTES;
use crate::keys::Keys;
use crate::revocation::RevocationFeed;
use crate::{ConfigError, Verifier};

/// Makes a [`Verifier`]. `State` says what is still needed: an issuer, then an audience, then keys. Only
/// [`Ready`] has [`build`](VerifierBuilder::build).
///
/// ```
/// use daypass_verify::{RemoteKeys, Verifier};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), daypass_verify::ConfigError> {
/// let verifier = Verifier::builder()
///     .issuer("https://id.example")
///     .audience("https://api.example")
///     .keys(RemoteKeys::new("https://id.example/.well-known/jwks.json"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
///
/// Without keys there is no verifier:
///
/// ```compile_fail
/// # use daypass_verify::Verifier;
/// let verifier = Verifier::builder().issuer("https://id.example").audience("https://api.example").build();
/// ```
#[derive(Debug)]
#[must_use]
pub struct VerifierBuilder<State> {
    state: State,
    options: Options,
}

/// An issuer is still needed.
#[derive(Debug)]
pub struct NeedsIssuer(());

/// An audience is still needed.
#[derive(Debug)]
pub struct NeedsAudience {
    issuer: String,
}

/// Keys are still needed.
#[derive(Debug)]
pub struct NeedsKeys {
    issuer: String,
    audience: String,
}

/// Nothing more is needed.
#[derive(Debug)]
pub struct Ready {
    issuer: String,
    audience: String,
    keys: Keys,
}

#[derive(Debug)]
struct Options {
    also_audiences: Vec<String>,
    algorithms: Algorithms,
    types: Option<Vec<String>>,
    leeway: Option<u32>,
    future_leeway: u32,
    max_lifetime: Option<u32>,
    scopes: Vec<Box<str>>,
    claims: Vec<&'static str>,
    revocation: Option<RevocationFeed>,
    cache_bytes: usize,
    clock: Arc<dyn Clock>,
}

/// Seconds by which a token's times may lie in the future, unless told otherwise.
const FUTURE_LEEWAY_SECONDS: u32 = 30;

/// What [`Verifier`] is made of once the configuration is found good.
pub(crate) struct Parts {
    pub(crate) policy: Policy,
    pub(crate) future_leeway: u32,
    pub(crate) scopes: Vec<Box<str>>,
    pub(crate) claims: Vec<&'static str>,
    pub(crate) keys: Keys,
    pub(crate) revocation: Option<RevocationFeed>,
    pub(crate) cache_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

impl VerifierBuilder<NeedsIssuer> {
    pub(crate) fn new() -> Self {
        let options = Options {
            also_audiences: Vec::new(),
            algorithms: Algorithm::ES256.into(),
            types: None,
            leeway: None,
            future_leeway: FUTURE_LEEWAY_SECONDS,
            max_lifetime: None,
            scopes: Vec::new(),
            claims: Vec::new(),
            revocation: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
            clock: Arc::new(SystemClock),
        };
        Self { state: NeedsIssuer(()), options }
    }

    /// The only issuer whose tokens pass, compared with the claim `iss` byte by byte (RFC 9068 section 4).
    pub fn issuer(self, issuer: impl Into<String>) -> VerifierBuilder<NeedsAudience> {
        VerifierBuilder { state: NeedsAudience { issuer: issuer.into() }, options: self.options }
    }
}

impl VerifierBuilder<NeedsAudience> {
    /// Who this verifier is: the claim `aud` must name it (RFC 7519 section 4.1.3).
    pub fn audience(self, audience: impl Into<String>) -> VerifierBuilder<NeedsKeys> {
        let state = NeedsKeys { issuer: self.state.issuer, audience: audience.into() };
        VerifierBuilder { state, options: self.options }
    }
}

impl VerifierBuilder<NeedsKeys> {
    /// The issuer's keys: [`RemoteKeys`](crate::RemoteKeys) or [`StaticKeys`](crate::StaticKeys).
    pub fn keys(self, keys: impl Into<Keys>) -> VerifierBuilder<Ready> {
        let NeedsKeys { issuer, audience } = self.state;
        VerifierBuilder { state: Ready { issuer, audience, keys: keys.into() }, options: self.options }
    }
}

impl<State> VerifierBuilder<State> {
    /// Another audience that passes.
    pub fn also_audience(mut self, audience: impl Into<String>) -> Self {
        self.options.also_audiences.push(audience.into());
        self
    }

    /// The algorithms that pass. Default: ES256 alone, which is what a Daypass service signs with unless it
    /// is told otherwise.
    pub fn algorithms(mut self, algorithms: impl Into<Algorithms>) -> Self {
        self.options.algorithms = algorithms.into();
        self
    }

    /// The header types that pass, compared exactly, case included. Default: `at+jwt` and
    /// `application/at+jwt` (RFC 9068 section 4).
    pub fn types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// Seconds after `exp` in which a token still passes. Default 5, at most
    /// [`MAX_LEEWAY_SECONDS`](daypass_jwt::MAX_LEEWAY_SECONDS).
    pub fn leeway_seconds(mut self, seconds: u32) -> Self {
        self.options.leeway = Some(seconds);
        self
    }

    /// Seconds by which `iat` and `nbf` may lie in the future: how far the issuer's clock may be ahead.
    /// Default 30, at most [`MAX_LEEWAY_SECONDS`](daypass_jwt::MAX_LEEWAY_SECONDS).
    pub fn future_leeway_seconds(mut self, seconds: u32) -> Self {
        self.options.future_leeway = seconds;
        self
    }

    /// The longest time between `iat` and `exp`, in seconds. Default 3600, at most a year.
    pub fn max_lifetime_seconds(mut self, seconds: u32) -> Self {
        self.options.max_lifetime = Some(seconds);
        self
    }

    /// A scope that every token must carry: [`AuthError::Scope`](crate::AuthError::Scope) for one that does
    /// not. May be called several times.
    pub fn require_scope(mut self, scope: impl Into<String>) -> Self {
        self.options.scopes.push(scope.into().into_boxed_str());
        self
    }

    /// A member of the payload that must be there and not `null`, whatever its value;
    /// [`VerifyError::Claim`](daypass_jwt::VerifyError::Claim) for a token without. May be called several
    /// times.
    pub fn require_claim(mut self, name: &'static str) -> Self {
        self.options.claims.push(name);
        self
    }

    /// Where to learn which sessions have ended. Default: nowhere, and a token then passes until it expires.
    pub fn revocation(mut self, feed: RevocationFeed) -> Self {
        self.options.revocation = Some(feed);
        self
    }

    /// The memory for tokens seen before, in bytes. Default 32 MiB; 0 turns it off, and each token then costs
    /// a signature check each time.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Where time comes from. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.options.clock = clock;
        self
    }
}

impl VerifierBuilder<Ready> {
    /// The verifier. With remote keys or a revocation feed it starts a background task for each on the tokio
    /// runtime that this is called in; they end when the last clone of the verifier is dropped.
    ///
    /// - [`ConfigError::Policy`]: the issuer, an audience, a type, a leeway or the lifetime cannot be used.
    /// - [`ConfigError::NoUsableKey`]: no key is of an accepted algorithm; of remote ones none can be.
    /// - [`ConfigError::Url`], [`ConfigError::Revocation`]: the url of the keys or the feed, or the feed, is not good.
    /// - [`ConfigError::NoRuntime`], [`ConfigError::Transport`]: the tasks cannot be started.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let Self { state: Ready { issuer, audience, keys }, options } = self;
        let mut policy = Policy::builder(issuer, audience, options.algorithms)
            .future_leeway_seconds(options.future_leeway);
        for audience in options.also_audiences {
            policy = policy.also_audience(audience);
        }
        if let Some(types) = options.types {
            policy = policy.types(types);
        }
        if let Some(seconds) = options.leeway {
            policy = policy.leeway_seconds(seconds);
        }
        if let Some(seconds) = options.max_lifetime {
            policy = policy.max_lifetime_seconds(seconds);
        }
        Verifier::start(Parts {
            policy: policy.build()?,
            future_leeway: options.future_leeway,
            scopes: options.scopes,
            claims: options.claims,
            keys,
            revocation: options.revocation,
            cache_bytes: options.cache_bytes,
            clock: options.clock,
        })
    }
}
