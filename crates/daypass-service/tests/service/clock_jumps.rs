//! The service's clock jumps, back five minutes and forward an hour: what has ended stays ended, and
//! nobody is signed out early by more than the jump.

mod ended;
mod living;
mod tokens;
mod told;

use std::time::Duration;

use daypass_service::{Pair, RefreshError};

use crate::support::{World, attempt, master, refresh_token};

/// A step of a journey.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody sets the clock, by so many seconds.
    Jump(i64),
    /// The process ends, and another begins on the same file.
    Restart,
}

use Step::{Jump, Restart};

const BACK: i64 = -5 * 60;
const HOUR: i64 = 60 * 60;

/// Where a clock goes that jumps.
fn journeys() -> Vec<Vec<Step>> {
    vec![
        vec![Jump(BACK)],
        vec![Jump(HOUR)],
        vec![Jump(HOUR), Jump(-HOUR)],
        vec![Jump(BACK), Jump(-BACK)],
        vec![Jump(HOUR), Jump(BACK), Jump(-HOUR)],
        vec![Jump(BACK), Restart, Jump(HOUR), Restart, Jump(-HOUR), Restart],
        vec![Jump(-60); 5],
        vec![Jump(720); 5],
    ]
}

impl Step {
    /// The world after this step.
    async fn take(self, world: World) -> World {
        match self {
            Jump(seconds) => {
                jump(&world, seconds);
                world
            }
            Restart => {
                let (ground, config) = (world.ground(), world.service.config().clone());
                drop(world);
                ground.start(config, master()).await.unwrap()
            }
        }
    }
}

fn jump(world: &World, seconds: i64) {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { world.clock.set_back(by) } else { world.later(by) }
}

/// Renews as a client with attempt ids does.
async fn renewed(world: &World, pair: &Pair) -> Result<Pair, RefreshError> {
    let part = pair.refresh.as_ref().unwrap();
    let id = attempt(usize::try_from(part.generation.0).unwrap());
    world.refresh_as(refresh_token(pair), Some(&id)).await
}

/// How often an event has been recorded.
async fn told(world: &World, kind: &str) -> usize {
    world.events().await.iter().filter(|event| event.kind.name() == kind).count()
}
