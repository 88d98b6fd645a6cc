//! One issuer's tokens by one policy: size → algorithm → `typ` → `iss` → time → `aud` → key → signature → other
//! claims → revocation → scope.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Clock;
use daypass_jwt::{Policy, Unverified, Verified, VerifyError, parse};
use serde::de::IgnoredAny;

use crate::builder::Parts;
use crate::cache::{Seen, TokenCache};
use crate::health::IssuerHealth;
use crate::keys::{KeySnapshot, KeySource, KeyStanding, Want};
use crate::metrics::{Counts, Scrape};
use crate::revocation::{Facts, RevocationFeed, Revocations, Standing};
use crate::{AuthError, ConfigError, Lacking, VerifiedToken};

/// How long a caller waits for the first list of ended sessions, and the least time after which to ask again.
const REVOCATIONS_WAIT: Duration = Duration::from_secs(1);

/// Judges the tokens of one issuer.
pub(crate) struct Judge {
    policy: Policy,
    leeway: i64,
    future_leeway: i64,
    scopes: Vec<Box<str>>,
    claims: Vec<&'static str>,
    keys: Arc<KeySource>,
    revocations: Option<Revocations>,
    cache: Option<TokenCache>,
    counts: Counts,
    clock: Arc<dyn Clock>,
}

impl Judge {
    pub(crate) fn start(parts: Parts) -> Result<Self, ConfigError> {
        let Parts { policy, future_leeway, scopes, claims, keys, revocation, cache_bytes, clock } = parts;
        let keys = KeySource::start(keys, policy.algorithms(), Arc::clone(&clock))?;
        let start = |feed: RevocationFeed| feed.start(policy.issuer(), Arc::clone(&clock));
        Ok(Self {
            revocations: revocation.map(start).transpose()?,
            leeway: policy.leeway_seconds(),
            future_leeway: future_leeway.into(),
            policy,
            scopes,
            claims,
            keys: Arc::new(keys),
            cache: TokenCache::new(cache_bytes),
            counts: Counts::default(),
            clock,
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        self.policy.issuer()
    }

    pub(crate) fn keys(&self) -> &Arc<KeySource> {
        &self.keys
    }

    /// Judges a token that was seen before; `None` if it was not, or has to be judged anew.
    pub(crate) async fn recall(&self, token: &str) -> Option<Result<VerifiedToken, AuthError>> {
        let (seen, running) = self.seen(token)?;
        Some(self.counted(self.admit(seen, running).await, Counts::seen_before))
    }

    /// As [`Self::recall`], but does not wait.
    pub(crate) fn recall_now(&self, token: &str) -> Option<Result<VerifiedToken, AuthError>> {
        let (seen, running) = self.seen(token)?;
        Some(self.counted(self.admit_now(seen, running), Counts::seen_before))
    }

    /// Judges a token that was not seen before.
    pub(crate) async fn judge(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        let judged = async {
            let (mut unverified, want) = self.parse(token)?;
            let verified = self.keys.resolve(want, |keys| verify_by(keys, &mut unverified)).await?;
            self.admit(self.accept(token, verified)?, self.clock.running()).await
        };
        self.counted(judged.await, Counts::new_token)
    }

    /// As [`Self::judge`], but does not wait.
    pub(crate) fn judge_now(&self, token: &str) -> Result<VerifiedToken, AuthError> {
        let judged = || {
            let (mut unverified, want) = self.parse(token)?;
            let verified = self.keys.resolve_now(want, |keys| verify_by(keys, &mut unverified))?;
            self.admit_now(self.accept(token, verified)?, self.clock.running())
        };
        self.counted(judged(), Counts::new_token)
    }

    pub(crate) fn health(&self) -> IssuerHealth {
        IssuerHealth {
            issuer: self.issuer().to_owned(),
            keys: self.keys.health(),
            revocations: self.revocations.as_ref().map(Revocations::health),
        }
    }

    pub(crate) fn measure(&self, into: &mut Scrape) {
        let issuer = self.issuer();
        self.counts.measure(into, issuer);
        self.keys.measure(into, issuer);
        if let Some(cache) = &self.cache {
            cache.measure(into, issuer);
        }
        if let Some(revocations) = &self.revocations {
            revocations.measure(into, issuer);
        }
    }

    /// A token that was found good before, if its time and its key still are; and when that was asked, on the
    /// running clock. Reading clocks is a good part of what a token seen before costs: each is read once.
    fn seen(&self, token: &str) -> Option<(Seen, Duration)> {
        let cache = self.cache.as_ref()?;
        let seen = cache.get(token)?;
        let running = self.clock.running();
        if seen.passes.contains(&self.now()) && self.keys.standing(seen.key, running) == KeyStanding::Held {
            return Some((seen, running));
        }
        // Judging it anew tells why it is refused, or that it is not.
        cache.forget(token);
        None
    }

    /// Every step before the key.
    fn parse<'t>(&self, token: &'t str) -> Result<(Option<Unverified<'t>>, Want<'t>), VerifyError> {
        let unverified = parse(token, &self.policy, self.now())?;
        let published_by = unverified.issued_at().saturating_add(self.future_leeway);
        let want = Want { header: header_of(token), published_by: Some(published_by) };
        Ok((Some(unverified), want))
    }

    /// The steps that are the same each time for as long as the key is known; remembers what passed them.
    fn accept(&self, token: &str, (verified, key): (Verified, u64)) -> Result<Seen, VerifyError> {
        require_claims(&self.claims, verified.extra().as_bytes())?;
        let facts = match self.revocations {
            Some(_) => Some(Facts::of(verified.claims())?),
            None => None,
        };
        let claims = verified.claims();
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        let passes = begins.saturating_sub(self.future_leeway)..claims.exp.saturating_add(self.leeway);
        let lacks = self.scopes.iter().position(|scope| !claims.scope.contains(scope));
        let seen = Seen { token: VerifiedToken::new(verified, facts), passes, key, lacks };
        if let Some(cache) = &self.cache {
            cache.insert(token, seen.clone());
        }
        Ok(seen)
    }

    /// The steps that are asked anew each time.
    async fn admit(&self, seen: Seen, running: Duration) -> Result<VerifiedToken, AuthError> {
        let mut standing = self.standing(&seen, running);
        if let (Some(revocations), Standing::Stale) = (&self.revocations, standing) {
            revocations.first_snapshot(REVOCATIONS_WAIT).await;
            standing = self.standing(&seen, self.clock.running());
        }
        self.admit_as(seen, standing)
    }

    fn admit_now(&self, seen: Seen, running: Duration) -> Result<VerifiedToken, AuthError> {
        let standing = self.standing(&seen, running);
        self.admit_as(seen, standing)
    }

    fn admit_as(&self, seen: Seen, standing: Standing) -> Result<VerifiedToken, AuthError> {
        match standing {
            Standing::Live => {}
            Standing::Ended => return Err(AuthError::Revoked),
            Standing::Stale => return Err(self.stale()),
        }
        match seen.lacks.and_then(|place| self.scopes.get(place)) {
            Some(scope) => Err(AuthError::Scope(scope.to_string())),
            None => Ok(seen.token),
        }
    }

    fn standing(&self, seen: &Seen, running: Duration) -> Standing {
        match (&self.revocations, seen.token.facts()) {
            (Some(revocations), Some(facts)) => revocations.check(seen.token.subject(), facts, running),
            _ => Standing::Live,
        }
    }

    fn stale(&self) -> AuthError {
        let next = self.revocations.as_ref().map_or(Duration::ZERO, Revocations::retry_after);
        AuthError::Unavailable { what: Lacking::Revocations, retry_after: next.max(REVOCATIONS_WAIT) }
    }

    fn counted(
        &self,
        judged: Result<VerifiedToken, AuthError>,
        accepted: impl FnOnce(&Counts),
    ) -> Result<VerifiedToken, AuthError> {
        match &judged {
            Ok(_) => accepted(&self.counts),
            Err(why) => self.counts.refused(why),
        }
        judged
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.wall().as_secs()).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("policy", &self.policy)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// Checks the signature by these keys. The token is taken once its key is found, and is then judged for good.
fn verify_by(
    keys: &KeySnapshot,
    unverified: &mut Option<Unverified<'_>>,
) -> Result<(Verified, u64), VerifyError> {
    let token = unverified.as_ref().ok_or(VerifyError::UnknownKey)?;
    let (key, number) = keys.find(token.kid(), token.algorithm())?;
    let token = unverified.take().ok_or(VerifyError::UnknownKey)?;
    Ok((token.verify(key)?, number))
}

/// The first segment. One issuer's tokens by one key have the same.
pub(crate) fn header_of(token: &str) -> &str {
    token.split('.').next().unwrap_or_default()
}

/// Whether each of these members is in the payload and not `null`.
fn require_claims(names: &[&'static str], payload: &[u8]) -> Result<(), VerifyError> {
    if names.is_empty() {
        return Ok(());
    }
    let members: HashMap<String, Option<IgnoredAny>> = serde_json::from_slice(payload)
        .map_err(|_| VerifyError::Malformed("the payload is not an object"))?;
    let there = |name: &str| members.get(name).is_some_and(Option::is_some);
    match names.iter().find(|name| !there(name)) {
        Some(name) => Err(VerifyError::Claim(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_claim_is_there_and_not_null() {
        let payload = br#"{"a":false,"b":null,"c":{"d":1}}"#;
        assert_eq!(require_claims(&["a", "c"], payload), Ok(()));
        for name in ["b", "d", "e", ""] {
            assert_eq!(require_claims(&["a", name], payload), Err(VerifyError::Claim(name)));
        }
    }
}
