//! The service as a process of its own, between a real token service and an API.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../../program.rs"]
mod program;

use std::process::Command;

use axum::Router;
use axum::routing::get;
use daypass_testkit::{Canned, Fault, FaultyServer, Gate, TestService};
use daypass_verify::axum::Auth;
use daypass_verify::{RemoteKeys, Verifier};
use program::{LONG, Program};
use reqwest::{Client, Response};
use tokio::task::JoinSet;
use tokio::time::timeout;

const TOKEN: &str = "/oauth2/token";

struct Stage {
    service: TestService,
    api: FaultyServer,
    http: Client,
}

impl Stage {
    async fn set() -> Self {
        let service = TestService::builder().system_clock().start().await;
        let verifier = Verifier::builder()
            .issuer(service.url())
            .audience(service.url())
            .keys(RemoteKeys::new(format!("{}/.well-known/jwks.json", service.url())))
            .build()
            .unwrap();
        let orders = async |caller: Auth| format!("{} has no orders.", caller.subject());
        let router =
            Router::new().route("/orders", get(orders)).layer(verifier.layer().require_scope("orders"));
        let api = FaultyServer::start(router).await;
        Self { service, api, http: Client::builder().no_proxy().build().unwrap() }
    }

    fn command(&self) -> Command {
        let (id, secret) = self.service.client();
        let mut command = Command::new(env!("CARGO_BIN_EXE_service-to-service"));
        command.env_clear().env("LISTEN", "127.0.0.1:0");
        command.env("ISSUER", self.service.url()).env("API", self.api.url());
        command.env("CLIENT_ID", id).env("CLIENT_SECRET", secret);
        command
    }

    async fn ask(&self, program: &Program) -> Response {
        self.http.get(format!("{}/report", program.url)).send().await.unwrap()
    }
}

#[tokio::test]
async fn many_calls_share_one_token() {
    let stage = Stage::set().await;
    let program = Program::start(&mut stage.command()).await;
    // The token is held back, so that there are calls that have to wait for it.
    let gate = Gate::new();
    stage.service.faults().next(TOKEN, Fault::HoldRequest(gate.clone()));
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        asking.spawn(stage.http.get(format!("{}/report", program.url)).send());
    }
    timeout(LONG, gate.arrived()).await.expect("somebody asks for a token");
    gate.open();
    for answer in timeout(LONG, asking.join_all()).await.unwrap() {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "The report. backend has no orders.\n");
    }
    assert_eq!(stage.ask(&program).await.status(), 200);
    assert_eq!(stage.api.faults().served("/orders"), 51);
    assert_eq!(stage.service.faults().arrived(TOKEN), 1);
    assert!(program.leave().await.success());
}

#[tokio::test]
async fn callers_learn_whether_to_come_again_and_nothing_else() {
    let stage = Stage::set().await;
    let program = Program::start(&mut stage.command()).await;
    stage.service.faults().next(TOKEN, Canned::status(503).header("retry-after", "600"));
    let answer = stage.ask(&program).await;
    assert_eq!(answer.status(), 503);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");

    let strange = Program::start(stage.command().env("CLIENT_SECRET", "dps_of_somebody_else")).await;
    let answer = stage.ask(&strange).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.text().await.unwrap(), "The orders cannot be had.\n");

    // A token with which the API is not content.
    stage.api.faults().next("/orders", Canned::status(403).body("the secret of the orders"));
    let third = Program::start(&mut stage.command()).await;
    let answer = stage.ask(&third).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.text().await.unwrap(), "The orders cannot be had.\n");
}

#[test]
fn what_is_missing_is_said() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_service-to-service"));
    let output = command.env_clear().output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--client-id") && said.contains("--client-secret"), "{said}");
}
