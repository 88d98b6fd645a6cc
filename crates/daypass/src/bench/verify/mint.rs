//! The tokens of a run: good ones as the service would write them, and among them bad ones with what is to be said of
//! each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_service::core::Clock as _;
use daypass_verify::jwt::{Algorithm, SigningKey};
use serde::Serialize;
use uuid::Uuid;

use crate::bench::BenchError;
use crate::dice::Dice;
use crate::system::SystemClock;

/// Whose tokens they are.
pub(super) const ISSUER: &str = "https://id.example";
/// Whom they are for.
pub(super) const AUDIENCE: &str = "https://api.example";

/// The longest life that a verifier accepts unless it is told otherwise, in seconds.
const LIFE: i64 = 3600;

/// A token that has to pass.
pub(super) struct Good {
    text: String,
    jti: String,
    /// How much of the text is signed: all before the last dot.
    signed: usize,
    signature: Vec<u8>,
}

/// A token that must not pass.
pub(super) struct Bad {
    pub(super) text: String,
    /// Why, as the verifier has to say it.
    pub(super) code: &'static str,
}

/// The working set.
pub(super) struct Tokens {
    key: SigningKey,
    good: Vec<Good>,
    bad: Vec<Bad>,
    ended: Vec<Uuid>,
}

/// What is wrong with a bad token.
#[derive(Clone, Copy)]
enum Flaw {
    /// The signature of a good token, with its first bits changed.
    Signature,
    /// Other claims under the signature of a good token.
    Claims,
    Expired,
    OtherAudience,
    /// Its session has ended.
    Ended,
    /// It is signed by somebody else, and is too old for its key to be one that the verifier has not heard of yet.
    OtherKey,
}

impl Flaw {
    const ALL: [Self; 6] =
        [Self::Signature, Self::Claims, Self::Expired, Self::OtherAudience, Self::Ended, Self::OtherKey];

    const fn code(self) -> &'static str {
        match self {
            Self::Signature | Self::Claims => "bad_signature",
            Self::Expired => "expired",
            Self::OtherAudience => "audience",
            Self::Ended => "revoked",
            Self::OtherKey => "unknown_key",
        }
    }
}

impl Good {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its id, which no other has.
    pub(super) fn jti(&self) -> &str {
        &self.jti
    }

    /// What is signed.
    pub(super) fn message(&self) -> &[u8] {
        self.text.as_bytes().get(..self.signed).unwrap_or_default()
    }

    /// The signature over it.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl Tokens {
    /// Makes `count` tokens, of which each `bad_every`-th is bad: in one way after the other.
    pub(super) fn mint(algorithm: Algorithm, count: u32, bad_every: u32) -> Result<Self, BenchError> {
        let mut mint = Mint::new(algorithm)?;
        let (mut good, mut bad, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        let mut flaws = Flaw::ALL.iter().copied().cycle();
        for number in 1..=count {
            let neighbour = good.last().filter(|_| number.is_multiple_of(bad_every));
            match neighbour.and_then(|neighbour| Some((neighbour, flaws.next()?))) {
                Some((neighbour, flaw)) => {
                    let (text, sid) = mint.flawed(flaw, neighbour)?;
                    ended.extend(matches!(flaw, Flaw::Ended).then_some(sid));
                    bad.push(Bad { text, code: flaw.code() });
                }
                None => good.push(mint.good()?),
            }
        }
        Ok(Self { key: mint.key, good, bad, ended })
    }

    /// What the good ones are signed with.
    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) fn good(&self) -> &[Good] {
        &self.good
    }

    pub(super) fn bad(&self) -> &[Bad] {
        &self.bad
    }

    /// The sessions that have ended.
    pub(super) fn ended(&self) -> &[Uuid] {
        &self.ended
    }
}

/// The claims of an access token, as the service writes them for a person without claims of her own.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    client_id: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
    scope: &'a str,
    sid: String,
    auth_time: i64,
    amr: [&'a str; 1],
}

struct Mint {
    key: SigningKey,
    stranger: SigningKey,
    dice: Dice,
    /// Unix milliseconds.
    now: i64,
    minted: u64,
}

impl Mint {
    fn new(algorithm: Algorithm) -> Result<Self, BenchError> {
        Ok(Self {
            key: SigningKey::generate(algorithm)?,
            stranger: SigningKey::generate(algorithm)?,
            dice: Dice::new(),
            now: SystemClock.now().millis(),
            minted: 0,
        })
    }

    fn good(&mut self) -> Result<Good, BenchError> {
        let (text, jti, _) = self.token(None)?;
        let (signed, signature) = text.rsplit_once('.').unwrap_or_default();
        let (signed, signature) = (signed.len(), URL_SAFE_NO_PAD.decode(signature).unwrap_or_default());
        Ok(Good { text, jti, signed, signature })
    }

    /// A bad token and its session. `neighbour` is a good one, which a verifier may remember.
    fn flawed(&mut self, flaw: Flaw, neighbour: &Good) -> Result<(String, Uuid), BenchError> {
        let (text, _, sid) = self.token(Some(flaw))?;
        let (signed, _) = text.rsplit_once('.').unwrap_or_default();
        let (known, signature) = neighbour.text.rsplit_once('.').unwrap_or_default();
        let text = match flaw {
            Flaw::Signature => {
                let changed = if signature.starts_with('A') { 'B' } else { 'A' };
                format!("{known}.{changed}{}", signature.get(1..).unwrap_or_default())
            }
            Flaw::Claims => format!("{signed}.{signature}"),
            _ => text,
        };
        Ok((text, sid))
    }

    fn token(&mut self, flaw: Option<Flaw>) -> Result<(String, String, Uuid), BenchError> {
        let jti = self.dice.attempt_id()?;
        let millis = u64::try_from(self.now).unwrap_or_default();
        let sid = uuid::Builder::from_unix_timestamp_millis(millis, &self.dice.draw()?).into_uuid();
        self.minted += 1;
        let now = self.now.div_euclid(1000);
        let iat = match flaw {
            Some(Flaw::Expired) => now - 2 * LIFE,
            Some(Flaw::OtherKey) => now - LIFE / 2,
            _ => now,
        };
        let claims = Claims {
            iss: ISSUER,
            sub: format!("usr_{:010}", self.minted),
            aud: if matches!(flaw, Some(Flaw::OtherAudience)) { "https://other.example" } else { AUDIENCE },
            client_id: "daypass",
            iat,
            exp: iat + LIFE,
            jti: &jti,
            scope: "orders:read orders:write",
            sid: sid.to_string(),
            auth_time: iat,
            amr: ["pwd"],
        };
        let key = if matches!(flaw, Some(Flaw::OtherKey)) { &self.stranger } else { &self.key };
        Ok((key.sign_access_token(&claims)?, jti, sid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nth_token_is_bad_in_one_way_after_the_other() {
        let tokens = Tokens::mint(Algorithm::HS256, 28, 4).unwrap();
        assert_eq!((tokens.good().len(), tokens.bad().len(), tokens.ended().len()), (21, 7, 1));
        let codes: Vec<_> = tokens.bad().iter().map(|bad| bad.code).collect();
        let expected = [
            "bad_signature",
            "bad_signature",
            "expired",
            "audience",
            "revoked",
            "unknown_key",
            "bad_signature",
        ];
        assert_eq!(codes, expected);
    }
}
