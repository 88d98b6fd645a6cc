//! What is counted, and how it is written out. Counting costs one relaxed atomic a token.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::AuthError;

/// Every outcome but `accepted`: the codes of [`AuthError`] that a verifier gives.
const REFUSALS: [&str; 16] = [
    "too_large",
    "malformed",
    "algorithm",
    "header",
    "type",
    "issuer",
    "expired",
    "not_yet_valid",
    "audience",
    "unknown_key",
    "bad_signature",
    "claim",
    "revoked",
    "scope",
    "keys_unavailable",
    "revocations_unavailable",
];

/// What became of the tokens of one issuer.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    seen_before: Alone,
    new: AtomicU64,
    refused: [AtomicU64; REFUSALS.len()],
}

/// The one counter that is on the fast path has a cache line, and its neighbour, to itself.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Alone(AtomicU64);

impl Counts {
    pub(crate) fn seen_before(&self) {
        self.seen_before.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn new_token(&self) {
        self.new.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, why: &AuthError) {
        let counted = REFUSALS.iter().zip(&self.refused).find(|(code, _)| **code == why.code());
        if let Some((_, counter)) = counted {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn measure(&self, into: &mut Scrape, issuer: &str) {
        const HELP: &str = "Tokens judged, by what became of them";
        let (old, new) = (self.seen_before.0.load(Ordering::Relaxed), self.new.load(Ordering::Relaxed));
        let mut verified = |outcome, value| {
            into.counter("verified", HELP, &[("issuer", issuer), ("outcome", outcome)], value);
        };
        verified("accepted", old + new);
        for (code, counter) in REFUSALS.iter().zip(&self.refused) {
            verified(code, counter.load(Ordering::Relaxed));
        }
        into.counter("cache_hits", "Tokens accepted that were seen before", &[("issuer", issuer)], old);
    }
}

type Labels = Vec<(&'static str, String)>;

/// One reading of all metrics. Names get the prefix `daypass_verify_`, counters the suffix `_total`.
#[derive(Debug)]
pub(crate) struct Scrape {
    registry: Registry,
    counters: BTreeMap<&'static str, Family<Labels, Counter>>,
    gauges: BTreeMap<&'static str, Family<Labels, Gauge<f64, AtomicU64>>>,
}

impl Scrape {
    pub(crate) fn new() -> Self {
        let registry = Registry::with_prefix("daypass_verify");
        Self { registry, counters: BTreeMap::new(), gauges: BTreeMap::new() }
    }

    /// Adds a counter's value.
    pub(crate) fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: u64,
    ) {
        let registry = &mut self.registry;
        let family = self.counters.entry(name).or_insert_with(|| {
            let family = Family::default();
            registry.register(name, help, Family::clone(&family));
            family
        });
        family.get_or_create(&owned(labels)).inc_by(value);
    }

    /// Adds a gauge's value.
    pub(crate) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        let registry = &mut self.registry;
        let family = self.gauges.entry(name).or_insert_with(|| {
            let family = Family::default();
            registry.register(name, help, Family::clone(&family));
            family
        });
        family.get_or_create(&owned(labels)).set(value);
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use daypass_jwt::VerifyError;

    use super::*;
    use crate::Lacking;

    #[test]
    fn every_refusal_is_counted_by_its_code() {
        let counts = Counts::default();
        let unavailable = |what| AuthError::Unavailable { what, retry_after: Duration::ZERO };
        let refusals = [
            VerifyError::TooLarge,
            VerifyError::Malformed(""),
            VerifyError::Algorithm,
            VerifyError::Header(""),
            VerifyError::Type,
            VerifyError::Issuer,
            VerifyError::Expired,
            VerifyError::NotYetValid,
            VerifyError::Audience,
            VerifyError::UnknownKey,
            VerifyError::BadSignature,
            VerifyError::Claim(""),
        ]
        .map(AuthError::Invalid)
        .into_iter()
        .chain([AuthError::Revoked, AuthError::Scope(String::new())])
        .chain([unavailable(Lacking::Keys), unavailable(Lacking::Revocations)]);
        for refusal in refusals {
            counts.refused(&refusal);
        }
        assert!(counts.refused.iter().all(|counter| counter.load(Ordering::Relaxed) == 1), "{counts:?}");
    }

    #[test]
    fn labels_are_escaped_and_families_written_once() {
        let mut scrape = Scrape::new();
        for issuer in ["a\"b", "c\nd"] {
            scrape.gauge("keys", "Keys", &[("issuer", issuer)], 2.0);
            scrape.counter("polls", "Polls", &[("issuer", issuer)], 3);
        }
        let text = scrape.text();
        assert_eq!(text.matches("# TYPE daypass_verify_keys gauge").count(), 1, "{text}");
        assert!(text.contains(r#"daypass_verify_keys{issuer="a\"b"} 2.0"#), "{text}");
        assert!(text.contains(r#"daypass_verify_polls_total{issuer="c\nd"} 3"#), "{text}");
    }
}
