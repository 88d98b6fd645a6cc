//! docs/errors.md tells of every error that a caller can meet: the names are read out of the code that makes them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

#[test]
fn every_error_is_explained() {
    let page = read("docs/errors.md");
    let explained: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let mut missing = Vec::new();
    for (file, names) in named() {
        assert!(names.len() > 2, "{file}: {names:?}");
        let is_missing = |name: &String| !explained.iter().any(|code| words(code).any(|word| word == name));
        missing.extend(names.into_iter().filter(is_missing).map(|name| format!("{name} of {file}")));
    }
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:#?}");
}

/// What the files call their errors.
fn named() -> Vec<(&'static str, Vec<String>)> {
    let http = "crates/daypass-http/src/problem.rs";
    let oauth = "crates/daypass-http/src/oauth_error.rs";
    let jwt = "crates/daypass-jwt/src/error.rs";
    let verify = "crates/daypass-verify/src/error.rs";
    let client = "crates/daypass-client/src/error.rs";
    let calls = "crates/daypass-client/src/call/client.rs";
    vec![
        (http, behind(between(&read(http), "kinds! {\n", "\n}"), " \"")),
        (oauth, behind(&read(oauth), "bad(\"")),
        (jwt, behind(between(&read(jwt), "pub const fn code(", "\n    }"), "=> \"")),
        (verify, behind(between(&read(verify), "pub const fn code(", "\n    }"), "=> \"")),
        (client, variants(&read(client), "SessionError")),
        (client, variants(&read(client), "SignOutReason")),
        (calls, variants(&read(calls), "CallError")),
    ]
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?}")).0
}

/// The names that stand between `mark` and the next quotation mark.
fn behind(text: &str, mark: &str) -> Vec<String> {
    let names = text.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
    names.filter(|name| words(name).count() == 1).map(str::to_owned).collect()
}

fn variants(text: &str, name: &str) -> Vec<String> {
    let body = between(text, &format!("pub enum {name} {{\n"), "\n}");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|letter: char| letter.is_ascii_uppercase()));
    names.map(|line| words(line).next().unwrap().to_owned()).collect()
}

/// Names as errors have them: letters, with hyphens or underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphabetic() && letter != '-' && letter != '_')
        .filter(|word| !word.is_empty())
}
