//! What the verifier and the client take from their surroundings, as interfaces: time, waiting and randomness.
//!
//! Programs use [`SystemClock`] and [`SystemEntropy`], which both crates choose by themselves. Tests use
//! [`ManualClock`] and [`SeededEntropy`]: nothing then happens until the test moves the time.
//!
//! ```
//! use std::time::Duration;
//! use daypass_ambient::{Clock, ManualClock};
//!
//! let clock = ManualClock::new();
//! let before = clock.wall();
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(clock.wall() - before, Duration::from_secs(60));
//! ```

mod clock;
mod entropy;
mod manual;

pub use clock::{Clock, Sleep, SystemClock};
pub use entropy::{Entropy, NoEntropy, SeededEntropy, SystemEntropy};
pub use manual::ManualClock;
