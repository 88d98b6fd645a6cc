//! A session as its host sees it.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use tokio::sync::watch;

use crate::builder::SessionBuilder;
use crate::engine::Engine;
use crate::wire::Pair;
use crate::{AccessToken, Credentials, Events, SessionError, SessionState};

/// Keeps a program signed in with one token service. Clones are the same session.
///
/// Nothing runs while nobody calls, unless it was built with [`eager`](crate::RefreshPolicy::eager). What is begun
/// is finished, though: a renewal runs on a task of its own, so that a caller who stops waiting stops nothing. All
/// that is asynchronous here needs tokio's runtime.
///
/// ```no_run
/// # async fn shown() -> Result<(), daypass_client::SessionError> {
/// use daypass_client::{Credentials, Session};
///
/// let session = Session::builder("https://id.example").allow_origin("https://api.example").build().await?;
/// session.sign_in(Credentials::password("ada", "correct horse battery staple")).await?;
/// let token = session.access_token().await?;
/// # let _ = token;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    pub(crate) engine: Arc<Engine>,
}

impl Session {
    /// Starts to describe a session with the token service at this URL, its issuer.
    pub fn builder(service: &str) -> SessionBuilder {
        SessionBuilder::new(service)
    }

    /// An access token that serves, renewed if it is needed. Everybody who asks meanwhile waits for one renewal.
    pub async fn access_token(&self) -> Result<AccessToken, SessionError> {
        self.engine.access_token(None).await
    }

    /// An access token other than `rejected`, which a server has refused with `invalid_token`.
    ///
    /// It renews only if `rejected` is still the current token. If that one was issued just now, the server is
    /// wrong about it and another would be refused as well: then **the same token comes back**, and the call must
    /// not be replayed.
    pub async fn refresh_if(&self, rejected: &AccessToken) -> Result<AccessToken, SessionError> {
        self.engine.access_token(Some(rejected)).await
    }

    /// Signs in with a name and a password, and replaces whoever was signed in: that session is ended at the
    /// service in the background, once the new one is in the store.
    ///
    /// It is sent once and not retried. Whoever stops waiting for it may be signed in all the same.
    pub async fn sign_in(&self, credentials: Credentials) -> Result<(), SessionError> {
        self.engine.sign_in(credentials).await
    }

    /// Takes over tokens that somebody else obtained, such as a back end through the admin API, and replaces
    /// whoever was signed in. The tokens' time counts from now on: hand them over at once.
    pub async fn adopt(&self, pair: Pair) -> Result<(), SessionError> {
        self.engine.adopt(pair).await
    }

    /// Signs out: here at once, in the store, and at the service.
    ///
    /// After an error nobody is signed in here either. [`SessionError::Unavailable`]: the service could not be
    /// told; the session there is held by nobody and ends when its time is over. [`SessionError::Store`]: the store
    /// still has the session's tokens; this session does not use them any more.
    pub async fn sign_out(&self) -> Result<(), SessionError> {
        self.engine.sign_out().await
    }

    /// The host has noticed that it is online again, or awake: a renewal that waits to be tried again is tried now.
    /// A time that the service named (`Retry-After`) is kept.
    pub fn wake(&self) {
        self.engine.wake();
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> Events {
        self.engine.events()
    }

    /// What the session is worth at the moment.
    pub fn state(&self) -> SessionState {
        self.engine.state()
    }

    /// Follows the state. Time alone makes no change: a token that expires while nobody calls is noticed by
    /// [`state`](Self::state) and by the next call.
    pub fn watch(&self) -> watch::Receiver<SessionState> {
        self.engine.watch()
    }

    /// The id of the session as the service lists it; none if nobody is signed in.
    pub fn session_id(&self) -> Option<String> {
        self.engine.session_id()
    }

    /// Whether the access token may be sent to this URL: whether its origin was
    /// [allowed](SessionBuilder::allow_origin).
    pub fn allows(&self, url: &Url) -> bool {
        self.engine.allows(url)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("service", &self.engine.service())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
