//! JA-45 to JA-54: times, issuer and audience.

use daypass_jwt::{Algorithm, KeySet, Policy, PolicyBuilder, PolicyError, SigningKey, VerifyError, verify};
use serde_json::{Value, json};

use crate::support::{AUDIENCE, Forge, ISSUER, NOW, claims, policy};

#[test]
fn ja_45_dates_are_numbers() {
    let forge = Forge::new(Algorithm::ES256);
    for claim in ["exp", "iat", "nbf"] {
        for value in [json!("9999999999"), Value::Null, json!(true), json!([NOW]), json!({}), json!("")] {
            let refusal = forge.claim_with(claim, Some(value.clone())).unwrap_err();
            assert_eq!(refusal, VerifyError::Claim(claim), "{claim} {value}");
        }
    }
    assert_eq!(forge.claim_with("exp", None).unwrap_err(), VerifyError::Claim("exp"));
    assert_eq!(forge.claim_with("iat", None).unwrap_err(), VerifyError::Claim("iat"));
    assert!(forge.claim_with("nbf", None).is_ok());
    assert!(forge.claim_with("nbf", Some(json!(NOW))).is_ok());
}

#[test]
fn ja_46_the_past_is_over_and_the_far_future_never_comes() {
    let forge = Forge::new(Algorithm::ES256);
    for exp in [json!(-1), json!(0), json!(-1.5e9), json!(NOW - 5), json!(i64::from(i32::MIN))] {
        assert_eq!(forge.claim_with("exp", Some(exp.clone())).unwrap_err(), VerifyError::Expired, "{exp}");
    }
    for exp in
        ["9007199254740993", "9223372036854775807", "18446744073709551615", "99999999999999999999", "1e308"]
    {
        let payload =
            claims().to_string().replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{exp}"));
        assert_eq!(forge.claims_text(payload).unwrap_err(), VerifyError::Claim("exp"), "{exp}");
    }
    for exp in ["-9223372036854775808", "-1e308"] {
        let payload =
            claims().to_string().replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{exp}"));
        assert!(forge.claims_text(payload).is_err(), "{exp}");
    }
    for exp in ["1750000600.5", "1.7500006e9", "1750000600.0"] {
        let payload =
            claims().to_string().replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{exp}"));
        assert_eq!(forge.claims_text(payload).unwrap().claims().exp, NOW + 600, "{exp}");
    }
}

#[test]
fn ja_46_extreme_clocks_do_not_overflow() {
    let forge = Forge::new(Algorithm::ES256);
    for now in [i64::MIN, -1, 0, i64::MAX] {
        assert!(verify(&forge.good(), &forge.policy, &forge.keys, now).is_err());
    }
}

#[test]
fn ver_09_boundaries_to_the_second() {
    let forge = Forge::new(Algorithm::ES256);
    let at = |forge: &Forge, now: i64| verify(&forge.good(), &forge.policy, &forge.keys, now).err();
    let exp = NOW + 600;
    assert_eq!(at(&forge, exp + 4), None, "within the leeway of 5 s");
    assert_eq!(at(&forge, exp + 5), Some(VerifyError::Expired));
    assert_eq!(at(&forge, NOW - 30), None, "iat within the leeway of 30 s");
    assert_eq!(at(&forge, NOW - 31), Some(VerifyError::NotYetValid));

    let exact = forge.with_policy(|policy| policy.leeway_seconds(0).future_leeway_seconds(0));
    assert_eq!(at(&exact, exp - 1), None);
    assert_eq!(at(&exact, exp), Some(VerifyError::Expired));
    assert_eq!(at(&exact, NOW), None);
    assert_eq!(at(&exact, NOW - 1), Some(VerifyError::NotYetValid));

    // Fractions are rounded towards refusal.
    let check = |name: &str, value: f64| exact.claim_with(name, Some(json!(value))).err();
    assert_eq!(check("nbf", 1_750_000_000.0), None);
    assert_eq!(check("nbf", 1_750_000_000.5), Some(VerifyError::NotYetValid));
    assert_eq!(check("exp", 1_750_000_000.5), Some(VerifyError::Expired));
}

#[test]
fn ja_47_ver_10_lifetime_and_issue() {
    let forge = Forge::new(Algorithm::ES256);
    assert!(forge.claim_with("exp", Some(json!(NOW + 3600))).is_ok());
    assert_eq!(forge.claim_with("exp", Some(json!(NOW + 3601))).unwrap_err(), VerifyError::Claim("exp"));
    assert_eq!(forge.claim_with("iat", Some(json!(NOW - 3001))).unwrap_err(), VerifyError::Claim("exp"));
    assert_eq!(forge.claim_with("iat", Some(json!(0))).unwrap_err(), VerifyError::Claim("exp"));
    assert!(forge.claim_with("iat", Some(json!(NOW + 30))).is_ok());
    // A token that ends when it begins, or before.
    for exp in [NOW + 20, NOW + 10] {
        let payload =
            claims().to_string().replace(&format!("\"exp\":{}", NOW + 600), &format!("\"exp\":{exp}"));
        let payload = payload.replace(&format!("\"iat\":{NOW}"), &format!("\"iat\":{}", NOW + 20));
        assert_eq!(forge.claims_text(payload).unwrap_err(), VerifyError::Claim("exp"));
    }
    for iat in [NOW + 31, NOW + 61, NOW + 700] {
        assert_eq!(forge.claim_with("iat", Some(json!(iat))).unwrap_err(), VerifyError::NotYetValid);
    }
}

#[test]
fn ja_48_not_before() {
    let forge = Forge::new(Algorithm::ES256);
    assert_eq!(forge.claim_with("nbf", Some(json!(NOW + 31))).unwrap_err(), VerifyError::NotYetValid);
    assert!(forge.claim_with("nbf", Some(json!(NOW + 30))).is_ok());
    assert_eq!(forge.claim_with("nbf", Some(json!(NOW + 601))).unwrap_err(), VerifyError::Claim("nbf"));
    assert_eq!(
        forge.claim_with("nbf", Some(json!(253_402_300_799_i64))).unwrap_err(),
        VerifyError::Claim("nbf")
    );
}

#[test]
fn ja_49_ver_07_a_policy_has_bounds() {
    let fault = |set: fn(PolicyBuilder) -> PolicyBuilder| set(policy(Algorithm::ES256)).build().err();
    assert_eq!(fault(|policy| policy.leeway_seconds(300).future_leeway_seconds(300)), None);
    assert_eq!(fault(|policy| policy.leeway_seconds(301)), Some(PolicyError::Leeway));
    assert_eq!(fault(|policy| policy.future_leeway_seconds(u32::MAX)), Some(PolicyError::Leeway));
    assert_eq!(fault(|policy| policy.max_lifetime_seconds(0)), Some(PolicyError::Lifetime));
    assert_eq!(fault(|policy| policy.max_lifetime_seconds(u32::MAX)), Some(PolicyError::Lifetime));
    assert_eq!(fault(|policy| policy.max_token_bytes(0)), Some(PolicyError::Size));
    assert_eq!(fault(|policy| policy.max_token_bytes(usize::MAX)), Some(PolicyError::Size));
    assert_eq!(fault(|policy| policy.also_audience("")), Some(PolicyError::NoAudience));
    assert_eq!(fault(|policy| policy.types([""])), Some(PolicyError::NoType));
    assert_eq!(fault(|policy| policy.types(Vec::<String>::new())), Some(PolicyError::NoType));
    let no_issuer = Policy::builder("", AUDIENCE, Algorithm::ES256).build();
    assert_eq!(no_issuer.err(), Some(PolicyError::NoIssuer));
}

#[test]
fn ja_50_the_issuer_is_exact() {
    let forge = Forge::new(Algorithm::ES256);
    for iss in [
        None,
        Some(json!([ISSUER])),
        Some(Value::Null),
        Some(json!({ "iss": ISSUER })),
        Some(json!("")),
        Some(json!("https://id.example/")),
        Some(json!("https://ID.example")),
        Some(json!("HTTPS://id.example")),
        Some(json!("http://id.example")),
        Some(json!("https://user@id.example")),
        Some(json!("https://id.example:443")),
        Some(json!("https://id.example.evil.example")),
        Some(json!("https://evil.example/https://id.example")),
        Some(json!("https://id.exampl")),
        Some(json!("https://\u{456}d.example")),
        Some(json!("https://xn--d-3ea.example")),
        Some(json!(" https://id.example")),
    ] {
        assert_eq!(forge.claim_with("iss", iss.clone()).unwrap_err(), VerifyError::Issuer, "{iss:?}");
    }
    assert!(forge.claim_with("iss", Some(json!(ISSUER))).is_ok());
}

#[test]
fn ja_51_ja_58_ver_08_an_issuer_signs_only_for_itself() {
    let ours = Forge::new(Algorithm::ES256);
    let theirs = Forge::new(Algorithm::ES256);
    let policy = Policy::builder("https://other.example", AUDIENCE, Algorithm::ES256).build().unwrap();
    // Their key says it is us: their keys are in their set only.
    assert_eq!(ours.refusal(&theirs.good()), VerifyError::UnknownKey);
    assert_eq!(verify(&theirs.good(), &policy, &theirs.keys, NOW).unwrap_err(), VerifyError::Issuer);
    // Even a key of both sets is bound to the issuer that the token states.
    let shared = KeySet::new([ours.key.verifying_key(), theirs.key.verifying_key()]).unwrap();
    assert_eq!(verify(&ours.good(), &policy, &shared, NOW).unwrap_err(), VerifyError::Issuer);
}

#[test]
fn ja_52_the_audience() {
    let forge = Forge::new(Algorithm::ES256);
    for aud in [
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!([])),
        Some(json!([""])),
        Some(json!(1)),
        Some(json!([[AUDIENCE]])),
        Some(json!([AUDIENCE, 1])),
        Some(json!({ "aud": AUDIENCE })),
        Some(json!("https://api.exampl")),
        Some(json!("https://api.example/")),
        Some(json!("https://API.example")),
        Some(json!("api.example")),
        Some(json!("https://api.example,https://other.example")),
        Some(json!("https://api.example https://other.example")),
        Some(json!(["https://other.example"])),
    ] {
        assert_eq!(forge.claim_with("aud", aud.clone()).unwrap_err(), VerifyError::Audience, "{aud:?}");
    }
    let several = json!(["https://other.example", AUDIENCE]);
    assert!(forge.claim_with("aud", Some(several.clone())).is_ok());
    assert!(forge.claim_with("aud", Some(json!([AUDIENCE]))).is_ok());

    let forge = forge.with_policy(PolicyBuilder::single_audience);
    assert_eq!(forge.claim_with("aud", Some(several)).unwrap_err(), VerifyError::Audience);
    assert!(forge.claim_with("aud", Some(json!([AUDIENCE]))).is_ok());

    let forge = forge.with_policy(|policy| policy.also_audience("second"));
    assert!(forge.claim_with("aud", Some(json!("second"))).is_ok());
}

#[test]
fn ver_14_checks_come_in_order_and_claims_wait_for_the_signature() {
    // Each token has every fault from its step on; the first one is named.
    let forge = Forge::new(Algorithm::ES256);
    let stranger = SigningKey::generate(Algorithm::ES256).unwrap();
    let mut header = json!({ "alg": "none", "typ": "JWT", "kid": stranger.kid() });
    let mut payload = json!({ "iss": "x", "aud": "x", "exp": NOW - 600, "iat": NOW - 900, "sub": 1 });
    let refusal = |header: &Value, payload: &Value| {
        forge.refusal(&forge.token(header.to_string(), payload.to_string()))
    };
    assert_eq!(refusal(&header, &payload), VerifyError::Algorithm);
    header["alg"] = json!("ES256");
    assert_eq!(refusal(&header, &payload), VerifyError::Type);
    header["typ"] = json!("at+jwt");
    assert_eq!(refusal(&header, &payload), VerifyError::Issuer);
    payload["iss"] = json!(ISSUER);
    assert_eq!(refusal(&header, &payload), VerifyError::Expired);
    payload["exp"] = json!(NOW + 600);
    assert_eq!(refusal(&header, &payload), VerifyError::Audience);
    payload["aud"] = json!(AUDIENCE);
    assert_eq!(refusal(&header, &payload), VerifyError::UnknownKey);
    header["kid"] = json!(forge.key.kid());
    let other = Forge::new(Algorithm::ES256).token(header.to_string(), payload.to_string());
    assert_eq!(forge.refusal(&other), VerifyError::BadSignature, "sub is not judged yet");
    assert_eq!(refusal(&header, &payload), VerifyError::Claim("sub"));
}
