//! What the service promises, on a real store: signing in and its limits, renewing, noticing theft,
//! ending, keys and their replacement, clients, the feed, metrics, and that no secret shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

#[path = "../support/mod.rs"]
mod support;

mod guessing;
mod sign_in;
mod sign_in_scope;
mod storm;

mod at_once;
mod lost;
mod refresh;
mod theft;
mod without_storage;

mod ending;
mod overtaken;
mod passwords;

mod clients;
mod introspection;
mod revocation;

mod algorithms;
mod keys;
mod lagging_verifier;
mod tag_secrets;
mod two_services;

mod clock_jumps;

mod feed;
mod stream;

mod metrics;
mod secrecy;
