//! Several processes on one store, and processes that end at the worst of moments.
#![cfg(all(unix, feature = "contract"))]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "processes talk by it")]

mod sharing;

mod killed;

mod full_disk;

mod process;
mod stage;
