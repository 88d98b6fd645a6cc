//! `GET /v1/revocations/stream`: the feed as server-sent events (HTML Living Standard, section 9.2).
//!
//! Events are `reset` (what was known before is void), `entry`, and `ready` (nothing followed; from here on entries come as
//! they are made). `id:` is the cursor. A comment every 5 s says that the service has looked and found nothing new; it does
//! not come while the store cannot be read, so that silence tells a verifier that it knows too little.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use daypass_service::{Feed, FeedFollower, FeedNews, Service};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::feed::{Entry, permit};
use crate::answer;
use crate::bearer;
use crate::call::Call;
use crate::fault::Fault;
use crate::problem::Problem;
use crate::query;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Asks nginx, and those that follow it in this, not to keep events back.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

const LAST_EVENT_ID: &str = "last-event-id";

const BEAT: Bytes = Bytes::from_static(b":\n\n");

/// Whoever takes nothing for so long is cut off.
const STALLED: Duration = Duration::from_secs(30);

/// Follows the feed.
pub(super) async fn stream(call: Call) -> Result<Response, Problem> {
    let service = call.service();
    let token = bearer::token(call.headers())?.ok_or_else(bearer::absent)?;
    permit(service, token).await?;
    let [since] = query::read(&call.parts.uri, ["since"])?;
    let last = match call.headers().get(LAST_EVENT_ID).map(HeaderValue::to_str) {
        None => None,
        Some(Ok(last)) => Some(last),
        Some(Err(_)) => return Err(Fault::Invalid(LAST_EVENT_ID, "has to be a cursor".into()).into()),
    };
    // Whoever reconnects sends what it heard last, beside the url that it began with.
    let follower = service.follow_feed(last.or(since.as_deref())).await?;
    let (out, events) = mpsc::channel(1);
    let listener = Listener { service: service.clone(), token: token.to_owned(), out };
    tokio::spawn(listener.tell(follower));
    let mut response = answer::bytes(StatusCode::OK, EVENT_STREAM, Body::new(Events(events)));
    response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
    Ok(answer::no_store(response))
}

/// One who follows. It has no `Debug`: it holds a token.
struct Listener {
    service: Service,
    token: String,
    out: mpsc::Sender<Bytes>,
}

impl Listener {
    /// Passes on what the follower is told, until either side has enough.
    async fn tell(self, mut follower: FeedFollower) {
        loop {
            let news = tokio::select! {
                () = self.out.closed() => return,
                news = follower.next() => news,
            };
            let text = match news {
                Ok(Some(FeedNews::Page(feed))) => page(&feed),
                Ok(Some(FeedNews::Ready(cursor))) => {
                    Bytes::from(format!("event: ready\nid: {cursor}\ndata: {{}}\n\n"))
                }
                Ok(Some(FeedNews::Grown(growth))) => growth.rendered(page),
                // A token that has expired, or whose client has gone, ends what it began.
                Ok(Some(FeedNews::Beat)) if permit(&self.service, &self.token).await.is_err() => return,
                Ok(Some(FeedNews::Beat)) => BEAT,
                Ok(Some(_)) => continue,
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "a stream of the feed ended"),
            };
            if !matches!(timeout(STALLED, self.out.send(text)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// A page as events. The cursor comes with the last of them: one who has not heard that begins before the page again.
fn page(feed: &Feed) -> Bytes {
    let mut text = String::with_capacity(64 + feed.entries.len() * 128);
    if feed.reset {
        text.push_str("event: reset\ndata: {}\n\n");
    }
    for (number, entry) in feed.entries.iter().enumerate() {
        // Nothing that is serialised here can fail.
        let Ok(data) = serde_json::to_string(&Entry::of(entry)) else { continue };
        text.push_str("event: entry\n");
        if number + 1 == feed.entries.len() {
            text.extend(["id: ", &feed.cursor, "\n"]);
        }
        text.extend(["data: ", &data, "\n\n"]);
    }
    text.into()
}

/// What has been told and is to be sent.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}
