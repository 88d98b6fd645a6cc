//! What nginx logs: every request, which nodes it was given to, and how it was answered.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::account::lock;
use crate::stage::Stuck;

/// How nginx writes a line of its log: nothing secret is among it.
pub(crate) const FORMAT: &str = "$msec|$uri|$status|$upstream_addr|$upstream_status";

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When it was answered, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) refresh: bool,
    pub(crate) status: u16,
    /// The nodes that were asked, in their order, with what each said.
    asked: Vec<(String, u16)>,
}

impl Seen {
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut fields = line.split('|');
        let mut next = || fields.next();
        let (at, path, status, nodes, answers) = (next()?, next()?, next()?, next()?, next()?);
        let (seconds, millis) = at.split_once('.')?;
        let seconds: u64 = seconds.parse().ok()?;
        // A node that did not answer has a dash, or what nginx makes of it.
        let answers = answers.split(", ").map(|answer| answer.parse().unwrap_or_default());
        Some(Self {
            at: seconds.checked_mul(1000)?.checked_add(millis.parse().ok()?)?,
            refresh: path == "/v1/refresh",
            status: status.parse().ok()?,
            asked: nodes.split(", ").map(str::to_owned).zip(answers).collect(),
        })
    }

    /// Whether a session was renewed.
    pub(crate) fn is_renewal(&self) -> bool {
        self.refresh && self.status == 200
    }

    /// Whether a session was not renewed though the database was in time: the last node that was asked did not say that
    /// it was not, which on a busy machine happens without anybody's fault; or it was on its way out or in, and says 503
    /// for that reason.
    pub(crate) fn is_failure(&self, was_leaving: impl Fn(SocketAddr, u64) -> bool) -> bool {
        let mut asked = self.asked.iter().filter_map(|(asked, answer)| Some((asked.parse().ok()?, answer)));
        let excuses = |(node, answer): (SocketAddr, &u16)| *answer == 503 && !was_leaving(node, self.at);
        self.refresh && self.status != 200 && !asked.next_back().is_some_and(excuses)
    }

    /// Whether this node renewed a session.
    pub(crate) fn is_renewal_by(&self, node: SocketAddr) -> bool {
        self.is_renewal() && self.asked.last().is_some_and(|(last, _)| *last == node.to_string())
    }

    /// Whether this node did not answer in time.
    pub(crate) fn timed_out_at(&self, node: SocketAddr) -> bool {
        self.asked.iter().any(|(asked, answer)| *asked == node.to_string() && *answer == 504)
    }

    /// Whether this node had to say that it cannot answer.
    pub(crate) fn unavailable_at(&self, node: SocketAddr) -> bool {
        self.asked.iter().any(|(asked, answer)| *asked == node.to_string() && *answer == 503)
    }

    /// Whether more than one node was asked.
    pub(crate) fn was_passed_on(&self) -> bool {
        self.asked.len() > 1
    }
}

/// The log, as far as it was read.
#[derive(Debug)]
pub(crate) struct Log {
    seen: Mutex<Vec<Seen>>,
    length: watch::Sender<usize>,
}

impl Log {
    /// Reads this file as it grows.
    pub(crate) fn follow(path: PathBuf) -> Arc<Self> {
        let log = Arc::new(Self { seen: Mutex::default(), length: watch::Sender::new(0) });
        let reader = Arc::clone(&log);
        tokio::spawn(async move {
            // Whoever waits for lines finds out that none come.
            let _unreadable = reader.read(path).await;
        });
        log
    }

    async fn read(&self, path: PathBuf) -> std::io::Result<()> {
        let mut file = File::open(path).await?;
        let mut text = Vec::new();
        loop {
            if file.read_buf(&mut text).await? == 0 {
                SystemClock.sleep(LOOK).await;
                continue;
            }
            let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = text.split_off(end.saturating_add(1));
            let lines = String::from_utf8_lossy(&text).lines().filter_map(Seen::read).collect::<Vec<_>>();
            text = rest;
            let length = {
                let mut seen = lock(&self.seen);
                seen.extend(lines);
                seen.len()
            };
            self.length.send_replace(length);
        }
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Waits until there are so many more requests of this kind than now.
    pub(crate) async fn more(
        &self,
        count: usize,
        what: &str,
        which: impl Fn(&Seen) -> bool,
    ) -> Result<(), Stuck> {
        let mut length = self.length.subscribe();
        let (mut next, mut found) = (*length.borrow_and_update(), 0);
        let waiting = async {
            while found < count {
                // The log holds the sender.
                let _grown = length.changed().await;
                let seen = lock(&self.seen);
                let new = seen.get(next..).unwrap_or_default();
                found = found.saturating_add(new.iter().filter(|seen| which(seen)).count());
                next = seen.len();
            }
        };
        timeout(PATIENCE, waiting).await.map_err(|_late| Stuck(format!("{what} is waited for in vain")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_who_was_asked_and_who_answered() {
        let (one, two) = ("127.0.0.11:1".parse().unwrap(), "127.0.0.12:2".parse().unwrap());
        let line = "1750000000.123|/v1/refresh|200|127.0.0.11:1, 127.0.0.12:2|504, 200";
        let seen = Seen::read(line).unwrap();
        assert_eq!((seen.at, seen.status), (1_750_000_000_123, 200));
        assert!(seen.is_renewal() && seen.was_passed_on());
        assert!(seen.is_renewal_by(two) && !seen.is_renewal_by(one));
        assert!(seen.timed_out_at(one) && !seen.timed_out_at(two) && !seen.unavailable_at(one));
        let refused = Seen::read("1750000000.123|/v1/refresh|503|127.0.0.11:1|503").unwrap();
        assert!(refused.unavailable_at(one) && !refused.is_renewal() && !refused.was_passed_on());
        assert!(!refused.is_failure(|_, _| false), "the database was slow");
        assert!(refused.is_failure(|node, at| node == one && at == refused.at), "the node was leaving");
        for failed in ["502|127.0.0.11:1|502", "502|127.0.0.11:1, 127.0.0.12:2|503, 504", "502|nodes|502"] {
            assert!(
                Seen::read(&format!("1750000000.123|/v1/refresh|{failed}")).unwrap().is_failure(|_, _| false)
            );
        }
        let slow = "1750000000.123|/v1/refresh|502|127.0.0.11:1, nodes|503, 502";
        assert!(!Seen::read(slow).unwrap().is_failure(|_, _| false));
        let other = Seen::read("1750000000.123|/v1/login|200|127.0.0.11:1|200").unwrap();
        assert!(!other.is_renewal());
        assert_eq!(Seen::read("nonsense"), None);
    }
}
