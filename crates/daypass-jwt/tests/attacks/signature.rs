//! JA-08 to JA-12 and JA-16: signatures have one length and one form. RSA is in `rsa_vectors`.

use daypass_jwt::{Algorithm, KeySet, SigningKey, VerifyError};

use crate::support::{Forge, b64, sign_raw, unb64};

/// The order of P-256, big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of the base point of edwards25519, little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn cut(token: &str) -> (&str, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input, unb64(signature))
}

fn refused(forge: &Forge, input: &str, signature: &[u8], what: &str) {
    let refusal = forge.refusal(&format!("{input}.{}", b64(signature)));
    assert_eq!(refusal, VerifyError::BadSignature, "{what}");
}

/// `minuend - subtrahend`, big-endian.
fn subtract(minuend: &[u8; 32], subtrahend: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut difference: Vec<u8> = minuend
        .iter()
        .zip(subtrahend)
        .rev()
        .map(|(left, right)| {
            let digit = i16::from(*left) - i16::from(*right) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).unwrap()
        })
        .collect();
    difference.reverse();
    difference
}

#[test]
fn ja_08_a_signature_must_be_there() {
    for algorithm in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::HS256] {
        let forge = Forge::new(algorithm);
        let good = forge.good();
        let (input, signature) = cut(&good);
        assert_eq!(forge.refusal(&format!("{input}.")).code(), "malformed");
        assert_eq!(forge.refusal(input).code(), "malformed");
        refused(&forge, input, &vec![0; signature.len()], "zeros");
        assert!(forge.check(&good).is_ok());
    }
}

#[test]
fn ja_09_r_and_s_are_from_1_to_the_order_less_1() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let (input, signature) = cut(&good);
    let (r, s) = signature.split_at(32);
    let zero = [0; 32];
    let mut above = P256_ORDER;
    above[31] += 1;
    let top = [0xff; 32];
    for (r, s) in [
        (&zero[..], &zero[..]),
        (&zero, s),
        (r, &zero),
        (&P256_ORDER, &P256_ORDER),
        (&P256_ORDER, s),
        (r, &P256_ORDER),
        (&above, s),
        (r, &above),
        (&top, &top),
    ] {
        refused(&forge, input, &[r, s].concat(), "r or s out of range");
    }
}

#[test]
fn ja_10_an_es256_signature_is_64_bytes() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let (input, signature) = cut(&good);
    let integer = |number: &[u8]| {
        let mut digits = number.to_vec();
        if number[0] >= 0x80 {
            digits.insert(0, 0);
        }
        [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
    };
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat();
    refused(&forge, input, &der, "DER");
    refused(&forge, input, &signature[..63], "63 bytes");
    refused(&forge, input, &[&signature[..], &[0]].concat(), "65 bytes");
    let wide = [&[0; 16], &signature[..32], &[0; 16], &signature[32..]].concat();
    refused(&forge, input, &wide, "96 bytes");
}

/// The library takes both, as the standard does: a token's text is no identity, its `jti` is.
#[test]
fn ja_11_accept_the_high_s_twin() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let (input, signature) = cut(&good);
    let twin = [&signature[..32], &subtract(&P256_ORDER, &signature[32..])].concat();
    let token = format!("{input}.{}", b64(twin));
    assert_ne!(token, good);
    assert_eq!(forge.check(&token).unwrap().claims().jti, forge.check(&good).unwrap().claims().jti);
}

#[test]
fn ja_12_ed25519_is_strict() {
    let forge = Forge::new(Algorithm::Ed25519);
    let good = forge.good();
    let (input, signature) = cut(&good);
    // s + L is the same number modulo L.
    let mut carry = 0;
    let mut malleated = signature[..32].to_vec();
    for (digit, added) in signature[32..].iter().zip(ED25519_ORDER) {
        let sum = u16::from(*digit) + u16::from(added) + carry;
        malleated.push((sum & 0xff) as u8);
        carry = sum >> 8;
    }
    refused(&forge, input, &malleated, "s above the order");
    // Points of small order, canonical and not, as r.
    for first in [0, 1, 0xec, 0xed, 0xee] {
        let mut r = if first < 2 { [0; 32] } else { [0xff; 32] };
        r[0] = first;
        for last in [r[31] & 0x7f, r[31] | 0x80] {
            r[31] = last;
            refused(&forge, input, &[&r, &signature[32..]].concat(), "r of small order");
            refused(&forge, input, &[&r, &[0; 32][..]].concat(), "r of small order, s = 0");
        }
    }
    refused(&forge, input, &signature[..63], "63 bytes");
    refused(&forge, input, &[&signature[..], &[0]].concat(), "65 bytes");
    assert!(forge.check(&good).is_ok());
}

#[test]
fn ja_16_a_mac_is_whole() {
    let forge = Forge::new(Algorithm::HS256);
    let good = forge.good();
    let (input, tag) = cut(&good);
    for length in [1, 10, 16, 31] {
        refused(&forge, input, &tag[..length], "truncated");
    }
    refused(&forge, input, &[&tag[..], &[0]].concat(), "33 bytes");
    for bit in 0..256 {
        let mut flipped = tag.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&forge, input, &flipped, "a bit flipped");
    }
    assert!(forge.check(&good).is_ok());
}

#[test]
fn key_12_ecdsa_nonces_are_never_reused() {
    let forge = Forge::new(Algorithm::ES256);
    let (first, second) = (sign_raw(&forge.key, "same"), sign_raw(&forge.key, "same"));
    assert!(first == second || first[..32] != second[..32]);
    // EdDSA is deterministic (RFC 8032).
    let forge = Forge::new(Algorithm::Ed25519);
    assert_eq!(sign_raw(&forge.key, "same"), sign_raw(&forge.key, "same"));
}

#[test]
fn ver_17_a_signature_by_another_key_is_a_bad_signature() {
    for algorithm in [Algorithm::ES256, Algorithm::Ed25519, Algorithm::HS256] {
        let forge = Forge::new(algorithm);
        let other = SigningKey::generate(algorithm).unwrap();
        let good = forge.good();
        let (input, _) = cut(&good);
        refused(&forge, input, &sign_raw(&other, input), "another key");
        let keys = KeySet::new([other.verifying_key()]).unwrap();
        let unknown = daypass_jwt::verify(&good, &forge.policy, &keys, crate::support::NOW).unwrap_err();
        assert!(unknown.is_unknown_key());
    }
}
