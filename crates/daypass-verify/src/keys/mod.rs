//! Where an issuer's keys come from.

mod fixed;
mod remote;
mod snapshot;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Clock;
use daypass_jwt::{Algorithm, Algorithms, KeySet, VerifyError};

pub use fixed::StaticKeys;
pub use remote::RemoteKeys;
pub(crate) use snapshot::KeySnapshot;

use crate::metrics::Scrape;
use crate::{AuthError, ConfigError, KeysHealth};
use remote::Remote;

/// Where an issuer's keys come from: made of [`RemoteKeys`], [`StaticKeys`] or a [`KeySet`].
#[derive(Clone, Debug)]
pub struct Keys(Origin);

#[derive(Clone, Debug)]
enum Origin {
    Fixed(StaticKeys),
    Remote(RemoteKeys),
}

impl From<StaticKeys> for Keys {
    fn from(keys: StaticKeys) -> Self {
        Self(Origin::Fixed(keys))
    }
}

impl From<RemoteKeys> for Keys {
    fn from(keys: RemoteKeys) -> Self {
        Self(Origin::Remote(keys))
    }
}

impl From<KeySet> for Keys {
    fn from(keys: KeySet) -> Self {
        StaticKeys::from(keys).into()
    }
}

/// Keys in use.
pub(crate) enum KeySource {
    Fixed(Arc<KeySnapshot>),
    Remote(Remote),
}

/// What a token wants of the keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want<'t> {
    /// The token's header: it stands for the key, which one issuer's tokens ask for by the same text.
    pub(crate) header: &'t str,
    /// By when the token's key was published: its `iat` and the leeway for the issuer's clock, in Unix seconds.
    /// `None` if nothing is known.
    pub(crate) published_by: Option<i64>,
}

/// How it stands with a key that verified a token before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStanding {
    Held,
    /// Withdrawn by the issuer, or there are no keys at all.
    Lost,
}

impl KeySource {
    pub(crate) fn start(
        keys: Keys,
        algorithms: Algorithms,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        match keys.0 {
            Origin::Fixed(keys) => Ok(Self::Fixed(Arc::new(keys.snapshot(algorithms)?))),
            Origin::Remote(keys) => Ok(Self::Remote(Remote::start(&keys, algorithms, clock)?)),
        }
    }

    /// Whether the key of this number may still be relied upon at `running`. Lock-free, allocates nothing.
    pub(crate) fn standing(&self, number: u64, running: Duration) -> KeyStanding {
        match self {
            Self::Fixed(_) => KeyStanding::Held,
            Self::Remote(remote) => remote.standing(number, running),
        }
    }

    /// Applies `find` to the keys, and for as long as it says [`VerifyError::UnknownKey`] to newer ones, which
    /// it waits for up to 1 s if they can be had.
    pub(crate) async fn resolve<T>(
        &self,
        want: Want<'_>,
        find: impl FnMut(&KeySnapshot) -> Result<T, VerifyError>,
    ) -> Result<T, AuthError> {
        match self {
            Self::Fixed(_) => self.resolve_now(want, find),
            Self::Remote(remote) => remote.resolve(want, find).await,
        }
    }

    /// As [`Self::resolve`], but does not wait.
    pub(crate) fn resolve_now<T>(
        &self,
        want: Want<'_>,
        mut find: impl FnMut(&KeySnapshot) -> Result<T, VerifyError>,
    ) -> Result<T, AuthError> {
        match self {
            Self::Fixed(snapshot) => Ok(find(snapshot)?),
            Self::Remote(remote) => remote.resolve_now(want, find),
        }
    }

    pub(crate) fn health(&self) -> KeysHealth {
        match self {
            Self::Fixed(snapshot) => KeysHealth {
                usable: true,
                number: snapshot.keys().len(),
                age_seconds: None,
                last_error: None,
            },
            Self::Remote(remote) => remote.health(),
        }
    }

    pub(crate) fn measure(&self, into: &mut Scrape, issuer: &str) {
        let health = self.health();
        let labels = [("issuer", issuer)];
        into.gauge(
            "keys",
            "Keys at hand",
            &labels,
            f64::from(u32::try_from(health.number).unwrap_or(u32::MAX)),
        );
        into.gauge(
            "keys_usable",
            "1 if tokens can be judged by the keys, else 0",
            &labels,
            f64::from(u8::from(health.usable)),
        );
        if let Self::Remote(remote) = self {
            remote.measure(into, issuer);
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(snapshot) => f.debug_tuple("Fixed").field(&snapshot.keys().len()).finish(),
            Self::Remote(remote) => remote.fmt(f),
        }
    }
}

/// Whether any key is of an algorithm on the list.
fn any_usable(keys: &KeySet, algorithms: Algorithms) -> bool {
    keys.iter().any(|key| algorithms.contains(key.algorithm()))
}

/// Whether keys that are published can be of an algorithm on the list.
fn any_publishable(algorithms: Algorithms) -> bool {
    Algorithm::ALL.into_iter().any(|algorithm| algorithm.is_asymmetric() && algorithms.contains(algorithm))
}
