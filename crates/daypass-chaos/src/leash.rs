//! Holds a process to this program: when the program is gone, however it went, the process is killed.
//!
//! Nothing can be done at one's own SIGKILL, so a process of its own waits for the end of a pipe that only this program
//! holds open.

use std::io::Read as _;
use std::process::{ExitCode, Stdio};

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// What a watcher is started with: `watch --process ID`, of the program that holds the leash.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// The id of the process
    #[arg(long, value_parser = clap::value_parser!(i32).range(2..))]
    process: i32,
}

/// Kills a process if this program ends while it is held. Let go of it before that process is waited for: its id may be
/// somebody else's afterwards.
#[derive(Debug)]
pub struct Leash(Child);

impl Leash {
    /// Holds the process of this id.
    pub fn new(process: u32) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["watch", "--process", &process.to_string()]);
        // A signal to this program's group is none to this one: it has to be left.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// Lets go: from here on nothing is killed.
    pub async fn release(mut self) {
        // It may have gone already.
        let _gone = self.0.kill().await;
    }
}

/// Waits until the standard input is closed, and kills the process then.
pub fn watch(arguments: &WatchArgs) -> ExitCode {
    // Nothing is ever written to it.
    let _closed = std::io::stdin().read(&mut [0]);
    let killed = Pid::from_raw(arguments.process).map(|process| kill_process(process, Signal::KILL));
    if matches!(killed, Some(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
