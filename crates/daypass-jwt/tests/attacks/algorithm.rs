//! JA-01 to JA-07: the algorithm is the key's, on the list, and spelt right.

use daypass_jwt::{Algorithm, Algorithms, KeySet, Policy, SigningKey, VerifyError, VerifyingKey, verify_jws};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Forge, ISSUER, NOW, b64, claims, mac, policy, unb64};

#[test]
fn ja_01_none_is_no_algorithm() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let real_signature = good.rsplit('.').next().unwrap();
    for name in ["none", "None", "NONE", "nOnE", "none ", "non\u{0435}"] {
        let header = json!({ "alg": name, "typ": "at+jwt", "kid": forge.key.kid() }).to_string();
        let input = format!("{}.{}", b64(header), b64(claims().to_string()));
        assert_eq!(forge.refusal(&format!("{input}.{real_signature}")), VerifyError::Algorithm, "{name}");
        assert_eq!(forge.refusal(&format!("{input}.")).code(), "malformed", "{name}");
        assert_eq!(forge.refusal(&input).code(), "malformed", "{name}");
    }
    assert!(forge.check(&good).is_ok());
}

#[test]
fn ja_02_alg_is_an_exact_string() {
    let forge = Forge::new(Algorithm::ES256);
    for alg in [
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!(256)),
        Some(json!(["ES256"])),
        Some(json!({"ES256": true})),
        Some(json!("es256")),
        Some(json!("ES256\0")),
        Some(json!(" ES256")),
        Some(json!("ES256 ")),
    ] {
        assert_eq!(forge.header_with("alg", alg.clone()).unwrap_err(), VerifyError::Algorithm, "{alg:?}");
    }
}

#[test]
fn ja_03_ja_04_a_public_key_is_no_secret() {
    for algorithm in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::RS256] {
        let mut forge = Forge::new(algorithm);
        // The worst case: the verifier's list has HS256 too.
        forge.policy = Policy::builder(ISSUER, AUDIENCE, [algorithm, Algorithm::HS256]).build().unwrap();
        let jwk = serde_json::to_value(forge.key.public_jwk().unwrap()).unwrap();
        let mut forms: Vec<Vec<u8>> = vec![jwk.to_string().into_bytes()];
        for member in ["x", "n"] {
            if let Some(number) = jwk.get(member).and_then(Value::as_str) {
                let bytes = unb64(number);
                let pem = format!("-----BEGIN PUBLIC KEY-----\n{number}\n-----END PUBLIC KEY-----\n");
                forms.extend([
                    bytes,
                    number.as_bytes().to_vec(),
                    pem.replace('\n', "\r\n").into(),
                    pem.into(),
                ]);
            }
        }
        for secret in forms {
            let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": forge.key.kid() }).to_string();
            let input = format!("{}.{}", b64(header), b64(claims().to_string()));
            let token = format!("{input}.{}", b64(mac(&secret, &input)));
            assert_eq!(forge.refusal(&token), VerifyError::Algorithm);
        }
        assert!(forge.check(&forge.good()).is_ok());
    }
    assert!(VerifyingKey::from_secret(b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n").is_err());
}

#[test]
fn ja_05_one_key_has_one_algorithm() {
    let forge = Forge::new(Algorithm::RS256);
    let private = forge.key.to_private();
    let pss = SigningKey::from_private(Algorithm::PS256, &private).unwrap();
    let both = Policy::builder(ISSUER, AUDIENCE, [Algorithm::RS256, Algorithm::PS256]).build().unwrap();
    let token = pss.sign_access_token(&claims()).unwrap();
    // The same numbers, hence the same key id, but the set has them for RS256.
    assert_eq!(pss.kid(), forge.key.kid());
    let refused = daypass_jwt::verify(&token, &both, &forge.keys, NOW).unwrap_err();
    assert_eq!(refused, VerifyError::Algorithm);
    let keys = KeySet::new([pss.verifying_key()]).unwrap();
    assert!(daypass_jwt::verify(&token, &both, &keys, NOW).is_ok());

    for name in ["RS384", "RS512", "PS384", "ES384", "ES512", "EdDSA", "Ed448"] {
        assert_eq!(
            forge.header_with("alg", Some(json!(name))).unwrap_err(),
            VerifyError::Algorithm,
            "{name}"
        );
    }
}

#[test]
fn ja_06_the_algorithm_must_be_on_the_list() {
    let forge = Forge::new(Algorithm::Ed25519);
    let only_es256 = policy(Algorithm::ES256).build().unwrap();
    let refused = daypass_jwt::verify(&forge.good(), &only_es256, &forge.keys, NOW).unwrap_err();
    assert_eq!(refused, VerifyError::Algorithm);
    assert!(verify_jws(&forge.good(), &forge.keys, Algorithms::from_iter([])).is_err());
}

#[test]
fn ja_06_key_07_eddsa_is_opt_in() {
    let mut forge = Forge::new(Algorithm::Ed25519);
    assert_eq!(forge.header_with("alg", Some(json!("EdDSA"))).unwrap_err(), VerifyError::Algorithm);
    let legacy = Algorithms::from(Algorithm::Ed25519).with_legacy_eddsa();
    forge.policy = Policy::builder(ISSUER, AUDIENCE, legacy).build().unwrap();
    assert!(forge.header_with("alg", Some(json!("EdDSA"))).is_ok());
    assert!(forge.check(&forge.good()).is_ok());

    let without = Algorithms::from(Algorithm::ES256).with_legacy_eddsa();
    forge.policy = Policy::builder(ISSUER, AUDIENCE, without).build().unwrap();
    assert_eq!(forge.header_with("alg", Some(json!("EdDSA"))).unwrap_err(), VerifyError::Algorithm);
}

#[test]
fn ja_07_unknown_algorithms_have_no_fallback() {
    let forge = Forge::new(Algorithm::ES256);
    for name in ["ES256K", "HS1", "RS1", "ML-DSA-44", "HS256", "A128KW", "dir", "PBES2-HS256+A128KW"] {
        assert_eq!(
            forge.header_with("alg", Some(json!(name))).unwrap_err(),
            VerifyError::Algorithm,
            "{name}"
        );
    }
}

#[test]
fn ver_07_names_are_exact_and_round_trip() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        assert_eq!(serde_json::to_value(algorithm).unwrap(), json!(algorithm.name()));
        assert!(algorithm.name().to_lowercase().parse::<Algorithm>().is_err());
    }
    assert!(Policy::builder(ISSUER, AUDIENCE, []).build().is_err());
}
