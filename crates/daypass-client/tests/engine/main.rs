//! The scenarios that a client has to get through, against the real service behind faults. Time stands still but
//! for what a test moves.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "test code fails by panicking"
)]

mod stage;

mod alone;
mod changing;
mod clocks;
mod confidential;
mod crashes;

mod eager;
mod endings;
mod events;
mod retries;
mod sharing;
mod single_flight;
mod storing;
mod walk;
