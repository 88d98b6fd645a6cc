//! How many callers wait for keys at a time.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many different keys are waited for at a time.
const MAX_KEYS: usize = 64;
/// How many callers wait at a time, for whichever keys.
const MAX_CALLERS: usize = 1024;

/// Counts the callers that wait.
#[derive(Default)]
pub(super) struct Waiters {
    /// Callers by the hash of what they want. Two keys of the same hash share a place, which hurts nobody.
    counts: Mutex<HashMap<u64, usize>>,
    hasher: RandomState,
}

/// A place among those that wait; given up when dropped.
pub(super) struct Place<'w> {
    waiters: &'w Waiters,
    key: u64,
}

impl Waiters {
    /// A place for somebody who wants this key, if one is free.
    pub(super) fn enter(&self, key: &str) -> Option<Place<'_>> {
        let key = self.hasher.hash_one(key);
        let mut counts = self.counts();
        let full = counts.values().sum::<usize>() >= MAX_CALLERS
            || (counts.len() >= MAX_KEYS && !counts.contains_key(&key));
        if full {
            return None;
        }
        *counts.entry(key).or_default() += 1;
        Some(Place { waiters: self, key })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        // Each change is complete before anything could panic.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.waiters.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_keys_are_waited_for_and_places_are_given_back() {
        let waiters = Waiters::default();
        let mut places: Vec<Place<'_>> =
            (0..MAX_KEYS).map(|key| waiters.enter(&key.to_string()).unwrap()).collect();
        assert!(waiters.enter("one more").is_none());
        places.push(waiters.enter("0").unwrap());
        places.remove(0);
        assert!(waiters.enter("one more").is_none(), "somebody still waits for 0");
        places.pop();
        assert!(waiters.enter("one more").is_some());
        drop(places);
        assert!(waiters.counts().is_empty());
    }

    #[test]
    fn a_thousand_and_twenty_four_callers_wait() {
        let waiters = Waiters::default();
        let mut places: Vec<Place<'_>> = (0..MAX_CALLERS).map(|_| waiters.enter("new").unwrap()).collect();
        assert!(waiters.enter("new").is_none() && waiters.enter("other").is_none());
        places.pop();
        assert!(waiters.enter("new").is_some());
    }
}
