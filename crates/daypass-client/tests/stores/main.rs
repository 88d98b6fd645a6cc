//! The stores that come with the client: each against the contract of all, and what is its own.
#![cfg(feature = "contract")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "processes talk by it")]

mod memory;

mod file;

#[cfg(unix)]
mod private;

mod foreign;

mod processes;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod power_cut;

#[cfg(feature = "keyring")]
mod keyring;

mod sample;
