//! The configuration of a feed, and its start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock, Entropy, SystemEntropy};

use super::credentials::{BearerFuture, BearerSource, Credentials};
use super::exchange::Exchange;
use super::follow::Follower;
use super::followed::{Revocations, Shared};
use super::ledger::{Ledger, MOST_ENTRIES};
use super::schedule::Schedule;
use super::wire::Wire;
use crate::ConfigError;
use crate::fetch::parse_url;

/// The path of the feed below the service's base url.
const FEED_PATH: &str = "/v1/revocations";

/// The path of its stream.
const STREAM_PATH: &str = "/v1/revocations/stream";

/// What becomes of tokens while the feed could not be read for longer than `max_staleness`, or not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// They pass, but for those of sessions that are known to have ended. Access tokens are short-lived: one of a
    /// session that ended meanwhile passes until it expires, for as long as there is no feed.
    #[default]
    Allow,
    /// They are answered with 503 and `Retry-After`. Sessions that are known to have ended get their 401 all the
    /// same.
    Refuse,
}

/// A Daypass service's revocation feed, followed by one background task.
///
/// It polls (`GET /v1/revocations`) and then listens (`GET /v1/revocations/stream`): a session that was ended at the service
/// is refused within milliseconds, remembered tokens included. Where the stream cannot be had, because the service is
/// older or something on the way keeps events back, it polls again and again, and a session is refused after the next
/// poll. Either goes on from where it stopped.
///
/// A poll that fails is repeated after up to 1 s, doubling up to 10 s, or when the server's `Retry-After` says, at most a
/// minute later; one that takes longer than 5 s has failed. A stream that is silent for 15 s is given up; the service
/// says something every 5 s.
#[must_use]
pub struct RevocationFeed {
    url: String,
    bearer: Option<Bearer>,
    every: Duration,
    max_staleness: Duration,
    when_stale: WhenStale,
    streams: bool,
    allow_http: bool,
    entropy: Arc<dyn Entropy>,
}

enum Bearer {
    Client { id: String, secret: String },
    Source(BearerSource),
}

impl RevocationFeed {
    /// The feed of the service at `url`: the base url, such as `https://id.example` or `https://example.com/auth`,
    /// or the feed's own, which ends in `/v1/revocations`. It has to be https, or http to this machine.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            bearer: None,
            every: Duration::from_secs(1),
            max_staleness: Duration::from_secs(30),
            when_stale: WhenStale::default(),
            streams: true,
            allow_http: false,
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// Reads the feed as this client of the service, which needs the grant `client_credentials` and the scope
    /// `daypass:feed`. Its tokens come from the service's token endpoint, `/oauth2/token` below the base url, for the
    /// verifier's issuer as the resource; they are renewed after four fifths of their life and when refused.
    pub fn credentials(mut self, client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.bearer = Some(Bearer::Client { id: client_id.into(), secret: secret.into() });
        self
    }

    /// Reads the feed with tokens from elsewhere. `source` is asked before each request, every second or more often,
    /// so it should keep its token while that is good, and must not block. It has 5 s. An error, whose text is logged
    /// for debugging, makes the poll fail, and so does a panic.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use daypass_verify::revocation::RevocationFeed;
    /// use tokio::sync::watch;
    ///
    /// /// `tokens` holds the current token, which somebody else renews.
    /// fn feed(tokens: watch::Receiver<String>) -> RevocationFeed {
    ///     RevocationFeed::new("https://id.example").bearer(move || {
    ///         let token = tokens.borrow().clone();
    ///         async { Ok::<_, Infallible>(token) }
    ///     })
    /// }
    /// ```
    pub fn bearer<S, F, E>(mut self, source: S) -> Self
    where
        S: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display,
    {
        let source = move || -> BearerFuture {
            let token = source();
            Box::pin(async move { token.await.map_err(|error| error.to_string()) })
        };
        self.bearer = Some(Bearer::Source(Box::new(source)));
        self
    }

    /// Only polls: for networks on which no answer may stay open.
    pub fn without_stream(mut self) -> Self {
        self.streams = false;
        self
    }

    /// The time between two polls, give or take a tenth: how late an ended session may be refused where there is no
    /// stream. Default 1 s, at least 10 ms.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// How long the feed may go unread before it counts as stale; until it was first read it does in any case.
    /// Default 30 s; at least twice the time between two polls. Below 20 s it only polls: the stream says that there is
    /// nothing new every 5 s, and may miss it for a while.
    pub fn max_staleness(mut self, age: Duration) -> Self {
        self.max_staleness = age;
        self
    }

    /// What becomes of tokens while the feed is stale. Default: [`WhenStale::Allow`].
    pub fn when_stale(mut self, then: WhenStale) -> Self {
        self.when_stale = then;
        self
    }

    /// Accepts an `http` url to another machine: credentials and feed then cross the network in the clear, so only
    /// do this where the network is your own.
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Where the dice for spreading polls come from. Default: the system.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Begins to follow the feed on the tokio runtime that this is called in. `issuer` is who the feed's tokens are
    /// for.
    pub(crate) fn start(self, issuer: &str, clock: Arc<dyn Clock>) -> Result<Revocations, ConfigError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        if self.every < Duration::from_millis(10) || self.max_staleness < self.every.saturating_mul(2) {
            let what = "polls are 10 ms apart or more, and there are two at least in max_staleness";
            return Err(ConfigError::Revocation(what));
        }
        let base = self.url.trim_end_matches('/');
        let base = base.strip_suffix(FEED_PATH).unwrap_or(base);
        let below = |path: &str| parse_url(&format!("{base}{path}"), self.allow_http);
        let feed = below(FEED_PATH)?;
        if feed.query().is_some() {
            return Err(ConfigError::Revocation("its url has a query"));
        }
        let credentials = match self.bearer {
            None => return Err(ConfigError::Revocation("it needs credentials, or another source of tokens")),
            Some(Bearer::Source(source)) => Credentials::source(source),
            Some(Bearer::Client { id, secret }) => {
                Credentials::client(below("/oauth2/token")?, &id, &secret, issuer)
            }
        };
        let stream = self.streams.then(|| below(STREAM_PATH)).transpose()?;
        let exchange = Exchange::new(&feed, Arc::clone(&clock))?;
        let wire = Wire::new(feed, stream, credentials, exchange);
        let ledger = Ledger::new(MOST_ENTRIES);
        let shared = Shared::new(clock, ledger.published(), self.max_staleness, self.when_stale);
        let shared = Arc::new(shared);
        let schedule = Schedule::new(self.every);
        let follower = Follower::new(Arc::clone(&shared), wire, ledger, schedule, self.entropy);
        Ok(Revocations::new(shared, runtime.spawn(follower.run())))
    }
}

/// Shows no credentials.
impl fmt::Debug for RevocationFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationFeed")
            .field("every", &self.every)
            .field("max_staleness", &self.max_staleness)
            .field("when_stale", &self.when_stale)
            .finish_non_exhaustive()
    }
}
