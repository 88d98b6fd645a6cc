//! KEY-02 to KEY-09: keys as they are made, imported and published.

use std::collections::HashSet;

use daypass_jwt::{
    Algorithm, JwkSet, KeyError, KeySet, SignError, SigningKey, VerifyError, VerifyingKey, verify,
};
use serde_json::{Value, json};

use crate::support::{Forge, NOW, claims, policy, unb64};

#[test]
fn every_algorithm_signs_and_verifies() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let token = key.sign_access_token(&claims()).unwrap();
        let again = SigningKey::from_private(algorithm, &key.to_private()).unwrap();
        assert_eq!(key.kid(), again.kid());
        let keys = KeySet::new([again.verifying_key()]).unwrap();
        let verified = verify(&token, &policy(algorithm).build().unwrap(), &keys, NOW).unwrap();
        assert_eq!((verified.kid(), verified.typ()), (key.kid(), "at+jwt"));
        let header: Value = serde_json::from_slice(&unb64(token.split('.').next().unwrap())).unwrap();
        assert_eq!(header, json!({ "alg": algorithm.name(), "typ": "at+jwt", "kid": key.kid() }), "AT-01");
    }
}

#[test]
fn key_02_nothing_private_is_published() {
    let keys: Vec<SigningKey> =
        Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).unwrap()).into();
    let verifying: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
    let published: Value = serde_json::from_str(&JwkSet::new(&verifying).unwrap().to_json()).unwrap();
    let list = published["keys"].as_array().unwrap();
    assert_eq!(list.len(), 4, "the HS256 secret is not in it");
    for jwk in list {
        for member in jwk.as_object().unwrap().keys() {
            assert!(
                ["kty", "use", "alg", "kid", "crv", "x", "y", "n", "e"].contains(&member.as_str()),
                "{member}"
            );
        }
        assert_ne!(jwk["kty"], "oct");
        assert_eq!(jwk["use"], "sig");
        assert!(jwk["alg"].is_string() && jwk["kid"].is_string());
    }
    assert!(keys.last().unwrap().public_jwk().is_none());
    let read = KeySet::from_jwks(published.to_string().as_bytes()).unwrap();
    assert_eq!((read.keys.len(), read.skipped.len()), (4, 0));
}

#[test]
fn key_03_key_ids_are_unique() {
    let key = SigningKey::generate(Algorithm::RS256).unwrap();
    let twin = SigningKey::from_private(Algorithm::PS256, &key.to_private()).unwrap();
    let both = [key.verifying_key(), twin.verifying_key()];
    assert_eq!(JwkSet::new(&both).unwrap_err(), KeyError::DuplicateKeyId);
    let again = KeySet::new([key.verifying_key(), key.verifying_key()]).unwrap();
    assert_eq!(again.len(), 1);
}

#[test]
fn key_04_claims_are_an_object_and_tokens_have_a_size() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    assert!(matches!(key.sign_access_token(&[1]), Err(SignError::NotAnObject)));
    assert!(matches!(key.sign_access_token(&"x"), Err(SignError::NotAnObject)));
    assert!(matches!(key.sign_access_token(&json!({ "x": "y".repeat(16_000) })), Err(SignError::TooLarge)));
}

#[test]
fn key_05_weak_rsa_keys_are_not_imported() {
    let refused = |pem: &str| SigningKey::from_pem(Algorithm::RS256, pem).unwrap_err();
    assert!(matches!(refused(include_str!("../vectors/rsa-1024.pem")), KeyError::Malformed(_)));
    assert!(matches!(
        refused(include_str!("../vectors/rsa-2048-e3.pem")),
        KeyError::Weak(_) | KeyError::Malformed(_)
    ));
}

#[test]
fn key_06_short_secrets_are_refused() {
    for length in [0, 1, 16, 31] {
        assert!(matches!(
            SigningKey::from_private(Algorithm::HS256, &vec![7; length]),
            Err(KeyError::Weak(_))
        ));
    }
    let key = SigningKey::from_private(Algorithm::HS256, b"0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(key.kid().len(), 22);
    assert_eq!(VerifyingKey::from_secret(b"0123456789abcdef0123456789abcdef").unwrap().kid(), key.kid());
    let other = SigningKey::generate(Algorithm::HS256).unwrap();
    assert_ne!(other.kid(), key.kid());
}

#[test]
fn key_08_coordinates_have_full_length() {
    let mut leading_zeros = 0;
    let mut kids = HashSet::new();
    for _ in 0..3000 {
        let jwk = SigningKey::generate(Algorithm::ES256).unwrap().public_jwk().unwrap();
        let jwk = serde_json::to_value(&jwk).unwrap();
        for member in ["x", "y"] {
            let bytes = unb64(jwk[member].as_str().unwrap());
            assert_eq!(bytes.len(), 32);
            leading_zeros += usize::from(bytes[0] == 0);
        }
        assert!(kids.insert(jwk["kid"].to_string()), "KEY-03");
    }
    assert!(leading_zeros > 0, "the interesting case never came up");
    for _ in 0..300 {
        let jwk = SigningKey::generate(Algorithm::Ed25519).unwrap().public_jwk().unwrap();
        assert_eq!(unb64(serde_json::to_value(&jwk).unwrap()["x"].as_str().unwrap()).len(), 32);
    }
}

#[test]
fn key_09_rfc_7638_section_3_1() {
    let n = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs",
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn",
        "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    );
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    for jwk in [
        json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256" }),
        json!({ "use": "sig", "e": "AQAB", "n": n, "x-note": "members and order do not matter", "kty": "RSA" }),
    ] {
        let read = KeySet::from_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        assert_eq!(read.keys.iter().next().unwrap().kid(), thumbprint);
    }
}

#[test]
fn key_09_rfc_8037_a_3() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let read = KeySet::from_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    assert_eq!(read.keys.iter().next().unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn pem_documents_are_imported() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/rsa.json")).unwrap();
    let pem = vectors["private_key"].as_str().unwrap();
    let key = SigningKey::from_pem(Algorithm::PS256, &pem.replace('\n', "\r\n")).unwrap();
    assert_eq!(key.kid(), vectors["kid"].as_str().unwrap());
    for wrong in [
        String::new(),
        "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----".to_owned(),
        format!("{pem}{pem}"),
        pem.replace("MII", "M*I"),
    ] {
        assert!(matches!(SigningKey::from_pem(Algorithm::PS256, &wrong), Err(KeyError::Malformed(_))));
    }
    for algorithm in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::HS256] {
        assert!(matches!(SigningKey::from_pem(algorithm, pem), Err(KeyError::Malformed(_))), "{algorithm}");
    }
}

#[test]
fn nothing_prints_a_secret() {
    let secret = b"0123456789abcdef0123456789abcdef";
    let key = SigningKey::from_private(Algorithm::HS256, secret).unwrap();
    let shown = format!("{key:?} {:?}", key.verifying_key());
    assert!(!shown.contains("0123456789") && !shown.contains("48, 49, 50") && shown.contains(key.kid()));

    let forge = Forge::new(Algorithm::ES256);
    let token = forge.good();
    let unverified = daypass_jwt::parse(&token, &forge.policy, NOW).unwrap();
    let shown = format!("{unverified:?} {:?}", VerifyError::Claim("sub"));
    assert!(!token.split('.').any(|segment| shown.contains(segment)));
}
