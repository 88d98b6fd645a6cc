//! What of a token the feed may name.

use daypass_jwt::{AccessClaims, VerifyError};
use uuid::{Uuid, Variant};

/// What of a token, beside its subject, decides whether its session has ended. Read once for each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The session, if the token has one.
    pub(crate) sid: Option<u128>,
    /// When the session started, in Unix milliseconds.
    pub(crate) started_ms: i64,
}

impl Facts {
    /// The facts of a verified token.
    ///
    /// A session id is a lower-case hyphenated UUIDv7 (RFC 9562 section 5.7) and carries the session's start. One
    /// that is not could pass by what the feed says: its token is refused. A token without a session counts from the
    /// beginning of the second in which it was issued.
    pub(crate) fn of(claims: &AccessClaims) -> Result<Self, VerifyError> {
        let Some(sid) = claims.sid.as_deref() else {
            return Ok(Self { sid: None, started_ms: claims.iat.saturating_mul(1000) });
        };
        let sid = session(sid).ok_or(VerifyError::Claim("sid"))?;
        Ok(Self { sid: Some(sid), started_ms: i64::try_from(sid >> 80).unwrap_or(i64::MAX) })
    }
}

/// A session id in its one spelling, which carries the session's start.
fn session(text: &str) -> Option<u128> {
    let one_spelling = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let id = Uuid::try_parse(text).ok().filter(|_| one_spelling)?;
    let has_start = id.get_variant() == Variant::RFC4122 && id.get_version_num() == 7;
    has_start.then(|| id.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "01976f5c-2f80-7abc-8def-0123456789ab";

    #[test]
    fn an_id_that_does_not_carry_the_start_is_none() {
        // Whatever its first bits are, they are no time: it could not be held against the end of a subject's sessions.
        for version in "01234568f".chars() {
            let sid = format!("01976f5c-2f80-{version}abc-8def-0123456789ab");
            assert_eq!(session(&sid), None, "{sid}");
        }
        for other in ["01976f5c-2f80-7abc-0def-0123456789ab", "01976f5c-2f80-7abc-cdef-0123456789ab"] {
            assert_eq!(session(other), None, "{other}: not of the variant that has versions");
        }
    }

    #[test]
    fn a_session_id_has_one_spelling_and_carries_the_start() {
        let sid = session(SID).unwrap();
        assert_eq!(sid >> 80, 0x0197_6f5c_2f80);
        for other in [
            SID.to_uppercase(),
            SID.replace('-', ""),
            format!("{{{SID}}}"),
            format!("urn:uuid:{SID}"),
            "session-1".to_owned(),
            String::new(),
        ] {
            assert_eq!(session(&other), None, "{other}");
        }
    }
}
