//! The raw configuration: what each source says, as it was written, with the place where it stands.
//! Here sources are read and weighed, and unknown keys are refused; what values mean is decided in
//! `resolve`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{self, CONFIG_VARIABLE, Key, MASTER_KEY_VARIABLE, OTHER_VARIABLES, PREFIX};
use super::problem::{Problem, Source};

/// What `Debug` does not show: it may hold a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Unshown<T>(pub(crate) T);

impl<T> fmt::Debug for Unshown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for Unshown<String> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// What the command line says about the configuration; it outweighs every other source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// `--listen ADDR`
    pub(crate) listen: Option<String>,
    /// `--data DIR`
    pub(crate) data: Option<PathBuf>,
    /// `--database URL`
    pub(crate) database: Option<Unshown<String>>,
    /// `--issuer URL`
    pub(crate) issuer: Option<String>,
}

/// Everything that the configuration is made from. The process's own surroundings are
/// [`Sources::system`]; tests write their own.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// `--config FILE`
    pub(crate) config: Option<PathBuf>,
    /// The file that is read if it exists and no other is named.
    pub(crate) usual: PathBuf,
    /// The environment.
    pub(crate) variables: Unshown<Vec<(OsString, OsString)>>,
    /// The flags.
    pub(crate) overrides: Overrides,
    /// How many cores the machine has: the default of `limits.password_workers`.
    pub(crate) cores: usize,
}

impl Sources {
    /// This process's environment, working directory and machine.
    pub(crate) fn system(config: Option<PathBuf>, overrides: Overrides) -> Self {
        Self {
            config,
            usual: PathBuf::from("daypass.toml"),
            variables: Unshown(std::env::vars_os().collect()),
            overrides,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// A value as a source wrote it. `Debug` shows no text, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// From the environment, a flag or the table of defaults, where everything is text: the key says
    /// what it is.
    Untyped(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untyped(_) | Self::Text(_) => f.write_str("text"),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(is) => is.fmt(f),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) source: Source,
}

/// For each key that any source sets, what the weightiest source says.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// By dotted name.
    pub(super) entries: BTreeMap<String, Entry>,
    /// Whether the environment holds the master key.
    pub(super) master_key: bool,
    /// Whether the file could be read as TOML; if not, its keys are missing here.
    pub(super) complete: bool,
    /// What is wrong so far.
    pub(super) problems: Vec<Problem>,
}

impl Raw {
    /// Reads every source, the lightest first.
    pub(super) fn gather(sources: &Sources) -> Self {
        let mut raw = Self { complete: true, ..Self::default() };
        if let Some((path, asked_by)) = raw.choose_file(sources) {
            raw.read_file(&path, asked_by.as_ref());
        }
        raw.read_variables(&sources.variables.0);
        raw.read_flags(&sources.overrides);
        raw
    }

    /// The file to read, and who named it; a file that nobody named may be absent.
    fn choose_file(&mut self, sources: &Sources) -> Option<(PathBuf, Option<Source>)> {
        if let Some(path) = &sources.config {
            return Some((path.clone(), Some(Source::Flag("--config"))));
        }
        let named = sources.variables.0.iter().find(|(name, _)| name == CONFIG_VARIABLE);
        match named {
            Some((_, path)) if path.is_empty() => {
                self.problem(
                    Source::Variable(CONFIG_VARIABLE.to_owned()),
                    "is empty; expected the path of a file".to_owned(),
                );
                None
            }
            Some((_, path)) => {
                Some((PathBuf::from(path), Some(Source::Variable(CONFIG_VARIABLE.to_owned()))))
            }
            None => Some((sources.usual.clone(), None)),
        }
    }

    fn read_file(&mut self, path: &Path, asked_by: Option<&Source>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if asked_by.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.complete = false;
                self.problems.push(Problem {
                    source: asked_by.cloned(),
                    key: None,
                    value: None,
                    reason: format!("the configuration file {} cannot be read: {error}", path.display()),
                });
                return;
            }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        let at = |offset: usize| Source::File { path: path.to_owned(), line: line_of(&text, offset) };
        if !errors.is_empty() {
            self.complete = false;
            for error in errors {
                // Its `Display` would quote the line, which may hold a secret.
                let line = at(error.span().map_or(0, |span| span.start));
                self.problem(line, format!("is not TOML: {}", error.message()));
            }
            return;
        }
        for (name, value) in table.get_ref() {
            let source = at(name.span().start);
            match value.get_ref() {
                DeValue::Table(section) if is_section(name.get_ref()) => {
                    for (key, value) in section {
                        let source = at(key.span().start);
                        self.set_from_file(name.get_ref(), key.get_ref(), value.get_ref(), source);
                    }
                }
                DeValue::Table(_) if keys::find("", name.get_ref()).is_none() => {
                    let near = keys::nearest_section(name.get_ref()).unwrap_or_default();
                    self.problem(
                        source,
                        format!("unknown section [{name}]; the nearest is [{near}]", name = name.get_ref()),
                    );
                }
                value => self.set_from_file("", name.get_ref(), value, source),
            }
        }
    }

    fn set_from_file(&mut self, section: &str, name: &str, value: &DeValue<'_>, source: Source) {
        if let Some(key) = keys::find(section, name) {
            self.set(key, typed(value), source);
        } else if section.is_empty() && is_section(name) {
            self.problem(source, format!("`{name}` is a section: write [{name}] and its keys below"));
        } else {
            let written = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            let near = keys::nearest(section, name).map(Key::dotted).unwrap_or_default();
            self.problem(source, format!("unknown key `{written}`; the nearest is `{near}`"));
        }
    }

    fn read_variables(&mut self, variables: &[(OsString, OsString)]) {
        let mut ours: Vec<_> = variables
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        ours.sort_unstable(); // the environment has no order; reports should have one
        for (name, value) in ours {
            let source = Source::Variable(name.to_owned());
            if name == MASTER_KEY_VARIABLE {
                self.master_key = true;
                continue;
            }
            let is_known = name == CONFIG_VARIABLE || OTHER_VARIABLES.contains(&name);
            if is_known || is_service_link(name, value.to_str().unwrap_or_default()) {
                continue;
            }
            let Some(key) = keys::KEYS.iter().find(|key| key.variable() == name) else {
                let written = name.strip_prefix(PREFIX).unwrap_or(name);
                let (section, rest) = written.split_once("__").unwrap_or(("", written));
                let near = keys::nearest(section, rest).map(Key::variable).unwrap_or_default();
                self.problem(source, format!("unknown variable; the nearest is `{near}`"));
                continue;
            };
            match value.to_str() {
                Some(value) => self.set(key, Value::Untyped(value.to_owned()), source),
                None => self.problem(source, format!("is not UTF-8; expected {}", key.accepts)),
            }
        }
    }

    fn read_flags(&mut self, overrides: &Overrides) {
        let data = overrides.data.as_ref();
        if data.is_some_and(|path| path.to_str().is_none()) {
            self.problem(Source::Flag("--data"), "is not UTF-8; expected the path of a folder".to_owned());
        }
        let data = data.and_then(|path| path.to_str()).map(str::to_owned);
        let flags = [
            ("listen", "--listen", overrides.listen.clone()),
            ("data", "--data", data),
            ("database", "--database", overrides.database.clone().map(|Unshown(url)| url)),
            ("issuer", "--issuer", overrides.issuer.clone()),
        ];
        for (name, flag, value) in flags {
            if let (Some(key), Some(value)) = (keys::find("", name), value) {
                self.set(key, Value::Untyped(value), Source::Flag(flag));
            }
        }
    }

    fn set(&mut self, key: &Key, value: Value, source: Source) {
        self.entries.insert(key.dotted(), Entry { value, source });
    }

    fn problem(&mut self, source: Source, reason: String) {
        self.problems.push(Problem { source: Some(source), key: None, value: None, reason });
    }
}

fn is_section(name: &str) -> bool {
    !name.is_empty() && keys::SECTIONS.iter().any(|(section, _)| *section == name)
}

/// The value as it stands in the file. Arrays of anything but strings keep only that they are arrays.
fn typed(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or(Value::Other("a whole number out of range"), Value::Integer),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Table(_) => Value::Other("a table"),
        DeValue::Array(items) => {
            let texts: Option<Vec<_>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Value::Other("a list of other things than strings"), Value::List)
        }
    }
}

/// The line, counted from 1, of a byte of the text.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Whether the variable is one that Kubernetes sets in every pod beside a Service called `daypass` or
/// `daypass-…`: `…_SERVICE_HOST`, `…_SERVICE_PORT[_NAME]`, `…_PORT=tcp://…`, `…_PORT_<n>_TCP[_…]`. A
/// deployment that is named after the program must still start.
fn is_service_link(name: &str, value: &str) -> bool {
    let Some((_, service)) = name.split_once("DAYPASS") else { return false };
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    if service.ends_with("_SERVICE_HOST") || service.contains("_SERVICE_PORT") {
        return true;
    }
    if service.ends_with("_PORT") {
        return is_url;
    }
    let Some((_, port)) = service.rsplit_once("_PORT_") else { return false };
    let mut parts = port.split('_');
    parts.next().is_some_and(|number| number.parse::<u16>().is_ok())
        && parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
        && parts.next().is_none_or(|what| matches!(what, "PROTO" | "PORT" | "ADDR"))
}
