//! `bench verify`: what it costs a server to judge an access token, seen before or new, beside the bare signature
//! check; and whether each is judged rightly.
//!
//! [`mint`] makes the tokens, [`issuer`] serves the keys and says which sessions have ended, [`course`] measures in turns, [`bare`] is what
//! new tokens are measured against, and [`report`] tells.

mod bare;
mod course;
mod issuer;
mod mint;
mod report;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daypass_verify::jwt::{JwkSet, KeySet};
use daypass_verify::revocation::{RevocationFeed, WhenStale};
use daypass_verify::{AuthError, Keys, RemoteKeys, StaticKeys, Verifier};

use self::bare::Bare;
use self::course::{Course, Findings};
use self::issuer::Issuer;
use self::mint::{AUDIENCE, ISSUER, Tokens};
pub(crate) use self::report::VerifyReport;
use super::BenchError;
use super::args::VerifyArgs;
use super::progress::Progress;

/// Good tokens live an hour, so that none expires in a run.
const LONGEST: Duration = Duration::from_mins(50);

/// How often the verifiers are asked whether they have read the feed, each time for a second at most.
const TRIES: u32 = 10;

/// Measures until the time is over, or `leave` ends.
pub(crate) async fn run(
    args: &VerifyArgs,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<VerifyReport, BenchError> {
    if args.duration > LONGEST {
        return Err(BenchError::TooLong(LONGEST));
    }
    let tokens = Arc::new(Tokens::mint(args.algorithm, args.tokens, args.bad_every)?);
    let issuer = Issuer::serve(&JwkSet::new([&tokens.key().verifying_key()])?, tokens.ended()).await?;
    let course = Course {
        remembering: verifier(&tokens, &issuer, memory_for(args.tokens)).await?,
        forgetful: verifier(&tokens, &issuer, 0).await?,
        bare: Bare::of(tokens.key())?,
        tokens: Arc::clone(&tokens),
        threads: threads(args),
        runtime: tokio::runtime::Handle::current(),
    };
    let threads = course.threads;
    let findings = measured(course, args.duration, leave).await?;
    Ok(VerifyReport::new(args.algorithm, &tokens, threads, findings))
}

async fn measured(
    course: Course,
    duration: Duration,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<Findings, BenchError> {
    let left = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&left);
    let run = move || course.run(duration, &asked, &Progress::time(duration));
    let mut running = tokio::task::spawn_blocking(run);
    let findings = tokio::select! {
        findings = &mut running => findings,
        () = leave => {
            left.store(true, Ordering::Relaxed);
            running.await
        }
    };
    findings.map_err(|_| BenchError::Worker)?
}

fn threads(args: &VerifyArgs) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    args.threads.map_or_else(cores, NonZeroUsize::from)
}

/// Bytes that hold so many tokens, and never less than a verifier has unless it is told otherwise, 32 MiB.
fn memory_for(tokens: u32) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX).max(8 * 1024).saturating_mul(4 * 1024)
}

/// A verifier as it is used: with keys that it fetches, unless they are a secret, and a feed to hold tokens against that
/// must not be old. It has both.
async fn verifier(tokens: &Tokens, issuer: &Issuer, cache_bytes: usize) -> Result<Verifier, BenchError> {
    let ended = RevocationFeed::new(issuer.base_url())
        .bearer(|| async { Ok::<_, std::convert::Infallible>("anybody".to_owned()) })
        .when_stale(WhenStale::Refuse);
    let keys = match tokens.key().public_jwk() {
        Some(_) => Keys::from(RemoteKeys::new(issuer.keys_url())),
        None => Keys::from(StaticKeys::from(KeySet::new([tokens.key().verifying_key()])?)),
    };
    let verifier = Verifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(keys)
        .algorithms(tokens.key().algorithm())
        .revocation(ended)
        .cache_bytes(cache_bytes)
        .build()?;
    if let Some(token) = tokens.good().first() {
        for _ in 0..TRIES {
            if !matches!(verifier.verify(token.text()).await, Err(AuthError::Unavailable { .. })) {
                return Ok(verifier);
            }
        }
    }
    Err(BenchError::Unread)
}
