//! The pair of tokens as a client sees it, and what must be true of one. Written against the HTTP contract alone,
//! not with the service's own types, so that a mistake there shows here.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use uuid::Uuid;

const PREFIX: &str = "dpr_";
/// Key id (1), session id (16), generation (4), tag (32).
const TOKEN_BYTES: usize = 1 + 16 + 4 + 32;

/// What sign-in and refresh answer with; members that no check needs are left out.
#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) access_token: String,
    pub(crate) token_type: String,
    /// Seconds that the access token lives.
    pub(crate) expires_in: u64,
    pub(crate) refresh_token: String,
    /// Generation of `refresh_token`.
    pub(crate) generation: u32,
    pub(crate) session_id: String,
}

impl Pair {
    /// Checks the answer to a sign-in: generation 0, and all members about one session.
    pub(crate) fn signed_in(&self) -> Result<RefreshToken, Wrong> {
        self.of_generation(0)
    }

    /// Checks the answer to a refresh with `presented`: the next generation of the same session.
    pub(crate) fn renewed(&self, presented: &RefreshToken) -> Result<RefreshToken, Wrong> {
        if self.refresh_token == presented.text {
            return Err(Wrong::SameToken);
        }
        let successor = self.of_generation(presented.generation.saturating_add(1))?;
        if successor.session == presented.session { Ok(successor) } else { Err(Wrong::OtherSession) }
    }

    fn of_generation(&self, expected: u32) -> Result<RefreshToken, Wrong> {
        let token: RefreshToken = self.refresh_token.parse()?;
        if token.generation != expected || self.generation != expected {
            return Err(Wrong::Generation { expected, token: token.generation, stated: self.generation });
        }
        if Uuid::parse_str(&self.session_id).ok() != Some(token.session) {
            return Err(Wrong::OtherSession);
        }
        if self.token_type != "Bearer" || self.expires_in == 0 {
            return Err(Wrong::AccessLife);
        }
        check_access_token(&self.access_token, token.session)?;
        Ok(token)
    }
}

// Both tokens are good for something.
impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// A refresh token and what can be read off it. Its tag is the service's affair.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    text: String,
    session: Uuid,
    generation: u32,
}

impl RefreshToken {
    /// The token as it is sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its place in the session's line.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }
}

impl FromStr for RefreshToken {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let encoded = text.strip_prefix(PREFIX).ok_or(Wrong::NotAToken)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Wrong::NotAToken)?;
        let bytes: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| Wrong::NotAToken)?;
        let [_key, rest @ ..] = bytes;
        let (session, rest) = rest.split_first_chunk::<16>().ok_or(Wrong::NotAToken)?;
        let (generation, _tag) = rest.split_first_chunk::<4>().ok_or(Wrong::NotAToken)?;
        Ok(Self {
            text: text.to_owned(),
            session: Uuid::from_bytes(*session),
            generation: u32::from_be_bytes(*generation),
        })
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("session", &self.session)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Head {
    typ: String,
}

#[derive(Deserialize)]
struct Claims {
    sid: String,
    iat: u64,
    exp: u64,
}

fn check_access_token(jwt: &str, session: Uuid) -> Result<(), Wrong> {
    let mut segments = jwt.split('.');
    let (Some(head), Some(claims), Some(signature), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return Err(Wrong::NotAJwt);
    };
    let decoded = |segment: &str| URL_SAFE_NO_PAD.decode(segment).map_err(|_| Wrong::NotAJwt);
    let head: Head = serde_json::from_slice(&decoded(head)?).map_err(|_| Wrong::NotAJwt)?;
    let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| Wrong::NotAJwt)?;
    if decoded(signature)?.is_empty() {
        return Err(Wrong::NotAJwt);
    }
    if head.typ != "at+jwt" {
        return Err(Wrong::JwtType);
    }
    if Uuid::parse_str(&claims.sid).ok() != Some(session) {
        return Err(Wrong::OtherSession);
    }
    if claims.exp <= claims.iat { Err(Wrong::AccessLife) } else { Ok(()) }
}

/// What is wrong with an answer. Names no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("the answer is not a pair of tokens")]
    NotAPair,
    #[error("that is no refresh token")]
    NotAToken,
    #[error("the refresh token came back unchanged")]
    SameToken,
    #[error("expected generation {expected}, the token has {token}, the answer says {stated}")]
    Generation { expected: u32, token: u32, stated: u32 },
    #[error("the answer's tokens are not all of the session that asked")]
    OtherSession,
    #[error("the access token is not a signed JWT with the expected claims")]
    NotAJwt,
    #[error("the access token's typ is not at+jwt")]
    JwtType,
    #[error("the access token has no life")]
    AccessLife,
    #[error("the access token's signature is not of a published key")]
    Signature,
    #[error("refused: {0}")]
    Refused(String),
    #[error("a request that had to be answered was not")]
    Unanswered,
}

impl Wrong {
    /// A stable word for tallies.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::NotAPair => "not-a-pair",
            Self::NotAToken => "not-a-token",
            Self::SameToken => "same-token",
            Self::Generation { .. } => "generation",
            Self::OtherSession => "other-session",
            Self::NotAJwt => "not-a-jwt",
            Self::JwtType => "jwt-type",
            Self::AccessLife => "access-life",
            Self::Signature => "signature",
            Self::Refused(kind) => kind,
            Self::Unanswered => "unanswered",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A refresh token as the service would write it, with a tag of zeros.
    pub(crate) fn token(session: u8, generation: u32) -> String {
        let mut bytes = vec![1];
        bytes.extend([session; 16]);
        bytes.extend(generation.to_be_bytes());
        bytes.extend([0; 32]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn jwt(head: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims))
    }

    fn pair(session: u8, generation: u32) -> Pair {
        let sid = Uuid::from_bytes([session; 16]).to_string();
        Pair {
            access_token: jwt(
                r#"{"typ":"at+jwt"}"#,
                &format!(r#"{{"sid":"{sid}","iat":1,"exp":2,"sub":"a"}}"#),
            ),
            token_type: "Bearer".into(),
            expires_in: 600,
            refresh_token: token(session, generation),
            generation,
            session_id: sid,
        }
    }

    #[test]
    fn a_token_names_its_session_and_generation() {
        let text = token(7, 258);
        let read: RefreshToken = text.parse().unwrap();
        assert_eq!((read.text(), read.generation()), (text.as_str(), 258));
        assert_eq!(
            format!("{read:?}"),
            "RefreshToken { session: 07070707-0707-0707-0707-070707070707, generation: 258, .. }"
        );
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = token(7, 1);
        let short = &good[..good.len() - 2];
        let long = format!("{good}AA");
        // The last character of 53 bytes carries two unused bits, which must be zero.
        let loose = format!("{}B", &good[..good.len() - 1]);
        let bare = &good[PREFIX.len()..];
        for wrong in ["", "dpr_", "dpr_!", short, &long, &loose, bare, &good.replace("dpr_", "dpx_")] {
            assert_eq!(wrong.parse::<RefreshToken>(), Err(Wrong::NotAToken), "{wrong}");
        }
    }

    #[test]
    fn good_pairs_pass() {
        assert_eq!(pair(7, 0).signed_in().unwrap().generation(), 0);
        let held = token(7, 4).parse().unwrap();
        assert_eq!(pair(7, 5).renewed(&held).unwrap().text(), token(7, 5));
    }

    #[test]
    fn each_wrong_member_is_noticed() {
        let held = token(7, 4).parse().unwrap();
        let found = |spoil: fn(&mut Pair)| {
            let mut pair = pair(7, 5);
            spoil(&mut pair);
            pair.renewed(&held).unwrap_err().kind().to_owned()
        };
        assert_eq!(found(|pair| pair.refresh_token = token(7, 4)), "same-token");
        assert_eq!(found(|pair| pair.refresh_token = token(7, 6)), "generation");
        assert_eq!(found(|pair| pair.generation = 4), "generation");
        assert_eq!(found(|pair| pair.refresh_token = token(8, 5)), "other-session");
        assert_eq!(found(|pair| pair.session_id = "7".into()), "other-session");
        assert_eq!(found(|pair| pair.refresh_token.truncate(9)), "not-a-token");
        assert_eq!(found(|pair| pair.expires_in = 0), "access-life");
        assert_eq!(found(|pair| pair.token_type = "mac".into()), "access-life");
        let sid = Uuid::from_bytes([7; 16]);
        let spoilt = |head: &str, claims: &str| {
            let mut pair = pair(7, 5);
            pair.access_token = jwt(head, &claims.replace("SID", &sid.to_string()));
            pair.renewed(&held).unwrap_err().kind().to_owned()
        };
        let good = r#"{"sid":"SID","iat":1,"exp":2}"#;
        assert_eq!(spoilt(r#"{"typ":"JWT"}"#, good), "jwt-type");
        assert_eq!(spoilt(r#"{"alg":"ES256"}"#, good), "not-a-jwt");
        assert_eq!(spoilt(r#"{"typ":"at+jwt"}"#, r#"{"sid":"SID","iat":2,"exp":2}"#), "access-life");
        assert_eq!(spoilt(r#"{"typ":"at+jwt"}"#, r#"{"sid":"x","iat":1,"exp":2}"#), "other-session");
        assert_eq!(found(|pair| pair.access_token.push_str(".x")), "not-a-jwt");
        assert_eq!(found(|pair| pair.access_token = "a.b".into()), "not-a-jwt");
        // Two whole pairs of another session, each good in itself.
        assert_eq!(super::tests::pair(8, 5).renewed(&held), Err(Wrong::OtherSession));
    }

    #[test]
    fn debug_output_holds_no_token() {
        assert_eq!(format!("{:?}", pair(7, 5)), "Pair { generation: 5, .. }");
    }
}
