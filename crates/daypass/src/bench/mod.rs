//! `daypass bench`: load generators that check every answer, so that a fast wrong service fails.
//!
//! [`args`] is the command line; [`refresh`], [`login`], [`prepare`] and [`verify`] are its commands; [`load`] runs the
//! closed loop that the first two share, and [`report`] tells its findings; [`tokens`] are files of what clients hold.

mod args;
mod cost;
mod load;
mod login;
mod prepare;
mod progress;
mod refresh;
mod report;
mod signatures;
#[cfg(test)]
mod tests;
mod tokens;
mod verify;

use std::future::Future;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;

pub(crate) use self::args::Bench;
pub(crate) use self::progress::Progress;
pub(crate) use self::report::grouped;
use crate::chain::LineError;
use daypass_postgres::Meter;

use crate::hosted::{Credentials, Failure, Hosted};

/// What the bench needs from the rest of the binary: stores filled without a sign-in for each session, and services
/// on them.
pub(crate) trait Ground {
    /// A service of its own on a temporary store with `sessions` sessions of the client `daypass`, and the refresh
    /// tokens of `sample` of them, drawn at random.
    async fn with_sessions(
        &self,
        sessions: u64,
        sample: u64,
        progress: &Progress,
    ) -> Result<PrivateService, Failure>;

    /// A service of its own on a temporary store with `users` people who can sign in without limit.
    async fn with_users(&self, users: u64, progress: &Progress) -> Result<PrivateService, Failure>;

    /// Adds sessions to the store in the folder `data` and returns the refresh tokens of `sample` of them, drawn at
    /// random.
    async fn fill(
        &self,
        data: &Path,
        sessions: u64,
        sample: u64,
        progress: &Progress,
    ) -> Result<Vec<String>, Failure>;
}

/// A service that was started for one run.
#[derive(Debug)]
pub(crate) struct PrivateService {
    pub(crate) hosted: Hosted,
    /// Refresh tokens to begin with.
    pub(crate) tokens: Vec<String>,
    /// People to sign in.
    pub(crate) users: Vec<Credentials>,
    /// What it costs the database, if that counts.
    pub(crate) meter: Option<Meter>,
}

/// Runs a command and writes its report. The run ends early, with its report, when `leave` does.
pub(crate) async fn run(
    bench: &Bench,
    ground: &impl Ground,
    leave: Pin<&mut dyn Future<Output = ()>>,
    out: &mut dyn Write,
) -> Result<ExitCode, BenchError> {
    let (report, json) = match bench {
        Bench::Refresh(args) => (refresh::run(args, ground, leave).await?, args.load.json),
        Bench::Login(args) => (login::run(args, ground, leave).await?, args.load.json),
        Bench::Prepare(args) => {
            let prepared = prepare::run(args, ground).await?;
            let text = if args.json { prepared.json()? } else { prepared.text() };
            out.write_all(text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::Verify(args) => {
            let report = verify::run(args, leave).await?;
            let text = if args.json { report.json()? } else { report.text() };
            out.write_all(text.as_bytes())?;
            return Ok(exit_code(report.passed()));
        }
    };
    let text = if json { report.json()? } else { report.text() };
    out.write_all(text.as_bytes())?;
    Ok(exit_code(report.passed()))
}

fn exit_code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why there is no report. A service that answers wrongly is a report, not an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Ground(Failure),
    #[error("{0}")]
    File(#[from] tokens::FileError),
    #[error("a token to begin with is of no use: {0}")]
    Token(#[source] LineError),
    #[error("the service's own URL is of no use: {0}")]
    Target(#[from] crate::wire::TargetError),
    #[error("{active} of {sessions} sessions cannot be drawn")]
    TooActive { active: u64, sessions: u64 },
    #[error("the service's published keys are of no use: {0}")]
    Keys(#[from] daypass_jwt::JwksError),
    #[error("there is no session to rotate")]
    NoSession,
    #[error("a key could not be made: {0}")]
    Key(#[from] daypass_jwt::KeyError),
    #[error("a token could not be signed: {0}")]
    Sign(#[from] daypass_jwt::SignError),
    #[error("the verifier could not be made: {0}")]
    Verifier(#[from] daypass_verify::ConfigError),
    #[error("the bare check does not take the key")]
    BareKey,
    #[error("the verifier did not read the revocation feed")]
    Unread,
    #[error("measure for {} min at most", .0.as_secs() / 60)]
    TooLong(std::time::Duration),
    #[error("the operating system gave no random numbers")]
    Entropy(#[from] aws_lc_rs::error::Unspecified),
    #[error("the histogram could not be kept")]
    Histogram,
    #[error("a worker of the load generator died")]
    Worker,
    #[error("the report could not be written: {0}")]
    Report(#[from] serde_json::Error),
    #[error("the report could not be written: {0}")]
    Output(#[from] io::Error),
}
