//! The documents tell what is: ARCHITECTURE.md's tables of crates and dependencies are compared with
//! what cargo knows, the functions that it names are looked for, and every relative link of every
//! Markdown file is followed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand};

/// Folders that hold nothing of the repository's.
const FOREIGN: &[&str] = &["target", "node_modules", "daypass-data", ".stage", ".made", "build", "dist"];

type Names = BTreeSet<String>;

#[test]
fn the_table_of_crates_is_what_cargo_knows() {
    let workspace = workspace();
    let mut known = Names::new();
    for package in &workspace.packages {
        known.insert(package.name.to_string());
        for dependency in package.dependencies.iter().filter(|dependency| is_ours(&workspace, dependency)) {
            known.insert(edge(
                &package.name,
                &dependency.name,
                dependency.kind == DependencyKind::Development,
            ));
        }
    }
    let text = architecture();
    let mut written = Names::new();
    for row in rows(section(&text, "## Crates")) {
        let [name, holds, uses, in_tests] = row.as_slice() else { panic!("four columns: {row:?}") };
        let name = code(name).remove(0);
        assert!(!holds.is_empty(), "{name} holds something");
        written.extend(code(uses).iter().map(|used| edge(&name, used, false)));
        written.extend(code(in_tests).iter().map(|used| edge(&name, used, true)));
        written.insert(name);
    }
    assert_same("the table in \"Crates\" of ARCHITECTURE.md", &written, &known);
}

#[test]
fn every_dependency_has_a_reason() {
    let workspace = workspace();
    let foreign = || {
        let all = workspace.packages.iter().flat_map(|package| &package.dependencies);
        all.filter(|dependency| !is_ours(&workspace, dependency))
    };
    let name_of = |dependency: &Dependency| dependency.name.clone();
    let program: Names =
        foreign().filter(|dependency| dependency.kind != DependencyKind::Development).map(name_of).collect();
    let tests: Names = foreign().map(name_of).filter(|name| !program.contains(name)).collect();

    let text = architecture();
    for (heading, known) in [("### In the program", program), ("### In tests only", tests)] {
        let mut written = Names::new();
        for row in rows(section(&text, heading)) {
            let [names, reason] = row.as_slice() else { panic!("two columns: {row:?}") };
            assert!(reason.split_whitespace().count() > 2, "{names}: a reason, please");
            for name in code(names) {
                assert!(written.insert(name.clone()), "{name} is listed twice");
            }
        }
        assert_same(&format!("the table in \"{heading}\" of ARCHITECTURE.md"), &written, &known);
    }
}

/// A name in code with `()` behind it is a function of a file that the same paragraph links to.
#[test]
fn every_function_that_is_named_is_there() {
    let text = architecture();
    let mut missing = Vec::new();
    for paragraph in paragraphs(&text) {
        let files: Vec<String> = links(&paragraph)
            .into_iter()
            .filter(|link| Path::new(link).extension().is_some_and(|extension| extension == "rs"))
            .map(|link| fs::read_to_string(root().join(&link)).unwrap_or_default())
            .collect();
        for name in functions(&paragraph) {
            let definitions = [format!("fn {name}("), format!("fn {name}<")];
            if !files.iter().any(|file| definitions.iter().any(|definition| file.contains(definition))) {
                missing.push(format!("{name}() in: {}", paragraph.chars().take(100).collect::<String>()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names functions that are not where it says:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_invariant_names_the_test_that_holds_it() {
    let text = architecture();
    let rows = rows(section(&text, "## Invariants"));
    assert!(rows.len() > 10);
    for row in rows {
        let [never, held_by] = row.as_slice() else { panic!("two columns: {row:?}") };
        assert!(!functions(held_by).is_empty(), "{never}: which test holds it?");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let root = root().canonicalize().unwrap();
    let mut broken = Vec::new();
    let files = markdown_files(&root);
    assert!(files.len() > 5);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            if let Err(why) = follow(&root, &file, &link) {
                broken.push(format!("{}: {link}: {why}", file.strip_prefix(&root).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_is_a_link_and_what_is_not() {
    let text = "[a](b.md), [`c`](d/e.rs \"title\") and ![f](<g.png>), not `[h](i)`\n```sh\n[j](k)\n```\n[l]: m.md#n\n";
    assert_eq!(links(text), ["b.md", "d/e.rs", "g.png", "m.md#n"]);
    assert_eq!(anchor("## What `decide()` sees, and why not"), "what-decide-sees-and-why-not");
    assert_eq!(functions("`one()`, `Two::three()`, `four`, five()"), ["one", "three"]);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn workspace() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

fn is_ours(workspace: &Metadata, dependency: &Dependency) -> bool {
    workspace.packages.iter().any(|package| *package.name == dependency.name)
}

fn edge(from: &str, to: &str, in_tests: bool) -> String {
    format!("{from} -> {to}{}", if in_tests { " (in tests)" } else { "" })
}

fn assert_same(what: &str, written: &Names, known: &Names) {
    let lacks: Vec<_> = known.difference(written).collect();
    let gone: Vec<_> = written.difference(known).collect();
    assert!(
        lacks.is_empty() && gone.is_empty(),
        "{what}\nlacks: {lacks:#?}\nnames what is not there: {gone:#?}"
    );
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// What stands under a heading, up to the next of its level or above.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let level = heading.find(' ').unwrap();
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no \"{heading}\""));
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        let hashes = line.bytes().take_while(|b| *b == b'#').count();
        if (1..=level).contains(&hashes) {
            break;
        }
        end += line.len();
    }
    rest.get(..end).unwrap()
}

/// The rows of the tables in a text, each as its cells, without headings.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows: Vec<Vec<String>> = lines.map(cells).collect();
    let rule = |row: &Vec<String>| row.iter().all(|cell| cell.starts_with("---"));
    let heading = rows.iter().position(rule).unwrap_or_else(|| panic!("a table is expected in: {text}"));
    rows.drain(..=heading);
    rows
}

/// What stands in backticks.
fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The functions that a text names, without their paths.
fn functions(text: &str) -> Vec<String> {
    let named = code(text).into_iter().filter_map(|name| Some(name.strip_suffix("()")?.to_owned()));
    named.map(|name| name.rsplit("::").next().unwrap_or_default().to_owned()).collect()
}

/// Paragraphs, items of lists and rows of tables, each in one line.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let item = line.starts_with("- ") || (numbered.len() < line.len() && numbered.starts_with(". "));
        if line.is_empty() || item || line.starts_with('|') {
            paragraphs.push(String::new());
        }
        if let Some(last) = paragraphs.last_mut() {
            last.push_str(line);
            last.push(' ');
        }
    }
    paragraphs
}

/// The targets of the links in a Markdown text, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let defined = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let targets = inline.chain(defined.map(|(_, target)| target));
        let bare =
            |target: &str| target.split_whitespace().next().map(|t| t.trim_matches(['<', '>']).to_owned());
        found.extend(targets.filter_map(bare));
    }
    found
}

fn follow(root: &Path, from: &Path, link: &str) -> Result<(), &'static str> {
    let (path, fragment) =
        link.split_once('#').map_or((link, None), |(path, fragment)| (path, Some(fragment)));
    let target = if path.is_empty() { from.to_owned() } else { from.parent().unwrap().join(path) };
    let target = target.canonicalize().map_err(|_| "there is no such file")?;
    if !target.starts_with(root) {
        return Err("leads out of the repository");
    }
    let Some(fragment) = fragment else { return Ok(()) };
    let text = fs::read_to_string(&target).map_err(|_| "has no headings")?;
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    if headings.any(|heading| anchor(heading) == fragment) { Ok(()) } else { Err("there is no such heading") }
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || FOREIGN.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}
