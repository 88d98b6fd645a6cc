//! A strict reader of JSON request bodies: one flat object of strings, each member once, none
//! unknown. It copies only what has escapes.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::body;
use crate::fault::Fault;

const NOT_AN_OBJECT: Fault = Fault::Malformed("the request body has to be one JSON object in UTF-8");

/// The members called `names`, in that order. An empty body is an empty object.
pub(crate) fn read<'b, const N: usize>(
    headers: &HeaderMap,
    body: &'b [u8],
    names: [&'static str; N],
) -> Result<[Option<Cow<'b, str>>; N], Fault> {
    match body::is_of_type(headers, "application/json") {
        Some(true) => {}
        // Nothing needs no type.
        None if body.is_empty() && !headers.contains_key(http::header::CONTENT_TYPE) => {}
        _ => return Err(Fault::MediaType("application/json")),
    }
    if body.is_empty() {
        return Ok([const { None }; N]);
    }
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Members { names, fault: &mut fault }
        .deserialize(&mut deserializer)
        .and_then(|members| deserializer.end().map(|()| members));
    read.map_err(|_| fault.unwrap_or(NOT_AN_OBJECT))
}

/// Reads the members, and leaves behind what is wrong with them: `serde_json`'s own errors repeat
/// the values.
struct Members<'f, const N: usize> {
    names: [&'static str; N],
    fault: &'f mut Option<Fault>,
}

impl<'de, const N: usize> DeserializeSeed<'de> for Members<'_, N> {
    type Value = [Option<Cow<'de, str>>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<Cow<'de, str>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = [const { None }; N];
        while let Some(Some(name)) = map.next_key_seed(Text)? {
            let found = self.names.iter().zip(&mut members).find(|(known, _)| **known == name);
            let fault = match found {
                None => Fault::Unknown(name.into_owned()),
                Some((known, Some(_))) => Fault::Repeated((*known).to_owned()),
                Some((known, slot)) => {
                    *slot = map.next_value_seed(Text)?;
                    if slot.is_some() {
                        continue;
                    }
                    Fault::NotText(known)
                }
            };
            *self.fault = Some(fault);
            return Err(A::Error::custom("fault"));
        }
        Ok(members)
    }
}

/// A string, or `None` for any other value.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;
    use proptest::prelude::*;

    use super::*;

    fn reading(body: &[u8]) -> Result<[Option<Cow<'_, str>>; 2], Fault> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        read(&headers, body, ["a", "b"])
    }

    #[test]
    fn members_are_read_by_name_and_copied_only_for_escapes() {
        let [a, b] = reading(br#" {"b":"x","a":"\u00e9"} "#).unwrap();
        assert!(matches!(a, Some(Cow::Owned(text)) if text == "é"));
        assert!(matches!(b, Some(Cow::Borrowed("x"))));
        assert_eq!(reading(b"").unwrap(), [None, None]);
        assert_eq!(reading(b"{}").unwrap(), [None, None]);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_repeated() {
        let unknown = |name: &str| Fault::Unknown(name.to_owned());
        let repeated = || Fault::Repeated("a".to_owned());
        let deep = format!("{{\"a\":{}", "[".repeat(10_000));
        let cases: &[(&[u8], Fault)] = &[
            (br#"{"a":"1","c":"2"}"#, unknown("c")),
            (br#"{"a":"1","a":"1"}"#, repeated()),
            (br#"{"a":"1","\u0061":"1"}"#, repeated()),
            (br#"{"a":1}"#, Fault::NotText("a")),
            (br#"{"a":null}"#, Fault::NotText("a")),
            (br#"{"a":{"b":["x"]}}"#, Fault::NotText("a")),
            (br#"["x","y"]"#, NOT_AN_OBJECT),
            (br#""x""#, NOT_AN_OBJECT),
            (br#"{"a":"1"} {}"#, NOT_AN_OBJECT),
            (br#"{"a":"1",}"#, NOT_AN_OBJECT),
            (br#"{"a":"\ud800"}"#, NOT_AN_OBJECT),
            (b"{\"a\":\"\xff\"}", NOT_AN_OBJECT),
            (b"\xef\xbb\xbf{}", NOT_AN_OBJECT),
            (deep.as_bytes(), NOT_AN_OBJECT),
        ];
        for (body, expected) in cases {
            assert_eq!(reading(body).unwrap_err(), *expected, "{}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        #[test]
        fn no_outside_bytes_panic_and_good_ones_come_back(bytes: Vec<u8>, text in ".*") {
            let _read = reading(&bytes);
            let body = serde_json::json!({ "a": text }).to_string();
            let [a, b] = reading(body.as_bytes()).unwrap();
            prop_assert_eq!((a.as_deref(), b), (Some(text.as_str()), None));
        }
    }

    #[test]
    fn the_type_is_looked_at() {
        let headers = |value| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        let read = |headers: &HeaderMap, body| read(headers, body, ["a"]).map(|_| ());
        assert_eq!(read(&headers("Application/JSON; charset=utf-8"), b"{}"), Ok(()));
        let wrong = Err(Fault::MediaType("application/json"));
        for value in ["text/plain", "application/jsonp", "", "application/x-www-form-urlencoded"] {
            assert_eq!(read(&headers(value), b"{}"), wrong, "{value}");
        }
        assert_eq!(read(&HeaderMap::new(), b"{}"), wrong);
        assert_eq!(read(&HeaderMap::new(), b""), Ok(()));
    }
}
