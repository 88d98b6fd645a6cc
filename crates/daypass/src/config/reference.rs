//! Makes `docs/configuration.md` from the table of keys, and fails when the two differ.
//! `UPDATE_DOCS=1 cargo test -p daypass config_reference` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use super::keys::{Fallback, KEYS, Key, SECTIONS};
use super::{Config, Overrides, Sources, Unshown};

const HEAD: &str = "\
<!-- Made from the table of keys; to change it: UPDATE_DOCS=1 cargo test -p daypass config_reference -->

# Configuration

Nothing has to be configured to try Daypass. What is configured comes from three sources, in rising weight:

1. **A TOML file**: `--config FILE`, else the file that `DAYPASS_CONFIG` names, else `daypass.toml` in the working
   directory if there is one.
2. **The environment**: `DAYPASS_` and the key in capitals, a section and its key joined by two underscores. Lists are
   separated by commas. An empty variable unsets a key that need not be set, and empties a list.
3. **Flags** of the command: `--listen`, `--data`, `--issuer`.

`daypass check-config` prints what results, with the source of each value. An unknown key, in the file or the
environment, is an error that names the nearest known one, and all errors are reported at once.

**Durations** are digits and one unit: `500ms`, `90s`, `10m`, `36h`, `180d`; `0` where none is meant. **Sizes** are digits and one
unit: `B`, `KiB`, `MiB`, `GiB`. Both are strings in TOML.

`DAYPASS_MASTER_KEY` holds the master key itself and outweighs `keys.master_key_file` and `keys.master_key_command`.
";

#[test]
fn config_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let made = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == made,
        "docs/configuration.md differs from the table of keys: UPDATE_DOCS=1 cargo test -p daypass config_reference"
    );
}

fn reference() -> String {
    let mut text = HEAD.to_owned();
    for (section, about) in SECTIONS {
        let title = if section.is_empty() { "Top level".to_owned() } else { format!("`[{section}]`") };
        write!(text, "\n## {title}\n\n{about}\n\n").unwrap();
        text.push_str("| key | accepts | default | meaning |\n|---|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.section == *section) {
            writeln!(
                text,
                "| `{}`<br>`{}` | {} | {} | {} |",
                key.name,
                key.variable(),
                key.accepts,
                default(key),
                key.meaning
            )
            .unwrap();
        }
    }
    text
}

/// The default as the file would spell it: what a service that is told nothing resolves to.
fn default(key: &Key) -> String {
    if let Fallback::Unset(otherwise) = key.default {
        return format!("not set: {otherwise}");
    }
    let nothing = Sources {
        config: None,
        usual: "/nonexistent/daypass.toml".into(),
        variables: Unshown::default(),
        overrides: Overrides::default(),
        cores: 1,
    };
    let config = Config::from_sources(&nothing).unwrap();
    let shown = config.shown.iter().find(|shown| shown.is(&key.dotted())).unwrap();
    format!("`{}`", shown.toml().unwrap())
}
