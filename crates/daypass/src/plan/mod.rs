//! `daypass plan`: what a number of sessions takes, computed from what was measured.
//!
//! [`figures`] holds every measured number and its source, [`sizing`] the arithmetic, [`mod@report`] the words.

mod figures;
mod report;
mod sizing;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::time::Duration;

use clap::Args;

use self::figures::ASSUMED;
use self::report::Report;
use self::sizing::{Assumed, Demand, Kind};
use crate::config::{Config, duration_of};
use crate::hosted::Failure;
use crate::terminal::show_json;

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// The most sessions that can be planned for.
const MOST: u64 = 1_000_000_000_000;

/// The arguments of `plan`. What the configuration says is taken from there unless a flag says otherwise.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// Sessions in use at once, such as 10k, 5M or 100_000; several, parted by commas, are planned side by side
    #[arg(long, value_name = "N", required = true, value_delimiter = ',', value_parser = count)]
    sessions: Vec<u64>,
    /// Life of an access token, such as 10m: each session renews once in it [default: as configured]
    #[arg(long, value_name = "TIME", value_parser = time)]
    access: Option<u64>,
    /// Life of a session, for which its row is kept, such as 180d; 0: without end [default: as configured]
    #[arg(long, value_name = "TIME", value_parser = time_or_none)]
    session: Option<u64>,
    /// How long a session is in use, from its sign-in to its last renewal
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = time)]
    stay: u64,
    /// How much more is renewed at the peak than on average, such as 2 or 1.5
    #[arg(long, value_name = "FACTOR", default_value = "2", value_parser = percent)]
    peak: u64,
    /// The store, instead of SQLite as far as it was measured
    #[arg(long, value_enum)]
    store: Option<Kind>,
    /// Renewals a second and core on PostgreSQL, instead of what was measured
    #[arg(long, value_name = "R", default_value_t = ASSUMED.rate_per_core,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate_per_core: u64,
    /// Percent of every rate that is kept free
    #[arg(long, value_name = "P", default_value_t = ASSUMED.reserve_percent,
          value_parser = clap::value_parser!(u64).range(..=99))]
    reserve: u64,
    /// Cores of a node
    #[arg(long, value_name = "C", default_value_t = ASSUMED.node_cores,
          value_parser = clap::value_parser!(u64).range(1..=1024))]
    node_cores: u64,
    /// Cores of the database's primary
    #[arg(long, value_name = "C", default_value_t = ASSUMED.primary_cores,
          value_parser = clap::value_parser!(u64).range(1..=1024))]
    primary_cores: u64,
    /// Megabytes of log that the primary writes and sends on in a second
    #[arg(long, value_name = "MB", default_value_t = ASSUMED.primary_log_bytes / 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    primary_log: u64,
    /// Connections that the primary, or a pooler before it, takes
    #[arg(long, value_name = "N", default_value_t = ASSUMED.primary_connections,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    primary_connections: u64,
    /// Time between two checkpoints of the primary
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = time)]
    checkpoint: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Plans, and shows the plan.
pub(crate) fn run(args: &PlanArgs, config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    let report = report(args, config);
    if args.json {
        return show_json(&report, out);
    }
    Ok(write!(out, "{report}")?)
}

fn report(args: &PlanArgs, config: &Config) -> Report {
    let narrow = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let assumed = Assumed {
        rate_per_core: args.rate_per_core,
        reserve_percent: args.reserve,
        node_cores: args.node_cores,
        lanes: narrow(config.store.lanes),
        pooled: narrow(config.store.connections),
        primary_cores: args.primary_cores,
        primary_log_bytes: args.primary_log.saturating_mul(1_000_000),
        primary_connections: args.primary_connections,
        checkpoint_s: args.checkpoint,
        keep_events_s: config.retention.events.map(|events| events.as_secs()),
    };
    let session_s = args.session.or(config.tokens.session.map(|life| life.as_secs()));
    let demand = |sessions| Demand {
        sessions,
        access_s: args.access.unwrap_or(config.tokens.access.as_secs()),
        session_s: session_s.filter(|life| *life > 0),
        stay_s: args.stay,
        peak_percent: args.peak,
        store: args.store,
    };
    Report::new(args.sessions.iter().map(|sessions| demand(*sessions)), assumed)
}

/// A number with `_` wherever it helps, and `k`, `M` or `G` for thousands, millions and thousand millions.
fn count(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number such as 250000, 100_000, 10k, 2.5M or 1G".to_owned();
    let (digits, scale) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1_000),
        Some((at, 'M')) => (text.get(..at), 1_000_000),
        Some((at, 'G')) => (text.get(..at), 1_000_000_000),
        _ => (Some(text), 1),
    };
    let number = decimal(digits.unwrap_or_default(), scale).ok_or_else(wrong)?;
    if (1..=MOST).contains(&number) {
        Ok(number)
    } else {
        Err("expected a number from 1 to 1000G".to_owned())
    }
}

/// A factor in hundredths.
fn percent(text: &str) -> Result<u64, String> {
    decimal(text, 100)
        .filter(|percent| (100..=10_000).contains(percent))
        .ok_or_else(|| "expected a factor from 1 to 100, with two decimals at most".to_owned())
}

/// A decimal number times `scale`, if that is whole.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !whole.starts_with(|first: char| first.is_ascii_digit()) || text.ends_with(['.', '_']) {
        return None;
    }
    let digits = |text: &str| text.chars().filter(|letter| *letter != '_').collect::<String>();
    let (whole, part) = (digits(whole), digits(part));
    let number: u64 = format!("{whole}{part}").parse().ok()?;
    let parts = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let number = number.checked_mul(scale)?;
    number.is_multiple_of(parts).then_some(number / parts)
}

/// A time in seconds, as the configuration spells it.
fn time(text: &str) -> Result<u64, String> {
    time_or_none(text).and_then(|seconds| if seconds > 0 { Ok(seconds) } else { Err(TIME.to_owned()) })
}

fn time_or_none(text: &str) -> Result<u64, String> {
    let time = duration_of(text).map_err(|why| format!("{why}; {TIME}"))?;
    if time == Duration::from_secs(time.as_secs()) { Ok(time.as_secs()) } else { Err(TIME.to_owned()) }
}

const TIME: &str = "expected whole seconds, such as 90s, 10m, 36h or 180d";
