//! The way from the proxy to the service.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request never left.
    NotDelivered,
    /// It left; whether the service has acted is unknown.
    Unknown,
}

/// Connections to the service, used again while they live.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Delivers a request and waits for its whole answer.
    pub(crate) async fn send(&self, asked: &Asked) -> Result<Response<Bytes>, Lost> {
        let mut connection = self.connection().await.ok_or(Lost::NotDelivered)?;
        let request = self.request(asked).ok_or(Lost::NotDelivered)?;
        let answer = connection.send_request(request).await.map_err(|_broken| Lost::Unknown)?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|_broken| Lost::Unknown)?.to_bytes();
        if !connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Response::from_parts(head, body))
    }

    /// Delivers the first half of a request and closes the connection: the service has nothing to act on.
    pub(crate) async fn send_half(&self, asked: &Asked) {
        let half = asked.body.get(..asked.body.len() / 2).unwrap_or_default();
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            asked.method,
            asked.target,
            self.address,
            asked.body.len()
        );
        // Where nobody listens nothing can be cut.
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return };
        let _gone = stream.write_all(&[head.as_bytes(), half].concat()).await;
        let _closed = stream.shutdown().await;
    }

    fn request(&self, asked: &Asked) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(asked.body.clone()));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.target.parse().ok()?;
        *request.headers_mut() = asked.headers.clone();
        let host = HeaderValue::from_str(&self.address.to_string()).ok()?;
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().remove(header::CONNECTION);
        Some(request)
    }

    async fn connection(&self) -> Option<SendRequest<Full<Bytes>>> {
        while let Some(mut idle) = self.take_idle() {
            if idle.ready().await.is_ok() {
                return Some(idle);
            }
        }
        let stream = TcpStream::connect(self.address).await.ok()?;
        // Without it requests are only slower.
        let _slower = stream.set_nodelay(true);
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        // It ends with the service or with the sender.
        tokio::spawn(async move { _ = connection.await });
        sender.ready().await.ok()?;
        Some(sender)
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
