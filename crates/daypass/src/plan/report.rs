//! A plan in words: a table with a column for each number of sessions, and what its figures rest on.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::DAY_S;
use super::figures::{
    ENTRY_BYTES, EVENT_BYTES, ORIGIN_BYTES, PERSON_BYTES, POSTGRESQL_PER_CORE, RENEWALS_SOURCE,
    SESSION_BYTES, SIZES_SOURCE, SQLITE_PER_S, SQLITE_ROWS, SQLITE_SESSION_BYTES, STATEMENTS_OF_100,
    TRANSACTIONS_OF_1000, WAL_BYTES,
};
use super::sizing::{Assumed, Database, Demand, Kind, Limit, Plan, plan};
use crate::bench::grouped;
use crate::config::show_duration;

/// Plans for one demand, or for some that differ in their sessions.
#[derive(Debug)]
pub(super) struct Report {
    plans: Vec<(Demand, Plan)>,
    assumed: Assumed,
}

/// Stands in a cell that does not apply.
const NOTHING: &str = "–";

/// One line of the table: what, in each plan, and where it comes from.
type Line = (&'static str, fn(&Plan) -> String, String);

impl Report {
    pub(super) fn new(demands: impl Iterator<Item = Demand>, assumed: Assumed) -> Self {
        Self { plans: demands.map(|demand| (demand, plan(&demand, &assumed))).collect(), assumed }
    }

    /// The lines. A cell that says nothing is a dash.
    fn lines(&self, demand: &Demand) -> Vec<Line> {
        [self.of_nodes(demand), self.of_the_database(), self.of_rows(demand), self.of_the_end()].concat()
    }

    fn of_nodes(&self, demand: &Demand) -> Vec<Line> {
        let Assumed { rate_per_core, reserve_percent, node_cores, .. } = self.assumed;
        let (access, peak) = (seconds(demand.access_s), factor(demand.peak_percent));
        vec![
            ("sessions in use", |plan| grouped(plan.sessions), "given".into()),
            ("renewals a second", |plan| grouped(plan.renewals), format!("sessions ÷ {access}")),
            ("  at the peak", |plan| grouped(plan.renewals_at_peak), format!("× {peak}, assumed")),
            ("store", |plan| plan.store.to_string(), "SQLite as far as it was measured".into()),
            (
                "nodes",
                |plan| grouped(plan.nodes),
                format!(
                    "one on SQLite; else {node_cores} cores of {}/s each, {reserve_percent} % free, and one to spare",
                    grouped(rate_per_core)
                ),
            ),
        ]
    }

    fn of_the_database(&self) -> Vec<Line> {
        let Assumed { lanes, pooled, checkpoint_s, .. } = self.assumed;
        vec![
            (
                "database connections",
                |plan| of(plan, |database| grouped(database.connections)),
                format!("{lanes} + 1 + {pooled} a node"),
            ),
            (
                "transactions a second",
                |plan| of(plan, |database| grouped(database.transactions)),
                format!(
                    "at the peak: {TRANSACTIONS_OF_1000} for 1,000 renewals in batches of 29, measured; more where they are smaller"
                ),
            ),
            (
                "statements a second",
                |plan| of(plan, |database| grouped(database.statements)),
                format!(
                    "at the peak: {STATEMENTS_OF_100} for 100 renewals in batches of 29, measured; more where they are smaller"
                ),
            ),
            (
                "feed reads a second",
                |plan| of(plan, |database| grouped(database.feed_reads)),
                "40 a node, if verifiers follow each".into(),
            ),
            (
                "WAL a second",
                |plan| of(plan, |database| bytes(database.log_bytes_at_peak)),
                format!("at the peak: {WAL_BYTES} bytes a renewal, measured"),
            ),
            (
                "  page images",
                |plan| of(plan, |database| bytes(database.image_bytes)),
                format!("at most, with a checkpoint every {}, computed", seconds(checkpoint_s)),
            ),
            (
                "WAL a day",
                |plan| of(plan, |database| bytes(database.log_bytes_a_day)),
                "renewals alone, on average; page images, at most, included".into(),
            ),
        ]
    }

    fn of_rows(&self, demand: &Demand) -> Vec<Line> {
        let kept = demand
            .session_s
            .map_or_else(|| "30 d after the end".to_owned(), |life| seconds(life) + " and 1 d");
        let events = self.assumed.keep_events_s.map_or_else(|| "for good".to_owned(), seconds);
        vec![
            (
                "sign-ins a day",
                |plan| grouped(plan.sign_ins_a_day),
                format!("a session is in use for {}, assumed", seconds(demand.stay_s)),
            ),
            ("rows of sessions", |plan| grouped(plan.rows.sessions), format!("a row stays for {kept}")),
            (
                "rows of the feed",
                |plan| grouped(plan.rows.feed),
                "all are signed out of; kept for 185 m".into(),
            ),
            (
                "rows of events",
                |plan| plan.rows.events.map_or_else(|| "grows".into(), grouped),
                format!("two a session, kept {events}"),
            ),
            ("disk", |plan| bytes(plan.disk_bytes), "rows × bytes of a row, measured; the log apart".into()),
        ]
    }

    fn of_the_end(&self) -> Vec<Line> {
        vec![
            ("ends first", |plan| plan.ends.with.to_string(), self.limits()),
            ("  at sessions", |plan| grouped(plan.ends.sessions), "of one primary, or of one SQLite".into()),
            (
                "primaries, or shards",
                |plan| of(plan, |database| grouped(database.primaries)),
                "sessions ÷ the line above".into(),
            ),
        ]
    }

    fn limits(&self) -> String {
        let Assumed { primary_cores, primary_log_bytes, primary_connections, .. } = self.assumed;
        let log = bytes(primary_log_bytes);
        let primary = format!(
            "one primary of {primary_cores} cores, {log}/s of log and {primary_connections} connections, assumed"
        );
        let (writer, rows) = (grouped(SQLITE_PER_S), grouped(SQLITE_ROWS));
        let sqlite = format!("one writer of {writer}/s and {rows} rows, measured");
        match (self.is_with(Kind::Sqlite), self.is_with(Kind::Postgresql)) {
            (true, false) => sqlite,
            (false, _) => primary,
            (true, true) => format!("{sqlite}; {primary}"),
        }
    }

    fn is_with(&self, store: Kind) -> bool {
        self.plans.iter().any(|(_, plan)| plan.store == store)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((demand, _)) = self.plans.first() else { return Ok(()) };
        let row = |(title, cell, from): Line| {
            (title, self.plans.iter().map(|(_, plan)| cell(plan)).collect::<Vec<_>>(), from)
        };
        // What is of no store in sight is left out.
        let rows: Vec<_> = self.lines(demand).into_iter().map(row).collect();
        let rows: Vec<_> =
            rows.into_iter().filter(|(_, cells, _)| cells.iter().any(|cell| cell != NOTHING)).collect();
        let length = |text: &str| text.chars().count();
        let titles = rows.iter().map(|(title, ..)| length(title)).max().unwrap_or(0);
        let mut widths = vec![0; self.plans.len()];
        for (_, cells, _) in &rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = length(cell).max(*width);
            }
        }
        for (title, cells, from) in &rows {
            write!(f, "{title:titles$}")?;
            for (cell, width) in cells.iter().zip(&widths) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f, "   {from}")?;
        }
        writeln!(f, "\n{}", wrapped(&remarks()))
    }
}

/// What the figures rest on.
fn remarks() -> String {
    let (database, sqlite) = (grouped(POSTGRESQL_PER_CORE), grouped(SQLITE_PER_S));
    let (statements, transactions) = (hundredths(STATEMENTS_OF_100), thousandths(TRANSACTIONS_OF_1000));
    format!(
        "Measured: {WAL_BYTES} bytes of WAL, {statements} statements and {transactions} transactions a renewal, \
         {database} renewals a second and core on PostgreSQL, {sqlite} a second on SQLite. {RENEWALS_SOURCE}. \
         Sizes: {SIZES_SOURCE}. All else is computed from these and from what is assumed. More than two cores, \
         more than two nodes and more than ten million sessions were not measured."
    )
}

/// Text in lines of a hundred characters at most.
fn wrapped(text: &str) -> String {
    let mut wrapped = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count().saturating_add(1);
        if length > 0 && length + more > 101 {
            wrapped.push('\n');
            length = 0;
        } else if length > 0 {
            wrapped.push(' ');
        }
        wrapped.push_str(word);
        length += more;
    }
    wrapped
}

/// `{"items": […], "measured": {…}, "assumed": {…}}`; each item has the demand beside its plan.
impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let item = |(demand, plan): &(Demand, Plan)| json!({ "demand": demand, "plan": plan });
        let items: Vec<Value> = self.plans.iter().map(item).collect();
        let measured = json!({
            "wal_bytes_a_renewal": WAL_BYTES,
            "statements_of_100_renewals": STATEMENTS_OF_100,
            "transactions_of_1000_renewals": TRANSACTIONS_OF_1000,
            "postgresql_renewals_a_second_and_core": POSTGRESQL_PER_CORE,
            "sqlite_renewals_a_second": SQLITE_PER_S,
            "sqlite_rows": SQLITE_ROWS,
            "session_bytes": SESSION_BYTES,
            "sqlite_session_bytes": SQLITE_SESSION_BYTES,
            "origin_bytes": ORIGIN_BYTES,
            "person_bytes": PERSON_BYTES,
            "event_bytes": EVENT_BYTES,
            "feed_entry_bytes": ENTRY_BYTES,
            "renewals_source": RENEWALS_SOURCE,
            "sizes_source": SIZES_SOURCE,
        });
        json!({ "items": items, "measured": measured, "assumed": self.assumed }).serialize(serializer)
    }
}

fn of(plan: &Plan, cell: impl Fn(&Database) -> String) -> String {
    plan.database.as_ref().map_or_else(|| NOTHING.to_owned(), cell)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgresql => "PostgreSQL",
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Writer => "the writer",
            Self::RowsMeasured => "rows measured",
            Self::Cores => "cores",
            Self::Log => "log",
            Self::Connections => "connections",
        })
    }
}

/// Seconds as the configuration spells them, the number apart: `10 m`.
fn seconds(seconds: u64) -> String {
    if seconds.is_multiple_of(DAY_S) && seconds > 0 {
        return format!("{} d", seconds / DAY_S);
    }
    let text = show_duration(std::time::Duration::from_secs(seconds));
    let unit = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    format!("{number} {unit}")
}

/// Bytes with one decimal, in powers of a thousand: 51.3 MB.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut scale: u64 = 1;
    let mut unit = "B";
    for next in UNITS.iter().skip(1) {
        // What would be rounded to a thousand is one of the next.
        if bytes / scale < 1_000 && bytes.saturating_mul(10).saturating_add(scale / 2) / scale < 10_000 {
            break;
        }
        scale = scale.saturating_mul(1_000);
        unit = next;
    }
    if scale == 1 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10 + u128::from(scale / 2)) / u128::from(scale);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A factor in hundredths, as short as it is exact.
fn factor(percent: u64) -> String {
    hundredths(percent).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1_000, number % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let texts =
            [0, 999, 1_000, 51_333_334, 999_949_999, 999_950_000, 1_500_000_000_000, u64::MAX].map(bytes);
        assert_eq!(
            texts,
            ["0 B", "999 B", "1.0 kB", "51.3 MB", "999.9 MB", "1.0 GB", "1.5 TB", "18446.7 PB"]
        );
        assert_eq!([100, 150, 225, 1_000].map(factor), ["1", "1.5", "2.25", "10"]);
        assert_eq!([1, 90, 600, 5_400, 15_552_000].map(seconds), ["1 s", "90 s", "10 m", "90 m", "180 d"]);
    }
}
