//! Verifiers that follow the feed through nginx, as so many servers would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daypass_ambient::{Clock as _, SeededEntropy, SystemClock};
use daypass_chaos::dice::Dice;
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{AuthError, ConfigError, RemoteKeys, Verifier};
use tokio::time::timeout;

use crate::stage::Stuck;

/// How many there are.
pub(crate) const VERIFIERS: usize = 100;

/// Each remembers few tokens.
const MEMORY: usize = 256 * 1024;

/// How often they are looked at: no latency is told more precisely.
const LOOK: Duration = Duration::from_millis(1);

/// How long all of them may take to be ready, or to accept a token.
const PATIENCE: Duration = Duration::from_mins(3);

/// All of them.
#[derive(Debug)]
pub(crate) struct Verifiers {
    all: Vec<Verifier>,
    /// The one that is asked next if one is enough.
    next: AtomicUsize,
}

impl Verifiers {
    /// Verifiers of this issuer, which read the feed as a client of this secret.
    pub(crate) fn start(
        issuer: &str,
        (client, secret): (&str, &str),
        dice: &Dice,
    ) -> Result<Self, ConfigError> {
        let verifier = || {
            let feed = RevocationFeed::new(issuer).credentials(client, secret);
            let feed = feed.entropy(Arc::new(SeededEntropy::new(dice.word())));
            Verifier::builder()
                .issuer(issuer)
                .audience(issuer)
                .keys(RemoteKeys::new(format!("{issuer}/.well-known/jwks.json")))
                .revocation(feed)
                .cache_bytes(MEMORY)
                .build()
        };
        let all = (0..VERIFIERS).map(|_| verifier()).collect::<Result<_, _>>()?;
        Ok(Self { all, next: AtomicUsize::new(0) })
    }

    /// Waits until all have keys and listen to the stream of the feed.
    pub(crate) async fn ready(&self) -> Result<(), Stuck> {
        let listening = |verifier: &Verifier| {
            let health = verifier.health();
            let streaming = |feed: &daypass_verify::revocation::RevocationsHealth| feed.streaming;
            health.is_ready()
                && health.issuers.iter().all(|issuer| issuer.revocations.as_ref().is_some_and(streaming))
        };
        let waiting = async {
            while !self.all.iter().all(listening) {
                SystemClock.sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, waiting).await.map_err(|_late| Stuck("not all verifiers listen".to_owned()))
    }

    /// Has each judge a token that it has not seen. How many accept it.
    pub(crate) async fn show(&self, token: &str) -> usize {
        let mut accepting = 0;
        for verifier in &self.all {
            accepting += usize::from(verifier.verify(token).await.is_ok());
        }
        accepting
    }

    /// How many do not know that this token's session has ended: of all, or of one alone, another each time.
    pub(crate) fn ignorant(&self, token: &str, all: bool) -> usize {
        let ignorant = |verifier: &&Verifier| !knows(verifier, token);
        if all {
            return self.all.iter().filter(ignorant).count();
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed) % VERIFIERS;
        self.all.get(next).filter(ignorant).iter().count()
    }

    /// Waits until the last one knows that this token's session has ended. Otherwise: how many do not.
    pub(crate) async fn until_known(&self, token: &str, patience: Duration) -> Result<(), usize> {
        let mut ignorant: Vec<&Verifier> = self.all.iter().collect();
        let waiting = async {
            loop {
                ignorant.retain(|verifier| !knows(verifier, token));
                if ignorant.is_empty() {
                    return;
                }
                SystemClock.sleep(LOOK).await;
            }
        };
        let known = timeout(patience, waiting).await;
        known.map_err(|_late| ignorant.len())
    }
}

/// Whether it refuses the token because of its session, and not because it has expired or nothing is known.
fn knows(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.verify_now(token), Err(AuthError::Revoked))
}
