//! Attempt ids: how a client proves that a rotation was its own.

use aws_lc_rs::digest;

use crate::id::Generation;

/// How many past rotations a session remembers the attempt ids of.
pub const REMEMBERED: usize = 4;

/// How many pairs a request may list.
pub const MAX_PRESENTED: usize = 4;

/// The SHA-256 of an attempt id, truncated to 128 bits. The id itself is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptDigest(pub [u8; 16]);

impl AttemptDigest {
    /// The digest of an id.
    pub fn of(id: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, id.as_bytes());
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        Self(short)
    }
}

/// The attempt ids of a session's last four rotations, newest first: the rotation *of* generation
/// c−1 (that made c), c−2, c−3, c−4. Each may be none: the client sent no id, or it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RememberedAttempts([Option<AttemptDigest>; REMEMBERED]);

impl RememberedAttempts {
    /// The ids as the given four, newest first.
    pub const fn new(newest_first: [Option<AttemptDigest>; REMEMBERED]) -> Self {
        Self(newest_first)
    }

    /// The ids, newest first.
    pub const fn newest_first(&self) -> &[Option<AttemptDigest>; REMEMBERED] {
        &self.0
    }

    /// The id remembered for the rotation of `of`, in a session whose generation is `current`.
    pub fn get(&self, current: Generation, of: Generation) -> Option<AttemptDigest> {
        let age = current.0.checked_sub(of.0)?.checked_sub(1)?;
        *self.0.get(usize::try_from(age).ok()?)?
    }

    /// The ids as a store keeps them: none where there is no id; else a byte whose bits say which are
    /// there, and the ids, newest first, 16 bytes each.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![0u8];
        let mut mask = 0u8;
        for (bit, id) in self.0.iter().enumerate() {
            if let Some(id) = id {
                mask |= 1 << bit;
                bytes.extend_from_slice(&id.0);
            }
        }
        if let Some(first) = bytes.first_mut() {
            *first = mask;
        }
        (mask != 0).then_some(bytes)
    }

    /// The reverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// For bytes that it does not make.
    pub fn from_bytes(bytes: Option<&[u8]>) -> Result<Self, MalformedAttempts> {
        let Some((mask, ids)) = bytes.and_then(<[u8]>::split_first) else {
            return Ok(Self::default());
        };
        let (chunks, rest) = ids.as_chunks::<16>();
        let mut chunks = chunks.iter();
        let mut attempts = [None; REMEMBERED];
        for (bit, slot) in attempts.iter_mut().enumerate() {
            if mask & (1 << bit) != 0 {
                *slot = Some(AttemptDigest(*chunks.next().ok_or(MalformedAttempts)?));
            }
        }
        if chunks.next().is_some() || !rest.is_empty() {
            return Err(MalformedAttempts);
        }
        Ok(Self(attempts))
    }

    /// The ids of the four rotations before generation `next`, each looked up by generation.
    #[must_use]
    pub fn realigned(next: Generation, mut id: impl FnMut(Generation) -> Option<AttemptDigest>) -> Self {
        let mut ids = [None; REMEMBERED];
        for (age, slot) in (1u32..).zip(&mut ids) {
            *slot = next.0.checked_sub(age).and_then(|of| id(Generation(of)));
        }
        Self(ids)
    }
}

/// What a store keeps of attempt ids cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable attempt ids")]
pub struct MalformedAttempts;

/// The `generation:id` pairs of one request, strictly newest first, at most four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresentedAttempts {
    pairs: [Option<(Generation, AttemptDigest)>; MAX_PRESENTED],
}

impl PresentedAttempts {
    /// A client without attempt ids.
    pub const NONE: Self = Self { pairs: [None; MAX_PRESENTED] };

    /// Reads the value of `Daypass-Attempt`, for a token of generation `token`: a comma-separated
    /// list of `generation:id`, where a bare id means the token's own generation.
    ///
    /// # Errors
    /// Names what is wrong; the text itself is not repeated.
    pub fn parse(text: &str, token: Generation) -> Result<Self, InvalidAttempt> {
        let mut presented = Self::NONE;
        let mut slots = presented.pairs.iter_mut();
        let mut last: Option<Generation> = None;
        for part in text.split(',').map(|part| part.trim_matches([' ', '\t'])) {
            let (of, id) = match part.split_once(':') {
                Some((label, id)) => (label_of(label)?, id),
                None => (token, part),
            };
            if !(22..=128).contains(&id.len()) {
                return Err(InvalidAttempt::Length);
            }
            if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
                return Err(InvalidAttempt::Character);
            }
            if last.is_some_and(|last| last <= of) {
                return Err(InvalidAttempt::Order);
            }
            last = Some(of);
            *slots.next().ok_or(InvalidAttempt::TooMany)? = Some((of, AttemptDigest::of(id)));
        }
        Ok(presented)
    }

    /// Pairs as values, for tests and models; `None` unless strictly newest first and at most four.
    pub fn from_pairs(pairs: &[(Generation, AttemptDigest)]) -> Option<Self> {
        let ordered = pairs.iter().zip(pairs.iter().skip(1)).all(|(a, b)| a.0 > b.0);
        let mut presented = Self::NONE;
        for (slot, pair) in presented.pairs.iter_mut().zip(pairs) {
            *slot = Some(*pair);
        }
        (ordered && pairs.len() <= MAX_PRESENTED).then_some(presented)
    }

    /// Whether no id was sent at all.
    pub fn is_empty(&self) -> bool {
        self.pairs.iter().all(Option::is_none)
    }

    /// id(k): the id labelled `of`.
    pub fn get(&self, of: Generation) -> Option<AttemptDigest> {
        self.pairs.iter().flatten().find(|(label, _)| *label == of).map(|(_, id)| *id)
    }
}

/// A generation as it is written: decimal, without sign, blank or leading zero.
fn label_of(label: &str) -> Result<Generation, InvalidAttempt> {
    let canonical = label == "0" || !label.starts_with('0');
    let digits = !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    let parsed = label.parse().ok().filter(|_| canonical && digits);
    parsed.map(Generation).ok_or(InvalidAttempt::Label)
}

/// Why a list of attempt ids was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttempt {
    /// An id too short to be unguessable, or too long.
    #[error("an attempt id has 22 to 128 characters")]
    Length,
    /// An id with characters that are not URL-safe.
    #[error("an attempt id consists of A-Z a-z 0-9 - . _ ~")]
    Character,
    /// A label that is not a generation.
    #[error("an attempt id is labelled with a generation, a decimal number without leading zeros")]
    Label,
    /// Two ids for one generation, or not newest first.
    #[error("attempt ids are listed newest generation first, one for each")]
    Order,
    /// More than four.
    #[error("at most four attempt ids are listed")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn a_list_is_read_by_label_and_a_bare_id_means_the_tokens_generation() {
        let ids = PresentedAttempts::parse(&format!("{A} ,\t6:{B}"), Generation(7)).unwrap();
        assert_eq!(ids.get(Generation(7)), Some(AttemptDigest::of(A)));
        assert_eq!(ids.get(Generation(6)), Some(AttemptDigest::of(B)));
        assert_eq!(ids.get(Generation(5)), None);
    }

    #[test]
    fn every_set_of_remembered_ids_survives_its_bytes() {
        for mask in 0..16u8 {
            let id = |bit: u8| (mask & (1 << bit) != 0).then_some(AttemptDigest([bit; 16]));
            let attempts = RememberedAttempts::new([id(0), id(1), id(2), id(3)]);
            let bytes = attempts.to_bytes();
            assert_eq!(bytes.is_none(), mask == 0);
            assert_eq!(RememberedAttempts::from_bytes(bytes.as_deref()), Ok(attempts));
        }
    }

    #[test]
    fn damaged_bytes_are_told() {
        for bad in [&[0b11, 1][..], &[0b1], &[0; 17]] {
            assert_eq!(RememberedAttempts::from_bytes(Some(bad)), Err(MalformedAttempts));
        }
    }

    #[test]
    fn bad_lists_are_refused_with_their_reason() {
        let five = (0..5).rev().map(|g| format!("{g}:{A}")).collect::<Vec<_>>().join(",");
        let cases = [
            (String::new(), InvalidAttempt::Length),
            (format!("7:{}", &A[1..]), InvalidAttempt::Length),
            (format!("7:{}", "a".repeat(129)), InvalidAttempt::Length),
            (format!("7:{}!", &A[1..]), InvalidAttempt::Character),
            (format!("7:{A}:b"), InvalidAttempt::Character),
            (format!("+7:{A}"), InvalidAttempt::Label),
            (format!("07:{A}"), InvalidAttempt::Label),
            (format!(":{A}"), InvalidAttempt::Label),
            (format!("4294967296:{A}"), InvalidAttempt::Label),
            (format!("6:{A},7:{B}"), InvalidAttempt::Order),
            (format!("7:{A},{B}"), InvalidAttempt::Order),
            (format!("7:{A},"), InvalidAttempt::Length),
            (five, InvalidAttempt::TooMany),
        ];
        for (text, expected) in cases {
            assert_eq!(PresentedAttempts::parse(&text, Generation(7)), Err(expected), "{text}");
        }
        assert!(PresentedAttempts::parse(&format!("7:{}", "a".repeat(128)), Generation(7)).is_ok());
    }

    #[test]
    fn remembered_ids_are_found_by_generation() {
        let id = |n: u8| Some(AttemptDigest([n; 16]));
        let ids = RememberedAttempts::realigned(Generation(9), |of| id(u8::try_from(of.0).unwrap()));
        assert_eq!(ids.newest_first(), &[id(8), id(7), id(6), id(5)]);
        assert_eq!(ids.get(Generation(9), Generation(8)), id(8));
        assert_eq!(ids.get(Generation(9), Generation(5)), id(5));
        for none in [4, 9, 10] {
            assert_eq!(ids.get(Generation(9), Generation(none)), None);
        }
        let early = RememberedAttempts::realigned(Generation(1), |_| id(0));
        assert_eq!(early.newest_first(), &[id(0), None, None, None]);
    }
}
