//! A run from its start to its report.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daypass_chaos::ground::{NoBinary, binary, interrupted, listen_for_panics, working_folder};
use daypass_chaos::service::{self, Service, ServiceError, free_address};
use daypass_chaos::terminal;
use daypass_storage::StoreError;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use crate::account::{What, Zero};
use crate::arguments::{Options, Sabotage};
use crate::cast::{self, Cast, CastError};
use crate::clients::{Client, Programs};
use crate::database::Database;
use crate::proxy::Proxy;
use crate::report::Report;
use crate::run::Run;
use crate::{end, killer, progress};

/// The stream of chance of what is set up.
const STREAM: u64 = 0;

/// For how long nobody may rotate anything.
const STUCK: Duration = Duration::from_secs(90);

/// How long everybody may take to come to an end, once nothing new is begun.
const END: Duration = Duration::from_mins(3);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChaosError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Cast(#[from] CastError),
    #[error(transparent)]
    Binary(#[from] NoBinary),
    #[error("--sabotage lost-commits is for a store in SQLite")]
    Sabotage,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// Makes a run as it is asked for.
pub(crate) async fn run(options: &Options) -> Result<Report, ChaosError> {
    let began = Instant::now();
    let run = Run::new(options.seed, options.rotations, options.sabotage);
    let panicking = Arc::downgrade(&run);
    listen_for_panics(move |what| {
        if let Some(run) = panicking.upgrade() {
            run.account.object(Zero::Panics, what, None);
        }
    });
    // Before there is a folder to be left behind.
    let binary = binary(options.binary.as_deref())?;
    if options.database && run.is(Sabotage::LostCommits) {
        return Err(ChaosError::Sabotage);
    }
    let folder = working_folder("chaos-")?;
    terminal::say(&format!("seed {}, {} rotations, in {}", run.seed, run.target, folder.path().display()));
    let found = tokio::select! {
        found = live(&run, &binary, options, folder.path()) => found,
        interrupted = interrupted() => Err(interrupted.err().map_or(ChaosError::Interrupted, Into::into)),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let kept = folder.keep();
            terminal::say(&format!("the store and the logs are in {}", kept.display()));
            return Err(error);
        }
    };
    let mut report = Report::of(&run, found, began.elapsed().as_secs_f64(), again(options, &binary));
    if options.keep || !report.passed {
        let kept = folder.keep();
        service::write(
            &kept.join("report.json"),
            &serde_json::to_string_pretty(&report).unwrap_or_default(),
        )?;
        report.folder = Some(kept);
    }
    Ok(report)
}

/// From the first start of the service to its end. Until it is ready for the first time there is no run; whatever goes
/// wrong with it later is objected to.
async fn live(
    run: &Arc<Run>,
    binary: &Path,
    options: &Options,
    folder: &Path,
) -> Result<end::Found, ChaosError> {
    let dice = run.dice(STREAM);
    let address = || free_address(Ipv4Addr::LOCALHOST, &dice).map(SocketAddr::from);
    let mut service = Service::new(binary, folder, "service", address()?);
    let page = address()?;
    service.set("DAYPASS_ALLOWED_ORIGINS", format!("http://{page}"));
    // The shortest life there is: it makes the most renewals.
    service.set("DAYPASS_TOKENS__ACCESS", "1s");
    service.set("DAYPASS_LIMITS__PASSWORD_WORKERS", "2");
    let database = if options.database { Some(Database::start(folder).await?) } else { None };
    if let Some(database) = &database {
        service.set("DAYPASS_DATABASE", database.url());
        service.prepare_database().await?;
        run.account.expect(What::DatabaseKills);
    }
    cast::enlist(run, &service).await?;
    service.start().await?;
    let proxy = Proxy::start(run, service.address()).await?;
    let programs = Programs {
        rust: std::env::current_exe()?,
        javascript: options.javascript.clone(),
        page,
        folder: folder.to_owned(),
    };
    let (data, log) = (service.data(), service.log());
    match cast::gather(run, proxy.url(), &programs).await {
        Ok(cast) => play(run, &proxy, (service, database.clone()), cast).await?,
        Err(error) if service.is_running() => return Err(error.into()),
        Err(_) => run.account.object(Zero::Others, service.ended().await.to_string(), None),
    }
    end::search(run, "the service", &log);
    end::search(run, "a client process", &programs.log());
    match look(run, &data, database.as_ref()).await {
        Ok(found) => Ok(found),
        Err(error) => {
            run.account.object(Zero::Others, format!("the store cannot be read: {error}"), None);
            Ok(end::Found::default())
        }
    }
}

async fn look(run: &Run, data: &Path, database: Option<&Database>) -> Result<end::Found, StoreError> {
    match database {
        Some(database) => end::compare(run, &database.store().await?).await,
        None => end::compare(run, &end::open(data)?).await,
    }
}

/// From the first fault to the end of the service.
async fn play(
    run: &Arc<Run>,
    proxy: &Proxy,
    (service, database): (Service, Option<Database>),
    cast: Cast,
) -> Result<(), ChaosError> {
    let Cast { honest, victims } = cast;
    proxy.set_faulty(true);
    let killer = tokio::spawn(killer::reign(Arc::clone(run), service, database));
    let bar = tokio::spawn(progress::show(Arc::clone(run)));
    let mut acting = JoinSet::new();
    for client in &honest {
        let client = Arc::clone(client);
        acting.spawn(async move { client.run().await });
    }
    for victim in victims {
        acting.spawn(async move { victim.suffer().await });
    }
    if run.is(Sabotage::Panic) {
        acting.spawn(async { panic() });
    }
    watch(run, &killer).await;
    run.end();
    finish(run, &mut acting).await;
    // Those who took part cannot have ended it by a panic that is not told of.
    let mut service = killer.await.map_err(io::Error::other)?;
    let _shown = bar.await;
    proxy.set_faulty(false);
    if timeout(END, proxy.quiet()).await.is_err() {
        run.account.object(Zero::Others, "requests are still under way", None);
    }
    // Without a service nobody can, and that has been objected to.
    if service.is_running() {
        renew_once_more(run, &honest).await;
    }
    if let Err(error) = service.stop().await {
        run.account.object(Zero::Others, error.to_string(), None);
    }
    Ok(())
}

/// Waits until there are rotations enough, or something is wrong.
async fn watch<T>(run: &Run, killer: &JoinHandle<T>) {
    let (mut rotations, mut objected) = (run.account.rotations(), run.account.objected());
    let enough = async {
        let mut last = 0;
        while last < run.target {
            match timeout(STUCK, rotations.wait_for(|rotations| *rotations > last)).await {
                Ok(Ok(rotations)) => last = *rotations,
                Ok(Err(_)) => return,
                Err(_late) => {
                    run.account.object(Zero::Others, format!("nothing was rotated for {STUCK:?}"), None);
                    return;
                }
            }
        }
        // What has to happen at least once is given some more time.
        while !run.account.missing().is_empty() && *rotations.borrow() < run.target.saturating_mul(2) {
            if rotations.changed().await.is_err() {
                return;
            }
        }
    };
    let ended = async {
        while !killer.is_finished() {
            run.pause(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = enough => {}
        // The account holds the sender.
        _objected = objected.wait_for(|objected| *objected) => {}
        () = ended => {}
    }
}

/// Waits for everybody to come to an end.
async fn finish(run: &Run, acting: &mut JoinSet<()>) {
    let all = async {
        // A panic is heard of where it happens.
        while acting.join_next().await.is_some() {}
    };
    if timeout(END, all).await.is_err() {
        run.account.object(Zero::Others, format!("{} do not come to an end", acting.len()), None);
        acting.shutdown().await;
    }
}

/// Every honest session renews, now that nothing is in its way.
async fn renew_once_more(run: &Run, honest: &[Arc<dyn Client>]) {
    for client in honest {
        if let Err(why) = client.renew_once_more().await {
            let what = format!("{} cannot renew at the end: {why}", client.name());
            run.account.object(Zero::SignOuts, what, None);
        }
    }
}

#[expect(clippy::panic, reason = "this is the sabotage")]
fn panic() {
    panic!("on purpose");
}

/// How to make such a run again.
fn again(options: &Options, binary: &Path) -> String {
    let (rotations, seed, binary) = (options.rotations, options.seed, binary.display());
    let program = std::env::args().next().unwrap_or_else(|| "daypass-chaos".to_owned());
    let javascript = options.javascript.as_deref().map(|path| format!(" --javascript {}", path.display()));
    let javascript = javascript.unwrap_or_default();
    let database = if options.database { " --database" } else { "" };
    format!("{program} --rotations {rotations} --seed {seed} --binary {binary}{javascript}{database}")
}
