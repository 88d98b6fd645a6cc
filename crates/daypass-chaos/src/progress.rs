//! Progress on the terminal, nothing at all where there is none.

use std::io::{IsTerminal as _, stderr};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::Run;

/// Shows how far a run is until it is over.
pub(crate) async fn show(run: Arc<Run>) {
    let target =
        if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(run.target), target);
    let template = "rotations [{bar:40}] {human_pos} of {human_len}, {per_sec}, {eta} left";
    // A template that is not understood leaves the plain bar.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let rotations = run.account.rotations();
    while run.pause(Duration::from_millis(200)).await {
        bar.set_position(*rotations.borrow());
    }
    bar.finish_and_clear();
}
