//! The outer form of a token: compact serialisation, base64url, and the header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{Object, Value, parse_object};
use crate::{Algorithm, Algorithms, VerifyError};

/// The header `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The longest token that is looked at unless a policy says otherwise, in bytes: 16 KiB.
pub const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest `kid`, in bytes.
pub const MAX_KEY_ID_BYTES: usize = 256;

/// Header parameters that change what a token means or where its key is from. The first two are never
/// understood here (RFC 7515 section 4.1.11, RFC 7797 section 7), keys come from nowhere but the caller (RFC
/// 8725 section 3.10), and neither compression, encryption nor nesting is spoken.
const FORBIDDEN_PARAMETERS: [&str; 9] = ["crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "cty", "enc"];

/// A token cut at its two dots, nothing decoded.
pub(crate) struct Compact<'t> {
    pub(crate) header: &'t str,
    payload: &'t str,
    signature: &'t str,
    /// What is signed: header and payload with the dot between.
    pub(crate) signed: &'t str,
}

impl<'t> Compact<'t> {
    /// Refuses by size before it looks at anything, and reads no further than the third dot.
    pub(crate) fn split(token: &'t str, max_bytes: usize) -> Result<Self, VerifyError> {
        if token.len() > max_bytes {
            return Err(VerifyError::TooLarge);
        }
        let mut segments = token.splitn(4, '.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(VerifyError::Malformed("not three segments"));
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(VerifyError::Malformed("an empty segment"));
        }
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { header, payload, signature, signed })
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, VerifyError> {
        decode(self.payload).ok_or(VerifyError::Malformed("the payload is not base64url"))
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, VerifyError> {
        decode(self.signature).ok_or(VerifyError::Malformed("the signature is not base64url"))
    }
}

/// The parameters of a header that was accepted. Unknown ones are ignored (RFC 7515 section 4).
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) typ: Option<String>,
    pub(crate) kid: Option<String>,
}

impl Header {
    pub(crate) fn read(segment: &str, accepted: Algorithms) -> Result<Self, VerifyError> {
        let json = decode(segment).ok_or(VerifyError::Malformed("the header is not base64url"))?;
        let header =
            parse_object(&json).ok_or(VerifyError::Malformed("the header is not a strict JSON object"))?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| accepted.accepted(name))
            .ok_or(VerifyError::Algorithm)?;
        if let Some(name) = FORBIDDEN_PARAMETERS.into_iter().find(|name| header.contains(name)) {
            return Err(VerifyError::Header(name));
        }
        Ok(Self { algorithm, typ: typ(&header)?, kid: kid(&header)? })
    }
}

fn typ(header: &Object<'_>) -> Result<Option<String>, VerifyError> {
    match header.get("typ") {
        None => Ok(None),
        Some(typ) => Ok(Some(typ.as_str().ok_or(VerifyError::Type)?.to_owned())),
    }
}

fn kid(header: &Object<'_>) -> Result<Option<String>, VerifyError> {
    match header.get("kid") {
        None => Ok(None),
        Some(kid) => {
            let kid = kid.as_str().filter(|kid| is_key_id(kid)).ok_or(VerifyError::Header("kid"))?;
            Ok(Some(kid.to_owned()))
        }
    }
}

/// A key id is compared and logged, nothing else: any text without control characters, within bounds.
pub(crate) fn is_key_id(kid: &str) -> bool {
    !kid.is_empty() && kid.len() <= MAX_KEY_ID_BYTES && !has_controls(kid)
}

/// Whether any character is a control, those of Unicode beyond ASCII included. The usual text is ASCII, and quick to
/// look through.
pub(crate) fn has_controls(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().any(|b| b.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

/// Canonical base64url without padding (RFC 7515 section 2): other alphabets, padding, white space, and
/// unused bits that are not zero are refused.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_into(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// How long [`encode`] makes so many bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
