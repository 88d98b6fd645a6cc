//! Server-sent events as they arrive (HTML Living Standard, section 9.2.6), bounded.

use std::mem;

use super::fault::FeedFault;

/// The longest line that is taken, in bytes; the service's have less than a thousand.
const MOST_LINE: usize = 64 * 1024;

/// What a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An event.
    Event(Event),
    /// A comment: the other end is alive.
    Comment,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    /// The cursor, if it came with this event.
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// Bytes that have come, put together to lines and lines to events.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    /// What of `bytes` has been read.
    read: usize,
    event: Event,
    has_data: bool,
}

impl Events {
    /// Takes what has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What was said next; nothing until more has come.
    pub(super) fn next(&mut self) -> Result<Option<Said>, FeedFault> {
        while let Some(line) = self.line()? {
            if line.is_empty() {
                let event = mem::take(&mut self.event);
                if mem::take(&mut self.has_data) {
                    return Ok(Some(Said::Event(event)));
                }
            } else if line.starts_with(':') {
                return Ok(Some(Said::Comment));
            } else {
                self.take(&line)?;
            }
        }
        Ok(None)
    }

    fn take(&mut self, line: &str) -> Result<(), FeedFault> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                if self.event.data.len() > MOST_LINE {
                    return Err(FeedFault::TooLarge);
                }
            }
            // As the standard has it.
            _ => {}
        }
        Ok(())
    }

    /// The next line that has come whole, without its end: CR, LF or both.
    fn line(&mut self) -> Result<Option<String>, FeedFault> {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            return if rest.len() > MOST_LINE { Err(FeedFault::TooLarge) } else { Ok(None) };
        };
        let ended_by = match rest.get(end..) {
            Some([b'\r', b'\n', ..]) => 2,
            // A line feed may follow.
            Some([b'\r']) => return Ok(None),
            _ => 1,
        };
        let line = rest.get(..end).unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| FeedFault::Malformed)?.to_owned();
        self.read += end + ended_by;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "event: reset\ndata: {}\n\n:\n\nevent: entry\r\nid: AB\r\ndata: {\"a\":1}\r\n\r\n\
        retry: 5\nunknown\n\nevent:entry\ndata:one\ndata: two\n\n";

    fn event(name: &str, id: Option<&str>, data: &str) -> Said {
        Said::Event(Event { name: name.to_owned(), id: id.map(str::to_owned), data: data.to_owned() })
    }

    fn said() -> [Said; 4] {
        [
            event("reset", None, "{}"),
            Said::Comment,
            event("entry", Some("AB"), "{\"a\":1}"),
            event("entry", None, "one\ntwo"),
        ]
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Said>, FeedFault> {
        let (mut events, mut all) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece);
            while let Some(said) = events.next()? {
                all.push(said);
            }
        }
        Ok(all)
    }

    #[test]
    fn a_stream_is_read_whatever_the_pieces_it_comes_in() {
        assert_eq!(read(&[TEXT.as_bytes()]).unwrap(), said());
        for cut in 0..TEXT.len() {
            let (one, two) = TEXT.as_bytes().split_at(cut);
            assert_eq!(read(&[one, two]).unwrap(), said(), "cut at {cut}");
        }
    }

    #[test]
    fn what_has_not_come_whole_is_not_told() {
        assert_eq!(read(&[b"event: entry\ndata: {}\n"]).unwrap(), []);
        assert_eq!(read(&[b"event: entry\ndata: {}"]).unwrap(), []);
        // An event without data is none.
        assert_eq!(read(&[b"event: entry\n\nid: x\n\n"]).unwrap(), []);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let line = vec![b'x'; MOST_LINE + 1];
        assert_eq!(read(&[&line]), Err(FeedFault::TooLarge));
        let data = format!("data: {}\n", "x".repeat(1000)).repeat(70);
        assert_eq!(read(&[data.as_bytes()]), Err(FeedFault::TooLarge));
        assert_eq!(read(&[b"data: \xff\n\n"]), Err(FeedFault::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _either = read(&pieces);
        }
    }
}
