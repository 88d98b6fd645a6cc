//! The embedded store: one SQLite file, nothing to install.
//!
//! One writer thread takes what has queued, applies it in one transaction, syncs once and answers
//! all (group commit). Readers have connections of their own and see the last commit (WAL). A
//! checkpointer keeps the log short from a connection of its own, so that the writer does not wait
//! for it. Other processes, such as the command line beside a running service, may open the same
//! file.

mod checkpoint;
mod feed;
mod people;
mod readers;
mod registry;
mod rotate;
mod rows;
mod schema;
mod sessions;
mod store;
mod writer;

pub use schema::Durability;
pub use store::{Observer, SqliteOptions, SqliteStore};
