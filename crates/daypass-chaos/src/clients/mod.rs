//! Honest clients: whatever is started with the service's URL and a place for its store, and reports.

mod caller;
mod child;
mod family;
mod plain;
mod shelf;
mod tabs;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock, SeededEntropy};
use daypass_client::{AccessToken, Credentials, Session, SessionBuilder, SessionError};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::account::{What, Zero};
use crate::fast::FastClock;
use crate::run::Run;
use daypass_chaos::service::PASSWORD;

pub(crate) use child::live;
pub(crate) use family::{Family, Kind, Programs};
pub(crate) use plain::{PLAIN, Plain, Said, Wire, headers};
pub(crate) use tabs::Tabs;

/// Older than a quarter of an access token's life of one second: younger ones are not renewed, even if they are
/// refused.
const OLD_ENOUGH: Duration = Duration::from_millis(300);

/// How long anybody waits for a renewal or a sign-in, however often that has to be tried.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// How fast time passes for who signs in. A password takes its time to check, on threads that give way to all others: by the
/// clock of most clients here no machine with anything else to do would ever answer in time.
const SIGNING_IN: u32 = 1;

/// How long to wait before something is tried again, by the clients' clock.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// An honest client, or several that share a store.
#[async_trait]
pub(crate) trait Client: Send + Sync {
    /// How it is called in what is told of it.
    fn name(&self) -> &str;

    /// Renews until the run is over, and reports.
    async fn run(&self);

    /// Renews once, now that nothing is in the way. The error: why that is not possible.
    async fn renew_once_more(&self) -> Result<(), String>;
}

/// What a client tells. A client process writes one as a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// It has another access token than before.
    Renewed,
    /// The service could not be reached in the time that there was.
    Unavailable,
    /// Somebody has to sign in.
    SignedOut(String),
    /// It cannot go on for another reason.
    Failed(String),
}

impl Report {
    fn of(error: &SessionError) -> Self {
        match error {
            SessionError::SignedOut(reason) => Self::SignedOut(reason.to_string()),
            SessionError::Unavailable { .. } => Self::Unavailable,
            other => Self::Failed(other.to_string()),
        }
    }

    /// Takes a report to account. False: there is no going on.
    fn account(&self, run: &Run, name: &str) -> bool {
        match self {
            Self::Renewed => return true,
            Self::Unavailable => {
                run.account.add(What::Unavailable);
                return true;
            }
            Self::SignedOut(why) => {
                run.account.object(Zero::SignOuts, format!("{name} was signed out: {why}"), None);
            }
            Self::Failed(why) => run.account.object(Zero::Others, format!("{name} failed: {why}"), None),
        }
        false
    }
}

/// A session as all clients here have it.
pub(crate) fn describe(service: &str, clock: FastClock, seed: u64) -> SessionBuilder {
    Session::builder(service)
        .clock(Arc::new(clock))
        .entropy(Arc::new(SeededEntropy::new(seed)))
        .http(reqwest::Client::builder().no_proxy())
}

/// Renews, whether or not it is time.
pub(crate) async fn renew(session: &Session, clock: FastClock) -> Result<AccessToken, SessionError> {
    let token = session.access_token().await?;
    loop {
        clock.sleep(OLD_ENOUGH).await;
        let newer = session.refresh_if(&token).await?;
        if newer != token {
            return Ok(newer);
        }
    }
}

/// Renews, however often the service cannot be reached meanwhile.
pub(crate) async fn renew_patiently(
    session: &Session,
    clock: FastClock,
) -> Result<AccessToken, SessionError> {
    let tries = async {
        loop {
            match renew(session, clock).await {
                Err(SessionError::Unavailable { .. }) => clock.sleep(PAUSE).await,
                done => return done,
            }
        }
    };
    timeout(PATIENCE, tries).await.unwrap_or(Err(SessionError::Unavailable { retry_after: None }))
}

/// Signs somebody in at a session that shares its store with those which live by `clock`, however often that takes.
pub(crate) async fn sign_in_patiently(
    described: SessionBuilder,
    person: &str,
    clock: FastClock,
) -> Result<(), SessionError> {
    let clock = clock.at(SIGNING_IN);
    let session = described.clock(Arc::new(clock)).build().await?;
    let tries = async {
        loop {
            match session.sign_in(Credentials::password(person, PASSWORD)).await {
                Err(SessionError::Unavailable { .. }) => clock.sleep(PAUSE).await,
                done => return done,
            }
        }
    };
    timeout(PATIENCE, tries).await.unwrap_or(Err(SessionError::Unavailable { retry_after: None }))
}
