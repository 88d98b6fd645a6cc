//! What is logged, at the finest level: no token, password, secret or cookie.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{ATTEMPT, Harness, PASSWORD};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    let _subscribed = tracing::subscriber::set_default(subscriber);
    let h = Harness::start().await;
    let ann = h.sign_in("ann").await;
    let cookie = h.sign_in_by_cookie().await.refresh_cookie();
    let bad = json!({ "username": "hunter2-name", "password": "hunter2-secret" });
    h.post("/v1/login").json(&bad).send().await;
    let next = h.renew(&ann.refresh).header("daypass-attempt", ATTEMPT).send().await.tokens();
    h.post("/v1/refresh").cookie(&cookie).genuine().send().await;
    let own = h.client_token("daypass:feed").await;
    h.post("/oauth2/token").basic("backend", "hunter2-secret").form(&[("grant_type", "x")]).send().await;
    h.post("/oauth2/introspect").basic("backend", &h.secret).form(&[("token", &next.access)]).send().await;
    h.get(&format!("/v1/me?access_token={}", next.access)).bearer(&next.access).send().await;
    h.get("/v1/me").bearer("hunter2-secret").send().await;
    h.store.fail();
    h.renew(&next.refresh).send().await;
    h.get("/v1/me").bearer(&next.access).send().await;
    h.post("/v1/logout").cookie(&cookie).genuine().send().await;
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("answered") && log.contains("could not be answered"), "{log}");
    let secrets =
        [&ann.access, &ann.refresh, &next.access, &next.refresh, &cookie, &own, &h.secret, &h.lesser_secret];
    for secret in secrets.into_iter().map(String::as_str).chain([PASSWORD, "hunter2", ATTEMPT, "dpr_", "eyJ"])
    {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}
