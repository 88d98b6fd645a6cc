//! What Daypass does: sign in, renew, end, account for it. The use cases, one file each, over the
//! rules of `daypass-core` and whatever store is given.
//!
//! [`Service`] is the whole surface; `daypass-http` renders it. Nothing here reads a clock or draws
//! randomness of its own: both are arguments of [`Service::start`].

mod access;
mod clients;
mod config;
mod feed;
mod oauth;
mod people;
mod refresh;
mod sessions;
mod sign_in;
mod start;
mod stream;

mod address;
mod entropy;
mod error;
mod keys;
mod metrics;
mod pair;
mod passwords;
mod seal;
mod secret;
mod upkeep;

pub use access::{AccessError, Caller, LiveCaller};
pub use clients::{ClientAuth, ClientError, NewClient, RegisteredClient, secret_digest};
pub use config::{KeyPolicy, Limits, ServiceConfig};
pub use daypass_core as core;
pub use daypass_jwt as jwt;
pub use daypass_storage as storage;
pub use entropy::Entropy;
pub use error::ServiceError;
pub use feed::{FEED_SCOPE, Feed, MOST_ENTRIES};
pub use keys::{Activation, KeyError, KeyKeeper, KeyRing, KeyState, KeyView, PublishedKeys};
pub use metrics::Metrics;
pub use oauth::{CredentialsError, INTROSPECT_SCOPE, Introspection, RevokeError};
pub use pair::{AccessToken, Pair, RefreshPart};
pub use passwords::{PasswordError, WeakPassword, hash as hash_password};
pub use people::{ADMIN_SCOPE, AddPerson, AddPersonError, ChangePasswordError, checked_hash};
pub use refresh::{Refresh, RefreshError, RefusedBecause};
pub use seal::MasterKey;
pub use secret::Secret;
pub use sessions::Held;
pub use sign_in::{SignIn, SignInError};
pub use start::{Parts, Readiness, Service, StartError};
pub use stream::{FeedFollower, FeedNews, Growth};
