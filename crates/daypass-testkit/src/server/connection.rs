//! One connection: each request is noted, meets with its fault, and is answered or not.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::half::Half;
use crate::faults::Recorded;
use crate::{Canned, Fault, Faults};

/// The longest body that is read, in bytes.
const MOST_BODY: usize = 16 << 20;

/// What the connections of one server share.
pub(crate) struct Site {
    pub(crate) faults: Faults,
    router: Mutex<Router>,
    /// Requests that go on without their connection.
    held: Mutex<JoinSet<()>>,
    connections: AtomicUsize,
}

impl Site {
    pub(crate) fn new(router: Router, faults: Faults) -> Self {
        Self { faults, router: Mutex::new(router), held: Mutex::default(), connections: AtomicUsize::new(0) }
    }

    pub(crate) fn replace(&self, router: Router) {
        *self.router.lock().unwrap() = router;
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Ends the requests that go on without their connection.
    pub(crate) async fn end_held(&self) {
        let mut held = std::mem::take(&mut *self.held.lock().unwrap());
        held.shutdown().await;
    }

    async fn route(&self, path: &str, request: Request<Body>) -> Response<Body> {
        let _busy = self.faults.begin();
        let router = self.router.lock().unwrap().clone();
        let answer = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
        self.faults.serve(path);
        answer
    }
}

/// Counts a connection while it is open.
struct Open(Arc<Site>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, site: Arc<Site>) {
    site.connections.fetch_add(1, Ordering::SeqCst);
    let open = Open(site);
    // Without it answers are only slower.
    let _slower = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, peer, Arc::clone(&open.0)));
    // An error of the service closes the connection without an answer, as it is meant to; one of the connection is
    // the client's.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What closes a connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    site: Arc<Site>,
) -> Result<Response<Body>, Closed> {
    let path = request.uri().path().to_owned();
    let (request, recorded) = read(request, peer).await.map_err(|_broken| Closed)?;
    match site.faults.arrive(recorded) {
        None => Ok(site.route(&path, request).await),
        Some(Fault::LoseRequest) => Err(Closed),
        Some(Fault::Hang) => pending().await,
        Some(Fault::Answer(canned)) => Ok(render(canned)),
        Some(Fault::LoseResponse) => {
            detached(&site, path, request).await?;
            Err(Closed)
        }
        Some(Fault::Truncate) => {
            let (head, body) = detached(&site, path, request).await?.into_parts();
            let body = body.collect().await.map_err(|_broken| Closed)?.to_bytes();
            if body.is_empty() {
                Err(Closed)
            } else {
                Ok(Response::from_parts(head, Body::new(Half::of(body))))
            }
        }
        Some(Fault::HoldRequest(gate)) => {
            let (inner, path) = (Arc::clone(&site), path);
            on_its_own(&site, async move {
                gate.pass().await;
                inner.route(&path, request).await
            })
            .await
        }
        Some(Fault::HoldResponse(gate)) => {
            let inner = Arc::clone(&site);
            on_its_own(&site, async move {
                let answer = inner.route(&path, request).await;
                gate.pass().await;
                answer
            })
            .await
        }
    }
}

/// Runs the router to its end, whatever becomes of the connection.
async fn detached(site: &Arc<Site>, path: String, request: Request<Body>) -> Result<Response<Body>, Closed> {
    let inner = Arc::clone(site);
    on_its_own(site, async move { inner.route(&path, request).await }).await
}

/// Runs `work` to its end, whatever becomes of the connection.
async fn on_its_own(
    site: &Arc<Site>,
    work: impl Future<Output = Response<Body>> + Send + 'static,
) -> Result<Response<Body>, Closed> {
    let (done, result) = tokio::sync::oneshot::channel();
    {
        let mut held = site.held.lock().unwrap();
        while held.try_join_next().is_some() {}
        held.spawn(async move {
            // Nobody may be waiting any more.
            let _gone = done.send(work.await);
        });
    }
    result.await.map_err(|_stopped| Closed)
}

/// Reads a request whole, for the router and for the record.
async fn read(
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<(Request<Body>, Recorded), Box<dyn std::error::Error + Send + Sync>> {
    let (mut head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, MOST_BODY).collect().await?.to_bytes();
    let recorded = Recorded {
        method: head.method.clone(),
        target: head.uri.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers.clone(),
        body: body.clone(),
    };
    head.extensions.insert(ConnectInfo(peer));
    Ok((Request::from_parts(head, Body::new(Full::new(body))), recorded))
}

fn render(canned: Canned) -> Response<Body> {
    let mut response = Response::new(Body::from(canned.body));
    *response.status_mut() = canned.status;
    *response.headers_mut() = canned.headers;
    response
}
