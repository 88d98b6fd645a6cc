//! The vectors in `vectors/` at the root of the repository, which other languages read as well: what
//! ships here has to answer as they say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]

mod attempts;
mod rotation;
mod tokens;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON object of lists, each of their items on a line of its own; `lists` are names and items.
fn file(head: &str, lists: &[(&str, Vec<String>)]) -> String {
    let list = |(name, items): &(&str, Vec<String>)| format!("\"{name}\":[\n{}\n]", items.join(",\n"));
    let members: Vec<_> = lists.iter().map(list).collect();
    format!("{{{head}{}}}\n", members.join(",\n"))
}

fn line(item: &impl Serialize) -> String {
    serde_json::to_string(item).unwrap()
}

/// Compares a file with what it is made from; `UPDATE_VECTORS=1` writes it first.
fn assert_made(path: &Path, made: &str) {
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == made,
        "{} is not up to date: UPDATE_VECTORS=1 cargo test -p daypass-core --test vectors",
        path.display()
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    assert_eq!(hex.len(), 2 * N, "{hex}");
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}
