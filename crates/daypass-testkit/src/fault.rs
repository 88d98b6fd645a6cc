//! What can befall a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::Gate;

/// What befalls one request. *The router* is the server's own; a closed connection is closed without a byte of an
/// answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is closed; the router never sees the request.
    LoseRequest,
    /// The router runs to its end, commit included; then the connection is closed.
    LoseResponse,
    /// The request waits at the gate before it comes to the router. It goes on when the gate opens, even if its
    /// sender has given up: as a network does that delivers late.
    HoldRequest(Gate),
    /// The router runs to its end, then its answer waits at the gate.
    HoldResponse(Gate),
    /// This is answered; the router never sees the request.
    Answer(Canned),
    /// Nothing is answered until the client closes the connection; the router never sees the request.
    Hang,
    /// The router's answer breaks off in the middle of its body, and the connection is closed. An answer without a
    /// body is lost.
    Truncate,
}

/// An answer that no router gave.
#[derive(Clone, Debug)]
pub struct Canned {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Canned {
    /// An answer with this status, and nothing in it yet.
    pub fn status(status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status).header("content-type", "application/json").body(body.to_string())
    }

    /// A page, as a captive portal or a proxy would answer.
    pub fn html(status: u16, body: impl Into<Bytes>) -> Self {
        Self::status(status).header("content-type", "text/html; charset=utf-8").body(body)
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl From<Canned> for Fault {
    fn from(canned: Canned) -> Self {
        Self::Answer(canned)
    }
}
