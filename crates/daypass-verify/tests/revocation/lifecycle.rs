//! Building, dropping, and what may be printed.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, ManualClock};
use daypass_testkit::{AUDIENCE, Fault, ISSUER};
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{ConfigError, StaticKeys, Verifier};

use crate::harness::{FEED, Made, SECOND, ok, page, reset, sid, watched};

fn build(feed: RevocationFeed) -> Result<Verifier, ConfigError> {
    let keys = StaticKeys::from_secret(&[7; 32]).unwrap();
    let algorithm = daypass_verify::jwt::Algorithm::HS256;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE).keys(keys).algorithms(algorithm);
    builder.clock(clock).revocation(feed).build()
}

fn feed(url: &str) -> RevocationFeed {
    RevocationFeed::new(url).credentials("api", "the secret")
}

#[tokio::test]
async fn the_task_ends_with_the_last_verifier() {
    let made = Made::with(reset("a", true, &[])).await;
    let Made { server, following, .. } = made;
    let (clock, other) = (following.clock.clone(), following.verifier.clone());
    drop(following);
    server.faults().next(FEED, ok(&page("b", true, &[])));
    clock.advance(2 * SECOND);
    watched(server.faults().until_arrived(FEED, 2)).await;
    watched(clock.until(|waits| waits.len() == 1 && waits[0] < 2 * SECOND)).await;
    drop(other);
    watched(clock.until(<[Duration]>::is_empty)).await;
    clock.advance(Duration::from_hours(1));
    assert_eq!(server.faults().arrived(FEED), 2);
}

#[tokio::test]
async fn the_task_ends_in_the_middle_of_a_poll() {
    let made = Made::start(Fault::Hang, |feed| feed).await;
    let clock = made.following.clock.clone();
    watched(made.faults().until_arrived(FEED, 1)).await;
    assert_eq!(clock.waits(), [5 * SECOND]);
    drop(made.following);
    watched(clock.until(<[Duration]>::is_empty)).await;
    watched(async {
        while made.server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_feed_that_cannot_work_is_refused_when_it_is_built() {
    let url = |url: &str| matches!(build(feed(url)), Err(ConfigError::Url { .. }));
    assert!(
        url("http://id.example")
            && url("id.example")
            && url("https://me:pw@id.example")
            && url("ftp://id.example")
    );
    let revocation = |feed| matches!(build(feed), Err(ConfigError::Revocation(_)));
    assert!(revocation(RevocationFeed::new("https://id.example")), "without credentials");
    assert!(revocation(feed("https://id.example?x=1")));
    assert!(revocation(feed("https://id.example").poll_every(Duration::ZERO)));
    assert!(revocation(feed("https://id.example").poll_every(16 * SECOND)));
    for good in [
        "https://id.example",
        "https://id.example/auth/",
        "https://id.example/v1/revocations",
        "http://127.0.0.1:1",
    ] {
        assert!(build(feed(good)).is_ok(), "{good}");
    }
    assert!(build(feed("http://id.internal").allow_http()).is_ok());
}

#[test]
fn without_a_runtime_there_is_no_feed() {
    assert!(matches!(build(feed("https://id.example")), Err(ConfigError::NoRuntime)));
}

#[tokio::test]
async fn nothing_secret_is_printed() {
    let feed = feed("https://id.example");
    assert!(!format!("{feed:?}").contains("the secret"));
    let made = Made::with(reset("a", true, &[])).await;
    assert!(!format!("{:?}", made.following.verifier).contains("feed-token"));
}

#[tokio::test]
async fn asking_the_list_allocates_nothing() {
    let made = Made::with(reset("a", true, &[1, 2, 3])).await;
    let (good, ended) = (made.token(&sid(9)), made.token(&sid(1)));
    let verifier = &made.following.verifier;
    for _ in 0..2 {
        assert!(verifier.verify_now(&good).is_ok() && verifier.verify_now(&ended).is_err());
    }
    let measured = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert!(verifier.verify_now(&good).is_ok() && verifier.verify_now(&ended).is_err());
        }
    });
    assert_eq!(measured.count_total, 0);
}
