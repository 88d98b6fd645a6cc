//! For the tests of the examples: a program that serves, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// How long a program may take to say where it listens, and to leave. It is there against hanging.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A running program, which ends with its test.
pub(crate) struct Program {
    child: Child,
    /// Where it listens: `http://127.0.0.1:40123`.
    pub(crate) url: String,
}

impl Program {
    /// Starts it and waits for the line in which it says where it listens.
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, url: String::new() };
        let reading = spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).map(|_| line)
        });
        let line = timeout(LONG, reading).await.expect("it says where it listens").unwrap().unwrap();
        let url = line.trim_end().strip_prefix("Listening on ");
        url.unwrap_or_else(|| panic!("it says {line:?}")).clone_into(&mut program.url);
        program
    }

    /// Asks it to leave (SIGTERM) and waits until it has.
    pub(crate) async fn leave(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let leaving = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    break status;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, leaving).await.expect("it leaves when it is asked to")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
