//! Tokens to read the feed with.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use reqwest::Url;
use serde::Deserialize;

use super::exchange::Exchange;
use super::fault::{FeedFault, PollError};
use super::schedule::LONGEST_RETRY_AFTER;

/// A token on its way.
pub(super) type BearerFuture = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// Gives tokens from elsewhere.
pub(super) type BearerSource = Box<dyn Fn() -> BearerFuture + Send + Sync>;

/// The most bytes of a token endpoint's answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A lifetime that is taken for a token that does not say, in seconds (RFC 6749 section 5.1 only recommends to say).
const UNSTATED_LIFE: u64 = 60;

/// How long a token that is still good serves on when a new one was not to be had.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Where tokens come from.
pub(super) enum Credentials {
    Source(BearerSource),
    Client(Client),
}

/// A client of the service, which gets tokens for itself (RFC 6749 section 4.4).
pub(super) struct Client {
    endpoint: Url,
    id: String,
    secret: String,
    body: String,
    held: Option<Held>,
}

struct Held {
    bearer: HeaderValue,
    /// When the next one is asked for, on the running clock.
    renew_at: Duration,
}

/// A token to be sent.
pub(super) struct Bearer {
    pub(super) value: HeaderValue,
    /// Whether it was used before: another may be better if it is refused.
    pub(super) used: bool,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

impl Credentials {
    pub(super) const fn source(source: BearerSource) -> Self {
        Self::Source(source)
    }

    /// A client with its secret, and tokens for `resource` that can do nothing but read the feed.
    pub(super) fn client(endpoint: Url, id: &str, secret: &str, resource: &str) -> Self {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let asked = [("grant_type", "client_credentials"), ("scope", "daypass:feed"), ("resource", resource)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
        // The encoding before Basic's own is RFC 6749 section 2.3.1's.
        Self::Client(Client { endpoint, id: encode(id), secret: encode(secret), body, held: None })
    }

    /// A token that is good as far as is known here.
    pub(super) async fn bearer(&mut self, exchange: &Exchange) -> Result<Bearer, PollError> {
        match self {
            Self::Source(source) => {
                let token = exchange.in_time(ask(source)).await?.map_err(|error| {
                    tracing::debug!(%error, "no token to read the revocation feed with");
                    FeedFault::Token
                })?;
                Ok(Bearer { value: header(token.trim())?, used: false })
            }
            Self::Client(client) => client.bearer(exchange).await,
        }
    }

    /// The token was refused: the next one is another.
    pub(super) fn forget(&mut self) {
        if let Self::Client(client) = self {
            client.held = None;
        }
    }
}

impl Client {
    async fn bearer(&mut self, exchange: &Exchange) -> Result<Bearer, PollError> {
        let now = exchange.now();
        if let Some(held) = self.held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(Bearer { value: held.bearer.clone(), used: true });
        }
        match self.ask(exchange).await {
            Ok(held) => {
                let value = self.held.insert(held).bearer.clone();
                Ok(Bearer { value, used: false })
            }
            // A fifth of the old token's life is left: it serves until the feed refuses it.
            Err(error) => {
                let held = self.held.as_mut().ok_or(error)?;
                let wait = error.retry_after.unwrap_or_default().clamp(ASK_AGAIN, LONGEST_RETRY_AFTER);
                held.renew_at = now.saturating_add(wait);
                Ok(Bearer { value: held.bearer.clone(), used: true })
            }
        }
    }

    async fn ask(&self, exchange: &Exchange) -> Result<Held, PollError> {
        let now = exchange.now();
        let request = exchange
            .post(&self.endpoint)
            .basic_auth(&self.id, Some(&self.secret))
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.body.clone());
        let answer = exchange.send(request, MAX_ANSWER_BYTES).await?;
        if answer.status != StatusCode::OK {
            return Err(answer.fault(FeedFault::Token));
        }
        let Issued { access_token, token_type, expires_in } =
            serde_json::from_slice(&answer.body).map_err(|_| FeedFault::Token)?;
        if !token_type.eq_ignore_ascii_case("bearer") {
            return Err(FeedFault::Token.into());
        }
        let life = Duration::from_secs(expires_in.unwrap_or(UNSTATED_LIFE));
        Ok(Held { bearer: header(&access_token)?, renew_at: now.saturating_add(life / 5 * 4) })
    }
}

/// Asks code that is not ours: if it panics, this poll has failed, and the task that makes the next one lives.
async fn ask(source: &BearerSource) -> Result<String, String> {
    let panicked = |_| "it panicked".to_owned();
    // Nothing that may be half done is looked at after a panic.
    let mut coming = catch_unwind(AssertUnwindSafe(source)).map_err(panicked)?;
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| coming.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(panic))))
    })
    .await
}

fn header(token: &str) -> Result<HeaderValue, PollError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| PollError::from(FeedFault::Token))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source(_) => "Credentials::Source",
            Self::Client(_) => "Credentials::Client",
        })
    }
}
