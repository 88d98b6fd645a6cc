//! For tests: a whole service on loopback whose clock, network and answers misbehave on request.
//!
//! [`TestService`] is the real service on a real SQLite store, [`KeyServer`] serves a JWK set and nothing else,
//! and [`FaultyServer`] puts any router behind [`Faults`]. [`Minter`] signs access tokens without a service.
//!
//! ```
//! # async fn shown() {
//! use daypass_testkit::{Fault, TestService};
//!
//! let service = TestService::start().await;
//! service.faults().next("/v1/refresh", Fault::LoseResponse);
//! // … a client renews, loses the answer, and renews again …
//! service.faults().until_arrived("/v1/refresh", 2).await;
//! assert_eq!(service.repeats().await, 1);
//! # }
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test code fails by panicking"
)]

mod fault;
mod faults;
mod gate;
mod mixture;
mod server;

mod key_server;
mod minter;
mod renewals;
mod service;
mod surroundings;

pub use fault::{Canned, Fault};
pub use faults::{Faults, Recorded};
pub use gate::Gate;
pub use key_server::{JWKS_PATH, KeyServer};
pub use minter::{AUDIENCE, ISSUER, Minter, with_key_id, with_other_signature};
pub use renewals::Renewals;
pub use server::FaultyServer;
pub use service::{
    BACKEND, BACKEND_SCOPES, NAME, PASSWORD, PERSON_SCOPES, PUBLIC_CLIENT, TestService, TestServiceBuilder,
};
pub use surroundings::ServiceClock;
