//! The revocation feed as it grows: one reader of the store, however many follow.
//!
//! The reader works while somebody follows. What it finds is told to all at once. Whoever has just come, or cannot keep up,
//! reads pages of the store by himself until he has caught up, so that nobody waits for anybody, and nothing queues
//! without a bound.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use daypass_core::FeedEntry;
use daypass_storage::{FeedCursor, FeedPage, StoreError, StoreResult};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::error::ServiceError;
use crate::feed::{Feed, MOST_ENTRIES, read_cursor};
use crate::start::{Inner, Service};

/// How often the reader looks for more: an ended session is told within that, whichever node ended it.
const READ_EVERY: Duration = Duration::from_millis(25);

/// How often followers hear that there is nothing new.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// So many tidings wait for a follower; one that is further behind reads the store again.
const BACKLOG: usize = 256;

/// The most followers of one node.
const MOST_FOLLOWERS: usize = 5_000;

/// How long a first follower waits until the reader knows where the feed ends.
const FIRST_READING: Duration = Duration::from_secs(2);

/// When to come back where there are too many followers.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What the reader tells.
#[derive(Clone, Debug)]
enum News {
    Grown(Arc<Growth>),
    Beat,
    /// The store is not the one that cursors are of.
    Reset,
}

/// What has come to the feed since somebody last looked, shared by all who follow.
#[derive(Debug)]
pub struct Growth {
    feed: Feed,
    rendered: OnceLock<Bytes>,
}

impl Growth {
    /// What came. Entries may be read twice; they are idempotent.
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The same as it is sent, made by the first who asks.
    pub fn rendered(&self, render: impl FnOnce(&Feed) -> Bytes) -> Bytes {
        self.rendered.get_or_init(|| render(&self.feed)).clone()
    }
}

/// What a follower is told, in this order: pages until it has caught up, that it has, and then what comes.
#[derive(Debug)]
#[non_exhaustive]
pub enum FeedNews {
    /// A page, read for this follower.
    Page(Feed),
    /// Nothing followed: from here on it hears of entries as they come. With the cursor of here.
    Ready(String),
    /// Entries that have come.
    Grown(Arc<Growth>),
    /// The store was read, and there was nothing new. It comes every 5 s, and not while the store cannot be read.
    Beat,
}

/// Follows the feed for one who listens.
#[derive(Debug)]
pub struct FeedFollower {
    service: Service,
    news: broadcast::Receiver<News>,
    closing: watch::Receiver<bool>,
    cursor: Option<FeedCursor>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There may be pages that it has not read.
    Behind,
    /// It has read the last one and has not said so.
    Arrived,
    /// It waits for news.
    Listening,
}

impl FeedFollower {
    /// What comes next; nothing once the service has ended all streams.
    ///
    /// # Errors
    /// Where the store cannot be read. The follower can go on asking.
    pub async fn next(&mut self) -> Result<Option<FeedNews>, ServiceError> {
        loop {
            if *self.closing.borrow() {
                return Ok(None);
            }
            match self.stage {
                Stage::Behind => {
                    if let Some(page) = self.page().await? {
                        return Ok(Some(page));
                    }
                }
                Stage::Arrived => {
                    self.stage = Stage::Listening;
                    let cursor = self.cursor.map(crate::feed::write_cursor).unwrap_or_default();
                    return Ok(Some(FeedNews::Ready(cursor)));
                }
                Stage::Listening => {
                    let heard = tokio::select! {
                        biased;
                        _closing = self.closing.wait_for(|closing| *closing) => return Ok(None),
                        heard = self.news.recv() => heard,
                    };
                    if let Some(news) = self.hear(heard) {
                        return Ok(Some(news));
                    }
                }
            }
        }
    }

    /// The next page, unless it has nothing to say.
    async fn page(&mut self) -> Result<Option<FeedNews>, ServiceError> {
        // What is told while pages are read may be in them, too.
        let page = self.service.inner.store.feed(self.cursor, MOST_ENTRIES).await?;
        self.cursor = Some(page.cursor);
        if page.complete {
            self.stage = Stage::Arrived;
        }
        let feed = Feed::from(page);
        Ok((feed.reset || !feed.entries.is_empty()).then_some(FeedNews::Page(feed)))
    }

    fn hear(&mut self, heard: Result<News, broadcast::error::RecvError>) -> Option<FeedNews> {
        match heard {
            Ok(News::Beat) => Some(FeedNews::Beat),
            Ok(News::Grown(growth)) => {
                self.cursor = read_cursor(&growth.feed.cursor);
                Some(FeedNews::Grown(growth))
            }
            Ok(News::Reset) => {
                self.cursor = None;
                self.stage = Stage::Behind;
                None
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "a follower of the feed reads it again");
                // Before the store is read: what comes from here on is told.
                self.news = self.news.resubscribe();
                self.stage = Stage::Behind;
                None
            }
            // The service holds the sender.
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Service {
    /// Follows the feed from a cursor on, or from the start. Pages come first; see [`FeedNews`].
    ///
    /// # Errors
    /// Where the store cannot be read, or too many follow already.
    pub async fn follow_feed(&self, since: Option<&str>) -> Result<FeedFollower, ServiceError> {
        let hub = &self.inner.hub;
        if hub.followers() >= MOST_FOLLOWERS {
            return Err(ServiceError::Busy { what: "followers of the feed", retry_after: RETRY_AFTER });
        }
        let (news, mut placed) = (hub.shared.news.subscribe(), hub.shared.placed.subscribe());
        let closing = hub.closing.subscribe();
        hub.shared.arrived.notify_one();
        // What the reader has passed over this follower has to find, so the reader has to be there first.
        let there = timeout(FIRST_READING, placed.wait_for(|placed| *placed)).await;
        if !matches!(there, Ok(Ok(_))) {
            return Err(StoreError::Unavailable("the revocation feed cannot be read".to_owned()).into());
        }
        let cursor = since.and_then(read_cursor);
        Ok(FeedFollower { service: self.clone(), news, closing, cursor, stage: Stage::Behind })
    }

    /// Ends all streams, now and from now on, so that a server that finishes what it has accepted comes to an end.
    pub fn end_streams(&self) {
        self.inner.hub.closing.send_replace(true);
    }
}

/// The reader's and the followers' meeting place. The reader ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Hub {
    shared: Arc<Shared>,
    closing: watch::Sender<bool>,
}

#[derive(Debug)]
struct Shared {
    news: broadcast::Sender<News>,
    /// Wakes the reader that nobody listens to.
    arrived: Notify,
    /// Whether the reader has been at the end of the feed: all that comes after is told.
    placed: watch::Sender<bool>,
    /// When the store was last read to the end.
    read: Mutex<Option<Instant>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            news: broadcast::Sender::new(BACKLOG),
            arrived: Notify::new(),
            placed: watch::Sender::new(false),
            read: Mutex::new(None),
        };
        Self { shared: Arc::new(shared), closing: watch::Sender::new(false) }
    }

    /// Begins to read for `inner`, whose hub this is, on the current tokio runtime.
    pub(crate) fn start(inner: &Arc<Inner>) {
        let hub = &inner.hub;
        let reader = Reader {
            inner: Arc::downgrade(inner),
            shared: Arc::clone(&hub.shared),
            place: Place::default(),
            failing: false,
        };
        tokio::spawn(reader.run(hub.closing.subscribe()));
    }

    /// How many follow.
    pub(crate) fn followers(&self) -> usize {
        self.shared.news.receiver_count()
    }

    /// How old this node's view of the feed is; zero while nobody follows.
    pub(crate) fn lag(&self) -> Duration {
        let read = *self.shared.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.filter(|_| self.followers() > 0).map_or(Duration::ZERO, |read| read.elapsed())
    }
}

/// Reads the feed for everybody.
struct Reader {
    inner: Weak<Inner>,
    shared: Arc<Shared>,
    place: Place,
    failing: bool,
}

impl Reader {
    async fn run(mut self, mut closing: watch::Receiver<bool>) {
        tokio::select! {
            // Also when the service is dropped.
            _closing = closing.wait_for(|closing| *closing) => {}
            () = self.read() => {}
        }
    }

    /// Reads while somebody follows; ends with the service.
    async fn read(&mut self) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beaten = Instant::now();
        loop {
            while self.shared.news.receiver_count() == 0 {
                self.shared.arrived.notified().await;
            }
            ticks.tick().await;
            let Some(inner) = self.inner.upgrade() else { return };
            match self.read_on(&inner).await {
                Ok(()) => {
                    *self.shared.read.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                    self.shared.placed.send_if_modified(|placed| !std::mem::replace(placed, true));
                    if beaten.elapsed() >= BEAT_EVERY {
                        beaten = Instant::now();
                        self.tell(News::Beat);
                    }
                    self.failing = false;
                }
                Err(error) if self.failing => tracing::debug!(%error, "the feed still cannot be read"),
                Err(error) => {
                    tracing::warn!(%error, "the feed cannot be read for those who follow it");
                    self.failing = true;
                }
            }
        }
    }

    /// Reads to the end, and tells what was not told before.
    async fn read_on(&mut self, inner: &Inner) -> StoreResult<()> {
        loop {
            let page = inner.store.feed(self.place.cursor, MOST_ENTRIES).await?;
            let complete = page.complete;
            let (reset, feed) = self.place.take(page);
            if reset {
                self.tell(News::Reset);
            }
            // Before it has been at the end, followers wait and will read all this by themselves.
            if !feed.entries.is_empty() && *self.shared.placed.borrow() {
                self.tell(News::Grown(Arc::new(Growth { feed, rendered: OnceLock::new() })));
            }
            if complete {
                return Ok(());
            }
        }
    }

    fn tell(&self, news: News) {
        // Somebody may just have left.
        let _nobody = self.shared.news.send(news);
    }
}

/// Where the reader is, and what it has found lately.
#[derive(Debug, Default)]
struct Place {
    cursor: Option<FeedCursor>,
    /// What the last whole reading found: a store whose readings overlap, so that nothing is missed that commits late, gives
    /// it again.
    last: HashSet<FeedEntry>,
    /// What this reading has found so far.
    found: HashSet<FeedEntry>,
}

impl Place {
    /// Takes a page: whether what cursors were of is gone, and what of the page is new.
    fn take(&mut self, page: FeedPage) -> (bool, Feed) {
        let reset = page.reset && self.cursor.is_some();
        if reset {
            self.last.clear();
            self.found.clear();
        }
        self.cursor = Some(page.cursor);
        // That is told by itself, and followers read all pages of it themselves.
        let mut feed = Feed { reset: false, ..Feed::from(page) };
        feed.entries.retain(|entry| self.found.insert(entry.clone()) && !self.last.contains(entry));
        if feed.complete {
            self.last = std::mem::take(&mut self.found);
        }
        (reset, feed)
    }
}

#[cfg(test)]
mod tests {
    use daypass_core::{Ending, SessionId, Timestamp};

    use super::*;

    fn page(entries: &[u8], sequence: u64, complete: bool, reset: bool) -> FeedPage {
        let entry = |number: &u8| FeedEntry {
            ending: Ending::Session(SessionId::new(Timestamp::from_millis(1), [*number; 10])),
            at: Timestamp::from_millis(2),
            until: Timestamp::from_millis(3),
        };
        let cursor = FeedCursor { epoch: [1; 16], sequence };
        FeedPage { entries: entries.iter().map(entry).collect(), cursor, complete, reset }
    }

    /// The numbers of the entries that are new.
    fn news(place: &mut Place, page: FeedPage) -> (bool, Vec<u8>) {
        let (reset, feed) = place.take(page);
        let number = |entry: FeedEntry| match entry.ending {
            Ending::Session(id) => id.as_bytes()[15],
            Ending::Subject { .. } => 0,
        };
        (reset, feed.entries.into_iter().map(number).collect())
    }

    #[test]
    fn what_readings_overlap_in_is_told_once_and_what_commits_late_is_told() {
        let mut place = Place::default();
        assert_eq!(news(&mut place, page(&[1, 3], 0, true, true)), (false, vec![1, 3]));
        assert_eq!(news(&mut place, page(&[1, 3], 0, true, false)), (false, vec![]));
        // The second commits after the third was read.
        assert_eq!(news(&mut place, page(&[1, 2], 0, false, false)), (false, vec![2]));
        assert_eq!(news(&mut place, page(&[3, 4], 0, true, false)), (false, vec![4]));
        assert_eq!(news(&mut place, page(&[2, 3, 4, 5], 2, true, false)), (false, vec![5]));
        assert_eq!(news(&mut place, page(&[], 5, true, false)), (false, vec![]));
    }

    #[test]
    fn another_store_is_told_from_its_start() {
        let mut place = Place::default();
        news(&mut place, page(&[1, 2], 2, true, true));
        let (reset, feed) = place.take(page(&[1], 1, false, true));
        assert!(
            reset && !feed.reset && feed.entries.len() == 1,
            "a follower that has read it would begin again"
        );
        assert_eq!(news(&mut place, page(&[2], 2, true, false)), (false, vec![2]));
    }
}
