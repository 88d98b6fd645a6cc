//! The rules of Daypass, as values in and values out: no IO, no clock, no randomness, no async.
//!
//! Start with [`rotation::decide`], the one place where the answer to a presented refresh token is
//! decided. Everything else here is the vocabulary that it speaks.

pub mod rotation;

pub mod attempt;
pub mod client;
pub mod event;
pub mod guess;
pub mod id;
pub mod revocation;
pub mod scope;
pub mod session;
pub mod subject;
pub mod time;
pub mod token;

pub use attempt::{AttemptDigest, MalformedAttempts, PresentedAttempts, RememberedAttempts};
pub use client::{Client, ClientKind, Clients, Grant, OnReuse, Policy};
pub use event::{Event, EventKind};
pub use id::{ClientId, Generation, SessionId, SubjectId, Thumbprint, TokenKeyId};
pub use revocation::{Ending, EndingReason, FeedEntry, Revoked};
pub use rotation::{Decision, Presented, PresentedBy, Proof, Refusal, decide};
pub use scope::Scope;
pub use session::{NewSession, Origin, RotationState, Session, SignInRefused};
pub use subject::{Claims, Cutoff, Subject};
pub use time::{Clock, Timestamp};
pub use token::{OpenedToken, RefreshToken, TokenError, TokenSecrets};
