//! A strict reader of form bodies and queries: each known parameter once, whole escapes, UTF-8. It
//! copies only what has escapes.

use std::borrow::Cow;

use http::HeaderMap;

use crate::body;
use crate::fault::Fault;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The parameters called `names`, in that order; others are ignored, and an empty value is as none
/// (RFC 6749 section 3.2).
pub(crate) fn read<'b, const N: usize>(
    headers: &HeaderMap,
    body: &'b [u8],
    names: [&'static str; N],
) -> Result<[Option<Cow<'b, str>>; N], Fault> {
    if body::is_of_type(headers, MEDIA_TYPE) != Some(true) {
        return Err(Fault::MediaType(MEDIA_TYPE));
    }
    let mut parameters = [const { None }; N];
    for pair in pairs(body) {
        let (name, value) = pair?;
        let known = names.iter().zip(&mut parameters).find(|(known, _)| **known == name);
        if let Some((known, slot)) = known
            && slot.replace(value).is_some()
        {
            return Err(Fault::Repeated((*known).to_owned()));
        }
    }
    Ok(parameters.map(|value| value.filter(|value| !value.is_empty())))
}

/// Every parameter, decoded.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Fault>> {
    text.split(|b| *b == b'&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = match part.iter().position(|b| *b == b'=') {
            Some(at) => (part.get(..at), part.get(at.saturating_add(1)..)),
            None => (Some(part), None),
        };
        Ok((decode(name.unwrap_or_default())?, decode(value.unwrap_or_default())?))
    })
}

/// Undoes `application/x-www-form-urlencoded`.
pub(crate) fn decode(text: &[u8]) -> Result<Cow<'_, str>, Fault> {
    const BAD: Fault = Fault::Malformed("the parameters have to be percent-encoded UTF-8");
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| BAD);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(*b).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or(BAD)?;
                u8::try_from(high * 16 + low).map_err(|_| BAD)?
            }
            other => *other,
        });
    }
    String::from_utf8(plain).map(Cow::Owned).map_err(|_| BAD)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;
    use proptest::prelude::*;

    use super::*;

    fn reading(body: &str) -> Result<[Option<Cow<'_, str>>; 2], Fault> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))]);
        read(&headers, body.as_bytes(), ["a", "b"])
    }

    #[test]
    fn parameters_are_read_by_name_and_unknown_or_empty_ones_are_as_none() {
        let [a, b] = reading("b=x%20y+%C3%A9&c=1&c=2&&a=%3D=").unwrap();
        assert_eq!((a.as_deref(), b.as_deref()), (Some("=="), Some("x y é")));
        assert_eq!(reading("a=&b").unwrap(), [None, None]);
        assert_eq!(reading("").unwrap(), [None, None]);
        assert!(matches!(reading("a=plain").unwrap(), [Some(Cow::Borrowed("plain")), None]));
    }

    proptest! {
        #[test]
        fn no_outside_bytes_panic_and_good_ones_come_back(bytes: Vec<u8>, text in ".*") {
            pairs(&bytes).for_each(drop);
            let _decoded = decode(&bytes);
            let hex = |b: u8| [b'%', b"0123456789ABCDEF"[usize::from(b >> 4)], b"0123456789abcdef"[usize::from(b & 15)]];
            let encoded: Vec<u8> = text.bytes().flat_map(hex).collect();
            prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }

    #[test]
    fn repeated_and_badly_encoded_ones_are_refused() {
        for twice in ["a=1&a=1", "a=&a=1", "a=1&%61=1"] {
            assert_eq!(reading(twice), Err(Fault::Repeated("a".to_owned())), "{twice}");
        }
        for bad in ["a=%", "a=%2", "a=%zz", "a=%C3", "%ff=1", "c=%+1"] {
            assert!(matches!(reading(bad), Err(Fault::Malformed(_))), "{bad}");
        }
    }
}
