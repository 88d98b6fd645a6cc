//! Calls with a session's access token, against a real service and an API on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops where it is"
)]

mod api;
mod front;
mod world;

mod rules;
mod sessions;

mod origins;
mod redirects;

#[cfg(feature = "blocking")]
mod blocking;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
#[cfg(feature = "tower")]
mod tower;
