//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use daypass_chaos::leash::WatchArgs;

const EXIT_CODES: &str = "\
Exit codes: 0 if all is as it should be, 1 if it is not, 2 if there was no run";

/// Run three nodes behind nginx on a PostgreSQL primary and its standby, under load and faults, and count what must be zero
///
/// Sessions of the client library renew through nginx, verifiers follow the feed, and sessions are ended all the time. A
/// node is killed, another is stopped for longer than nginx waits, one loses the database, all are restarted in turn, and
/// the primary is killed and the standby promoted. The run fails if anybody honest is signed out, a rolling restart costs a
/// renewal, an acknowledged revocation is lost or missed by a verifier, or anything panics.
///
/// The seed decides who does what and how long the pauses are, not how threads and processes take turns: the same seed is
/// a similar run.
#[derive(Debug, Parser)]
#[command(name = "daypass-cluster", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// How to run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Every fault once, with fewer sessions and as little time between them as possible
    #[arg(long)]
    pub(crate) short: bool,
    /// How often every fault comes [default: 3]
    #[arg(long, value_name = "N", conflicts_with = "short", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,
    /// Sessions that renew [default: 300, or 60 in a short run]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) sessions: Option<u32>,
    /// What is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The service's program [default: `daypass` in the folder of this one]
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Write the report as JSON into this file, beside the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Fail also if a budget on time was missed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Keep the working folder, also if all went well
    #[arg(long)]
    pub(crate) keep: bool,
    /// Break something on purpose, to see its zero turn into something else
    #[arg(long, value_name = "NAME", hide = true)]
    pub(crate) sabotage: Option<Sabotage>,
}

/// What can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// No commit waits for the standby: a fail-over loses acknowledged sign-ins and revocations.
    NoSynchronousStandby,
    /// nginx asks one node and nobody else: a restart costs renewals.
    NoNextUpstream,
}

impl Options {
    pub(crate) fn rounds(&self) -> u32 {
        if self.short { 1 } else { self.rounds.unwrap_or(3) }
    }

    pub(crate) fn sessions(&self) -> u32 {
        self.sessions.unwrap_or(if self.short { 60 } else { 300 })
    }

    /// The command that makes such a run again.
    pub(crate) fn again(&self) -> String {
        let program = std::env::args().next().unwrap_or_else(|| "daypass-cluster".to_owned());
        let length = if self.short { "--short".to_owned() } else { format!("--rounds {}", self.rounds()) };
        format!("{program} {length} --sessions {} --seed {}", self.sessions(), self.seed)
    }
}

/// What else this program can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// A watcher: it kills a process when its standard input is closed
    #[command(hide = true)]
    Watch(WatchArgs),
}
