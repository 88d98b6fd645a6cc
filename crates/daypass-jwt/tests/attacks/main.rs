//! One test, or one row of a table, for each rule of the attack catalogue (JA-…), of keys (KEY-…) and of
//! verifiers (VER-…). Every group has a positive control, so that a verifier that refuses everything fails
//! too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

mod support;

mod algorithm;
mod claims;
mod compact;
mod header;
mod jwks;
mod keys;
mod principals;
mod properties;
mod rsa_vectors;
mod signature;
mod verifier;
