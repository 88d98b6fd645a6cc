//! When an access token is renewed: the rule, without clock or network.

use std::time::Duration;

/// When to renew, and how long to try.
///
/// A call that comes within the last minute of its token's life starts the renewal in the background, one that
/// comes within the last ten seconds waits for it; for tokens that live for less than five minutes it is the last
/// fifth, and for less than 200 seconds the last twentieth. If the service says when it would like the token renewed, that replaces the
/// minute.
#[derive(Clone, Debug)]
pub struct RefreshPolicy {
    pub(crate) eager: bool,
    /// How long one request may take.
    pub(crate) attempt: Duration,
    /// How long a renewal is tried in all.
    pub(crate) budget: Duration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self { eager: false, attempt: Duration::from_secs(10), budget: Duration::from_secs(20) }
    }
}

impl RefreshPolicy {
    /// Renews ahead of need while nobody calls, by one task that ends with the session's last clone. Without it
    /// nothing runs while nobody calls.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// How long one request may take, 10 seconds by default. A renewal that got no answer in that time is asked for
    /// again, under the same attempt id.
    #[must_use]
    pub fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = limit;
        self
    }

    /// How long callers wait for a renewal in all, 20 seconds by default, before they are told that the service
    /// cannot be reached.
    #[must_use]
    pub fn budget(mut self, limit: Duration) -> Self {
        self.budget = limit;
        self
    }
}

/// What to do with the token at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It serves.
    Fresh,
    /// It serves, and is renewed in the background meanwhile.
    RenewBehind,
    /// It is renewed first.
    Wait,
}

/// How long an access token is meant to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// In all.
    pub(crate) lifetime: Duration,
    /// When the service would like it renewed.
    pub(crate) refresh_in: Option<Duration>,
    /// This token's own share of randomness.
    pub(crate) jitter: Jitter,
}

/// Where in a span of ±25 % something happens: drawn once for each token, so that clients that signed in together
/// do not renew together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Jitter(u16);

impl Jitter {
    /// Takes it from random bits.
    pub(crate) const fn new(random: u16) -> Self {
        Self(random)
    }

    /// Three to five quarters of `span`.
    fn of(self, span: Duration) -> Duration {
        let share = span / 2 * u32::from(self.0) / u32::from(u16::MAX);
        span.saturating_sub(span / 4).saturating_add(share)
    }
}

const SOFT: Duration = Duration::from_mins(1);
const HARD: Duration = Duration::from_secs(10);
const TOO_YOUNG_TO_RENEW_AHEAD: Duration = Duration::from_secs(30);
const TOO_YOUNG_TO_BE_REFUSED: Duration = Duration::from_secs(10);

/// A session that ends this much after its token ends with it: both are told in whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

impl Life {
    /// What to do with a token of this age, in a session of which `session_left` remains, or that has no end.
    pub(crate) fn need(&self, age: Duration, session_left: Option<Duration>) -> Need {
        let left = self.lifetime.saturating_sub(age);
        if left.is_zero() {
            return Need::Wait;
        }
        // The service cuts tokens to the session's end: another would serve no longer.
        if session_left.is_some_and(|session_left| session_left <= left.saturating_add(ROUNDING)) {
            return Need::Fresh;
        }
        if age < TOO_YOUNG_TO_RENEW_AHEAD.min(self.lifetime / 4) {
            return Need::Fresh;
        }
        if left <= HARD.min(self.lifetime / 20) {
            return Need::Wait;
        }
        if age >= self.renewed_at() { Need::RenewBehind } else { Need::Fresh }
    }

    /// The age at which the token is renewed if it is in use.
    pub(crate) fn renewed_at(&self) -> Duration {
        let soft = self.jitter.of(SOFT.min(self.lifetime / 5));
        self.refresh_in
            .unwrap_or(self.lifetime.saturating_sub(soft))
            .max(TOO_YOUNG_TO_RENEW_AHEAD.min(self.lifetime / 4))
    }

    /// Whether a token of this age is too young for a refusal to mean anything: a server that refuses it would
    /// refuse the next one too.
    pub(crate) fn too_young_to_be_refused(&self, age: Duration) -> bool {
        age < TOO_YOUNG_TO_BE_REFUSED.min(self.lifetime / 4)
    }
}

/// When something was, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The time of day, since the Unix epoch. It may be wrong, and it may jump.
    pub(crate) wall: Duration,
    /// The time that never goes back and counts suspension, since some fixed point of this process.
    pub(crate) running: Duration,
}

/// When a token was asked for, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// By this process, at this moment.
    Here(Moment),
    /// Before it was read from a store at this moment, by the wall clock of then.
    Before { wall: Duration, read: Moment },
}

impl Asked {
    /// The token's age: the greater one of what both clocks say. A wall clock that stands before the request says
    /// nothing.
    pub(crate) fn age(self, now: Moment) -> Duration {
        let (wall, running) = match self {
            Self::Here(asked) => (asked.wall, asked.running),
            Self::Before { wall, read } => (wall, read.running),
        };
        now.wall.saturating_sub(wall).max(now.running.saturating_sub(running))
    }

    /// Whether the age is all there is to say. A token from a store whose wall clock has been set back since may be
    /// of any age.
    pub(crate) fn is_sure(self, now: Moment) -> bool {
        match self {
            Self::Here(_) => true,
            Self::Before { wall, read } => wall <= read.wall && wall <= now.wall,
        }
    }
}

#[cfg(test)]
mod tests;
