//! The built program from end to end: the walks of a new user, the command line beside a running
//! service, and what the log must not hold.

#![allow(clippy::disallowed_methods, reason = "these tests watch a process from outside, in real time")]

mod program;

use program::{Demo, PASSWORD, Served, eventually, run, succeed};
use serde_json::{Value, json};
use tempfile::tempdir;

/// Without grace, a replayed token is reuse at once and nobody has to wait.
const STRICT: &[(&str, &str)] = &[("DAYPASS_TOKENS__GRACE", "0")];

fn add_user(folder: &std::path::Path, name: &str, more: &[&str]) {
    let arguments = [&["user", "add", name, "--password-stdin"], more].concat();
    succeed(folder, &arguments, PASSWORD);
}

#[test]
fn a_first_start_on_nothing_works_and_says_what_to_do_next() {
    let folder = tempdir().unwrap();
    let served = Served::start(folder.path(), &[]);
    assert!(
        served.greeting.contains("Made new keys in data")
            && served.greeting.contains("daypass user add NAME --data data")
    );
    for file in ["data/daypass.db", "data/master.key"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    assert_eq!(served.get("/healthz", &[]).status, 200);
    assert_eq!(served.get("/readyz", &[]).status, 200);
    let (code, _) = served.stop();
    assert_eq!(code, Some(0), "SIGTERM is a way to leave");

    add_user(folder.path(), "ada", &[]);
    let served = Served::start(folder.path(), &[]);
    assert!(
        !served.greeting.contains("Made new keys") && !served.greeting.contains("user add"),
        "{}",
        served.greeting
    );
}

#[test]
fn a_thief_ends_every_session_of_the_subject_and_of_nobody_else() {
    let folder = tempdir().unwrap();
    add_user(folder.path(), "ada", &["--claims", r#"{"name":"Ada"}"#]);
    add_user(folder.path(), "ben", &[]);
    let served = Served::start(folder.path(), STRICT);
    let (laptop, phone, ben) = (served.login("ada"), served.login("ada"), served.login("ben"));
    let me = served.me(&laptop).json();
    assert_eq!((me["username"].as_str(), me["claims"]["name"].as_str()), (Some("ada"), Some("Ada")));

    let stolen = json!({"refresh_token": laptop["refresh_token"]});
    let successor = served.post("/v1/refresh", &stolen);
    assert_eq!(successor.status, 200);
    let replay = served.post("/v1/refresh", &stolen);
    assert_eq!(replay.status, 400);
    assert_eq!(
        (replay.json()["error"].clone(), replay.json()["reason"].clone()),
        (json!("invalid_grant"), json!("reused"))
    );

    for dead in [&laptop, &phone, &successor.json()] {
        assert_eq!(served.me(dead).status, 401);
        let refresh = served.post("/v1/refresh", &json!({"refresh_token": dead["refresh_token"]}));
        assert_eq!((refresh.status, refresh.json()["reason"].clone()), (400, json!("reused")));
    }
    assert_eq!(served.me(&ben).status, 200);
    assert_eq!(served.me(&served.login("ada")).status, 200, "signing in again works");
}

#[test]
fn sessions_are_listed_with_device_address_and_times_and_logging_out_twice_is_fine() {
    let folder = tempdir().unwrap();
    add_user(folder.path(), "ada", &[]);
    let served = Served::start(folder.path(), &[]);
    let body = json!({"username": "ada", "password": PASSWORD, "label": "Ada's phone"}).to_string();
    let headers = [("Content-Type", "application/json"), ("User-Agent", "Telephone/1.0")];
    let phone = served.send("POST", "/v1/login", &headers, &body).json();
    let bearer = format!("Bearer {}", phone["access_token"].as_str().unwrap());
    let sessions = served.get("/v1/sessions", &[("Authorization", &bearer)]).json();
    let session = &sessions["sessions"][0];
    assert_eq!(session["label"], "Ada's phone");
    assert_eq!(session["user_agent"], "Telephone/1.0");
    assert_eq!(session["address"], "127.0.0.1");
    assert_eq!(session["current"], true);
    for time in ["created_at", "seen_at", "expires_at"] {
        assert!(session[time].as_i64().unwrap() > 1_700_000_000, "{time}");
    }
    let listed = succeed(folder.path(), &["session", "list", "ada", "--json"], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["items"][0]["id"], session["id"]);
    let everybodys = succeed(folder.path(), &["session", "list"], "");
    assert!(everybodys.contains(session["id"].as_str().unwrap()), "{everybodys}");

    for _ in 0..2 {
        let answer = served.post("/v1/logout", &json!({"refresh_token": phone["refresh_token"]}));
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    assert_eq!(served.me(&phone).status, 401);
}

#[test]
fn the_command_line_is_noticed_by_a_running_service() {
    let folder = tempdir().unwrap();
    let served = Served::start(folder.path(), &[]);
    add_user(folder.path(), "ada", &[]);
    let pair = served.login("ada");

    let added = succeed(folder.path(), &["client", "add", "api", "--scope", "daypass:feed", "--json"], "");
    let added: Value = serde_json::from_str(&added).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id=api&client_secret={}",
        added["client_secret"].as_str().unwrap()
    );
    let token = eventually(|| {
        let answer = served.post_form("/oauth2/token", &[], &form);
        (answer.status == 200).then(|| answer.json())
    });
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let feed = served.get("/v1/revocations", &[("Authorization", &bearer)]).json();
    assert_eq!((feed["reset"].clone(), feed["complete"].clone()), (json!(true), json!(true)));

    let keys = || served.get("/.well-known/jwks.json", &[]).json()["keys"].as_array().unwrap().len();
    assert_eq!(keys(), 1);
    succeed(folder.path(), &["keys", "rotate"], "");
    eventually(|| (keys() == 2).then_some(()));

    succeed(folder.path(), &["user", "disable", "ada"], "");
    assert_eq!(served.me(&pair).status, 401);
    let refused = served.post("/v1/refresh", &json!({"refresh_token": pair["refresh_token"]}));
    assert_eq!((refused.status, refused.json()["reason"].clone()), (400, json!("revoked")));
    let cursor = feed["cursor"].as_str().unwrap();
    let after = served.get(&format!("/v1/revocations?since={cursor}"), &[("Authorization", &bearer)]).json();
    assert!(after["entries"][0]["not_before_ms"].is_i64(), "{after}");
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_lost() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("daypass.toml"), "isuer = \"http://127.0.0.1:1\"\n").unwrap();
    let refused = run(folder.path(), &["check-config"], "");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("isuer") && told.contains("issuer"), "{told}");
    std::fs::remove_file(folder.path().join("daypass.toml")).unwrap();
    assert!(succeed(folder.path(), &["check-config"], "").contains("issuer"));

    add_user(folder.path(), "ada", &[]);
    for (arguments, expected) in [
        (&["user", "add", "ada", "--password-stdin"][..], "already"),
        (&["user", "add", "cy", "--password-stdin", "--claims", r#"{"sub":"x"}"#], "sub"),
        (&["user", "disable", "nobody"], "no user"),
        (&["session", "revoke", "nonsense"], "UUID"),
        (&["client", "remove", "nobody"], "no registered client"),
        (&["client", "add", "x", "--public", "--grant", "client_credentials"], "public client"),
    ] {
        let refused = run(folder.path(), arguments, PASSWORD);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains(expected), "{arguments:?}: {told}");
        assert!(!told.contains(PASSWORD) && !told.contains("panicked"), "{told}");
    }
    let refused = run(folder.path(), &["user", "add", "weak", "--password-stdin"], "short");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("at least 8 characters"));

    let served = Served::start(folder.path(), &[]);
    drop(served);
    std::fs::remove_file(folder.path().join("data/master.key")).unwrap();
    let refused = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"], "");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("master key") && told.contains("missing"), "{told}");
    assert!(!folder.path().join("data/master.key").exists(), "no other key takes its place");
}

#[test]
fn a_shared_secret_signs_and_is_never_published() {
    let folder = tempdir().unwrap();
    let settings = [("DAYPASS_TOKENS__ALGORITHM", "HS256")];
    std::fs::write(folder.path().join("short"), "too short").unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let import = |file| run(folder.path(), &["keys", "import", "--alg", "HS256", "--secret-file", file], "");
    assert!(!import("short").status.success());
    assert!(import("secret").status.success());
    add_user(folder.path(), "ada", &[]);
    let served = Served::start(folder.path(), &settings);
    let pair = served.login("ada");
    assert_eq!(served.me(&pair).status, 200);
    assert_eq!(served.get("/.well-known/jwks.json", &[]).json(), json!({"keys": []}));
}

/// Runs everything there is at trace level, and looks for what must not be in the log.
#[test]
fn no_log_holds_a_token_a_password_or_a_cookie() {
    let folder = tempdir().unwrap();
    add_user(folder.path(), "ada", &[]);
    let added =
        succeed(folder.path(), &["client", "add", "api", "--scope", "daypass:introspect", "--json"], "");
    let added: Value = serde_json::from_str(&added).unwrap();
    let secret = added["client_secret"].as_str().unwrap().to_owned();
    let served = Served::start(folder.path(), &[("DAYPASS_LOG", "trace"), ("DAYPASS_TOKENS__GRACE", "0")]);
    let mut secrets = vec![PASSWORD.to_owned(), secret.clone(), "wrong password here".to_owned()];
    let mut keep = |pair: &Value| {
        for member in ["access_token", "refresh_token"] {
            secrets.extend(pair[member].as_str().map(str::to_owned));
        }
    };
    let pair = served.login("ada");
    keep(&pair);
    served.post("/v1/login", &json!({"username": "ada", "password": "wrong password here"}));
    served.me(&pair);
    let attempt = "attempt-id-attempt-id-22";
    let next = served
        .post("/v1/refresh", &json!({"refresh_token": pair["refresh_token"], "attempt": attempt}))
        .json();
    keep(&next);
    served.post("/v1/refresh", &json!({"refresh_token": "dpr_damaged-token-damaged-token"}));
    let form =
        format!("token={}&client_id=api&client_secret={secret}", next["refresh_token"].as_str().unwrap());
    assert_eq!(served.post_form("/oauth2/introspect", &[], &form).json()["active"], true);
    let origin = format!("http://{}", served.address);
    let body = json!({"username": "ada", "password": PASSWORD, "transport": "cookie"}).to_string();
    let headers = [("Content-Type", "application/json"), ("Origin", origin.as_str()), ("Daypass-CSRF", "1")];
    let cookie = served.send("POST", "/v1/login", &headers, &body);
    keep(&cookie.json());
    let line = cookie
        .head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("set-cookie: __host-http-daypass="));
    let value = line.unwrap().split_once('=').unwrap().1.split(';').next().unwrap().to_owned();
    let named = format!("__Host-Http-daypass={value}");
    let refreshed =
        served.send("POST", "/v1/refresh", &[headers.as_slice(), &[("Cookie", &named)]].concat(), "{}");
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    served.post("/v1/refresh", &json!({"refresh_token": pair["refresh_token"]}));
    served.post("/v1/logout", &json!({"refresh_token": next["refresh_token"]}));
    secrets.extend([value, attempt.to_owned()]);

    let (_, log) = served.stop();
    assert!(log.contains("DEBUG") && log.contains("answered"), "the log tells of each request");
    for secret in &secrets {
        assert!(secret.len() > 10 && !log.contains(secret.as_str()), "the log holds {}…", &secret[..8]);
        // Nor a good part of it, in whatever shape.
        assert!(
            !log.contains(&secret[secret.len() - 20.min(secret.len())..]),
            "the log holds the end of a secret"
        );
    }
}

#[test]
fn the_demo_keeps_every_promise_and_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &[]);
    let story = demo.rest();
    assert!(demo.wait().success(), "{story}");
    assert!(story.contains("Every step came out as promised.") && !story.contains('✗'), "{story}");
    for promise in [
        "✓ the service has counted one renewal",
        "✓ thief: the API refuses a token that is not old",
        "✓ ben: the call is served by the API",
    ] {
        assert!(story.contains(promise), "{promise}: {story}");
    }
    assert!(demo.is_gone(), "the demo waits for the end of both");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "and removes its folder");
}

#[test]
fn a_demo_that_is_killed_takes_its_api_along() {
    let folder = tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--keep"]);
    assert!(!demo.is_gone(), "service and API listen");
    demo.kill();
    assert!(!demo.wait().success());
    eventually(|| demo.is_gone().then_some(()));
}

#[test]
fn a_demo_that_is_left_ends_both() {
    let folder = tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--keep"]);
    demo.leave();
    demo.wait();
    assert!(demo.is_gone());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_demos_api_wants_to_be_told_what_to_do() {
    let folder = tempdir().unwrap();
    for input in ["", "no JSON\n", "{}\n"] {
        let refused = run(folder.path(), &["demo-api"], input);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{input:?}");
    }
    let help = String::from_utf8(run(folder.path(), &["--help"], "").stdout).unwrap();
    assert!(help.contains("demo") && !help.contains("demo-api"), "it is nobody else's command: {help}");
}
