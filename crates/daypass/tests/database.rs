//! The built program on a PostgreSQL database: every command, two services side by side, and what is
//! answered while the database is gone.

#![allow(clippy::disallowed_methods, reason = "these tests watch a process from outside, in real time")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[allow(dead_code, reason = "other tests use the rest")]
mod program;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use daypass_postgres::testing::Cluster;
use program::{PASSWORD, Served, daypass, eventually, run, succeed};
use serde_json::json;
use tempfile::{TempDir, tempdir};

/// A folder whose configuration names a new database on the cluster.
fn folder_on(cluster: &Cluster) -> TempDir {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(cluster.empty_database());
    let folder = tempdir().unwrap();
    let settings = format!("database = \"{}\"\n", cluster.url(&database));
    fs::write(folder.path().join("daypass.toml"), settings).unwrap();
    folder
}

/// The same, made ready for a service.
fn ready(cluster: &Cluster) -> TempDir {
    let folder = folder_on(cluster);
    succeed(folder.path(), &["migrate"], "");
    succeed(folder.path(), &["keys", "new-master"], "");
    succeed(folder.path(), &["user", "add", "ada", "--password-stdin"], PASSWORD);
    folder
}

fn cluster() -> Cluster {
    Cluster::start(Path::new(env!("CARGO_TARGET_TMPDIR")), "")
}

/// What a command that has to fail says.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments, "");
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_database_is_migrated_by_command_only_and_has_its_master_key_made_by_command_only() {
    let cluster = cluster();
    let folder = folder_on(&cluster);
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    assert!(refusal(folder.path(), &serve).contains("run `daypass migrate` first"));
    assert!(refusal(folder.path(), &["user", "list"]).contains("run `daypass migrate` first"));
    assert!(succeed(folder.path(), &["migrate"], "").contains("has schema version "));
    assert!(succeed(folder.path(), &["migrate"], "").contains("is up to date"));

    assert!(refusal(folder.path(), &serve).contains("daypass keys new-master"));
    succeed(folder.path(), &["keys", "new-master"], "");
    let key = fs::read(folder.path().join("data/master.key")).unwrap();
    assert!(refusal(folder.path(), &["keys", "new-master"]).contains("is there already"));
    assert_eq!(fs::read(folder.path().join("data/master.key")).unwrap(), key);

    let served = Served::start(folder.path(), &[]);
    assert!(
        served.greeting.contains("daypass user add NAME") && !served.greeting.contains(cluster.password())
    );
    assert_eq!(served.get("/readyz", &[]).status, 200);
    assert!(!folder.path().join("data/daypass.db").exists(), "nothing is in SQLite");
}

#[test]
fn a_migration_that_has_to_wait_says_so_and_goes_on() {
    let cluster = cluster();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(cluster.database());
    let folder = tempdir().unwrap();
    let settings = format!("database = \"{}\"\n", cluster.url(&database));
    fs::write(folder.path().join("daypass.toml"), settings).unwrap();
    let holder = runtime.block_on(async {
        cluster.sql(&database, "drop table daypass.lease; update daypass.schema set version = 1").await;
        let holder = cluster.client(&database).await;
        holder.batch_execute("begin; select from daypass.schema for update").await.unwrap();
        holder
    });
    let mut migrate = daypass(folder.path());
    let mut migrating = migrate.arg("migrate").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(migrating.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("a migration waits for others")));
    runtime.block_on(holder.batch_execute("rollback")).unwrap();
    let output = migrating.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("it had 1"));
}

#[test]
fn every_command_works_beside_two_services_that_agree() {
    let cluster = cluster();
    let folder = ready(&cluster);
    // Both have the issuer of the first: a deployment has one.
    let issuer = [("DAYPASS_ISSUER", "http://127.0.0.1:8080")];
    let (one, two) = (Served::start(folder.path(), &issuer), Served::start(folder.path(), &issuer));
    let pair = one.login("ada");
    assert_eq!(two.me(&pair).status, 200, "a token of the one is good at the other");
    let body = json!({"refresh_token": pair["refresh_token"], "attempt": "a".repeat(22)});
    let (first, second) = (one.post("/v1/refresh", &body), two.post("/v1/refresh", &body));
    assert_eq!((first.status, second.status), (200, 200), "{} {}", first.body, second.body);
    assert_eq!(first.json()["refresh_token"], second.json()["refresh_token"], "one lineage");

    assert!(succeed(folder.path(), &["user", "list"], "").contains("ada"));
    assert!(succeed(folder.path(), &["keys", "list"], "").contains("ES256"));
    succeed(folder.path(), &["client", "add", "shop", "--public"], "");
    assert!(succeed(folder.path(), &["client", "list"], "").contains("shop"));
    assert!(succeed(folder.path(), &["session", "list", "ada"], "").contains("daypass"));
    succeed(folder.path(), &["session", "revoke", "--user", "ada"], "");
    for served in [&one, &two] {
        let refused = served.post("/v1/refresh", &json!({"refresh_token": first.json()["refresh_token"]}));
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")), "{refused:?}");
    }
}

#[test]
fn wrong_passwords_at_two_services_are_counted_together() {
    let cluster = cluster();
    let folder = ready(&cluster);
    let settings = [("DAYPASS_LIMITS__ACCOUNT_FAILURES", "4")];
    let (one, two) = (Served::start(folder.path(), &settings), Served::start(folder.path(), &settings));
    let wrong = json!({"username": "ada", "password": "not her password"});
    let mut refused = 0;
    let held = [&one, &two].into_iter().cycle().find_map(|served| {
        let answer = served.post("/v1/login", &wrong);
        refused += u32::from(answer.status == 401);
        (answer.status != 401).then_some(answer)
    });
    let held = held.unwrap();
    assert_eq!(held.status, 429, "{}", held.body);
    assert!(held.head.to_ascii_lowercase().contains("\r\nretry-after: "), "{}", held.head);
    // A service that counted its own alone would let eight pass. Between them a second may go by on a slow machine.
    assert!((4..8).contains(&refused), "{refused}");
}

#[test]
fn a_database_that_is_stopped_is_answered_503_and_recovers_by_itself() {
    let cluster = cluster();
    let folder = ready(&cluster);
    let served = Served::start(folder.path(), &[]);
    let pair = served.login("ada");
    let body = json!({"refresh_token": pair["refresh_token"], "attempt": "b".repeat(22)});
    cluster.stop();
    let begun = Instant::now();
    let refused = served.post("/v1/refresh", &body);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.head.to_ascii_lowercase().contains("\r\nretry-after: "), "{}", refused.head);
    assert!(!refused.body.contains("invalid_grant"));
    eventually(|| (served.get("/readyz", &[]).status == 503).then_some(()));
    assert_eq!(served.get("/healthz", &[]).status, 200, "the process itself is well");

    cluster.start_again();
    let renewed =
        eventually(|| Some(served.post("/v1/refresh", &body)).filter(|answer| answer.status != 503));
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    eventually(|| (served.get("/readyz", &[]).status == 200).then_some(()));
    let (code, log) = served.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains(cluster.password()), "{log}");
}

#[test]
fn no_command_shows_the_databases_password() {
    let cluster = cluster();
    let folder = ready(&cluster);
    cluster.stop();
    let wrong = "postgres://ada:tr0uble@db.example/daypass";
    for arguments in [
        &["check-config"][..],
        &["check-config", "--json"],
        &["user", "list"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["migrate"],
        &["check-config", "--database", wrong],
        &["check-config", "--database", "tr0uble"],
        &["serve", "--database", "postgres://ada:tr0uble@127.0.0.1:1/daypass"],
    ] {
        let output = daypass(folder.path()).args(arguments).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("database") || told.contains("postgres://"), "{arguments:?}: {told}");
        assert!(!told.contains(cluster.password()) && !told.contains("tr0uble"), "{arguments:?}: {told}");
    }
}
