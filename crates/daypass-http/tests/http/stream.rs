//! `GET /v1/revocations/stream`.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Harness, Tokens};
use crate::shown;

/// Only against hanging.
const WATCHDOG: Duration = Duration::from_secs(30);

const PATH: &str = "/v1/revocations/stream";

/// A stream that is being read.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(h: &Harness, token: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(PATH).header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = h.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-accel-buffering"), "no");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next block of lines; none at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = tokio::time::timeout(WATCHDOG, self.body.frame()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
        }
    }

    /// The next event: its name, its id if it has one, and its data.
    async fn event(&mut self) -> (String, Option<String>, Value) {
        loop {
            let block = self.next().await.unwrap();
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if let Some(event) = field("event: ") {
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return (event, field("id: "), data);
            }
            assert_eq!(block, ":", "neither event nor heartbeat");
        }
    }
}

async fn sign_out(h: &Harness, tokens: &Tokens) {
    let answer = h.post("/v1/logout").json(&json!({ "refresh_token": tokens.refresh })).send().await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_verifier_hears_what_was_and_what_comes_and_goes_on_from_there() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let (one, two) = (h.sign_in("ann").await, h.sign_in("bob").await);
    sign_out(&h, &one).await;
    let mut stream = Stream::open(&h, &token, None).await;
    assert_eq!(stream.event().await, ("reset".to_owned(), None, json!({})));
    let (event, id, data) = stream.event().await;
    assert_eq!((event.as_str(), &data["sid"]), ("entry", &json!(one.session)));
    assert!(data["at_ms"].is_i64() && data["until"].is_i64());
    let (event, ready, _) = stream.event().await;
    assert_eq!((event.as_str(), &ready), ("ready", &id));
    sign_out(&h, &two).await;
    let (event, last, data) = stream.event().await;
    assert_eq!((event.as_str(), &data["sid"]), ("entry", &json!(two.session)));
    assert_ne!(last, ready);

    // After the first: the second comes again, and nothing is void.
    let mut again = Stream::open(&h, &token, ready.as_deref()).await;
    let (event, id, data) = again.event().await;
    assert_eq!((event.as_str(), id, &data["sid"]), ("entry", last.clone(), &json!(two.session)));
    assert_eq!(again.event().await, ("ready".to_owned(), last, json!({})));

    // All of a person's, as one entry.
    let three = h.sign_in("ann").await;
    h.pass(1);
    h.delete("/v1/sessions").bearer(&three.access).send().await;
    for stream in [&mut stream, &mut again] {
        let (event, _, data) = stream.event().await;
        assert_eq!(event, "entry");
        assert!(data["sub"].is_string() && data["not_before_ms"].is_i64() && data.get("sid").is_none());
    }
}

#[tokio::test]
async fn an_unknown_cursor_begins_at_the_start() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let mut stream = Stream::open(&h, &token, Some("unknown")).await;
    assert_eq!(stream.event().await.0, "reset");
    assert_eq!(stream.event().await.0, "ready");
}

#[tokio::test(start_paused = true)]
async fn it_beats_and_ends_with_the_token_that_opened_it() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let mut stream = Stream::open(&h, &token, None).await;
    while stream.event().await.0 != "ready" {}
    for _ in 0..3 {
        assert_eq!(stream.next().await.as_deref(), Some(":"));
    }
    h.pass(3600);
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn it_ends_with_the_service() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let mut stream = Stream::open(&h, &token, None).await;
    while stream.event().await.0 != "ready" {}
    h.service.end_streams();
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn one_who_has_gone_is_not_counted() {
    let h = Harness::start().await;
    let token = h.client_token("daypass:feed").await;
    let subscribers = async || {
        let metrics = h.service.render_metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("daypass_feed_subscribers "));
        line.unwrap().parse::<u32>().unwrap()
    };
    let mut stream = Stream::open(&h, &token, None).await;
    while stream.event().await.0 != "ready" {}
    assert_eq!(subscribers().await, 1);
    drop(stream);
    let gone = async {
        while subscribers().await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WATCHDOG, gone).await.unwrap();
}

#[tokio::test]
async fn the_stream_is_refused() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let (token, other) = (h.client_token("daypass:feed").await, h.client_token("orders").await);
    let shown = shown::all(&[
        ("no token", h.get(PATH).send().await),
        ("a token without the scope", h.get(PATH).bearer(&other).send().await),
        ("a person", h.get(PATH).bearer(&ann.access).send().await),
        ("unknown parameter", h.get(&format!("{PATH}?limit=1")).bearer(&token).send().await),
        ("no cursor", h.get(PATH).bearer(&token).header("last-event-id", "ä").send().await),
        ("POST", h.post(PATH).send().await),
    ]);
    assert_snapshot!(shown);
    h.store.fail();
    assert_eq!(h.get(PATH).bearer(&token).send().await.status, StatusCode::SERVICE_UNAVAILABLE);
}
