//! The demo against the stand-in service, right and wrong.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;
use crate::fake::{Fake, Fault};

struct Fakes(Fault);

impl Stage for Fakes {
    async fn start(&self) -> Result<DemoService, Failure> {
        let access_life = Duration::from_secs(1);
        let fake = Fake::start(self.0, access_life).await;
        Ok(DemoService {
            hosted: fake.hosted(),
            api: fake.hosted_api(),
            access_life,
            patience: Duration::from_secs(1),
            ada: Fake::user("ada"),
            ben: Fake::user("ben"),
        })
    }
}

async fn demo(fault: Fault) -> (Result<ExitCode, DemoError>, String) {
    let (mut out, leave) = (Vec::new(), std::pin::pin!(std::future::pending()));
    let code = run(&DemoArgs { keep: false }, &Fakes(fault), leave, &mut out, false).await;
    (code, String::from_utf8(out).unwrap())
}

fn is_secret(word: &str) -> bool {
    let secret = |part: &str| part.len() > 36;
    word.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter)).any(secret)
}

#[tokio::test]
async fn a_right_service_keeps_every_promise() {
    let (code, story) = demo(Fault::None).await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS, "{story}");
    assert!(story.contains("Every step came out as promised.") && !story.contains('✗'));
    for title in ["1. Sign in", "2. Call", "3. Expire", "4. Two hundred calls", "5. Lose", "6. Steal"] {
        assert!(story.contains(title), "{title}");
    }
    assert!(story.contains("✓ the service has counted one renewal"));
    let secrets: Vec<&str> = story.split_whitespace().filter(|word| is_secret(word)).collect();
    assert!(secrets.is_empty(), "{secrets:?}");
    assert!(!story.contains("\"open\"") && !story.contains('\u{1b}'));
}

#[tokio::test]
async fn a_broken_promise_ends_it_and_says_so() {
    let faults = [
        (Fault::SameToken, "came:     the refresh token came back unchanged"),
        (Fault::SkipsGeneration, "came:     expected generation 1, the token has 2"),
        (Fault::ForgetsAttempts, "came:     expected generation 2, the token has 3"),
        (Fault::NoAlarm, "expected: 400 invalid_grant reused"),
        (
            Fault::OthersSurvive,
            "✗ phone: the access token is dead\n     expected: 401 ended\n     came:     200",
        ),
        (
            Fault::ApiServesTheExpired,
            "✗ the token is refused, and the answer says why\n     expected: 401 expired",
        ),
        (Fault::ApiBusy, "✗ all 200 calls are served\n     expected: 200 × 200\n     came:     "),
        (Fault::RenewsTwice, "✗ the service has counted one renewal\n     expected: 1\n     came:     2"),
        (
            Fault::ApiServesTheEnded,
            "✗ thief: the API refuses a token that is not old\n     expected: 401 ended",
        ),
        (
            Fault::ApiRefusesAll,
            "✗ ben: the call is served by the API\n     expected: 200\n     came:     401 ended",
        ),
    ];
    // Side by side, since each waits for tokens to expire.
    let stage = tokio::task::LocalSet::new();
    let mut plays = tokio::task::JoinSet::new();
    for (fault, told) in faults {
        let play = async move {
            let (code, story) = demo(fault).await;
            assert_eq!(code.unwrap(), ExitCode::FAILURE, "{fault:?}: {story}");
            assert!(story.contains(told), "{fault:?}: {story}");
            assert!(story.ends_with("that was not as promised.\n"));
        };
        plays.spawn_local_on(play, &stage);
    }
    stage.await;
    while let Some(played) = plays.join_next().await {
        played.unwrap();
    }
}

/// Collects what is written, and lets somebody know when a word was.
struct Waiting {
    told: Vec<u8>,
    word: &'static str,
    seen: Arc<Notify>,
}

impl Write for Waiting {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.told.extend(part);
        if String::from_utf8_lossy(&self.told).contains(self.word) {
            self.seen.notify_one();
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leaves when the story has come to a word.
async fn left_at(word: &'static str) -> (Result<ExitCode, DemoError>, String) {
    let seen = Arc::new(Notify::new());
    let mut out = Waiting { told: Vec::new(), word, seen: Arc::clone(&seen) };
    let leave = std::pin::pin!(seen.notified());
    let code = run(&DemoArgs { keep: true }, &Fakes(Fault::None), leave, &mut out, false).await;
    (code, String::from_utf8(out.told).unwrap())
}

#[tokio::test]
async fn kept_running_until_it_is_left() {
    let (code, story) = left_at("# sign out").await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    assert!(story.contains("curl -si $at/v1/me") && story.contains("curl -si $api/hello"));
    let (code, story) = left_at("3. Expire").await;
    assert!(matches!(code, Err(DemoError::Left)), "left in the middle");
    assert!(!story.contains("4. Two hundred"));
}
