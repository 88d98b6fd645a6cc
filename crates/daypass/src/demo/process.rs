//! The API's process, seen from the demo: this program again, with another command.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::api::{GREETING, Settings};
use crate::hosted::{Failure, Hosted};

/// The command that serves the API.
pub(crate) const COMMAND: &str = "demo-api";

/// How long the process may take to say where it listens.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end once it is asked to.
const END: Duration = Duration::from_secs(5);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// Starts the API and waits until it listens.
pub(crate) async fn start(settings: &Settings) -> Result<Hosted, Failure> {
    // A process group of its own: a Ctrl-C on the terminal is the demo's affair, which then ends the API.
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(COMMAND).env_clear().process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::of(command.spawn()?);
    let greeting = process.child.stdout.take().ok_or("the API's process has no standard output")?;
    process.tell(settings)?;
    let greeting = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(greeting).read_line(&mut line).map(|_| line)
    });
    let greeting = timeout(START, greeting).await.map_err(|_| "the API did not start in time")???;
    let url = greeting.strip_prefix(GREETING).ok_or("the API could not be started")?.trim().to_owned();
    let described = format!("process {}", process.child.id());
    Ok(Hosted::new(url, described, move || process.end()))
}

/// A child that ends with its standard input, and at the latest when this is dropped.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
}

impl Process {
    fn of(mut child: Child) -> Self {
        let input = child.stdin.take();
        Self { child, input }
    }

    fn tell(&mut self, settings: &Settings) -> Result<(), Failure> {
        let mut line = Zeroizing::new(serde_json::to_vec(settings)?);
        line.push(b'\n');
        let input = self.input.as_mut().ok_or("the API's process has no standard input")?;
        input.write_all(&line)?;
        Ok(input.flush()?)
    }

    /// Closes its input and waits for it.
    async fn end(mut self) -> Result<(), Failure> {
        self.input = None;
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    return Ok::<_, Failure>(status);
                }
                sleep(LOOK).await;
            }
        };
        let ended = timeout(END, ended).await.map_err(|_| "the API did not end in time")??;
        if ended.success() { Ok(()) } else { Err(format!("the API failed: {ended}").into()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Neither does anything to a child that has ended and was waited for.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
