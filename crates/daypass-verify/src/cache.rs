//! Tokens that were seen before and found good.
//!
//! Only good ones are kept, so that nobody flushes the cache with rubbish.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

use crate::VerifiedToken;
use crate::metrics::Scrape;

/// The memory for tokens unless told otherwise, in bytes: 32 MiB, about 11,000 tokens of 700 bytes.
pub(crate) const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;
/// A token's end is hashed: part of its signature, which is as random as anything. A quick hash will do, as only what
/// the issuer has signed is ever kept.
const HASHED_BYTES: usize = 32;
/// An entry takes its text, and about twice as much again for the payload and the claims read from it…
const TEXTS: usize = 3;
/// … and these bytes for the structures around.
const OVERHEAD_BYTES: usize = 768;
/// The length of a usual token: only sizes tables beforehand.
const USUAL_TOKEN_BYTES: usize = 700;

/// Good tokens by their whole text, bounded by the bytes that they take.
pub(crate) struct TokenCache(Cache<Text, Seen, Bytes, RandomState>);

/// What is known of a token that was found good.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) token: VerifiedToken,
    /// When it passes, in Unix seconds, leeways included.
    pub(crate) passes: Range<i64>,
    /// The number of the key that signed it.
    pub(crate) key: u64,
    /// The place, in the list of required scopes, of the first that it lacks.
    pub(crate) lacks: Option<usize>,
}

impl TokenCache {
    /// A cache of about so many bytes; none if that is 0.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        if bytes == 0 {
            return None;
        }
        let items = bytes / weight(USUAL_TOKEN_BYTES);
        let capacity = u64::try_from(bytes).unwrap_or(u64::MAX);
        Some(Self(Cache::with(
            items.max(1),
            capacity,
            Bytes,
            RandomState::default(),
            DefaultLifecycle::default(),
        )))
    }

    /// Takes a lock that a writer holds for the time of an insertion, and allocates nothing.
    pub(crate) fn get(&self, token: &str) -> Option<Seen> {
        self.0.get(&Borrowed(token))
    }

    pub(crate) fn insert(&self, token: &str, seen: Seen) {
        self.0.insert(Text(token.into()), seen);
    }

    pub(crate) fn forget(&self, token: &str) {
        self.0.remove(&Borrowed(token));
    }

    pub(crate) fn measure(&self, into: &mut Scrape, issuer: &str) {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let labels = [("issuer", issuer)];
        into.gauge("cache_tokens", "Tokens in the cache", &labels, number(self.0.len()));
        let bytes = usize::try_from(self.0.weight()).unwrap_or(usize::MAX);
        into.gauge("cache_bytes", "About the memory that they take", &labels, number(bytes));
    }
}

const fn weight(token_bytes: usize) -> usize {
    TEXTS * token_bytes + OVERHEAD_BYTES
}

#[derive(Clone)]
struct Text(Box<str>);

/// A token of the caller's, to look up without a copy.
struct Borrowed<'t>(&'t str);

impl Equivalent<Text> for Borrowed<'_> {
    fn equivalent(&self, text: &Text) -> bool {
        *self.0 == *text.0
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrowed(&self.0).hash(state);
    }
}

impl Hash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        state.write(bytes.last_chunk::<HASHED_BYTES>().map_or(bytes, <[u8; HASHED_BYTES]>::as_slice));
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Text, Seen> for Bytes {
    fn weight(&self, token: &Text, _: &Seen) -> u64 {
        u64::try_from(weight(token.0.len())).unwrap_or(u64::MAX)
    }
}
