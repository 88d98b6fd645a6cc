//! One key that signs, bound to one algorithm.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::compact::{ACCESS_TOKEN_TYPE, encode, encode_into, encoded_len};
use crate::verifying::PublicParts;
use crate::{Algorithm, DEFAULT_MAX_TOKEN_BYTES, Jwk, KeyError, SignError, VerifyingKey};

/// The shortest HS256 secret, in bytes: the length of its hash (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
/// Room for the claims of a usual access token, in bytes.
const CLAIMS_CAPACITY: usize = 1024;

/// A private key, or a shared secret, with the one algorithm it signs with. Signing takes `&self` and no
/// lock.
///
/// `Debug` shows the algorithm and the key id, nothing else.
///
/// ```
/// use daypass_jwt::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let again = SigningKey::from_private(Algorithm::ES256, &key.to_private())?;
/// assert_eq!(key.kid(), again.kid());
/// # Ok::<(), daypass_jwt::KeyError>(())
/// ```
pub struct SigningKey {
    verifying: VerifyingKey,
    pair: Pair,
    private: Zeroizing<Vec<u8>>,
    /// The encoded header of access tokens.
    access_header: Box<str>,
    random: SystemRandom,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Hmac(Box<hmac::Key>),
}

#[derive(Serialize)]
struct Header<'a> {
    alg: Algorithm,
    typ: &'a str,
    kid: &'a str,
}

impl SigningKey {
    /// A new key: P-256, Ed25519, RSA with 3072 bits, or 32 random bytes for HS256. Its key id follows from
    /// it.
    ///
    /// An RSA key takes some tenths of a second; the others well under a millisecond.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let crypto = |_| KeyError::Crypto;
        let private = match algorithm {
            Algorithm::ES256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(crypto)?
                .as_ref()
                .to_vec(),
            Algorithm::Ed25519 => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(crypto)?
                .as_ref()
                .to_vec(),
            Algorithm::RS256 | Algorithm::PS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(crypto)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(crypto)?;
                der.as_ref().to_vec()
            }
            Algorithm::HS256 => {
                let mut secret = vec![0; MIN_SECRET_BYTES];
                #[expect(
                    clippy::disallowed_methods,
                    reason = "keys come from the library's own generator, always"
                )]
                rand::fill(&mut secret).map_err(crypto)?;
                secret
            }
        };
        Self::from_owned(algorithm, Zeroizing::new(private))
    }

    /// A key from what [`SigningKey::to_private`] gave: PKCS#8 DER, version 1 or 2 (RFC 5958), or for HS256
    /// the secret itself, [`MIN_SECRET_BYTES`] or longer.
    ///
    /// RSA keys need 2048 to 8192 bits and the exponent 65537. The pair's halves must belong together.
    pub fn from_private(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyError> {
        Self::from_owned(algorithm, Zeroizing::new(private.to_vec()))
    }

    /// A key from a PEM document with exactly one unencrypted PKCS#8 block, `BEGIN PRIVATE KEY` (RFC 7468
    /// section 10).
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        if !algorithm.is_asymmetric() {
            return Err(KeyError::Malformed("HS256 takes a secret, not a PEM document"));
        }
        let block = pem.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END)).ok_or(
            KeyError::Malformed(
                "not one BEGIN PRIVATE KEY block; `openssl pkcs8 -topk8 -nocrypt` converts others",
            ),
        )?;
        let mut text = Zeroizing::new(Vec::with_capacity(block.len()));
        text.extend(block.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        let private =
            STANDARD.decode(&*text).map_err(|_| KeyError::Malformed("the PEM block is not base64"))?;
        Self::from_owned(algorithm, Zeroizing::new(private))
    }

    fn from_owned(algorithm: Algorithm, private: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let (pair, verifying) = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private)
                    .map_err(|_| KeyError::Malformed("not a PKCS#8 key on P-256"))?;
                let parts = PublicParts::p256(pair.public_key().as_ref())?;
                (Pair::Ecdsa(pair), VerifyingKey::from_parts(algorithm, None, parts)?)
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8(&private)
                    .map_err(|_| KeyError::Malformed("not a PKCS#8 Ed25519 key"))?;
                let parts = PublicParts::ed25519(pair.public_key().as_ref())?;
                (Pair::Ed25519(pair), VerifyingKey::from_parts(algorithm, None, parts)?)
            }
            Algorithm::RS256 | Algorithm::PS256 => {
                let pair = RsaKeyPair::from_pkcs8(&private)
                    .map_err(|_| KeyError::Malformed("not a PKCS#8 RSA key of 2048 to 8192 bits"))?;
                let public = pair.public_key();
                let parts = PublicParts::rsa(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                )?;
                let padding: &'static dyn RsaEncoding =
                    if algorithm == Algorithm::RS256 { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                (Pair::Rsa(pair, padding), VerifyingKey::from_parts(algorithm, None, parts)?)
            }
            Algorithm::HS256 => {
                let verifying = VerifyingKey::from_secret(&private)?;
                (Pair::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &private))), verifying)
            }
        };
        let access_header = header(algorithm, ACCESS_TOKEN_TYPE, verifying.kid())?.into();
        #[expect(
            clippy::disallowed_methods,
            reason = "the library's signatures ask for it; a value without state"
        )]
        let random = SystemRandom::new();
        Ok(Self { verifying, pair, private, access_header, random })
    }

    /// The private key for sealing at rest: what [`SigningKey::from_private`] takes. Wiped when dropped.
    pub fn to_private(&self) -> Zeroizing<Vec<u8>> {
        self.private.clone()
    }

    /// The key's only algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The key id, see [`VerifyingKey::kid`].
    pub fn kid(&self) -> &str {
        self.verifying.kid()
    }

    /// The public half for publication; `None` for HS256, which is never published.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.verifying.public_jwk()
    }

    /// The half that verifies; for HS256 it can sign too, and stays inside.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// Signs an access token: the header says `typ: at+jwt` (RFC 9068 section 2.1) and was encoded with the
    /// key.
    ///
    /// The claims are written as they are. That all the claims of RFC 9068 section 2.2 are there, each once,
    /// is up to the caller; [`crate::verify`] checks it.
    pub fn sign_access_token(&self, claims: &impl Serialize) -> Result<String, SignError> {
        self.sign_with(&self.access_header, claims)
    }

    /// Signs another kind of JWT, `logout+jwt` say. The type keeps it from being taken for an access token
    /// (RFC 8725 section 3.11).
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let header = header(self.algorithm(), typ, self.kid()).map_err(|_| SignError::Crypto)?;
        self.sign_with(&header, claims)
    }

    fn sign_with(&self, header: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let mut json = Vec::with_capacity(CLAIMS_CAPACITY);
        serde_json::to_writer(&mut json, claims).map_err(SignError::Serialize)?;
        if json.first() != Some(&b'{') {
            return Err(SignError::NotAnObject);
        }
        let signature_length = match &self.pair {
            Pair::Ecdsa(_) | Pair::Ed25519(_) => 64,
            Pair::Rsa(pair, _) => pair.public_modulus_len(),
            Pair::Hmac(_) => 32,
        };
        let length = header.len() + encoded_len(json.len()) + encoded_len(signature_length) + 2;
        if length > DEFAULT_MAX_TOKEN_BYTES {
            return Err(SignError::TooLarge);
        }
        let mut token = String::with_capacity(length);
        token.push_str(header);
        token.push('.');
        encode_into(&json, &mut token);
        self.append_signature(&mut token)?;
        Ok(token)
    }

    fn append_signature(&self, token: &mut String) -> Result<(), SignError> {
        let message = token.as_bytes();
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&self.random, message).map_err(|_| SignError::Crypto)?,
            Pair::Ed25519(pair) => pair.try_sign(message).map_err(|_| SignError::Crypto)?,
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &self.random, message, &mut signature).map_err(|_| SignError::Crypto)?;
                token.push('.');
                encode_into(&signature, token);
                return Ok(());
            }
            Pair::Hmac(key) => {
                let tag = hmac::sign(key, message);
                token.push('.');
                encode_into(tag.as_ref(), token);
                return Ok(());
            }
        };
        token.push('.');
        encode_into(signature.as_ref(), token);
        Ok(())
    }
}

/// The encoded header of a key's tokens.
fn header(alg: Algorithm, typ: &str, kid: &str) -> Result<String, KeyError> {
    serde_json::to_vec(&Header { alg, typ, kid }).map(|json| encode(&json)).map_err(|_| KeyError::Crypto)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}
