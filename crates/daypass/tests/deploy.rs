//! What `deploy/` holds fits the program: its settings are settings, its image is this version, and the
//! script that looks at the rest finds nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "what tests share watches a process in real time")]

#[allow(dead_code, reason = "other tests use the rest")]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::succeed;
use tempfile::tempdir;

#[test]
fn every_variable_that_is_set_is_one_that_is_read() {
    let known = variables(&fs::read_to_string(root().join("docs/configuration.md")).unwrap());
    let mut set = BTreeSet::new();
    for file in files(&root().join("deploy")) {
        set.extend(variables(&fs::read_to_string(&file).unwrap_or_default()));
    }
    assert!(set.contains("DAYPASS_DATABASE") && set.contains("DAYPASS_MASTER_KEY"), "{set:?}");
    let unknown: Vec<_> = set.difference(&known).collect();
    assert!(unknown.is_empty(), "docs/configuration.md does not know {unknown:?}");
}

#[test]
fn the_image_is_of_this_version_and_built_by_the_rust_that_it_needs() {
    let read = |file: &str| fs::read_to_string(root().join("deploy").join(file)).unwrap();
    let image = format!("image: daypass:{}\n", env!("CARGO_PKG_VERSION"));
    for file in ["compose.yaml", "kubernetes/daypass.yaml", "kubernetes/migrate.yaml"] {
        let text = read(file);
        assert_eq!(text.matches("image: daypass:").count(), text.matches(&image).count(), "{file}");
        assert!(text.contains(&image), "{file}");
    }
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(read("Dockerfile").contains(&rust), "{rust}");
}

#[test]
fn the_proxy_is_in_the_network_that_is_trusted() {
    let folder = tempdir().unwrap();
    let settings = root().join("deploy/daypass.toml");
    let shown =
        succeed(folder.path(), &["check-config", "--json", "--config", settings.to_str().unwrap()], "");
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["behind_proxy"]["value"], true);
    let network = shown["trusted_proxies"]["value"][0].as_str().unwrap();
    let compose = fs::read_to_string(root().join("deploy/compose.yaml")).unwrap();
    assert!(compose.contains(&format!("subnet: {network} ")), "{network}");
}

#[test]
fn the_script_finds_nothing() {
    let output = Command::new(root().join("scripts/check-deploy.sh"))
        .env("BINARY", env!("CARGO_BIN_EXE_daypass"))
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("daypass.toml: taken"), "{told}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of variables in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    words.filter(|word| word.starts_with("DAYPASS_") && word.len() > 8).map(str::to_owned).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
