//! Rotation, checked exhaustively: every order in which things can happen to a session, with the decision that the
//! service runs and the rules that clients follow. `docs/rotation.md` says what is promised; this looks for a way to
//! break it.
//!
//! Generations are counted from the session's own, so that what is explored is not a few rotations but any number of
//! them.

mod limits;
mod mutants;
mod settings;
mod suites;

mod property;
mod setting;

mod check;
mod recovery;
mod report;
mod tally;

mod mutant;
mod service;
mod serving;
mod token;
mod world;

mod browser;
mod sharers;
mod thief;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Instant;

use clap::Parser;

use check::{Outcome, Reach, check};
use report::{Checked, Found, Paint, Report, found_line, setting_line};
use setting::Setting;

/// Checks rotation exhaustively: each configuration's every state, what is known to go wrong, and rules broken on
/// purpose, each of which has to be noticed.
#[derive(Debug, Parser)]
#[command(name = "daypass-model", version)]
struct Args {
    /// More of everything: three processes, three tabs, more fail-overs. Minutes instead of seconds.
    #[arg(long)]
    deep: bool,
    /// Only what has this in its name: a setting, a limit or a mutant.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// How many steps between states to follow in one setting at most. One that has more is not exhausted, and says
    /// so.
    #[arg(long, value_name = "N", default_value_t = 400_000_000)]
    most: usize,
    /// How many settings to look at side by side. Default: the processors.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Also print the way to whatever goes wrong.
    #[arg(long)]
    trace: bool,
    /// Print a JSON document and nothing else.
    #[arg(long)]
    json: bool,
}

/// What is to be looked at.
#[derive(Clone, Debug)]
enum Task {
    Setting(Setting),
    Limit(Setting, &'static str),
    Mutant(Setting, &'static str),
}

impl Task {
    fn name(&self) -> String {
        match self {
            Self::Setting(setting) | Self::Limit(setting, _) => setting.name.to_owned(),
            Self::Mutant(setting, _) => format!("{:?}", setting.mutant),
        }
    }

    fn run(&self, most: usize, began: Instant) -> Outcome {
        let now = || began.elapsed();
        let (setting, first) = match self {
            Self::Setting(setting) => (setting, false),
            Self::Limit(setting, _) | Self::Mutant(setting, _) => (setting, true),
        };
        check(setting, Reach { states: Some(most), first }, now)
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tasks(args: &Args) -> Vec<Task> {
    let settings = if args.deep { suites::deep() } else { suites::short() };
    let mut tasks: Vec<_> = settings.into_iter().map(Task::Setting).collect();
    let only = |setting, breaks| Setting { properties: only_this(breaks), ..setting };
    tasks.extend(
        limits::all()
            .into_iter()
            .map(|limit| Task::Limit(only(limit.setting, limit.breaks), limit.breaks.name())),
    );
    tasks.extend(
        mutants::all()
            .into_iter()
            .map(|planted| Task::Mutant(only(planted.setting, planted.breaks), planted.breaks.name())),
    );
    let wanted = |task: &Task| args.only.as_ref().is_none_or(|only| task.name().contains(only));
    tasks.retain(wanted);
    tasks
}

/// One promise alone.
fn only_this(property: property::Property) -> &'static [property::Property] {
    Box::leak(Box::new([property]))
}

/// Looks at everything, and prints each as it is done. The answer: whether all is as it should be.
#[expect(clippy::disallowed_methods, reason = "how long it took is printed")]
fn run(args: &Args) -> Result<bool, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let tasks = tasks(args);
    if tasks.is_empty() {
        return Err("nothing has that in its name".into());
    }
    let paint = Paint::of_stdout();
    let mut out = std::io::stdout().lock();
    let mut report = Report::default();
    let threads =
        args.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let (outcomes, done) = mpsc::channel();
    let queue = std::sync::Mutex::new(tasks.clone().into_iter().enumerate());
    std::thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
        for _ in 0..threads.max(1) {
            let (outcomes, queue) = (outcomes.clone(), &queue);
            scope.spawn(move || {
                while let Some((number, task)) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    let outcome = task.run(args.most, began);
                    if outcomes.send((number, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(outcomes);
        // In the order of the list, whichever is done first.
        let mut waiting = std::collections::BTreeMap::new();
        let mut next = 0;
        for (number, outcome) in done {
            waiting.insert(number, outcome);
            while let Some(outcome) = waiting.remove(&next) {
                let Some(task) = tasks.get(next) else { break };
                let line = take(&mut report, task, &outcome, &paint, args.trace);
                if !args.json {
                    writeln!(out, "{line}")?;
                }
                next += 1;
            }
        }
        Ok(())
    })?;
    if args.only.is_none() {
        report.all_answers_occur();
    }
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        report.end(&paint, &mut out)?;
    }
    Ok(report.is_good())
}

/// Takes note of an outcome, and returns its lines.
fn take(report: &mut Report, task: &Task, outcome: &Outcome, paint: &Paint, trace: bool) -> String {
    let (line, is_meant) = match *task {
        Task::Setting(setting) => {
            let checked = Checked::new(&setting, outcome);
            let line = setting_line(&checked, paint);
            let bounds = setting.properties.contains(&property::Property::Turns).then_some(setting.turns);
            report.checked(checked, bounds, &outcome.answers);
            (line, false)
        }
        Task::Limit(setting, property) => {
            let found = Found::new(task.name(), setting.name, property, outcome);
            let line = found_line("limit", &found, paint);
            report.limit(found);
            (line, true)
        }
        Task::Mutant(setting, property) => {
            let found = Found::new(task.name(), setting.name, property, outcome);
            let line = found_line("mutant", &found, paint);
            report.mutant(found);
            (line, true)
        }
    };
    let mut lines = vec![line];
    for (property, steps) in &outcome.broken {
        if !is_meant {
            lines.push(format!("  {property} does not hold"));
        }
        if trace {
            lines.extend(steps.iter().map(|step| format!("    {step}")));
        }
    }
    lines.join("\n")
}
