//! The commands as processes of their own, against a real service whose tokens expire after a second.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod stage;

use daypass_testkit::{Fault, Gate, NAME, PASSWORD};
use stage::{Stage, until, within};

const REFRESH: &str = "/v1/refresh";
const ME: &str = "/me";

/// How many commands are given at a time.
const AT_A_TIME: usize = 4;

#[tokio::test]
async fn it_stays_signed_in_whatever_becomes_of_its_processes() {
    let stage = Stage::set().await;
    stage.login().await;
    let (session, mut answered) = (stage.record().await.session_id, 0);

    // A process is killed whose renewal is still on its way, and arrives when others have taken its place.
    stage.until_expired().await;
    let late = stage.killed_at(REFRESH, Fault::HoldRequest).await;
    answered += stage.ask(AT_A_TIME).await;
    let before = stage.harmless().await;
    late.open();
    within(until(async || stage.harmless().await > before)).await;

    // Another is killed when the service has renewed and nobody knows yet.
    stage.until_expired().await;
    let lost = stage.killed_at(REFRESH, Fault::HoldResponse).await;
    answered += stage.ask(AT_A_TIME).await;
    lost.open();
    assert!(stage.service.repeats().await > 0, "what the killed one was given is given again");

    // Another has renewed and is killed while it waits for the API.
    stage.until_expired().await;
    stage.killed_at(ME, Fault::HoldResponse).await.open();
    answered += stage.ask(AT_A_TIME).await;

    // An answer of the service gets lost.
    stage.until_expired().await;
    stage.service.faults().next(REFRESH, Fault::LoseResponse);
    answered += stage.ask(AT_A_TIME).await;

    // Nothing is in the way.
    stage.until_expired().await;
    answered += stage.ask(AT_A_TIME).await;

    assert_eq!(answered, 20);
    assert_eq!(stage.record().await.session_id, session);
    let renewals = stage.service.renewals().await;
    assert!(renewals.rotated >= 5, "{renewals:?}");
    // Only what was late may have been refused, and to nobody who was still there.
    assert_eq!((renewals.refused(), renewals.reused), (renewals.superseded, 0), "{renewals:?}");
}

#[tokio::test]
async fn signing_out_ends_the_session_at_the_service() {
    let stage = Stage::set().await;
    stage.login().await;
    assert_eq!(stage.run(&["status"]).await.code, 0);
    let token = stage.record().await.refresh_token;

    let out = stage.run(&["logout"]).await;
    assert_eq!((out.code, &*out.stdout), (0, "Signed out.\n"), "{}", out.stderr);
    let (status, answer) = stage.refresh(token.expose()).await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(answer["reason"], "revoked");

    for command in ["status", "whoami"] {
        let out = stage.run(&[command]).await;
        assert_eq!(out.code, 3, "{command}: {}{}", out.stdout, out.stderr);
    }
    assert_eq!(stage.run(&["logout"]).await.code, 0, "there is nothing left to end");
    stage.login().await;
    assert_eq!(stage.ask(1).await, 1);
}

#[tokio::test]
async fn signing_out_while_the_service_is_away_is_signing_out() {
    let stage = Stage::set().await;
    stage.login().await;
    stage
        .service
        .faults()
        .always("/v1/logout", daypass_testkit::Canned::status(503).header("retry-after", "3600"));
    let out = stage.run(&["logout"]).await;
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert!(out.stdout.contains("could not be told"), "{}", out.stdout);
    assert_eq!(stage.run(&["whoami"]).await.code, 3);
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_secrets() {
    let stage = Stage::set().await;
    let nobody = stage.run(&["whoami"]).await;
    assert_eq!(nobody.code, 3);
    assert!(nobody.stderr.contains("nobody has signed in"), "{}", nobody.stderr);

    let wrong = stage.run_with(&["login", NAME, "--password-stdin"], "an old password\n").await;
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("password is wrong"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("an old password"));

    stage.login().await;
    let twice = stage.run_with(&["login", NAME, "--password-stdin"], PASSWORD).await;
    assert_eq!(twice.code, 1);
    assert!(twice.stderr.contains("logout` first"), "{}", twice.stderr);

    within(stage.api.stop()).await;
    let away = stage.run(&["whoami"]).await;
    assert_eq!(away.code, 1);
    let record = stage.record().await;
    for secret in [record.refresh_token.expose(), record.access.as_ref().unwrap().token.expose(), PASSWORD] {
        assert!(!format!("{}{}{}", away.stdout, away.stderr, twice.stderr).contains(secret));
    }
    within(stage.api.restart()).await;
    assert_eq!(stage.ask(1).await, 1, "the session was kept");
}

impl Stage {
    /// How often a rotation was asked for again, in time or too late.
    async fn harmless(&self) -> u64 {
        let renewals = self.service.renewals().await;
        renewals.repeated + renewals.superseded
    }

    /// Starts a command that is held at this path, and kills it there.
    async fn killed_at(&self, path: &str, hold: impl Fn(Gate) -> Fault) -> Gate {
        let gate = Gate::new();
        let faults = if path == ME { self.api.faults() } else { self.service.faults() };
        faults.next(path, hold(gate.clone()));
        let mut process = self.command(&["whoami"]).spawn().unwrap();
        within(gate.arrived()).await;
        process.kill().unwrap();
        assert!(!process.wait().unwrap().success(), "it was killed");
        gate
    }
}
