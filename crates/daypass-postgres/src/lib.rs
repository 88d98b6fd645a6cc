//! The store for many nodes: PostgreSQL, shared by any number of `daypass serve`.
//!
//! Rotations go through a few lanes, the same session always through the same one. A lane takes
//! what has queued into one transaction: it locks the rows in the order of their ids, asks
//! [`daypass_core::decide`] for each request, writes all new states by one statement and answers
//! when the commit is on the primary's disk. Everything else has transactions of its own on pooled
//! connections, and waits for a synchronous standby where there is one.
//!
//! Nothing here needs more of the database than rows, primary keys and transactions: no prepared
//! statements, no state of the connection, no advisory locks, no triggers. It therefore works
//! through any PgBouncer, and on what speaks PostgreSQL's protocol.

mod store;

mod lanes;

mod rotate;

mod sessions;

mod people;

mod registry;

mod feed;

mod calls;

mod tx;

mod moment;

mod pool;

mod connect;

mod tls;

mod address;

mod schema;

mod meter;

mod rows;

mod trouble;

#[cfg(feature = "testing")]
pub mod testing;

pub use address::{DatabaseUrl, InvalidDatabaseUrl};
pub use meter::{Cost, Meter};
pub use schema::{Migrated, migrate, remove};
pub use store::{Observer, PostgresOptions, PostgresStore};
