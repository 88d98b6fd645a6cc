//! How pages come: by polling `GET /v1/revocations`.

use http::StatusCode;
use http::header::AUTHORIZATION;
use reqwest::Url;

use super::credentials::{Bearer, Credentials};
use super::exchange::{Answer, Exchange};
use super::fault::{FeedFault, PollError};
use super::page::Page;

/// The most bytes of a page that are read. The service's largest has less than half a megabyte.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Fetches pages.
#[derive(Debug)]
pub(super) struct Wire {
    feed: Url,
    credentials: Credentials,
    exchange: Exchange,
}

impl Wire {
    pub(super) const fn new(feed: Url, credentials: Credentials, exchange: Exchange) -> Self {
        Self { feed, credentials, exchange }
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
}
