//! `daypass`: the token service, and the commands around it.

mod cli;

mod client;
mod keys;
mod serve;
mod session;
mod user;

mod bench;
mod demo;
mod ground;
mod plan;

mod backend;
mod config;
mod migrate;
mod open;
mod system;
mod terminal;

mod chain;
mod dice;
#[cfg(test)]
mod fake;
mod hosted;
mod pair;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
