//! The arguments of `daypass bench`.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use daypass_jwt::Algorithm;

use super::load::Length;
use crate::wire::Target;

/// Measure a service, this one or another, and check every answer on the way
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Rotate the refresh tokens of many sessions
    Refresh(RefreshArgs),
    /// Sign people in
    Login(LoginArgs),
    /// Fill a store with sessions and write some of their refresh tokens to a file
    Prepare(PrepareArgs),
    /// Verify access tokens, as a server that accepts them does
    Verify(VerifyArgs),
}

/// Arguments that every measurement takes.
#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// Connections, each with one request in flight
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// How long to measure, such as 15s or 2m
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// How long to run before measuring
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl LoadArgs {
    pub(super) fn length(&self) -> Length {
        Length::Timed { warm_up: self.warm_up, duration: self.duration }
    }
}

/// `bench refresh`.
#[derive(Args, Debug)]
pub(crate) struct RefreshArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Sessions in the private service's store
    #[arg(long, value_name = "N", default_value_t = 100_000, conflicts_with = "target",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sessions: u64,
    /// How many of them rotate, drawn at random [default: 10000, or all tokens of the file]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) active: Option<u64>,
    /// A running service, instead of a private one on a temporary store
    #[arg(long, value_name = "URL", requires = "tokens")]
    pub(crate) target: Option<Target>,
    /// Its refresh tokens: one a line, behind a tab the attempt list to repeat
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(crate) tokens: Option<PathBuf>,
    /// Write the refresh tokens held at the end, with the attempt lists of those whose answer did not come
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens_out: Option<PathBuf>,
    /// Send attempt ids
    #[arg(long, value_name = "YES", default_value_t = true, action = ArgAction::Set)]
    pub(crate) attempt_ids: bool,
    /// Which endpoint to call
    #[arg(long, value_enum, default_value_t = Endpoint::V1)]
    pub(crate) endpoint: Endpoint,
    /// Stop, and succeed, when the service stops answering
    #[arg(long, conflicts_with = "once")]
    pub(crate) until_lost: bool,
    /// Present each token exactly once; all must be answered with their successor
    #[arg(long, conflicts_with_all = ["duration", "warm_up"])]
    pub(crate) once: bool,
}

impl RefreshArgs {
    pub(super) fn length(&self) -> Length {
        if self.once { Length::Exhaustive } else { self.load.length() }
    }
}

/// The two places where a refresh token can be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Endpoint {
    /// POST /v1/refresh
    V1,
    /// POST /oauth2/token
    Oauth2,
}

/// `bench login`.
#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Users of the private service
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "target",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) users: u64,
    /// A running service, instead of a private one on a temporary store
    #[arg(long, value_name = "URL", requires_all = ["username", "password"])]
    pub(crate) target: Option<Target>,
    /// Who signs in there
    #[arg(long, value_name = "NAME", requires = "target")]
    pub(crate) username: Option<String>,
    /// With which password
    #[arg(
        long,
        value_name = "PASSWORD",
        requires = "target",
        env = "DAYPASS_BENCH_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) password: Option<String>,
}

/// `bench prepare`.
#[derive(Args, Debug)]
pub(crate) struct PrepareArgs {
    /// Folder of the store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Sessions to add
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sessions: u64,
    /// How many of their refresh tokens to write, drawn at random
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sample: u64,
    /// Where to write them, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: PathBuf,
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `bench verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Tokens in the working set; the verifier's memory is made large enough for them
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tokens: u32,
    /// Each how many-th of them is bad: tampered with, expired, for others, of an ended session, of an unknown key
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) bad_every: u32,
    /// Threads that verify together [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroU16>,
    /// Signature algorithm: ES256, Ed25519, RS256, PS256 or HS256
    #[arg(long, value_name = "ALG", default_value_t = Algorithm::ES256)]
    pub(crate) algorithm: Algorithm,
    /// How long to measure, such as 15s or 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A thread for each of a thousand cores is more than any measurement needs.
fn threads(text: &str) -> Result<NonZeroU16, String> {
    let number: Option<NonZeroU16> = text.parse().ok();
    number.filter(|number| number.get() <= 1024).ok_or_else(|| "expected a number from 1 to 1024".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("expected a time such as 500ms, 15s or 2m".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "expected a number of ms, s or m".to_owned())?;
    Ok(Duration::from_millis(u64::from(number) * scale))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        bench: Bench,
    }

    fn parse(line: &str) -> Result<Bench, clap::error::ErrorKind> {
        Line::try_parse_from(line.split(' ')).map(|line| line.bench).map_err(|error| error.kind())
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Line::command().debug_assert();
    }

    #[test]
    fn what_stands_alone_and_what_does_not() {
        let Ok(Bench::Refresh(bare)) = parse("bench refresh") else { panic!("no arguments needed") };
        assert_eq!((bare.sessions, bare.active, bare.load.connections), (100_000, None, 64));
        assert!(bare.attempt_ids && !bare.once && bare.endpoint == Endpoint::V1);
        let timed = |warm_up, duration| Length::Timed {
            warm_up: Duration::from_secs(warm_up),
            duration: Duration::from_secs(duration),
        };
        assert_eq!(bare.length(), timed(2, 15));
        for right in [
            "bench refresh --target http://a:1/b --tokens f --active 5 --endpoint oauth2 --attempt-ids false",
            "bench refresh --duration 500ms --warm-up 0s --until-lost --tokens-out f",
            "bench refresh --target http://a:1 --tokens f --once",
            "bench login --users 3 --duration 2m",
            "bench login --target http://a --username n --password p",
            "bench prepare --data d --sessions 5 --sample 2 --tokens f --json",
            "bench verify --tokens 200 --duration 1s",
            "bench verify --threads 4 --algorithm Ed25519 --bad-every 2 --json",
        ] {
            assert!(parse(right).is_ok(), "{right}: {:?}", parse(right));
        }
        for wrong in [
            "bench",
            "bench refresh --target http://a:1",
            "bench refresh --tokens f",
            "bench refresh --target https://a --tokens f",
            "bench refresh --target http://a --tokens f --sessions 5",
            "bench refresh --once --until-lost",
            "bench refresh --once --duration 5s",
            "bench refresh --duration 5",
            "bench refresh --duration 99999999999s",
            "bench refresh --connections 0",
            "bench login --target http://a --username n",
            "bench prepare --data d --sessions 5 --sample 2",
            "bench verify --threads 0",
            "bench verify --threads 1025",
            "bench verify --bad-every 1",
            "bench verify --algorithm none",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
