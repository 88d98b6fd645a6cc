//! JA-26, JA-34 to JA-44: header parameters.

use daypass_jwt::{Algorithm, KeySet, SigningKey, VerifyError, verify, verify_jws};
use serde_json::{Value, json};

use crate::support::{Forge, NOW, claims};

#[test]
fn ja_26_ja_34_ja_35_ja_42_parameters_that_change_the_rules() {
    let forge = Forge::new(Algorithm::ES256);
    let attacker = SigningKey::generate(Algorithm::ES256).unwrap();
    let jwk = serde_json::to_value(attacker.public_jwk().unwrap()).unwrap();
    for (name, value) in [
        ("zip", json!("DEF")),
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!("http://169.254.169.254/")),
        ("jku", json!("file:///etc/passwd")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
    ] {
        assert_eq!(forge.header_with(name, Some(value)).unwrap_err(), VerifyError::Header(name), "{name}");
    }
    let unencoded =
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": forge.key.kid(), "b64": false, "crit": ["b64"] });
    assert!(forge.check(&forge.token(unencoded.to_string(), claims().to_string())).is_err());
}

#[test]
fn ja_34_an_embedded_key_with_its_own_signature() {
    let forge = Forge::new(Algorithm::ES256);
    let attacker = Forge::new(Algorithm::ES256);
    let jwk = serde_json::to_value(attacker.key.public_jwk().unwrap()).unwrap();
    for header in [
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": attacker.key.kid(), "jwk": jwk }),
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": forge.key.kid(), "jwk": jwk }),
    ] {
        let token = attacker.token(header.to_string(), claims().to_string());
        assert_eq!(forge.refusal(&token), VerifyError::Header("jwk"));
        assert!(verify_jws(&token, &forge.keys, Algorithm::ES256).is_err());
    }
}

#[test]
fn ja_36_a_key_id_is_only_looked_up() {
    let forge = Forge::new(Algorithm::ES256);
    for kid in [
        "../../dev/null",
        "/proc/self/environ",
        "' OR 1=1--",
        "*)(uid=*",
        "|id",
        "\u{202e}",
        "key\u{ff0e}",
        &forge.key.kid()[1..],
        &forge.key.kid().to_uppercase(),
        &"x".repeat(256),
    ] {
        assert_eq!(forge.header_with("kid", Some(json!(kid))).unwrap_err(), VerifyError::UnknownKey, "{kid}");
    }
    for kid in ["", "a\r\nb", &"x".repeat(257)] {
        assert_eq!(
            forge.header_with("kid", Some(json!(kid))).unwrap_err(),
            VerifyError::Header("kid"),
            "{kid}"
        );
    }
    let long = json!("x".repeat(1_000_000));
    assert_eq!(forge.header_with("kid", Some(long)).unwrap_err(), VerifyError::TooLarge);
}

#[test]
fn ja_37_a_key_id_is_a_string() {
    let forge = Forge::new(Algorithm::ES256);
    for kid in
        [Value::Null, json!(1), json!(true), json!([forge.key.kid()]), json!({ "kid": forge.key.kid() })]
    {
        assert_eq!(
            forge.header_with("kid", Some(kid.clone())).unwrap_err(),
            VerifyError::Header("kid"),
            "{kid}"
        );
    }
}

#[test]
fn ja_38_a_missing_key_id() {
    let forge = Forge::new(Algorithm::ES256);
    assert_eq!(forge.header_with("kid", None).unwrap_err(), VerifyError::Header("kid"));

    let mut forge = forge.with_policy(daypass_jwt::PolicyBuilder::key_id_optional);
    assert!(forge.header_with("kid", None).is_ok(), "exactly one eligible key");

    let other_algorithm = SigningKey::generate(Algorithm::Ed25519).unwrap().verifying_key();
    forge.keys = KeySet::new([forge.key.verifying_key(), other_algorithm.clone()]).unwrap();
    assert!(forge.header_with("kid", None).is_ok(), "the other key is for another algorithm");

    let same_algorithm = SigningKey::generate(Algorithm::ES256).unwrap().verifying_key();
    forge.keys = KeySet::new([forge.key.verifying_key(), same_algorithm]).unwrap();
    assert_eq!(forge.header_with("kid", None).unwrap_err(), VerifyError::Header("kid"));

    forge.keys = KeySet::new([other_algorithm]).unwrap();
    assert_eq!(forge.header_with("kid", None).unwrap_err(), VerifyError::UnknownKey);
}

#[test]
fn ja_39_a_key_of_somebody_else_or_of_the_past() {
    let forge = Forge::new(Algorithm::ES256);
    let other = Forge::new(Algorithm::ES256);
    assert_eq!(forge.refusal(&other.good()), VerifyError::UnknownKey);
    let retired = KeySet::default();
    assert_eq!(verify(&forge.good(), &forge.policy, &retired, NOW).unwrap_err(), VerifyError::UnknownKey);
}

#[test]
fn ja_41_crit_is_never_understood() {
    let forge = Forge::new(Algorithm::ES256);
    for crit in [
        json!(["exp"]),
        json!([]),
        json!(["b64", "b64"]),
        json!("b64"),
        json!(["unknown"]),
        json!(["alg"]),
        json!([1]),
        json!({}),
        Value::Null,
    ] {
        assert_eq!(
            forge.header_with("crit", Some(crit.clone())).unwrap_err(),
            VerifyError::Header("crit"),
            "{crit}"
        );
    }
}

#[test]
fn ja_43_ver_01_the_type_is_exact() {
    let forge = Forge::new(Algorithm::ES256);
    for typ in [
        None,
        Some(json!("JWT")),
        Some(json!("at+JWT")),
        Some(json!("AT+JWT")),
        Some(json!("at+jwt ")),
        Some(json!("at jwt")),
        Some(json!("at+jwt;x=1")),
        Some(json!("application/at+jwt;x=1")),
        Some(json!("APPLICATION/at+jwt")),
        Some(json!("application/application/at+jwt")),
        Some(json!("")),
        Some(json!(["at+jwt"])),
        Some(Value::Null),
    ] {
        assert_eq!(forge.header_with("typ", typ.clone()).unwrap_err(), VerifyError::Type, "{typ:?}");
    }
    assert!(forge.header_with("typ", Some(json!("at+jwt"))).is_ok());
    assert!(forge.header_with("typ", Some(json!("application/at+jwt"))).is_ok());
}

#[test]
fn ja_44_ver_18_unknown_parameters_are_ignored() {
    let forge = Forge::new(Algorithm::ES256);
    assert!(forge.header_with("x-trace", Some(json!({ "a": [1] }))).is_ok());
    assert!(forge.header_with("x5t#S256", Some(json!("digest"))).is_ok());
    assert!(forge.claim_with("unknown", Some(json!([1, { "a": null }]))).is_ok());
}

#[test]
fn ja_56_key_13_one_kind_of_jwt_is_never_another() {
    let forge = Forge::new(Algorithm::ES256);
    for typ in [
        "JWT",
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "client-authentication+jwt",
        "token-introspection+jwt",
        "statuslist+jwt",
        "oauth-authz-req+jwt",
    ] {
        let token = forge.key.sign(typ, &claims()).unwrap();
        assert_eq!(forge.refusal(&token), VerifyError::Type, "{typ}");
        let jws = verify_jws(&token, &forge.keys, Algorithm::ES256).unwrap();
        assert!(jws.payload(typ).is_ok());
        assert_eq!(jws.payload("at+jwt").unwrap_err(), VerifyError::Type);

        let access = verify_jws(&forge.good(), &forge.keys, Algorithm::ES256).unwrap();
        assert_eq!(access.payload(typ).unwrap_err(), VerifyError::Type);
    }
}
