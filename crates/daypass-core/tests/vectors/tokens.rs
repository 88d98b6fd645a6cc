//! `vectors/tokens/refresh-tokens.json`: tokens put together byte by byte, good ones and bad ones.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_core::{Generation, SessionId, TokenError, TokenKeyId, TokenSecrets};
use serde::{Deserialize, Serialize};

use super::{assert_made, bytes, file, folder, hex, line, read};

const CONTEXT: &[u8] = b"daypass refresh token, version 1\0";

/// The secrets that the service of these vectors has, and one that it has not.
const SECRETS: [(u8, &[u8; 32]); 3] = [
    (0, b"daypass test vector secret no. 0"),
    (1, b"daypass test vector secret no. 1"),
    (255, b"daypass test vector secret no. F"),
];
const UNKNOWN: (u8, &[u8; 32]) = (9, b"daypass test vector secret no. 9");

/// Of base64url (RFC 4648 section 5).
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const SESSION: &str = "01976f5c-2f80-7abc-8def-0123456789ab";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    context: String,
    secrets: Vec<Secret>,
    good: Vec<Good>,
    bad: Vec<Bad>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    key: u8,
    secret: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Good {
    name: String,
    key: u8,
    session: String,
    generation: u32,
    token: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Bad {
    name: String,
    token: String,
    verdict: String,
}

/// The 21 bytes that a token's tag covers, behind the context.
fn named(key: u8, session: &str, generation: u32) -> Vec<u8> {
    let session = bytes::<16>(&session.replace('-', ""));
    [&[key][..], &session, &generation.to_be_bytes()].concat()
}

fn tag(secret: &[u8], covered: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), covered).as_ref().to_vec()
}

fn text(bytes: &[u8]) -> String {
    format!("dpr_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A token's 53 bytes.
fn token(key: u8, secret: &[u8], session: &str, generation: u32) -> Vec<u8> {
    let named = named(key, session, generation);
    let tag = tag(secret, &[CONTEXT, &named].concat());
    [named, tag].concat()
}

fn good_tokens() -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |name: &str, (key, secret): (u8, &[u8; 32]), session: &str, generation| {
        let token = text(&token(key, secret, session, generation));
        let (name, session) = (name.to_owned(), session.to_owned());
        all.push(line(&Good { name, key, session, generation, token }));
    };
    let [zero, one, last] = SECRETS;
    add("just signed in", zero, SESSION, 0);
    add("renewed once", zero, SESSION, 1);
    add("the same generation under another secret", one, SESSION, 1);
    add("the last secret", last, SESSION, 7);
    for generation in [255, 256, 65_535, 65_536, 0x0102_0304, 0x8000_0000, u32::MAX] {
        add(&format!("generation {generation}"), one, SESSION, generation);
    }
    add("a session of nothing but zeros", one, "00000000-0000-0000-0000-000000000000", 7);
    add("a session of nothing but ones", one, "ffffffff-ffff-ffff-ffff-ffffffffffff", 7);
    all
}

fn bad(name: impl Into<String>, token: impl Into<String>, verdict: &str) -> Bad {
    Bad { name: name.into(), token: token.into(), verdict: verdict.to_owned() }
}

/// Texts that are no token in its one spelling.
fn malformed() -> Vec<Bad> {
    let (key, secret) = SECRETS[1];
    let good = text(&token(key, secret, SESSION, 7));
    let body = &good[4..];
    let but_last = &good[..good.len() - 1];
    let raw = token(key, secret, SESSION, 7);
    let mut all = vec![
        bad("empty", "", "malformed"),
        bad("the prefix alone", "dpr_", "malformed"),
        bad("without the prefix", body, "malformed"),
        bad("the prefix in capitals", format!("DPR_{body}"), "malformed"),
        bad("another prefix", format!("dpa_{body}"), "malformed"),
        bad("a hyphen in the prefix", format!("dpr-{body}"), "malformed"),
        bad("the prefix twice", format!("dpr_{good}"), "malformed"),
        bad("one character less", but_last, "malformed"),
        bad("one character more", format!("{good}A"), "malformed"),
        bad("one byte less", text(&raw[..52]), "malformed"),
        bad("one byte more", text(&[&raw[..], &[0]].concat()), "malformed"),
        bad("without its tag", text(&raw[..21]), "malformed"),
        bad("twice", format!("{good}{body}"), "malformed"),
        bad("padded", format!("{good}="), "malformed"),
        bad("padded in place of its last character", format!("{but_last}="), "malformed"),
        bad("a blank before", format!(" {good}"), "malformed"),
        bad("a line feed behind", format!("{good}\n"), "malformed"),
        bad("a blank within", format!("{} {}", &good[..40], &good[41..]), "malformed"),
        bad("a dot within", format!("{}.{}", &good[..40], &good[41..]), "malformed"),
        bad("a NUL within", format!("{}\0{}", &good[..40], &good[41..]), "malformed"),
        bad("not ASCII", format!("{}é", &good[..good.len() - 2]), "malformed"),
        bad("in hexadecimal", format!("dpr_{}", hex(&raw)), "malformed"),
        bad("percent-encoded", good.replace("dpr_", "dpr%5F"), "malformed"),
    ];
    // 53 bytes are 424 bits, in 71 characters of 6 bits: the last two bits are none of theirs.
    let last = ALPHABET.find(&good[good.len() - 1..]).unwrap();
    for bits in 1..4 {
        let twin = &ALPHABET[last + bits..=last + bits];
        all.push(bad(format!("last bits {bits:02b}"), format!("{but_last}{twin}"), "malformed"));
    }
    let ones = text(&token(key, secret, "ffffffff-ffff-ffff-ffff-fffbffffffff", 7));
    assert!(ones.contains('-') && ones[4..].contains('_'), "both characters are in this one");
    let standard = ones[4..].replace('-', "+").replace('_', "/");
    all.push(bad("in the standard alphabet", format!("dpr_{standard}"), "malformed"));
    all
}

/// Tokens of the right form with a wrong tag.
fn forged() -> Vec<Bad> {
    let [_, (key, secret), (_, other)] = SECRETS;
    let raw = token(key, secret, SESSION, 7);
    let named = named(key, SESSION, 7);
    let with_tag = |tag: &[u8]| text(&[&named[..], tag].concat());
    let mut all = Vec::new();
    for at in 1..raw.len() {
        let field = match at {
            1..=16 => "session",
            17..=20 => "generation",
            _ => "tag",
        };
        let mut changed = raw.clone();
        changed[at] ^= 1;
        all.push(bad(format!("byte {at} changed, of the {field}"), text(&changed), "forged"));
    }
    let mut known = raw.clone();
    known[0] = 255;
    all.push(bad("another known secret named", text(&known), "forged"));
    all.push(bad("tagged with another secret", with_tag(&tag(other, &[CONTEXT, &named].concat())), "forged"));
    all.push(bad("tagged without the context", with_tag(&tag(secret, &named)), "forged"));
    let no_nul = [&CONTEXT[..CONTEXT.len() - 1], &named].concat();
    all.push(bad("tagged without the context's NUL", with_tag(&tag(secret, &no_nul)), "forged"));
    all.push(bad("a tag of zeros", with_tag(&[0; 32]), "forged"));
    let mut little = named.clone();
    little[17..].reverse();
    let little = [little.clone(), tag(secret, &[CONTEXT, &named].concat())].concat();
    all.push(bad("the generation little endian under the tag of the right one", text(&little), "forged"));
    all
}

fn unknown() -> Vec<Bad> {
    let mut renamed = token(SECRETS[1].0, SECRETS[1].1, SESSION, 7);
    renamed[0] = UNKNOWN.0;
    vec![
        bad("of a secret that is not known", text(&token(UNKNOWN.0, UNKNOWN.1, SESSION, 7)), "unknown_key"),
        bad("the name of the secret changed to an unknown one", text(&renamed), "unknown_key"),
    ]
}

fn made() -> String {
    let secret = |(key, secret): (u8, &[u8; 32])| line(&Secret { key, secret: hex(secret) });
    let refused = malformed().into_iter().chain(forged()).chain(unknown());
    let lists = [
        ("secrets", SECRETS.map(secret).to_vec()),
        ("good", good_tokens()),
        ("bad", refused.map(|bad| line(&bad)).collect()),
    ];
    let context = std::str::from_utf8(CONTEXT).unwrap();
    file(&format!("\"context\":{},\n", serde_json::to_string(context).unwrap()), &lists)
}

#[test]
fn refresh_tokens_are_issued_and_opened_as_their_vectors_say() {
    let path = folder("tokens").join("refresh-tokens.json");
    assert_made(&path, &made());
    let File { context, secrets, good, bad } = read(&path);
    assert_eq!(context.as_bytes(), CONTEXT);
    let secrets = TokenSecrets::new(
        secrets.iter().map(|Secret { key, secret }| (TokenKeyId(*key), bytes::<32>(secret))),
    );
    for Good { name, key, session, generation, token } in good {
        let session = SessionId::from_bytes(bytes(&session.replace('-', "")));
        let issued = secrets.issue(TokenKeyId(key), session, Generation(generation)).unwrap();
        assert_eq!(issued.expose(), token, "{name}");
        let opened = secrets.open(&token).unwrap();
        assert_eq!((opened.session(), opened.generation()), (session, Generation(generation)), "{name}");
    }
    for Bad { name, token, verdict } in bad {
        let refused = match secrets.open(&token).unwrap_err() {
            TokenError::Malformed => "malformed",
            TokenError::UnknownKey(id) => {
                assert_eq!(id, TokenKeyId(UNKNOWN.0), "{name}");
                "unknown_key"
            }
            TokenError::Forged => "forged",
        };
        assert_eq!(refused, verdict, "{name}");
    }
}
