//! Kills the service, or its database, at moments that the seed decides, and starts it again.

use std::sync::Arc;

use tokio::time::Instant;

use crate::account::{What, Zero};
use crate::arguments::Sabotage;
use crate::database::Database;
use crate::run::Run;
use daypass_chaos::dice::Dice;
use daypass_chaos::service::{Service, ServiceError, copy_files};

/// The stream of chance.
const STREAM: u64 = 1;

/// So many kills are wanted in a short run; a long one has more.
const KILLS: u64 = 12;

/// Kills are so many rotations apart at most, or rarely, so that the store also comes to copy its log and is killed
/// over that.
const APART: u64 = 5000;
const FAR_APART: u64 = 40_000;

/// So many of a thousand are far apart in a long run.
const RARELY: u64 = 150;

/// In so many of a thousand restarts the service is killed again before it is ready, or just then.
const IN_MID_START: u64 = 250;

/// Where there is a database, so many of a thousand kills are its.
const OF_DATABASE: u64 = 300;

/// Kills and restarts until the run is over, and gives the service back: running, unless it did not come back, which is
/// objected to.
pub(crate) async fn reign(run: Arc<Run>, mut service: Service, database: Option<Database>) -> Service {
    if let Err(error) = kill_and_restart(&run, &mut service, database.as_ref()).await {
        run.account.object(Zero::Others, error.to_string(), None);
    }
    service
}

async fn kill_and_restart(
    run: &Run,
    service: &mut Service,
    database: Option<&Database>,
) -> Result<(), ServiceError> {
    let dice = run.dice(STREAM);
    let apart = Apart::of(run.target);
    let mut rotations = run.account.rotations();
    let mut next = apart.draw(&dice);
    let mut older = false;
    loop {
        let due = async {
            // The account holds the sender.
            let _due = rotations.wait_for(|rotations| *rotations >= next).await;
        };
        tokio::select! {
            () = run.ended() => return Ok(()),
            error = service.ended() => {
                run.account.object(Zero::Others, error.to_string(), None);
                service.start().await?;
                continue;
            }
            () = due => {}
        }
        run.pause(dice.millis(0, 5)).await;
        if run.is_over() {
            return Ok(());
        }
        if let Some(database) = database.filter(|_| dice.chance(OF_DATABASE)) {
            let gone = |error| ServiceError::Io { what: "the database cannot be started".into(), error };
            database.kill_and_restart().await.map_err(gone)?;
            run.account.add(What::DatabaseKills);
            next = rotations.borrow().saturating_add(apart.draw(&dice));
            continue;
        }
        service.kill().await?;
        run.account.add(What::ServiceKills);
        if run.is(Sabotage::LostCommits) {
            lose(service, older)?;
            older = !older;
        }
        if dice.chance(IN_MID_START) {
            service.spawn()?;
            run.pause(dice.millis(1, 60)).await;
            service.kill().await?;
            run.account.add(What::KillsInMidStart);
        }
        let started = Instant::now();
        service.start().await?;
        run.account.started(started.elapsed());
        let done = *rotations.borrow();
        next = done.saturating_add(apart.draw(&dice));
    }
}

/// How many rotations lie between two kills.
#[derive(Clone, Copy, Debug)]
struct Apart {
    mostly: u64,
    rarely: u64,
}

impl Apart {
    fn of(target: u64) -> Self {
        let mostly = (target / (KILLS + 1)).clamp(1, APART);
        Self { mostly, rarely: if mostly < APART { mostly } else { FAR_APART } }
    }

    fn draw(self, dice: &Dice) -> u64 {
        let most = if dice.chance(RARELY) { self.rarely } else { self.mostly };
        dice.between(most / 8, most)
    }
}

/// Keeps a copy of the store, or puts it back.
fn lose(service: &Service, back: bool) -> Result<(), ServiceError> {
    let (data, copy) = (service.data(), service.data().with_extension("older"));
    let copied = if back { copy_files(&copy, &data) } else { copy_files(&data, &copy) };
    copied.map_err(|error| ServiceError::Io { what: "the store cannot be copied".into(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_has_kills_enough_and_a_long_one_some_that_are_far_apart() {
        let drawn = |target| {
            let (apart, dice) = (Apart::of(target), Dice::new(1, STREAM));
            (0..500).map(|_| apart.draw(&dice)).collect::<Vec<_>>()
        };
        assert!(drawn(1).iter().all(|apart| *apart <= 1));
        assert!(drawn(5000).iter().all(|apart| (48..=384).contains(apart)));
        let long = drawn(1_000_000);
        assert!(long.iter().any(|apart| *apart > 30_000) && long.iter().any(|apart| *apart < 1000));
    }
}
