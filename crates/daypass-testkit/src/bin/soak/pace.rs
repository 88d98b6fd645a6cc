//! Time, which passes with what is done: a slow machine makes a slow day, and nobody's time-out.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::far::Far;
use crate::run::Run;

/// How much time a call takes.
const CALL: Duration = Duration::from_millis(20);

/// How many calls' time passes at once at most, so that nobody sleeps through his turn; the rest passes later.
const MOST: u64 = 5;

/// How much time passes when nobody gets anything done, because all wait for time to pass.
const IDLE: Duration = Duration::from_millis(25);

/// Moves the clock until the task is aborted; on the far runtime, since it is no client's. It stands still while the service works on a request and while a client's disk does: both take no time, unless a
/// fault says otherwise.
pub(crate) fn start(far: &Far, run: &Arc<Run>) -> JoinHandle<()> {
    let (run, clock, faults) = (Arc::clone(run), far.clock(), far.faults());
    far.handle().spawn(async move {
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut passed = 0;
        loop {
            ticks.tick().await;
            if faults.busy() > 0 || run.is_clock_held() {
                continue;
            }
            let calls = (run.done() - passed).min(MOST);
            clock.advance(if calls == 0 { IDLE } else { CALL * u32::try_from(calls).unwrap() });
            passed += calls;
            run.pass(passed);
        }
    })
}
