//! What a plan is computed from: figures that were measured, each with its source, what the schema and
//! the service do, and what is assumed of machines until somebody says otherwise. Every number stands here once.

use super::sizing::Assumed;

/// Where the figures of renewals come from.
pub(super) const RENEWALS_SOURCE: &str = "docs/performance.md: `daypass bench refresh` with and without --database \
    and scripts/bench.sh, on two cores (SQLite's of an AMD EPYC, PostgreSQL's of an Intel Xeon) that the load generator and the \
    database shared";

/// Where the sizes of rows come from.
pub(super) const SIZES_SOURCE: &str = "docs/scale.md: scripts/sizes.sql on PostgreSQL 15 with sessions that have renewed \
    five times, and `daypass bench prepare` on SQLite";

/// Bytes of PostgreSQL's write-ahead log that a renewal writes, images of pages apart.
pub(super) const WAL_BYTES: u64 = 325;

/// Statements of a hundred renewals, in batches of twenty-nine.
pub(super) const STATEMENTS_OF_100: u64 = 37;

/// Transactions of a thousand renewals, in batches of twenty-nine.
pub(super) const TRANSACTIONS_OF_1000: u64 = 35;

/// Renewals a second and core: 11,003 on two cores, with a million sessions, the database and the load generator on them, the
/// median of three rounds.
pub(super) const POSTGRESQL_PER_CORE: u64 = 5_501;

/// Renewals a second on SQLite with ten million sessions, the median of three rounds.
pub(super) const SQLITE_PER_S: u64 = 14_569;

/// The most sessions with which SQLite was measured.
pub(super) const SQLITE_ROWS: u64 = 10_000_000;

/// Bytes of a session's row in PostgreSQL, with its indexes.
pub(super) const SESSION_BYTES: u64 = 410;

/// Sessions on a page of the table.
pub(super) const SESSIONS_A_PAGE: u64 = 33;

/// Bytes of what else is kept with each session's row: where it was opened.
pub(super) const ORIGIN_BYTES: u64 = 207;

/// Bytes of a person: subject and user.
pub(super) const PERSON_BYTES: u64 = 536;

/// Bytes of an audit event.
pub(super) const EVENT_BYTES: u64 = 157;

/// Bytes of a feed entry.
pub(super) const ENTRY_BYTES: u64 = 267;

/// Bytes of a session in SQLite, with its indexes and its subject, once it has four attempt ids.
pub(super) const SQLITE_SESSION_BYTES: u64 = 299;

/// A page of PostgreSQL.
pub(super) const PAGE_BYTES: u64 = 8_192;

/// How long a session's row stays after the session's own end, in seconds.
pub(super) const AFTER_END_S: u64 = 24 * 3_600;

/// How long the row of a session without end stays after it was ended, in seconds.
pub(super) const AFTER_ENDING_S: u64 = 30 * 24 * 3_600;

/// How long an entry of the feed stays, in seconds: 65 minutes in force and two hours more.
pub(super) const ENTRY_LIFE_S: u64 = 65 * 60 + 2 * 3_600;

/// How often a node reads the feed in a second while somebody follows it.
pub(super) const FEED_READS_PER_S: u64 = 40;

/// What is assumed until a flag says otherwise; lanes, connections and events are the configuration's.
pub(super) const ASSUMED: Assumed = Assumed {
    rate_per_core: POSTGRESQL_PER_CORE,
    reserve_percent: 50,
    node_cores: 2,
    lanes: 2,
    pooled: 8,
    primary_cores: 32,
    primary_log_bytes: 200_000_000,
    primary_connections: 500,
    checkpoint_s: 900,
    keep_events_s: Some(90 * 24 * 3_600),
};
