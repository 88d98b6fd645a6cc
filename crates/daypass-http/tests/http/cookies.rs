//! The cookie transport, and requests forged in its name.

use daypass_http::{CookieNames, HttpOptions};
use daypass_service::ServiceConfig;
use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{ATTEMPT, Answer, Calling, Harness, ISSUER, PASSWORD};
use crate::shown;

fn renew(h: &Harness, cookie: &str) -> Calling {
    h.post("/v1/refresh").cookie(cookie).json(&json!({}))
}

#[tokio::test]
async fn a_renewal_by_cookie_answers_with_a_cookie() {
    let h = Harness::start().await;
    let first = h.sign_in_by_cookie().await.refresh_cookie();
    h.pass(3600);
    let answer = renew(&h, &first).genuine().header("daypass-attempt", ATTEMPT).send().await;
    assert_snapshot!(shown::one(&answer));
    assert!(answer.json().get("refresh_token").is_none());
    assert_ne!(answer.refresh_cookie(), first);
    let by_origin = renew(&h, &answer.refresh_cookie()).header("daypass-csrf", "1").header("origin", ISSUER);
    let third = by_origin.send().await;
    assert_eq!(third.json()["generation"], 2);
    // Without a body at all.
    let empty = h.post("/v1/refresh").cookie(&third.refresh_cookie()).genuine().send().await;
    assert_eq!(empty.json()["generation"], 3);
}

#[tokio::test]
async fn a_cookie_lives_no_longer_than_four_hundred_days() {
    let mut config = ServiceConfig::new(ISSUER);
    config.policy.session = None;
    let h = Harness::with(config, HttpOptions::default()).await;
    let answer = h.sign_in_by_cookie().await;
    assert!(answer.header("set-cookie").unwrap().contains("; Max-Age=34560000;"));
    assert!(answer.json().get("refresh_expires_in").is_none());
}

#[tokio::test]
async fn with_an_access_cookie_no_body_holds_a_token() {
    let mut options = HttpOptions::default();
    options.access_cookie = true;
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    let login = h.sign_in_by_cookie().await;
    let cookie = login.refresh_cookie();
    let renewed = renew(&h, &cookie).genuine().send().await;
    let out = h.post("/v1/logout").cookie(&renewed.refresh_cookie()).genuine().send().await;
    assert_snapshot!(shown::all(&[("sign-in", login), ("renewal", renewed), ("log-out", out)]));
}

#[tokio::test]
async fn cookies_can_have_other_names() {
    let mut options = HttpOptions::default();
    options.cookies = CookieNames::new("rt", "at").unwrap();
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    let cookie = h.sign_in_by_cookie().await.cookie("rt").unwrap();
    let call = h.post("/v1/refresh").header("cookie", format!("rt={cookie}")).genuine();
    assert!(call.send().await.cookie("rt").is_some());
}

#[tokio::test]
async fn a_renewal_by_cookie_is_refused() {
    let h = Harness::start().await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let both = h.post("/v1/refresh").cookie(&cookie).genuine().json(&json!({ "refresh_token": cookie }));
    let mismatch = renew(&h, &cookie).genuine().header("daypass-attempt", format!("9:{ATTEMPT}"));
    let text = h.post("/v1/refresh").cookie(&cookie).genuine().body("text/plain", "{}");
    assert_snapshot!(shown::all(&[
        ("forged", renew(&h, &cookie).send().await),
        ("cookie and body", both.send().await),
        ("two cookies", renew(&h, &cookie).cookie(&cookie).genuine().send().await),
        ("mismatch", mismatch.send().await),
        ("damaged", renew(&h, &cookie[..50]).genuine().send().await),
        ("text", text.send().await),
        ("no cookie", h.post("/v1/refresh").genuine().json(&json!({})).send().await),
    ]));
    assert_eq!(renew(&h, &cookie).genuine().send().await.status, 200, "the session lives");
}

#[tokio::test]
async fn a_refusal_clears_the_cookie_only_if_the_session_is_over() {
    let h = Harness::start().await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let cleared = |answer: &Answer| answer.cookie("__Host-Http-daypass").as_deref() == Some("");
    h.post("/v1/logout").json(&json!({ "refresh_token": cookie })).send().await;
    let over = renew(&h, &cookie).genuine().send().await;
    assert_snapshot!(shown::one(&over));
    assert!(cleared(&over));
    // By body, there is no cookie to clear.
    assert!(!cleared(&h.renew(&cookie).send().await));

    // A late copy of an old request: the session lives.
    let first = h.sign_in_by_cookie().await.refresh_cookie();
    let attempt = |cookie: &str| renew(&h, cookie).genuine().header("daypass-attempt", ATTEMPT).send();
    let second = attempt(&first).await.refresh_cookie();
    let third = attempt(&second).await.refresh_cookie();
    attempt(&third).await.refresh_cookie();
    let late = attempt(&first).await;
    assert_eq!(late.json()["reason"], "superseded");
    assert!(!cleared(&late));
}

#[tokio::test]
async fn every_forgery_of_a_request_by_cookie_is_refused() {
    let mut options = HttpOptions::default();
    options.allowed_origins = vec!["https://app.example".to_owned()];
    let h = Harness::with(ServiceConfig::new(ISSUER), options).await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let login = json!({ "username": "ann", "password": PASSWORD, "transport": "cookie" });
    let csrf = ("daypass-csrf", "1");
    let forgeries: [&[(&'static str, &str)]; 11] = [
        &[],
        &[csrf],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", ISSUER)],
        &[csrf, ("sec-fetch-site", "none")],
        &[csrf, ("sec-fetch-site", "same-site")],
        &[csrf, ("sec-fetch-site", "cross-site")],
        &[csrf, ("origin", "null")],
        &[csrf, ("origin", "https://id.example.evil")],
        &[csrf, ("origin", "https://evil.app.example"), ("sec-fetch-site", "same-site")],
        &[("daypass-csrf", "0"), ("sec-fetch-site", "same-origin")],
    ];
    for forged in forgeries {
        let with = |mut call: Calling| {
            for (name, value) in forged {
                call = call.header(name, value);
            }
            call.send()
        };
        let renewal = with(renew(&h, &cookie)).await;
        assert_eq!(renewal.error(), (403, "invalid_request".to_owned()), "{forged:?}");
        assert!(renewal.header("set-cookie").is_none());
        let out = with(h.post("/v1/logout").cookie(&cookie)).await;
        assert_eq!(out.error(), (403, "csrf".to_owned()), "{forged:?}");
        let sign_in = with(h.post("/v1/login").json(&login)).await;
        // A sign-in authenticates by password: it is refused only to a page of somebody else's.
        let foreign = forged.iter().any(|(name, value)| match *name {
            "origin" => *value != ISSUER,
            "sec-fetch-site" => *value != "same-origin",
            _ => false,
        });
        assert_eq!(sign_in.status, if foreign { 403 } else { 200 }, "{forged:?}");
        assert_eq!(sign_in.header("set-cookie").is_none(), foreign, "{forged:?}");
        for answer in [renewal, out, sign_in] {
            assert_eq!(answer.header("vary"), Some("Origin, Sec-Fetch-Site"));
        }
    }
    let allowed = renew(&h, &cookie).header("daypass-csrf", "1").header("origin", "https://app.example");
    assert_eq!(allowed.send().await.status, 200);
}

#[tokio::test]
async fn the_token_endpoint_neither_reads_nor_sets_cookies() {
    let h = Harness::start().await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let form = [("grant_type", "refresh_token"), ("client_id", "daypass")];
    let answer = h.post("/oauth2/token").cookie(&cookie).genuine().form(&form).send().await;
    assert_eq!(answer.error(), (400, "invalid_request".to_owned()));
    assert!(answer.header("set-cookie").is_none());
}
