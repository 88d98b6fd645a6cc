//! A long run of the client, the service and the verifier together while the network between them misbehaves.
//!
//! [`far`] is the other side: the service and its keys behind faults, with what disturbs them. [`api`] is a protected
//! API and [`crowd`] are the clients that call it. [`pace`] moves the time that all of them live by, [`run`] is what
//! they share, and [`report`] tells how it went.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot go on is a failure of the run, and it stops where it is"
)]

mod far;

mod api;
mod crowd;

mod pace;
mod run;

mod memory;
mod report;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};

use crowd::Crowd;
use far::Far;
use report::Report;
use run::Run;

/// As the shipped program has it; this one also gives back what hashing passwords took, so that growth shows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the clients' tasks may take to end once nobody holds them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Call a protected API many times through clients whose token service misbehaves, and fail if anybody notices
///
/// Requests and answers are lost, held and cut short, the service is restarted and its keys are replaced. Time is
/// simulated: access tokens live for five seconds of it. The run fails if anybody is signed out, an answer is wrong, a
/// call is refused to the end, a theft alarm is raised, memory grows or tasks are left over.
#[derive(Debug, Parser)]
#[command(name = "daypass-soak", version)]
struct Arguments {
    /// Calls to make
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// What the faults follow from; the order in which threads run is not part of it
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The service's tasks are counted apart: some of them outlive it for half a minute.
    let (far, near) = (runtime(), runtime());
    let report = near.block_on(soak(&arguments, &far, &near));
    far.shutdown_background();
    report.tell(arguments.json);
    if report.failure.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn soak(arguments: &Arguments, far: &Runtime, near: &Runtime) -> Report {
    let run = Arc::new(Run::new(arguments.calls));
    let began = Instant::now();
    let far = far.spawn(Far::start(arguments.seed, Arc::clone(&run))).await.unwrap();
    let pace = pace::start(&far, &run);
    let crowd = Crowd::gather(&far, &run, arguments.seed).await;
    let disturbed = far.disturb();
    crowd.call_all().await;
    disturbed.await.unwrap();
    crowd.call_once_more().await;
    let end = memory::resident();
    crowd.check();
    let size = crowd.size();
    let folder = crowd.leave();
    let tasks_left = tasks_left(near).await;
    drop(folder);
    pace.abort();
    let mut report = Report {
        calls: run.done(),
        seed: arguments.seed,
        seconds: began.elapsed().as_secs_f64(),
        simulated_seconds: far.simulated().as_secs(),
        size,
        waited: run.waited(),
        disturbances: far.disturbances(),
        alarms: far.alarms().await,
        renewals: far.end().await,
        memory: memory::Growth { warm: run.warm_memory(), end },
        tasks_left,
        failure: None,
    };
    report.judge(run.failure());
    report
}

/// Waits for the clients' tasks to end, and tells how many do not.
async fn tasks_left(near: &Runtime) -> usize {
    let alive = || near.metrics().num_alive_tasks();
    let ended = async {
        while alive() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match timeout(PATIENCE, ended).await {
        Ok(()) => 0,
        Err(_) => alive(),
    }
}
