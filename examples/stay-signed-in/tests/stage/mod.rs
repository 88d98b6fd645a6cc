//! A service, an API and a file; and commands that are processes of their own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use daypass_client::store::TokenStore as _;
use daypass_client::{FileStore, Record};
use daypass_testkit::{FaultyServer, NAME, PASSWORD, TestService};
use daypass_verify::axum::Auth;
use daypass_verify::{RemoteKeys, Verifier};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

/// The life of access tokens: the shortest there is, since tests wait for it to be over.
const ACCESS: Duration = Duration::from_secs(1);

/// Seconds for which the API lets an expired token pass: however slow the machine is, no call comes too late.
const LEEWAY: u32 = 300;

/// How long anything may take. It is there against hanging: nothing is about time.
const LONG: Duration = Duration::from_mins(2);

pub(crate) struct Stage {
    pub(crate) service: TestService,
    pub(crate) api: FaultyServer,
    folder: TempDir,
}

/// How a command ended, and what it said.
pub(crate) struct Out {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let service = TestService::builder().access(ACCESS).system_clock().start().await;
        let verifier = Verifier::builder()
            .issuer(service.url())
            .audience(service.url())
            .keys(RemoteKeys::new(format!("{}/.well-known/jwks.json", service.url())))
            .leeway_seconds(LEEWAY)
            .build()
            .unwrap();
        let router = Router::new().route("/me", get(me)).layer(verifier.layer());
        Self { service, api: FaultyServer::start(router).await, folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("settings/session.json")
    }

    /// What the file holds.
    pub(crate) async fn record(&self) -> Record {
        FileStore::open(self.path()).unwrap().load().await.unwrap().record.expect("somebody is signed in")
    }

    /// Waits until nobody can do with the access token in the file.
    pub(crate) async fn until_expired(&self) {
        let clock = self.service.ambient();
        let access = self.record().await.access.unwrap();
        let expires = Duration::from_millis(access.requested_at_ms) + access.lifetime();
        within(until(async || clock.wall() > expires)).await;
    }

    pub(crate) async fn login(&self) {
        let out = self.run_with(&["login", NAME, "--password-stdin"], &format!("{PASSWORD}\n")).await;
        assert_eq!(out.code, 0, "{}", out.stderr);
    }

    /// Gives several commands at a time, which are all answered; how many.
    pub(crate) async fn ask(&self, number: usize) -> usize {
        let mut asking = JoinSet::new();
        for _ in 0..number {
            asking.spawn(ended(self.command(&["whoami"]), String::new()));
        }
        for out in asking.join_all().await {
            assert_eq!(out.code, 0, "{}", out.stderr);
            assert!(out.stdout.starts_with("usr_"), "{}", out.stdout);
        }
        number
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Out {
        self.run_with(arguments, "").await
    }

    pub(crate) async fn run_with(&self, arguments: &[&str], stdin: &str) -> Out {
        ended(self.command(arguments), stdin.to_owned()).await
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stay-signed-in"));
        command.args(arguments).env_clear();
        command.env("ISSUER", self.service.url()).env("API", self.api.url()).env("STORE", self.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Asks the service to renew by this token, without attempt id.
    pub(crate) async fn refresh(&self, token: &str) -> (u16, Value) {
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = request
            .post(format!("{}/v1/refresh", self.service.url()))
            .header("content-type", "application/json")
            .body(serde_json::json!({ "refresh_token": token }).to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

pub(crate) async fn within<T>(waiting: impl Future<Output = T>) -> T {
    timeout(LONG, waiting).await.expect("it does not hang")
}

/// Looks again and again.
pub(crate) async fn until(holds: impl AsyncFn() -> bool) {
    while !holds().await {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a command to its end.
async fn ended(mut command: Command, stdin: String) -> Out {
    let mut child = command.spawn().unwrap();
    // A command that reads nothing may have ended before.
    let _unread = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let id = Pid::from_child(&child);
    let ending = spawn_blocking(move || child.wait_with_output());
    let output = timeout(LONG, ending).await.unwrap_or_else(|_| {
        // Or this process would wait for it for ever.
        kill_process(id, Signal::KILL).unwrap();
        panic!("the command does not end");
    });
    let output = output.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or_else(|| panic!("{}", output.status));
    Out { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn me(caller: Auth) -> String {
    caller.subject().to_owned()
}
