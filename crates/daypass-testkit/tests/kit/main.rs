//! The kit itself: each fault does what it says, and the service answers through it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops where it is"
)]

mod faults;
mod gates;
mod key_server;
mod minter;
mod server;
mod service;

use std::future::Future;
use std::time::Duration;

/// Ends a test that would wait for ever; no test waits for time.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it never came about")
}

/// A client that keeps no connection: each request has one of its own.
fn client() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
}
