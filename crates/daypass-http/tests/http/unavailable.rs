//! A store that cannot answer: 503 with `Retry-After`, never a verdict on somebody's token.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Harness, PASSWORD};
use crate::shown;

#[tokio::test]
async fn nobody_is_told_that_their_token_is_bad() {
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let feed = h.client_token("daypass:feed").await;
    h.store.fail();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &ann.refresh), ("client_id", "daypass")];
    let login = json!({ "username": "ann", "password": PASSWORD });
    let token = json!({ "refresh_token": ann.refresh });
    let password = json!({ "current": PASSWORD, "new": "another good one" });
    let revoke = h.post("/oauth2/revoke").form(&[("token", &ann.refresh), ("client_id", "daypass")]);
    let introspect = h.post("/oauth2/introspect").basic("backend", &h.secret).form(&[("token", &ann.access)]);
    let calls = [
        ("login", h.post("/v1/login").json(&login)),
        ("refresh", h.renew(&ann.refresh)),
        ("refresh by cookie", h.post("/v1/refresh").cookie(&cookie).genuine()),
        ("logout", h.post("/v1/logout").json(&token)),
        ("logout by cookie", h.post("/v1/logout").cookie(&cookie).genuine()),
        ("sessions", h.get("/v1/sessions").bearer(&ann.access)),
        ("me", h.get("/v1/me").bearer(&ann.access)),
        ("password", h.post("/v1/me/password").bearer(&ann.access).json(&password)),
        ("revocations", h.get("/v1/revocations").bearer(&feed)),
        ("token", h.post("/oauth2/token").form(&form)),
        ("revoke", revoke),
        ("introspect", introspect),
    ];
    let mut answers = Vec::new();
    for (name, call) in calls {
        let answer = call.send().await;
        assert_eq!(answer.status, 503, "{name}");
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        assert!(answer.header("set-cookie").is_none(), "{name}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("private"), "{name}");
        answers.push((name, answer));
    }
    assert_snapshot!(shown::all(&answers));
}
