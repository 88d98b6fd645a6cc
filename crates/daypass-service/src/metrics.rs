//! What is counted and timed, in the Prometheus text format. Each service has its own registry.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the variants are the label's values")]
pub(crate) enum RefreshOutcome {
    rotated,
    repeated,
    healed,
    mismatch,
    reused,
    expired,
    revoked,
    superseded,
    unknown,
    wrong_client,
    proof_required,
    invalid,
    unavailable,
}

/// What became of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the variants are the label's values")]
pub(crate) enum SignInOutcome {
    signed_in,
    refused,
    limited,
    unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refresh {
    outcome: RefreshOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignIn {
    outcome: SignInOutcome,
}

/// A service's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    refresh: Vec<(RefreshOutcome, Counter)>,
    refresh_seconds: Histogram,
    sign_in: Family<SignIn, Counter>,
    reuse: Counter,
    healed: Counter,
    batch_size: Histogram,
    commit_seconds: Histogram,
    pub(crate) gauges: Gauges,
    started: tokio::time::Instant,
}

/// What is read when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) queue_depth: Gauge,
    pub(crate) password_queue_depth: Gauge,
    pub(crate) feed_lag: Gauge<f64, AtomicU64>,
    pub(crate) feed_subscribers: Gauge,
    pub(crate) key_age: Gauge,
    pub(crate) sessions: Gauge,
}

/// Bounds in seconds from 100 µs to 3 s, each about half as much again as the one before.
const SECONDS: [f64; 18] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25,
    0.5, 1.0, 3.0,
];

const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that are all zero.
    pub fn new() -> Self {
        use RefreshOutcome as R;
        use SignInOutcome as S;
        let mut registry = Registry::with_prefix("daypass");
        let refresh = Family::<Refresh, Counter>::default();
        let outcomes = [
            R::rotated,
            R::repeated,
            R::healed,
            R::mismatch,
            R::reused,
            R::expired,
            R::revoked,
            R::superseded,
            R::unknown,
            R::wrong_client,
            R::proof_required,
            R::invalid,
            R::unavailable,
        ];
        let counters = outcomes
            .map(|outcome| (outcome, refresh.get_or_create(&Refresh { outcome }).clone()))
            .into_iter()
            .collect();
        let sign_in = Family::<SignIn, Counter>::default();
        for outcome in [S::signed_in, S::refused, S::limited, S::unavailable] {
            drop(sign_in.get_or_create(&SignIn { outcome }));
        }
        let metrics = Self {
            refresh: counters,
            refresh_seconds: Histogram::new(SECONDS),
            sign_in: sign_in.clone(),
            reuse: Counter::default(),
            healed: Counter::default(),
            batch_size: Histogram::new(SIZES),
            commit_seconds: Histogram::new(SECONDS),
            gauges: Gauges::default(),
            started: tokio::time::Instant::now(),
            registry: Registry::default(),
        };
        registry.register("refresh", "Renewals, by what became of them", refresh);
        registry.register("refresh_seconds", "Time to answer a renewal", metrics.refresh_seconds.clone());
        registry.register("sign_in", "Sign-ins, by what became of them", sign_in);
        registry.register("reuse", "Used refresh tokens that came back", metrics.reuse.clone());
        registry.register("healed", "Lost rotations that were healed", metrics.healed.clone());
        registry.register("batch_size", "Writes in one commit", metrics.batch_size.clone());
        registry.register("commit_seconds", "Time to commit a batch", metrics.commit_seconds.clone());
        let gauges = &metrics.gauges;
        registry.register("queue_depth", "Writes that wait for the store", gauges.queue_depth.clone());
        let waiting = gauges.password_queue_depth.clone();
        registry.register("password_queue_depth", "Sign-ins that wait for the password pool", waiting);
        registry.register("feed_lag_seconds", "Age of this node's view of the feed", gauges.feed_lag.clone());
        registry.register(
            "feed_subscribers",
            "Verifiers on the feed's stream",
            gauges.feed_subscribers.clone(),
        );
        registry.register(
            "signing_key_age_seconds",
            "Time the signing key has been in use",
            gauges.key_age.clone(),
        );
        registry.register("sessions", "Sessions in the store", gauges.sessions.clone());
        Self { registry, ..metrics }
    }

    pub(crate) fn refreshed(&self, outcome: RefreshOutcome, began: tokio::time::Instant) {
        if let Some((_, counter)) = self.refresh.iter().find(|(known, _)| *known == outcome) {
            counter.inc();
        }
        match outcome {
            RefreshOutcome::reused => _ = self.reuse.inc(),
            RefreshOutcome::healed => _ = self.healed.inc(),
            _ => {}
        }
        self.refresh_seconds.observe(began.elapsed().as_secs_f64());
    }

    pub(crate) fn signed_in(&self, outcome: SignInOutcome) {
        self.sign_in.get_or_create(&SignIn { outcome }).inc();
    }

    /// Notes a commit of `batch` writes that took `nanos` nanoseconds.
    pub fn committed(&self, batch: usize, nanos: u64) {
        self.batch_size.observe(f64::from(u32::try_from(batch).unwrap_or(u32::MAX)));
        self.commit_seconds.observe(Duration::from_nanos(nanos).as_secs_f64());
    }

    /// A monotonic reading in nanoseconds, for [`Metrics::committed`].
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _never = text::encode(&mut out, &self.registry);
        out
    }
}
