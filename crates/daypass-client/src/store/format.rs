//! How a session is written down: JSON with the format's number and a version that never comes again.
//!
//! A reader ignores members that it does not know and does not keep them when it writes. Whatever may not be lost
//! that way raises the number, and a reader leaves a number alone that it does not know.

use std::io;

use daypass_ambient::Entropy;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{StoreError, Stored, Version};
use crate::Record;

/// The one format that there is so far.
const FORMAT: u32 = 1;

/// How many bytes a written session may have: several times what one needs.
pub(super) const LONGEST: usize = 64 * 1024;

#[derive(Serialize)]
struct Out<'a> {
    format: u32,
    version: String,
    record: Option<&'a Record>,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct In {
    version: String,
    record: Option<Record>,
}

/// Writes `record` down, or that there is none.
pub(super) fn encode(version: Version, record: Option<&Record>) -> io::Result<Zeroizing<Vec<u8>>> {
    let out = Out { format: FORMAT, version: format!("{:032x}", version.0), record };
    // In one piece from the start: a buffer that grows leaves copies of the tokens behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    serde_json::to_writer(&mut *bytes, &out)?;
    bytes.push(b'\n');
    if bytes.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the session has more than 64 KiB"));
    }
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<Stored, StoreError> {
    if bytes.len() > LONGEST {
        return Err(StoreError::Foreign("it has more than 64 KiB"));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|_| StoreError::Foreign("it is no session"))?;
    if head.format != FORMAT {
        return Err(StoreError::Foreign("it is of a format that this release does not know"));
    }
    let body: In =
        serde_json::from_slice(bytes).map_err(|_| StoreError::Foreign("it is a damaged session"))?;
    let version = version(&body.version).ok_or(StoreError::Foreign("it is a damaged session"))?;
    Ok(Stored { version, record: body.record })
}

/// A version that never was: 128 random bits.
pub(super) fn new_version(entropy: &dyn Entropy) -> io::Result<Version> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes).map_err(io::Error::other)?;
    // Zero is the version of nothing.
    Ok(Version(u128::from_le_bytes(bytes).max(1)))
}

fn version(text: &str) -> Option<Version> {
    let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(text, 16).ok())??;
    (number != 0).then_some(Version(number))
}

#[cfg(test)]
mod tests {
    use daypass_ambient::SeededEntropy;

    use super::*;
    use crate::RefreshToken;

    fn record() -> Record {
        Record {
            service: "https://id.example".into(),
            client_id: None,
            session_id: "s".into(),
            generation: 7,
            refresh_token: RefreshToken::from("secret".to_owned()),
            attempts: Vec::new(),
            access: None,
            ends_at_ms: None,
        }
    }

    fn foreign(bytes: &[u8]) -> &'static str {
        match decode(bytes) {
            Err(StoreError::Foreign(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for record in [None, Some(record())] {
            let version = Version(u128::MAX - 5);
            let bytes = encode(version, record.as_ref()).unwrap();
            assert_eq!(decode(&bytes).unwrap(), Stored { version, record });
        }
    }

    #[test]
    fn no_part_of_it_is_taken_for_a_whole() {
        let bytes = encode(Version(1), Some(&record())).unwrap();
        // The last byte is the end of the line.
        for end in 0..bytes.len() - 1 {
            assert!(!foreign(&bytes[..end]).is_empty());
        }
    }

    #[test]
    fn unknown_members_are_passed_over_and_unknown_formats_are_not() {
        let text = |format: &str| {
            format!(r#"{{"format":{format},"version":"{:032x}","record":null,"colour":"blue"}}"#, 9)
        };
        assert_eq!(decode(text("1").as_bytes()).unwrap(), Stored { version: Version(9), record: None });
        assert!(foreign(text("2").as_bytes()).contains("format"));
        assert!(foreign(text("-1").as_bytes()).contains("no session"));
        assert!(foreign(br#"{"format":2}"#).contains("format"));
    }

    #[test]
    fn a_version_is_32_digits_and_not_nothing() {
        for version in [
            "",
            "1",
            "1.0.0",
            &"0".repeat(32),
            &"g".repeat(32),
            &"1".repeat(33),
            "+0000000000000000000000000000001",
        ] {
            foreign(format!(r#"{{"format":1,"version":"{version}","record":null}}"#).as_bytes());
        }
    }

    #[test]
    fn too_much_is_neither_written_nor_read() {
        let long = Record { session_id: "s".repeat(LONGEST), ..record() };
        assert!(encode(Version(1), Some(&long)).is_err());
        let mut bytes = encode(Version(1), Some(&record())).unwrap();
        bytes.resize(LONGEST, b' ');
        decode(&bytes).unwrap();
        bytes.push(b' ');
        foreign(&bytes);
    }

    #[test]
    fn versions_are_new_each_time_and_fail_with_their_source() {
        #[derive(Debug)]
        struct Dry;
        impl Entropy for Dry {
            fn fill(&self, _: &mut [u8]) -> Result<(), daypass_ambient::NoEntropy> {
                Err(daypass_ambient::NoEntropy)
            }
        }
        let source = SeededEntropy::new(3);
        assert_ne!(new_version(&source).unwrap(), new_version(&source).unwrap());
        assert!(new_version(&Dry).is_err());
    }
}
