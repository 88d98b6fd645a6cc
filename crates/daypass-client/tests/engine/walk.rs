//! Random walks of two processes that share a store, through faults, full disks, sleep and crashes: whatever
//! happens, nobody is signed out and no alarm is raised.

use std::time::Duration;

use daypass_client::{Session, SessionError};
use daypass_testkit::{Canned, Fault, Gate};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::stage::{Faulty, LIFETIME, LONGEST_WAIT, REFRESH, Stage, watched};

/// A request that the network holds back is delivered before the session has moved on by more generations than the
/// service remembers.
const LATEST: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Call(usize),
    /// An API refuses the current token.
    Refused(usize),
    Pass(u64),
    Sleep,
    Befall(Befall, usize),
    Crash(usize, Moment),
    DiskFull(bool),
    Online,
}

#[derive(Clone, Copy, Debug)]
enum Befall {
    LoseRequest,
    LoseResponse,
    Truncate,
    Busy,
    TooMany,
    Portal,
}

/// When a process dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The request is on its way, and is delivered late.
    Underway,
    /// The service has rotated.
    Rotated,
    /// The answer has come, and is not stored.
    Storing,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..2usize;
    let befall = prop::sample::select(vec![
        Befall::LoseRequest,
        Befall::LoseResponse,
        Befall::Truncate,
        Befall::Busy,
        Befall::TooMany,
        Befall::Portal,
    ]);
    let moment = prop::sample::select(vec![Moment::Underway, Moment::Rotated, Moment::Storing]);
    prop_oneof![
        4 => client.clone().prop_map(Step::Call),
        2 => client.clone().prop_map(Step::Refused),
        4 => (1..900u64).prop_map(Step::Pass),
        1 => Just(Step::Sleep),
        3 => (befall, 1..30usize).prop_map(|(befall, times)| Step::Befall(befall, times)),
        3 => (client, moment).prop_map(|(client, moment)| Step::Crash(client, moment)),
        1 => any::<bool>().prop_map(Step::DiskFull),
        1 => Just(Step::Online),
    ]
}

struct Walk {
    outside: Runtime,
    stage: Stage,
    store: Faulty,
    processes: Vec<Option<Process>>,
    /// Requests that the network holds back, and since which step.
    late: Vec<(Gate, usize)>,
}

struct Process {
    runtime: Runtime,
    session: Session,
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

impl Walk {
    fn start() -> Self {
        let outside = runtime();
        let stage = outside.block_on(Stage::new());
        let store = Faulty::over(stage.store.clone());
        let mut walk = Self { outside, stage, store, processes: vec![None, None], late: Vec::new() };
        walk.begin(0);
        let first = walk.processes[0].as_ref().unwrap().session.clone();
        walk.outside.block_on(async { first.adopt(walk.stage.pair().await).await.unwrap() });
        walk.begin(1);
        walk
    }

    fn begin(&mut self, client: usize) {
        let runtime = runtime();
        let built = runtime.block_on(self.stage.builder_on(self.store.clone()).build());
        self.processes[client] = Some(Process { session: built.unwrap(), runtime });
    }

    fn take(&mut self, number: usize, step: &Step) {
        let due = self.late.extract_if(.., |(_, since)| number - *since >= LATEST).collect::<Vec<_>>();
        for (gate, _) in due {
            self.deliver(&gate);
        }
        match step {
            Step::Call(client) => self.call(*client, false),
            Step::Refused(client) => self.call(*client, true),
            Step::Pass(seconds) => self.stage.clock().advance(Duration::from_secs(*seconds)),
            Step::Sleep => self.stage.clock().suspend(Duration::from_hours(2)),
            Step::Befall(befall, times) => self.stage.faults().next_times(REFRESH, *times, fault(*befall)),
            Step::Crash(client, moment) => self.crash(number, *client, *moment),
            Step::DiskFull(full) => self.store.fill(*full),
            Step::Online => {
                self.stage.faults().clear();
                self.processes.iter().flatten().for_each(|process| process.session.wake());
            }
        }
    }

    /// A call, to its end.
    fn call(&self, client: usize, refused: bool) {
        let process = self.processes[client].as_ref().unwrap();
        let session = process.session.clone();
        let call = process.runtime.spawn(async move {
            let token = session.access_token().await?;
            if refused { session.refresh_if(&token).await } else { Ok(token) }
        });
        let result = self.outside.block_on(watched(self.stage.through_waits(call))).unwrap();
        // The service may be away, and the disk full. That is all.
        match result {
            Ok(_) | Err(SessionError::Unavailable { .. } | SessionError::Store(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    /// A call, and a crash when its moment has come, unless there was no need for a request.
    fn crash(&mut self, number: usize, client: usize, moment: Moment) {
        self.stage.faults().clear();
        let gate = Gate::new();
        let fault = match moment {
            Moment::Underway => Some(Fault::HoldRequest(gate.clone())),
            Moment::Rotated => Some(Fault::HoldResponse(gate.clone())),
            Moment::Storing => None,
        };
        let gate = fault.map_or_else(
            || self.store.hold(self.next_generation()),
            |fault| {
                self.stage.faults().next(REFRESH, fault);
                gate
            },
        );
        let process = self.processes[client].take().unwrap();
        let session = process.session;
        let call = process.runtime.spawn(async move { session.access_token().await });
        let over = async {
            tokio::select! {
                () = gate.arrived() => true,
                _ = call => false,
            }
        };
        let come = self.outside.block_on(watched(self.stage.through_waits(over)));
        process.runtime.shutdown_timeout(Duration::from_secs(30));
        self.stage.faults().clear();
        self.store.let_go();
        // The other process may renew in the background, and it may be its request that is held: it waits for the
        // answer then, while nobody waits for one who is gone.
        let awaited = self.stage.clock().waits().iter().any(|wait| *wait > LONGEST_WAIT);
        if come && !awaited && matches!(moment, Moment::Underway) {
            self.late.push((gate, number));
        } else {
            gate.open();
        }
        self.begin(client);
    }

    fn next_generation(&self) -> u32 {
        self.outside.block_on(self.stage.record()).map_or(0, |record| record.generation) + 1
    }

    /// The network delivers what it held back.
    fn deliver(&self, gate: &Gate) {
        let served = self.stage.faults().served(REFRESH);
        gate.open();
        self.outside.block_on(watched(self.stage.faults().until_served(REFRESH, served + 1)));
    }

    fn end(mut self) {
        for (gate, _) in std::mem::take(&mut self.late) {
            self.deliver(&gate);
        }
        self.stage.faults().clear();
        self.store.fill(false);
        self.stage.clock().advance(LIFETIME);
        for process in self.processes.iter().flatten() {
            let session = process.session.clone();
            let call = process.runtime.spawn(async move { session.access_token().await });
            self.outside.block_on(watched(self.stage.through_waits(call))).unwrap().unwrap();
        }
        let renewals = self.outside.block_on(self.stage.service.renewals());
        // What is refused is at most what was delivered late, and nobody was waiting for it.
        assert_eq!((renewals.reused, renewals.refused() - renewals.superseded), (0, 0), "{renewals:?}");
    }
}

fn fault(befall: Befall) -> Fault {
    match befall {
        Befall::LoseRequest => Fault::LoseRequest,
        Befall::LoseResponse => Fault::LoseResponse,
        Befall::Truncate => Fault::Truncate,
        Befall::Busy => Canned::status(503).into(),
        Befall::TooMany => Canned::status(429).header("retry-after", "2").into(),
        Befall::Portal => Canned::html(200, "<html>Accept the terms of this hotel</html>").into(),
    }
}

proptest! {
    // A failing walk is printed as it was: each step takes a while.
    #![proptest_config(ProptestConfig {
        cases: 32,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_honest_client_is_never_signed_out(steps in prop::collection::vec(step(), 10..40)) {
        let mut walk = Walk::start();
        for (number, step) in steps.iter().enumerate() {
            walk.take(number, step);
        }
        walk.end();
    }
}
