//! What a sign-in or a renewal gives: an access token and the refresh token to renew it with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::revocation::MAX_ACCESS_LIFE;
use daypass_core::{
    Claims, Client, Generation, Policy, RefreshToken, Scope, Session, SessionId, Subject, Timestamp,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

use crate::entropy;
use crate::error::ServiceError;
use crate::start::{Inner, Snapshot};

/// An access token in the form that travels. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Zeroizing<String>);

impl AccessToken {
    /// The token's text, for the answer that carries it and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The answer to a sign-in or a renewal.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The access token.
    pub access: AccessToken,
    /// Its life, in seconds.
    pub expires_in: u64,
    /// When to renew if it is in use, in seconds; spread, so that those who signed in together do
    /// not all renew together.
    pub refresh_in: u64,
    /// The service's time.
    pub server_time: Timestamp,
    /// What the access token may be used for.
    pub scope: Scope,
    /// The refresh token and its session; none for clients that act for themselves.
    pub refresh: Option<RefreshPart>,
}

/// The refreshing half of a [`Pair`].
#[derive(Clone, Debug)]
pub struct RefreshPart {
    /// The refresh token.
    pub token: RefreshToken,
    /// Its generation.
    pub generation: Generation,
    /// The session.
    pub session: SessionId,
    /// What remains of the session, in seconds; none for a session without end.
    pub expires_in: Option<u64>,
}

/// For whom and for what an access token is made.
pub(crate) struct Bearer<'a> {
    pub(crate) sub: &'a str,
    pub(crate) client: &'a Client,
    pub(crate) scope: Scope,
    pub(crate) audience: Option<&'a str>,
    pub(crate) session: Option<&'a Session>,
    pub(crate) claims: Option<&'a Claims>,
}

impl Inner {
    /// The pair for a session as the store just left it.
    pub(crate) fn pair(
        &self,
        snapshot: &Snapshot,
        (session, subject): (&Session, &Subject),
        narrowed: Option<&Scope>,
        audience: Option<&str>,
        now: Timestamp,
    ) -> Result<Pair, ServiceError> {
        let (client, policy) = snapshot
            .clients
            .get(session.client.as_str())
            .ok_or(ServiceError::Internal("a session of a client that is not registered"))?;
        let held = daypass_core::scope::still_held(&session.scope, &subject.scope);
        let bearer = Bearer {
            sub: session.subject.as_str(),
            client,
            scope: narrowed
                .map_or_else(|| held.clone(), |wanted| held.filter(|token| wanted.contains(token))),
            audience,
            session: Some(session),
            claims: Some(&subject.claims),
        };
        let mut pair = self.access_token(snapshot, &bearer, policy, now)?;
        let rotation = &session.rotation;
        let token = snapshot
            .keys
            .secrets()
            .issue(rotation.token_key, session.id, rotation.generation)
            .ok_or_else(|| ServiceError::Key("the secret of the session's refresh token".to_owned()))?;
        pair.refresh = Some(RefreshPart {
            token,
            generation: rotation.generation,
            session: session.id,
            expires_in: session.expires_at.map(|end| now.until(end).as_secs()),
        });
        Ok(pair)
    }

    /// An access token, in a pair without refresh token.
    pub(crate) fn access_token(
        &self,
        snapshot: &Snapshot,
        bearer: &Bearer<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Pair, ServiceError> {
        // Verifiers, this service among them, refuse longer lives.
        let end = now.plus(policy.access.min(MAX_ACCESS_LIFE));
        let end =
            bearer.session.and_then(|session| session.expires_at).map_or(end, |session| session.min(end));
        let (iat, exp) = (now.seconds(), end.seconds());
        let random: [u8; 16] = entropy::bytes(&*self.entropy);
        let audience = bearer.audience.or(bearer.client.audience.as_deref());
        let claims = AccessClaims {
            iss: &self.config.issuer,
            aud: audience.or(self.config.audience.as_deref()).unwrap_or(&self.config.issuer),
            iat,
            exp,
            random,
            bearer,
        };
        let signer =
            snapshot.keys.signer(now).ok_or_else(|| ServiceError::Key("none that signs".to_owned()))?;
        let token =
            signer.sign_access_token(&claims).map_err(|error| ServiceError::Key(error.to_string()))?;
        let expires_in = u64::try_from(exp.saturating_sub(iat)).unwrap_or(0);
        Ok(Pair {
            access: AccessToken(Zeroizing::new(token)),
            expires_in,
            refresh_in: spread(expires_in, random),
            server_time: now,
            scope: bearer.scope.clone(),
            refresh: None,
        })
    }
}

/// When to renew: somewhere between six and nine tenths of the token's life.
fn spread(expires_in: u64, random: [u8; 16]) -> u64 {
    let [low, high, ..] = random;
    let permille = 600u64.saturating_add(u64::from(u16::from_le_bytes([low, high])) % 301);
    expires_in.saturating_mul(permille) / 1000
}

/// The claims of an access token (RFC 9068 section 2.2), and after them the subject's own.
struct AccessClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    random: [u8; 16],
    bearer: &'a Bearer<'a>,
}

impl Serialize for AccessClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bearer = self.bearer;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", self.iss)?;
        map.serialize_entry("sub", bearer.sub)?;
        map.serialize_entry("aud", self.aud)?;
        map.serialize_entry("client_id", &bearer.client.id)?;
        map.serialize_entry("iat", &self.iat)?;
        map.serialize_entry("exp", &self.exp)?;
        let mut jti = [0; 22];
        let written = URL_SAFE_NO_PAD.encode_slice(self.random, &mut jti).unwrap_or(0);
        let jti = jti.get(..written).and_then(|jti| std::str::from_utf8(jti).ok()).unwrap_or_default();
        map.serialize_entry("jti", jti)?;
        if !bearer.scope.is_empty() {
            map.serialize_entry("scope", &bearer.scope)?;
        }
        if let Some(session) = bearer.session {
            map.serialize_entry("sid", &session.id)?;
            map.serialize_entry("auth_time", &session.auth_time.seconds())?;
            map.serialize_entry("amr", &Words(&session.amr))?;
            if let Some(jkt) = session.jkt {
                map.serialize_entry("cnf", &Confirmation { jkt: URL_SAFE_NO_PAD.encode(jkt.0) })?;
            }
        }
        for (name, value) in bearer.claims.into_iter().flat_map(Claims::members) {
            if bearer.client.carries(name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// The `cnf` claim of a DPoP-bound token (RFC 9449 section 6.1).
#[derive(serde::Serialize)]
struct Confirmation {
    jkt: String,
}

/// Words separated by spaces, as an array.
struct Words<'a>(&'a str);

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.split(' ').filter(|word| !word.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_spread_between_six_and_nine_tenths() {
        let at = |n: u16| {
            let mut random = [0; 16];
            random[..2].copy_from_slice(&n.to_le_bytes());
            spread(600, random)
        };
        assert_eq!((at(0), at(300)), (360, 540));
        let seen: std::collections::BTreeSet<_> = (0..=u16::MAX).map(at).collect();
        assert!(seen.len() > 150 && seen.iter().all(|s| (360..=540).contains(s)));
    }
}
