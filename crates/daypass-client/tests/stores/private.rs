//! Nobody but its owner ever reads a session's file.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use daypass_client::store::{Exchange, FileStore, Step, TokenStore, Version};

use crate::file::Folder;
use crate::sample::record;

/// Where the process has its store; absent, it is not meant to run.
const STORE: &str = "DAYPASS_TEST_STORE";

#[test]
fn a_process_that_masks_nothing_makes_nothing_that_others_can_read() {
    let folder = Folder::new();
    let top = folder.path().with_file_name("new");
    let mut process = Command::new("sh")
        .args(["-c", r#"umask 000; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "private::the_process", "--nocapture"])
        .env(STORE, top.join("deep").join("session.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut go_on, mut looked_at) = (process.stdin.take().unwrap(), Vec::new());
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, step)) = line.split_once("standing at ") {
            looked_at.extend(all_below(&top).into_iter().map(|path| (step.to_owned(), path)));
            go_on.write_all(b"\n").unwrap();
        }
    }
    assert!(process.wait().unwrap().success());
    let names = |step: &str| {
        let of_step = looked_at.iter().filter(|(at, _)| at == step);
        of_step.map(|(_, path)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names("Written").iter().any(|name| name.starts_with(".session.json.")), "{:?}", names("Written"));
    for name in ["deep", "session.json", "session.json.lock", "session.json.renewal"] {
        assert!(names("Renamed").contains(&name.to_owned()), "{:?}", names("Renamed"));
    }
    assert!(looked_at.iter().all(|(_, path)| path.starts_with(&top)));
}

#[tokio::test]
#[ignore = "this is the process that masks nothing"]
async fn the_process() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let store = FileStore::open(PathBuf::from(path)).unwrap().with_observer(|step: Step| {
        println!("standing at {step:?}");
        std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    });
    let _guard = store.lock(Duration::ZERO).await.unwrap().unwrap();
    let Exchange::Done(version) = store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap()
    else {
        panic!("nobody else writes");
    };
    store.compare_exchange(version, Some(&record(2))).await.unwrap();
}

/// Everything that is there, each seen to be its owner's alone.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.symlink_metadata().unwrap().mode() & 0o777;
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{} is {mode:o}", path.display());
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_file_that_others_can_read_is_closed_to_them() {
    let folder = Folder::new();
    let store = folder.store();
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    for mode in [0o644, 0o640, 0o604, 0o666] {
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(store.load().await.unwrap().record, Some(record(1)));
        assert_eq!(folder.path().metadata().unwrap().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn another_users_file_is_not_ours_to_use() {
    let folder = Folder::new();
    let store = folder.store();
    store.compare_exchange(Version::EMPTY, Some(&record(1))).await.unwrap();
    let before = std::fs::read(folder.path()).unwrap();
    // Only an administrator gives files away; to anybody else this cannot be shown.
    if std::os::unix::fs::chown(folder.path(), Some(12_345), None).is_err() {
        return;
    }
    assert!(store.load().await.is_err());
    assert!(store.compare_exchange(Version::EMPTY, Some(&record(2))).await.is_err());
    assert_eq!(std::fs::read(folder.path()).unwrap(), before);
    assert_eq!(folder.path().metadata().unwrap().uid(), 12_345);
}
