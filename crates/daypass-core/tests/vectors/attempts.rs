//! `vectors/tokens/attempts.json`: the `Daypass-Attempt` header, well and badly written.

use aws_lc_rs::digest;
use daypass_core::attempt::InvalidAttempt;
use daypass_core::{AttemptDigest, Generation, PresentedAttempts};
use serde::{Deserialize, Serialize};

use super::{assert_made, bytes, file, folder, hex, line, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    good: Vec<Good>,
    bad: Vec<Bad>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Good {
    name: String,
    token_generation: u32,
    header: String,
    pairs: Vec<Pair>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    of: u32,
    id: String,
    digest: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Bad {
    name: String,
    token_generation: u32,
    header: String,
    error: String,
}

/// Ids of the least length, and one with every kind of character.
const A: &str = "aaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbb";
const MIXED: &str = "0123456789-AZaz.AZaz_AZaz~";

fn good(name: &str, token_generation: u32, header: impl Into<String>, pairs: &[(u32, &str)]) -> String {
    let pair = |(of, id): &(u32, &str)| Pair {
        of: *of,
        id: (*id).to_owned(),
        digest: hex(&digest::digest(&digest::SHA256, id.as_bytes()).as_ref()[..16]),
    };
    let pairs = pairs.iter().map(pair).collect();
    line(&Good { name: name.to_owned(), token_generation, header: header.into(), pairs })
}

fn good_headers() -> Vec<String> {
    let longest = "z".repeat(128);
    vec![
        good("one id with its label", 7, format!("7:{A}"), &[(7, A)]),
        good("a bare id is of the token's generation", 7, A, &[(7, A)]),
        good("a bare id and one with a label", 7, format!("{A},6:{B}"), &[(7, A), (6, B)]),
        good("four", 7, format!("7:{A}, 6:{B}, 5:{A}, 4:{B}"), &[(7, A), (6, B), (5, A), (4, B)]),
        good("with gaps", 7, format!("7:{A}, 3:{B}"), &[(7, A), (3, B)]),
        good("none for the token's generation", 7, format!("6:{A}"), &[(6, A)]),
        good("for generations to come", 7, format!("9:{A}, 8:{B}"), &[(9, A), (8, B)]),
        good("a later label before a bare id", 7, format!("8:{A}, {B}"), &[(8, A), (7, B)]),
        good("blanks and tabs around the commas", 7, format!(" 7:{A}\t,\t 6:{B} "), &[(7, A), (6, B)]),
        good("every kind of character", 7, format!("7:{MIXED}"), &[(7, MIXED)]),
        good("128 characters", 7, format!("7:{longest}"), &[(7, &longest)]),
        good("the first generation", 0, format!("0:{A}"), &[(0, A)]),
        good("the last generation", u32::MAX, format!("4294967295:{A}"), &[(u32::MAX, A)]),
    ]
}

fn bad(name: &str, header: impl Into<String>, error: &str) -> String {
    let (name, error) = (name.to_owned(), error.to_owned());
    line(&Bad { name, token_generation: 7, header: header.into(), error })
}

fn bad_headers() -> Vec<String> {
    let short = &A[1..];
    vec![
        bad("empty", "", "length"),
        bad("21 characters", format!("7:{short}"), "length"),
        bad("129 characters", format!("7:{}", "z".repeat(129)), "length"),
        bad("a label without an id", "7:", "length"),
        bad("a comma at the end", format!("7:{A},"), "length"),
        bad("a comma at the beginning", format!(",7:{A}"), "length"),
        bad("an exclamation mark", format!("7:{short}!"), "character"),
        bad("a padded id", format!("7:{short}="), "character"),
        bad("a second colon", format!("7:{A}:x"), "character"),
        bad("a blank before the id", format!("7: {A}"), "character"),
        bad("a quoted id", format!("7:\"{A}\""), "character"),
        bad("not ASCII", format!("7:{short}é"), "character"),
        bad("semicolons", format!("7:{A};6:{B}"), "character"),
        bad("an empty label", format!(":{A}"), "label"),
        bad("a signed label", format!("+7:{A}"), "label"),
        bad("a negative label", format!("-7:{A}"), "label"),
        bad("a leading zero", format!("07:{A}"), "label"),
        bad("two zeros", format!("00:{A}"), "label"),
        bad("a hexadecimal label", format!("0x7:{A}"), "label"),
        bad("a fraction", format!("7.0:{A}"), "label"),
        bad("a blank after the label", format!("7 :{A}"), "label"),
        bad("one more than the last generation", format!("4294967296:{A}"), "label"),
        bad("oldest first", format!("6:{A}, 7:{B}"), "order"),
        bad("one generation twice", format!("7:{A}, 7:{B}"), "order"),
        bad("a label and a bare id for one generation", format!("7:{A}, {B}"), "order"),
        bad("five", format!("7:{A}, 6:{A}, 5:{A}, 4:{A}, 3:{A}"), "too_many"),
    ]
}

#[test]
fn attempt_headers_are_read_as_their_vectors_say() {
    let path = folder("tokens").join("attempts.json");
    assert_made(&path, &file("", &[("good", good_headers()), ("bad", bad_headers())]));
    let File { good, bad } = read(&path);
    for Good { name, token_generation, header, pairs } in good {
        let read = PresentedAttempts::parse(&header, Generation(token_generation)).unwrap();
        let pairs: Vec<_> =
            pairs.iter().map(|pair| (Generation(pair.of), AttemptDigest(bytes(&pair.digest)))).collect();
        assert_eq!(Some(read), PresentedAttempts::from_pairs(&pairs), "{name}");
    }
    for Bad { name, token_generation, header, error } in bad {
        let refused = match PresentedAttempts::parse(&header, Generation(token_generation)).unwrap_err() {
            InvalidAttempt::Length => "length",
            InvalidAttempt::Character => "character",
            InvalidAttempt::Label => "label",
            InvalidAttempt::Order => "order",
            InvalidAttempt::TooMany => "too_many",
        };
        assert_eq!(refused, error, "{name}");
    }
}
