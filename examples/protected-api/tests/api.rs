//! The API as a process of its own, called with the tokens of a real service.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "../../program.rs"]
mod program;

use std::process::Command;
use std::time::Duration;

use daypass_testkit::TestService;
use program::{LONG, Program};
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Client, RequestBuilder, Response};
use tokio::time::{sleep, timeout};

/// The service and the API, which follows the list of ended sessions.
struct Stage {
    service: TestService,
    api: Program,
    http: Client,
}

impl Stage {
    async fn set() -> Self {
        let service = TestService::builder().system_clock().start().await;
        let (client, secret) = service.client();
        let mut command = command();
        command.env("ISSUER", service.url()).env("FEED_CLIENT", client).env("FEED_SECRET", secret);
        let api = Program::start(&mut command).await;
        let http = Client::builder().no_proxy().build().unwrap();
        let stage = Self { service, api, http };
        timeout(LONG, stage.until(async || stage.get("/readyz", None).await.status() == 200)).await.unwrap();
        stage
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Response {
        let request = self.http.get(format!("{}{path}", self.api.url));
        token.into_iter().fold(request, RequestBuilder::bearer_auth).send().await.unwrap()
    }

    async fn text(&self, path: &str, token: Option<&str>) -> String {
        self.get(path, token).await.text().await.unwrap()
    }

    async fn until(&self, holds: impl AsyncFn() -> bool) {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Signs somebody in: the session and the access token.
    async fn sign_in(&self) -> (String, String) {
        let pair = self.service.sign_in().await;
        let text = |member: &str| pair[member].as_str().unwrap().to_owned();
        (text("session_id"), text("access_token"))
    }

    /// A token of a program for itself, good for this scope.
    async fn program_token(&self, scope: &str) -> String {
        let (client, secret) = self.service.client();
        let request = self.http.post(format!("{}/oauth2/token", self.service.url()));
        let request = request
            .basic_auth(client, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type=client_credentials&scope={scope}"));
        let answer: serde_json::Value =
            serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_protected-api"));
    command.env_clear().env("LISTEN", "127.0.0.1:0");
    command
}

#[tokio::test]
async fn who_may_call_what() {
    let stage = Stage::set().await;
    let (_, ada) = stage.sign_in().await;
    let feed_only = stage.program_token("daypass:feed").await;
    let (nobody, ada, program, junk) = (None, Some(&*ada), Some(&*feed_only), Some("junk"));
    for (path, caller, status) in [
        ("/", nobody, 200),
        ("/", junk, 200),
        ("/greeting", nobody, 200),
        ("/greeting", ada, 200),
        ("/greeting", junk, 401),
        ("/me", nobody, 401),
        ("/me", junk, 401),
        ("/me", ada, 200),
        ("/me", program, 200),
        ("/orders", nobody, 401),
        ("/orders", program, 403),
        ("/orders", ada, 200),
        ("/nowhere", nobody, 404),
        ("/healthz", nobody, 200),
    ] {
        let got = stage.get(path, caller).await.status();
        assert_eq!(got, status, "{path} with {}", caller.map_or("nothing", |token| token.get(..4).unwrap()));
    }
    assert_eq!(stage.text("/greeting", nobody).await, "Welcome.\n");
    assert_eq!(stage.text("/greeting", ada).await, "Welcome back, ada.\n");
    assert!(stage.text("/me", ada).await.starts_with("You are ada, usr_"));
    let metrics = stage.text("/metrics", None).await;
    assert!(metrics.contains("daypass_verify_feed_stale"), "{metrics}");
}

#[tokio::test]
async fn a_session_that_has_ended_is_refused() {
    let stage = Stage::set().await;
    let ((ended, token), (_, other)) = (stage.sign_in().await, stage.sign_in().await);
    assert_eq!(stage.get("/me", Some(&token)).await.status(), 200);
    stage.service.revoke_session(&ended).await;
    let refused = async || stage.get("/me", Some(&token)).await.status() == 401;
    timeout(LONG, stage.until(refused)).await.expect("the token is refused long before it expires");
    let answer = stage.get("/me", Some(&token)).await;
    let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(stage.get("/me", Some(&other)).await.status(), 200, "only that session has ended");
}

#[tokio::test]
async fn it_leaves_when_it_is_asked_to() {
    let stage = Stage::set().await;
    let status = stage.api.leave().await;
    assert!(status.success(), "{status}");
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let said = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&mut command()).contains("--issuer <URL>"));
    let half = said(command().env("ISSUER", "https://id.example").env("FEED_CLIENT", "api"));
    assert!(half.contains("--feed-secret"), "{half}");
    let open = said(command().env("ISSUER", "http://id.example"));
    assert!(open.starts_with("protected-api: ") && open.contains("http"), "{open}");
}
