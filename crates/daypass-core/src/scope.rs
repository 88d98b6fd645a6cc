//! Scopes: what an access token may be used for (RFC 6749 section 3.3).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Scopes that open Daypass's own interfaces begin like this, and must be held by the subject or
/// confidential client in its own name.
pub const PRIVILEGED_PREFIX: &str = "daypass:";

/// A set of scope tokens in the order in which they were given, each once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope(Arc<str>);

/// A scope that is not a space-separated list of printable tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is a list of printable ASCII tokens without quotes or backslashes, separated by single spaces, at most 1024 bytes"
)]
pub struct InvalidScope;

impl Scope {
    /// The empty set.
    pub fn empty() -> Self {
        Self(Arc::from(""))
    }

    /// The tokens, in order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// Whether the whole token `name` is in the set; case matters.
    pub fn contains(&self, name: &str) -> bool {
        self.tokens().any(|token| token == name)
    }

    /// Whether every token of `self` is in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.tokens().all(|token| other.contains(token))
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens that satisfy `keep`.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.tokens().all(&keep) { self.clone() } else { Self::collect(self.tokens().filter(|t| keep(t))) }
    }

    /// The tokens of `self` followed by those of `other`.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let fresh = other.tokens().filter(|token| !self.contains(token));
        Self::collect(self.tokens().chain(fresh))
    }

    /// The tokens, separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn collect<'a>(tokens: impl Iterator<Item = &'a str>) -> Self {
        Self(tokens.collect::<Vec<_>>().join(" ").into())
    }
}

/// What a session on this client may be granted: what the client is registered for and what the
/// subject holds, but of the privileged scopes only those that the subject holds.
pub fn allowed(client: &Scope, subject: &Scope) -> Scope {
    client.filter(|scope| !scope.starts_with(PRIVILEGED_PREFIX) || subject.contains(scope)).union(subject)
}

/// What remains, at a renewal, of what was once granted: privileged scopes only while the subject
/// still holds them.
#[must_use]
pub fn still_held(granted: &Scope, subject: &Scope) -> Scope {
    granted.filter(|scope| !scope.starts_with(PRIVILEGED_PREFIX) || subject.contains(scope))
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// NQCHAR tokens of RFC 6749 appendix A.4; repeated tokens are folded into one.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let printable = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if text.is_empty() {
            return Ok(Self::empty());
        }
        if text.len() > 1024 || text.split(' ').any(|t| t.is_empty() || !t.bytes().all(printable)) {
            return Err(InvalidScope);
        }
        let mut tokens: Vec<&str> = Vec::new();
        for token in text.split(' ') {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        Ok(Self::collect(tokens.into_iter()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn tokens_are_whole_and_case_sensitive() {
        let granted = scope("read read:all read");
        assert_eq!(granted.as_str(), "read read:all");
        assert!(granted.contains("read") && !granted.contains("Read") && !granted.contains("rea"));
        assert!(scope("read:all").is_subset_of(&granted) && !scope("read write").is_subset_of(&granted));
    }

    #[test]
    fn malformed_scopes_are_refused() {
        for bad in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "ä", "a\0", &"x".repeat(1025)] {
            assert_eq!(bad.parse::<Scope>(), Err(InvalidScope), "{bad:?}");
        }
    }

    #[test]
    fn privileged_scopes_come_only_from_the_subject_and_go_with_it() {
        let client = scope("orders daypass:admin");
        assert_eq!(allowed(&client, &Scope::empty()).as_str(), "orders");
        assert_eq!(
            allowed(&client, &scope("daypass:admin profile")).as_str(),
            "orders daypass:admin profile"
        );
        assert_eq!(still_held(&client, &Scope::empty()).as_str(), "orders");
        assert_eq!(still_held(&client, &scope("daypass:admin")), client);
    }
}
