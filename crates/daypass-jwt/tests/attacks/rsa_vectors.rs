//! JA-05, JA-13 to JA-15: RSA signatures that only a holder of the private key who means harm can make.
//!
//! The vectors were made with a key for this purpose and raw exponentiation. Cases whose name begins with
//! "accept" are controls.

use daypass_jwt::{Algorithm, KeySet, SigningKey, VerifyError, verify};
use serde::Deserialize;

use crate::support::policy;

#[derive(Deserialize)]
struct Vectors {
    private_key: String,
    kid: String,
    now: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rule: String,
    #[serde(rename = "case")]
    name: String,
    alg: Algorithm,
    token: String,
}

#[test]
fn ja_13_ja_14_ja_15_malformed_rsa_signatures() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/rsa.json")).unwrap();
    let mut accepted = 0;
    for case in &vectors.cases {
        let key = SigningKey::from_pem(case.alg, &vectors.private_key).unwrap();
        assert_eq!(key.kid(), vectors.kid);
        let keys = KeySet::new([key.verifying_key()]).unwrap();
        let result = verify(&case.token, &policy(case.alg).build().unwrap(), &keys, vectors.now);
        if case.name.starts_with("accept") {
            accepted += 1;
            assert!(result.is_ok(), "{} {}", case.rule, case.name);
        } else {
            assert_eq!(result.err(), Some(VerifyError::BadSignature), "{} {}", case.rule, case.name);
        }
    }
    assert_eq!(accepted, 4);
}
