//! JA-59 to JA-64 and VER-12: other people's key sets.

use daypass_jwt::{
    Algorithm, ForeignKeys, JwksError, KeyError, KeySet, SigningKey, SkipReason, VerifyError, verify,
};
use serde_json::{Value, json};

use crate::support::{NOW, b64, claims, policy, unb64};

fn read(keys: &[Value]) -> Result<ForeignKeys, JwksError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

fn jwk(algorithm: Algorithm) -> Value {
    serde_json::to_value(SigningKey::generate(algorithm).unwrap().public_jwk().unwrap()).unwrap()
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

/// Reads a bad key beside a good one: the good one must load. Gives the reason.
fn skipped(bad: Value) -> SkipReason {
    let read = read(&[bad, jwk(Algorithm::ES256)]).unwrap();
    assert_eq!((read.keys.len(), read.skipped.len()), (1, 1));
    assert_eq!(read.skipped[0].index, 0);
    read.skipped[0].reason
}

#[test]
fn ja_59_secrets_are_skipped_and_private_keys_condemn_the_set() {
    assert_eq!(skipped(json!({ "kty": "oct", "kid": "s", "k": b64([7; 32]) })), SkipReason::Symmetric);
    assert_eq!(skipped(json!({ "kty": "oct", "alg": "HS256", "k": "AA" })), SkipReason::Symmetric);
    assert_eq!(skipped(with(jwk(Algorithm::ES256), "alg", json!("HS256"))), SkipReason::UnsupportedAlgorithm);
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
        let leaked = with(jwk(Algorithm::ES256), member, json!("AA"));
        assert_eq!(
            read(&[jwk(Algorithm::ES256), leaked]).unwrap_err(),
            JwksError::PrivateMaterial,
            "{member}"
        );
    }
}

#[test]
fn ja_60_points_are_whole_and_on_the_curve() {
    let good = jwk(Algorithm::ES256);
    let x = unb64(good["x"].as_str().unwrap());
    let mut off_curve = x.clone();
    off_curve[31] ^= 1;
    for (name, value) in [
        ("x", json!(b64(&x[..31]))),
        ("x", json!(b64([&[0], &x[..]].concat()))),
        ("x", json!(b64(off_curve))),
        ("x", json!(format!("{}=", b64(&x)))),
        ("x", json!(1)),
        ("x", json!(b64([0xff; 32]))),
        ("y", json!(b64([0; 32]))),
        ("y", json!("")),
        ("y", Value::Null),
    ] {
        let reason = skipped(with(good.clone(), name, value.clone()));
        assert!(matches!(reason, SkipReason::Key(KeyError::Malformed(_))), "{name} {value}: {reason}");
    }
    let infinity = with(with(good.clone(), "x", json!(b64([0; 32]))), "y", json!(b64([0; 32])));
    assert!(matches!(skipped(infinity), SkipReason::Key(KeyError::Malformed(_))));
    for crv in ["P-384", "P-521", "secp256k1", "p-256", ""] {
        assert_eq!(skipped(with(good.clone(), "crv", json!(crv))), SkipReason::UnsupportedType, "{crv}");
    }

    let good = jwk(Algorithm::Ed25519);
    let x = unb64(good["x"].as_str().unwrap());
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    for bytes in [&x[..31], &[&x[..], &[0]].concat(), &off_curve, &[0xff; 32]] {
        let reason = skipped(with(good.clone(), "x", json!(b64(bytes))));
        assert!(matches!(reason, SkipReason::Key(KeyError::Malformed(_))), "{reason}");
    }
    let small_order = skipped(with(good.clone(), "x", json!(b64([0; 32]))));
    assert!(matches!(small_order, SkipReason::Key(KeyError::Weak(_))));
    for crv in ["Ed448", "X25519"] {
        assert_eq!(skipped(with(good.clone(), "crv", json!(crv))), SkipReason::UnsupportedType, "{crv}");
    }
}

#[test]
fn ja_61_weak_rsa_keys() {
    let good = jwk(Algorithm::RS256);
    let n = unb64(good["n"].as_str().unwrap());
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let sized = |bytes: usize| [&[0xc0][..], &vec![0x55; bytes - 2], &[0x5b]].concat();
    for (name, bytes) in [
        ("e", vec![]),
        ("e", vec![0]),
        ("e", vec![1]),
        ("e", vec![2]),
        ("e", vec![3]),
        ("e", vec![1, 0, 0]),
        ("e", vec![0, 1, 0, 1]),
        ("e", vec![1; 300]),
        ("n", vec![]),
        ("n", even),
        ("n", sized(128)),
        ("n", [&[0x7f][..], &sized(255)].concat()),
        ("n", [&[0][..], &n].concat()),
        ("n", sized(1025)),
        ("n", sized(2049)),
        ("n", sized(20_000)),
    ] {
        let reason = skipped(with(good.clone(), name, json!(b64(&bytes))));
        assert!(matches!(reason, SkipReason::Key(_)), "{name} of {} bytes: {reason}", bytes.len());
    }
    assert_eq!(read(&[good]).unwrap().keys.len(), 1);
}

#[test]
fn ja_62_duplicate_key_ids() {
    let (ec, okp) = (jwk(Algorithm::ES256), jwk(Algorithm::Ed25519));
    let same = |key: Value| with(key, "kid", json!("same"));
    // Another algorithm: both stay, and the token's algorithm chooses.
    let set = read(&[same(ec.clone()), same(okp)]).unwrap();
    assert_eq!((set.keys.len(), set.skipped.len()), (2, 0));
    assert_eq!(set.keys.find(Some("same"), Algorithm::Ed25519).unwrap().algorithm(), Algorithm::Ed25519);
    assert_eq!(set.keys.find(Some("same"), Algorithm::RS256).unwrap_err(), VerifyError::Algorithm);
    // The same key twice counts once.
    let set = read(&[same(ec.clone()), same(ec.clone())]).unwrap();
    assert_eq!((set.keys.len(), set.skipped.len()), (1, 0));
    // Two keys of one name and algorithm: none of them can be meant.
    let set =
        read(&[same(ec.clone()), same(jwk(Algorithm::ES256)), same(ec), jwk(Algorithm::ES256)]).unwrap();
    assert_eq!(set.keys.len(), 1);
    assert_eq!(set.skipped.len(), 3);
    assert!(
        set.skipped
            .iter()
            .all(|key| key.reason == SkipReason::Ambiguous && key.kid.as_deref() == Some("same"))
    );
}

#[test]
fn ja_63_a_bad_set_is_refused_as_a_whole() {
    for body in [
        "<html>200 OK</html>",
        "",
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[]"#,
        r#"{"keys":[],"keys":[]}"#,
        "{\"keys\":[]}x",
    ] {
        assert_eq!(KeySet::from_jwks(body.as_bytes()).unwrap_err(), JwksError::Malformed, "{body}");
    }
    let huge = format!("{{\"keys\":[]}}{}", " ".repeat(512 * 1024));
    assert_eq!(KeySet::from_jwks(huge.as_bytes()).unwrap_err(), JwksError::TooLarge);
    assert_eq!(read(&vec![json!({}); 101]).unwrap_err(), JwksError::TooManyKeys);
    assert_eq!(read(&vec![json!({}); 100]).unwrap().skipped.len(), 100);
    assert!(read(&[]).unwrap().keys.is_empty());
}

#[test]
fn ja_39_ja_64_ver_12_unusable_keys_are_skipped() {
    let good = jwk(Algorithm::ES256);
    for (key, reason) in [
        (json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }), SkipReason::UnsupportedType),
        (json!({ "kty": "ec" }), SkipReason::UnsupportedType),
        (json!({}), SkipReason::UnsupportedType),
        (with(good.clone(), "alg", json!("ES384")), SkipReason::UnsupportedAlgorithm),
        (with(good.clone(), "alg", json!("RS256")), SkipReason::UnsupportedAlgorithm),
        (with(good.clone(), "use", json!("enc")), SkipReason::NotForSignatures),
        (with(good.clone(), "use", json!(["sig"])), SkipReason::NotForSignatures),
        (with(good.clone(), "key_ops", json!(["sign"])), SkipReason::NotForSignatures),
        (with(good.clone(), "key_ops", json!([])), SkipReason::NotForSignatures),
        (with(good.clone(), "key_ops", json!("verify")), SkipReason::NotForSignatures),
        (with(good.clone(), "kid", json!("")), SkipReason::KeyId),
        (with(good.clone(), "kid", json!(1)), SkipReason::KeyId),
        (with(good.clone(), "kid", json!("a\nb")), SkipReason::KeyId),
        (with(good.clone(), "kid", json!("x".repeat(257))), SkipReason::KeyId),
    ] {
        assert_eq!(skipped(key.clone()), reason, "{key}");
    }
    assert!(matches!(skipped(json!("x")), SkipReason::Key(KeyError::Malformed(_))));
    assert!(matches!(skipped(json!({ "kty": 1 })), SkipReason::Key(KeyError::Malformed(_))));
    for (name, value) in
        [("key_ops", json!(["verify"])), ("x5t", json!("digest")), ("exp", json!(NOW)), ("ext", json!(true))]
    {
        assert_eq!(read(&[with(good.clone(), name, value)]).unwrap().keys.len(), 1, "{name}");
    }
}

#[test]
fn a_key_without_alg_has_the_algorithm_of_its_type() {
    for (made_for, taken_for) in [
        (Algorithm::ES256, Algorithm::ES256),
        (Algorithm::Ed25519, Algorithm::Ed25519),
        (Algorithm::RS256, Algorithm::RS256),
        (Algorithm::PS256, Algorithm::RS256),
    ] {
        let mut key = jwk(made_for);
        key.as_object_mut().unwrap().remove("alg");
        key.as_object_mut().unwrap().remove("use");
        assert_eq!(read(&[key]).unwrap().keys.iter().next().unwrap().algorithm(), taken_for);
    }
    let legacy = with(jwk(Algorithm::Ed25519), "alg", json!("EdDSA"));
    assert_eq!(read(&[legacy]).unwrap().keys.iter().next().unwrap().algorithm(), Algorithm::Ed25519);
}

#[test]
fn a_published_set_verifies_its_tokens() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_asymmetric()) {
        let key = SigningKey::generate(algorithm).unwrap();
        let read = read(&[serde_json::to_value(key.public_jwk().unwrap()).unwrap()]).unwrap();
        let token = key.sign_access_token(&claims()).unwrap();
        assert!(verify(&token, &policy(algorithm).build().unwrap(), &read.keys, NOW).is_ok(), "{algorithm}");
    }
}
