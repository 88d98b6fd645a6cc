//! Minted tokens are like a service's, but for what is asked.

use std::time::Duration;

use daypass_ambient::{Clock as _, ManualClock};
use daypass_jwt::{Algorithm, KeySet, Policy, SigningKey, VerifyError, verify};
use daypass_testkit::{AUDIENCE, ISSUER, Minter, with_key_id, with_other_signature};

struct Verifier {
    key: SigningKey,
    clock: ManualClock,
}

impl Verifier {
    fn new() -> Self {
        Self { key: SigningKey::generate(Algorithm::ES256).unwrap(), clock: ManualClock::new() }
    }

    fn minter(&self) -> Minter {
        Minter::new(&self.clock)
    }

    fn verify(&self, token: &str) -> Result<daypass_jwt::Verified, VerifyError> {
        let policy = Policy::builder(ISSUER, AUDIENCE, Algorithm::ES256).leeway_seconds(0).build().unwrap();
        let keys = KeySet::new([self.key.verifying_key()]).unwrap();
        verify(token, &policy, &keys, i64::try_from(self.clock.wall().as_secs()).unwrap())
    }
}

#[test]
fn a_usual_token_is_good_for_ten_minutes() {
    let verifier = Verifier::new();
    let (one, other) = (verifier.minter().mint(&verifier.key), verifier.minter().mint(&verifier.key));
    assert_ne!(verifier.verify(&one).unwrap().claims().jti, verifier.verify(&other).unwrap().claims().jti);
    assert_eq!(verifier.verify(&one).unwrap().claims().sub, "ada");
    verifier.clock.advance(Duration::from_secs(599));
    assert!(verifier.verify(&one).is_ok());
    verifier.clock.advance(Duration::from_secs(1));
    assert!(matches!(verifier.verify(&one), Err(VerifyError::Expired)), "{:?}", verifier.verify(&one));
}

#[test]
fn every_claim_can_be_another() {
    let verifier = Verifier::new();
    let mint = |minter: Minter| verifier.verify(&minter.mint(&verifier.key));
    assert!(mint(verifier.minter().issuer("https://other.example")).is_err());
    assert!(mint(verifier.minter().audience("https://other.example")).is_err());
    assert!(mint(verifier.minter().typ("JWT")).is_err());
    assert!(mint(verifier.minter().without("sub")).is_err());
    assert!(mint(verifier.minter().lifetime(Duration::ZERO)).is_err());
    let late = verifier.clock.wall() + Duration::from_mins(1);
    assert!(mint(verifier.minter().expires_at(i64::try_from(late.as_secs()).unwrap())).is_ok());
    let good = mint(verifier.minter().subject("ben").scope("a b").session("abc")).unwrap();
    assert_eq!(good.claims().sub, "ben");
    let extra = good.extra();
    let claims: serde_json::Value = serde_json::from_slice(extra.as_bytes()).unwrap();
    assert_eq!((&claims["scope"], &claims["sid"]), (&"a b".into(), &"abc".into()));
}

#[test]
fn a_session_carries_its_start() {
    let verifier = Verifier::new();
    let sid = |minter: Minter| {
        let good = verifier.verify(&minter.mint(&verifier.key)).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(good.extra().as_bytes()).unwrap();
        claims["sid"].as_str().unwrap().to_owned()
    };
    let start = Duration::from_millis(1_700_000_000_123);
    let id: daypass_service::core::SessionId = sid(verifier.minter().session_started(start)).parse().unwrap();
    assert_eq!(id.start().millis(), 1_700_000_000_123);
    assert_eq!(sid(verifier.minter()), sid(verifier.minter()));
}

#[test]
fn damaged_tokens_are_refused_for_what_was_damaged() {
    let verifier = Verifier::new();
    let token = verifier.minter().mint(&verifier.key);
    let unknown = with_key_id(&token, "nobody's");
    assert!(
        matches!(verifier.verify(&unknown), Err(VerifyError::UnknownKey)),
        "{:?}",
        verifier.verify(&unknown)
    );
    let forged = with_other_signature(&token);
    assert!(
        matches!(verifier.verify(&forged), Err(VerifyError::BadSignature)),
        "{:?}",
        verifier.verify(&forged)
    );
    assert_eq!(with_key_id(&token, verifier.key.kid()).split('.').nth(1), token.split('.').nth(1));
}
