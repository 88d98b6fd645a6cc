//! A call while it is being described.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Request, RequestBuilder, Response};
use serde::Serialize;

use super::{CallError, SessionClient};

/// Describes a call, as `reqwest`'s `RequestBuilder` does. What is wrong with the description is told by
/// [`send`](Self::send).
#[must_use = "the call is made when it is sent"]
pub struct SessionRequest {
    client: SessionClient,
    request: RequestBuilder,
}

impl SessionRequest {
    pub(super) fn new(client: SessionClient, request: RequestBuilder) -> Self {
        Self { client, request }
    }

    /// Adds a header line. An `Authorization` is left alone: the call is then made without the session.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.with(|request| request.header(name, value))
    }

    /// Sets header lines, instead of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.with(|request| request.headers(headers))
    }

    /// Sets the body. Bytes and text can be sent again if the token is refused, a stream cannot.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.with(|request| request.body(body))
    }

    /// Sets a body in JSON.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.json(body))
    }

    /// How long each request of the call may take, until the end of the answer's body.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.timeout(timeout))
    }

    /// Describes the call by anything else that `reqwest` knows, such as multipart forms.
    ///
    /// ```no_run
    /// # async fn shown(api: daypass_client::call::SessionClient) -> Result<(), daypass_client::call::CallError> {
    /// let call = api.get("https://api.example/").with(|request| request.version(http::Version::HTTP_11));
    /// let answer = call.send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = change(self.request);
        self
    }

    /// The request as it would be sent, without the access token. [`SessionClient::execute`] sends it.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.request.build()
    }

    /// Makes the call.
    pub async fn send(self) -> Result<Response, CallError> {
        let request = self.request.build()?;
        self.client.execute(request).await
    }
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRequest").field("client", &self.client).finish_non_exhaustive()
    }
}
