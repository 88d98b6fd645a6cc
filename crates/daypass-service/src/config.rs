//! How a service is set up.

use std::num::NonZeroUsize;
use std::time::Duration;

use daypass_core::Policy;
use daypass_jwt::Algorithm;

/// The settings of a service. What is a matter of HTTP is `daypass-http`'s.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The `iss` claim, byte for byte.
    pub issuer: String,
    /// The `aud` of access tokens whose client has none of its own; the issuer, if absent.
    pub audience: Option<String>,
    /// The lifetimes and rules for clients that have none of their own.
    pub policy: Policy,
    /// How keys are made and replaced.
    pub keys: KeyPolicy,
    /// What is held against guessing and flooding.
    pub limits: Limits,
    /// How long audit events are kept.
    pub keep_events: Duration,
}

impl ServiceConfig {
    /// The defaults, for an issuer.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: None,
            policy: Policy::DEFAULT,
            keys: KeyPolicy::default(),
            limits: Limits::default(),
            keep_events: Duration::from_hours(90 * 24),
        }
    }
}

/// How keys are made and replaced.
#[derive(Clone, Copy, Debug)]
pub struct KeyPolicy {
    /// What access tokens are signed with.
    pub algorithm: Algorithm,
    /// The age at which a key is replaced, if by age at all.
    pub rotate_every: Option<Duration>,
    /// How long a key is published before it signs.
    pub publish_ahead: Duration,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::ES256,
            rotate_every: Some(Duration::from_hours(90 * 24)),
            publish_ahead: Duration::from_mins(10),
        }
    }
}

/// What is held against guessing and flooding.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wrong passwords for one account before it has to wait.
    pub account_failures: u32,
    /// Wrong passwords from one network address (an IPv6 /64) before it has to wait.
    pub address_failures: u32,
    /// Threads that hash passwords; each needs 19 MiB while it does.
    pub password_workers: NonZeroUsize,
    /// Sign-ins that may wait for such a thread; more are refused at once.
    pub password_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            account_failures: 10,
            address_failures: 50,
            password_workers: NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN),
            password_queue: 256,
        }
    }
}
