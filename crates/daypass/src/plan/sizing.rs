//! The arithmetic of a plan: whole numbers, rounded so that a plan never promises too much.

use serde::Serialize;

use super::figures::{
    AFTER_END_S, AFTER_ENDING_S, ENTRY_BYTES, ENTRY_LIFE_S, EVENT_BYTES, FEED_READS_PER_S, ORIGIN_BYTES,
    PAGE_BYTES, PERSON_BYTES, SESSION_BYTES, SESSIONS_A_PAGE, SQLITE_PER_S, SQLITE_ROWS,
    SQLITE_SESSION_BYTES, STATEMENTS_OF_100, TRANSACTIONS_OF_1000, WAL_BYTES,
};

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// So many sessions that rounding does not show in what one of them costs.
const MANY: u64 = 1_000_000_000;

/// What is to be served.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Demand {
    /// Sessions that renew whenever their access token runs out.
    pub(super) sessions: u64,
    /// Life of an access token, in seconds.
    pub(super) access_s: u64,
    /// Life of a session, in seconds; none: without end.
    pub(super) session_s: Option<u64>,
    /// How long a session is in use, in seconds.
    pub(super) stay_s: u64,
    /// How much more is renewed at the peak than on average, in hundredths.
    pub(super) peak_percent: u64,
    /// The store, where it is not chosen by the plan.
    pub(super) store: Option<Kind>,
}

/// What is assumed of machines and settings.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Assumed {
    /// Renewals a second and core on PostgreSQL.
    pub(super) rate_per_core: u64,
    /// What is kept free of every rate, in hundredths.
    pub(super) reserve_percent: u64,
    /// Cores of a node.
    pub(super) node_cores: u64,
    /// Connections of a node that renew.
    pub(super) lanes: u64,
    /// Connections of a node for everything else.
    pub(super) pooled: u64,
    /// Cores of the database's primary.
    pub(super) primary_cores: u64,
    /// Bytes of log that it can write and send on in a second.
    pub(super) primary_log_bytes: u64,
    /// Connections that it takes.
    pub(super) primary_connections: u64,
    /// Time between two checkpoints, in seconds.
    pub(super) checkpoint_s: u64,
    /// How long audit events are kept, in seconds; none: for good.
    pub(super) keep_events_s: Option<u64>,
}

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// One process, one file
    Sqlite,
    /// Many nodes, one database
    Postgresql,
}

/// A plan.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    pub(super) sessions: u64,
    /// Renewals a second, on average.
    pub(super) renewals: u64,
    /// The same at the peak.
    pub(super) renewals_at_peak: u64,
    pub(super) store: Kind,
    pub(super) nodes: u64,
    pub(super) rows: Rows,
    pub(super) disk_bytes: u64,
    /// What only a database has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<Database>,
    pub(super) sign_ins_a_day: u64,
    pub(super) ends: Ends,
}

/// Rows of the tables that grow.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Rows {
    /// Sessions, ended ones included until their time is up.
    pub(super) sessions: u64,
    /// Entries of the revocation feed.
    pub(super) feed: u64,
    /// Audit events; none where they are kept for good.
    pub(super) events: Option<u64>,
}

/// What the database does.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Database {
    pub(super) connections: u64,
    /// A second, at the peak.
    pub(super) transactions: u64,
    /// A second, at the peak.
    pub(super) statements: u64,
    /// Reads of the feed in a second, while verifiers follow each node.
    pub(super) feed_reads: u64,
    /// Bytes of log a second, at the peak, without images of pages.
    pub(super) log_bytes_at_peak: u64,
    /// Bytes of images of pages a second, at most.
    pub(super) image_bytes: u64,
    /// Bytes of log a day, images included.
    pub(super) log_bytes_a_day: u64,
    /// Primaries, or shards, that this takes.
    pub(super) primaries: u64,
}

/// Where it ends.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Ends {
    /// What ends first.
    pub(super) with: Limit,
    /// At how many sessions.
    pub(super) sessions: u64,
}

/// What can end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    /// The one writer of SQLite.
    Writer,
    /// The number of rows that was measured.
    RowsMeasured,
    /// The primary's cores.
    Cores,
    /// The log: writing and sending it.
    Log,
    /// Connections.
    Connections,
}

/// The plan for a demand.
pub(super) fn plan(demand: &Demand, assumed: &Assumed) -> Plan {
    let renewals = renewals(demand);
    let renewals_at_peak = renewals_at_peak(demand);
    let sign_ins_a_day = scaled_up(demand.sessions, DAY_S, demand.stay_s);
    let rows = rows(demand, assumed);
    let sqlite = end_of_sqlite(demand, assumed);
    let fits = demand.sessions <= sqlite.sessions;
    let store = demand.store.unwrap_or(if fits { Kind::Sqlite } else { Kind::Postgresql });
    let disk_bytes = disk(demand, &rows, store);
    match store {
        Kind::Sqlite => Plan {
            sessions: demand.sessions,
            renewals,
            renewals_at_peak,
            store,
            nodes: 1,
            rows,
            disk_bytes,
            database: None,
            sign_ins_a_day,
            ends: sqlite,
        },
        Kind::Postgresql => {
            let ends = end_of_primary(demand, assumed);
            // One more than the peak takes, so that one may be missing.
            let nodes = renewals_at_peak.div_ceil(node_rate(assumed)).saturating_add(1);
            let database = database(demand, assumed, nodes, &ends);
            Plan {
                sessions: demand.sessions,
                renewals,
                renewals_at_peak,
                store,
                nodes,
                rows,
                disk_bytes,
                database: Some(database),
                sign_ins_a_day,
                ends,
            }
        }
    }
}

fn renewals(demand: &Demand) -> u64 {
    demand.sessions.div_ceil(demand.access_s.max(1))
}

fn renewals_at_peak(demand: &Demand) -> u64 {
    scaled_up(demand.sessions, demand.peak_percent, demand.access_s.saturating_mul(100))
}

/// How many sessions renew so often at the peak.
fn sessions_at(renewals_at_peak: u64, demand: &Demand) -> u64 {
    scaled_down(renewals_at_peak, demand.access_s.saturating_mul(100), demand.peak_percent)
}

/// A session's row stays until the session would have ended anyway, whenever it was ended.
fn rows(demand: &Demand, assumed: &Assumed) -> Rows {
    let kept_s = match demand.session_s {
        Some(session_s) => session_s.saturating_add(AFTER_END_S),
        None => demand.stay_s.saturating_add(AFTER_ENDING_S),
    };
    let over = |life_s| scaled_up(demand.sessions, life_s, demand.stay_s);
    Rows {
        sessions: over(kept_s).max(demand.sessions),
        // One for each session, as if every one were signed out of.
        feed: over(ENTRY_LIFE_S),
        // A sign-in and an end.
        events: assumed.keep_events_s.map(|keep_s| over(keep_s.saturating_mul(2))),
    }
}

fn disk(demand: &Demand, rows: &Rows, store: Kind) -> u64 {
    let (session, person) = match store {
        Kind::Sqlite => (SQLITE_SESSION_BYTES, PERSON_BYTES),
        Kind::Postgresql => (SESSION_BYTES, PERSON_BYTES),
    };
    [
        (rows.sessions, session.saturating_add(ORIGIN_BYTES)),
        (demand.sessions, person),
        (rows.feed, ENTRY_BYTES),
        (rows.events.unwrap_or(0), EVENT_BYTES),
    ]
    .iter()
    .fold(0, |sum: u64, (rows, bytes)| sum.saturating_add(rows.saturating_mul(*bytes)))
}

/// What a node renews in a second, its reserve apart.
fn node_rate(assumed: &Assumed) -> u64 {
    unreserved(assumed.rate_per_core.saturating_mul(assumed.node_cores), assumed).max(1)
}

fn unreserved(rate: u64, assumed: &Assumed) -> u64 {
    scaled_down(rate, 100_u64.saturating_sub(assumed.reserve_percent), 100)
}

fn database(demand: &Demand, assumed: &Assumed, nodes: u64, ends: &Ends) -> Database {
    let at_peak = renewals_at_peak(demand);
    let image_bytes = image_bytes(demand, assumed);
    let on_average = scaled_up(demand.sessions, WAL_BYTES, demand.access_s);
    Database {
        connections: nodes.saturating_mul(connections_of_a_node(assumed)),
        transactions: scaled_up(at_peak, TRANSACTIONS_OF_1000, 1_000),
        statements: scaled_up(at_peak, STATEMENTS_OF_100, 100),
        feed_reads: nodes.saturating_mul(FEED_READS_PER_S),
        log_bytes_at_peak: at_peak.saturating_mul(WAL_BYTES),
        image_bytes,
        log_bytes_a_day: on_average.saturating_add(image_bytes).saturating_mul(DAY_S),
        primaries: demand.sessions.div_ceil(ends.sessions.max(1)),
    }
}

/// One for each lane, one where sessions end whose token came back, and those for everything else.
fn connections_of_a_node(assumed: &Assumed) -> u64 {
    assumed.lanes.saturating_add(1).saturating_add(assumed.pooled)
}

/// After a checkpoint each page is written whole at its first change. No more pages can change than
/// there are, and no more than there are renewals.
fn image_bytes(demand: &Demand, assumed: &Assumed) -> u64 {
    let pages = rows(demand, assumed).sessions.div_ceil(SESSIONS_A_PAGE);
    let renewals = scaled_up(demand.sessions, assumed.checkpoint_s, demand.access_s);
    scaled_up(pages.min(renewals), PAGE_BYTES, assumed.checkpoint_s)
}

fn end_of_sqlite(demand: &Demand, assumed: &Assumed) -> Ends {
    let many = Demand { sessions: MANY, ..*demand };
    let rows = scaled_down(SQLITE_ROWS, MANY, rows(&many, assumed).sessions);
    first(&[
        (Limit::Writer, sessions_at(unreserved(SQLITE_PER_S, assumed), demand)),
        (Limit::RowsMeasured, rows),
    ])
}

fn end_of_primary(demand: &Demand, assumed: &Assumed) -> Ends {
    let cores = unreserved(assumed.rate_per_core.saturating_mul(assumed.primary_cores), assumed);
    let many = Demand { sessions: MANY, ..*demand };
    let log = renewals_at_peak(&many).saturating_mul(WAL_BYTES).saturating_add(image_bytes(&many, assumed));
    let nodes = assumed.primary_connections.checked_div(connections_of_a_node(assumed)).unwrap_or(0);
    let working = nodes.saturating_sub(1).saturating_mul(node_rate(assumed));
    first(&[
        (Limit::Cores, sessions_at(cores, demand)),
        (Limit::Log, scaled_down(MANY, assumed.primary_log_bytes, log)),
        (Limit::Connections, sessions_at(working, demand)),
    ])
}

/// The lowest of the limits.
fn first(limits: &[(Limit, u64)]) -> Ends {
    let lowest = limits.iter().min_by_key(|(_, sessions)| *sessions);
    let (with, sessions) = lowest.copied().unwrap_or((Limit::Cores, 0));
    Ends { with, sessions }
}

/// `number × times ÷ by`, rounded up.
fn scaled_up(number: u64, times: u64, by: u64) -> u64 {
    narrow((u128::from(number) * u128::from(times)).div_ceil(u128::from(by.max(1))))
}

/// `number × times ÷ by`, rounded down.
fn scaled_down(number: u64, times: u64, by: u64) -> u64 {
    narrow(u128::from(number) * u128::from(times) / u128::from(by.max(1)))
}

fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::figures::ASSUMED;
    use super::*;

    const DEMAND: Demand = Demand {
        sessions: 1_000_000,
        access_s: 600,
        session_s: Some(180 * DAY_S),
        stay_s: 30 * DAY_S,
        peak_percent: 200,
        store: None,
    };

    fn planned(sessions: u64) -> Plan {
        plan(&Demand { sessions, ..DEMAND }, &ASSUMED)
    }

    #[test]
    fn a_session_renews_once_in_the_life_of_an_access_token() {
        for (sessions, access_s, peak_percent, expected) in [
            (600, 600, 100, (1, 1)),
            (601, 600, 100, (2, 2)),
            (1_000_000, 600, 200, (1_667, 3_334)),
            (100_000_000, 600, 150, (166_667, 250_000)),
            (100_000_000, 3_600, 200, (27_778, 55_556)),
            (u64::MAX, 1, 10_000, (u64::MAX, u64::MAX)),
        ] {
            let demand = Demand { sessions, access_s, peak_percent, ..DEMAND };
            assert_eq!((renewals(&demand), renewals_at_peak(&demand)), expected, "{demand:?}");
        }
    }

    #[test]
    fn rows_outlive_the_use_of_their_session() {
        let of = |session_s, stay_s| {
            rows(&Demand { sessions: 1_000, session_s, stay_s, ..DEMAND }, &ASSUMED).sessions
        };
        assert_eq!(of(Some(180 * DAY_S), 30 * DAY_S), 6_034, "181 days of rows for 30 of use");
        assert_eq!(of(Some(180 * DAY_S), 180 * DAY_S), 1_006);
        assert_eq!(of(None, 30 * DAY_S), 2_000, "a month after it was ended");
        assert_eq!(of(Some(DAY_S), 30 * DAY_S), 1_000, "never fewer than are in use");
        let rows = rows(&DEMAND, &ASSUMED);
        assert_eq!(rows.feed, 4_283, "185 minutes of 30 days");
        assert_eq!(rows.events, Some(6_000_000), "two each, 90 days");
    }

    #[test]
    fn sqlite_is_chosen_as_far_as_it_was_measured() {
        let sqlite = end_of_sqlite(&DEMAND, &ASSUMED);
        assert_eq!((sqlite.with, sqlite.sessions), (Limit::RowsMeasured, 1_657_458));
        assert_eq!(planned(1_657_458).store, Kind::Sqlite);
        assert_eq!(planned(1_657_459).store, Kind::Postgresql);
        let short = Demand { access_s: 60, ..DEMAND };
        let sqlite = end_of_sqlite(&short, &ASSUMED);
        assert_eq!((sqlite.with, sqlite.sessions), (Limit::Writer, 218_520), "7,284 a second at the peak");
        let wanted = Demand { store: Some(Kind::Postgresql), sessions: 10, ..DEMAND };
        assert_eq!((plan(&wanted, &ASSUMED).store, plan(&wanted, &ASSUMED).nodes), (Kind::Postgresql, 2));
    }

    #[test]
    fn what_a_database_does_follows_from_what_a_renewal_costs() {
        let plan = planned(100_000_000);
        // 333,334 a second on nodes of 5,501 each: 61, and one to spare.
        assert_eq!(plan.nodes, 62);
        let database = plan.database.unwrap();
        assert_eq!(database.connections, 682);
        assert_eq!((database.transactions, database.statements), (11_667, 123_334));
        assert_eq!(database.feed_reads, 2_480);
        assert_eq!(database.log_bytes_at_peak, 108_333_550);
        // 603,333,334 rows are 18,282,829 pages, each once in 15 minutes.
        assert_eq!(database.image_bytes, 166_414_373);
        assert_eq!(database.log_bytes_a_day, (54_166_667 + 166_414_373) * DAY_S);
    }

    #[test]
    fn no_more_pages_are_written_whole_than_change() {
        let fast = Assumed { checkpoint_s: 1, ..ASSUMED };
        assert_eq!(image_bytes(&DEMAND, &fast), 1_667 * PAGE_BYTES, "a page each");
    }

    #[test]
    fn a_primary_ends_with_what_is_scarcest() {
        let end = |assumed: Assumed| {
            let ends = end_of_primary(&DEMAND, &assumed);
            (ends.with, ends.sessions)
        };
        // 32 cores, half of 176,032 a second, 300 s of it at twice the average.
        assert_eq!(end(ASSUMED), (Limit::Cores, 26_404_800));
        let broad = Assumed { primary_cores: 1_000, ..ASSUMED };
        // 44 nodes work, of 5,501 each.
        assert_eq!(end(broad), (Limit::Connections, 72_613_200));
        let pooled = Assumed { primary_connections: 100_000, ..broad };
        assert_eq!(end(pooled), (Limit::Log, 72_794_052));
        assert_eq!(planned(100_000_000).database.unwrap().primaries, 4);
        let nothing = Assumed { primary_connections: 0, ..ASSUMED };
        assert_eq!(end(nothing), (Limit::Connections, 0));
    }

    #[test]
    fn nothing_overflows_and_nothing_divides_by_zero() {
        let most = Demand { sessions: u64::MAX, access_s: 0, stay_s: 0, peak_percent: 0, ..DEMAND };
        let none = Assumed {
            rate_per_core: 0,
            node_cores: 0,
            lanes: 0,
            pooled: 0,
            checkpoint_s: 0,
            reserve_percent: 1_000,
            ..ASSUMED
        };
        for store in [Kind::Sqlite, Kind::Postgresql] {
            assert_eq!(plan(&Demand { store: Some(store), ..most }, &none).store, store);
        }
    }
}
