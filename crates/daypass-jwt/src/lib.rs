//! Sign and verify JSON Web Tokens, and read and write JWK sets.
//!
//! A thin strict layer on aws-lc-rs. It opens no connection, reads no clock and spawns nothing: the time is
//! an argument everywhere, in whole Unix seconds. What it refuses is listed in `tests/attacks`, one test a
//! rule.
//!
//! | to | use |
//! |---|---|
//! | sign an access token | [`SigningKey::sign_access_token`] |
//! | publish keys | [`JwkSet`] |
//! | take somebody's keys | [`KeySet::from_jwks`] |
//! | verify an access token | [`verify`], or [`parse`] and [`Unverified::verify`] with a key look-up between |
//! | choose whose policy applies, of several issuers | [`issuer_of`] |
//! | verify another kind of JWT | [`verify_jws`] |
//!
//! ```
//! use daypass_jwt::{Algorithm, KeySet, Policy, SigningKey, verify};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Claims<'a> { iss: &'a str, sub: &'a str, aud: &'a str, client_id: &'a str, iat: i64, exp: i64, jti: &'a str }
//!
//! let key = SigningKey::generate(Algorithm::ES256)?;
//! let now = 1_750_000_000;
//! let token = key.sign_access_token(&Claims {
//!     iss: "https://id.example", sub: "ada", aud: "api", client_id: "web", iat: now, exp: now + 600, jti: "1",
//! })?;
//!
//! let policy = Policy::builder("https://id.example", "api", Algorithm::ES256).build()?;
//! let keys = KeySet::new([key.verifying_key()])?;
//! assert_eq!(verify(&token, &policy, &keys, now)?.claims().sub, "ada");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod error;
mod signing;

mod claims;
mod policy;
mod verify;

mod jwk;
mod jwks;
mod keyset;
mod verifying;

mod compact;
mod json;
mod weak;

pub use algorithm::{Algorithm, Algorithms, UnknownAlgorithm};
pub use claims::{AccessClaims, Confirmation, Payload, Principal, Scopes};
pub use compact::{ACCESS_TOKEN_TYPE, DEFAULT_MAX_TOKEN_BYTES, MAX_KEY_ID_BYTES};
pub use error::{JwksError, KeyError, PolicyError, SignError, VerifyError};
pub use jwk::{Jwk, JwkSet};
pub use jwks::{ForeignKeys, MAX_JWKS_BYTES, MAX_JWKS_KEYS, SkipReason, SkippedKey};
pub use keyset::KeySet;
pub use policy::{Binding, MAX_LEEWAY_SECONDS, Policy, PolicyBuilder};
pub use signing::{MIN_SECRET_BYTES, SigningKey};
pub use verify::{Unverified, Verified, VerifiedJws, issuer_of, parse, verify, verify_jws};
pub use verifying::VerifyingKey;
