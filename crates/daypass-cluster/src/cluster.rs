//! A run from its start to its report.

use std::io;
use std::path::Path;
use std::sync::Arc;

use daypass_chaos::audit;
use daypass_chaos::dice::Dice;
use daypass_chaos::ground::{NoBinary, binary, interrupted, listen_for_panics, working_folder};
use daypass_chaos::service::{holds_token, panics};
use daypass_chaos::terminal;
use daypass_client::Session;
use daypass_core::{Event, EventKind};
use daypass_storage::{Store, StoreError};
use daypass_verify::ConfigError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account::{Account, PHASES, Phase, Zero};
use crate::arguments::Options;
use crate::faults::Faults;
use crate::leavers::Leavers;
use crate::load;
use crate::report::{Found, Report};
use crate::stage::{LEAVING, READER, Stage, Stuck};
use crate::verifiers::Verifiers;
use crate::wire::Wire;

/// Streams of chance: of what is set up, of those who sign in, and from here on one for each who acts.
const SETTING: u64 = 0;
const SIGNING_IN: u64 = 1;
const LOOKING: u64 = 2;
const ACTING: u64 = 100;

/// Ends in a quiet phase, of a short run and of a long one, where they have to show a percentile.
const FEW_ENDS: u64 = 12;
const MANY_ENDS: u64 = 250;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    Binary(#[from] NoBinary),
    #[error(transparent)]
    Stuck(#[from] Stuck),
    #[error("the verifiers cannot be had: {0}")]
    Verifiers(#[from] ConfigError),
    #[error("no requests can be made: {0}")]
    Wire(#[from] reqwest::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// Makes a run as it is asked for.
pub(crate) async fn run(options: &Options) -> Result<Report, ClusterError> {
    let began = Instant::now();
    let account = Arc::new(Account::new());
    let panicking = Arc::clone(&account);
    listen_for_panics(move |what| panicking.object(Zero::Panics, what));
    let binary = binary(options.binary.as_deref())?;
    let folder = working_folder("cluster-")?;
    terminal::say(&format!("seed {}, in {}", options.seed, folder.path().display()));
    let found = tokio::select! {
        found = live(&account, &binary, options, folder.path()) => found,
        asked = interrupted() => Err(asked.err().map_or(ClusterError::Interrupted, Into::into)),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            terminal::say(&format!("the logs are in {}", folder.keep().display()));
            return Err(error);
        }
    };
    let mut report = Report::of(&account, &found, options, began.elapsed().as_secs_f64());
    if options.keep || !report.passed {
        report.folder = Some(folder.keep());
    }
    Ok(report)
}

/// From the first process to the last. Until everybody has signed in there is no run; whatever goes wrong later is
/// objected to.
async fn live(
    account: &Arc<Account>,
    binary: &Path,
    options: &Options,
    folder: &Path,
) -> Result<Found, ClusterError> {
    let began = Instant::now();
    let dice = |stream| Dice::new(options.seed, stream);
    let stage = Stage::set(binary, folder, &dice(SETTING), options.sabotage).await?;
    let wire = Wire::new(&stage.issuer)?;
    let verifiers = Verifiers::start(&stage.issuer, (READER, &stage.secret), &dice(SETTING))?;
    let verifiers = Arc::new(verifiers);
    verifiers.ready().await?;
    terminal::say(&format!("everything runs after {:.1} s", began.elapsed().as_secs_f64()));
    let sessions = load::sign_in(&stage.issuer, options.sessions(), &dice(SIGNING_IN)).await?;
    terminal::say(&format!(
        "{} sessions have signed in after {:.1} s",
        sessions.len(),
        began.elapsed().as_secs_f64()
    ));
    let leavers = Leavers::new(Arc::clone(account), Arc::clone(&verifiers), wire.clone());
    let mut faults = Faults {
        stage,
        account: Arc::clone(account),
        verifiers,
        wire,
        sabotage: options.sabotage,
        sessions: sessions.len(),
        quiet_ends: if options.short { FEW_ENDS } else { MANY_ENDS },
        healed: 0,
    };
    let mut acting = JoinSet::new();
    for (session, stream) in sessions.iter().zip(ACTING..) {
        acting.spawn(load::call(session.clone(), dice(stream), Arc::clone(account)));
    }
    for number in 0..LEAVING {
        // Above those who stay, however many they are.
        let dice = dice(u64::MAX.saturating_sub(number));
        acting.spawn(Arc::clone(&leavers).come_and_go(number, dice));
    }
    if let Err(Stuck(what)) = play(&mut faults, options).await {
        account.object(Zero::Others, what);
    }
    // A panic has been heard of where it happened.
    acting.shutdown().await;
    let (gone, here) = leavers.count();
    look_once_more(account, &sessions, &leavers, &dice(LOOKING)).await;
    let mut found =
        Found { gone, here, healed_by_metric: faults.healed, ..look(account, &faults.stage).await };
    for what in faults.stage.clear().await {
        account.object(Zero::Others, what);
    }
    search(account, folder);
    found.sessions = sessions.len();
    Ok(found)
}

async fn play(faults: &mut Faults, options: &Options) -> Result<(), Stuck> {
    for round in 0..options.rounds() {
        for phase in PHASES {
            let began = Instant::now();
            faults.play(*phase, usize::try_from(round).unwrap_or_default()).await?;
            let (round, took) = (round.saturating_add(1), began.elapsed().as_secs_f64());
            terminal::say(&format!("round {round}, {phase:?}: {took:.1} s"));
        }
    }
    Ok(())
}

/// Everybody, now that nothing is in the way.
async fn look_once_more(account: &Account, sessions: &[Session], leavers: &Arc<Leavers>, dice: &Dice) {
    let mut renewing = JoinSet::new();
    for session in sessions {
        let session = session.clone();
        renewing.spawn(async move { load::renew_once_more(&session).await });
    }
    while let Some(renewed) = renewing.join_next().await {
        if let Ok(Err(why)) = renewed {
            account.object(Zero::SignOuts, format!("a session cannot be renewed at the end: {why}"));
        }
    }
    leavers.look_for_all(dice).await;
}

/// What the audit and nginx say.
async fn look(account: &Account, stage: &Stage) -> Found {
    let mut found = Found { seen: stage.log.all(), ..Found::default() };
    let read = async {
        let store = stage.pair.store().await?;
        read_audit(account, &store, &mut found).await
    };
    if let Err(error) = read.await {
        account.object(Zero::Others, format!("the audit cannot be read: {error}"));
    }
    let failed = |phase: Phase| {
        let spans: Vec<_> = account.spans().into_iter().filter(|span| span.phase == phase).collect();
        let inside = |at: u64| spans.iter().any(|span| span.contains(at));
        let was_leaving = |node, at| account.was_leaving(node, at);
        found.seen.iter().filter(|seen| seen.is_failure(was_leaving) && inside(seen.at)).count()
    };
    let failed = u64::try_from(failed(Phase::RollingRestart)).unwrap_or(u64::MAX);
    account.object_to(
        failed,
        Zero::FailedInRollingRestart,
        format!("{failed} renewals were answered by errors"),
    );
    found
}

async fn read_audit(account: &Account, store: &dyn Store, found: &mut Found) -> Result<(), StoreError> {
    let tell = |event: Event| match event.kind {
        EventKind::Healed => found.healed += 1,
        EventKind::Superseded => found.superseded += 1,
        EventKind::GenerationAhead => {
            account.object(Zero::Others, "a token was further ahead than any fail-over explains");
        }
        EventKind::Reused => account.object(Zero::FalseAlarms, "an alarm, though nobody was robbed"),
        _ => {}
    };
    audit::read(store, tell).await
}

/// Looks for what must not be in a log.
fn search(account: &Account, folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let panics = u64::try_from(panics(&path)).unwrap_or(u64::MAX);
        account.object_to(panics, Zero::Panics, format!("there are panics in {name}"));
        if holds_token(&path) {
            account.object(Zero::Others, format!("there is a refresh token in {name}"));
        }
    }
}
