//! JA-17 to JA-33: the outer form, base64url and JSON.

use daypass_jwt::{Algorithm, VerifyError};
use serde_json::json;

use crate::support::{Forge, ISSUER, NOW, b64, claims};

fn malformed(forge: &Forge, token: &str, what: &str) {
    assert_eq!(forge.refusal(token).code(), "malformed", "{what}");
}

#[test]
fn ja_17_ja_20_ja_22_exactly_three_segments() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three segments") };
    for (token, what) in [
        (String::new(), "empty"),
        (header.to_owned(), "one segment"),
        (format!("{header}.{payload}"), "two segments"),
        (format!("{good}.x"), "four segments"),
        (format!("{good}."), "a trailing dot"),
        (format!(".{good}"), "a leading dot"),
        (format!("{good}.a.b"), "five segments"),
        (format!("{good}.a.b.c"), "six segments"),
        (format!("{header}..{signature}"), "detached payload"),
        (format!(".{payload}.{signature}"), "no header"),
        ("..".to_owned(), "only dots"),
        (".".repeat(16_000), "many dots"),
        (format!("{header}.{payload}.{signature}.{signature}"), "an extra signature"),
        (format!("{good}AA"), "trailing bytes"),
    ] {
        let code = forge.refusal(&token).code();
        assert!(
            code == "malformed" || (what == "trailing bytes" && code == "bad_signature"),
            "{what}: {code}"
        );
    }
    assert_eq!(forge.refusal(&".".repeat(1_000_000)), VerifyError::TooLarge);
    assert!(forge.check(&good).is_ok());
}

#[test]
fn ja_18_base64url_has_one_alphabet_and_no_padding() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    for segment in 0..3 {
        for junk in
            ["=", "==", "+", "/", " ", "\n", "\r\n", "\t", "\0", "%2E", "\"", "{", "\u{3002}", "\u{ff0e}"]
        {
            for place in [0, parts[segment].len() / 2, parts[segment].len()] {
                let mut spoilt: Vec<String> = parts.iter().map(ToString::to_string).collect();
                spoilt[segment].insert_str(place, junk);
                malformed(&forge, &spoilt.join("."), junk);
            }
        }
    }
    malformed(&forge, &good.replacen('.', "\u{3002}", 1), "a look-alike dot");
    malformed(&forge, &good.replacen('.', "%2E", 1), "an escaped dot");
    // Signed as they are: even the owner of the key may not.
    malformed(&forge, &forge.seal(&format!("{}=.{}", parts[0], parts[1])), "padding under the signature");
}

#[test]
fn ja_19_base64url_is_canonical() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    // 64 bytes leave four unused bits: the last character is one of A, Q, g, w.
    for (canonical, other) in [("A", "B"), ("Q", "R"), ("g", "h"), ("w", "x")] {
        if let Some(stem) = good.strip_suffix(canonical) {
            malformed(&forge, &format!("{stem}{other}"), "unused bits in the signature");
        }
    }
    for (header, payload) in [(" ", ""), ("", " "), ("  ", ""), ("", "  ")] {
        // With white space the length varies, and some of these leave unused bits.
        let header = b64(format!("{}{header}", forge.header()));
        let payload = b64(format!("{}{payload}", claims()));
        for (index, text) in [(0, &header), (1, &payload)] {
            if text.len() % 4 == 0 {
                continue;
            }
            let last = text.chars().last().unwrap();
            let next = char::from(u8::try_from(last).unwrap() + 1);
            let spoilt = format!("{}{next}", &text[..text.len() - 1]);
            let input = if index == 0 { format!("{spoilt}.{payload}") } else { format!("{header}.{spoilt}") };
            malformed(&forge, &forge.seal(&input), "unused bits under the signature");
        }
    }
    malformed(&forge, &forge.seal(&format!("{}.{}", parts[0], "AAAAA")), "a length of 1 modulo 4");
}

#[test]
fn ja_21_json_serialisation_is_refused() {
    let forge = Forge::new(Algorithm::ES256);
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    let flat = json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] });
    let general =
        json!({ "payload": parts[1], "signatures": [{ "protected": parts[0], "signature": parts[2] }] });
    malformed(&forge, &flat.to_string(), "flattened");
    malformed(&forge, &general.to_string(), "general");
    malformed(&forge, &format!("{{\"x\":\"{good}\"}}"), "both");
}

#[test]
fn ja_23_size_is_looked_at_first() {
    let forge = Forge::new(Algorithm::ES256);
    assert_eq!(forge.refusal(&"\u{0}".repeat(16 * 1024 + 1)), VerifyError::TooLarge);
    let forge = forge.with_policy(|policy| policy.max_token_bytes(100));
    assert_eq!(forge.refusal(&forge.good()), VerifyError::TooLarge);
    let forge = forge.with_policy(|policy| policy);
    for list in ["Bearer {}", "{} {}", "{},{}"] {
        malformed(&forge, &list.replace("{}", &forge.good()), list);
    }
}

#[test]
fn ja_24_ja_25_encryption_is_not_spoken() {
    let forge = Forge::new(Algorithm::ES256);
    let jwe = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    malformed(&forge, &format!("{jwe}.a.b.c.d"), "five segments");
    let pbes2 =
        json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": i32::MAX, "zip": "DEF" }).to_string();
    assert_eq!(forge.refusal(&forge.token(pbes2, "{}")), VerifyError::Algorithm);
    assert_eq!(forge.header_with("enc", Some(json!("A128GCM"))).unwrap_err(), VerifyError::Header("enc"));
}

#[test]
fn ja_27_nesting_is_not_spoken() {
    let forge = Forge::new(Algorithm::ES256);
    assert_eq!(forge.header_with("cty", Some(json!("JWT"))).unwrap_err(), VerifyError::Header("cty"));
    assert!(matches!(forge.claims_text(forge.good()).unwrap_err(), VerifyError::Malformed(_)));
}

#[test]
fn ja_28_members_are_unique() {
    let forge = Forge::new(Algorithm::ES256);
    let (header, payload) = (forge.header().to_string(), claims().to_string());
    let doubled = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    for member in [r#""alg":"ES256""#, r#""\u0061lg":"ES256""#, r#""typ":"at+jwt""#, r#""x":{"a":1,"a":1}"#] {
        malformed(&forge, &forge.token(doubled(&header, member), &payload), member);
    }
    for member in [
        r#""aud":"https://api.example""#,
        r#""\u0061ud":"x""#,
        r#""exp":9999999999"#,
        r#""sub":"root""#,
        r#""name":"Eve""#,
        r#""deep":{"a":[{"b":1,"b":2}]}"#,
    ] {
        malformed(&forge, &forge.token(&header, doubled(&payload, member)), member);
    }
    assert!(forge.check(&forge.token(header, doubled(&payload, r#""other":{"a":1,"b":1}"#))).is_ok());
}

#[test]
fn ja_29_ja_30_ja_32_header_and_payload_are_one_json_object() {
    let forge = Forge::new(Algorithm::ES256);
    let (header, payload) = (forge.header().to_string().into_bytes(), claims().to_string().into_bytes());
    let utf16: Vec<u8> =
        String::from_utf8(payload.clone()).unwrap().encode_utf16().flat_map(u16::to_be_bytes).collect();
    let append = |suffix: &[u8]| [&payload[..], suffix].concat();
    for text in [
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        b"1".to_vec(),
        b"null".to_vec(),
        b" ".to_vec(),
        payload[..payload.len() - 1].to_vec(),
        append(b"x"),
        append(b"{}"),
        append(b"\0"),
        append(b"//"),
        [b"\xef\xbb\xbf", &payload[..]].concat(),
        utf16,
        b"{\"iss\":\"\xff\"}".to_vec(),
        br#"{"iss":"\ud83d"}"#.to_vec(),
        b"{/* */}".to_vec(),
        b"{\"exp\":NaN}".to_vec(),
        b"{\"exp\":Infinity}".to_vec(),
        b"{\"exp\":1e999}".to_vec(),
        b"{\"exp\":01}".to_vec(),
        b"{\"exp\":0x1}".to_vec(),
        b"{\"exp\":1,}".to_vec(),
        b"{'exp':1}".to_vec(),
    ] {
        malformed(&forge, &forge.token(&header, &text), &String::from_utf8_lossy(&text));
        malformed(&forge, &forge.token(&text, &payload), &String::from_utf8_lossy(&text));
    }
    // White space around an object is JSON.
    assert!(forge.check(&forge.token(&header, append(b" \r\n\t"))).is_ok());
}

#[test]
fn ja_30_no_control_characters_in_names() {
    let forge = Forge::new(Algorithm::ES256);
    assert_eq!(forge.claim_with("iss", Some(json!(format!("{ISSUER}\0")))).unwrap_err(), VerifyError::Issuer);
    for claim in ["sub", "client_id", "jti", "sid"] {
        assert_eq!(forge.claim_with(claim, Some(json!("a\0b"))).unwrap_err(), VerifyError::Claim(claim));
    }
    for kid in ["a\0", "a\r\nb"] {
        assert_eq!(forge.header_with("kid", Some(json!(kid))).unwrap_err(), VerifyError::Header("kid"));
    }
}

#[test]
fn ja_31_depth_and_size_are_bounded() {
    let forge = Forge::new(Algorithm::ES256).with_policy(|policy| policy.max_token_bytes(1024 * 1024));
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for levels in [17, 200, 10_000, 100_000] {
        let payload = claims().to_string().replacen('{', &format!("{{\"x\":{},", deep(levels)), 1);
        malformed(&forge, &forge.token(forge.header().to_string(), payload), "depth");
    }
    let many: Vec<String> = (0..50_000).map(|index| format!("\"k{index}\":0")).collect();
    let payload = claims().to_string().replacen('{', &format!("{{{},", many.join(",")), 1);
    malformed(&forge, &forge.token(forge.header().to_string(), payload), "many members");
    let long = json!({ "x": "y".repeat(1_000_000), "exp": NOW }).to_string();
    assert_eq!(forge.claims_text(long).unwrap_err(), VerifyError::TooLarge);
    let payload = claims().to_string().replacen('{', &format!("{{\"x\":{},", deep(8)), 1);
    assert!(forge.claims_text(payload).is_ok());
}

#[test]
fn ja_33_reserved_names_reach_nobody() {
    let forge = Forge::new(Algorithm::ES256);
    for name in ["__proto__", "constructor"] {
        assert!(
            forge.claim_with(name, Some(json!({ "admin": true }))).is_ok(),
            "{name} is a name like any other"
        );
    }
    let smuggled = json!({ "$serde_json::private::RawValue": "{\"admin\":true}" });
    assert_eq!(forge.claim_with("x", Some(smuggled)).unwrap_err().code(), "malformed");
}
