//! `reqwest`'s client with a session's access token.

use std::fmt;

use http::Method;
use reqwest::{IntoUrl, Request, Response, redirect};

use super::SessionRequest;
use super::exchange::{Exchange, Failure, Transport};
use crate::{Session, SessionError};

/// How many redirects are followed if nothing else is said: as many as `reqwest` follows.
pub(crate) const REDIRECTS: usize = 10;

/// Makes calls as `reqwest`'s client does, with the session's access token. Clones share the connections.
///
/// - The token goes to the [allowed origins](crate::SessionBuilder::allow_origin) only; a call elsewhere is made
///   without one, and so is a call whose `Authorization` the caller has set.
/// - On 401 with a `Bearer` challenge of `error="invalid_token"` the token is renewed and the request sent again,
///   once. A body that is a stream cannot be: the 401 is returned, with [`NotReplayed`](super::NotReplayed) in its
///   extensions. It is returned as it is if the server refuses a token that was issued just now.
/// - Redirects are followed here, at most 10, and each is checked: the token comes along while the call stays with
///   allowed origins. Method and body follow RFC 9110 section 15.4. A redirect that cannot be followed, because it
///   names no place or because a streamed body would be needed again, is the answer. After a redirect the request
///   that was refused is repeated, not those before it.
///
/// A time-out of the client, or of the request, is for each request of a call.
///
/// ```no_run
/// # async fn shown() -> Result<(), Box<dyn std::error::Error>> {
/// let session = daypass_client::Session::builder("https://id.example")
///     .allow_origin("https://api.example")
///     .build()
///     .await?;
/// let api = session.wrap(reqwest::Client::builder())?;
/// let orders = api.get("https://api.example/orders").send().await?.text().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SessionClient {
    session: Session,
    http: reqwest::Client,
    redirects: usize,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no access token for it. The call was not made, or it was refused.
    #[error("there is no access token for the call")]
    Session(#[from] SessionError),
    /// The API could not be reached, or did not answer in time.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// The API led the call on more often than is [followed](SessionClient::redirects).
    #[error("the call was redirected too often")]
    Redirects,
    /// Something below the session followed a redirect off the allowed origins, and may have carried the token along.
    #[error("the call left the allowed origins by a redirect that the session did not follow")]
    ForeignRedirect,
}

impl CallError {
    /// Whether somebody has to sign in before the call can be made.
    pub const fn is_signed_out(&self) -> bool {
        matches!(self, Self::Session(error) if error.is_signed_out())
    }
}

impl Session {
    /// A client that makes calls with this session's access token.
    ///
    /// It takes a builder and not a client, because a client that follows redirects by itself could carry the token
    /// to anybody, and a client does not tell whether it does. The builder's own redirect policy is replaced;
    /// [`SessionClient::redirects`] sets how many are followed. Its default headers go with every request, also to
    /// where a redirect leads: they are no place for secrets.
    pub fn wrap(&self, http: reqwest::ClientBuilder) -> Result<SessionClient, reqwest::Error> {
        let http = without_redirects(http)?;
        Ok(SessionClient { session: self.clone(), http, redirects: REDIRECTS })
    }
}

/// The only kind of client that a token may be given to.
pub(crate) fn without_redirects(http: reqwest::ClientBuilder) -> Result<reqwest::Client, reqwest::Error> {
    http.redirect(redirect::Policy::none()).build()
}

impl SessionClient {
    /// Follows at most so many redirects in one call. With 0 a redirect is the answer.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// Starts a GET request.
    pub fn get(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::GET, url)
    }

    /// Starts a POST request.
    pub fn post(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::POST, url)
    }

    /// Starts a PUT request.
    pub fn put(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::PUT, url)
    }

    /// Starts a PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::PATCH, url)
    }

    /// Starts a DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::DELETE, url)
    }

    /// Starts a HEAD request.
    pub fn head(&self, url: impl IntoUrl) -> SessionRequest {
        self.request(Method::HEAD, url)
    }

    /// Starts a request.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> SessionRequest {
        SessionRequest::new(self.clone(), self.http.request(method, url))
    }

    /// Makes a call with a request that was built before.
    ///
    /// Whoever stops waiting for it stops the call, and never a renewal that it waits for.
    pub async fn execute(&self, request: Request) -> Result<Response, CallError> {
        let exchange = Exchange { session: &self.session, redirects: self.redirects };
        exchange.call(&mut &self.http, request).await.map_err(CallError::from)
    }

    /// The session whose token is sent.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl fmt::Debug for SessionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionClient").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Transport for &reqwest::Client {
    type Error = reqwest::Error;

    async fn send(&mut self, request: Request) -> Result<Response, reqwest::Error> {
        self.execute(request).await
    }
}

impl From<Failure<reqwest::Error>> for CallError {
    fn from(failure: Failure<reqwest::Error>) -> Self {
        match failure {
            Failure::Session(error) => Self::Session(error),
            Failure::Transport(error) => Self::Http(error),
            Failure::Redirects => Self::Redirects,
        }
    }
}
