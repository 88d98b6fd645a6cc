//! The way from the proxy to the service.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long each step of an exchange may take before that is held against the service.
const STEP: Duration = Duration::from_secs(90);

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
    /// Nothing moved for [`STEP`] in this step, and it was given up: whether the service has acted is unknown.
    Silent(Step, Option<SocketAddr>),
}

/// A step of an exchange with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Until there is a connection.
    Connect,
    /// Until an idle connection can be used again.
    Ready,
    /// Until the head of the answer is there.
    Head,
    /// Until its body is.
    Body,
}

/// Connections to the service, used again while they live.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<Connection>>,
}

/// A connection to the service.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// This end of it.
    local: Option<SocketAddr>,
    /// Closed when the connection is.
    open: watch::Receiver<()>,
}

impl Connection {
    /// The head of the answer; none if the connection ends before.
    async fn answer(&mut self, request: Request<Full<Bytes>>) -> Option<Response<Incoming>> {
        tokio::select! {
            biased;
            answer = self.sender.send_request(request) => answer.ok(),
            // Hyper may leave a request that is sent at this moment in a channel that nobody reads any more, and never
            // say so: https://github.com/hyperium/hyper/issues/4122.
            _ = self.open.changed() => None,
        }
    }
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Delivers a request and waits for its whole answer.
    pub(crate) async fn send(&self, asked: &Asked) -> Result<Response<Bytes>, Lost> {
        let mut connection = self.connection().await?;
        let local = connection.local;
        let request = self.request(asked).ok_or(Lost::NotDelivered)?;
        let answer = within(Step::Head, local, connection.answer(request)).await?;
        let (head, body) = answer.ok_or(Lost::Unknown)?.into_parts();
        let body = within(Step::Body, local, body.collect()).await?;
        let body = body.map_err(|_broken| Lost::Unknown)?.to_bytes();
        if !connection.sender.is_closed() {
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

    async fn connection(&self) -> Result<Connection, Lost> {
        while let Some(mut idle) = self.take_idle() {
            if within(Step::Ready, idle.local, idle.sender.ready()).await?.is_ok() {
                return Ok(idle);
            }
        }
        let stream = within(Step::Connect, None, TcpStream::connect(self.address)).await?;
        let stream = stream.map_err(|_refused| Lost::NotDelivered)?;
        // Without it requests are only slower.
        let _slower = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_broken| Lost::NotDelivered)?;
        let (lives, open) = watch::channel(());
        // It ends with the service or with the sender.
        tokio::spawn(async move {
            let _broken = connection.await;
            drop(lives);
        });
        within(Step::Ready, local, sender.ready()).await?.map_err(|_broken| Lost::NotDelivered)?;
        Ok(Connection { sender, local, open })
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// What a step comes to, if it comes to anything in time.
async fn within<T>(step: Step, local: Option<SocketAddr>, does: impl Future<Output = T>) -> Result<T, Lost> {
    timeout(STEP, does).await.map_err(|_late| Lost::Silent(step, local))
}
