//! A request on its way to an operation.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use daypass_service::core::ClientId;
use daypass_service::storage::Source;
use daypass_service::{LiveCaller, Service};
use http::HeaderMap;
use http::request::Parts;

use crate::address;
use crate::bearer;
use crate::body;
use crate::csrf;
use crate::fault::Fault;
use crate::options::HttpOptions;
use crate::problem::Problem;

/// What every operation works with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) service: Service,
    pub(crate) options: HttpOptions,
    /// The issuer's origin, which is the service's own.
    pub(crate) origin: Option<String>,
}

/// A request. It has no `Debug`: its headers hold tokens.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) parts: Parts,
    /// Never locked: the mutex only makes a call something that tasks may share while it waits.
    body: Mutex<Body>,
}

impl Call {
    pub(crate) fn new(app: Arc<App>, parts: Parts, body: Body) -> Self {
        Self { app, parts, body: Mutex::new(body) }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.app.service
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.app.options
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The body, once.
    pub(crate) async fn body(&mut self) -> Result<Bytes, Fault> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        body::collect(std::mem::take(body), &self.app.options).await
    }

    /// Who is calling; their session lives.
    pub(crate) async fn live_caller(&self) -> Result<LiveCaller, Problem> {
        bearer::live(self.service(), self.headers()).await
    }

    /// The client's address, if it is known.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        address::of_client(&self.parts, &self.app.options.trusted_proxies)
    }

    /// Who causes a change, for the audit.
    pub(crate) fn source(&self, client: Option<&ClientId>) -> Source {
        Source {
            client: client.cloned(),
            address: self.address().map(|address| address.to_string()),
            detail: None,
        }
    }

    /// Whether a request by cookie was not forged.
    pub(crate) fn is_genuine(&self) -> bool {
        csrf::is_genuine(self.headers(), self.app.origin.as_deref(), &self.app.options.allowed_origins)
    }

    /// Whether a browser says that a page of somebody else's made the request.
    pub(crate) fn is_foreign(&self) -> bool {
        csrf::is_foreign(self.headers(), self.app.origin.as_deref(), &self.app.options.allowed_origins)
    }

    /// The last segment of the path, for resources that are named by it.
    pub(crate) fn last_segment(&self) -> &str {
        self.parts.uri.path().rsplit('/').next().unwrap_or_default()
    }
}
