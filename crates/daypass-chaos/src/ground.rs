//! Where a run finds its program and keeps its files, and how it is asked to end.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// The service's program is missing.
#[derive(Debug, thiserror::Error)]
#[error("there is no {0}, which is to be built first: {1}")]
pub struct NoBinary(String, #[source] io::Error);

/// The service's program, by its absolute path: the one that was named, or what was built beside this one.
pub fn binary(named: Option<&Path>) -> Result<PathBuf, NoBinary> {
    let binary = match named {
        Some(binary) => Ok(binary.to_owned()),
        None => std::env::current_exe().map(|program| program.with_file_name("daypass")),
    };
    let binary = binary.map_err(|error| NoBinary("program of this process".to_owned(), error))?;
    binary.canonicalize().map_err(|error| NoBinary(binary.display().to_string(), error))
}

/// A folder in the one that was asked for by `TMPDIR`; otherwise in the build's, which is on a disk and not in memory.
pub fn working_folder(prefix: &str) -> io::Result<TempDir> {
    let program = std::env::current_exe()?;
    let of_build = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let asked = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = asked.or_else(|| of_build.map(Path::to_path_buf)).unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new().prefix(prefix).tempdir_in(folder)
}

/// Waits until somebody asks this program to end. The error: nobody can.
pub async fn interrupted() -> io::Result<()> {
    let mut asked = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = asked.recv() => Ok(()),
    }
}

/// Tells of panics of this process, wherever they are, before all else that is done at one.
pub fn listen_for_panics(tell: impl Fn(&str) + Send + Sync + 'static) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tell(&format!("this program panicked at {place}"));
        before(info);
    }));
}
