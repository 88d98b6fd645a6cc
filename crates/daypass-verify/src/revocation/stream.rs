//! How pages come by themselves: `GET /v1/revocations/stream`.

use super::events::{Event, Events, Said};
use super::fault::FeedFault;
use super::page::{Entry, Page};

/// The most entries of one page; the service's have a thousand.
const MOST_ENTRIES: usize = 10_000;

/// What a stream comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Entries, or that there are none to come for now.
    Page(Page),
    /// The service has looked, and there is nothing new.
    Beat,
}

/// A stream that is being read: events put together to pages.
#[derive(Debug, Default)]
pub(super) struct Stream {
    events: Events,
    /// Whether a snapshot begins with the next page.
    reset: bool,
    /// Whether it has caught up: from there on each page is whole.
    ready: bool,
    /// Entries whose cursor has not come yet.
    entries: Vec<Entry>,
    /// Where it is.
    cursor: Option<String>,
}

impl Stream {
    /// A stream that goes on after `cursor`.
    pub(super) fn after(cursor: Option<&str>) -> Self {
        Self { cursor: cursor.map(str::to_owned), ..Self::default() }
    }

    /// Whether everything that there was has been heard.
    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Takes what has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.events.push(bytes);
    }

    /// What was heard next; nothing until more has come.
    pub(super) fn next(&mut self) -> Result<Option<Heard>, FeedFault> {
        while let Some(said) = self.events.next()? {
            match said {
                Said::Comment => return Ok(Some(Heard::Beat)),
                Said::Event(event) => {
                    if let Some(page) = self.take(event)? {
                        return Ok(Some(Heard::Page(page)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self, event: Event) -> Result<Option<Page>, FeedFault> {
        match event.name.as_str() {
            "reset" => {
                // What was heard before it belongs to what is void.
                self.entries.clear();
                (self.reset, self.ready, self.cursor) = (true, false, None);
                Ok(None)
            }
            "entry" => {
                if self.entries.len() >= MOST_ENTRIES {
                    return Err(FeedFault::TooLarge);
                }
                self.entries.push(Entry::read(event.data.as_bytes()).map_err(|_| FeedFault::Malformed)?);
                // While it catches up, a cursor that does not go on is no page's end: more comes behind it.
                match event.id {
                    Some(id) if self.ready || self.cursor.as_ref() != Some(&id) => self.page(id).map(Some),
                    _ => Ok(None),
                }
            }
            "ready" => {
                self.ready = true;
                let cursor = event.id.or_else(|| self.cursor.take()).ok_or(FeedFault::Malformed)?;
                self.page(cursor).map(Some)
            }
            // It may be the end of a session, told in a way that is not known here.
            _ => Err(FeedFault::Malformed),
        }
    }

    fn page(&mut self, cursor: String) -> Result<Page, FeedFault> {
        self.cursor = Some(cursor.clone());
        let (reset, entries) = (std::mem::take(&mut self.reset), std::mem::take(&mut self.entries));
        Page::new(cursor, self.ready, reset, entries).map_err(|_| FeedFault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        r#"{"sid":"01976f5c-2f80-7abc-8def-0123456789ab","at_ms":1750000000000,"until":1750003900}"#;

    fn entry(id: &str) -> String {
        let id = if id.is_empty() { String::new() } else { format!("id: {id}\n") };
        format!("event: entry\n{id}data: {ENTRY}\n\n")
    }

    fn other(name: &str, id: &str) -> String {
        let id = if id.is_empty() { String::new() } else { format!("id: {id}\n") };
        format!("event: {name}\n{id}data: {{}}\n\n")
    }

    /// What is heard: of pages the cursor, whether it is complete, whether it begins a snapshot, and the number of entries.
    fn heard(after: Option<&str>, text: &str) -> Result<Vec<(String, bool, bool, usize)>, FeedFault> {
        let mut stream = Stream::after(after);
        stream.push(text.as_bytes());
        let mut all = Vec::new();
        while let Some(heard) = stream.next()? {
            all.push(match heard {
                Heard::Page(page) => (page.cursor, page.complete, page.reset, page.entries.len()),
                Heard::Beat => ("beat".to_owned(), false, false, 0),
            });
        }
        Ok(all)
    }

    fn page(cursor: &str, complete: bool, reset: bool, entries: usize) -> (String, bool, bool, usize) {
        (cursor.to_owned(), complete, reset, entries)
    }

    #[test]
    fn a_snapshot_and_what_comes_after_it() {
        let text = [
            other("reset", ""),
            entry(""),
            entry("b"),
            entry("c"),
            other("ready", "c"),
            ":\n\n".to_owned(),
            entry("d"),
        ];
        let expected = [
            page("b", false, true, 2),
            page("c", false, false, 1),
            page("c", true, false, 0),
            page("beat", false, false, 0),
            page("d", true, false, 1),
        ];
        assert_eq!(heard(None, &text.concat()).unwrap(), expected);
    }

    #[test]
    fn a_store_whose_readings_overlap_gives_the_same_cursor_again() {
        let text = [entry(""), entry("a"), other("ready", "a"), entry("a")].concat();
        assert_eq!(heard(Some("a"), &text).unwrap(), [page("a", true, false, 2), page("a", true, false, 1)]);
    }

    #[test]
    fn an_empty_feed_is_ready_at_once() {
        assert_eq!(heard(Some("a"), &other("ready", "a")).unwrap(), [page("a", true, false, 0)]);
        let text = [other("reset", ""), other("ready", "z")].concat();
        assert_eq!(heard(Some("a"), &text).unwrap(), [page("z", true, true, 0)]);
    }

    #[test]
    fn another_store_in_mid_stream_begins_a_snapshot() {
        let text =
            [other("ready", "a"), entry(""), other("reset", ""), entry("x"), other("ready", "x")].concat();
        let expected = [page("a", true, false, 0), page("x", false, true, 1), page("x", true, false, 0)];
        assert_eq!(heard(Some("a"), &text).unwrap(), expected);
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for text in [
            other("ended", "a"),
            "data: {}\n\n".to_owned(),
            "event: entry\ndata: {}\n\n".to_owned(),
            format!("event: entry\nid: {}\ndata: {ENTRY}\n\n", "A".repeat(513)),
            other("ready", ""),
        ] {
            assert_eq!(heard(None, &text), Err(FeedFault::Malformed), "{text}");
        }
        assert_eq!(heard(None, &entry("").repeat(MOST_ENTRIES + 1)), Err(FeedFault::TooLarge));
    }
}
