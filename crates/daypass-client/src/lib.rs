//! Keeps a program signed in: one renewal for any number of calls, and no sign-out by accident.
//!
#![doc = include_str!("../README.md")]

mod builder;
mod engine;
mod error;
mod events;
mod policy;
mod record;
mod secret;
mod session;
mod sign_in;
mod wire;

#[cfg(feature = "blocking")]
pub mod blocking;
pub mod call;
#[cfg(feature = "reqwest-middleware")]
pub mod middleware;
#[cfg(feature = "tower")]
pub mod tower;

pub mod store;

pub use builder::SessionBuilder;
pub use error::{SessionError, SignOutReason};
pub use events::{Event, Events, SessionState};
pub use policy::RefreshPolicy;
pub use record::{Access, Attempt, Record};
pub use secret::{AccessToken, RefreshToken};
pub use session::Session;
pub use sign_in::Credentials;
pub use store::{FileStore, MemoryStore};
pub use wire::Pair;
