//! An HTTP server whose requests and answers meet with faults.

mod connection;
mod half;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::Faults;
use connection::Site;

/// An HTTP/1.1 server on a free port of the loopback interface, whose requests and answers meet with [`Faults`].
///
/// ```
/// # async fn shown() {
/// use axum::routing::get;
/// use daypass_testkit::{Canned, FaultyServer};
///
/// let server = FaultyServer::start(axum::Router::new().route("/orders", get(async || "none"))).await;
/// server.faults().next("/orders", Canned::status(503).header("retry-after", "7"));
/// // … a client asks `server.url()` …
/// server.stop().await;
/// # }
/// ```
pub struct FaultyServer {
    url: String,
    port: Port,
    site: Arc<Site>,
    running: Mutex<Option<Running>>,
}

struct Running {
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl FaultyServer {
    /// Serves a router.
    pub async fn start(router: Router) -> Self {
        Self::start_at(async |_| router).await
    }

    /// Serves the router that `make` gives, who is told the URL: for services that have to know their own name.
    pub async fn start_at(make: impl AsyncFnOnce(String) -> Router) -> Self {
        let port = Port::take();
        let listener = port.listen();
        let url = format!("http://{}", port.address);
        let router = make(url.clone()).await;
        let server = Self {
            url,
            port,
            site: Arc::new(Site::new(router, Faults::default())),
            running: Mutex::new(None),
        };
        server.run(listener);
        server
    }

    /// Where it listens: `http://127.0.0.1:40123`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// What happens to requests.
    pub fn faults(&self) -> &Faults {
        &self.site.faults
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.site.connections()
    }

    /// Closes every connection at once, in the middle of whatever they were doing, and refuses new ones. Requests
    /// that were held are gone. Does nothing to a server that is stopped.
    pub async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(Running { leave, task }) = running {
            leave.send(()).expect("it runs until it is told");
            task.await.unwrap();
        }
        self.site.end_held().await;
    }

    /// Serves again at the same address. Does nothing to a server that runs.
    #[expect(
        clippy::unused_async,
        reason = "as stopping is; whoever calls it need not know that it does not wait"
    )]
    pub async fn restart(&self) {
        if self.running.lock().unwrap().is_none() {
            self.run(self.port.listen());
        }
    }

    /// Serves another router from the next request on.
    pub fn replace(&self, router: Router) {
        self.site.replace(router);
    }

    fn run(&self, listener: TcpListener) {
        let (leave, left) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(&self.site), left));
        *self.running.lock().unwrap() = Some(Running { leave, task });
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut().unwrap().take() {
            running.task.abort();
        }
    }
}

impl fmt::Debug for FaultyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyServer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Should this future be dropped, so is the set, and the connections with it.
async fn accept(listener: TcpListener, site: Arc<Site>, mut left: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _told = &mut left => break,
            accepted = listener.accept() => {
                // A connection that broke before it was accepted is the client's loss.
                if let Ok((stream, peer)) = accepted {
                    connections.spawn(connection::serve(stream, peer, Arc::clone(&site)));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// A port that stays this server's while it does not listen.
struct Port {
    address: SocketAddr,
    /// Bound and never listening, so that the system gives the port to nobody else. Only Linux lets another socket
    /// of this process listen beside it.
    _reserved: Option<TcpSocket>,
}

impl Port {
    fn take() -> Self {
        let socket = bind("127.0.0.1:0".parse().unwrap());
        let address = socket.local_addr().unwrap();
        Self { address, _reserved: cfg!(target_os = "linux").then_some(socket) }
    }

    fn listen(&self) -> TcpListener {
        bind(self.address).listen(1024).unwrap()
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
