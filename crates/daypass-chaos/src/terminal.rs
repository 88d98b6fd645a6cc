//! What a program says while it runs, and whether anybody sees colours.

use std::io::{IsTerminal as _, stdout};

/// Whether a report on the standard output may have colours.
pub fn colours() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Tells on the standard error what goes on; the report has the standard output.
#[expect(clippy::print_stderr, reason = "this is the program's output; the report has the standard output")]
pub fn say(what: &str) {
    eprintln!("{what}");
}
