//! Whatever is sent, nothing panics and nothing but the signer's own token verifies.

use std::sync::LazyLock;

use daypass_jwt::{Algorithm, KeySet, parse, verify_jws};
use proptest::prelude::*;

use crate::support::{Forge, b64};

// Deterministic, so that a changed text is never a second valid signature.
static FORGE: LazyLock<(Forge, String)> = LazyLock::new(|| {
    let forge = Forge::new(Algorithm::Ed25519);
    let token = forge.good();
    (forge, token)
});

fn never_verifies(token: &str) {
    let (forge, good) = &*FORGE;
    if token != good {
        assert!(forge.check(token).is_err(), "{token}");
        assert!(verify_jws(token, &forge.keys, Algorithm::Ed25519).is_err(), "{token}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text(token in ".{0,200}") {
        never_verifies(&token);
    }

    #[test]
    fn random_segments(token in "[A-Za-z0-9_=-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,90}") {
        never_verifies(&token);
    }

    #[test]
    fn a_changed_byte(place in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let mut bytes = FORGE.1.clone().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        never_verifies(&String::from_utf8(bytes).unwrap());
    }

    #[test]
    fn cut_and_joined(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        insert in "[A-Za-z0-9_.-]{0,6}",
    ) {
        let good = &FORGE.1;
        let (head, tail) = (first.index(good.len()), second.index(good.len()));
        never_verifies(&format!("{}{insert}{}", &good[..head], &good[tail..]));
    }

    #[test]
    fn signed_junk_never_panics(header in prop::collection::vec(any::<u8>(), 0..80), payload in ".{0,200}") {
        let (forge, _) = &*FORGE;
        let _ = forge.check(&forge.token(header, &payload));
        let result = forge.check(&forge.token(forge.header().to_string(), &payload));
        prop_assert!(result.is_err());
    }

    #[test]
    fn signed_json_never_panics(
        name in prop::sample::select(vec!["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "cnf", "amr"]),
        value in prop::sample::select(vec![
            "null", "true", "[]", "{}", "-0", "1e300", "-1e300", "1.5", "9223372036854775808", "\"\"", "[[]]", "\"\\u0000\"",
        ]),
        now in any::<i64>(),
    ) {
        let (forge, _) = &*FORGE;
        let payload = crate::support::claims().to_string();
        let payload = payload.replacen(&format!("\"{name}\":"), "\"spare\":", 1);
        let payload = payload.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        let token = forge.token(forge.header().to_string(), payload);
        let _ = forge.check(&token);
        let _ = parse(&token, &forge.policy, now);
    }

    #[test]
    fn random_key_sets(body in ".{0,200}", x in prop::collection::vec(any::<u8>(), 30..34)) {
        let _ = KeySet::from_jwks(body.as_bytes());
        let key = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{}"}}]}}"#, b64(x));
        let read = KeySet::from_jwks(key.as_bytes()).unwrap();
        prop_assert_eq!(read.keys.len() + read.skipped.len(), 1);
    }
}
