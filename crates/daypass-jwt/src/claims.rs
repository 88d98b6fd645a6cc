//! The registered claims of an access token, read before the signature is checked and handed out after.

use std::fmt;

use crate::VerifyError;
use crate::compact::has_controls;
use crate::json::{Object, Value};
use crate::policy::{Binding, Policy};

/// The longest `sub`, `client_id`, `jti` and `sid`, in bytes (OpenID Connect Core section 2 for `sub`).
const MAX_IDENTIFIER_BYTES: usize = 255;
/// The last second of the year 9999: no date is later.
const LAST_DATE: i64 = 253_402_300_799;

/// The registered claims of a verified access token (RFC 9068 section 2.2). Times are Unix seconds. Fractions
/// of a second are rounded towards refusal: down in `exp` and `iat`, up in `nbf`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessClaims {
    /// The issuer, as the policy has it.
    pub iss: String,
    /// The subject, up to 255 bytes. Unique for this issuer only: a person is (`iss`, `sub`), never an e-mail
    /// address.
    pub sub: String,
    /// The audiences, at least one of which is the policy's.
    pub aud: Vec<String>,
    /// The client that the token was issued to, up to 255 bytes.
    pub client_id: String,
    /// When the token was issued.
    pub iat: i64,
    /// When the token ends.
    pub exp: i64,
    /// When the token begins, if it says.
    pub nbf: Option<i64>,
    /// The token's id, up to 255 bytes. Tell tokens apart by this, not by their text.
    pub jti: String,
    /// The session, up to 255 bytes.
    pub sid: Option<String>,
    /// What the client may do.
    pub scope: Scopes,
    /// When the subject authenticated.
    pub auth_time: Option<i64>,
    /// The authentication context class.
    pub acr: Option<String>,
    /// The authentication methods.
    pub amr: Vec<String>,
    /// The keys that the token is bound to, all of which the bearer has to prove.
    pub cnf: Option<Confirmation>,
}

impl AccessClaims {
    /// Who the token stands for. A client that acts for itself has its own id as the subject (RFC 9068
    /// section 2.2): it must not be taken for a person of that name (section 5).
    pub fn principal(&self) -> Principal<'_> {
        if self.sub == self.client_id {
            Principal::Client(&self.client_id)
        } else {
            Principal::Subject(&self.sub)
        }
    }
}

/// Who a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'c> {
    /// Somebody, through a client.
    Subject(&'c str),
    /// A client for itself.
    Client(&'c str),
}

/// The keys that a token is bound to (RFC 7800 section 3.1). At least one is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Confirmation {
    /// The base64url SHA-256 thumbprint of the DPoP key (RFC 9449 section 6.1).
    pub jkt: Option<String>,
    /// The base64url SHA-256 digest of the TLS client certificate (RFC 8705 section 3.1).
    pub x5t_s256: Option<String>,
}

/// The scopes of a token (RFC 6749 section 3.3), compared whole and with their case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(String);

impl Scopes {
    /// Whether this scope was granted: `read` is not in `read:all`, nor the other way round.
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|granted| granted == scope)
    }

    /// The scopes, in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|scope| !scope.is_empty())
    }

    /// The claim as it was, scopes separated by one space.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Empty, or tokens of printable ASCII without quote and backslash, separated by exactly one space.
    fn read(text: &str) -> Option<Self> {
        let token = |token: &str| {
            !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        (text.is_empty() || text.split(' ').all(token)).then(|| Self(text.to_owned()))
    }
}

/// The payload of a verified token as its JSON bytes. `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(pub(crate) Vec<u8>);

impl Payload {
    /// The JSON object that was signed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// What a token that is not verified yet says. Reading it has refused what could be refused by `iss`, the
/// times and `aud`; a fault in any other claim waits for [`Draft::accept`].
pub(crate) struct Draft {
    claims: AccessClaims,
    /// The first fault among the claims that are judged after the signature.
    fault: Option<VerifyError>,
}

impl Draft {
    pub(crate) fn read(payload: &Object<'_>, policy: &Policy, now: i64) -> Result<Self, VerifyError> {
        if payload.get("iss").and_then(Value::as_str) != Some(&policy.issuer) {
            return Err(VerifyError::Issuer);
        }
        let (iat, exp, nbf) = times(payload, policy, now)?;
        let aud = audiences(payload, policy)?;
        let mut rest = Rest { payload, fault: None };
        let claims = AccessClaims {
            iss: policy.issuer.clone(),
            sub: rest.required("sub"),
            aud,
            client_id: rest.required("client_id"),
            iat,
            exp,
            nbf,
            jti: rest.required("jti"),
            sid: rest.optional("sid", identifier),
            scope: rest.optional("scope", |value| Scopes::read(value.as_str()?)).unwrap_or_default(),
            auth_time: rest.optional("auth_time", |value| date(value, f64::floor)),
            acr: rest.optional("acr", identifier),
            amr: rest.optional("amr", strings).unwrap_or_default(),
            cnf: rest.optional("cnf", |value| confirmation(value, policy)),
        };
        Ok(Self { claims, fault: rest.fault })
    }

    pub(crate) const fn issued_at(&self) -> i64 {
        self.claims.iat
    }

    /// The claims of a token whose signature was found good.
    pub(crate) fn accept(self) -> Result<AccessClaims, VerifyError> {
        self.fault.map_or(Ok(self.claims), Err)
    }
}

/// Reads the claims that are judged after the signature, and keeps the first fault.
struct Rest<'p> {
    payload: &'p Object<'p>,
    fault: Option<VerifyError>,
}

impl Rest<'_> {
    fn required(&mut self, name: &'static str) -> String {
        let value = self.optional(name, identifier);
        if value.is_none() {
            self.fault.get_or_insert(VerifyError::Claim(name));
        }
        value.unwrap_or_default()
    }

    fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(&Value<'_>) -> Option<T>) -> Option<T> {
        let value = self.payload.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.fault.get_or_insert(VerifyError::Claim(name));
        }
        read
    }
}

/// `iat`, `exp` and `nbf`, within the policy at `now` (RFC 7519 sections 4.1.4 to 4.1.6).
fn times(payload: &Object<'_>, policy: &Policy, now: i64) -> Result<(i64, i64, Option<i64>), VerifyError> {
    let required =
        |name| payload.get(name).and_then(|value| date(value, f64::floor)).ok_or(VerifyError::Claim(name));
    let exp = required("exp")?;
    if now >= exp.saturating_add(policy.leeway) {
        return Err(VerifyError::Expired);
    }
    let iat = required("iat")?;
    let nbf = match payload.get("nbf") {
        None => None,
        Some(value) => Some(date(value, f64::ceil).ok_or(VerifyError::Claim("nbf"))?),
    };
    if nbf.is_some_and(|nbf| nbf > exp) {
        return Err(VerifyError::Claim("nbf"));
    }
    let horizon = now.saturating_add(policy.future_leeway);
    if iat > horizon || nbf.is_some_and(|nbf| nbf > horizon) {
        return Err(VerifyError::NotYetValid);
    }
    if exp <= iat || exp.saturating_sub(iat) > policy.max_lifetime {
        return Err(VerifyError::Claim("exp"));
    }
    Ok((iat, exp, nbf))
}

/// A NumericDate (RFC 7519 section 2): a JSON number, whole or not, up to the year 9999 either way.
fn date(value: &Value<'_>, round: fn(f64) -> f64) -> Option<i64> {
    let seconds = match value {
        Value::Int(seconds) => *seconds,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "casts saturate, and what is out of range is refused below"
        )]
        Value::Float(seconds) => round(*seconds) as i64,
        _ => return None,
    };
    (-LAST_DATE..=LAST_DATE).contains(&seconds).then_some(seconds)
}

/// `aud` (RFC 7519 section 4.1.3): a string, or an array of strings, that names one of the policy's
/// audiences.
fn audiences(payload: &Object<'_>, policy: &Policy) -> Result<Vec<String>, VerifyError> {
    let aud = match payload.get("aud") {
        Some(Value::Str(audience)) => vec![audience.clone().into_owned()],
        Some(value) => strings(value).ok_or(VerifyError::Audience)?,
        None => return Err(VerifyError::Audience),
    };
    let ours = aud.iter().filter(|audience| policy.audiences.contains(audience)).count();
    if ours == 0 || (policy.single_audience && aud.len() != 1) {
        return Err(VerifyError::Audience);
    }
    Ok(aud)
}

fn strings(value: &Value<'_>) -> Option<Vec<String>> {
    match value {
        Value::Array(list) => list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A text that is stored, compared and logged: neither empty nor long, without control characters.
fn identifier(value: &Value<'_>) -> Option<String> {
    let text = value.as_str()?;
    let fits = !text.is_empty() && text.len() <= MAX_IDENTIFIER_BYTES && !has_controls(text);
    fits.then(|| text.to_owned())
}

/// `cnf` with nothing but bindings whose proof the caller checks: an unknown one would go unchecked.
fn confirmation(value: &Value<'_>, policy: &Policy) -> Option<Confirmation> {
    let Value::Object(methods) = value else { return None };
    let mut confirmation = Confirmation { jkt: None, x5t_s256: None };
    for (name, proof) in methods.iter() {
        let (binding, place) = match name {
            "jkt" => (Binding::DpopKey, &mut confirmation.jkt),
            "x5t#S256" => (Binding::Certificate, &mut confirmation.x5t_s256),
            _ => return None,
        };
        *place = Some(identifier(proof).filter(|_| policy.bindings.contains(&binding))?);
    }
    (confirmation.jkt.is_some() || confirmation.x5t_s256.is_some()).then_some(confirmation)
}
