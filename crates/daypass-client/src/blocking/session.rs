//! The session.

use std::fmt;

use reqwest::Url;

use super::SessionClient;
use super::worker::Worker;
use crate::{AccessToken, Credentials, Event, Pair, SessionBuilder, SessionError, SessionState};

/// A [session](crate::Session) whose methods wait. Clones are the same session.
#[derive(Clone)]
pub struct Session {
    session: crate::Session,
    worker: Worker,
}

impl Session {
    /// Opens the session that is described. [`SessionError::Config`] also if no thread can be started.
    pub fn open(described: SessionBuilder) -> Result<Self, SessionError> {
        let worker = Worker::start().map_err(|error| {
            SessionError::config(format!("no thread can be started for the session: {error}"))
        })?;
        let session = worker.wait(described.build())?;
        Ok(Self { session, worker })
    }

    /// See [`Session::access_token`](crate::Session::access_token).
    pub fn access_token(&self) -> Result<AccessToken, SessionError> {
        let session = self.session.clone();
        self.worker.wait(async move { session.access_token().await })
    }

    /// See [`Session::refresh_if`](crate::Session::refresh_if).
    pub fn refresh_if(&self, rejected: &AccessToken) -> Result<AccessToken, SessionError> {
        let (session, rejected) = (self.session.clone(), rejected.clone());
        self.worker.wait(async move { session.refresh_if(&rejected).await })
    }

    /// See [`Session::sign_in`](crate::Session::sign_in).
    pub fn sign_in(&self, credentials: Credentials) -> Result<(), SessionError> {
        let session = self.session.clone();
        self.worker.wait(async move { session.sign_in(credentials).await })
    }

    /// See [`Session::adopt`](crate::Session::adopt).
    pub fn adopt(&self, pair: Pair) -> Result<(), SessionError> {
        let session = self.session.clone();
        self.worker.wait(async move { session.adopt(pair).await })
    }

    /// See [`Session::sign_out`](crate::Session::sign_out).
    pub fn sign_out(&self) -> Result<(), SessionError> {
        let session = self.session.clone();
        self.worker.wait(async move { session.sign_out().await })
    }

    /// See [`Session::wake`](crate::Session::wake).
    pub fn wake(&self) {
        self.session.wake();
    }

    /// See [`Session::events`](crate::Session::events).
    pub fn events(&self) -> Events {
        Events { events: Some(self.session.events()), worker: self.worker.clone() }
    }

    /// See [`Session::state`](crate::Session::state).
    pub fn state(&self) -> SessionState {
        self.session.state()
    }

    /// See [`Session::session_id`](crate::Session::session_id).
    pub fn session_id(&self) -> Option<String> {
        self.session.session_id()
    }

    /// See [`Session::allows`](crate::Session::allows).
    pub fn allows(&self, url: &Url) -> bool {
        self.session.allows(url)
    }

    /// A client that makes calls with this session's access token. See [`Session::wrap`](crate::Session::wrap).
    pub fn wrap(&self, http: reqwest::ClientBuilder) -> Result<SessionClient, reqwest::Error> {
        let session = self.session.clone();
        let client = self.worker.wait(async move { session.wrap(http) })?;
        Ok(SessionClient::new(client, self.worker.clone()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Session").field(&self.session).finish()
    }
}

/// Listens to a session: an iterator that waits for the next event, and ends when the last clone of the session is
/// gone.
#[derive(Debug)]
pub struct Events {
    events: Option<crate::Events>,
    worker: Worker,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut events = self.events.take()?;
        let (events, event) = self.worker.wait(async move {
            let event = events.next().await;
            (events, event)
        });
        self.events = event.is_some().then_some(events);
        event
    }
}
