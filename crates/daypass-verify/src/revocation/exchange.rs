//! One request and its answer, bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Clock;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};

use super::fault::{FeedFault, PollError};
use crate::ConfigError;
use crate::fetch::{FetchError, read_body};

/// How long an answer may take, body included.
const TIME_OUT: Duration = Duration::from_secs(5);

/// Sends requests.
#[derive(Debug)]
pub(super) struct Exchange {
    http: Client,
    clock: Arc<dyn Clock>,
}

/// An answer that has come whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    headers: HeaderMap,
}

impl Exchange {
    /// For requests to this url's host, over one connection that is kept from poll to poll. Proxies that the
    /// environment names are used for https; plain http is for this machine or this network.
    pub(super) fn new(url: &Url, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let mut http = Client::builder()
            .user_agent(concat!("daypass-verify/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(1);
        if url.scheme() == "http" {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|_| ConfigError::Transport)?;
        Ok(Self { http, clock })
    }

    /// The running clock.
    pub(super) fn now(&self) -> Duration {
        self.clock.running()
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn post(&self, url: &Url) -> RequestBuilder {
        self.http.post(url.clone())
    }

    /// Sends a request, and reads at most `most` bytes of what is answered.
    pub(super) async fn send(&self, request: RequestBuilder, most: usize) -> Result<Answer, PollError> {
        self.in_time(answer(request, most)).await?.map_err(PollError::from)
    }

    /// Sends a request, and gives its answer as soon as that begins.
    pub(super) async fn open(&self, request: RequestBuilder) -> Result<Response, PollError> {
        self.in_time(request.send()).await?.map_err(|_| FeedFault::Unreachable.into())
    }

    /// Waits for something no longer than an answer may take.
    pub(super) async fn in_time<T>(&self, coming: impl Future<Output = T>) -> Result<T, PollError> {
        tokio::select! {
            biased;
            come = coming => Ok(come),
            () = self.clock.sleep(TIME_OUT) => Err(FeedFault::Timeout.into()),
        }
    }
}

async fn answer(request: RequestBuilder, most: usize) -> Result<Answer, FeedFault> {
    let response = request.send().await.map_err(|_| FeedFault::Unreachable)?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, body: read_body(response, most).await?, headers })
}

impl From<FetchError> for FeedFault {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::TooLarge => Self::TooLarge,
            FetchError::Connect | FetchError::Interrupted => Self::Unreachable,
        }
    }
}

impl Answer {
    /// The failure that an answer of an unwanted status is.
    pub(super) fn fault(&self, fault: FeedFault) -> PollError {
        unwanted(fault, self.status, &self.headers)
    }
}

/// The failure that an answer of an unwanted status is.
pub(super) fn unwanted(fault: FeedFault, status: StatusCode, headers: &HeaderMap) -> PollError {
    PollError { fault, status: Some(status.as_u16()), retry_after: retry_after(headers) }
}

/// `Retry-After` in seconds; its other form, a date, is not followed.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
