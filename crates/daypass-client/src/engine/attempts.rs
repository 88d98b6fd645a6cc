//! Attempt ids: which a request lists, and which stay.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_ambient::{Entropy, NoEntropy};

use crate::record::MOST_ATTEMPTS;
use crate::{Attempt, Record};

/// A new id: 128 random bits, 22 characters.
pub(super) fn new_id(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a request that rotates the record's generation says in `Daypass-Attempt`: `7:…, 6:…`, newest first, at most
/// four. `None` until there is an id for that generation: without it no request may leave.
pub(super) fn header(record: &Record) -> Option<String> {
    let attempts = listed(record);
    if attempts.first()?.generation != record.generation {
        return None;
    }
    let pairs: Vec<_> =
        attempts.iter().map(|attempt| format!("{}:{}", attempt.generation, attempt.id)).collect();
    Some(pairs.join(", "))
}

/// The record with an id for its generation, unless there is one. That one is never replaced: it may have been sent.
pub(super) fn with_id(record: &Record, id: String) -> Record {
    let mut attempts = listed(record);
    if attempts.first().is_none_or(|newest| newest.generation != record.generation) {
        attempts.insert(0, Attempt { generation: record.generation, id });
        attempts.truncate(MOST_ATTEMPTS);
    }
    Record { attempts, ..record.clone() }
}

/// The ids that a record has and a request may list: fit for the header, of this generation or an older one, newest
/// first, one for each. A record may have been written by anybody.
pub(super) fn listed(record: &Record) -> Vec<Attempt> {
    let fit = |attempt: &&Attempt| attempt.generation <= record.generation && is_fit(&attempt.id);
    let mut attempts: Vec<_> = record.attempts.iter().filter(fit).cloned().collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.generation));
    attempts.dedup_by_key(|attempt| attempt.generation);
    attempts.truncate(MOST_ATTEMPTS);
    attempts
}

fn is_fit(id: &str) -> bool {
    (22..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

#[cfg(test)]
mod tests {
    use daypass_ambient::SeededEntropy;

    use super::*;

    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaa";

    fn record(generation: u32, attempts: &[(u32, &str)]) -> Record {
        let attempts =
            attempts.iter().map(|(generation, id)| Attempt { generation: *generation, id: (*id).into() });
        Record {
            service: String::new(),
            client_id: None,
            session_id: String::new(),
            generation,
            refresh_token: String::new().into(),
            attempts: attempts.collect(),
            access: None,
            ends_at_ms: None,
        }
    }

    fn labels(record: &Record) -> Vec<u32> {
        record.attempts.iter().map(|attempt| attempt.generation).collect()
    }

    #[test]
    fn an_id_is_long_and_random_enough() {
        let entropy = SeededEntropy::new(1);
        let (first, second) = (new_id(&entropy).unwrap(), new_id(&entropy).unwrap());
        assert_ne!(first, second);
        assert!(is_fit(&first) && first.len() == 22);
    }

    #[test]
    fn the_header_labels_each_id_newest_first() {
        let b = ID.replace('a', "b");
        assert_eq!(header(&record(7, &[(7, ID), (6, &b)])).unwrap(), format!("7:{ID}, 6:{b}"));
        assert_eq!(header(&record(7, &[(6, &b), (7, ID)])).unwrap(), format!("7:{ID}, 6:{b}"));
        assert_eq!(header(&record(0, &[(0, ID)])).unwrap(), format!("0:{ID}"));
    }

    #[test]
    fn without_an_id_for_its_generation_there_is_no_header() {
        assert_eq!(header(&record(7, &[])), None);
        assert_eq!(header(&record(7, &[(6, ID), (5, ID)])), None);
        assert_eq!(header(&record(7, &[(7, "short"), (6, ID)])), None);
    }

    #[test]
    fn an_id_is_made_once_and_three_past_ones_stay() {
        let mut record = record(0, &[]);
        for generation in 0..6 {
            record.generation = generation;
            record = with_id(&record, ID.replace('a', &generation.to_string()));
        }
        assert_eq!(labels(&record), [5, 4, 3, 2]);
        let again = with_id(&record, ID.to_owned());
        assert_eq!(again, record, "an id that may have been sent was replaced");
    }

    #[test]
    fn what_no_header_may_hold_is_left_out() {
        let long = "a".repeat(129);
        let odd = "a,1:bbbbbbbbbbbbbbbbbbbbbb";
        let kept = listed(&record(
            7,
            &[(9, ID), (8, ID), (7, ID), (7, odd), (6, odd), (5, &long), (4, ID), (4, ID)],
        ));
        assert_eq!(kept.iter().map(|attempt| attempt.generation).collect::<Vec<_>>(), [7, 4]);
    }
}
