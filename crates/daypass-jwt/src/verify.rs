//! The pipeline: size → algorithm → `typ` → `iss` → time → `aud` → key → signature → other claims.
//!
//! Up to the key a token can only be refused: nothing it says leaves this module but what the key is chosen by:
//! the key id, the algorithm, the time of issue, and for several issuers the issuer. A [`Verified`] exists only after the last step.

use serde::de::DeserializeOwned;

use crate::claims::Draft;
use crate::compact::{Compact, Header};
use crate::json::{Value, parse_object};
use crate::{
    AccessClaims, Algorithm, Algorithms, DEFAULT_MAX_TOKEN_BYTES, KeySet, Payload, Policy, VerifyError,
    VerifyingKey,
};

/// Verifies an access token. `now` is in Unix seconds.
///
/// ```
/// use daypass_jwt::{Algorithm, KeySet, Policy, VerifyError, verify};
///
/// let policy = Policy::builder("https://id.example", "api", Algorithm::ES256).build()?;
/// let refused = verify("not a token", &policy, &KeySet::default(), 0).unwrap_err();
/// assert_eq!(refused.code(), "malformed");
/// # Ok::<(), daypass_jwt::PolicyError>(())
/// ```
pub fn verify(token: &str, policy: &Policy, keys: &KeySet, now: i64) -> Result<Verified, VerifyError> {
    let unverified = parse(token, policy, now)?;
    let key = keys.find(unverified.kid(), unverified.algorithm())?;
    unverified.verify(key)
}

/// Does every step before the key, for callers that look up keys in their own way. `now` is in Unix seconds.
///
/// ```
/// # use daypass_jwt::{Policy, Verified, VerifyError, VerifyingKey, parse};
/// async fn check(token: &str, policy: &Policy, now: i64) -> Result<Verified, VerifyError> {
///     let unverified = parse(token, policy, now)?;
///     let key = fetch_key(unverified.kid()).await.ok_or(VerifyError::UnknownKey)?;
///     unverified.verify(&key)
/// }
/// # async fn fetch_key(_: Option<&str>) -> Option<VerifyingKey> { None }
/// ```
pub fn parse<'t>(token: &'t str, policy: &Policy, now: i64) -> Result<Unverified<'t>, VerifyError> {
    let compact = Compact::split(token, policy.max_bytes)?;
    let header = Header::read(compact.header, policy.algorithms)?;
    let typ = header.typ.filter(|typ| policy.types.contains(typ)).ok_or(VerifyError::Type)?;
    if header.kid.is_none() && !policy.kid_optional {
        return Err(VerifyError::Header("kid"));
    }
    let payload = compact.payload()?;
    let object =
        parse_object(&payload).ok_or(VerifyError::Malformed("the payload is not a strict JSON object"))?;
    let draft = Draft::read(&object, policy, now)?;
    let signature = compact.signature()?;
    Ok(Unverified {
        signed: compact.signed,
        signature,
        payload,
        draft,
        algorithm: header.algorithm,
        typ,
        kid: header.kid,
    })
}

/// What an access token says its issuer is, for a verifier of several issuers. It is the **sender's word: only
/// to choose whose policy applies**, which then checks it with all the rest. Nothing else is checked here but
/// size and form; `max_bytes` is as the policies' limit.
///
/// ```
/// use daypass_jwt::{Algorithm, SigningKey, VerifyError, issuer_of};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let token = key.sign("at+jwt", &std::collections::BTreeMap::from([("iss", "https://id.example")]))?;
/// assert_eq!(issuer_of(&token, 4096)?, "https://id.example");
/// assert_eq!(issuer_of(&token, 10), Err(VerifyError::TooLarge));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`VerifyError::Issuer`] if there is no `iss` or it is not a string.
pub fn issuer_of(token: &str, max_bytes: usize) -> Result<String, VerifyError> {
    let payload = Compact::split(token, max_bytes)?.payload()?;
    let object =
        parse_object(&payload).ok_or(VerifyError::Malformed("the payload is not a strict JSON object"))?;
    object.get("iss").and_then(Value::as_str).map(str::to_owned).ok_or(VerifyError::Issuer)
}

/// A token that nothing is known against, and nothing is known for: its signature is still to be checked.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    payload: Vec<u8>,
    draft: Draft,
    algorithm: Algorithm,
    typ: String,
    kid: Option<String>,
}

impl Unverified<'_> {
    /// The key id that the header asks for, up to [`crate::MAX_KEY_ID_BYTES`] bytes without control
    /// characters. It is the sender's word: use it as a key of a map and for nothing else. `None` only if the
    /// policy lets that pass.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm, which is on the policy's list.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// When the token says that it was issued, in Unix seconds; not later than the policy's leeway from now. It
    /// is the sender's word: whoever forges a token forges this too. Use it to decide whether fetching keys
    /// again could be of use, and for nothing else.
    pub const fn issued_at(&self) -> i64 {
        self.draft.issued_at()
    }

    /// Checks that the key is the one asked for, the signature, and the claims that are left.
    pub fn verify(self, key: &VerifyingKey) -> Result<Verified, VerifyError> {
        check(key, self.kid(), self.algorithm, self.signed, &self.signature)?;
        let claims = self.draft.accept()?;
        Ok(Verified { claims, extra: Payload(self.payload), kid: key.kid().to_owned(), typ: self.typ })
    }
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn check(
    key: &VerifyingKey,
    kid: Option<&str>,
    algorithm: Algorithm,
    signed: &str,
    signature: &[u8],
) -> Result<(), VerifyError> {
    if key.algorithm() != algorithm {
        return Err(VerifyError::Algorithm);
    }
    if kid.is_some_and(|kid| kid != key.kid()) {
        return Err(VerifyError::UnknownKey);
    }
    key.verify(signed.as_bytes(), signature)
}

/// A token that passed every step. Only this module makes one.
///
/// `C` is how the claims beyond [`AccessClaims`] are held: as the raw [`Payload`] first, as a type of the
/// caller's after [`Verified::decode`].
#[derive(Clone, Debug)]
pub struct Verified<C = Payload> {
    claims: AccessClaims,
    extra: C,
    kid: String,
    typ: String,
}

impl<C> Verified<C> {
    /// The registered claims.
    pub const fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// The payload, as bytes or as the caller's type.
    pub const fn extra(&self) -> &C {
        &self.extra
    }

    /// The id of the key that verified.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The header's type, one of the policy's.
    pub fn typ(&self) -> &str {
        &self.typ
    }

    /// Both halves, for a caller that keeps them in a type of its own.
    pub fn into_parts(self) -> (AccessClaims, C) {
        (self.claims, self.extra)
    }
}

impl Verified {
    /// Reads the payload as a type of the caller's. All claims are offered, registered ones too.
    ///
    /// [`VerifyError::Malformed`] if they do not fit.
    pub fn decode<C: DeserializeOwned>(self) -> Result<Verified<C>, VerifyError> {
        let extra = decode(&self.extra.0)?;
        Ok(Verified { claims: self.claims, extra, kid: self.kid, typ: self.typ })
    }
}

fn decode<C: DeserializeOwned>(payload: &[u8]) -> Result<C, VerifyError> {
    serde_json::from_slice(payload)
        .map_err(|_| VerifyError::Malformed("the claims are not of the expected form"))
}

/// Verifies the signature of another kind of JWT, as strictly as an access token's. **No claim is checked**:
/// issuer, audience and times are the caller's, and so is the type, without which the claims cannot be had.
///
/// A token without `kid` passes if exactly one key has its algorithm.
///
/// ```
/// use daypass_jwt::{Algorithm, KeySet, SigningKey, verify_jws};
///
/// let key = SigningKey::generate(Algorithm::Ed25519)?;
/// let token = key.sign("logout+jwt", &std::collections::BTreeMap::from([("sub", "ada")]))?;
/// let keys = KeySet::new([key.verifying_key()])?;
///
/// let jws = verify_jws(&token, &keys, Algorithm::Ed25519)?;
/// assert_eq!(jws.payload("logout+jwt")?, br#"{"sub":"ada"}"#);
/// assert!(jws.payload("at+jwt").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_jws(
    token: &str,
    keys: &KeySet,
    algorithms: impl Into<Algorithms>,
) -> Result<VerifiedJws, VerifyError> {
    let compact = Compact::split(token, DEFAULT_MAX_TOKEN_BYTES)?;
    let header = Header::read(compact.header, algorithms.into())?;
    let payload = compact.payload()?;
    if parse_object(&payload).is_none() {
        return Err(VerifyError::Malformed("the payload is not a strict JSON object"));
    }
    let signature = compact.signature()?;
    let key = keys.find(header.kid.as_deref(), header.algorithm)?;
    check(key, header.kid.as_deref(), header.algorithm, compact.signed, &signature)?;
    Ok(VerifiedJws { payload: Payload(payload), typ: header.typ, kid: key.kid().to_owned() })
}

/// A JWT whose signature is good. The payload is a strict JSON object of which nothing else was checked.
#[derive(Clone, Debug)]
pub struct VerifiedJws {
    payload: Payload,
    typ: Option<String>,
    kid: String,
}

impl VerifiedJws {
    /// The header's type, if there is one.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The id of the key that verified.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The payload of a token of exactly this type, case included; [`VerifyError::Type`] for any other. One
    /// kind of JWT is then never taken for another (RFC 8725 section 3.11).
    pub fn payload(&self, typ: &str) -> Result<&[u8], VerifyError> {
        if self.typ() == Some(typ) { Ok(self.payload.as_bytes()) } else { Err(VerifyError::Type) }
    }

    /// The payload whatever the type, for kinds that have none, as ID tokens. The caller tells them apart by
    /// other means.
    pub fn payload_of_any_type(&self) -> &[u8] {
        self.payload.as_bytes()
    }

    /// [`VerifiedJws::payload`] as a type of the caller's.
    pub fn decode<C: DeserializeOwned>(&self, typ: &str) -> Result<C, VerifyError> {
        decode(self.payload(typ)?)
    }
}
