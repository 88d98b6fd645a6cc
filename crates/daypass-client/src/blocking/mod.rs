//! For programs without an asynchronous runtime: the same session, whose methods wait.
//!
//! Each [`Session`] has one thread of its own, on which everything happens; its clones share it. A waiting method
//! blocks the thread that calls it. It may be called on a thread of somebody's tokio runtime: nothing panics and
//! nothing locks up, but that thread does nothing else meanwhile. A [store](crate::store::TokenStore) or a clock must
//! not call it: they run on the session's own thread, which would wait for itself.
//!
//! The thread ends with the last clone and everything that came from one. A renewal that is under way then is cut
//! off, and repeated when the session is opened again.
//!
//! ```no_run
//! use daypass_client::{FileStore, Session};
//!
//! # fn shown() -> Result<(), Box<dyn std::error::Error>> {
//! let described = Session::builder("https://id.example")
//!     .store(FileStore::open("session.json")?)
//!     .allow_origin("https://api.example");
//! let session = daypass_client::blocking::Session::open(described)?;
//! let api = session.wrap(reqwest::Client::builder())?;
//! let orders = api.get("https://api.example/orders").send()?.text()?;
//! # Ok(())
//! # }
//! ```

mod session;

mod client;
mod response;

mod worker;

pub use client::{SessionClient, SessionRequest};
pub use response::Response;
pub use session::{Events, Session};
