//! A program that runs beside this one, and never longer than this one.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::leash::Leash;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    leash: Leash,
}

impl Process {
    /// Starts it.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.kill_on_drop(true).spawn()?;
        let id = child.id().ok_or_else(|| io::Error::other("it has ended"))?;
        Ok(Self { child, leash: Leash::new(id)? })
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it as the kernel would, and waits until it is gone. The answer: how it ended, if it had ended before.
    pub async fn kill(mut self) -> io::Result<Option<ExitStatus>> {
        self.leash.release().await;
        let killed = self.child.start_kill();
        let status = self.child.wait().await?;
        Ok((killed.is_err() || !was_killed(status)).then_some(status))
    }

    /// Asks it to leave, and waits until it has. Nothing: it does not within `patience`, and was killed.
    pub async fn stop(mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        self.leash.release().await;
        // If it is gone already, its exit tells.
        let _gone = signal(&self.child, Signal::TERM);
        match timeout(patience, self.child.wait()).await {
            Ok(status) => status.map(Some),
            Err(_late) => self.child.kill().await.map(|()| None),
        }
    }

    /// Stops it where it stands, or has it go on.
    pub fn pause(&self, paused: bool) -> io::Result<()> {
        signal(&self.child, if paused { Signal::STOP } else { Signal::CONT })
    }
}

fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let id = id.ok_or_else(|| io::Error::other("it has ended"))?;
    Ok(kill_process(id, signal)?)
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(9)
}
