//! The built service and real clients under faults, kills and thieves.
//!
//! The service's process is the library's; [`killer`] kills it, and its database. [`proxy`] is the network, and [`ledger`]
//! what it shows. [`clients`] are honest, [`thieves`] rob sessions that are set apart for it; [`cast`] is everybody. [`account`] counts,
//! [`end`] compares with the store what was counted, and [`report`] tells.
//!
//! Counted as a rotation is each generation that the wire shows somebody being given for the first time; the store has
//! a few more, whose answers were lost with the service, and the report has both. The seed decides what befalls the
//! first request, the second and so on; which request comes first, the order of threads and processes decides. So the same
//! seed gives a similar run, and not the same.

mod database;
mod killer;
mod proxy;

mod ledger;
mod token;

mod cast;
mod clients;
mod thieves;

mod account;
mod run;

mod end;
mod progress;
mod report;

mod arguments;
mod chaos;
mod fast;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use arguments::{Arguments, Part};
use daypass_chaos::{leash, terminal};

/// What cannot be started has neither passed nor failed.
const CANNOT: u8 = 2;

/// How long what is left of a run may take to end.
const LEAVE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Part::Watch(watched)) = &arguments.part {
        return leash::watch(watched);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::say(&format!("error: {error}"));
            return ExitCode::from(CANNOT);
        }
    };
    let code = match &arguments.part {
        Some(Part::Client(client)) => runtime.block_on(clients::live(client)),
        _ => match runtime.block_on(chaos::run(&arguments.options)) {
            Ok(report) => {
                report.tell(arguments.options.json, terminal::colours());
                if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                terminal::say(&format!("error: {error}"));
                ExitCode::from(CANNOT)
            }
        },
    };
    match arguments.part {
        // Its read of the standard input may be waiting still.
        Some(Part::Client(_)) => runtime.shutdown_background(),
        // Whatever processes are left are killed by those who hold them.
        _ => runtime.shutdown_timeout(LEAVE),
    }
    code
}
