//! What is remembered of tokens, and when it is not relied upon.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, ManualClock};
use daypass_testkit::{AUDIENCE, ISSUER, Minter, with_other_signature};
use daypass_verify::jwt::{KeySet, SigningKey, VerifyError};
use daypass_verify::{Ready, Verifier, VerifierBuilder};

use crate::harness::{SECOND, key, refusal};

/// A verifier of one static key.
struct Local {
    clock: ManualClock,
    key: SigningKey,
    verifier: Verifier,
}

impl Local {
    fn new(set: impl FnOnce(VerifierBuilder<Ready>) -> VerifierBuilder<Ready>) -> Self {
        let (clock, key) = (ManualClock::new(), key());
        let builder = Verifier::builder()
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .keys(KeySet::new([key.verifying_key()]).unwrap())
            .clock(Arc::new(clock.clone()));
        Self { clock, key, verifier: set(builder).build().unwrap() }
    }

    fn mint(&self) -> String {
        Minter::new(&self.clock).mint(&self.key)
    }

    /// A metric's value.
    fn metric(&self, name: &str) -> u64 {
        let text = self.verifier.metrics_text();
        let line = text.lines().find(|line| line.starts_with(&format!("daypass_verify_{name}{{"))).unwrap();
        line.rsplit(' ').next().unwrap().trim_end_matches(".0").parse().unwrap()
    }
}

#[test]
fn a_token_is_remembered_until_it_expires_and_its_leeway_is_over() {
    let local = Local::new(|builder| builder);
    let token = local.mint();
    for _ in 0..3 {
        local.verifier.verify_now(&token).unwrap();
    }
    assert_eq!((local.metric("cache_hits_total"), local.metric("cache_tokens")), (2, 1));
    local.clock.advance(Duration::from_secs(604));
    assert!(local.verifier.verify_now(&token).is_ok());
    assert_eq!(local.metric("cache_hits_total"), 3);
    local.clock.advance(SECOND);
    assert_eq!(refusal(local.verifier.verify_now(&token)), VerifyError::Expired);
    assert_eq!(local.metric("cache_tokens"), 0);
}

#[test]
fn a_clock_that_is_set_back_makes_a_remembered_token_too_early() {
    let local = Local::new(|builder| builder);
    let token = local.mint();
    local.verifier.verify_now(&token).unwrap();
    let wall = local.clock.wall();
    local.clock.set_wall(wall.saturating_sub(30 * SECOND));
    assert!(local.verifier.verify_now(&token).is_ok());
    local.clock.set_wall(wall.saturating_sub(31 * SECOND));
    assert_eq!(refusal(local.verifier.verify_now(&token)), VerifyError::NotYetValid);
}

#[test]
fn the_whole_text_is_compared_and_nothing_bad_is_remembered() {
    let local = Local::new(|builder| builder);
    let token = local.mint();
    local.verifier.verify_now(&token).unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    // The same signature, and so the same hash, under other claims.
    let (signed, _) =
        Minter::new(&local.clock).subject("eve").mint(&local.key).rsplit_once('.').map(owned).unwrap();
    assert_eq!(
        refusal(local.verifier.verify_now(&format!("{signed}.{signature}"))),
        VerifyError::BadSignature
    );
    assert_eq!(refusal(local.verifier.verify_now(&with_other_signature(&token))), VerifyError::BadSignature);
    for junk in ["", "x", &token[1..], &token[..token.len() - 1], &format!("{token} "), &"x".repeat(20_000)] {
        assert!(local.verifier.verify_now(junk).is_err());
    }
    assert_eq!((local.metric("cache_tokens"), local.metric("cache_hits_total")), (1, 0));
    assert_eq!(local.verifier.verify_now(&token).unwrap().subject(), "ada");
}

fn owned((signed, signature): (&str, &str)) -> (String, String) {
    (signed.to_owned(), signature.to_owned())
}

#[test]
fn the_memory_is_bounded() {
    let local = Local::new(|builder| builder.cache_bytes(65_536));
    for _ in 0..200 {
        let token = local.mint();
        assert!(local.verifier.verify_now(&token).is_ok());
        // Each takes its text, the payload and the claims, and more.
        let (bytes, tokens) = (local.metric("cache_bytes"), local.metric("cache_tokens"));
        assert!(bytes <= 65_536, "{bytes}");
        assert!(tokens * 2 * u64::try_from(token.len()).unwrap() < 65_536, "{tokens}");
    }
    assert!(local.metric("cache_tokens") >= 4);
}

#[test]
fn without_a_cache_every_token_is_judged_anew() {
    let local = Local::new(|builder| builder.cache_bytes(0));
    let token = local.mint();
    for _ in 0..2 {
        assert!(local.verifier.verify_now(&token).is_ok());
    }
    assert_eq!(local.metric("cache_hits_total"), 0);
    assert!(!local.verifier.metrics_text().contains("cache_tokens"));
}

#[test]
fn a_remembered_token_that_lacks_a_scope_stays_refused() {
    let local = Local::new(|builder| builder.require_scope("orders").require_scope("admin"));
    let mint = |scope| Minter::new(&local.clock).scope(scope).mint(&local.key);
    for (scope, lacks) in
        [("", "orders"), ("admin", "orders"), ("orders:all admins", "orders"), ("orders", "admin")]
    {
        let token = mint(scope);
        for _ in 0..2 {
            let refused = local.verifier.verify_now(&token).unwrap_err();
            assert_eq!(refused, daypass_verify::AuthError::Scope(lacks.to_owned()), "{scope}");
        }
    }
    assert!(local.verifier.verify_now(&mint("admin read orders")).is_ok());
}
