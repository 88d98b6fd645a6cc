//! Processes that share a session by a file, killed at moments that the seed decides and started again.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daypass_client::{FileStore, SessionError};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{Client, Report, describe, renew_patiently, sign_in_patiently};
use crate::account::{What, Zero};
use crate::dice::Dice;
use crate::fast::FastClock;
use crate::run::Run;

/// Their time passes more slowly than that of tabs: a write to a file takes its time.
const FACTOR: u32 = 20;

/// A process is killed after so many renewals at least, and at most.
const LIFE: (u64, u64) = (1, 25);

/// How long a process may take to leave.
const LEAVE: Duration = Duration::from_secs(30);

/// What is run as a client: it takes `--service`, `--store`, `--seed`, `--factor` and `--base`, and reports as
/// [`live`](super::live) does.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// What comes before those arguments.
    pub(crate) arguments: Vec<String>,
    /// Where its standard error goes.
    pub(crate) log: PathBuf,
}

/// Processes that share a file.
pub(crate) struct Family {
    run: Arc<Run>,
    name: String,
    service: String,
    program: Program,
    store: PathBuf,
    clock: FastClock,
    count: u64,
    stream: u64,
}

impl Family {
    /// So many processes of this person, who is signed in. `stream` names their chance.
    pub(crate) async fn found(
        run: &Arc<Run>,
        service: &str,
        program: &Program,
        folder: &Path,
        (person, count, stream): (&str, u64, u64),
    ) -> Result<Self, SessionError> {
        let family = Self {
            run: Arc::clone(run),
            name: format!("processes {stream}"),
            service: service.to_owned(),
            program: program.clone(),
            store: folder.join(format!("session{stream}.json")),
            clock: run.clock.at(FACTOR),
            count,
            stream,
        };
        let session = describe(service, family.clock, stream).store(FileStore::open(&family.store)?);
        sign_in_patiently(&session.build().await?, person, family.clock).await?;
        Ok(family)
    }

    /// One process after the other, until the run is over.
    async fn live(&self, dice: &Dice) -> io::Result<()> {
        while !self.run.is_over() {
            let mut process = Process::start(self, dice.word())?;
            let mut left = dice.between(LIFE.0, LIFE.1);
            while left > 0 {
                let line = tokio::select! {
                    () = self.run.ended() => return process.leave(self).await,
                    line = process.reports.next_line() => line?,
                };
                let Some(line) = line else { return process.gone(self).await };
                if !self.hear(&line) {
                    return Ok(());
                }
                left = left.saturating_sub(1);
            }
            if self.run.pause(dice.millis(0, 30)).await {
                process.kill(self).await?;
            } else {
                return process.leave(self).await;
            }
        }
        Ok(())
    }

    /// False: there is no going on.
    fn hear(&self, line: &str) -> bool {
        if let Ok(report) = serde_json::from_str::<Report>(line) {
            return report.account(&self.run, &self.name);
        }
        self.run.account.object(Zero::Others, format!("{} said: {line}", self.name), None);
        false
    }
}

#[async_trait]
impl Client for Family {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self) {
        let dice = |number| self.run.dice(self.stream.wrapping_mul(64).wrapping_add(number));
        let lives = (0..self.count).map(|number| {
            let dice = dice(number);
            async move {
                if let Err(error) = self.live(&dice).await {
                    self.run.account.object(Zero::Others, format!("{}: {error}", self.name), None);
                }
            }
        });
        let mut lives: Vec<_> = lives.map(Box::pin).collect();
        // All of them at once, on this task.
        std::future::poll_fn(|context| {
            lives.retain_mut(|life| life.as_mut().poll(context).is_pending());
            if lives.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    async fn renew_once_more(&self) -> Result<(), String> {
        let store = FileStore::open(&self.store).map_err(|error| error.to_string())?;
        let session = describe(&self.service, self.clock, u64::MAX).store(store).build().await;
        let session = session.map_err(|error| error.to_string())?;
        renew_patiently(&session, self.clock).await.map(|_token| ()).map_err(|error| error.to_string())
    }
}

/// A client process.
struct Process {
    child: Child,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(family: &Family, seed: u64) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(&family.program.log)?;
        let mut command = Command::new(&family.program.path);
        command.args(&family.program.arguments).args(["--service", &family.service]);
        command.arg("--store").arg(&family.store).args(["--seed", &seed.to_string()]);
        command.args(["--factor", &family.clock.factor().to_string()]);
        command.args(["--base", &family.clock.base().as_nanos().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("the process has no output"))?;
        Ok(Self { child, reports: BufReader::new(out).lines() })
    }

    async fn kill(mut self, family: &Family) -> io::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        // What it said before the end counts.
        while let Ok(Some(line)) = self.reports.next_line().await {
            // The last line may be half a one.
            let _half =
                serde_json::from_str::<Report>(&line).map(|report| report.account(&family.run, &family.name));
        }
        family.run.account.add(What::ClientKills);
        Ok(())
    }

    /// Asks it to leave.
    async fn leave(mut self, family: &Family) -> io::Result<()> {
        drop(self.child.stdin.take());
        while let Ok(Ok(Some(line))) = timeout(LEAVE, self.reports.next_line()).await {
            family.hear(&line);
        }
        self.gone(family).await
    }

    /// It has closed its output.
    async fn gone(mut self, family: &Family) -> io::Result<()> {
        let status = timeout(LEAVE, self.child.wait())
            .await
            .map_err(|_late| io::Error::other("it does not leave"))??;
        if !status.success() {
            family.run.account.object(Zero::Others, format!("{} ended: {status}", family.name), None);
        }
        Ok(())
    }
}
