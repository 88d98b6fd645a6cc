//! The built service as a process: prepared with the command line, started, killed and started again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::dice::Dice;
use crate::process::Process;

/// Everybody's password.
pub const PASSWORD: &str = "a passphrase for everybody";

/// How long the service may take to start, and to leave.
const START: Duration = Duration::from_mins(1);

/// Below the ports that the system gives to clients, or one of them might take it while the service is down.
const PORTS: (u64, u64) = (20_000, 31_999);

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file or process could not be had.
    #[error("{what}: {error}")]
    Io {
        /// What went wrong.
        what: String,
        /// Why.
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
pub struct Service {
    binary: PathBuf,
    folder: PathBuf,
    name: String,
    address: SocketAddr,
    settings: Vec<(&'static str, String)>,
    process: Option<Process>,
}

/// Without the settings, among which are secrets.
impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A client that people sign in with.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// Its id.
    pub id: &'static str,
    /// What else `daypass client add` is told of it.
    pub options: &'static [&'static str],
}

impl Service {
    /// A service that has its files in `folder` and does not run yet. `binary` is an absolute path. Several in one folder
    /// share their master key, and have logs by their names.
    pub fn new(binary: &Path, folder: &Path, name: &str, address: SocketAddr) -> Self {
        let (binary, folder, name) = (binary.to_owned(), folder.to_owned(), name.to_owned());
        Self { binary, folder, name, address, settings: Vec::new(), process: None }
    }

    /// Configures it by a variable, from its next start on.
    pub fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.settings.push((variable, value.into()));
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its store is.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it logs to.
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Makes the schema in its database, and the master key of all that share it.
    pub async fn prepare_database(&self) -> Result<(), ServiceError> {
        self.command(&["migrate"], "").await?;
        self.command(&["keys", "new-master"], "").await.map(drop)
    }

    /// Adds somebody who can sign in.
    pub async fn add_person(&self, name: &str) -> Result<(), ServiceError> {
        self.command(&["user", "add", name, "--password-stdin"], PASSWORD).await.map(drop)
    }

    /// Registers a client.
    pub async fn add_client(&self, client: Registered) -> Result<(), ServiceError> {
        let fixed = ["client", "add", client.id, "--public", "--first-party"];
        self.command(&[&fixed, client.options].concat(), "").await.map(drop)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) -> Result<(), ServiceError> {
        self.spawn()?;
        self.until_ready().await
    }

    /// Waits until it is ready.
    pub async fn until_ready(&mut self) -> Result<(), ServiceError> {
        let ready = timeout(START, self.ready()).await;
        ready.unwrap_or_else(|_late| Err(self.not_ready("was not ready in time")))
    }

    /// Starts it and does not wait.
    pub fn spawn(&mut self) -> Result<(), ServiceError> {
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(named("the service's log cannot be written".into()))?;
        let out = log.try_clone().map_err(named("the service's log cannot be written".into()))?;
        let mut command = self.program();
        command.arg("serve").arg("--listen").arg(self.address.to_string());
        command.stdin(Stdio::null()).stdout(out).stderr(log);
        let process = Process::start(&mut command);
        self.process = Some(process.map_err(named("the service cannot be started".into()))?);
        Ok(())
    }

    /// Kills it, as the kernel would that has no memory left, and waits until it is gone. That is no power cut: what it
    /// has written is the kernel's by then. What a disk may forget is taken away in `durability.rs` of
    /// `daypass-sqlite`.
    pub async fn kill(&mut self) -> Result<(), ServiceError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let before = process.kill().await.map_err(named("the service cannot be waited for".into()))?;
        let before = before.map(|status| self.not_ready(&format!("ended by itself: {status}")));
        before.map_or(Ok(()), Err)
    }

    /// Waits until it ends, which it does not do by itself.
    pub async fn ended(&mut self) -> ServiceError {
        let status = match &mut self.process {
            Some(process) => process.ended().await,
            None => std::future::pending().await,
        };
        drop(self.process.take());
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.not_ready(&format!("ended by itself: {how}"))
    }

    /// Asks it to leave, and waits until it has.
    pub async fn stop(&mut self) -> Result<(), ServiceError> {
        let Some(process) = self.process.take() else { return Ok(()) };
        let left = process.stop(START).await.map_err(named("the service cannot be waited for".into()))?;
        match left {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.not_ready(&format!("did not leave well: {status}"))),
            None => Err(self.not_ready("did not leave when asked")),
        }
    }

    /// Stops it where it stands, or has it go on.
    pub fn pause(&self, paused: bool) -> Result<(), ServiceError> {
        let done = self.process.as_ref().map_or(Ok(()), |process| process.pause(paused));
        done.map_err(named("the service cannot be stopped".into()))
    }

    /// Whether it was started and has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Runs a command of the program and gives what it printed.
    pub async fn command(&self, arguments: &[&str], input: &str) -> Result<String, ServiceError> {
        let mut command = self.program();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let unusable = || named(format!("{} cannot be run", self.binary.display()));
        let mut child = command.kill_on_drop(true).spawn().map_err(unusable())?;
        if let Some(mut to) = child.stdin.take() {
            // A command that refuses its arguments ends without reading.
            let _ended_early = to.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(unusable())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ServiceError::Command(arguments.join(" "), told))
    }

    /// The program, with nothing of this process's own configuration.
    fn program(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DAYPASS_"))
        {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.folder).arg("--data").arg(self.data());
        command
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

    fn not_ready(&self, how: &str) -> ServiceError {
        ServiceError::NotReady(how.to_owned(), self.log())
    }
}

/// An address of this machine that nobody listens at.
pub fn free_address(host: Ipv4Addr, dice: &Dice) -> Result<SocketAddrV4, ServiceError> {
    let port = || u16::try_from(dice.between(PORTS.0, PORTS.1)).ok();
    let free = |port: u16| TcpListener::bind((host, port)).is_ok();
    let port = (0..100).find_map(|_| port().filter(|port| free(*port))).ok_or(ServiceError::NoPort)?;
    Ok(SocketAddrV4::new(host, port))
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

/// How often a log tells of a panic.
pub fn panics(log: &Path) -> usize {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter(|line| line.contains("panicked at")).count()
}

/// Whether a log holds a refresh token.
pub fn holds_token(log: &Path) -> bool {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).contains("dpr_")
}

/// Copies what is in a folder, files only, into another, over what is there.
pub fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
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
pub fn write(path: &Path, text: &str) -> io::Result<()> {
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
