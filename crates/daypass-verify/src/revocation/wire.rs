//! Requests for the feed: polls of `GET /v1/revocations`, and its stream.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, StatusCode};
use reqwest::{Response, Url};

use super::credentials::{Bearer, Credentials};
use super::exchange::{Answer, Exchange, unwanted};
use super::fault::{FeedFault, PollError};
use super::page::Page;

/// The most bytes of a page that are read. The service's largest has less than half a megabyte.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

const EVENT_STREAM: &str = "text/event-stream";

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Asks for the feed.
#[derive(Debug)]
pub(super) struct Wire {
    feed: Url,
    /// The feed's stream, if it is wanted.
    stream: Option<Url>,
    credentials: Credentials,
    exchange: Exchange,
}

impl Wire {
    pub(super) const fn new(
        feed: Url,
        stream: Option<Url>,
        credentials: Credentials,
        exchange: Exchange,
    ) -> Self {
        Self { feed, stream, credentials, exchange }
    }

    /// Whether there is a stream to ask for.
    pub(super) const fn has_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Where the feed is: nothing secret.
    pub(super) const fn feed(&self) -> &Url {
        &self.feed
    }

    /// The page after `cursor`, or the first one. A token that was good before and is refused now has expired, or
    /// its client is gone: one more is tried.
    pub(super) async fn page(&mut self, cursor: Option<&str>) -> Result<Page, PollError> {
        let bearer = self.credentials.bearer(&self.exchange).await?;
        let used = bearer.used;
        let mut answer = self.ask(cursor, bearer).await?;
        if answer.status == StatusCode::UNAUTHORIZED && used {
            let bearer = self.credentials.bearer(&self.exchange).await?;
            answer = self.ask(cursor, bearer).await?;
        }
        match answer.status {
            StatusCode::OK => Page::read(&answer.body).map_err(|_| FeedFault::Malformed.into()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(answer.fault(FeedFault::Refused)),
            _ => Err(answer.fault(FeedFault::Status)),
        }
    }

    async fn ask(&mut self, cursor: Option<&str>, bearer: Bearer) -> Result<Answer, PollError> {
        let mut url = self.feed.clone();
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("since", cursor);
        }
        let request = self.exchange.get(url).header(AUTHORIZATION, bearer.value);
        let answer = self.exchange.send(request, MAX_PAGE_BYTES).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            self.credentials.forget();
        }
        Ok(answer)
    }

    /// The stream after `cursor`, as soon as it begins.
    pub(super) async fn stream(&mut self, cursor: Option<&str>) -> Result<Response, PollError> {
        let Some(stream) = self.stream.clone() else { return Err(FeedFault::Status.into()) };
        let bearer = self.credentials.bearer(&self.exchange).await?;
        let mut request = self.exchange.get(stream).header(AUTHORIZATION, bearer.value);
        request = request.header(ACCEPT, EVENT_STREAM);
        if let Some(cursor) = cursor {
            request = request.header(LAST_EVENT_ID, cursor);
        }
        let answer = self.exchange.open(request).await?;
        let (status, headers) = (answer.status(), answer.headers());
        match status {
            StatusCode::OK => {
                let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let is_events = media_type.is_some_and(|value| value.starts_with(EVENT_STREAM));
                if is_events { Ok(answer) } else { Err(FeedFault::Malformed.into()) }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                // The poll that comes next asks for another.
                self.credentials.forget();
                Err(unwanted(FeedFault::Refused, status, headers))
            }
            _ => Err(unwanted(FeedFault::Status, status, headers)),
        }
    }
}
