//! Pages put together: what has ended now, where to read on, and what may be forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::fault::FeedFault;
use super::page::{Ended, Entry, Page};
use super::set::EndedSet;

/// The most ended sessions and subjects that are held.
pub(super) const MOST_ENTRIES: usize = 1_000_000;

/// Two readings of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) wall: Duration,
    pub(super) running: Duration,
}

/// Everything that was read, and the cursor. The only writer of the set that readers see.
#[derive(Debug)]
pub(super) struct Ledger {
    published: Arc<ArcSwap<EndedSet>>,
    current: Snapshot,
    /// The snapshot that is being read. Its entries are in `current` too: they are in force at once, and what was
    /// known before stays in force until the snapshot is complete.
    next: Option<Snapshot>,
    cursor: Option<String>,
    most: usize,
}

impl Ledger {
    /// A ledger of at most `most` entries, and twice as many while a snapshot is being read.
    pub(super) fn new(most: usize) -> Self {
        let current = Snapshot::default();
        let published = Arc::new(ArcSwap::new(Arc::clone(&current.set)));
        Self { published, current, next: None, cursor: None, most }
    }

    /// What readers see.
    pub(super) fn published(&self) -> Arc<ArcSwap<EndedSet>> {
        Arc::clone(&self.published)
    }

    /// Where to read on; `None` to begin at the start.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Takes a page, and says whether it was the last for now.
    ///
    /// What fits of a page that holds too much is in force; the cursor then stays, so that nothing is left out.
    pub(super) fn apply(&mut self, page: Page, now: Now) -> Result<bool, FeedFault> {
        let Page { cursor, complete, reset, entries } = page;
        let begins = reset || self.cursor.is_none();
        if begins {
            self.next = Some(Snapshot::default());
        } else if !complete && self.cursor.as_ref() == Some(&cursor) {
            return Err(FeedFault::Endless);
        }
        if let Err(fault) = self.take(&entries, now) {
            // A snapshot without its first page is none, and the cursor leads to no other page of it.
            self.next.take_if(|_| begins);
            return Err(fault);
        }
        self.cursor = Some(cursor);
        if let Some(next) = self.next.take_if(|_| complete) {
            self.published.store(Arc::clone(&next.set));
            self.current = next;
        }
        Ok(complete)
    }

    fn take(&mut self, entries: &[Entry], now: Now) -> Result<(), FeedFault> {
        let most = if self.next.is_some() { self.most.saturating_mul(2) } else { self.most };
        entries.iter().try_for_each(|entry| {
            self.current.insert(entry, now, most)?;
            self.next.as_mut().map_or(Ok(()), |next| next.insert(entry, now, self.most))
        })
    }

    /// Forgets the entries whose time is over.
    pub(super) fn forget(&mut self, now: Now) {
        self.current.forget(now);
        if let Some(next) = &mut self.next {
            next.forget(now);
        }
    }
}

/// A set with the order in which its entries are forgotten.
#[derive(Debug, Default)]
struct Snapshot {
    set: Arc<EndedSet>,
    /// By the second of the running clock in which to look at them.
    due: BTreeMap<u64, Vec<Ended>>,
}

impl Snapshot {
    fn insert(&mut self, entry: &Entry, now: Now, most: usize) -> Result<(), FeedFault> {
        if !self.set.is_news(entry) {
            return Ok(());
        }
        if self.set.len() >= most && self.set.keep(&entry.ended).is_none() {
            return Err(FeedFault::TooMany);
        }
        // The life that the service gave the entry, rounded up, from now on: a wrong time of day cannot shorten it.
        let life = entry.until.saturating_sub(entry.at_ms.div_euclid(1000));
        let due = now.running.as_secs().saturating_add(1).saturating_add(life.max(0).unsigned_abs());
        self.set.insert(entry, due);
        self.due.entry(due).or_default().push(entry.ended.clone());
        Ok(())
    }

    fn forget(&mut self, now: Now) {
        let wall = i64::try_from(now.wall.as_secs()).unwrap_or(i64::MAX);
        let running = now.running.as_secs();
        while let Some(first) = self.due.first_entry().filter(|first| *first.key() <= running) {
            for ended in first.remove() {
                let Some(keep) = self.set.keep(&ended).filter(|keep| keep.due <= running) else { continue };
                let left = keep.until.saturating_sub(wall);
                if left > 0 {
                    self.due.entry(running.saturating_add(left.unsigned_abs())).or_default().push(ended);
                } else {
                    self.set.remove(&ended);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
