//! What is said to the service, and what it answers. Nothing here decides.

mod answer;
mod pair;
mod request;
mod retry_after;
mod service;
mod sign_in;
mod transport;

pub(crate) use answer::{Answer, Denial, read, successor};
pub(crate) use pair::OwnToken;
pub use pair::Pair;
pub(crate) use request::Speaker;
pub(crate) use service::{Service, origin};
pub(crate) use sign_in::read as read_sign_in;
pub(crate) use transport::{Reply, Transport};
