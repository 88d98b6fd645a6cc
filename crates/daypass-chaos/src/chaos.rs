//! A run from its start to its report.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daypass_storage::StoreError;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use crate::account::Zero;
use crate::arguments::{Options, Sabotage};
use crate::cast::{self, Cast, CastError};
use crate::clients::{Client, Programs};
use crate::proxy::Proxy;
use crate::report::Report;
use crate::run::Run;
use crate::service::{self, Service, ServiceError};
use crate::{end, killer, terminal};

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
    #[error("there is no {0}, which is to be built first: {1}")]
    Binary(String, #[source] io::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("interrupted")]
    Interrupted,
}

/// Makes a run as it is asked for.
pub(crate) async fn run(options: &Options) -> Result<Report, ChaosError> {
    let began = Instant::now();
    let run = Run::new(options.seed, options.rotations, options.sabotage);
    listen_for_panics(&run);
    // Before there is a folder to be left behind.
    let binary = binary(options)?;
    let folder = working_folder()?;
    terminal::say(&format!("seed {}, {} rotations, in {}", run.seed, run.target, folder.path().display()));
    let found = tokio::select! {
        found = live(&run, &binary, options.javascript.as_deref(), folder.path()) => found,
        interrupted = interruption() => Err(interrupted),
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
    javascript: Option<&Path>,
    folder: &Path,
) -> Result<end::Found, ChaosError> {
    let dice = run.dice(STREAM);
    let mut service = Service::new(binary, folder, &dice)?;
    let page = service::free_address(&dice)?;
    service.let_in(page);
    cast::enlist(run, &service).await?;
    service.start().await?;
    let proxy = Proxy::start(run, service.address()).await?;
    let programs = Programs {
        rust: std::env::current_exe()?,
        javascript: javascript.map(Path::to_owned),
        page,
        folder: folder.to_owned(),
    };
    let (data, log) = (service.data(), service.log());
    match cast::gather(run, proxy.url(), &programs).await {
        Ok(cast) => play(run, &proxy, service, cast).await?,
        Err(error) if service.is_running() => return Err(error.into()),
        Err(_) => run.account.object(Zero::Others, service.ended().await.to_string(), None),
    }
    end::search(run, "the service", &log);
    end::search(run, "a client process", &programs.log());
    match look(run, &data).await {
        Ok(found) => Ok(found),
        Err(error) => {
            run.account.object(Zero::Others, format!("the store cannot be read: {error}"), None);
            Ok(end::Found::default())
        }
    }
}

async fn look(run: &Run, data: &Path) -> Result<end::Found, StoreError> {
    end::compare(run, &end::open(data)?).await
}

/// From the first fault to the end of the service.
async fn play(run: &Arc<Run>, proxy: &Proxy, service: Service, cast: Cast) -> Result<(), ChaosError> {
    let Cast { honest, victims } = cast;
    proxy.set_faulty(true);
    let killer = tokio::spawn(killer::reign(Arc::clone(run), service));
    let bar = tokio::spawn(terminal::show(Arc::clone(run)));
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

/// Counts panics of this process, wherever they are.
fn listen_for_panics(run: &Arc<Run>) {
    let (run, before) = (Arc::downgrade(run), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if let Some(run) = run.upgrade() {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            run.account.object(Zero::Panics, format!("this program panicked at {place}"), None);
        }
        before(info);
    }));
}

#[expect(clippy::panic, reason = "this is the sabotage")]
fn panic() {
    panic!("on purpose");
}

/// Waits until somebody asks this program to end.
async fn interruption() -> ChaosError {
    let mut asked = match signal(SignalKind::terminate()) {
        Ok(asked) => asked,
        Err(error) => return error.into(),
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.err().map_or(ChaosError::Interrupted, Into::into),
        _ = asked.recv() => ChaosError::Interrupted,
    }
}

/// The service's program: what was named, or what was built beside this one.
fn binary(options: &Options) -> Result<PathBuf, ChaosError> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("daypass"),
    };
    binary.canonicalize().map_err(|error| ChaosError::Binary(binary.display().to_string(), error))
}

/// A folder in the one that was asked for by `TMPDIR`; otherwise in the build's, which is on a disk and not in memory.
fn working_folder() -> io::Result<TempDir> {
    let program = std::env::current_exe()?;
    let of_build = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let asked = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = asked.or_else(|| of_build.map(Path::to_path_buf)).unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new().prefix("chaos-").tempdir_in(folder)
}

/// How to make such a run again.
fn again(options: &Options, binary: &Path) -> String {
    let (rotations, seed, binary) = (options.rotations, options.seed, binary.display());
    let program = std::env::args().next().unwrap_or_else(|| "daypass-chaos".to_owned());
    let javascript = options.javascript.as_deref().map(|path| format!(" --javascript {}", path.display()));
    let javascript = javascript.unwrap_or_default();
    format!("{program} --rotations {rotations} --seed {seed} --binary {binary}{javascript}")
}
