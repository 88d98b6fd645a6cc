//! Every kind of answer, and those that only look like one.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use proptest::prelude::*;

use super::*;

const JSON: &str = "application/json";
const PAIR: &str = r#"{"access_token":"a.b.c","token_type":"Bearer","expires_in":600,"refresh_in":480,
    "refresh_token":"dpr_x","generation":8,"session_id":"s","server_time":1750000000000,"scope":"",
    "refresh_expires_in":86400,"later":{"x":[1]}}"#;

fn reply(status: u16, content_type: Option<&str>, body: &[u8]) -> Reply {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    }
    Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_vec().into() }
}

/// The meaning as a word.
fn meaning(reply: &Reply) -> String {
    match read(reply, |json| successor(json, "s", 7)) {
        Ok(Answer::Renewed(pair)) => format!("renewed {}", pair.refresh.generation),
        Ok(Answer::Ended(reason)) => format!("ended {reason:?}"),
        Ok(Answer::Superseded) => "superseded".to_owned(),
        Ok(Answer::Mismatch(generation)) => format!("mismatch {generation}"),
        Ok(Answer::Denied(denial)) => format!("denied {denial:?}"),
        Err(Nothing { status, retry_after: None }) => format!("? {}", status.as_u16()),
        Err(Nothing { status, retry_after: Some(wait) }) => {
            format!("? {}, not for {} s", status.as_u16(), wait.as_secs())
        }
    }
}

#[test]
fn what_the_service_says() {
    let refused = |error: &str| format!(r#"{{"error":"{error}","error_description":"x"}}"#);
    let because = |reason: &str| format!(r#"{{"error":"invalid_grant","reason":"{reason}"}}"#);
    let cases = [
        (200, PAIR.to_owned(), "renewed 8"),
        (400, because("expired"), "ended Expired"),
        (400, because("revoked"), "ended Revoked"),
        (400, because("reused"), "ended Reused"),
        (400, because("of a later version"), "ended Unknown"),
        (400, refused("invalid_grant"), "ended Unknown"),
        (400, because("superseded"), "superseded"),
        (409, r#"{"error":"mismatch","generation":9}"#.to_owned(), "mismatch 9"),
        (400, refused("invalid_request"), "denied Request"),
        (400, refused("invalid_dpop_proof"), "denied Request"),
        (400, refused("invalid_scope"), "denied Scope"),
        (400, refused("invalid_target"), "denied Resource"),
        (400, refused("unauthorized_client"), "denied Grant"),
        (401, refused("invalid_client"), "denied Client"),
        (503, refused("temporarily_unavailable"), "? 503"),
    ];
    for (status, body, expected) in cases {
        for content_type in [JSON, "Application/JSON; charset=utf-8"] {
            assert_eq!(
                meaning(&reply(status, Some(content_type), body.as_bytes())),
                expected,
                "{status} {body}"
            );
        }
    }
}

#[test]
fn what_only_looks_like_an_answer_ends_nothing() {
    let invalid_grant: &[u8] = br#"{"error":"invalid_grant","reason":"revoked"}"#;
    let half = &PAIR.as_bytes()[..PAIR.len() / 2];
    let html = b"<html>Please accept the terms of this hotel</html>";
    let without = |member: &str| PAIR.replace(&format!("\"{member}\":"), "\"other\":").into_bytes();
    let swapped = |from: &str, to: &str| PAIR.replace(from, to).into_bytes();
    let cases: Vec<(u16, Option<&str>, Vec<u8>, &str)> = vec![
        (200, Some("text/html"), html.to_vec(), "? 200"),
        (200, Some("text/html"), PAIR.into(), "? 200"),
        (200, Some(JSON), html.to_vec(), "? 200"),
        (200, Some(JSON), half.to_vec(), "? 200"),
        (200, Some(JSON), b"".to_vec(), "? 200"),
        (200, Some(JSON), b"{}".to_vec(), "? 200"),
        (200, Some(JSON), without("access_token"), "? 200"),
        (200, Some(JSON), without("token_type"), "? 200"),
        (200, Some(JSON), without("expires_in"), "? 200"),
        (200, Some(JSON), without("refresh_token"), "? 200"),
        (200, Some(JSON), without("generation"), "? 200"),
        (200, Some(JSON), without("session_id"), "? 200"),
        (200, Some(JSON), swapped("Bearer", "DPoP"), "? 200"),
        (200, Some(JSON), swapped("a.b.c", "a b"), "? 200"),
        (200, Some(JSON), swapped("a.b.c", ""), "? 200"),
        // Another session's, and one that leads back.
        (200, Some(JSON), swapped("\"s\"", "\"t\""), "? 200"),
        (200, Some(JSON), swapped(":8", ":7"), "? 200"),
        (200, Some(JSON), swapped("600", "-600"), "? 200"),
        (200, None, PAIR.into(), "? 200"),
        (201, Some(JSON), PAIR.into(), "? 201"),
        (302, None, b"".to_vec(), "? 302"),
        (400, Some("text/html"), invalid_grant.to_vec(), "? 400"),
        (400, Some("application/problem+json"), invalid_grant.to_vec(), "? 400"),
        (400, None, invalid_grant.to_vec(), "? 400"),
        (400, Some(JSON), br#"{"error":["invalid_grant"]}"#.to_vec(), "? 400"),
        (400, Some(JSON), b"\"invalid_grant\"".to_vec(), "? 400"),
        (400, Some(JSON), br#"{"error":"invalid_grant""#.to_vec(), "? 400"),
        (400, Some(JSON), br#"{"error":"of a later version"}"#.to_vec(), "? 400"),
        (401, Some(JSON), invalid_grant.to_vec(), "? 401"),
        (403, Some(JSON), invalid_grant.to_vec(), "? 403"),
        (404, Some(JSON), invalid_grant.to_vec(), "? 404"),
        (408, Some(JSON), invalid_grant.to_vec(), "? 408"),
        (429, Some(JSON), invalid_grant.to_vec(), "? 429"),
        (500, Some(JSON), invalid_grant.to_vec(), "? 500"),
        (599, None, b"".to_vec(), "? 599"),
        (409, Some(JSON), invalid_grant.to_vec(), "? 409"),
        (409, Some(JSON), br#"{"error":"mismatch"}"#.to_vec(), "? 409"),
        (409, Some(JSON), br#"{"error":"mismatch","generation":-1}"#.to_vec(), "? 409"),
        (400, Some(JSON), br#"{"error":"mismatch","generation":9}"#.to_vec(), "? 400"),
    ];
    for (status, content_type, body, expected) in cases {
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(
            meaning(&reply(status, content_type, &body)),
            expected,
            "{status} {content_type:?} {shown}"
        );
    }
}

#[test]
fn two_content_types_are_none() {
    let mut answer = reply(400, Some(JSON), br#"{"error":"invalid_grant"}"#);
    answer.headers.append(CONTENT_TYPE, "text/html".parse().unwrap());
    assert_eq!(meaning(&answer), "? 400");
}

#[test]
fn how_long_to_stay_away_is_read_where_it_means_something() {
    let away = |status| {
        let mut answer = reply(status, None, b"");
        answer.headers.insert(RETRY_AFTER, "7".parse().unwrap());
        meaning(&answer)
    };
    for status in [408, 429, 500, 503] {
        assert_eq!(away(status), format!("? {status}, not for 7 s"));
    }
    for status in [200, 301, 400, 403] {
        assert_eq!(away(status), format!("? {status}"));
    }
}

#[test]
fn an_answer_for_a_client_itself_needs_no_session() {
    let json = br#"{"access_token":"a.b.c","token_type":"bearer","expires_in":600,"refresh_in":480}"#;
    let answer = reply(200, Some(JSON), json);
    let Ok(Answer::Renewed(own)) = read(&answer, super::super::OwnToken::read) else { panic!("not read") };
    assert_eq!((own.expires_in, own.refresh_in, own.server_time), (600, Some(480), None));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_only_a_json_400_ends(status in 100u16..600, json: bool, body in ".*") {
        let reply = reply(status, json.then_some(JSON), body.as_bytes());
        let ended = matches!(read(&reply, Pair::read), Ok(Answer::Ended(_)));
        prop_assert!(!ended || (status == 400 && json && body.contains("invalid_grant")));
    }
}
