//! Calls with an access token: who gets it, what a refusal leads to, and `reqwest`'s client with it.

mod client;
mod request;

mod exchange;
mod redirect;
mod replay;

mod challenge;

pub use challenge::refuses_token;
pub use client::{CallError, SessionClient};
#[cfg(feature = "reqwest-middleware")]
pub(crate) use client::{REDIRECTS, without_redirects};
#[cfg(feature = "reqwest-middleware")]
pub(crate) use exchange::{Exchange, Failure, Transport};
#[cfg(feature = "tower")]
pub(crate) use replay::{Bearer, Verdict};
pub use replay::{NotReplayed, not_replayed};
pub use request::SessionRequest;
