//! A page of the feed as it comes, whatever brought it.

use serde::Deserialize;
use uuid::Uuid;

/// The longest cursor that is taken, in bytes; the service's have 32.
const MAX_CURSOR_BYTES: usize = 512;

/// The longest subject that is taken, in bytes, as in tokens.
const MAX_SUBJECT_BYTES: usize = 255;

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// One session.
    Session(u128),
    /// Every session of a subject that started before a moment.
    Subject {
        /// Whose.
        sub: Box<str>,
        /// The moment, in Unix milliseconds.
        not_before_ms: i64,
    },
}

/// An entry of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ended: Ended,
    /// When it ended, in Unix milliseconds.
    pub(crate) at_ms: i64,
    /// From when on the entry says nothing any more, in Unix seconds.
    pub(crate) until: i64,
}

/// A stretch of the feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where to read on.
    pub(crate) cursor: String,
    /// Whether nothing followed when this was read.
    pub(crate) complete: bool,
    /// Whether this begins a snapshot: what was known before is void once the snapshot is complete.
    pub(crate) reset: bool,
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
}

/// A page that cannot be read. An entry of an unknown kind makes the whole page unreadable: to pass over it would
/// be to accept a token that it may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

#[derive(Deserialize)]
struct RawPage {
    cursor: String,
    complete: bool,
    #[serde(default)]
    reset: bool,
    entries: Vec<RawEntry>,
}

#[derive(Deserialize)]
struct RawEntry {
    sid: Option<String>,
    sub: Option<Box<str>>,
    not_before_ms: Option<i64>,
    at_ms: i64,
    until: i64,
}

impl Page {
    /// Reads the body of an answer of `/v1/revocations`.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Unreadable> {
        let RawPage { cursor, complete, reset, entries } =
            serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let entries = entries.into_iter().map(RawEntry::read).collect::<Result<_, _>>()?;
        Self::new(cursor, complete, reset, entries)
    }

    /// A page, if its cursor can be one.
    pub(crate) fn new(
        cursor: String,
        complete: bool,
        reset: bool,
        entries: Vec<Entry>,
    ) -> Result<Self, Unreadable> {
        if cursor.is_empty() || cursor.len() > MAX_CURSOR_BYTES {
            return Err(Unreadable);
        }
        Ok(Self { cursor, complete, reset, entries })
    }
}

impl Entry {
    /// Reads an entry that comes by itself.
    pub(crate) fn read(data: &[u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice::<RawEntry>(data).map_err(|_| Unreadable)?.read()
    }
}

impl RawEntry {
    fn read(self) -> Result<Entry, Unreadable> {
        let ended = match (self.sid, self.sub, self.not_before_ms) {
            (Some(sid), None, None) => {
                Ended::Session(Uuid::try_parse(&sid).map_err(|_| Unreadable)?.as_u128())
            }
            (None, Some(sub), Some(not_before_ms)) if sub.len() <= MAX_SUBJECT_BYTES => {
                Ended::Subject { sub, not_before_ms }
            }
            _ => return Err(Unreadable),
        };
        Ok(Entry { ended, at_ms: self.at_ms, until: self.until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_as_the_service_writes_it() {
        let body = br#"{"cursor":"AAAA","complete":false,"reset":true,"entries":[
            {"at_ms":1750000000000,"sid":"01976f5c-2f80-7abc-8def-0123456789ab","until":1750003900},
            {"at_ms":1750000001000,"not_before_ms":1750000001001,"sub":"usr_1","until":1750003901}]}"#;
        let page = Page::read(body).unwrap();
        assert_eq!((page.cursor.as_str(), page.complete, page.reset), ("AAAA", false, true));
        let sid = 0x0197_6f5c_2f80_7abc_8def_0123_4567_89ab;
        let session = Entry { ended: Ended::Session(sid), at_ms: 1_750_000_000_000, until: 1_750_003_900 };
        let ended = Ended::Subject { sub: "usr_1".into(), not_before_ms: 1_750_000_001_001 };
        let subject = Entry { ended, at_ms: 1_750_000_001_000, until: 1_750_003_901 };
        assert_eq!(page.entries, [session, subject]);
        let empty = Page::read(br#"{"cursor":"A","complete":true,"entries":[],"later":1}"#).unwrap();
        assert_eq!((empty.reset, empty.complete, empty.entries), (false, true, Vec::new()));
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        let entry = |entry: &str| format!(r#"{{"cursor":"A","complete":true,"entries":[{entry}]}}"#);
        let bad = [
            String::new(),
            "<html>sign in</html>".to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            r#"{"cursor":"","complete":true,"entries":[]}"#.to_owned(),
            format!(r#"{{"cursor":"{}","complete":true,"entries":[]}}"#, "A".repeat(513)),
            r#"{"cursor":"A","entries":[]}"#.to_owned(),
            r#"{"cursor":"A","cursor":"B","complete":true,"entries":[]}"#.to_owned(),
            entry(r#"{"jti":"x","at_ms":1,"until":2}"#),
            entry(r#"{"sid":"x","at_ms":1,"until":2}"#),
            entry(r#"{"sub":"ada","at_ms":1,"until":2}"#),
            entry(r#"{"sub":"ada","not_before_ms":"1","at_ms":1,"until":2}"#),
            entry(r#"{"sid":"01976f5c-2f80-7abc-8def-0123456789ab","at_ms":1}"#),
            entry(r#"{"sid":"01976f5c-2f80-7abc-8def-0123456789ab","sub":"a","at_ms":1,"until":2}"#),
            entry(&format!(r#"{{"sub":"{}","not_before_ms":1,"at_ms":1,"until":2}}"#, "a".repeat(256))),
        ];
        for body in bad {
            assert_eq!(Page::read(body.as_bytes()), Err(Unreadable), "{body}");
        }
    }
}
