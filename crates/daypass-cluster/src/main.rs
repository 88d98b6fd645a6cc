//! Three nodes behind nginx on a PostgreSQL primary and its standby, under load and faults.
//!
//! [`stage`] is everything that runs: [`database`], the nodes, [`nginx`], and a way to the databases that [`forward`]
//! interrupts. [`load`] stays and renews, [`leavers`] sign out, and [`verifiers`] have to know of it. [`faults`] go wrong one
//! after the other. [`log`] is what nginx saw, [`account`] counts the rest, and [`report`] tells.

mod stage;

mod database;
mod forward;
mod nginx;

mod leavers;
mod load;
mod verifiers;
mod wire;

mod faults;

mod account;
mod log;
mod report;

mod arguments;
mod cluster;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use daypass_chaos::{leash, terminal};

use arguments::{Arguments, Part};

/// What cannot be started has neither passed nor failed.
const CANNOT: u8 = 2;

/// How long what is left of a run may take to end.
const LEAVE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Part::Watch(watched)) = &arguments.part {
        return leash::watch(watched);
    }
    let cannot = |error: &dyn std::fmt::Display| {
        terminal::say(&format!("error: {error}"));
        ExitCode::from(CANNOT)
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cannot(&error),
    };
    let options = &arguments.options;
    let code = match runtime.block_on(cluster::run(options)) {
        Ok(report) => match report.tell(options.json.as_deref(), terminal::colours()) {
            Ok(()) if report.passed => ExitCode::SUCCESS,
            Ok(()) => ExitCode::FAILURE,
            Err(error) => cannot(&error),
        },
        Err(error) => cannot(&error),
    };
    // Whatever processes are left are killed by those who hold them.
    runtime.shutdown_timeout(LEAVE);
    code
}
