//! `bench login`: signs people in, which is mostly a measurement of the password hash.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::error::Unspecified;
use serde::Serialize;

use super::args::LoginArgs;
use super::load::{Asker, Outcome, Run};
use super::progress::Progress;
use super::report::{Report, Working};
use super::{BenchError, Ground};
use crate::dice::Dice;
use crate::hosted::{Credentials, Hosted};
use crate::pair::{Pair, Wrong};
use crate::wire::{Answer, Target, Wire};

/// The wait before the next try where the service names none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs it against the service that the arguments name, or one of its own.
pub(crate) async fn run(
    args: &LoginArgs,
    ground: &impl Ground,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<Report, BenchError> {
    let (working, target, users, hosted) = prepare(args, ground).await?;
    let report = measure(args, working, &target, users, leave).await;
    if let Some(hosted) = hosted {
        hosted.stop().await.map_err(BenchError::Ground)?;
    }
    report
}

async fn prepare(
    args: &LoginArgs,
    ground: &impl Ground,
) -> Result<(Working, Target, Vec<Credentials>, Option<Hosted>), BenchError> {
    let (target, described, users, hosted) = if let (Some(target), Some(username), Some(password)) =
        (&args.target, &args.username, &args.password)
    {
        let user = Credentials { username: username.clone(), password: password.clone() };
        (target.clone(), "given".to_owned(), vec![user], None)
    } else {
        let progress = Progress::items("adding", args.users);
        let private = ground.with_users(args.users, &progress).await.map_err(BenchError::Ground)?;
        let target = private.hosted.base_url.parse()?;
        (target, private.hosted.described.clone(), private.users, Some(private.hosted))
    };
    let count = users.len() as u64;
    let total = hosted.is_some().then_some(count);
    let working = Working { target: target.to_string(), described, total, active: count, what: "users" };
    Ok((working, target, users, hosted))
}

async fn measure(
    args: &LoginArgs,
    working: Working,
    target: &Target,
    users: Vec<Credentials>,
    leave: Pin<&mut dyn Future<Output = ()>>,
) -> Result<Report, BenchError> {
    let users: Arc<[Credentials]> = users.into();
    let askers = (0..args.load.connections).map(|_| SignIn {
        wire: Wire::new(target.clone()),
        dice: Dice::new(),
        users: Arc::clone(&users),
        chosen: 0,
    });
    let askers: Vec<SignIn> = askers.collect();
    let (connections, length) = (askers.len(), args.load.length());
    let (_, findings) = Run::start(length, false).drive(askers, leave).await?;
    Ok(Report {
        bench: "login",
        request: "POST /v1/login",
        ..Report::new(working, connections, length, findings)
    })
}

/// One connection on which one person after the other signs in.
struct SignIn {
    wire: Wire,
    dice: Dice,
    users: Arc<[Credentials]>,
    chosen: usize,
}

#[derive(Serialize)]
struct Body<'a> {
    username: &'a str,
    password: &'a str,
}

impl Asker for SignIn {
    fn choose(&mut self) -> Result<bool, Unspecified> {
        self.chosen = self.dice.below(self.users.len())?;
        Ok(!self.users.is_empty())
    }

    async fn ask(&mut self) -> Result<Outcome, Unspecified> {
        let Some(user) = self.users.get(self.chosen) else {
            return Ok(Outcome::Wrong(Wrong::NotAPair));
        };
        let body = Body { username: &user.username, password: &user.password };
        let answer = match self.wire.post_json("/v1/login", &[], &body).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Outcome::Silent(failure)),
        };
        Ok(match answer.status.as_u16() {
            200 => check(&answer).map_or_else(Outcome::Wrong, |()| Outcome::Right),
            429 | 503 => Outcome::Busy(answer.refusal(), answer.retry_after().unwrap_or(PATIENCE)),
            _ => Outcome::Wrong(Wrong::Refused(answer.refusal())),
        })
    }
}

fn check(answer: &Answer) -> Result<(), Wrong> {
    let pair: Pair = answer.json().map_err(|_| Wrong::NotAPair)?;
    pair.signed_in().map(drop)
}
