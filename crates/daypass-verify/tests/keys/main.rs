//! The verifier and its keys, scenario by scenario (CLIENTS: s25 to s31), and everything that is judged without a
//! feed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

mod harness;

mod flood;
mod outage;
mod rotation;

mod hostile;
mod lifecycle;

mod cache;
mod issuers;
mod policy;

mod health;
mod jws;
mod logs;
mod speed;
