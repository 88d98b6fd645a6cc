//! A service that this process starts for itself, on a temporary store: what `bench` and `demo` play with when
//! they are not pointed at another one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Whatever stopped the rest of the binary from doing its part; shown to the user as it is.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

type Ending = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// A running service and the way to end it.
pub(crate) struct Hosted {
    /// Where it listens, path included: `http://127.0.0.1:40123`.
    pub(crate) base_url: String,
    /// What it runs on, in a few words for the report: `SQLite, temporary, ES256`.
    pub(crate) described: String,
    stop: Box<dyn FnOnce() -> Ending>,
}

impl Hosted {
    /// `stop` ends the service and removes what it left on the disk.
    pub(crate) fn new<S, E>(base_url: String, described: String, stop: S) -> Self
    where
        S: FnOnce() -> E + 'static,
        E: Future<Output = Result<(), Failure>> + 'static,
    {
        Self { base_url, described, stop: Box::new(move || Box::pin(stop())) }
    }

    /// Ends the service and waits until it has ended.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        (self.stop)().await
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A user of a hosted service.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
