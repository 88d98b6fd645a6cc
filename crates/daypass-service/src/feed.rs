//! The revocation feed, as verifiers read it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::FeedEntry;
use daypass_storage::{FeedCursor, FeedPage};

use crate::access::Caller;
use crate::error::ServiceError;
use crate::start::Service;

/// The scope that lets a client read the feed.
pub const FEED_SCOPE: &str = "daypass:feed";

/// The most entries in one answer.
pub const MOST_ENTRIES: usize = 1000;

/// A stretch of the feed.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Where to read on; opaque.
    pub cursor: String,
    /// Whether nothing followed when this was read.
    pub complete: bool,
    /// Whether this begins at the start: what was known before is void.
    pub reset: bool,
    /// The entries, oldest first.
    pub entries: Vec<FeedEntry>,
}

impl Service {
    /// Whether a caller may read the feed: its token says so, and its client still exists.
    pub fn may_read_feed(&self, caller: &Caller) -> bool {
        let snapshot = self.inner.snapshot.load();
        let client = snapshot.clients.get(&caller.claims().client_id);
        caller.has_scope(FEED_SCOPE) && client.is_some_and(|(client, _)| !client.disabled)
    }

    /// Reads on after `since`, at most `limit` entries. A cursor that is absent or unknown reads
    /// from the start, and the answer says so.
    pub async fn feed(&self, since: Option<&str>, limit: usize) -> Result<Feed, ServiceError> {
        let since = since.and_then(read_cursor);
        Ok(self.inner.store.feed(since, limit.clamp(1, MOST_ENTRIES)).await?.into())
    }
}

impl From<FeedPage> for Feed {
    fn from(page: FeedPage) -> Self {
        let FeedPage { entries, cursor, complete, reset } = page;
        Self { cursor: write_cursor(cursor), complete, reset, entries }
    }
}

pub(crate) fn write_cursor(cursor: FeedCursor) -> String {
    let sequence = cursor.sequence.to_be_bytes();
    URL_SAFE_NO_PAD.encode([cursor.epoch.as_slice(), sequence.as_slice()].concat())
}

pub(crate) fn read_cursor(text: &str) -> Option<FeedCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (epoch, sequence) = bytes.split_first_chunk::<16>()?;
    Some(FeedCursor { epoch: *epoch, sequence: u64::from_be_bytes(sequence.try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_nonsense_is_no_cursor() {
        let cursor = FeedCursor { epoch: [9; 16], sequence: 77 };
        assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
        for text in ["", "x", "77", "ä", &"A".repeat(31), &"A".repeat(33)] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
