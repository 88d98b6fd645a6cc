//! `bench prepare`: fills a store, so that any load generator can be pointed at a service on it.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::args::PrepareArgs;
use super::progress::Progress;
use super::{BenchError, Ground, tokens};

/// Fills the store and writes the drawn tokens.
pub(crate) async fn run(args: &PrepareArgs, ground: &impl Ground) -> Result<Prepared, BenchError> {
    let (sessions, sample) = (args.sessions, args.sample);
    if sample > sessions {
        return Err(BenchError::TooActive { active: sample, sessions });
    }
    let (start, progress) = (Instant::now(), Progress::items("filling", sessions));
    let drawn = ground.fill(&args.data, sessions, sample, &progress).await.map_err(BenchError::Ground)?;
    drop(progress);
    let took = start.elapsed();
    let tokens = tokens::write(&args.tokens, drawn.into_iter())?;
    Ok(Prepared { sessions, tokens, file: args.tokens.display().to_string(), took })
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Prepared {
    sessions: u64,
    tokens: u64,
    file: String,
    took: Duration,
}

#[derive(Serialize)]
struct Summary<'a> {
    bench: &'static str,
    sessions: u64,
    tokens: u64,
    file: &'a str,
    seconds: f64,
}

impl Prepared {
    /// In a sentence.
    pub(crate) fn text(&self) -> String {
        format!(
            "{} sessions added in {:.1} s; {} of their refresh tokens, drawn at random, are in {}\n",
            self.sessions,
            self.took.as_secs_f64(),
            self.tokens,
            self.file
        )
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Result<String, BenchError> {
        let summary = Summary {
            bench: "prepare",
            sessions: self.sessions,
            tokens: self.tokens,
            file: &self.file,
            seconds: self.took.as_secs_f64(),
        };
        Ok(serde_json::to_string_pretty(&summary)? + "\n")
    }
}
