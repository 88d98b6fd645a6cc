//! Calls.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Body, IntoUrl, Request, RequestBuilder};
use serde::Serialize;

use super::Response;
use super::worker::Worker;
use crate::call::{self, CallError};

/// Makes calls with the session's access token, and waits for the answers. What goes where and what is made again is
/// said of [the other](crate::call::SessionClient).
#[derive(Clone, Debug)]
pub struct SessionClient {
    client: call::SessionClient,
    worker: Worker,
}

impl SessionClient {
    pub(super) fn new(client: call::SessionClient, worker: Worker) -> Self {
        Self { client, worker }
    }

    /// Follows at most so many redirects in one call. With 0 a redirect is the answer.
    #[must_use]
    pub fn redirects(mut self, most: usize) -> Self {
        self.client = self.client.redirects(most);
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
        SessionRequest { request: self.client.request(method, url), worker: self.worker.clone() }
    }

    /// Makes a call with a request that was built before.
    pub fn execute(&self, request: Request) -> Result<Response, CallError> {
        let client = self.client.clone();
        let response = self.worker.wait(async move { client.execute(request).await })?;
        Ok(Response::new(response, self.worker.clone()))
    }
}

/// Describes a call. What is wrong with the description is told by [`send`](Self::send).
#[derive(Debug)]
#[must_use = "the call is made when it is sent"]
pub struct SessionRequest {
    request: call::SessionRequest,
    worker: Worker,
}

impl SessionRequest {
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

    /// Describes the call by anything else that `reqwest` knows.
    pub fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = self.request.with(change);
        self
    }

    /// The request as it would be sent, without the access token. [`SessionClient::execute`] sends it.
    pub fn build(self) -> Result<Request, reqwest::Error> {
        self.request.build()
    }

    /// Makes the call, and waits for the head of its answer.
    pub fn send(self) -> Result<Response, CallError> {
        let response = self.worker.wait(self.request.send())?;
        Ok(Response::new(response, self.worker))
    }
}
