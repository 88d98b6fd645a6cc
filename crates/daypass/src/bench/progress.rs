//! Progress on the terminal; nothing at all where there is none.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on the error stream, gone when dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For work of `total` items.
    pub(crate) fn items(verb: &'static str, total: u64) -> Self {
        Self::styled(verb, total, "{msg:>10} [{bar:40}] {human_pos} of {human_len}, {eta} left")
    }

    /// For work that takes a given time, with a word on how fast it goes.
    pub(crate) fn time(total: Duration) -> Self {
        Self::styled("", millis(total), "{msg:>10} [{bar:40}] {percent}%")
    }

    /// So many items are done.
    pub(crate) fn done(&self, items: u64) {
        self.0.set_position(items);
    }

    /// So much time has passed, at this rate.
    pub(crate) fn passed(&self, passed: Duration, rate: u64) {
        self.0.set_message(format!("{rate} /s"));
        self.0.set_position(millis(passed));
    }

    fn styled(verb: &'static str, total: u64, template: &str) -> Self {
        let target =
            if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_message(verb);
        // A template that is not understood leaves the plain bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
