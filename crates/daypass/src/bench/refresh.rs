//! `bench refresh`: rotates many sessions' refresh tokens at once and checks every answer.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use daypass_postgres::Meter;
use serde::Serialize;

use super::args::{Endpoint, RefreshArgs};
use super::load::{Asker, Findings, Outcome, Run};
use super::progress::Progress;
use super::report::{Report, Working};
use super::signatures::PublishedKeys;
use super::{BenchError, Ground, PrivateService, tokens};
use crate::chain::Chain;
use crate::dice::Dice;
use crate::hosted::Hosted;
use crate::pair::{Pair, RefreshToken, Wrong};
use crate::wire::{Answer, Target, Wire, WireError};

/// The wait before the next try where the service names none.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many sessions of a private service rotate, if nothing else is said.
const ACTIVE: u64 = 10_000;
/// One answer in so many has its signature checked: a check costs more than all the rest of the client.
const SIGNATURE_SAMPLE: u64 = 64;

/// Runs it against the service that the arguments name, or one of its own.
pub(crate) async fn run(
    args: &RefreshArgs,
    ground: &impl Ground,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<Report, BenchError> {
    let (field, hosted) = prepare(args, ground).await?;
    let meter = field.meter.clone();
    let mut report = measure(args, field, leave).await;
    if let (Ok(report), Some(meter)) = (&mut report, meter) {
        report.cost = Some(meter.cost().await.map_err(|error| BenchError::Ground(error.into()))?);
    }
    if let Some(hosted) = hosted {
        hosted.stop().await.map_err(BenchError::Ground)?;
    }
    report
}

/// What is played on: a service and the chains held.
struct Field {
    target: Target,
    described: String,
    sessions: Option<u64>,
    chains: Vec<Chain>,
    keys: Option<Arc<PublishedKeys>>,
    meter: Option<Meter>,
}

async fn prepare(args: &RefreshArgs, ground: &impl Ground) -> Result<(Field, Option<Hosted>), BenchError> {
    let (target, described, sessions, mut chains, hosted, meter) =
        if let (Some(target), Some(file)) = (&args.target, &args.tokens) {
            (target.clone(), "given".to_owned(), None, tokens::read(file)?, None, None)
        } else {
            let (private, sessions) = private_service(args, ground).await?;
            let chains = private.tokens.iter().map(|token| Chain::parse(token));
            let chains = chains.collect::<Result<Vec<_>, _>>().map_err(BenchError::Token)?;
            let target = private.hosted.base_url.parse()?;
            (
                target,
                private.hosted.described.clone(),
                Some(sessions),
                chains,
                Some(private.hosted),
                private.meter,
            )
        };
    if let Some(active) = args.active {
        let active = usize::try_from(active).unwrap_or(usize::MAX);
        Dice::new().deal(&mut chains, active)?;
        chains.truncate(active);
    }
    if chains.is_empty() {
        return Err(BenchError::NoSession);
    }
    let keys = PublishedKeys::fetch(&target).await?.map(Arc::new);
    Ok((Field { target, described, sessions, chains, keys, meter }, hosted))
}

async fn private_service(
    args: &RefreshArgs,
    ground: &impl Ground,
) -> Result<(PrivateService, u64), BenchError> {
    let sessions = args.sessions;
    let active = args.active.unwrap_or(ACTIVE.min(sessions));
    if active > sessions {
        return Err(BenchError::TooActive { active, sessions });
    }
    let progress = Progress::items("filling", sessions);
    let private = ground.with_sessions(sessions, active, &progress).await.map_err(BenchError::Ground)?;
    Ok((private, sessions))
}

async fn measure(
    args: &RefreshArgs,
    field: Field,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<Report, BenchError> {
    let held = field.chains.len();
    let working = Working {
        target: field.target.to_string(),
        described: field.described.clone(),
        total: field.sessions,
        active: held as u64,
        what: "sessions",
    };
    let length = args.length();
    let askers = seats(args, field);
    let connections = askers.len();
    let (askers, mut findings) = Run::start(length, args.until_lost).drive(askers, leave).await?;
    if args.once {
        missing(&askers, &mut findings);
    }
    let checked = askers.iter().map(|asker| asker.signatures_checked).sum();
    let written = match &args.tokens_out {
        Some(file) => Some(write_chains(file.clone(), askers).await?),
        None => None,
    };
    Ok(Report {
        bench: "refresh",
        request: args.endpoint.route(),
        attempt_ids: Some(args.attempt_ids),
        until_lost: args.until_lost,
        signatures_checked: checked,
        chains_written: written,
        ..Report::new(working, connections, length, findings)
    })
}

/// Shares the chains out; a connection without one is not opened.
fn seats(args: &RefreshArgs, field: Field) -> Vec<Refresher> {
    let count = usize::from(args.load.connections).min(field.chains.len());
    let mut askers: Vec<Refresher> = (0..count)
        .map(|_| Refresher {
            wire: Wire::new(field.target.clone()),
            endpoint: args.endpoint,
            attempt_ids: args.attempt_ids,
            once: args.once,
            dice: Dice::new(),
            waiting: Vec::with_capacity(field.chains.len() / count + 1),
            chosen: None,
            done: Vec::new(),
            keys: field.keys.clone(),
            answers: 0,
            signatures_checked: 0,
        })
        .collect();
    let mut chains = field.chains.into_iter();
    'dealing: loop {
        for asker in &mut askers {
            let Some(chain) = chains.next() else { break 'dealing };
            asker.waiting.push(chain);
        }
    }
    askers
}

/// A token that was to be presented and never got its answer is a failure of the run.
fn missing(askers: &[Refresher], findings: &mut Findings) {
    let unanswered: usize =
        askers.iter().map(|asker| asker.waiting.len() + usize::from(asker.chosen.is_some())).sum();
    for _ in 0..unanswered {
        findings.tally.wrong(&Wrong::Unanswered);
    }
}

async fn write_chains(file: PathBuf, askers: Vec<Refresher>) -> Result<u64, BenchError> {
    let writing = tokio::task::spawn_blocking(move || {
        let chains = askers.iter().flat_map(Refresher::chains);
        tokens::write(&file, chains.map(Chain::line))
    });
    Ok(writing.await.map_err(|_| BenchError::Worker)??)
}

/// One connection and the chains that it rotates, one at random after the other.
struct Refresher {
    wire: Wire,
    endpoint: Endpoint,
    attempt_ids: bool,
    once: bool,
    dice: Dice,
    waiting: Vec<Chain>,
    chosen: Option<Chain>,
    /// Those that had their turn, where each has one only.
    done: Vec<Chain>,
    keys: Option<Arc<PublishedKeys>>,
    answers: u64,
    signatures_checked: u64,
}

impl Asker for Refresher {
    fn choose(&mut self) -> Result<bool, Unspecified> {
        if self.waiting.is_empty() {
            return Ok(false);
        }
        let place = self.dice.below(self.waiting.len())?;
        self.chosen = Some(self.waiting.swap_remove(place));
        Ok(true)
    }

    async fn ask(&mut self) -> Result<Outcome, Unspecified> {
        let Some(mut chain) = self.chosen.take() else {
            return Ok(Outcome::Wrong(Wrong::NotAToken));
        };
        if self.attempt_ids {
            chain.attempt(&mut self.dice)?;
        }
        let answer = self.endpoint.send(&mut self.wire, chain.held().text(), chain.unanswered()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                self.chosen = Some(chain);
                return Ok(Outcome::Silent(failure));
            }
        };
        match answer.status.as_u16() {
            200 => Ok(match self.check(&chain, &answer) {
                Ok(successor) => {
                    chain.advance(successor);
                    if self.once {
                        self.done.push(chain);
                    } else {
                        self.waiting.push(chain);
                    }
                    Outcome::Right
                }
                Err(wrong) => Outcome::Wrong(wrong),
            }),
            429 | 503 => {
                self.chosen = Some(chain);
                Ok(Outcome::Busy(answer.refusal(), answer.retry_after().unwrap_or(PATIENCE)))
            }
            _ => Ok(Outcome::Wrong(Wrong::Refused(answer.refusal()))),
        }
    }
}

impl Refresher {
    fn check(&mut self, chain: &Chain, answer: &Answer) -> Result<RefreshToken, Wrong> {
        let pair: Pair = answer.json().map_err(|_| Wrong::NotAPair)?;
        let successor = pair.renewed(chain.held())?;
        if let Some(keys) = &self.keys
            && self.answers.is_multiple_of(SIGNATURE_SAMPLE)
        {
            if !keys.signed(&pair.access_token) {
                return Err(Wrong::Signature);
            }
            self.signatures_checked += 1;
        }
        self.answers += 1;
        Ok(successor)
    }

    fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.waiting.iter().chain(&self.chosen).chain(&self.done)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    refresh_token: &'a str,
}

impl Endpoint {
    /// Method and path, for the report.
    fn route(self) -> &'static str {
        match self {
            Self::V1 => "POST /v1/refresh",
            Self::Oauth2 => "POST /oauth2/token",
        }
    }

    async fn send(self, wire: &mut Wire, token: &str, attempt: Option<&str>) -> Result<Answer, WireError> {
        match self {
            Self::V1 => {
                let header = attempt.map(|list| ("daypass-attempt", list));
                wire.post_json("/v1/refresh", header.as_slice(), &Body { refresh_token: token }).await
            }
            Self::Oauth2 => {
                let mut form =
                    vec![("grant_type", "refresh_token"), ("client_id", "daypass"), ("refresh_token", token)];
                form.extend(attempt.map(|list| ("attempt", list)));
                wire.post_form("/oauth2/token", &[], &form).await
            }
        }
    }
}
