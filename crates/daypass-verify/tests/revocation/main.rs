//! Ended sessions (CLIENTS: s32): the real service's feed, and feeds that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

mod harness;

mod real;
mod stale;

mod failures;
mod pages;

mod stream;

mod credentials;
mod lifecycle;
