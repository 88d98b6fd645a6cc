//! A session's access token for any `tower` service over `http` requests.
//!
//! ```
//! # use daypass_client::tower::SessionLayer;
//! # fn shown<S>(session: daypass_client::Session, http: S)
//! # where S: tower::Service<http::Request<bytes::Bytes>> + Clone {
//! // `http` is a service such as a client of `hyper-util`.
//! let api = tower::ServiceBuilder::new().layer(SessionLayer::new(session)).service(http);
//! # }
//! ```

mod layer;
mod replay_body;
mod service;

mod future;

pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub use replay_body::{CloneBody, OneUse, ReplayBody};
pub use service::SessionService;

/// Why a call has no answer: a [`SessionError`](crate::SessionError), or the error of the service below.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
