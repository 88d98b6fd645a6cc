//! The feed's stream: told as sessions end, gone on with where it broke, and done without where there is none.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use daypass_ambient::{Clock as _, ManualClock};
use daypass_testkit::{AUDIENCE, Canned, Fault, Faults, FaultyServer, ISSUER, Minter, TestService};
use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{StaticKeys, Verifier};
use http_body::Frame;
use tokio::sync::mpsc;

use crate::harness::{FEED, Following, SECOND, ok, page, reset, sid, text, watched};

const STREAM: &str = "/v1/revocations/stream";

/// How long silence is borne.
const SILENCE: Duration = Duration::from_secs(15);

/// What a made-up service sends on a stream.
struct Events(mpsc::UnboundedReceiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}

/// A service whose streams are in the test's hands, and a verifier that listens to it.
struct Told {
    server: FaultyServer,
    following: Following,
    key: SigningKey,
    /// The newest stream's end where it is spoken.
    out: Arc<Mutex<Option<mpsc::UnboundedSender<Bytes>>>>,
}

impl Told {
    /// Its polls give an empty list whose cursor is `a`.
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, when this has been done to the faults that requests meet with.
    async fn start_with(set: impl FnOnce(&Faults)) -> Self {
        let out: Arc<Mutex<Option<mpsc::UnboundedSender<Bytes>>>> = Arc::default();
        let spoken = Arc::clone(&out);
        let stream = move || {
            let (sender, receiver) = mpsc::unbounded_channel();
            *spoken.lock().unwrap() = Some(sender);
            let mut answer = Response::new(Body::new(Events(receiver)));
            answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            std::future::ready(answer.into_response())
        };
        let server = FaultyServer::start(axum::Router::new().route(STREAM, any(stream))).await;
        server.faults().always(FEED, ok(&page("a", true, &[])));
        server.faults().next(FEED, ok(&reset("a", true, &[])));
        set(server.faults());
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        let clock = ManualClock::new();
        let bearer = || std::future::ready(Ok::<_, std::fmt::Error>("feed-token".to_owned()));
        let feed = RevocationFeed::new(server.url()).bearer(bearer);
        let keys = StaticKeys::from(KeySet::new([key.verifying_key()]).unwrap());
        let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys);
        let following = Following::listening(builder, &clock, feed);
        Self { server, following, key, out }
    }

    /// Says something on the newest stream.
    fn say(&self, text: &str) {
        let out = self.out.lock().unwrap();
        out.as_ref().unwrap().send(Bytes::from(text.to_owned())).unwrap();
    }

    /// Ends the newest stream.
    fn hang_up(&self) {
        *self.out.lock().unwrap() = None;
    }

    /// Waits until the verifier listens to its n-th stream, tells it that it has caught up, and waits until it knows.
    async fn ready(&self, streams: usize) {
        watched(self.server.faults().until_served(STREAM, streams)).await;
        self.say("event: ready\nid: a\ndata: {}\n\n");
        self.until(|told| told.following.health().streaming).await;
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        watched(async {
            while !condition(self) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until nothing is under way but one wait, which gives it.
    async fn waits(&self, condition: impl Fn(Duration) -> bool) -> Duration {
        let clock = &self.following.clock;
        watched(clock.until(|waits| waits.len() == 1 && condition(waits[0]))).await;
        clock.waits()[0]
    }

    async fn outcome(&self, number: u8) -> &'static str {
        let token = Minter::new(&self.following.clock).session(&sid(number)).mint(&self.key);
        self.following.outcome(&token).await
    }

    fn entry(number: u8, id: &str) -> String {
        let id = if id.is_empty() { String::new() } else { format!("id: {id}\n") };
        let sid = sid(number);
        format!(
            "event: entry\n{id}data: {{\"sid\":\"{sid}\",\"at_ms\":1750000000000,\"until\":1750003900}}\n\n"
        )
    }
}

/// Without a poll, and remembered tokens included.
#[tokio::test]
async fn s32_the_real_service_tells_as_a_session_ends() {
    let service = TestService::start().await;
    let (id, secret) = service.client();
    let feed = RevocationFeed::new(service.url()).credentials(id, secret);
    let keys = StaticKeys::from_jwks(&service.service().published_keys().json).unwrap();
    let builder = Verifier::builder().issuer(service.url()).audience(service.url()).keys(keys);
    let following = Following::listening(builder, service.clock(), feed);
    watched(async {
        while !following.health().streaming {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let polls = following.polls();
    let (ended, other) = (service.sign_in().await, service.sign_in().await);
    for pair in [&ended, &other] {
        assert_eq!(following.outcome(text(pair, "access_token")).await, "ok");
    }
    service.revoke_session(text(&ended, "session_id")).await;
    watched(async {
        while following.outcome(text(&ended, "access_token")).await == "ok" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(following.outcome(text(&ended, "access_token")).await, "revoked");
    assert_eq!(following.outcome(text(&other, "access_token")).await, "ok");
    assert!((following.polls() - polls).abs() < 0.5, "nobody asked");
    assert!((following.metric("daypass_verify_feed_streaming") - 1.0).abs() < 0.1);

    // The service leaves, and comes back: it is gone on with.
    service.stop().await;
    watched(async {
        while following.health().streaming {
            tokio::task::yield_now().await;
        }
    })
    .await;
    service.restart().await;
    service.revoke_session(text(&other, "session_id")).await;
    watched(async {
        while following.outcome(text(&other, "access_token")).await == "ok" {
            following.clock.advance(SECOND);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn s32_what_is_told_is_in_force_at_once_and_a_broken_stream_is_gone_on_with() {
    let told = Told::start().await;
    told.ready(1).await;
    told.say(&format!("{}{}", Told::entry(1, ""), Told::entry(2, "b")));
    told.until(|told| told.following.health().entries == 2).await;
    assert_eq!(
        (told.outcome(1).await, told.outcome(2).await, told.outcome(3).await),
        ("revoked", "revoked", "ok")
    );
    // Half an entry is none.
    told.say("event: entry\nid: c\ndata: {\"sid\":");
    told.server.faults().always(FEED, ok(&page("b", true, &[])));
    told.hang_up();
    // Somewhere within the interval, so that not all come back at once.
    let wait = told.waits(|wait| wait <= SECOND).await;
    assert!(!told.following.health().streaming && !told.following.health().stale);
    told.following.clock.advance(wait);
    watched(told.server.faults().until_served(STREAM, 2)).await;
    let asked = told.server.faults().requests(STREAM);
    let last: Vec<_> = asked.iter().map(|request| request.header("last-event-id").unwrap()).collect();
    assert_eq!(last, ["a", "b"]);
    assert_eq!(asked[1].header("authorization"), Some("Bearer feed-token"));
    assert!(told.server.faults().requests(FEED).last().unwrap().target.ends_with("since=b"));
    told.say(&Told::entry(3, "c"));
    told.until(|told| told.following.health().entries == 3).await;
    assert_eq!(told.outcome(3).await, "revoked");
}

#[tokio::test]
async fn s32_heartbeats_keep_it_fresh_and_silence_ends_it() {
    let told = Told::start().await;
    told.ready(1).await;
    let age = |told: &Told| told.following.health().age_seconds;
    for _ in 0..20 {
        told.waits(|wait| wait == SILENCE).await;
        told.following.clock.advance(5 * SECOND);
        told.say(":\n\n");
        // The wait for it began five seconds ago.
        told.until(|told| age(told) == Some(5)).await;
    }
    let polls = told.following.polls();
    told.waits(|wait| wait == SILENCE).await;
    told.following.clock.advance(SILENCE);
    told.until(|told| !told.following.health().streaming).await;
    told.until(|told| told.following.polls_that("timeout") > 0.5).await;
    assert!(told.following.polls() - polls < 1.5);
    assert!(!told.following.health().stale, "it asks before that");
    let wait = told.waits(|wait| wait <= SECOND).await;
    told.following.clock.advance(wait);
    told.ready(2).await;
    assert_eq!(told.following.health().last_error, None);
}

#[tokio::test]
async fn a_service_without_a_stream_is_polled_and_asked_again_after_five_minutes() {
    let told = Told::start_with(|faults| faults.always(STREAM, Canned::status(404))).await;
    let (faults, clock) = (told.server.faults(), &told.following.clock);
    let begun = clock.running();
    told.until(|_| faults.arrived(STREAM) == 1).await;
    while clock.running() < begun + Duration::from_mins(4) {
        let polls = told.following.polls();
        let wait = told.waits(|wait| wait <= SECOND * 11 / 10).await;
        clock.advance(wait);
        told.until(|told| told.following.polls() > polls + 0.5).await;
    }
    assert_eq!(faults.arrived(STREAM), 1);
    assert_eq!((told.following.health().last_error, told.following.health().streaming), (None, false));
    faults.clear();
    faults.always(FEED, ok(&page("a", true, &[])));
    told.waits(|wait| wait <= SECOND * 11 / 10).await;
    clock.advance(Duration::from_mins(1));
    told.ready(1).await;
}

#[tokio::test]
async fn whatever_a_stream_says_nothing_is_let_in_and_polls_go_on() {
    let told = Told::start().await;
    told.ready(1).await;
    told.say(&Told::entry(1, "b"));
    told.until(|told| told.following.health().entries == 1).await;
    let big = format!("data: {}", "x".repeat(70_000));
    let mut streams = 1;
    for (code, said) in [
        ("malformed", "event: ended\ndata: {}\n\n"),
        ("malformed", "<html>Sign in to the Wi-Fi</html>\n\ndata: x\n\n"),
        ("malformed", "event: entry\nid: c\ndata: {\"jti\":\"x\",\"at_ms\":1,\"until\":2}\n\n"),
        ("too_large", &big),
    ] {
        told.server.faults().always(FEED, ok(&page("b", true, &[])));
        let before = told.following.polls_that(code);
        told.say(said);
        told.until(|told| told.following.polls_that(code) > before + 0.5).await;
        assert_eq!(told.outcome(1).await, "revoked", "{said}");
        let wait = told.waits(|wait| wait <= SECOND).await;
        // What the poll finds counts, whatever the stream.
        told.server.faults().next(FEED, ok(&page("b", true, &[2])));
        told.following.clock.advance(wait);
        streams += 1;
        told.ready(streams).await;
        assert_eq!(told.outcome(2).await, "revoked");
    }
}

#[tokio::test]
async fn a_stream_that_does_not_begin_is_waited_for_five_seconds_and_polls_go_on() {
    let told = Told::start_with(|faults| faults.always(STREAM, Fault::Hang)).await;
    let (clock, faults) = (&told.following.clock, told.server.faults());
    for hung in 1..4 {
        watched(faults.until_arrived(STREAM, hung)).await;
        assert_eq!(told.waits(|_| true).await, 5 * SECOND);
        clock.advance(5 * SECOND);
        let times = f64::from(u8::try_from(hung).unwrap());
        told.until(|told| told.following.polls_that("timeout") > times - 0.5).await;
        assert_eq!(told.outcome(1).await, "ok");
        // 5 s, 20 s, 80 s: it is asked for more and more rarely, and polls do not wait for that.
        let again = clock.running() + 5 * SECOND * 4_u32.pow(u32::try_from(hung).unwrap() - 1);
        while clock.running() < again {
            assert_eq!(faults.arrived(STREAM), hung);
            let polls = told.following.polls();
            let wait = told.waits(|wait| wait <= SECOND * 11 / 10).await;
            clock.advance(wait);
            told.until(|told| told.following.polls() > polls + 0.5).await;
        }
    }
    assert!(told.following.polls_that("read") > 90.0 && !told.following.health().stale);
}

#[tokio::test]
async fn where_less_staleness_is_borne_than_heartbeats_show_it_only_polls() {
    let service = TestService::start().await;
    let (id, secret) = service.client();
    let feed = RevocationFeed::new(service.url()).credentials(id, secret).max_staleness(10 * SECOND);
    let keys = StaticKeys::from_jwks(&service.service().published_keys().json).unwrap();
    let builder = Verifier::builder().issuer(service.url()).audience(service.url()).keys(keys);
    let following = Following::listening(builder, service.clock(), feed);
    for _ in 0..5 {
        following.next_poll().await;
    }
    assert_eq!((service.faults().arrived(STREAM), following.health().streaming), (0, false));
}

#[tokio::test]
async fn another_store_is_read_from_its_start() {
    let told = Told::start().await;
    told.ready(1).await;
    told.say(&Told::entry(1, "b"));
    told.until(|told| told.following.health().entries == 1).await;
    told.say("event: reset\ndata: {}\n\n");
    told.say(&Told::entry(2, "x"));
    // Until the snapshot is complete, what was known stays in force beside it.
    told.until(|told| told.following.health().entries == 2).await;
    assert_eq!((told.outcome(1).await, told.outcome(2).await), ("revoked", "revoked"));
    told.say("event: ready\nid: x\ndata: {}\n\n");
    told.until(|told| told.following.health().entries == 1).await;
    assert_eq!((told.outcome(1).await, told.outcome(2).await), ("ok", "revoked"));
}

#[tokio::test]
async fn a_stream_ends_with_the_verifier() {
    let told = Told::start().await;
    told.ready(1).await;
    let Told { server, following, .. } = told;
    drop(following);
    watched(async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
