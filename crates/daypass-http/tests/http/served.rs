//! The server, over real TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use daypass_http::{HttpOptions, ServeOptions, serve};
use daypass_service::ServiceConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::harness::{Harness, ISSUER};

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn served(router: Router, options: ServeOptions) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _stopped_or_dropped = stopped.await;
    };
    let ended = tokio::spawn(serve(listener, router, options, shutdown));
    Served { address, stop, ended }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends something and reads until the other side closes.
    async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is as good as its end.
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn quick() -> ServeOptions {
    let mut options = ServeOptions::default();
    options.header_timeout = Duration::from_millis(200);
    options.grace = Duration::from_secs(5);
    options
}

#[tokio::test]
async fn the_peers_address_reaches_the_service_and_connections_are_kept() {
    let h = Harness::start().await;
    let served = served(h.router.clone(), ServeOptions::default()).await;
    let answer = served
        .exchange("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("HTTP/1.1 401 Unauthorized\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_that_does_not_come_or_is_too_large_ends_the_connection() {
    let h = Harness::start().await;
    let served = served(h.router.clone(), quick()).await;
    let began = tokio::time::Instant::now();
    assert_eq!(served.exchange("GET /healthz HTTP/1.1\r\nHost:").await, "");
    assert!(began.elapsed() < Duration::from_secs(5));
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(100_000));
    // What is not read before the end resets the connection, perhaps before the answer is read.
    let answer = served.exchange(&huge).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    let answer = served.exchange(&many).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_refused() {
    let mut options = HttpOptions::default();
    options.body_timeout = Duration::from_millis(200);
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    let served = served(h.router.clone(), ServeOptions::default()).await;
    let head =
        "POST /v1/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let announced = served.exchange(&format!("{head}Content-Length: 1000000\r\n\r\n")).await;
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked =
        served.exchange(&format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}1\r\nx\r\n")).await;
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    let slow = served.exchange(&format!("{head}Content-Length: 100\r\n\r\n{{\"refresh")).await;
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("invalid_request"), "{slow}");
}

#[tokio::test]
async fn an_end_finishes_what_was_accepted() {
    let (begun, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, ends) = (Arc::clone(&begun), Arc::clone(&may_end));
    let slow = Router::new().route(
        "/",
        get(async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
            begins.notify_one();
            ends.notified().await;
            format!("done for {}", peer.ip())
        }),
    );
    let Served { address, stop, ended } = served(slow, ServeOptions::default()).await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    begun.notified().await;
    stop.send(()).unwrap();
    assert_eq!(rest(&mut idle).await, "", "who has asked nothing is let go at once");
    may_end.notify_one();
    assert!(rest(&mut busy).await.ends_with("done for 127.0.0.1"));
    ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_end_does_not_wait_for_ever() {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let stuck = Router::new().route(
        "/",
        get(async move || {
            begins.notify_one();
            std::future::pending::<&'static str>().await
        }),
    );
    let mut options = ServeOptions::default();
    options.grace = Duration::from_millis(100);
    let Served { address, stop, ended } = served(stuck, options).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    begun.notified().await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn beyond_the_bound_connections_wait() {
    let h = Harness::start().await;
    let mut options = ServeOptions::default();
    options.connections = 1;
    let served = served(h.router.clone(), options).await;
    let first = served.connect().await;
    let mut second = served.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), second.readable()).await;
    assert!(early.is_err(), "the second has to wait");
    drop(first);
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200 OK"));
}
