//! The application as a process of its own: its folder survives it, and its issuer is what the outside sees.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "../../program.rs"]
mod program;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use program::{LONG, Program};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const ISSUER: &str = "https://app.example/auth";
const PASSWORD: &str = "correct horse battery staple";

struct Stage {
    folder: TempDir,
    http: Client,
}

impl Stage {
    fn set() -> Self {
        Self { folder: TempDir::new().unwrap(), http: Client::builder().no_proxy().build().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embedded"));
        command.args(arguments).env_clear().env("DATA", self.folder.path().join("data"));
        command
    }

    fn add(&self, name: &str, password: &str) -> Output {
        let mut command = self.command(&["add", name]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        child.wait_with_output().unwrap()
    }

    async fn start(&self) -> Program {
        Program::start(self.command(&["serve", "--listen", "127.0.0.1:0"]).env("ISSUER", ISSUER)).await
    }

    async fn get(&self, program: &Program, path: &str) -> (u16, String) {
        answer(self.http.get(format!("{}{path}", program.url))).await
    }

    /// What `/notes` answers to this access token.
    async fn notes(&self, program: &Program, token: &str) -> (u16, String) {
        answer(self.http.get(format!("{}/notes", program.url)).bearer_auth(token)).await
    }

    async fn post(&self, program: &Program, path: &str, body: &Value) -> (u16, String) {
        let request = self.http.post(format!("{}/auth{path}", program.url));
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// Posts, and reads a pair: the access token and the refresh token.
    async fn pair(&self, program: &Program, path: &str, body: &Value) -> (String, String) {
        let (status, text) = self.post(program, path, body).await;
        assert_eq!(status, 200, "{text}");
        let pair: Value = serde_json::from_str(&text).unwrap();
        let text = |member: &str| pair[member].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }
}

async fn answer(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn somebody_signs_in_calls_renews_and_leaves() {
    let stage = Stage::set();
    assert!(stage.add("ada", PASSWORD).status.success());
    let program = stage.start().await;
    let (status, text) = stage.get(&program, "/notes").await;
    assert_eq!(status, 401, "{text}");

    let credentials = json!({ "username": "ada", "password": PASSWORD });
    let (access, refresh) = stage.pair(&program, "/v1/login", &credentials).await;
    let (status, text) = stage.notes(&program, &access).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("usr_") && text.ends_with(" has no notes.\n"), "{text}");

    // Nobody is signed out by a restart, and renewals go on.
    assert!(program.leave().await.success());
    let program = stage.start().await;
    assert_eq!(stage.notes(&program, &access).await.0, 200);
    let (access, refresh) = stage.pair(&program, "/v1/refresh", &json!({ "refresh_token": refresh })).await;
    assert_eq!(stage.notes(&program, &access).await.0, 200);

    let ended = stage.post(&program, "/v1/logout", &json!({ "refresh_token": refresh })).await;
    assert_eq!(ended.0, 204, "{}", ended.1);
    let refused = async {
        while stage.notes(&program, &access).await.0 != 401 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, refused).await.expect("the token is refused long before it expires");
}

#[tokio::test]
async fn everything_is_where_it_belongs() {
    let stage = Stage::set();
    let program = stage.start().await;
    for (path, status) in [
        ("/", 200),
        ("/auth/.well-known/jwks.json", 200),
        ("/.well-known/oauth-authorization-server/auth", 200),
        ("/.well-known/jwks.json", 404),
        ("/v1/me", 404),
        ("/auth/v1/me", 401),
        ("/auth/healthz", 200),
        ("/nowhere", 404),
    ] {
        let got = stage.get(&program, path).await;
        assert_eq!(got.0, status, "{path}: {}", got.1);
    }
    let unknown = stage.get(&program, "/nowhere").await;
    assert_eq!(unknown.1, "", "it is the application that does not know it");
    let (_, metadata) = stage.get(&program, "/.well-known/oauth-authorization-server/auth").await;
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["issuer"], ISSUER);
}

#[test]
fn who_cannot_be_added_is_told_why() {
    let stage = Stage::set();
    assert!(stage.add("ada", PASSWORD).status.success());
    for (name, password, why) in [("ada", PASSWORD, "user of that name"), ("ben", "short", "password")] {
        let output = stage.add(name, password);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
