//! The built service as a process: prepared with the command line, started, killed and started again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::dice::Dice;
use crate::leash::Leash;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a passphrase for everybody";

/// How long the service may take to start.
const START: Duration = Duration::from_mins(1);

/// Below the ports that the system gives to clients, or one of them might take it while the service is down.
const PORTS: (u64, u64) = (20_000, 31_999);

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// A file or process could not be had.
    #[error("{what}: {error}")]
    Io {
        what: String,
        #[source]
        error: io::Error,
    },
    /// A command failed.
    #[error("`daypass {0}` failed: {1}")]
    Command(String, String),
    /// It ended, or did not get ready in time.
    #[error("the service {0}; its log is {log}", log = .1.display())]
    NotReady(String, PathBuf),
    /// No port is free.
    #[error("no free port was found")]
    NoPort,
}

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    binary: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// The origin of a page that calls it.
    page: Option<String>,
    leash: Option<Leash>,
    child: Option<Child>,
}

/// A client that people sign in with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub(crate) id: &'static str,
    pub(crate) options: &'static [&'static str],
}

impl Service {
    /// A service that has its files in `folder` and does not run yet. `binary` is an absolute path.
    pub(crate) fn new(binary: &Path, folder: &Path, dice: &Dice) -> Result<Self, ServiceError> {
        let address = free_address(dice)?;
        let (binary, folder) = (binary.to_owned(), folder.to_owned());
        Ok(Self { binary, folder, address, page: None, leash: None, child: None })
    }

    /// From its next start on it lets the page at this address call it.
    pub(crate) fn let_in(&mut self, page: SocketAddr) {
        self.page = Some(format!("http://{page}"));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its store is.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it logs to.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("service.log")
    }

    /// Adds somebody who can sign in.
    pub(crate) async fn add_person(&self, name: &str) -> Result<(), ServiceError> {
        self.command(&["user", "add", name, "--password-stdin"], PASSWORD).await
    }

    /// Registers a client.
    pub(crate) async fn add_client(&self, client: Registered) -> Result<(), ServiceError> {
        let fixed = ["client", "add", client.id, "--public", "--first-party"];
        self.command(&[&fixed, client.options].concat(), "").await
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&mut self) -> Result<(), ServiceError> {
        self.spawn()?;
        let ready = timeout(START, self.ready()).await;
        ready.unwrap_or_else(|_late| Err(ServiceError::NotReady("was not ready in time".into(), self.log())))
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(&mut self) -> Result<(), ServiceError> {
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(named("the service's log cannot be written".into()))?;
        let out = log.try_clone().map_err(named("the service's log cannot be written".into()))?;
        let mut command = self.program();
        command.arg("serve").arg("--listen").arg(self.address.to_string());
        command.stdin(Stdio::null()).stdout(out).stderr(log);
        let child = command.spawn().map_err(named("the service cannot be started".into()))?;
        let leash = child.id().map(Leash::new).transpose();
        self.leash = leash.map_err(named("nobody can watch the service".into()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it, as the kernel would that has no memory left, and waits until it is gone. That is no power cut: what it
    /// has written is the kernel's by then. What a disk may forget is taken away in `durability.rs` of
    /// `daypass-sqlite`.
    pub(crate) async fn kill(&mut self) -> Result<(), ServiceError> {
        let Some(mut child) = self.let_go().await else { return Ok(()) };
        let killed = child.start_kill();
        let status = child.wait().await.map_err(named("the service cannot be waited for".into()))?;
        if killed.is_err() || !was_killed(status) {
            let how = format!("ended by itself: {status}");
            return Err(ServiceError::NotReady(how, self.log()));
        }
        Ok(())
    }

    /// Waits until it ends, which it does not do by itself.
    pub(crate) async fn ended(&mut self) -> ServiceError {
        let status = match &mut self.child {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        };
        drop((self.leash.take(), self.child.take()));
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        ServiceError::NotReady(format!("ended by itself: {how}"), self.log())
    }

    /// Asks it to leave, and waits until it has.
    pub(crate) async fn stop(&mut self) -> Result<(), ServiceError> {
        let Some(mut child) = self.let_go().await else { return Ok(()) };
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // If it is gone already, its exit tells.
            let _gone = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let left = timeout(START, child.wait()).await;
        match left {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(ServiceError::NotReady(format!("did not leave well: {status}"), self.log()))
            }
            Ok(Err(error)) => Err(named("the service cannot be waited for".into())(error)),
            Err(_late) => Err(ServiceError::NotReady("did not leave when asked".into(), self.log())),
        }
    }

    /// Whether it was started and has not ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The process, which ends by what comes next.
    async fn let_go(&mut self) -> Option<Child> {
        if let Some(leash) = self.leash.take() {
            leash.release().await;
        }
        self.child.take()
    }

    /// The program, with nothing of this process's own configuration.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DAYPASS_"))
        {
            command.env_remove(name);
        }
        // The shortest life there is: it makes the most renewals.
        command.env("DAYPASS_TOKENS__ACCESS", "1s");
        command.env("DAYPASS_LIMITS__PASSWORD_WORKERS", "2");
        command.env("NO_COLOR", "1");
        command.envs(self.page.as_ref().map(|page| ("DAYPASS_ALLOWED_ORIGINS", page)));
        command.current_dir(&self.folder).arg("--data").arg(self.data()).kill_on_drop(true);
        command
    }

    async fn command(&self, arguments: &[&str], input: &str) -> Result<(), ServiceError> {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let unusable = || named(format!("{} cannot be run", self.binary.display()));
        let mut child = command.spawn().map_err(unusable())?;
        if let Some(mut to) = child.stdin.take() {
            // A command that refuses its arguments ends without reading.
            let _ended_early = to.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(unusable())?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ServiceError::Command(arguments.join(" "), told))
    }

    async fn ready(&mut self) -> Result<(), ServiceError> {
        while !is_ready(self.address).await {
            tokio::select! {
                biased;
                error = self.ended() => return Err(error),
                () = SystemClock.sleep(Duration::from_millis(5)) => {}
            }
        }
        Ok(())
    }
}

/// An address of this machine that nobody listens at.
pub(crate) fn free_address(dice: &Dice) -> Result<SocketAddr, ServiceError> {
    let port = || u16::try_from(dice.between(PORTS.0, PORTS.1)).ok();
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let port = (0..100).find_map(|_| port().filter(|port| free(*port))).ok_or(ServiceError::NoPort)?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Whether a service says that it is ready.
async fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    asked.await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(9)
}

/// How often a log tells of a panic.
pub(crate) fn panics(log: &Path) -> usize {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter(|line| line.contains("panicked at")).count()
}

/// Whether a log holds a refresh token.
pub(crate) fn holds_token(log: &Path) -> bool {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).contains("dpr_")
}

/// Copies what is in a folder, files only, into another, over what is there.
pub(crate) fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(to)? {
        std::fs::remove_file(entry?.path())?;
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Writes a file that somebody may want to read later.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    File::create(path)?.write_all(text.as_bytes())
}

fn named(what: String) -> impl FnOnce(io::Error) -> ServiceError {
    move |error| ServiceError::Io { what, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_searched_for_panics_and_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("service.log");
        assert_eq!((panics(&log), holds_token(&log)), (0, false), "there is no log");
        write(&log, "all is well\n").unwrap();
        assert_eq!((panics(&log), holds_token(&log)), (0, false));
        write(&log, "thread 'main' panicked at src/main.rs:1:1:\nno\nthread 'a' panicked at b\n").unwrap();
        assert_eq!((panics(&log), holds_token(&log)), (2, false));
        write(&log, "renewed dpr_abc\n").unwrap();
        assert_eq!((panics(&log), holds_token(&log)), (0, true));
    }

    #[test]
    fn an_older_store_takes_the_place_of_all_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (now, older) = (folder.path().join("now"), folder.path().join("older"));
        std::fs::create_dir(&now).unwrap();
        write(&now.join("db"), "1").unwrap();
        copy_files(&now, &older).unwrap();
        write(&now.join("db"), "2").unwrap();
        write(&now.join("log"), "3").unwrap();
        copy_files(&older, &now).unwrap();
        assert_eq!(std::fs::read_to_string(now.join("db")).unwrap(), "1");
        assert!(!now.join("log").exists());
    }
}
