//! Processes that share a session by a file, killed at moments that the seed decides and started again.

use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use daypass_client::{FileStore, SessionError};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{Client, PATIENCE, Report, describe, renew_patiently, sign_in_patiently};
use crate::account::{What, Zero};
use crate::fast::FastClock;
use crate::run::Run;
use daypass_chaos::dice::Dice;
use daypass_chaos::service::PASSWORD;

/// A process is killed after so many renewals at least, and at most.
const LIFE: (u64, u64) = (1, 25);

/// How long a process may take to leave.
const LEAVE: Duration = Duration::from_secs(30);

/// What kind of program the processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This one, with the client library.
    Rust,
    /// Node, with the package's store of files.
    Node,
    /// A browser, whose tabs share a cookie.
    Browser,
}

impl Kind {
    /// How fast their time passes. More slowly than that of tabs in this process: a write to a file takes its time, and
    /// a browser does much else.
    fn factor(self) -> u32 {
        match self {
            Self::Rust => 20,
            Self::Node => 5,
            Self::Browser => 2,
        }
    }

    /// Whether they are killed. A browser that is killed again and again loses more cookies than a session can bear; its
    /// program closes and crashes tabs instead.
    fn is_killed(self) -> bool {
        self != Self::Browser
    }

    /// What their renewals are counted as, beside what the wire shows.
    fn renewed(self) -> Option<What> {
        match self {
            Self::Rust => None,
            Self::Node => Some(What::NodeRenewals),
            Self::Browser => Some(What::BrowserRenewals),
        }
    }
}

/// What can be run as a client. It takes `--service`, `--store`, `--seed`, `--factor` and `--base`, those in JavaScript also
/// `--signed-in`, and reports as [`live`](super::live) does.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// This program.
    pub(crate) rust: PathBuf,
    /// The clients in JavaScript, if there are any. They sign in by themselves.
    pub(crate) javascript: Option<PathBuf>,
    /// Where a browser's page is served.
    pub(crate) page: SocketAddr,
    /// Where their stores are.
    pub(crate) folder: PathBuf,
}

impl Programs {
    /// Where their standard errors go.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("clients.log")
    }

    /// The command that runs one for this person, up to what all are told.
    fn command(&self, kind: Kind, person: &str) -> Command {
        let name = match kind {
            Kind::Rust => {
                let mut command = Command::new(&self.rust);
                command.arg("client");
                return command;
            }
            Kind::Node => "node",
            Kind::Browser => "browser",
        };
        let mut command = Command::new("node");
        command.args(&self.javascript).arg(name).args(["--user", person, "--password", PASSWORD]);
        command.args(["--tabs", "3", "--page-port", &self.page.port().to_string()]);
        command
    }
}

/// Processes that share a file.
pub(crate) struct Family {
    run: Arc<Run>,
    name: String,
    service: String,
    programs: Programs,
    kind: Kind,
    person: String,
    store: PathBuf,
    clock: FastClock,
    count: u64,
    stream: u64,
    /// Whether one of them has told of a renewal: from then on none may sign in any more.
    signed_in: AtomicBool,
}

impl Family {
    /// So many processes of this person. `stream` names their chance.
    pub(crate) async fn found(
        run: &Arc<Run>,
        service: &str,
        programs: &Programs,
        kind: Kind,
        (person, count, stream): (&str, u64, u64),
    ) -> Result<Self, SessionError> {
        let family = Self {
            run: Arc::clone(run),
            name: format!("{kind:?} processes {stream}"),
            service: service.to_owned(),
            programs: programs.clone(),
            kind,
            person: person.to_owned(),
            store: programs.folder.join(format!("session{stream}.json")),
            clock: run.clock.at(kind.factor()),
            count,
            stream,
            signed_in: AtomicBool::new(false),
        };
        if kind == Kind::Rust {
            let session = describe(service, family.clock, stream).store(FileStore::open(&family.store)?);
            sign_in_patiently(session, person, family.clock).await?;
        }
        Ok(family)
    }

    /// One process after the other, until the run is over.
    async fn live(&self, dice: &Dice) -> io::Result<()> {
        while !self.run.is_over() {
            let mut process = Process::start(self, dice.word())?;
            let mut left = if self.kind.is_killed() { dice.between(LIFE.0, LIFE.1) } else { u64::MAX };
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
            return self.account(&report);
        }
        self.run.account.object(Zero::Others, format!("{} said: {line}", self.name), None);
        false
    }

    fn account(&self, report: &Report) -> bool {
        if let (Report::Renewed, Some(what)) = (report, self.kind.renewed()) {
            self.run.account.add(what);
            self.signed_in.store(true, Ordering::Relaxed);
        }
        report.account(&self.run, &self.name)
    }

    /// One more process, which renews and leaves.
    async fn renew_by_process(&self) -> io::Result<Result<(), String>> {
        let mut process = Process::start(self, u64::MAX)?;
        let renewed = async {
            while let Some(line) = process.reports.next_line().await? {
                match serde_json::from_str(&line) {
                    Ok(Report::Renewed) => return Ok(Ok(())),
                    Ok(Report::Unavailable) => {}
                    _ => return Ok(Err(line)),
                }
            }
            Ok(Err("it ended".to_owned()))
        };
        let renewed =
            timeout(PATIENCE, renewed).await.unwrap_or_else(|_late| Ok(Err("it takes too long".into())));
        process.leave(self).await?;
        renewed
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
        if self.kind != Kind::Rust {
            return self.renew_by_process().await.unwrap_or_else(|error| Err(error.to_string()));
        }
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
        let log = OpenOptions::new().create(true).append(true).open(family.programs.log())?;
        let mut command = family.programs.command(family.kind, &family.person);
        command.args(["--service", &family.service]);
        command.arg("--store").arg(&family.store).args(["--seed", &seed.to_string()]);
        command.args(["--factor", &family.clock.factor().to_string()]);
        command.args(["--base", &family.clock.base().as_nanos().to_string()]);
        if family.signed_in.load(Ordering::Relaxed) {
            command.arg("--signed-in");
        }
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
            let _half = serde_json::from_str::<Report>(&line).map(|report| family.account(&report));
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
