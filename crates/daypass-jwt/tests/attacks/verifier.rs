//! What a verifier gets: typed claims, its own type, and a look-up between the two halves.

use daypass_jwt::{Algorithm, SigningKey, VerifyError, issuer_of, parse, verify_jws};
use serde::Deserialize;
use serde_json::json;

use crate::support::{AUDIENCE, Forge, ISSUER, NOW};

#[derive(Debug, Deserialize, PartialEq)]
struct Profile {
    name: String,
    #[serde(default)]
    roles: Vec<String>,
}

#[test]
fn claims_are_typed() {
    let forge = Forge::new(Algorithm::ES256);
    let verified = forge.check(&forge.good()).unwrap();
    let claims = verified.claims();
    assert_eq!((claims.iss.as_str(), claims.sub.as_str(), claims.client_id.as_str()), (ISSUER, "ada", "web"));
    assert_eq!(claims.aud, [AUDIENCE]);
    assert_eq!(
        (claims.iat, claims.exp, claims.nbf, claims.auth_time),
        (NOW, NOW + 600, None, Some(NOW - 60))
    );
    assert_eq!(
        (claims.jti.as_str(), claims.sid.as_deref(), claims.acr.as_deref()),
        ("t-1", Some("s-1"), None)
    );
    assert_eq!((claims.scope.as_str(), &claims.amr[..]), ("read write:all", &["pwd".to_owned()][..]));
    assert!(verified.extra().as_bytes().starts_with(b"{"));

    let profile = verified.decode::<Profile>().unwrap();
    assert_eq!(profile.extra(), &Profile { name: "Ada".to_owned(), roles: vec![] });
    assert_eq!(profile.into_parts().0.sub, "ada");

    let misfit = forge.claim_with("name", Some(json!(1))).unwrap().decode::<Profile>();
    assert_eq!(misfit.unwrap_err().code(), "malformed");
}

#[test]
fn the_key_is_looked_up_between_the_halves() {
    let forge = Forge::new(Algorithm::ES256);
    let other = SigningKey::generate(Algorithm::ES256).unwrap().verifying_key();
    let wrong_type = SigningKey::generate(Algorithm::Ed25519).unwrap().verifying_key();
    let token = forge.good();
    let half = || parse(&token, &forge.policy, NOW).unwrap();
    assert_eq!((half().kid(), half().algorithm()), (Some(forge.key.kid()), Algorithm::ES256));
    assert!(half().verify(&forge.key.verifying_key()).is_ok());
    assert_eq!(half().verify(&other).unwrap_err(), VerifyError::UnknownKey);
    assert_eq!(half().verify(&wrong_type).unwrap_err(), VerifyError::Algorithm);
}

#[test]
fn the_time_of_issue_is_known_before_the_key() {
    let forge = Forge::new(Algorithm::ES256);
    let issued = |iat: serde_json::Value| {
        let mut claims = crate::support::claims();
        claims["iat"] = iat;
        let token = forge.token(forge.header().to_string(), claims.to_string());
        parse(&token, &forge.policy, NOW).map(|half| half.issued_at())
    };
    assert_eq!(issued(json!(NOW - 7)), Ok(NOW - 7));
    assert_eq!(issued(json!(1_749_999_999.9)), Ok(NOW - 1), "rounded down");
    // What the policy refuses is not told.
    assert_eq!(issued(json!(NOW + 31)), Err(VerifyError::NotYetValid));
    assert_eq!(issued(json!("now")), Err(VerifyError::Claim("iat")));
}

#[test]
fn the_issuer_is_told_by_the_same_strict_form_and_of_bounded_tokens() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    assert_eq!(issuer_of(&good, good.len()).as_deref(), Ok(ISSUER));
    assert_eq!(issuer_of(&good, good.len() - 1), Err(VerifyError::TooLarge));
    // Neither the header nor the signature is looked at: the issuer's own policy does that.
    assert_eq!(issuer_of(&Forge::new(Algorithm::Ed25519).good(), 4096).as_deref(), Ok(ISSUER));
    let of = |payload: &str| issuer_of(&forge.token(forge.header().to_string(), payload), 4096);
    assert_eq!(of(r#"{"iss":"https:\/\/a.example"}"#).as_deref(), Ok("https://a.example"));
    for other in
        ["{}", r#"{"iss":1}"#, r#"{"iss":null}"#, r#"{"iss":["https://id.example"]}"#, r#"{"ISS":"a"}"#]
    {
        assert_eq!(of(other), Err(VerifyError::Issuer), "{other}");
    }
    for other in
        [r#"{"iss":"a","iss":"b"}"#, r#"{"iss":"a","\u0069ss":"b"}"#, r#"["iss"]"#, "", r#"{"iss":"a"} x"#]
    {
        assert_eq!(of(other).unwrap_err().code(), "malformed", "{other}");
    }
    let parts: Vec<&str> = good.split('.').collect();
    for other in [
        String::new(),
        parts[1].to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.x"),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
    ] {
        assert_eq!(issuer_of(&other, 4096).unwrap_err().code(), "malformed", "{other}");
    }
}

#[test]
fn ver_14_nothing_of_an_unverified_token_can_be_read() {
    // The only ways out are what a key is chosen by, the key id, the algorithm, the time of issue and the issuer:
    // this test is that nothing else compiles, and that a payload of the wrong form is refused before a caller's
    // type sees it.
    struct Bomb;
    impl<'de> Deserialize<'de> for Bomb {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("claims were read before the signature was checked")
        }
    }
    let forge = Forge::new(Algorithm::ES256);
    let forged =
        Forge::new(Algorithm::ES256).token(forge.header().to_string(), crate::support::claims().to_string());
    let result = forge.check(&forged).and_then(daypass_jwt::Verified::decode::<Bomb>);
    assert_eq!(result.err(), Some(VerifyError::BadSignature));
}

#[test]
fn verify_jws_is_as_strict_about_form() {
    let forge = Forge::new(Algorithm::ES256);
    let check = |token: &str| verify_jws(token, &forge.keys, Algorithm::ES256).map(|_| ());
    let header = |typ: &str| json!({ "alg": "ES256", "typ": typ, "kid": forge.key.kid() }).to_string();
    assert_eq!(check(&forge.token(header("x"), "{}")), Ok(()));
    assert_eq!(check(&forge.token(json!({ "alg": "ES256" }).to_string(), "{}")), Ok(()), "one eligible key");
    for payload in ["[]", "", "{\"a\":1,\"a\":2}", "{}x"] {
        assert_eq!(check(&forge.token(header("x"), payload)).unwrap_err().code(), "malformed", "{payload}");
    }
    assert_eq!(check(&".".repeat(20_000)), Err(VerifyError::TooLarge));
    assert_eq!(check(&Forge::new(Algorithm::ES256).good()), Err(VerifyError::UnknownKey));
    assert_eq!(check(&Forge::new(Algorithm::Ed25519).good()), Err(VerifyError::Algorithm));
    let stolen = Forge::new(Algorithm::ES256).token(header("x"), "{}");
    assert_eq!(check(&stolen), Err(VerifyError::BadSignature));
    let jws = verify_jws(
        &forge.token(json!({ "alg": "ES256" }).to_string(), "{\"a\":1}"),
        &forge.keys,
        Algorithm::ES256,
    );
    let jws = jws.unwrap();
    assert_eq!((jws.typ(), jws.payload_of_any_type()), (None, &b"{\"a\":1}"[..]));
    assert!(jws.payload("").is_err());
}

#[test]
fn codes_are_stable_and_texts_hold_no_token() {
    let codes: Vec<&str> = [
        VerifyError::TooLarge,
        VerifyError::Malformed("x"),
        VerifyError::Algorithm,
        VerifyError::Header("x"),
        VerifyError::Type,
        VerifyError::Issuer,
        VerifyError::Expired,
        VerifyError::NotYetValid,
        VerifyError::Audience,
        VerifyError::UnknownKey,
        VerifyError::BadSignature,
        VerifyError::Claim("x"),
    ]
    .iter()
    .map(VerifyError::code)
    .collect();
    assert_eq!(
        codes.join(" "),
        "too_large malformed algorithm header type issuer expired not_yet_valid audience unknown_key bad_signature claim"
    );
    assert!(VerifyError::Expired.is_expired() && VerifyError::UnknownKey.is_unknown_key());
}
