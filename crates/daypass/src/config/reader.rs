//! The reader of keys that `resolve` works with: finds what was written for a key, reads it by a rule,
//! and keeps book of what each key became and of everything that is wrong.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::keys::{self, Fallback, KEYS, Key};
use super::problem::{Problem, Source};
use super::raw::{Entry, Raw, Sources, Value};
use super::render::Shown;
use super::value::{self, show_duration};

/// Reads keys and notes what they became.
pub(super) struct Resolver {
    pub(super) raw: Raw,
    pub(super) cores: usize,
    pub(super) shown: Vec<Shown>,
    pub(super) remarks: Vec<String>,
}

/// The value cannot be used, and the problem is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted;

pub(super) type Read<T> = Result<T, Noted>;

impl Resolver {
    pub(super) fn new(sources: &Sources) -> Self {
        let raw = Raw::gather(sources);
        Self { raw, cores: sources.cores, shown: Vec::with_capacity(KEYS.len()), remarks: Vec::new() }
    }

    /// Reads a key by its rule, which returns the value and how it is shown.
    pub(super) fn read<T>(
        &mut self,
        section: &str,
        name: &str,
        rule: impl FnOnce(&Value) -> Result<(T, Json), String>,
    ) -> Read<T> {
        let key = self.key(section, name)?;
        let set = self.raw.entries.get(&key.dotted()).cloned();
        let entry = set.or_else(|| key.fallback()).ok_or(Noted)?;
        match rule(&entry.value) {
            Ok((value, shown)) => {
                self.shown.push(Shown::new(key, entry.source, shown));
                Ok(value)
            }
            Err(reason) => {
                self.problem(key, entry.source, Some(&entry.value), &reason);
                Err(Noted)
            }
        }
    }

    /// As `read` for a key that need not be set. An empty variable leaves it unset, and so undoes what a
    /// file says.
    pub(super) fn optional<T>(
        &mut self,
        section: &str,
        name: &str,
        rule: impl FnOnce(&Value) -> Result<(T, Json), String>,
    ) -> Read<Option<T>> {
        let key = self.key(section, name)?;
        match self.raw.entries.get(&key.dotted()) {
            None => self.shown.push(Shown::new(key, Source::Default, Json::Null)),
            Some(Entry { value: Value::Untyped(text), source: source @ Source::Variable(_) })
                if text.is_empty() =>
            {
                self.shown.push(Shown::new(key, source.clone(), Json::Null));
            }
            Some(_) => return self.read(section, name, rule).map(Some),
        }
        Ok(None)
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self, section: &str, name: &str, most: u64) -> Read<T> {
        self.read(section, name, |value| {
            let number = value::number(value, 1, most)?;
            let fitting = T::try_from(number).map_err(|_| "is too large".to_owned())?;
            Ok((fitting, json!(number)))
        })
    }

    pub(super) fn boolean(&mut self, section: &str, name: &str) -> Read<bool> {
        self.read(section, name, |value| value::boolean(value).map(|value| (value, json!(value))))
    }

    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        section: &str,
        name: &str,
        words: &[(&str, T)],
    ) -> Read<T> {
        self.read(section, name, |value| {
            let chosen = value::choice(value, words)?;
            Ok((chosen, json!(value::text(value)?)))
        })
    }

    pub(super) fn duration(
        &mut self,
        section: &str,
        name: &str,
        least: Duration,
        most: Duration,
        or_none: bool,
    ) -> Read<Duration> {
        self.read(section, name, |value| {
            let duration = value::duration_within(value, least, most, or_none)?;
            Ok((duration, json!(show_duration(duration))))
        })
    }

    /// A duration of `[tokens]` that becomes a claim or a cookie's age, both in whole seconds.
    pub(super) fn lifetime(
        &mut self,
        name: &str,
        least: Duration,
        most: Duration,
        or_none: bool,
    ) -> Read<Duration> {
        self.read("tokens", name, |value| {
            let duration = value::whole_seconds(value::duration_within(value, least, most, or_none)?)?;
            Ok((duration, json!(show_duration(duration))))
        })
    }

    pub(super) fn socket(&mut self, section: &str, name: &str) -> Read<SocketAddr> {
        self.read(section, name, |value| {
            let address = value::socket(value)?;
            Ok((address, json!(address.to_string())))
        })
    }

    pub(super) fn urls(&mut self, name: &str, rule: fn(&str) -> Result<(), String>) -> Read<Vec<String>> {
        self.read("", name, |value| {
            let urls = each(value, |url| rule(url).map(|()| url.to_owned()))?;
            Ok((urls.clone(), json!(urls)))
        })
    }

    /// The table's entry; a name that is not in it is this file's mistake, and reported as such.
    pub(super) fn key(&mut self, section: &str, name: &str) -> Read<&'static Key> {
        let key = keys::find(section, name);
        if key.is_none() {
            let reason = format!("`{section}.{name}` is missing from the table of keys");
            self.raw.problems.push(Problem { source: None, key: None, value: None, reason });
        }
        key.ok_or(Noted)
    }

    /// Notes that a key's valid value does not fit another key's.
    pub(super) fn conflict(&mut self, section: &str, name: &str, reason: &str) {
        // With a part of the file unread, the other value may not be the one that was meant.
        if let (true, Ok(key)) = (self.raw.complete, self.key(section, name)) {
            let entry = self.raw.entries.get(&key.dotted()).cloned();
            let source = entry.as_ref().map_or(Source::Default, |entry| entry.source.clone());
            self.problem(key, source, entry.as_ref().map(|entry| &entry.value), reason);
        }
    }

    fn problem(&mut self, key: &'static Key, source: Source, value: Option<&Value>, reason: &str) {
        let value = value.filter(|_| !key.secret).and_then(as_written);
        let reason = format!("{reason}; expected {}", key.accepts);
        self.raw.problems.push(Problem { source: Some(source), key: Some(key.dotted()), value, reason });
    }

    /// Shows what an unset key came to.
    pub(super) fn show_derived(&mut self, section: &str, name: &str, value: Json) {
        if let Ok(key) = self.key(section, name)
            && let Some(shown) = self.shown.iter_mut().find(|shown| shown.is(&key.dotted()))
        {
            *shown = Shown::new(key, Source::Default, value);
        }
    }

    /// Keys are read in the order in which they need each other, and shown in the table's.
    pub(super) fn sort_shown(&mut self) {
        self.shown.sort_by_cached_key(|shown| KEYS.iter().position(|key| shown.is(&key.dotted())));
    }
}

impl Key {
    fn fallback(&self) -> Option<Entry> {
        match self.default {
            Fallback::Value(text) => {
                Some(Entry { value: Value::Untyped(text.to_owned()), source: Source::Default })
            }
            Fallback::Unset(_) => None,
        }
    }
}

/// Reads each item of a list; the reason of a failure names the item.
pub(super) fn each<T>(value: &Value, rule: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = value::list(value)?;
    items
        .into_iter()
        .map(|item| rule(item).map_err(|reason| format!("its item {:?} {reason}", without_user(item))))
        .collect()
}

/// The value for an error text, on one line; none if it is of a kind that its reason describes.
fn as_written(value: &Value) -> Option<String> {
    match value {
        Value::Untyped(text) | Value::Text(text) => Some(format!("{:?}", without_user(text))),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| format!("{:?}", without_user(item))).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Other(_) => None,
    }
}

/// The text with the user and password of every URL in it left out.
fn without_user(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        match part.rfind('@') {
            Some(at) => {
                clean.push('…');
                clean.push_str(part.get(at..).unwrap_or_default());
            }
            None => clean.push_str(part),
        }
    }
    clean
}
