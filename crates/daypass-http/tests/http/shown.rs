//! Answers as text for snapshots. What differs from run to run is replaced, but only after its shape
//! has been checked.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::Answer;

/// Several answers, each under what was asked.
pub(crate) fn all(answers: &[(&str, Answer)]) -> String {
    let mut text = String::new();
    for (asked, answer) in answers {
        write!(text, "# {asked}\n\n{}\n\n", one(answer)).unwrap();
    }
    text.trim_end().to_owned()
}

/// One answer: status, headers, body.
pub(crate) fn one(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    let mut headers: Vec<_> = answer.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        let value = value.to_str().unwrap();
        match name.as_str() {
            "content-length" | "x-content-type-options" => {}
            "set-cookie" => writeln!(text, "set-cookie: {}", cookie(value)).unwrap(),
            "etag" => writeln!(text, "etag: {}", etag(value)).unwrap(),
            name => writeln!(text, "{name}: {value}").unwrap(),
        }
    }
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    if answer.body.is_empty() {
        return text.trim_end().to_owned();
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(mut json) => {
            redact(&mut json);
            write!(text, "\n{}", serde_json::to_string_pretty(&json).unwrap()).unwrap();
        }
        Err(_) => write!(text, "\n{}", String::from_utf8(answer.body.clone()).unwrap()).unwrap(),
    }
    text
}

fn redact(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => {
            let life = members.get("expires_in").and_then(Value::as_u64);
            for (name, value) in members {
                match shape(name, value, life) {
                    Some(shown) => *value = shown.into(),
                    None => redact(value),
                }
            }
        }
        _ => {}
    }
}

/// What to show instead of a member, having checked it.
fn shape(name: &str, value: &Value, life: Option<u64>) -> Option<&'static str> {
    let text = value.as_str().unwrap_or_default();
    let (good, shown) = match name {
        "access_token" => (is_access_token(text), "[access token]"),
        "refresh_token" if value.is_string() => (is_refresh_token(text), "[refresh token]"),
        "session_id" | "sid" | "id" => (is_session_id(text), "[session id]"),
        "sub" if text.starts_with("usr_") => (is_base64url(&text[4..], 22), "[sub of a person]"),
        "jti" => (is_base64url(text, 22), "[jti]"),
        "cursor" => (is_base64url(text, 32), "[cursor]"),
        "kid" => (is_base64url(text, 43), "[kid]"),
        "x" | "y" => (is_base64url(text, 43), "[coordinate]"),
        "refresh_in" => {
            let (life, at) = (life.unwrap(), value.as_u64().unwrap());
            ((life * 6 / 10..=life * 9 / 10).contains(&at), "[six to nine tenths of expires_in]")
        }
        _ => return None,
    };
    assert!(good, "{name} has not the shape that it should have: {value}");
    Some(shown)
}

fn is_base64url(text: &str, length: usize) -> bool {
    text.len() == length && URL_SAFE_NO_PAD.decode(text).is_ok()
}

fn is_access_token(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let header: Value = serde_json::from_slice(&parts[0]).unwrap();
    parts.len() == 3 && header["typ"] == "at+jwt" && header["alg"] == "ES256" && parts[2].len() == 64
}

fn is_refresh_token(text: &str) -> bool {
    text.strip_prefix("dpr_").is_some_and(|rest| is_base64url(rest, 71))
}

fn is_session_id(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.as_bytes()[14] == b'7'
}

fn cookie(line: &str) -> String {
    let (pair, attributes) = line.split_once(';').unwrap();
    let (name, value) = pair.split_once('=').unwrap();
    let shown = match value {
        "" => "",
        token if token.starts_with("dpr_") => {
            assert!(is_refresh_token(token));
            "[refresh token]"
        }
        token => {
            assert!(is_access_token(token));
            "[access token]"
        }
    };
    format!("{name}={shown};{attributes}")
}

fn etag(value: &str) -> &'static str {
    assert!(value.len() > 10 && value.starts_with('"') && value.ends_with('"'), "{value}");
    "[tag]"
}
