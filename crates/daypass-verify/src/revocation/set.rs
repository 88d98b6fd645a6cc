//! The sessions that have ended, for any number of readers and one writer.

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::facts::Facts;
use super::page::{Ended, Entry};

/// What the feed has told. Readers take no lock and allocate nothing. The hash need not withstand an attack: only the
/// issuer chooses what is in here.
#[derive(Debug, Default)]
pub(crate) struct EndedSet {
    sessions: HashMap<u128, Keep, RandomState>,
    subjects: HashMap<Box<str>, Cutoff, RandomState>,
}

/// How long an entry is kept: until both times have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// A time of day, in Unix seconds: from then on the entry says nothing any more.
    pub(super) until: i64,
    /// A reading of the running clock, in seconds: the entry's life, counted from when it was read.
    pub(super) due: u64,
}

impl Keep {
    fn max(self, other: Self) -> Self {
        Self { until: self.until.max(other.until), due: self.due.max(other.due) }
    }
}

/// The end of a subject's sessions up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cutoff {
    /// Sessions that started before this are over, in Unix milliseconds.
    not_before_ms: i64,
    keep: Keep,
}

impl EndedSet {
    /// Whether a token's session has ended: by itself, or with all sessions of its subject so far.
    pub(super) fn contains(&self, sub: &str, facts: Facts) -> bool {
        facts.sid.is_some_and(|sid| self.sessions.pin().contains_key(&sid))
            || self.subjects.pin().get(sub).is_some_and(|cutoff| facts.started_ms < cutoff.not_before_ms)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.sessions.len().saturating_add(self.subjects.len())
    }

    /// How long the entry for this session or subject is kept, if there is one.
    pub(super) fn keep(&self, ended: &Ended) -> Option<Keep> {
        match ended {
            Ended::Session(sid) => self.sessions.pin().get(sid).copied(),
            Ended::Subject { sub, .. } => self.subjects.pin().get(sub).map(|cutoff| cutoff.keep),
        }
    }

    /// Whether an entry tells more than is known. One that was read before does not.
    pub(super) fn is_news(&self, entry: &Entry) -> bool {
        match &entry.ended {
            Ended::Session(sid) => self.sessions.pin().get(sid).is_none_or(|keep| keep.until < entry.until),
            Ended::Subject { sub, not_before_ms } => self.subjects.pin().get(sub).is_none_or(|cutoff| {
                cutoff.not_before_ms < *not_before_ms || cutoff.keep.until < entry.until
            }),
        }
    }

    /// Takes an entry. None weakens another, in whatever order they come.
    pub(super) fn insert(&self, entry: &Entry, due: u64) {
        let keep = Keep { until: entry.until, due };
        match &entry.ended {
            Ended::Session(sid) => {
                self.sessions.pin().update_or_insert(*sid, |known| keep.max(*known), keep);
            }
            Ended::Subject { sub, not_before_ms } => {
                let stronger = |known: &Cutoff| Cutoff {
                    not_before_ms: known.not_before_ms.max(*not_before_ms),
                    keep: keep.max(known.keep),
                };
                let new = Cutoff { not_before_ms: *not_before_ms, keep };
                self.subjects.pin().update_or_insert(sub.clone(), stronger, new);
            }
        }
    }

    /// Drops the entry for this session or subject.
    pub(super) fn remove(&self, ended: &Ended) {
        match ended {
            Ended::Session(sid) => _ = self.sessions.pin().remove(sid),
            Ended::Subject { sub, .. } => _ = self.subjects.pin().remove(sub),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(sid: u128, until: i64) -> Entry {
        Entry { ended: Ended::Session(sid), at_ms: 0, until }
    }

    fn subject(not_before_ms: i64, until: i64) -> Entry {
        Entry { ended: Ended::Subject { sub: "ada".into(), not_before_ms }, at_ms: 0, until }
    }

    #[test]
    fn a_session_is_ended_by_its_id_and_no_other_is() {
        let set = EndedSet::default();
        set.insert(&session(7, 100), 0);
        assert!(set.contains("ada", Facts { sid: Some(7), started_ms: 0 }));
        assert!(!set.contains("ada", Facts { sid: Some(8), started_ms: 0 }));
        assert!(!set.contains("ada", Facts { sid: None, started_ms: 0 }));
    }

    #[test]
    fn a_subjects_sessions_are_ended_by_their_start() {
        let set = EndedSet::default();
        set.insert(&subject(1000, 100), 0);
        let ended = |sub, sid, started_ms| set.contains(sub, Facts { sid, started_ms });
        assert!(ended("ada", Some(1), 999) && ended("ada", None, 999));
        assert!(!ended("ada", Some(1), 1000) && !ended("ada", None, 1000));
        assert!(!ended("bob", Some(1), 999));
    }

    #[test]
    fn no_entry_weakens_another() {
        let set = EndedSet::default();
        for (entry, due) in
            [(subject(1000, 100), 9), (subject(500, 200), 8), (session(7, 100), 9), (session(7, 50), 8)]
        {
            set.insert(&entry, due);
            assert!(!set.is_news(&entry));
        }
        assert!(set.contains("ada", Facts { sid: None, started_ms: 999 }));
        assert_eq!(set.keep(&subject(0, 0).ended), Some(Keep { until: 200, due: 9 }));
        assert_eq!(set.keep(&session(7, 0).ended), Some(Keep { until: 100, due: 9 }));
        for news in [subject(1001, 0), subject(0, 201), session(7, 101), session(8, 0)] {
            assert!(set.is_news(&news), "{news:?}");
        }
        assert_eq!(set.len(), 2);
        set.remove(&session(7, 0).ended);
        set.remove(&subject(0, 0).ended);
        assert_eq!(set.len(), 0);
    }
}
