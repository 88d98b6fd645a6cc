//! Which sessions have ended: the service's revocation feed, followed in the background.
//!
//! ```
//! use std::time::Duration;
//! use daypass_verify::revocation::{RevocationFeed, WhenStale};
//!
//! let feed = RevocationFeed::new("https://id.example")
//!     .credentials("api", "the client's secret")
//!     .poll_every(Duration::from_secs(1))
//!     .max_staleness(Duration::from_secs(30))
//!     .when_stale(WhenStale::Allow);
//! ```

// A page of the feed is taken by the ledger wherever it came from: `wire` polls for it, `stream` is told.

mod feed;
mod followed;

mod follow;
mod schedule;

mod ledger;
mod page;
mod set;

mod events;
mod stream;

mod credentials;
mod exchange;
mod wire;

mod facts;
mod fault;

pub use feed::{RevocationFeed, WhenStale};
pub use followed::RevocationsHealth;

pub(crate) use facts::Facts;
pub(crate) use followed::{Revocations, Standing};
