//! A session's access token for `reqwest-middleware`'s client.
//!
//! ```no_run
//! # async fn shown(session: daypass_client::Session) -> Result<(), Box<dyn std::error::Error>> {
//! let (http, middleware) = session.middleware(reqwest::Client::builder())?;
//! let api = reqwest_middleware::ClientBuilder::new(http).with(middleware).build();
//! let orders = api.get("https://api.example/orders").send().await?.text().await?;
//! # Ok(())
//! # }
//! ```

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next};

use crate::Session;
use crate::call::{CallError, Exchange, Failure, REDIRECTS, Transport, without_redirects};

/// Does for `reqwest-middleware`'s client what [`SessionClient`](crate::call::SessionClient) does: it sends the token
/// to allowed origins, makes a refused call again, and follows redirects.
///
/// It belongs to the client that came with it, which follows no redirect by itself. On another client a redirect
/// could carry the token to anybody: a call that was led off the allowed origins in that way fails.
/// Middleware that is attached before it sees one request for each call, middleware behind it sees each that is sent.
///
/// A call without an access token fails with [`Error::Middleware`], which holds a [`CallError`].
#[derive(Clone, Debug)]
pub struct SessionMiddleware {
    session: Session,
    redirects: usize,
}

impl Session {
    /// A middleware with this session's access token, and the client to attach it to. The builder's redirect policy
    /// is replaced.
    pub fn middleware(
        &self,
        http: reqwest::ClientBuilder,
    ) -> Result<(reqwest::Client, SessionMiddleware), reqwest::Error> {
        let middleware = SessionMiddleware { session: self.clone(), redirects: REDIRECTS };
        Ok((without_redirects(http)?, middleware))
    }
}

impl SessionMiddleware {
    /// Follows at most so many redirects in one call, 10 if nothing is said. With 0 a redirect is the answer.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }
}

#[async_trait]
impl Middleware for SessionMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response, Error> {
        let exchange = Exchange { session: &self.session, redirects: self.redirects };
        let mut chain = Chain { session: &self.session, extensions, next };
        exchange.call(&mut chain, request).await.map_err(|failure| match failure {
            Failure::Session(error) => Error::middleware(CallError::Session(error)),
            Failure::Redirects => Error::middleware(CallError::Redirects),
            Failure::Transport(error) => error,
        })
    }
}

/// The middleware behind this one, and the client behind that.
struct Chain<'a> {
    session: &'a Session,
    extensions: &'a mut Extensions,
    next: Next<'a>,
}

impl Transport for Chain<'_> {
    type Error = Error;

    async fn send(&mut self, request: Request) -> Result<Response, Error> {
        let to = request.url().clone();
        let response = self.next.clone().run(request, self.extensions).await?;
        if self.strayed(&to, response.url()) {
            tracing::error!("the client under the session's middleware follows redirects by itself");
            return Err(Error::middleware(CallError::ForeignRedirect));
        }
        Ok(response)
    }
}

impl Chain<'_> {
    /// Whether a request to an allowed origin was answered by another.
    fn strayed(&self, to: &Url, answered: &Url) -> bool {
        self.session.allows(to) && !self.session.allows(answered)
    }
}
