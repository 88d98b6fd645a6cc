//! Accepts Daypass access tokens offline, and refuses those of ended sessions.
#![cfg_attr(feature = "axum", doc = "")]
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]

mod builder;
mod error;
mod token;
mod verifier;

mod issuers;
mod judge;
mod keys;
pub mod revocation;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "tower")]
pub mod http;

mod cache;
mod fetch;
mod health;
mod jws;
mod metrics;

pub use builder::{NeedsAudience, NeedsIssuer, NeedsKeys, Ready, VerifierBuilder};
pub use daypass_jwt as jwt;
pub use error::{AuthError, ConfigError, Lacking};
pub use health::{Health, IssuerHealth, KeysHealth};
pub use jws::JwsVerifier;
pub use keys::{Keys, RemoteKeys, StaticKeys};
pub use token::VerifiedToken;
pub use verifier::Verifier;
