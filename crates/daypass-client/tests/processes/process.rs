//! A test of this program, run as a process of its own that its parent talks with, a line at a time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::stage::Stage;

/// What the process finds its service and its store by; absent, it is not meant to run.
const SERVICE: &str = "DAYPASS_TEST_SERVICE";
const STORE: &str = "DAYPASS_TEST_STORE";
const WORD: &str = "DAYPASS_TEST_WORD";

/// What a line to the parent begins with: the test harness prints lines, too.
const MARK: &str = "child: ";

/// How long a process may take for anything. It is there against hanging: nothing is about time.
const LONG: Duration = Duration::from_mins(2);

/// A child, which is killed with its owner's test.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    said: mpsc::UnboundedReceiver<String>,
    /// What it said that was not for its parent.
    noise: Vec<String>,
}

impl Process {
    /// Starts the test of this name in a process of its own, which gets `word` along.
    pub(crate) fn start(test: &str, stage: &Stage, word: &str) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), test, stage, word)
    }

    /// Starts it in a process that cannot be told by a signal that a file may not grow: writing then fails.
    pub(crate) fn start_deaf(test: &str, stage: &Stage, word: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
        Self::start_by(shell, test, stage, word)
    }

    fn start_by(mut command: Command, test: &str, stage: &Stage, word: &str) -> Self {
        let mut child = command
            .args(["--ignored", "--exact", test, "--nocapture"])
            .env(SERVICE, stage.service.url())
            .env(STORE, stage.path())
            .env(WORD, word)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (says, said) = mpsc::unbounded_channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // If nobody listens any more, the rest is of no interest.
                let (Ok(line), false) = (line, says.is_closed()) else { return };
                let _nobody_listens = says.send(line);
            }
        });
        Self { stdin: child.stdin.take().unwrap(), child, said, noise: Vec::new() }
    }

    /// The next thing it says to its parent. `None` if it has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            let line = tokio::time::timeout(LONG, self.said.recv()).await;
            let line = line.unwrap_or_else(|_| panic!("the process says nothing: {:?}", self.noise))?;
            match line.split_once(MARK) {
                Some((_, words)) => return Some(words.to_owned()),
                None => self.noise.push(line),
            }
        }
    }

    /// Waits until it says this, and nothing else before.
    pub(crate) async fn says(&mut self, words: &str) {
        let said = self.next().await;
        assert_eq!(said.as_deref(), Some(words), "{:?}", self.noise);
    }

    /// Waits until it has said all of these, in whatever order, and whatever else it says.
    pub(crate) async fn has_said(&mut self, words: &[&str]) {
        let mut missing = words.to_vec();
        while !missing.is_empty() {
            let said =
                self.next().await.unwrap_or_else(|| panic!("it ended without {missing:?}: {:?}", self.noise));
            assert!(!said.starts_with("SignedOut"), "{said}");
            missing.retain(|words| *words != said);
        }
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, words: &str) {
        writeln!(self.stdin, "{words}").unwrap();
    }

    /// Waits for its end, which is a good one.
    pub(crate) async fn ends_well(mut self) {
        while let Some(words) = self.next().await {
            self.noise.push(words);
        }
        let status = self.child.wait().unwrap();
        assert!(status.success() && self.noise.join("\n").contains("1 passed"), "{status}: {:?}", self.noise);
    }

    /// Ends it at once (SIGKILL), and returns when it has ended.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        assert!(!self.child.wait().unwrap().success());
    }

    /// How the system calls it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves none behind.
        let _ended_before = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

/// What a process is told at its start.
pub(crate) struct Task {
    pub(crate) service: String,
    pub(crate) store: PathBuf,
    pub(crate) word: String,
}

/// The child's side: none in a process that nobody started as one.
pub(crate) fn task() -> Option<Task> {
    Some(Task {
        service: std::env::var(SERVICE).ok()?,
        store: std::env::var_os(STORE)?.into(),
        word: std::env::var(WORD).ok()?,
    })
}

/// The child's side: says something to its parent.
pub(crate) fn say(words: &str) {
    println!("\n{MARK}{words}");
}

/// The child's side: what its parent tells it next. `None` if it tells nothing more.
pub(crate) fn told() -> Option<String> {
    std::io::stdin().lock().lines().next().map(Result::unwrap)
}
