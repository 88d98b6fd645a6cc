//! A forger: signs any header and any payload with a key that the verifier trusts.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_jwt::{Algorithm, KeySet, Policy, PolicyBuilder, SigningKey, Verified, VerifyError, verify};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_750_000_000;
pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn policy(algorithm: Algorithm) -> PolicyBuilder {
    Policy::builder(ISSUER, AUDIENCE, algorithm)
}

/// Good claims, to be spoilt.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "ada", "aud": AUDIENCE, "client_id": "web", "iat": NOW, "exp": NOW + 600, "jti": "t-1",
        "sid": "s-1", "scope": "read write:all", "auth_time": NOW - 60, "amr": ["pwd"], "name": "Ada",
    })
}

/// The raw signature of a text, with any key.
pub(crate) fn sign_raw(key: &SigningKey, input: &str) -> Vec<u8> {
    let private = key.to_private();
    #[expect(clippy::disallowed_methods, reason = "tests have no other generator")]
    let random = SystemRandom::new();
    let rsa = |padding: &'static dyn RsaEncoding| {
        let pair = RsaKeyPair::from_pkcs8(&private).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, input.as_bytes(), &mut signature).unwrap();
        signature
    };
    match key.algorithm() {
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private).unwrap();
            pair.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec()
        }
        Algorithm::Ed25519 => {
            Ed25519KeyPair::from_pkcs8(&private).unwrap().sign(input.as_bytes()).as_ref().to_vec()
        }
        Algorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
        Algorithm::PS256 => rsa(&RSA_PSS_SHA256),
        Algorithm::HS256 => mac(&private, input),
    }
}

pub(crate) fn mac(secret: &[u8], input: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes()).as_ref().to_vec()
}

pub(crate) struct Forge {
    pub(crate) key: SigningKey,
    pub(crate) keys: KeySet,
    pub(crate) policy: Policy,
}

impl Forge {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm).unwrap();
        let keys = KeySet::new([key.verifying_key()]).unwrap();
        Self { key, keys, policy: policy(algorithm).build().unwrap() }
    }

    pub(crate) fn with_policy(mut self, set: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Self {
        self.policy = set(policy(self.key.algorithm())).build().unwrap();
        self
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.key.algorithm().name(), "typ": "at+jwt", "kid": self.key.kid() })
    }

    /// Signs these texts, whatever they are.
    pub(crate) fn token(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.seal(&format!("{}.{}", b64(header), b64(payload)))
    }

    /// Signs segments that are encoded already.
    pub(crate) fn seal(&self, input: &str) -> String {
        format!("{input}.{}", b64(sign_raw(&self.key, input)))
    }

    pub(crate) fn good(&self) -> String {
        self.token(self.header().to_string(), claims().to_string())
    }

    pub(crate) fn check(&self, token: &str) -> Result<Verified, VerifyError> {
        verify(token, &self.policy, &self.keys, NOW)
    }

    /// The refusal of a token.
    pub(crate) fn refusal(&self, token: &str) -> VerifyError {
        self.check(token).expect_err("an attack was accepted")
    }

    /// What becomes of a token with this header parameter set, or removed if the value is `None`.
    pub(crate) fn header_with(&self, name: &str, value: Option<Value>) -> Result<Verified, VerifyError> {
        self.check(&self.token(set(self.header(), name, value).to_string(), claims().to_string()))
    }

    /// What becomes of a token with this claim set, or removed if the value is `None`.
    pub(crate) fn claim_with(&self, name: &str, value: Option<Value>) -> Result<Verified, VerifyError> {
        self.check(&self.token(self.header().to_string(), set(claims(), name, value).to_string()))
    }

    pub(crate) fn claims_text(&self, payload: impl AsRef<[u8]>) -> Result<Verified, VerifyError> {
        self.check(&self.token(self.header().to_string(), payload))
    }
}

fn set(mut object: Value, name: &str, value: Option<Value>) -> Value {
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    object
}
