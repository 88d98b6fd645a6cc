//! Progress on the terminal, nothing at all where there is none; and an end to a run that is stuck.

use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, interval};

use crate::run::Run;

/// For how long nobody may get anything done.
const STUCK: Duration = Duration::from_mins(2);

/// Shows how far a run is until it is over.
pub(crate) async fn show(run: Arc<Run>) {
    let target =
        if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(run.calls()), target);
    // A template that is not understood leaves the plain bar.
    if let Ok(style) = ProgressStyle::with_template("calls [{bar:40}] {human_pos} of {human_len}, {eta} left")
    {
        bar.set_style(style);
    }
    let mut ticks = interval(Duration::from_millis(100));
    let mut last = (run.done(), Instant::now());
    while !run.is_over() {
        ticks.tick().await;
        let done = run.done();
        bar.set_position(done);
        if done > last.0 {
            last = (done, Instant::now());
        } else if last.1.elapsed() > STUCK {
            run.fail(format!("after {done} calls none was answered for {} s", STUCK.as_secs()));
        }
    }
    bar.finish_and_clear();
}
