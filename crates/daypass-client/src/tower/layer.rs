//! The layer.

use reqwest::Url;
use tower_layer::Layer;

use super::{CloneBody, OneUse, SessionService};
use crate::{Session, SessionError};

/// Wraps services into [`SessionService`]s.
///
/// A layer that follows redirects has its place outside of this one: then each request that it makes is checked.
/// Below it, a redirect could carry the token to anybody.
#[derive(Clone, Debug)]
pub struct SessionLayer<R = CloneBody> {
    session: Session,
    replay: R,
    destination: Option<Url>,
}

impl SessionLayer {
    /// For requests whose body is cloned to be sent again.
    pub fn new(session: Session) -> Self {
        Self::replaying(session, CloneBody)
    }
}

impl SessionLayer<OneUse> {
    /// For bodies that cannot be sent again: a refused call returns its 401, with
    /// [`NotReplayed`](crate::call::NotReplayed) in the extensions, after the token was renewed.
    pub fn one_use(session: Session) -> Self {
        Self::replaying(session, OneUse)
    }
}

impl<R> SessionLayer<R> {
    /// For bodies that are sent again by what `replay` makes of them, such as a
    /// `|body: &MyBody| -> Option<MyBody>`.
    pub fn replaying(session: Session, replay: R) -> Self {
        Self { session, replay, destination: None }
    }

    /// Tells where requests go whose URI names no host: for a service that is one connection. Without it they are
    /// sent without a token.
    ///
    /// [`SessionError::Config`] if it is not one of the session's allowed origins.
    pub fn destination(mut self, origin: &str) -> Result<Self, SessionError> {
        let url = Url::parse(origin).map_err(|_| SessionError::config("the destination is not a URL"))?;
        if !self.session.allows(&url) {
            return Err(SessionError::config("the destination is not an allowed origin"));
        }
        self.destination = Some(url);
        Ok(self)
    }
}

impl<S, R: Clone> Layer<S> for SessionLayer<R> {
    type Service = SessionService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            session: self.session.clone(),
            replay: self.replay.clone(),
            destination: self.destination.clone(),
        }
    }
}
