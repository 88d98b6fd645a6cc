//! Keys that the issuer publishes, fetched by one background task and read without a lock.

mod answer;
mod shared;
mod state;
mod task;
mod waiters;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daypass_ambient::Clock;
use daypass_jwt::{Algorithms, VerifyError};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::{KeySnapshot, KeyStanding, Want, any_publishable};
use crate::metrics::Scrape;
use crate::{AuthError, ConfigError, KeysHealth, Lacking, fetch};
use answer::KeysFault;
use shared::Shared;
use state::{Hope, Outcome};

/// How long a caller waits for a key that is being fetched.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The keys at a url: a JWK set (RFC 7517 section 5), fetched over https, or over http from this very host.
///
/// They are fetched as soon as the verifier is built, again every 4 minutes, and at once when a token wants a
/// key that is not among them, but then not more often than every 10 seconds. While they cannot be fetched the
/// last ones stay good for an hour. A request may take 2 seconds, redirects are not followed, and an answer may
/// have up to [`MAX_JWKS_BYTES`](daypass_jwt::MAX_JWKS_BYTES); its content type does not matter. An answer
/// without a key that can be used changes nothing.
///
/// Up to 1,024 callers at a time wait for a key, up to 1 second each, and they may want up to 64 different
/// keys among them: a hundred callers of one new key all get it, while a flood of made-up key ids takes 64
/// places.
///
/// ```
/// use daypass_verify::RemoteKeys;
///
/// let keys = RemoteKeys::new("https://id.example/.well-known/jwks.json");
/// ```
#[derive(Clone)]
pub struct RemoteKeys {
    url: String,
    allow_http: bool,
}

impl RemoteKeys {
    /// The keys at this url, which is checked when the verifier is built: [`ConfigError::Url`].
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), allow_http: false }
    }

    /// Accepts http for any host, for a network in which nobody can put himself between. **Whoever can may
    /// replace the keys, and with them sign any token.**
    #[must_use]
    pub const fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }
}

/// Without the url, which may hold what nobody should see until it is checked.
impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("allow_http", &self.allow_http).finish_non_exhaustive()
    }
}

/// Remote keys in use. Dropping it ends the task.
pub(crate) struct Remote {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Remote {
    pub(super) fn start(
        keys: &RemoteKeys,
        algorithms: Algorithms,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        if !any_publishable(algorithms) {
            return Err(ConfigError::NoUsableKey);
        }
        let url = fetch::parse_url(&keys.url, keys.allow_http)?;
        let client = fetch::client_for(&url)?;
        let runtime = Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        let shared = Arc::new(Shared::new(clock));
        let request = answer::Request { client, url, algorithms };
        let task = runtime.spawn(task::run(Arc::clone(&shared), request)).abort_handle();
        Ok(Self { shared, task })
    }

    pub(super) fn standing(&self, number: u64, running: Duration) -> KeyStanding {
        let at_hand = self.shared.at_hand.load();
        match at_hand.as_ref().filter(|set| self.shared.is_good(set, running)) {
            Some(set) if set.keys.has(number) => KeyStanding::Held,
            _ => KeyStanding::Lost,
        }
    }

    pub(super) async fn resolve<T>(
        &self,
        want: Want<'_>,
        mut find: impl FnMut(&KeySnapshot) -> Result<T, VerifyError>,
    ) -> Result<T, AuthError> {
        let mut looked = self.shared.look(&mut find);
        if !matches!(looked, Looked::Lacking) {
            return looked.found();
        }
        let Some(_place) = self.shared.waiters.enter(want.header) else {
            return Err(unavailable(LONGEST_WAIT));
        };
        let limit = self.shared.clock.sleep(LONGEST_WAIT);
        tokio::pin!(limit);
        loop {
            let (number, begun_before) = match self.shared.hope(want) {
                Ok(Hope::Running(number)) => (number, true),
                Ok(Hope::Next(number)) => (number, false),
                Ok(Hope::None(rest)) => return self.look_again(find, unavailable(rest)),
                Err(why) => return self.look_again(find, why),
            };
            let outcome = tokio::select! {
                // What has come is taken, even at the last moment.
                biased;
                outcome = self.shared.ended(number) => outcome,
                () = &mut limit => return Err(unavailable(LONGEST_WAIT)),
            };
            looked = self.shared.look(&mut find);
            match (looked, outcome) {
                (Looked::Lacking, Outcome::Fetched) if begun_before => {}
                (Looked::Lacking, Outcome::Fetched) => return Err(VerifyError::UnknownKey.into()),
                (Looked::Lacking, _) => return Err(unavailable(self.shared.rest())),
                (looked, _) => return looked.found(),
            }
        }
    }

    pub(super) fn resolve_now<T>(
        &self,
        want: Want<'_>,
        mut find: impl FnMut(&KeySnapshot) -> Result<T, VerifyError>,
    ) -> Result<T, AuthError> {
        match self.shared.look(&mut find) {
            Looked::Lacking => {
                let why = match self.shared.hope(want) {
                    Ok(Hope::None(rest)) => unavailable(rest),
                    Ok(Hope::Running(_) | Hope::Next(_)) => unavailable(LONGEST_WAIT),
                    Err(why) => why,
                };
                self.look_again(find, why)
            }
            looked => looked.found(),
        }
    }

    /// Nobody is refused by what a fetch says that ended after the keys were looked at: what it brought is looked at
    /// first.
    fn look_again<T>(
        &self,
        mut find: impl FnMut(&KeySnapshot) -> Result<T, VerifyError>,
        why: AuthError,
    ) -> Result<T, AuthError> {
        match self.shared.look(&mut find) {
            Looked::Lacking => Err(why),
            looked => looked.found(),
        }
    }

    pub(super) fn health(&self) -> KeysHealth {
        let (at_hand, running) = (self.shared.at_hand.load(), self.shared.clock.running());
        KeysHealth {
            usable: at_hand.as_ref().is_some_and(|set| self.shared.is_good(set, running)),
            number: at_hand.as_ref().map_or(0, |set| set.keys.keys().len()),
            age_seconds: at_hand.as_ref().map(|set| self.shared.age(set).as_secs()),
            last_error: self.shared.last_fault().map(KeysFault::code),
        }
    }

    pub(super) fn measure(&self, into: &mut Scrape, issuer: &str) {
        const HELP: &str = "Requests for the issuer's keys, by what became of them";
        if let Some(set) = self.shared.at_hand.load().as_ref() {
            let age = self.shared.age(set).as_secs_f64();
            into.gauge(
                "keys_age_seconds",
                "Time since the last good answer was asked for",
                &[("issuer", issuer)],
                age,
            );
        }
        let mut fetches = |outcome, value| {
            into.counter("jwks_fetches", HELP, &[("issuer", issuer), ("outcome", outcome)], value);
        };
        fetches("fetched", self.shared.fetched.load(Ordering::Relaxed));
        for (fault, count) in KeysFault::ALL.iter().zip(&self.shared.faults) {
            fetches(fault.code(), count.load(Ordering::Relaxed));
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("health", &self.health()).finish()
    }
}

/// What a look at the keys at hand gives.
enum Looked<T> {
    Found(T),
    /// Whatever the key, the token is refused.
    Refused(VerifyError),
    /// No such key, or no good keys at all.
    Lacking,
}

impl<T> Looked<T> {
    fn found(self) -> Result<T, AuthError> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Refused(why) => Err(why.into()),
            Self::Lacking => Err(VerifyError::UnknownKey.into()),
        }
    }
}

const fn unavailable(retry_after: Duration) -> AuthError {
    AuthError::Unavailable { what: Lacking::Keys, retry_after }
}

#[cfg(test)]
mod tests;
