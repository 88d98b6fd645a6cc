//! What was acknowledged is on the disk: a process writes while a preloaded shim stands ready to take back
//! everything that was not synced. Its power is cut at each step of a write; then the file is opened again.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use daypass_client::store::{Exchange, FileStore, Step, TokenStore, Version};

use crate::file::Folder;
use crate::sample::record;

/// How many writes are complete when the next one is cut off, and where that is; absent, it is not meant to run.
const POINT: &str = "DAYPASS_TEST_POWER_CUT";

/// What both the shim and the process know the folder by.
const FOLDER: &str = "DAYPASS_LOST_WRITES_DIR";

#[tokio::test]
async fn a_write_that_was_acknowledged_survives() {
    for writes in [1, 2, 30] {
        assert_eq!(kept_after(writes, "Acknowledged").await, Some(writes));
    }
}

#[tokio::test]
async fn a_write_that_was_not_leaves_what_was_there_before_or_is_whole() {
    for writes in [0, 1, 2] {
        let before = (writes > 0).then_some(writes);
        assert_eq!(kept_after(writes, "Written").await, before);
        let kept = kept_after(writes, "Renamed").await;
        assert!(kept == before || kept == Some(writes + 1), "{kept:?}");
    }
}

#[tokio::test]
async fn a_write_that_somebody_has_read_survives_even_if_its_writer_never_knew() {
    for writes in [0, 1] {
        assert_eq!(kept_after(writes, "Read").await, Some(writes + 1));
    }
}

/// The generation in the file after a power cut at this point, if there is a session in it.
async fn kept_after(writes: u32, point: &str) -> Option<u32> {
    let folder = Folder::new();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "power_cut::the_process", "--nocapture"])
        .env("LD_PRELOAD", shim())
        .env(FOLDER, folder.path().parent().unwrap())
        .env(POINT, format!("{writes} {point}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("standing")), "the process never came to {point}");
    let kill = format!("kill -USR1 {}", process.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    // Its end would let the process go on.
    let _stdin = process.stdin.take();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(137) && said.contains("writes undone"), "{said}");
    folder.store().load().await.unwrap().record.map(|record| record.generation)
}

#[tokio::test]
#[ignore = "this is the process whose power is cut"]
async fn the_process() {
    let Ok(point) = std::env::var(POINT) else { return };
    let (writes, point) = point.split_once(' ').unwrap();
    let (writes, point) = (writes.parse::<u32>().unwrap(), point.to_owned());
    let path = PathBuf::from(std::env::var_os(FOLDER).unwrap()).join("session.json");
    let store = FileStore::open(&path).unwrap();
    let mut version = Version::EMPTY;
    for generation in 1..=writes {
        let Exchange::Done(done) = store.compare_exchange(version, Some(&record(generation))).await.unwrap()
        else {
            panic!("nobody else writes");
        };
        version = done;
    }
    if point == "Acknowledged" {
        stand();
    }
    let last = store.with_observer(move |step| {
        if point == "Read" && step == Step::Renamed {
            // Another program, which does not know how far the writer has come.
            let reader = FileStore::open(&path).unwrap();
            let read = tokio::runtime::Handle::current().block_on(reader.load()).unwrap();
            assert_eq!(read.record.unwrap().generation, writes + 1);
            stand();
        }
        if point == format!("{step:?}") {
            stand();
        }
    });
    last.compare_exchange(version, Some(&record(writes + 1))).await.unwrap();
    panic!("its power was to be cut");
}

/// Waits for the power cut.
fn stand() {
    println!("standing");
    let mut nothing = String::new();
    std::io::stdin().lock().read_line(&mut nothing).unwrap();
}

/// Compiles the shim that the service's store is tested with, once for this process; another may be doing the same.
fn shim() -> &'static Path {
    static SHIM: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let source = crates.join("daypass-sqlite/tests/lost_writes/shim.c");
        let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lost-writes-of-the-client.so");
        let made = shim.with_extension(format!("{}.so", std::process::id()));
        let flags = ["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-pthread"];
        let compiled = Command::new("cc").args(flags).arg("-o").arg(&made).arg(source).status();
        assert!(compiled.unwrap().success(), "the shim needs a C compiler named cc");
        std::fs::rename(&made, &shim).unwrap();
        shim
    });
    &SHIM
}
