//! What is said on the terminal by more than one command.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::config::Config;
use crate::hosted::Failure;

/// Says what went wrong, with its causes.
pub(crate) fn fail(error: &Failure) -> ExitCode {
    let mut text = format!("daypass: {error}\n");
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}  because: {next_text}\n");
        }
        cause = next.source();
    }
    // There is nowhere else to say it.
    let _unsaid = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Shows what a configuration resolves to.
pub(crate) fn show_config(config: &Config, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    if json {
        return show_json(&config.to_json(), out);
    }
    Ok(write!(out, "{config}")?)
}

/// Writes a value as indented JSON.
pub(crate) fn show_json(value: &impl Serialize, out: &mut impl Write) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}

/// Writes rows under headings, each column as wide as its widest cell.
pub(crate) fn show_table<const N: usize>(
    headings: [&str; N],
    rows: &[[String; N]],
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    writeln!(out, "{}", line(headings.to_vec()))?;
    for row in rows {
        writeln!(out, "{}", line(row.iter().map(String::as_str).collect()))?;
    }
    Ok(())
}

/// A time in Unix milliseconds as UTC, to the second: `2026-01-31T23:59:59Z` (RFC 3339).
pub(crate) fn utc(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years; after Howard Hinnant's "chrono-compatible
    // low-level date algorithms".
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Text that somebody else chose, without what would move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(millis), expected);
        }
    }

    #[test]
    fn tables_line_up() {
        let mut out = Vec::new();
        show_table(["a", "bb"], &[["long".into(), "x".into()], ["é".into(), "y".into()]], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a     bb\nlong  x\né     y\n");
    }
}
