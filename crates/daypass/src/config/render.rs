//! The resolved configuration for people and programs: TOML that could be a configuration file, with
//! each value's source beside it, and the same as JSON.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value as Json, json};

use super::Config;
use super::keys::{Fallback, Key, SECTIONS};
use super::problem::Source;

/// What one key resolved to.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    key: &'static Key,
    source: Source,
    value: Json,
}

impl Shown {
    /// The value as JSON: null if nothing is set; of a secret only what is none.
    pub(super) fn new(key: &'static Key, source: Source, value: Json) -> Self {
        Self { key, source, value }
    }

    /// Whether this is the key of that name, written as `section.key`.
    pub(super) fn is(&self, dotted: &str) -> bool {
        self.key.dotted() == dotted
    }

    /// Where the value came from.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The value as TOML, or none if nothing is set.
    pub(super) fn toml(&self) -> Option<String> {
        toml_of(&self.value)
    }
}

/// Puts another text in place of what a key resolved to.
pub(super) fn update(shown: &mut [Shown], dotted: &str, text: &str) {
    if let Some(shown) = shown.iter_mut().find(|shown| shown.is(dotted)) {
        shown.value = json!(text);
    }
}

/// TOML and JSON agree on strings, integers, booleans and arrays of them, which is all there is here,
/// but for one escape: JSON may leave U+007F as it is.
fn toml_of(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(toml_of).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        other => Some(other.to_string().replace('\u{7f}', "\\u007f")),
    }
}

/// A TOML document: every key with its value and, as a comment, where that came from. Keys that are not
/// set, and those whose value may be a secret, are comments as a whole.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for remark in self.remarks() {
            writeln!(f, "# Note: {remark}")?;
        }
        if !self.remarks().is_empty() {
            writeln!(f)?;
        }
        for (section, _) in SECTIONS {
            if !section.is_empty() {
                writeln!(f, "\n[{section}]")?;
            }
            for shown in self.shown.iter().filter(|shown| shown.key.section == *section) {
                writeln!(f, "{}", line(shown))?;
            }
        }
        Ok(())
    }
}

fn line(shown: &Shown) -> String {
    let Shown { key, source, .. } = shown;
    let mut line = match (shown.toml(), key.default) {
        (Some(value), _) if key.secret => format!("# {} = {value}, the rest is not shown", key.name),
        (Some(value), Fallback::Unset(otherwise)) if *source == Source::Default => {
            format!("{} = {value}  # not set: {otherwise}", key.name)
        }
        (Some(value), _) => format!("{} = {value}", key.name),
        (None, Fallback::Unset(otherwise)) => format!("# {} is not set: {otherwise}", key.name),
        (None, Fallback::Value(_)) => format!("# {} is not set", key.name),
    };
    let told = line.contains("not set");
    if !told {
        // A comment ends with its line, and file names may hold anything.
        let source = source.to_string().replace(char::is_control, "?");
        let _ = write!(line, "  # {source}");
    }
    line
}

impl Config {
    /// The configuration as one JSON object: `{"issuer": {"value": …, "source": "daypass.toml:1"}, "tokens":
    /// {"access": {…}}, …, "remarks": […]}`. Durations and sizes are texts as in TOML; what is not set is null.
    pub(crate) fn to_json(&self) -> Json {
        let mut root = Map::new();
        for (section, _) in SECTIONS {
            let members: Map<_, _> = self
                .shown
                .iter()
                .filter(|shown| shown.key.section == *section)
                .map(|Shown { key, source, value }| {
                    (key.name.to_owned(), json!({ "value": value, "source": source.to_string() }))
                })
                .collect();
            if section.is_empty() {
                root.extend(members);
            } else {
                root.insert((*section).to_owned(), Json::Object(members));
            }
        }
        root.insert("remarks".to_owned(), json!(self.remarks()));
        Json::Object(root)
    }
}
