//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use daypass_chaos::leash::WatchArgs;

const EXIT_CODES: &str = "\
Exit codes: 0 if all is as it should be, 1 if it is not, 2 if there was no run";

/// Run the built service and real clients under faults, kills and thieves, and count what must be zero
///
/// Clients of every kind renew through a proxy that loses, delays, doubles and cuts short what passes, either way;
/// service and clients are killed; some sessions are robbed. The run fails if anybody honest is signed out, a theft goes
/// unnoticed, one generation gets two successors, an acknowledged rotation is lost, anything panics, or if something that
/// a run has to contain did not happen.
///
/// The seed decides what befalls the first request, the second and so on; which request comes first, the order of
/// threads decides. The same seed is therefore a similar run and not the same.
#[derive(Debug, Parser)]
#[command(name = "daypass-chaos", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// How to run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Rotations to make
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rotations: u64,
    /// What faults, kills and thefts are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The service's program [default: `daypass` in the folder of this one]
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// The clients in JavaScript, as `npm run build` in `sdk` makes them: `sdk/browser/build/src/chaos-client.js`; without them
    /// there are only clients in Rust
    #[arg(long, value_name = "PATH")]
    pub(crate) javascript: Option<PathBuf>,
    /// Keep everything in PostgreSQL, in a cluster of its own that is killed as well
    #[arg(long)]
    pub(crate) database: bool,
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
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
    /// A client that makes a new attempt id for every try: it is taken for a thief.
    FreshIds,
    /// The network delivers copies of requests however old they are.
    LateCopies,
    /// After some kills the service finds an older copy of its store; of SQLite only.
    LostCommits,
    /// Store thieves share the owner's store instead of copying it, and are therefore nobody else.
    SharedStore,
    /// The proxy hands the ledger answers with another token in them than the client gets.
    Twins,
    /// A task panics.
    Panic,
}

/// What else this program can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// A client process: it renews a session that it shares by a file, and reports on its standard output
    #[command(hide = true)]
    Client(ClientArgs),
    /// A watcher: it kills a process when its standard input is closed
    #[command(hide = true)]
    Watch(WatchArgs),
}

/// What a client process is started with, in whatever language it is written.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClientArgs {
    /// The service, as the client sees it
    #[arg(long)]
    pub(crate) service: String,
    /// The file that the session is kept in
    #[arg(long)]
    pub(crate) store: PathBuf,
    /// What its pauses follow from
    #[arg(long)]
    pub(crate) seed: u64,
    /// How much faster than the machine's its time passes
    #[arg(long)]
    pub(crate) factor: u32,
    /// Since when it does, in nanoseconds since the Unix epoch
    #[arg(long, value_parser = nanos)]
    pub(crate) base: Duration,
}

fn nanos(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_nanos)
}
