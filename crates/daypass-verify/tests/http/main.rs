//! What requests are answered: by the layer, and by the extractors behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

mod harness;

mod answers;
mod extractors;
mod layer;
