//! From raw to resolved: each key's value is read by its rule, then the values are held against each
//! other. Whatever fails is noted and the next key is read, so that one run reports everything.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daypass_postgres::{DatabaseUrl, InvalidDatabaseUrl};
use serde_json::{Value as Json, json};
use tracing_subscriber::EnvFilter;

use super::problem::{ConfigError, Source};
use super::raw::{Sources, Value};
use super::reader::{Noted, Read, Resolver, each};
use super::value::{self, Network, show_duration, show_size};
use super::{
    Algorithm, Config, CookiePrefix, Cookies, Keys, Limits, LogFormat, MasterKey, OnReuse, Retention, Store,
    Tokens, url,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const MANY: u64 = 1_000_000;

const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

const ON_REUSE: &[(&str, OnReuse)] = &[("subject", OnReuse::Subject), ("session", OnReuse::Session)];

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::ES256),
    ("Ed25519", Algorithm::Ed25519),
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("HS256", Algorithm::HS256),
];

/// The issuer of a service that is told none.
pub(super) fn derived_issuer(listen: SocketAddr) -> String {
    // Port 80 is left out as in every URL: it is http's own.
    if listen.port() == 80 {
        let host = listen.to_string();
        return format!("http://{}", host.strip_suffix(":80").unwrap_or(&host));
    }
    format!("http://{listen}")
}

impl Config {
    /// Reads, resolves and checks a configuration.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, at once.
    pub(crate) fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(sources);
        let config = resolver.config();
        match config {
            Ok(config) if resolver.raw.problems.is_empty() => Ok(config),
            _ => {
                let mut problems = resolver.raw.problems;
                problems.sort_by_key(|problem| match &problem.source {
                    Some(Source::File { line, .. }) => (0, *line),
                    Some(Source::Variable(_)) => (1, 0),
                    Some(Source::Flag(_)) => (2, 0),
                    Some(Source::Default) | None => (3, 0),
                });
                Err(ConfigError { problems })
            }
        }
    }
}

impl Resolver {
    fn config(&mut self) -> Read<Config> {
        let listen = self.socket("", "listen");
        let metrics_listen = self.metrics_listen(listen);
        let issuer = self.issuer(listen);
        let audience = self.audience(issuer.as_deref().ok());
        let data = self.read("", "data", path);
        let database = self.optional("", "database", database);
        let allowed_origins = self.urls("allowed_origins", url::origin);
        let return_to = self.urls("return_to", url::return_to);
        let behind_proxy = self.boolean("", "behind_proxy");
        let trusted_proxies = self.trusted_proxies(behind_proxy);
        let log = self.read("", "log", log_filter);
        let log_format = self.choice("", "log_format", LOG_FORMATS);
        let tokens = self.tokens();
        let cookies = self.cookies();
        let keys = self.keys(data.as_deref().ok());
        let limits = self.limits();
        let store = self.store();
        let retention = self.retention();
        self.sort_shown();
        Ok(Config {
            issuer: issuer?,
            listen: listen?,
            data: data?,
            database: database?,
            metrics_listen: metrics_listen?,
            allowed_origins: allowed_origins?,
            return_to: return_to?,
            behind_proxy: behind_proxy?,
            trusted_proxies: trusted_proxies?,
            log: log?,
            log_format: log_format?,
            audience: audience?,
            tokens: tokens?,
            cookies: cookies?,
            keys: keys?,
            limits: limits?,
            store: store?,
            retention: retention?,
            shown: std::mem::take(&mut self.shown),
            remarks: std::mem::take(&mut self.remarks),
        })
    }

    fn metrics_listen(&mut self, listen: Read<SocketAddr>) -> Read<Option<SocketAddr>> {
        let metrics = self.optional("", "metrics_listen", |value| {
            let address = value::socket(value)?;
            Ok((address, json!(address.to_string())))
        })?;
        if metrics.is_some_and(|address| listen == Ok(address) && address.port() != 0) {
            self.conflict("", "metrics_listen", "is the address of `listen` too");
            return Err(Noted);
        }
        Ok(metrics)
    }

    fn issuer(&mut self, listen: Read<SocketAddr>) -> Read<String> {
        let set = self.optional("", "issuer", |value| {
            let issuer = value::text(value)?;
            url::issuer(issuer)?;
            Ok((issuer.to_owned(), json!(issuer)))
        })?;
        if let Some(issuer) = set {
            return Ok(issuer);
        }
        let listen = listen?;
        if !listen.ip().is_loopback() {
            self.conflict(
                "",
                "issuer",
                &format!("is not set and cannot be derived from listen = \"{listen}\", which is no loopback address"),
            );
            return Err(Noted);
        }
        let derived = derived_issuer(listen);
        self.show_derived("", "issuer", json!(derived));
        Ok(derived)
    }

    fn audience(&mut self, issuer: Option<&str>) -> Read<String> {
        let set = self.optional("", "audience", |value| {
            let audience = value::audience(value)?;
            Ok((audience.clone(), json!(audience)))
        })?;
        if let Some(audience) = set {
            return Ok(audience);
        }
        let issuer = issuer.ok_or(Noted)?.to_owned();
        self.show_derived("", "audience", json!(issuer));
        Ok(issuer)
    }

    fn trusted_proxies(&mut self, behind_proxy: Read<bool>) -> Read<Vec<Network>> {
        let networks = self.read("", "trusted_proxies", |value| {
            let networks = each(value, Network::parse)?;
            let shown: Vec<_> = networks.iter().map(ToString::to_string).collect();
            Ok((networks, json!(shown)))
        })?;
        if behind_proxy? && networks.is_empty() {
            let text = "behind_proxy is true, but trusted_proxies names no proxy: the addresses seen are the proxy's own";
            self.remarks.push(text.to_owned());
        }
        Ok(networks)
    }

    fn tokens(&mut self) -> Read<Tokens> {
        let access = self.lifetime("access", SECOND, HOUR, false);
        let session = self.lifetime("session", SECOND, DAY * 36_500, true);
        let idle = self.lifetime("idle", SECOND, DAY * 36_500, true);
        let grace = self.duration("tokens", "grace", Duration::ZERO, MINUTE, true);
        let on_reuse = self.choice("tokens", "on_reuse", ON_REUSE);
        let algorithm = self.choice("tokens", "algorithm", ALGORITHMS);
        let access_cookie = self.boolean("tokens", "access_cookie");
        Ok(Tokens {
            access: access?,
            session: unless_zero(session?),
            idle: unless_zero(idle?),
            grace: grace?,
            on_reuse: on_reuse?,
            algorithm: algorithm?,
            access_cookie: access_cookie?,
        })
    }

    fn cookies(&mut self) -> Read<Cookies> {
        let mut name = |name| {
            self.read("cookies", name, |value| {
                let name = value::cookie_name(value)?;
                Ok((name.clone(), json!(name)))
            })
        };
        let (refresh, access) = (name("refresh"), name("access"));
        let (refresh, access) = (refresh?, access?);
        if refresh == access {
            self.conflict("cookies", "access", "is the name of the refresh token's cookie too");
        }
        for (key, name) in [("refresh", &refresh), ("access", &access)] {
            if !CookiePrefix::of(name).is_host_bound() {
                self.remarks.push(format!(
                    "cookies.{key}: without a `__Host-` prefix a sibling or parent domain can plant a cookie {name:?}"
                ));
            }
        }
        Ok(Cookies { refresh, access })
    }

    fn keys(&mut self, data: Option<&Path>) -> Read<Keys> {
        let rotate_every = self.duration("keys", "rotate_every", MINUTE, DAY * 3650, true);
        let publish_ahead = self.duration("keys", "publish_ahead", SECOND, DAY * 7, false);
        let file = self.optional("keys", "master_key_file", path);
        let command = self.optional("keys", "master_key_command", command);
        if let (Ok(every), Ok(ahead)) = (rotate_every, publish_ahead)
            && !every.is_zero()
            && every <= ahead
        {
            self.conflict(
                "keys",
                "rotate_every",
                &format!("is no longer than keys.publish_ahead = \"{}\"", show_duration(ahead)),
            );
        }
        let master_key = match (file?, command?) {
            (Some(_), Some(_)) => {
                self.conflict("keys", "master_key_command", "is set together with keys.master_key_file");
                return Err(Noted);
            }
            _ if self.raw.master_key => MasterKey::Variable,
            (_, Some(command)) => MasterKey::Command(command),
            (Some(file), _) => MasterKey::File(file),
            (None, None) => MasterKey::File(data.ok_or(Noted)?.join("master.key")),
        };
        Ok(Keys { rotate_every: unless_zero(rotate_every?), publish_ahead: publish_ahead?, master_key })
    }

    fn limits(&mut self) -> Read<Limits> {
        let account_failures = self.number("limits", "account_failures", MANY);
        let address_failures = self.number("limits", "address_failures", MANY);
        let password_workers = self.password_workers();
        let password_queue = self.number("limits", "password_queue", MANY);
        let connections = self.number("limits", "connections", MANY);
        let header_timeout = self.duration("limits", "header_timeout", SECOND / 10, MINUTE * 5, false);
        let body_timeout = self.duration("limits", "body_timeout", SECOND / 10, MINUTE * 5, false);
        let request_queue = self.number("limits", "request_queue", MANY);
        Ok(Limits {
            account_failures: account_failures?,
            address_failures: address_failures?,
            password_workers: password_workers?,
            password_queue: password_queue?,
            connections: connections?,
            header_timeout: header_timeout?,
            body_timeout: body_timeout?,
            request_queue: request_queue?,
        })
    }

    fn password_workers(&mut self) -> Read<usize> {
        let set = self.optional("limits", "password_workers", |value| {
            let number = value::number(value, 1, 1024)?;
            Ok((usize::try_from(number).unwrap_or(1024), json!(number)))
        })?;
        if let Some(number) = set {
            return Ok(number);
        }
        let half = (self.cores / 2).clamp(1, 1024);
        self.show_derived("limits", "password_workers", json!(half));
        Ok(half)
    }

    fn store(&mut self) -> Read<Store> {
        let cache = self.read("store", "cache", |value| {
            let bytes = value::size(value, 1 << 20, 64 << 30)?;
            Ok((bytes, json!(show_size(bytes))))
        });
        let readers = self.number("store", "readers", 64);
        let batch = self.number("store", "batch", 65_536);
        let lanes = self.number("store", "lanes", 64);
        let connections = self.number("store", "connections", 1024);
        Ok(Store {
            cache: cache?,
            readers: readers?,
            batch: batch?,
            lanes: lanes?,
            connections: connections?,
        })
    }

    fn retention(&mut self) -> Read<Retention> {
        let events = self.duration("retention", "events", HOUR, DAY * 36_500, true);
        Ok(Retention { events: unless_zero(events?) })
    }
}

fn path(value: &Value) -> Result<(PathBuf, Json), String> {
    let path = value::text(value)?;
    if path.is_empty() || path.contains('\0') {
        return Err("is no path".to_owned());
    }
    Ok((PathBuf::from(path), json!(path)))
}

/// A database. Shown without its password.
fn database(value: &Value) -> Result<(DatabaseUrl, Json), String> {
    let url: DatabaseUrl =
        value::text(value)?.parse().map_err(|error: InvalidDatabaseUrl| error.to_string())?;
    let shown = json!(url.to_string());
    Ok((url, shown))
}

/// A program and its arguments. Only the program is shown.
fn command(value: &Value) -> Result<(Vec<String>, Json), String> {
    let argv: Vec<_> = value::list(value)?.into_iter().map(str::to_owned).collect();
    match argv.first() {
        Some(program) if !program.is_empty() => {
            let shown = json!([program]);
            Ok((argv, shown))
        }
        _ => Err("names no program".to_owned()),
    }
}

fn log_filter(value: &Value) -> Result<(String, Json), String> {
    let filter = value::text(value)?;
    if filter.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok((filter.to_owned(), json!(filter))),
        Err(error) => Err(format!("is no filter: {error}")),
    }
}

fn unless_zero(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}
