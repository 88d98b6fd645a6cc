//! What each fate does to what passes.

use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::token::tests::token;

const WATCHDOG: Duration = Duration::from_secs(30);

const ANSWER: &str = r#"{"error":"invalid_grant","reason":"superseded"}"#;

/// A service that gives every whole request the same answer, and remembers what came of each connection.
struct Service {
    address: SocketAddr,
    /// What came of each connection until it was answered or closed.
    came: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, came) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&came);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&seen)));
            }
        });
        Self { address, came }
    }

    /// Waits until so many requests have come, whole or not.
    async fn came(&self, count: usize) -> Vec<String> {
        let enough = async {
            loop {
                let came = self.came.lock().unwrap().clone();
                if came.len() >= count {
                    return came;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(WATCHDOG, enough).await.unwrap()
    }
}

async fn serve(mut stream: TcpStream, came: Arc<Mutex<Vec<String>>>) {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        let whole = text.ends_with('}');
        if length == 0 || whole {
            if !text.is_empty() {
                came.lock().unwrap().push(std::mem::take(&mut text));
            }
            if !whole {
                return;
            }
            let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length";
            let answer = format!("{head}: {}\r\n\r\n{ANSWER}", ANSWER.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

fn body() -> String {
    format!(r#"{{"refresh_token":"{}"}}"#, token(1, 0, 1))
}

async fn proxy(service: &Service) -> (Arc<Run>, Arc<Proxy>) {
    let run = Run::new(1, 1, None);
    let proxy = Proxy::start(&run, service.address).await.unwrap();
    (run, proxy)
}

/// A renewal that meets with this fate: the answer's whole body, or nothing.
async fn meets(proxy: &Arc<Proxy>, fate: Fate) -> Option<String> {
    let asked = Asked {
        method: http::Method::POST,
        target: "/v1/refresh".to_owned(),
        headers: http::HeaderMap::new(),
        body: body().into(),
    };
    let renewal = read::presented(&asked, Party::Owner).map(|renewal| proxy.arrived(renewal));
    let passing = Passing { proxy: Arc::clone(proxy), asked: Arc::new(asked), renewal };
    let answer = timeout(WATCHDOG, passing.meet(fate, &AtomicBool::new(false))).await.unwrap().ok()?;
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn what_passes_is_answered_and_what_is_late_too() {
    let service = Service::start().await;
    let (_, proxy) = proxy(&service).await;
    let late = Duration::from_millis(5);
    for fate in [Fate::Pass, Fate::DelayRequest(late), Fate::DelayAnswer(late)] {
        assert_eq!(meets(&proxy, fate).await.as_deref(), Some(ANSWER), "{fate:?}");
    }
    assert_eq!(service.came(3).await.len(), 3);
}

#[tokio::test]
async fn lost_requests_never_come_and_lost_answers_were_given() {
    let service = Service::start().await;
    let (_, proxy) = proxy(&service).await;
    assert_eq!(meets(&proxy, Fate::LoseRequest { noticed: true }).await, None);
    assert_eq!(meets(&proxy, Fate::Reset { delivered: false }).await, None);
    assert_eq!(meets(&proxy, Fate::LoseAnswer { noticed: true }).await, None);
    assert_eq!(service.came(1).await.len(), 1);
    assert_eq!(meets(&proxy, Fate::Reset { delivered: true }).await, None);
    assert_eq!(service.came(2).await.len(), 2);
}

#[tokio::test]
async fn of_what_is_cut_half_arrives() {
    let service = Service::start().await;
    let (_, proxy) = proxy(&service).await;
    assert_eq!(meets(&proxy, Fate::CutRequest).await, None);
    let came = service.came(1).await.remove(0);
    let half = body().split_at(body().len() / 2).0.to_owned();
    assert!(came.ends_with(&format!("\r\n\r\n{half}")), "{came}");
    assert_eq!(meets(&proxy, Fate::CutAnswer).await, None);
    assert_eq!(service.came(2).await.len(), 2);
}

#[tokio::test]
async fn what_is_sent_twice_comes_twice_and_the_proxy_is_quiet_then() {
    let service = Service::start().await;
    let (run, proxy) = proxy(&service).await;
    let twice = Fate::Twice { ahead: 3, at_most: Duration::from_millis(10) };
    assert_eq!(meets(&proxy, twice).await.as_deref(), Some(ANSWER));
    timeout(WATCHDOG, proxy.quiet()).await.unwrap();
    let came = service.came(2).await;
    assert_eq!(came.len(), 2);
    assert_eq!(came[0], came[1]);
    assert_eq!((run.account.count(What::LateCopies), run.account.count(What::Superseded)), (1, 2));
}

#[tokio::test]
async fn a_thief_who_logs_out_is_told_that_it_is_done_and_the_service_is_not() {
    let service = Service::start().await;
    let (_, proxy) = proxy(&service).await;
    let told = async |party: &str| {
        let mut stream = TcpStream::connect(proxy.url().trim_start_matches("http://")).await.unwrap();
        let head = format!("POST /v1/logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{party}");
        let request = format!("{head}Content-Length: {}\r\n\r\n{}", body().len(), body());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(WATCHDOG, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    };
    assert!(told("Chaos-Party: thief\r\n").await.starts_with("HTTP/1.1 204"));
    assert!(service.came.lock().unwrap().is_empty());
    assert!(told("").await.starts_with("HTTP/1.1 400"), "the owner's comes to the service");
    assert_eq!(service.came(1).await.len(), 1);
}

/// The session goes on so far that a request of generation 0 is too late.
fn go_on(run: &Run) {
    for generation in 0..6 {
        let ids = format!("{generation}:a");
        let mut request = Presented::read(&token(1, generation, 1), Some(&ids), Party::Owner).unwrap();
        run.ledger.arrive(&mut request);
        let given = crate::token::Print::of("successor");
        let outcome = Outcome::Successor { generation: generation + 1, token: given };
        run.ledger.settle(&request, &outcome, &run.account);
    }
}

#[tokio::test]
async fn what_has_just_become_too_late_is_withheld_whoever_held_it_up() {
    let service = Service::start().await;
    let (run, proxy) = proxy(&service).await;
    go_on(&run);
    assert_eq!(meets(&proxy, Fate::DelayRequest(Duration::from_millis(1))).await, None);
    assert_eq!(run.account.count(What::DelayedTooLong), 1);
    assert_eq!(meets(&proxy, Fate::Pass).await, None);
    assert_eq!(run.account.count(What::HeldUpTooLong), 1);
}

#[tokio::test]
async fn a_thief_says_what_he_is_to_the_proxy_alone() {
    let service = Service::start().await;
    let (run, proxy) = proxy(&service).await;
    let mut stream = TcpStream::connect(proxy.url().trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/refresh HTTP/1.1\r\nHost: x\r\nChaos-Party: thief\r\nDaypass-Attempt: 0:abc\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{}", body().len(), body());
    stream.write_all(request.as_bytes()).await.unwrap();
    let came = service.came(1).await.remove(0).to_ascii_lowercase();
    assert!(came.contains("daypass-attempt: 0:abc") && !came.contains("chaos-party"), "{came}");
    timeout(WATCHDOG, proxy.quiet()).await.unwrap();
    let session = crate::token::Named::read(&token(1, 0, 1)).unwrap().session;
    assert!(run.ledger.past(session)[0].starts_with("thief 0"));
}
