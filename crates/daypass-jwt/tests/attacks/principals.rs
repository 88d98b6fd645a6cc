//! JA-53 to JA-55 and VER-15: who a token stands for and what it allows.

use daypass_jwt::{Algorithm, Binding, Principal, VerifyError};
use serde_json::{Value, json};

use crate::support::Forge;

#[test]
fn at_02_ja_53_required_claims() {
    let forge = Forge::new(Algorithm::ES256);
    for claim in ["sub", "client_id", "jti"] {
        let long = "x".repeat(256);
        for value in
            [None, Some(json!("")), Some(json!(1)), Some(Value::Null), Some(json!(["a"])), Some(json!(long))]
        {
            assert_eq!(
                forge.claim_with(claim, value.clone()).unwrap_err(),
                VerifyError::Claim(claim),
                "{value:?}"
            );
        }
        assert!(forge.claim_with(claim, Some(json!("x".repeat(255)))).is_ok());
    }
    for (claim, value) in [
        ("sid", json!(1)),
        ("acr", json!([])),
        ("amr", json!("pwd")),
        ("amr", json!([1])),
        ("auth_time", json!("1")),
        ("scope", Value::Null),
    ] {
        assert_eq!(forge.claim_with(claim, Some(value)).unwrap_err(), VerifyError::Claim(claim), "{claim}");
    }
}

#[test]
fn ja_53_ver_16_a_client_is_no_person() {
    let forge = Forge::new(Algorithm::ES256);
    let person = forge.check(&forge.good()).unwrap();
    assert_eq!(person.claims().principal(), Principal::Subject("ada"));
    let client = forge.claim_with("sub", Some(json!("web"))).unwrap();
    assert_eq!(client.claims().principal(), Principal::Client("web"));
}

#[test]
fn ja_54_ver_15_scopes_are_whole() {
    let forge = Forge::new(Algorithm::ES256);
    for scope in [
        json!(["read"]),
        json!("admin\0"),
        json!("a\tb"),
        json!("a  b"),
        json!(" a"),
        json!("a "),
        json!("a\nb"),
        json!("\"a\""),
        json!("caf\u{e9}"),
        json!("a\\b"),
    ] {
        assert_eq!(
            forge.claim_with("scope", Some(scope.clone())).unwrap_err(),
            VerifyError::Claim("scope"),
            "{scope}"
        );
    }
    let verified = forge.claim_with("scope", Some(json!("read:all write"))).unwrap();
    let scope = &verified.claims().scope;
    assert!(scope.contains("read:all") && scope.contains("write"));
    for absent in ["read", "read:al", "READ:ALL", "write ", "", "read:all write"] {
        assert!(!scope.contains(absent), "{absent}");
    }
    assert_eq!(scope.iter().count(), 2);
    let none = forge.claim_with("scope", None).unwrap();
    assert!(!none.claims().scope.contains("") && none.claims().scope.iter().next().is_none());
}

#[test]
fn ja_55_a_bound_token_is_no_bearer_token() {
    let forge = Forge::new(Algorithm::ES256);
    let jkt = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    let both = json!({ "jkt": "thumbprint", "x5t#S256": "digest" });
    for cnf in
        [jkt.clone(), both.clone(), json!({}), json!({ "kid": "1" }), json!("x"), Value::Null, json!([])]
    {
        assert_eq!(
            forge.claim_with("cnf", Some(cnf.clone())).unwrap_err(),
            VerifyError::Claim("cnf"),
            "{cnf}"
        );
    }

    let forge = forge.with_policy(|policy| policy.checks_binding(Binding::DpopKey));
    let verified = forge.claim_with("cnf", Some(jkt)).unwrap();
    let confirmation = verified.claims().cnf.as_ref().unwrap();
    assert_eq!(confirmation.jkt.as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    for cnf in
        [both.clone(), json!({ "jkt": 1 }), json!({ "jkt": "" }), json!({ "jkt": "a", "jwk": {} }), json!({})]
    {
        assert_eq!(
            forge.claim_with("cnf", Some(cnf.clone())).unwrap_err(),
            VerifyError::Claim("cnf"),
            "{cnf}"
        );
    }
    assert!(forge.check(&forge.good()).unwrap().claims().cnf.is_none());

    let forge = forge
        .with_policy(|policy| policy.checks_binding(Binding::DpopKey).checks_binding(Binding::Certificate));
    let verified = forge.claim_with("cnf", Some(both)).unwrap();
    let confirmation = verified.claims().cnf.as_ref().unwrap();
    assert!(confirmation.jkt.is_some() && confirmation.x5t_s256.is_some());
}
