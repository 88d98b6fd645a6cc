//! Strict JSON: what two readers could understand differently is refused.
//!
//! Beyond serde_json, which already refuses trailing bytes, byte-order marks, comments, NaN, numbers out of
//! range and lone surrogates, this refuses duplicate members at every level (after unescaping), deep nesting
//! and huge objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Levels of nesting below the outermost object.
const MAX_DEPTH: u8 = 16;
/// Members of one object. Bounds the search for duplicates, which is linear for each member.
const MAX_MEMBERS: usize = 256;
/// Member names by which serde_json passes raw values and long numbers through its own data model. In foreign
/// JSON they would be interpreted by whoever later reads the payload as a `serde_json::Value`.
const RESERVED_PREFIX: &str = "$serde_json::private::";

/// A JSON value that borrows its strings where they have no escapes.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool,
    Int(i64),
    Float(f64),
    Str(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

impl Value<'_> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
}

/// A JSON object in its order, without duplicate members.
#[derive(Debug, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

/// Reads exactly one JSON object.
pub(crate) fn parse_object(json: &[u8]) -> Option<Object<'_>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom("too deep")) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        // Above i64 the exact value is of no use to anyone: dates end far below.
        Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        // One allocation for the claims of an access token.
        let mut object = Vec::with_capacity(if self.depth == 0 { 20 } else { 4 });
        while let Some(name) = members.next_key_seed(Name)? {
            if object.len() >= MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            if name.starts_with(RESERVED_PREFIX) || object.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("duplicate or reserved member"));
            }
            object.push((name, members.next_value_seed(inner)?));
        }
        Ok(Value::Object(Object(object)))
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read() {
        let object = parse_object(br#" {"a":1,"b":[-2,0.5,"x\n"],"c":{"a":null,"t":true}} "#).unwrap();
        assert_eq!(object.get("a"), Some(&Value::Int(1)));
        let expected = vec![Value::Int(-2), Value::Float(0.5), Value::Str("x\n".into())];
        assert_eq!(object.get("b"), Some(&Value::Array(expected)));
        assert!(object.contains("c") && !object.contains("t"));
    }

    #[test]
    fn ambiguous_json_is_refused() {
        for json in [
            &br#"{"a":1,"a":1}"#[..],
            br#"{"a":1,"\u0061":1}"#,
            br#"{"x":[{"a":1,"a":2}]}"#,
            br#"{"$serde_json::private::RawValue":"{}"}"#,
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"{},",
            b"[]",
            b"",
            br#"{"a":"\ud800"}"#,
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\0\"}",
        ] {
            assert_eq!(parse_object(json), None, "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn depth_and_width_have_limits() {
        let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(parse_object(nested(15).as_bytes()).is_some());
        assert!(parse_object(nested(16).as_bytes()).is_none());
        assert!(parse_object(nested(100_000).as_bytes()).is_none());

        let wide = |members: usize| {
            let list: Vec<String> = (0..members).map(|index| format!(r#""m{index}":0"#)).collect();
            format!("{{{}}}", list.join(","))
        };
        assert!(parse_object(wide(256).as_bytes()).is_some());
        assert!(parse_object(wide(257).as_bytes()).is_none());
    }
}
