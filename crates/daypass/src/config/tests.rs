//! Tests of the configuration as a whole: what each key accepts and refuses, which source wins, and how
//! mistakes are told.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{Fallback, KEYS, SECTIONS};
use super::{
    Algorithm, Config, ConfigError, CookiePrefix, LogFormat, MasterKey, Network, OnReuse, Overrides, Source,
    Sources, Unshown,
};

/// Sources under a folder of their own, which is removed at the end.
struct Bench {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join("daypass.toml");
        let sources = Sources {
            config: None,
            usual,
            variables: Unshown::default(),
            overrides: Overrides::default(),
            cores: 6,
        };
        Self { folder, sources }
    }

    fn file(self, text: &str) -> Self {
        std::fs::write(&self.sources.usual, text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.variables.0.push((name.into(), value.into()));
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::from_sources(&self.sources)
    }

    /// The report, without the folder's name.
    fn errors(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let problems = self.load().unwrap_err().problems;
        problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

fn file(text: &str) -> Bench {
    Bench::new().file(text)
}

fn variable(name: &str, value: &str) -> Bench {
    Bench::new().variable(name, value)
}

/// The one error that this file leads to.
fn refused(text: &str) -> String {
    let errors = file(text).errors();
    assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
    errors.into_iter().next().unwrap()
}

fn loaded(text: &str) -> Config {
    file(text).load().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = Bench::new().load().unwrap();
    assert_eq!(config.issuer, "http://127.0.0.1:8080");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data, PathBuf::from("./daypass-data"));
    assert_eq!(config.metrics_listen, None);
    assert!(config.allowed_origins.is_empty() && config.return_to.is_empty());
    assert!(!config.behind_proxy && config.trusted_proxies.is_empty());
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    assert_eq!(config.audience, config.issuer);
    let tokens = &config.tokens;
    assert_eq!(tokens.access, Duration::from_mins(10));
    assert_eq!(tokens.session, Some(Duration::from_hours(180 * 24)));
    assert_eq!((tokens.idle, tokens.grace), (None, Duration::from_secs(10)));
    assert_eq!((tokens.on_reuse, tokens.algorithm), (OnReuse::Subject, Algorithm::ES256));
    assert!(!tokens.access_cookie);
    assert_eq!(config.cookies.refresh, "__Host-Http-daypass");
    assert_eq!(config.cookies.access, "__Host-Http-daypass-at");
    assert_eq!(config.keys.rotate_every, Some(Duration::from_hours(90 * 24)));
    assert_eq!(config.keys.publish_ahead, Duration::from_mins(10));
    assert_eq!(config.keys.master_key, MasterKey::File(PathBuf::from("./daypass-data/master.key")));
    let limits = &config.limits;
    assert_eq!((limits.account_failures, limits.address_failures), (10, 50));
    assert_eq!((limits.password_workers, limits.password_queue), (3, 256));
    assert_eq!((limits.connections, limits.request_queue), (10_000, 4096));
    assert_eq!((limits.header_timeout.as_secs(), limits.body_timeout.as_secs()), (10, 10));
    assert_eq!((config.store.cache, config.store.readers, config.store.batch), (56 << 20, 2, 512));
    assert_eq!(config.retention.events, Some(Duration::from_hours(90 * 24)));
    assert!(config.remarks().is_empty());
}

#[test]
fn every_key_of_the_table_is_read_and_shown_once() {
    let shown = Bench::new().load().unwrap().shown;
    assert_eq!(shown.len(), KEYS.len());
    for (shown, key) in shown.iter().zip(KEYS) {
        assert!(shown.is(&key.dotted()), "{}", key.dotted());
        assert!(SECTIONS.iter().any(|(section, _)| *section == key.section));
        assert!(matches!(key.default, Fallback::Unset(_)) || shown.toml().is_some(), "{}", key.dotted());
    }
}

/// A value other than the default for each key, in TOML and as the environment spells it.
const OTHERS: &[(&str, &str, &str)] = &[
    ("issuer", r#""https://app.example/auth""#, "https://app.example/auth"),
    ("listen", r#""[::1]:9000""#, "[::1]:9000"),
    ("data", r#""/var/lib/daypass""#, "/var/lib/daypass"),
    (
        "database",
        r#""postgres://daypass@localhost:5432/daypass""#,
        "postgres://daypass@localhost:5432/daypass",
    ),
    ("metrics_listen", r#""127.0.0.1:9100""#, "127.0.0.1:9100"),
    (
        "allowed_origins",
        r#"["https://a.example", "https://b.example:8443"]"#,
        "https://a.example, https://b.example:8443",
    ),
    ("return_to", r#"["https://a.example/home"]"#, "https://a.example/home"),
    ("behind_proxy", "true", "true"),
    ("trusted_proxies", r#"["10.0.0.0/8", "fd00::7"]"#, "10.0.0.0/8,fd00::7"),
    ("log", r#""info,daypass_http=trace""#, "info,daypass_http=trace"),
    ("log_format", r#""json""#, "json"),
    ("audience", r#""api""#, "api"),
    ("tokens.access", r#""5m""#, "5m"),
    ("tokens.session", r#""36h""#, "36h"),
    ("tokens.idle", r#""14d""#, "14d"),
    ("tokens.grace", r#""500ms""#, "500ms"),
    ("tokens.on_reuse", r#""session""#, "session"),
    ("tokens.algorithm", r#""Ed25519""#, "Ed25519"),
    ("tokens.access_cookie", "true", "true"),
    ("cookies.refresh", r#""__Host-rt""#, "__Host-rt"),
    ("cookies.access", r#""__Host-at""#, "__Host-at"),
    ("keys.rotate_every", r#""30d""#, "30d"),
    ("keys.publish_ahead", r#""1h""#, "1h"),
    ("keys.master_key_file", r#""/run/secrets/key""#, "/run/secrets/key"),
    ("keys.master_key_command", r#"["vault", "read"]"#, "vault,read"),
    ("limits.account_failures", "5", "5"),
    ("limits.address_failures", "25", "25"),
    ("limits.password_workers", "1", "1"),
    ("limits.password_queue", "64", "64"),
    ("limits.connections", "500", "500"),
    ("limits.header_timeout", r#""2s""#, "2s"),
    ("limits.body_timeout", r#""3s""#, "3s"),
    ("limits.request_queue", "128", "128"),
    ("store.cache", r#""1GiB""#, "1GiB"),
    ("store.readers", "4", "4"),
    ("store.batch", "64", "64"),
    ("store.lanes", "4", "4"),
    ("store.connections", "16", "16"),
    ("retention.events", r#""7d""#, "7d"),
];

/// Other keys that must be set for some key to have its other value.
fn companions(key: &str) -> &'static str {
    match key {
        "behind_proxy" => "trusted_proxies = [\"10.0.0.7\"]\n",
        "trusted_proxies" => "behind_proxy = true\n",
        _ => "",
    }
}

fn show(config: &Config, key: &str) -> Option<String> {
    config.shown.iter().find(|shown| shown.is(key)).unwrap().toml()
}

#[test]
fn every_key_is_taken_from_the_file_and_from_the_environment() {
    assert_eq!(OTHERS.len(), KEYS.len());
    let defaults = Bench::new().load().unwrap();
    for ((dotted, toml, plain), key) in OTHERS.iter().zip(KEYS) {
        assert_eq!(*dotted, key.dotted());
        let heading = if key.section.is_empty() { String::new() } else { format!("[{}]\n", key.section) };
        let text = format!("{}{heading}{} = {toml}\n", companions(dotted), key.name);
        let bench = file(&text);
        let config = bench.load().unwrap_or_else(|error| panic!("{text}: {error}"));
        let value = show(&config, dotted);
        assert_ne!(value, show(&defaults, dotted), "{dotted} has the default's value");
        if !key.secret {
            assert_eq!(value.as_deref(), Some(*toml), "{dotted}");
        }
        let line = text.lines().count();
        let path = bench.sources.usual.clone();
        assert_eq!(config.source_of(dotted), Some(&Source::File { path, line }));

        let bench = file(companions(dotted)).variable(&key.variable(), plain);
        let config = bench.load().unwrap_or_else(|error| panic!("{}: {error}", key.variable()));
        assert_eq!(show(&config, dotted), value, "{}", key.variable());
        assert_eq!(config.source_of(dotted), Some(&Source::Variable(key.variable())));
    }
}

#[test]
fn flags_outweigh_the_environment_which_outweighs_the_file() {
    let text = "issuer = 'https://file.example'\nlisten = '127.0.0.1:1001'\ndata = 'file'\n[tokens]\naccess = '1m'\n";
    let mut bench = file(text)
        .variable("DAYPASS_LISTEN", "127.0.0.1:1002")
        .variable("DAYPASS_DATA", "variable")
        .variable("DAYPASS_ISSUER", "https://variable.example")
        .variable("DAYPASS_TOKENS__ACCESS", "2m");
    let config = bench.load().unwrap();
    assert_eq!((config.issuer.as_str(), config.listen.port()), ("https://variable.example", 1002));
    assert_eq!((config.data, config.tokens.access.as_secs()), (PathBuf::from("variable"), 120));

    bench.sources.overrides = Overrides {
        listen: Some("127.0.0.1:1003".into()),
        data: Some("flag".into()),
        database: None,
        issuer: Some("https://flag.example".into()),
    };
    let config = bench.load().unwrap();
    assert_eq!((config.issuer.as_str(), config.listen.port()), ("https://flag.example", 1003));
    assert_eq!(config.data, PathBuf::from("flag"));
    assert_eq!(config.source_of("issuer"), Some(&Source::Flag("--issuer")));
    assert_eq!(config.keys.master_key, MasterKey::File(PathBuf::from("flag/master.key")));
}

#[test]
fn a_value_that_is_outweighed_is_not_judged() {
    let config = file("[tokens]\naccess = 'soon'\n").variable("DAYPASS_TOKENS__ACCESS", "2m").load().unwrap();
    assert_eq!(config.tokens.access.as_secs(), 120);
}

#[test]
fn the_file_is_the_flags_or_the_variables_or_the_usual_one() {
    let mut bench = file("log = 'warn'");
    for (name, log) in [("flag.toml", "error"), ("variable.toml", "debug")] {
        std::fs::write(bench.folder.path().join(name), format!("log = '{log}'")).unwrap();
    }
    assert_eq!(bench.load().unwrap().log, "warn");
    let named = bench.folder.path().join("variable.toml");
    bench.sources.variables.0.push(("DAYPASS_CONFIG".into(), named.into()));
    assert_eq!(bench.load().unwrap().log, "debug");
    bench.sources.config = Some(bench.folder.path().join("flag.toml"));
    assert_eq!(bench.load().unwrap().log, "error");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let mut bench = Bench::new();
    bench.sources.config = Some(bench.folder.path().join("absent.toml"));
    let errors = bench.errors();
    assert!(
        errors[0].starts_with("--config: the configuration file absent.toml cannot be read: "),
        "{errors:?}"
    );
    let bench = Bench::new().variable("DAYPASS_CONFIG", "/nowhere/absent.toml");
    assert!(bench.errors()[0].starts_with("DAYPASS_CONFIG: the configuration file /nowhere/absent.toml"));
    let errors = variable("DAYPASS_CONFIG", "").errors();
    assert_eq!(errors, ["DAYPASS_CONFIG: is empty; expected the path of a file"]);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let mut bench = file(
        "issuer = 'http://app.example'\nlog_formt = 'json'\n\n[tokens]\naccess = 600\nsession = '1w'\n\n[tokns]\nidle = '0'\n",
    )
    .variable("DAYPASS_TOKENS__GRACE", "2m")
    .variable("DAYPASS_STORE_CACHE", "1MiB")
    .variable("DAYPASS_COOKIES__ACCESS", "a b");
    bench.sources.overrides.listen = Some("8080".into());
    let expected = [
        "daypass.toml:1: issuer = \"http://app.example\": is http on a host that is not a loopback one; expected an https URL (http on a loopback host only), without query, fragment, user or trailing slash",
        "daypass.toml:2: unknown key `log_formt`; the nearest is `log_format`",
        "daypass.toml:5: tokens.access = 600: has no unit: write \"600s\" if seconds are meant; expected a duration of whole seconds from 1s to 1h",
        "daypass.toml:6: tokens.session = \"1w\": has the unknown unit \"w\"; there are ms, s, m, h and d, one at a time; expected a duration of whole seconds, or 0",
        "daypass.toml:8: unknown section [tokns]; the nearest is [tokens]",
        "DAYPASS_STORE_CACHE: unknown variable; the nearest is `DAYPASS_STORE__CACHE`",
        "DAYPASS_TOKENS__GRACE: tokens.grace = \"2m\": is too large; expected a duration up to 60s, or 0",
        "DAYPASS_COOKIES__ACCESS: cookies.access = \"a b\": has the character ' ', which no cookie name may have; expected a cookie name (RFC 6265) of at most 128 characters, other than `cookies.refresh`",
        "--listen: listen = \"8080\": is a port alone: write \"127.0.0.1:8080\"; expected an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    ];
    assert_eq!(bench.errors(), expected);
    let report = bench.load().unwrap_err().to_string();
    assert!(report.starts_with("the configuration has 9 errors\n  "), "{report}");
}

#[test]
fn unknown_keys_name_the_nearest() {
    let near = |text: &str| refused(text).split('`').nth(3).unwrap().to_owned();
    assert_eq!(near("isuer = 'x'"), "issuer");
    assert_eq!(near("access = '5m'"), "tokens.access");
    assert_eq!(near("[tokens]\nacess = '5m'"), "tokens.access");
    assert_eq!(near("[tokens]\nalg = 'ES256'"), "tokens.algorithm");
    assert_eq!(near("[limits]\nheader-timeout = '5s'"), "limits.header_timeout");
    assert_eq!(near("[store]\npassword_workers = 3"), "limits.password_workers");
    assert_eq!(near("Listen = 'x'"), "listen");
    let near = |name: &str| variable(name, "x").errors()[0].split('`').nth(1).unwrap().to_owned();
    assert_eq!(near("DAYPASS_TOKENS_ACCESS"), "DAYPASS_TOKENS__ACCESS");
    assert_eq!(near("DAYPASS_ACCESS"), "DAYPASS_TOKENS__ACCESS");
    assert_eq!(near("DAYPASS_TOKEN__ACCES"), "DAYPASS_TOKENS__ACCESS");
    assert_eq!(near("DAYPASS_ISUER"), "DAYPASS_ISSUER");
    assert_eq!(near("DAYPASS_tokens__access"), "DAYPASS_TOKENS__ACCESS");
}

#[test]
fn a_section_is_not_a_key_and_a_key_is_not_a_section() {
    assert_eq!(
        refused("tokens = 5"),
        "daypass.toml:1: `tokens` is a section: write [tokens] and its keys below"
    );
    assert!(refused("[issuer]\nx = 1").starts_with("daypass.toml:1: issuer: is a table, not a string;"));
    assert_eq!(
        refused("[[tokens]]\naccess = '1m'"),
        "daypass.toml:1: `tokens` is a section: write [tokens] and its keys below"
    );
}

#[test]
fn a_file_that_is_not_toml_is_reported_by_line_without_quoting_it() {
    let errors = file("log = 'info'\naudience = hunter2\n").variable("DAYPASS_TOKENS__GRACE", "2m").errors();
    assert!(errors[0].starts_with("daypass.toml:2: is not TOML: "), "{errors:?}");
    assert!(!errors.iter().any(|error| error.contains("hunter2")));
    assert!(errors.last().unwrap().starts_with("DAYPASS_TOKENS__GRACE"), "{errors:?}");
    assert!(file("log = 'info'\nlog = 'warn'\n").errors()[0].starts_with("daypass.toml:2: is not TOML: "));
}

#[test]
fn variables_of_others_are_left_alone() {
    let links = [
        ("DAYPASS_SERVICE_HOST", "10.0.0.1"),
        ("DAYPASS_SERVICE_PORT", "8080"),
        ("DAYPASS_SERVICE_PORT_HTTP", "8080"),
        ("DAYPASS_PORT", "tcp://10.0.0.1:8080"),
        ("DAYPASS_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("DAYPASS_PORT_8080_TCP_PROTO", "tcp"),
        ("DAYPASS_METRICS_PORT_9100_TCP_ADDR", "10.0.0.1"),
        ("DAYPASS_BENCH_PASSWORD", "x"),
        ("DAYPASSPORT", "x"),
        ("HOME", "/root"),
    ];
    let bench = links.iter().fold(Bench::new(), |bench, (name, value)| bench.variable(name, value));
    bench.load().unwrap();
    assert_eq!(variable("DAYPASS_PORT", "8080").errors().len(), 1);
    assert_eq!(variable("DAYPASS_PORT_X_TCP", "8080").errors().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_an_error() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut bench = Bench::new();
    bench.sources.variables.0.push(("DAYPASS_LOG".into(), OsString::from_vec(vec![0xff])));
    assert!(bench.errors()[0].starts_with("DAYPASS_LOG: is not UTF-8; expected a filter"));
    bench.sources.variables = Unshown(vec![(OsString::from_vec(b"DAYPASS_\xff".to_vec()), "x".into())]);
    bench.load().unwrap();
    bench.sources.overrides.data = Some(OsString::from_vec(vec![0xff]).into());
    assert_eq!(bench.errors(), ["--data: is not UTF-8; expected the path of a folder"]);
}

#[test]
fn an_empty_variable_unsets_an_optional_key_and_empties_a_list() {
    let text =
        "metrics_listen = '127.0.0.1:9100'\naudience = 'api'\nallowed_origins = ['https://a.example']\n";
    let config = file(text)
        .variable("DAYPASS_METRICS_LISTEN", "")
        .variable("DAYPASS_AUDIENCE", "")
        .variable("DAYPASS_ALLOWED_ORIGINS", "")
        .load()
        .unwrap();
    assert_eq!((config.metrics_listen, config.audience.as_str()), (None, "http://127.0.0.1:8080"));
    assert!(config.allowed_origins.is_empty());
    assert_eq!(variable("DAYPASS_LISTEN", "").errors().len(), 1);
}

#[test]
fn durations() {
    let access = |value: &str| loaded(&format!("[tokens]\naccess = {value}\n")).tokens.access;
    assert_eq!(access("'90s'"), Duration::from_secs(90));
    assert_eq!(access("'1h'"), Duration::from_hours(1));
    assert_eq!(access("'1s'"), Duration::from_secs(1));
    assert_eq!(access("'2000ms'"), Duration::from_secs(2));
    let none = loaded(
        "[tokens]\nsession = '0'\nidle = 0\ngrace = '0s'\n[retention]\nevents = 0\n[keys]\nrotate_every = '0'\n",
    );
    assert_eq!((none.tokens.session, none.tokens.idle, none.tokens.grace), (None, None, Duration::ZERO));
    assert_eq!((none.retention.events, none.keys.rotate_every), (None, None));
    let cases = [
        ("access = '0'", "is too small"),
        ("access = 0", "is too small"),
        ("access = '61m'", "is too large"),
        ("access = '1500ms'", "is not of whole seconds"),
        ("access = '600'", "has no unit: write \"600s\" if seconds are meant"),
        ("access = 600", "has no unit: write \"600s\" if seconds are meant"),
        ("access = -1", "is not a duration such as"),
        ("access = '+5m'", "is not a duration such as"),
        ("access = '1.5m'", "is not a duration such as"),
        ("access = '5 m'", "is not a duration such as"),
        ("access = 'm'", "is not a duration such as"),
        ("access = ''", "is not a duration such as"),
        ("access = '5M'", "has the unknown unit \"M\""),
        ("access = '1h30m'", "has the unknown unit \"h30m\""),
        ("access = true", "is true or false, not a duration"),
        ("access = ['1m']", "is a list, not a duration"),
        ("access = 1.5", "is a fraction, not a duration"),
        ("access = 07:32:00", "is a date or time, not a duration"),
        ("session = '36501d'", "is longer than a hundred years"),
        ("session = '99999999999999999999d'", "is too large"),
        ("session = '18446744073709551615d'", "is longer than a hundred years"),
        ("grace = '61s'", "is too large"),
    ];
    for (line, reason) in cases {
        let error = refused(&format!("[tokens]\n{line}\n"));
        assert!(error.starts_with("daypass.toml:2: tokens.") && error.contains(reason), "{line}: {error}");
        assert!(error.contains("; expected a duration"), "{error}");
    }
    loaded("[tokens]\naccess = '10m'\nsession = '10m'\nidle = '600s'\ngrace = '60s'\n");
}

#[test]
fn other_durations_keep_their_bounds() {
    for line in
        ["[keys]\nrotate_every = '59s'", "[keys]\npublish_ahead = '0'", "[keys]\npublish_ahead = '8d'"]
    {
        refused(line);
    }
    for line in ["header_timeout = '99ms'", "header_timeout = '0'", "body_timeout = '6m'"] {
        refused(&format!("[limits]\n{line}"));
    }
    refused("[retention]\nevents = '59m'");
    let error = refused("[keys]\nrotate_every = '10m'\n");
    assert!(error.contains("is no longer than keys.publish_ahead = \"10m\""), "{error}");
}

#[test]
fn sizes() {
    let cache = |value: &str| loaded(&format!("[store]\ncache = '{value}'\n")).store.cache;
    assert_eq!(cache("48MiB"), 48 << 20);
    assert_eq!(cache("2048KiB"), 2 << 20);
    assert_eq!(cache("1048576B"), 1 << 20);
    assert_eq!(cache("64GiB"), 64 << 30);
    let cases = [
        ("'48'", "has no unit: write \"48MiB\" or \"48B\""),
        ("48", "has no unit"),
        ("'48MB'", "has the unknown unit \"MB\""),
        ("'1023KiB'", "is too small"),
        ("'65GiB'", "is too large"),
        ("'18446744073709551615GiB'", "is too large"),
        ("'lots'", "is not a size such as"),
        ("true", "is true or false, not a size"),
    ];
    for (value, reason) in cases {
        let error = refused(&format!("[store]\ncache = {value}\n"));
        assert!(error.contains(reason) && error.contains("expected a size"), "{value}: {error}");
    }
}

#[test]
fn numbers_and_booleans_are_strict() {
    let cases = [
        ("[limits]\nconnections = 0", "is too small"),
        ("[limits]\nconnections = -1", "is negative"),
        ("[limits]\nconnections = 1000001", "is too large"),
        ("[limits]\nconnections = '100'", "is a number in quotes"),
        ("[limits]\nconnections = 'many'", "is a string, not a whole number"),
        ("[limits]\nconnections = 1.0", "is a fraction, not a whole number"),
        ("[limits]\npassword_workers = 0", "is too small"),
        ("[limits]\npassword_workers = 1025", "is too large"),
        ("[store]\nreaders = 0", "is too small"),
        ("[store]\nreaders = 65", "is too large"),
        ("[store]\nbatch = 0", "is too small"),
        ("behind_proxy = 'true'", "stands in quotes: write true"),
        ("behind_proxy = 1", "is a number, not true or false"),
        ("log = 5", "is a number, not a string"),
        ("[tokens]\naccess_cookie = 'yes'", "is a string, not true or false"),
    ];
    for (text, reason) in cases {
        let error = refused(text);
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!(variable("DAYPASS_LIMITS__CONNECTIONS", "+5").errors()[0].contains("is not a whole number"));
    assert!(variable("DAYPASS_LIMITS__CONNECTIONS", "").errors()[0].contains("is not a whole number"));
    assert!(variable("DAYPASS_BEHIND_PROXY", "1").errors()[0].contains("is neither true nor false"));
}

#[test]
fn choices_are_exact() {
    for (word, algorithm) in
        [("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256), ("HS256", Algorithm::HS256)]
    {
        assert_eq!(loaded(&format!("[tokens]\nalgorithm = '{word}'")).tokens.algorithm, algorithm);
    }
    assert!(refused("[tokens]\nalgorithm = 'es256'").contains("is spelt \"ES256\""));
    assert!(refused("[tokens]\nalgorithm = 'EdDSA'").contains("is none of the choices"));
    assert!(refused("[tokens]\nalgorithm = 'none'").contains("is none of the choices"));
    assert!(refused("[tokens]\non_reuse = 'ignore'").contains("expected \"subject\" or \"session\""));
    assert!(refused("log_format = 'pretty'").contains("expected \"text\" or \"json\""));
    assert!(refused("log = 'a=b=c'").contains("is no filter"));
    assert!(refused("log = ' '").contains("is empty"));
}

#[test]
fn issuers() {
    for good in [
        "https://app.example",
        "https://app.example/auth",
        "https://app.example:8443/a/b",
        "https://10.0.0.7",
        "https://[2001:db8::1]:8443",
        "https://xn--bcher-kva.example",
        "http://127.0.0.1:8080",
        "http://127.8.8.8",
        "http://[::1]:8080/auth",
        "http://localhost:3000",
        "http://auth.localhost",
    ] {
        assert_eq!(loaded(&format!("issuer = '{good}'")).issuer, good);
    }
    for (bad, reason) in [
        ("http://app.example", "is http on a host that is not a loopback one"),
        ("http://10.0.0.7", "is http on a host that is not a loopback one"),
        ("http://127.0.0.1.example", "is http on a host that is not a loopback one"),
        ("http://localhost.example", "is http on a host that is not a loopback one"),
        ("http://[::2]", "is http on a host that is not a loopback one"),
        ("https://app.example/", "ends in a slash"),
        ("https://app.example/auth/", "ends in a slash"),
        ("https://app.example?a=b", "has a query"),
        ("https://app.example/?", "has a query"),
        ("https://app.example#top", "has a fragment"),
        ("https://anna@app.example", "has a user"),
        ("HTTPS://app.example", "has a scheme that is not in lower case"),
        ("https://App.example", "has a host that is not in lower case"),
        ("https://app.example:443", "names the default port"),
        ("http://127.0.0.1:80", "names the default port"),
        ("https://app.example:0", "has a port that is not a number from 1 to 65535"),
        ("https://app.example:08443", "has a port that is not a number from 1 to 65535"),
        ("https://app.example:99999", "has a port that is not a number from 1 to 65535"),
        ("https://app.example:", "has a port that is not a number from 1 to 65535"),
        ("https://", "has no host"),
        ("https:///auth", "has no host"),
        ("https://app_1.example", "has a host that is no domain name"),
        ("https://-app.example", "has a host that is no domain name"),
        ("https://app..example", "has a host that is no domain name"),
        ("https://1.2.3.4.5", "has a host that is no IPv4 address"),
        ("https://0x7f.1", "has a host that is no IPv4 address"),
        ("https://[::1", "has a host that is no IPv6 address"),
        ("https://[::1]x", "has a host that is no IPv6 address"),
        ("https://[0:0::1]", "has a host that is spelt [::1]"),
        ("https://app.example/a//b", "has an empty path segment"),
        ("https://app.example/a/../b", "has a path with dots to resolve"),
        ("https://app.example/%2E%2e/b", "has a path with dots to resolve"),
        ("https://app.example/%zz", "has a broken % escape"),
        ("https://app.example/a%", "has a broken % escape"),
        ("https://app.example/.well-known/x", "well-known"),
        ("https://app.example/a b", "has the character ' '"),
        ("https://app.example\\auth", "has the character '\\\\'"),
        ("https://bücher.example", "has the character 'ü'"),
        ("ftp://app.example", "is neither https nor http"),
        ("app.example", "is not an absolute URL"),
        ("https:app.example", "is not an absolute URL"),
        ("", "is empty"),
    ] {
        let error = refused(&format!("issuer = '{bad}'"));
        assert!(error.contains(reason), "{bad}: {error}");
    }
    assert!(
        refused(&format!("issuer = 'https://a.example/{}'", "a".repeat(500))).contains("longer than 512")
    );
}

#[test]
fn an_issuer_that_is_not_set_follows_the_listener() {
    let config = loaded("listen = '[::1]:9000'");
    assert_eq!(
        (config.issuer.as_str(), config.audience.as_str()),
        ("http://[::1]:9000", "http://[::1]:9000")
    );
    assert_eq!(loaded("listen = '127.0.0.1:80'").issuer, "http://127.0.0.1");
    let error = refused("listen = '0.0.0.0:8080'");
    assert!(
        error.contains("issuer: is not set and cannot be derived from listen = \"0.0.0.0:8080\""),
        "{error}"
    );
    loaded("listen = '0.0.0.0:8080'\nissuer = 'https://app.example'");
}

#[test]
fn a_chosen_port_reaches_the_derived_issuer_only() {
    let mut config = loaded("listen = '127.0.0.1:0'");
    config.bound("127.0.0.1:41234".parse().unwrap());
    assert_eq!((config.issuer.as_str(), config.listen.port()), ("http://127.0.0.1:41234", 41_234));
    assert_eq!(config.audience, config.issuer);
    assert!(config.to_string().contains("issuer = \"http://127.0.0.1:41234\""));
    let mut config =
        loaded("listen = '127.0.0.1:0'\nissuer = 'http://127.0.0.1:0'\n".replace(":0'\n", ":1'\n").as_str());
    config.bound("127.0.0.1:41234".parse().unwrap());
    assert_eq!(
        (config.issuer.as_str(), config.audience.as_str()),
        ("http://127.0.0.1:1", "http://127.0.0.1:1")
    );
    let mut config = loaded("listen = '127.0.0.1:0'\naudience = 'api'");
    config.bound("127.0.0.1:41234".parse().unwrap());
    assert_eq!(config.audience, "api");
}

#[test]
fn origins_and_places_to_return_to() {
    let config =
        loaded("allowed_origins = ['https://a.example', 'http://localhost:5173', 'https://[::1]:8443']");
    assert_eq!(config.allowed_origins.len(), 3);
    for (bad, reason) in [
        ("*", "would allow every page"),
        ("null", "is what every sandboxed page sends"),
        ("https://*.example", "has the character '*'"),
        ("https://a.example/", "has a path"),
        ("https://a.example/app", "has a path"),
        ("https://a.example:443", "names the default port"),
        ("http://a.example", "is http on a host"),
        ("https://A.example", "lower case"),
        ("", "is empty"),
    ] {
        let error = refused(&format!("allowed_origins = ['https://ok.example', '{bad}']"));
        assert!(error.contains(reason) && error.contains(&format!("its item {bad:?}")), "{bad}: {error}");
    }
    assert!(refused("allowed_origins = 'https://a.example'").contains("write [\"https://a.example\"]"));
    assert!(refused("allowed_origins = [1]").contains("is a list of other things than strings"));
    assert_eq!(loaded("return_to = ['https://a.example/', 'https://b.example/app']").return_to.len(), 2);
    for bad in
        ["/home", "https://a.example/?x", "https://a.example/#x", "https://u@a.example", "javascript:x"]
    {
        refused(&format!("return_to = ['{bad}']"));
    }
}

#[test]
fn listeners() {
    for (bad, reason) in [
        ("8080", "is a port alone"),
        (":8080", "has no address"),
        ("localhost:8080", "names a host: write \"127.0.0.1:8080\""),
        ("127.0.0.1", "has no port"),
        ("::1", "has no port"),
        ("127.0.0.1:99999", "is not an IP address and a port"),
        ("app.example:80", "is not an IP address and a port"),
    ] {
        let error = refused(&format!("issuer = 'https://a.example'\nlisten = '{bad}'"));
        assert!(error.contains(reason), "{bad}: {error}");
    }
    assert!(refused("metrics_listen = '127.0.0.1:8080'").contains("is the address of `listen` too"));
    loaded("listen = '127.0.0.1:0'\nmetrics_listen = '127.0.0.1:0'");
}

#[test]
fn proxies() {
    let config = loaded("behind_proxy = true\ntrusted_proxies = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']");
    let trusts = |address: &str| {
        config.trusted_proxies.iter().any(|network: &Network| network.contains(address.parse().unwrap()))
    };
    for inside in ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "192.0.2.7", "fdff::1"] {
        assert!(trusts(inside), "{inside}");
    }
    for outside in ["11.0.0.0", "9.255.255.255", "192.0.2.8", "fe00::1", "::1", "::a00:1"] {
        assert!(!trusts(outside), "{outside}");
    }
    for (bad, reason) in [
        ("10.0.0.1/8", "has bits beyond its prefix: write 10.0.0.0/8"),
        ("10.0.0.0/33", "has a prefix that is not a number from 1 to 32"),
        ("10.0.0.0/", "has a prefix that is not a number from 1 to 32"),
        ("10.0.0.0/+8", "has a prefix that is not a number from 1 to 32"),
        ("fd00::/129", "has a prefix that is not a number from 1 to 128"),
        ("0.0.0.0/0", "would trust every peer"),
        ("::ffff:10.0.0.1", "write 10.0.0.1"),
        ("proxy.example", "is not an IP address or network"),
    ] {
        let error = refused(&format!("behind_proxy = true\ntrusted_proxies = ['{bad}']"));
        assert!(error.contains(reason), "{bad}: {error}");
    }
    assert!(loaded("behind_proxy = true").remarks()[0].contains("trusted_proxies names no proxy"));
    assert!(loaded("trusted_proxies = ['10.0.0.7']").remarks().is_empty());
}

#[test]
fn cookie_names() {
    for (bad, reason) in [
        ("", "is empty"),
        ("a b", "has the character ' '"),
        ("a=b", "has the character '='"),
        ("a;b", "has the character ';'"),
        ("a\"b", "has the character '\"'"),
        ("kæks", "has the character 'æ'"),
        ("__Host-", "is a prefix with no name after it"),
        ("__Host-Http-daypass-at", "is the name of the refresh token's cookie too"),
    ] {
        let error = refused(&format!("[cookies]\nrefresh = '{bad}'"));
        assert!(error.contains(reason), "{bad}: {error}");
    }
    assert!(refused(&format!("[cookies]\nrefresh = '{}'", "a".repeat(129))).contains("has 129 characters"));
    let config = loaded("[cookies]\nrefresh = 'rt'\naccess = '__Secure-at'");
    assert_eq!(config.remarks().len(), 2);
    assert!(config.to_string().starts_with("# Note: cookies.refresh: without a `__Host-` prefix"));
    assert_eq!(CookiePrefix::of("__host-x"), CookiePrefix::Host);
    assert_eq!(CookiePrefix::of("__Host-Http-x"), CookiePrefix::HostHttp);
    assert_eq!(CookiePrefix::of("__Http-x"), CookiePrefix::Http);
    assert_eq!(CookiePrefix::of("__Secure-x"), CookiePrefix::Secure);
    assert_eq!(CookiePrefix::of("__Ho"), CookiePrefix::None);
}

#[test]
fn audiences() {
    for good in ["api", "https://api.example/v1", "urn:example:api"] {
        assert_eq!(loaded(&format!("audience = '{good}'")).audience, good);
    }
    for bad in ["", "two words", "bücher", "1:2", ":x"] {
        refused(&format!("audience = '{bad}'"));
    }
}

#[test]
fn the_master_key_comes_from_one_place() {
    let command = "[keys]\nmaster_key_command = ['vault', 'read', '-token=hunter2']\n";
    let argv = ["vault", "read", "-token=hunter2"].map(str::to_owned).to_vec();
    assert_eq!(loaded(command).keys.master_key, MasterKey::Command(argv));
    let key = file(command).variable("DAYPASS_MASTER_KEY", "hunter3").load().unwrap().keys.master_key;
    assert_eq!(key, MasterKey::Variable);
    let path = "[keys]\nmaster_key_file = '/run/key'\n";
    assert_eq!(loaded(path).keys.master_key, MasterKey::File("/run/key".into()));
    let both = refused(&format!("{command}master_key_file = '/run/key'\n"));
    assert!(both.contains("is set together with keys.master_key_file"), "{both}");
    refused("[keys]\nmaster_key_command = []");
    refused("[keys]\nmaster_key_command = ['']");
    refused("[keys]\nmaster_key_file = ''");
}

#[test]
fn secrets_appear_nowhere() {
    let config = loaded("[keys]\nmaster_key_command = ['vault', '-token=hunter2']\n");
    for text in [config.to_string(), config.to_json().to_string(), format!("{config:?}")] {
        assert!(text.contains("vault") && !text.contains("hunter2"), "{text}");
    }
    let mut bench = file("").variable("DAYPASS_MASTER_KEY", "hunter2");
    bench.sources.overrides.database = Some(Unshown("postgres://anna:hunter2@127.0.0.1/daypass".to_owned()));
    let (sources, config) = (format!("{:?}", bench.sources), format!("{:?}", bench.load().unwrap()));
    assert!(
        config.contains("anna") && !sources.contains("hunter2") && !config.contains("hunter2"),
        "{sources}"
    );
    let errors = [
        refused("[keys]\nmaster_key_command = ['', 'hunter2']\n"),
        refused("issuer = 'https://anna:hunter2@app.example'"),
        refused("issuer = 'https://anna:hun/ter2@app.example'"),
        refused("allowed_origins = ['https://anna:hunter2@app.example']"),
        refused("passwd = 'hunter2'"),
        variable("DAYPASS_MASTERKEY", "hunter2").errors().concat(),
    ];
    for error in errors {
        assert!(!error.contains("hunter2") && !error.contains("ter2"), "{error}");
    }
}

#[test]
fn what_is_shown_can_be_read_back() {
    // What may hold a secret is not shown whole.
    let lines = OTHERS.iter().filter(|(key, ..)| !key.starts_with("keys.master_key_") && *key != "database");
    let mut text = String::new();
    let mut section = "";
    for (dotted, toml, _) in lines {
        let (of, name) = dotted.split_once('.').unwrap_or(("", dotted));
        if of != section {
            writeln!(text, "[{of}]").unwrap();
            section = of;
        }
        writeln!(text, "{name} = {toml}").unwrap();
    }
    for text in [text.as_str(), "", "data = \"a\\u007f\\\"\\nb\"\nlog_format = 'json'\n"] {
        let config = loaded(text);
        let again = loaded(&config.to_string());
        let values = |config: &Config| KEYS.iter().map(|key| show(config, &key.dotted())).collect::<Vec<_>>();
        assert_eq!(values(&again), values(&config));
        assert_eq!(again.data, config.data);
    }
}

#[test]
fn values_are_shown_with_their_sources() {
    let mut bench = file("[tokens]\naccess = '300s'\n").variable("DAYPASS_LOG", "debug");
    bench.sources.overrides.data = Some("d".into());
    let config = bench.load().unwrap();
    let text = config.to_string().replace(&format!("{}/", bench.folder.path().display()), "");
    for line in [
        "data = \"d\"  # --data\n",
        "log = \"debug\"  # DAYPASS_LOG\n",
        "access = \"5m\"  # daypass.toml:2\n",
        "session = \"180d\"  # default\n",
        "password_workers = 3  # not set: half as many as the machine has cores, at least one\n",
        "# metrics_listen is not set: ",
        "\n[limits]\n",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let json = config.to_json();
    assert_eq!(json["tokens"]["access"]["value"], "5m");
    assert_eq!(json["log"]["source"], "DAYPASS_LOG");
    assert_eq!(json["limits"]["connections"]["value"], 10_000);
    assert!(json["metrics_listen"]["value"].is_null());
}
