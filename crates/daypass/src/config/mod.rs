//! The configuration of the service: read from a TOML file, the environment and flags, in rising
//! weight, then resolved into values that the rest of the program can use without asking again.
//!
//! *Parse, then resolve*: `raw` gathers what each source says and where it stands, `resolve` turns that
//! into a [`Config`] and checks how the values fit together. Everything found wrong is reported at once.
//! The table of keys is in `keys`; `docs/configuration.md` is made from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod keys;
mod problem;
mod raw;
mod reader;
#[cfg(test)]
mod reference;
mod render;
mod resolve;
#[cfg(test)]
mod tests;
mod url;
mod value;

pub(crate) use keys::MASTER_KEY_VARIABLE;
pub(crate) use problem::{ConfigError, Source};
pub(crate) use raw::{Overrides, Sources, Unshown};
pub(crate) use render::Shown;
pub(crate) use value::{CookiePrefix, Network, show_duration};

pub(crate) use daypass_postgres::DatabaseUrl;
pub(crate) use daypass_service::core::OnReuse;
pub(crate) use daypass_service::jwt::Algorithm;

/// Reads the configuration of this process: `--config FILE`, else the file that `DAYPASS_CONFIG` names,
/// else `daypass.toml` in the working directory if there is one; over it the environment; over that the
/// flags.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub(crate) fn load(config: Option<PathBuf>, overrides: Overrides) -> Result<Config, ConfigError> {
    Config::from_sources(&Sources::system(config, overrides))
}

/// A length of time as a file or the environment spells it: digits and one unit, or `0`.
///
/// # Errors
///
/// Why it is none, as the end of a sentence.
pub(crate) fn duration_of(text: &str) -> Result<Duration, String> {
    value::duration(&raw::Value::Untyped(text.to_owned()))
}

/// A configuration whose every value is valid, alone and together with the others.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The issuer identifier, byte for byte as it was written, without a trailing slash.
    pub(crate) issuer: String,
    /// Where the service accepts connections.
    pub(crate) listen: SocketAddr,
    /// The folder of the database and the master key.
    pub(crate) data: PathBuf,
    /// The database that holds everything, if it is not in `data`.
    pub(crate) database: Option<DatabaseUrl>,
    /// Where `/metrics` is served, if not on `listen`.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Origins whose pages may call `/v1`, as browsers serialise them.
    pub(crate) allowed_origins: Vec<String>,
    /// URLs to which, and below which, people may be sent back.
    #[allow(dead_code, reason = "checked, and of no effect until there are pages to come back from")]
    pub(crate) return_to: Vec<String>,
    /// Whether client addresses are read from forwarding headers.
    pub(crate) behind_proxy: bool,
    /// The peers whose forwarding headers are believed, if `behind_proxy`.
    pub(crate) trusted_proxies: Vec<Network>,
    /// The filter of the log, in the syntax of `tracing_subscriber::EnvFilter`.
    pub(crate) log: String,
    /// What log lines look like.
    pub(crate) log_format: LogFormat,
    /// The `aud` of access tokens for clients that have none of their own.
    pub(crate) audience: String,
    /// `[tokens]`
    pub(crate) tokens: Tokens,
    /// `[cookies]`
    pub(crate) cookies: Cookies,
    /// `[keys]`
    pub(crate) keys: Keys,
    /// `[limits]`
    pub(crate) limits: Limits,
    /// `[store]`
    pub(crate) store: Store,
    /// `[retention]`
    pub(crate) retention: Retention,
    /// What each key resolved to and where that came from, in the order of the documentation.
    shown: Vec<Shown>,
    /// Remarks on values that are valid but weaker than they could be.
    remarks: Vec<String>,
}

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Lifetimes and rotation.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    /// Life of an access token, in whole seconds; 1 s to 1 h.
    pub(crate) access: Duration,
    /// Life of a session from its sign-in, in whole seconds; none: without end.
    pub(crate) session: Option<Duration>,
    /// Longest time between two uses of a session, in whole seconds; none: any.
    pub(crate) idle: Option<Duration>,
    /// For how long an old refresh token of a client without attempt ids is answered with the same
    /// successor; zero: not at all; at most 60 s.
    pub(crate) grace: Duration,
    /// What reuse of a refresh token ends.
    pub(crate) on_reuse: OnReuse,
    /// What new signing keys are for.
    pub(crate) algorithm: Algorithm,
    /// Whether the cookie transport puts the access token into a cookie too.
    pub(crate) access_cookie: bool,
}

/// Cookie names.
#[derive(Debug, Clone)]
pub(crate) struct Cookies {
    /// Of the refresh token's cookie.
    pub(crate) refresh: String,
    /// Of the access token's cookie; differs from `refresh`.
    pub(crate) access: String,
}

/// Signing keys and the master key.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Age at which a signing key is replaced; none: by command only.
    pub(crate) rotate_every: Option<Duration>,
    /// For how long a new key is published before it signs.
    pub(crate) publish_ahead: Duration,
    /// Where the master key comes from.
    pub(crate) master_key: MasterKey,
}

/// Where the master key comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum MasterKey {
    /// The environment variable [`MASTER_KEY_VARIABLE`]; outweighs the others.
    Variable,
    /// What a program prints: its name and arguments, at least the name.
    Command(Vec<String>),
    /// A file.
    File(PathBuf),
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable => f.write_str("Variable"),
            // Arguments may hold a credential for wherever the key is kept.
            Self::Command(argv) => f.debug_tuple("Command").field(&argv.first()).finish_non_exhaustive(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Bounds on guessing, on work and on waiting.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Failed sign-ins to one account before it has to wait.
    pub(crate) account_failures: u32,
    /// Failed sign-ins from one address before it has to wait.
    pub(crate) address_failures: u32,
    /// Threads that hash passwords, at least one.
    pub(crate) password_workers: usize,
    /// Sign-ins that may wait for a password thread.
    pub(crate) password_queue: usize,
    /// Open connections.
    pub(crate) connections: usize,
    /// For how long a client may take to send a request's head.
    pub(crate) header_timeout: Duration,
    /// For how long a client may take to send a request's body.
    pub(crate) body_timeout: Duration,
    /// Changes that may wait for the store's writer.
    pub(crate) request_queue: usize,
}

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// Memory for the database's pages over all connections, in bytes.
    pub(crate) cache: u64,
    /// Connections that read, at least one.
    pub(crate) readers: usize,
    /// Most changes in one transaction, at least one.
    pub(crate) batch: usize,
    /// Tasks that rotate on a database, at least one.
    pub(crate) lanes: usize,
    /// Connections to a database for everything else, at least one.
    pub(crate) connections: usize,
}

/// How long records are kept.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    /// Audit events; none: for good.
    pub(crate) events: Option<Duration>,
}

impl Config {
    /// Remarks on values that are valid but weaker than they could be, one sentence each.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Puts the port that the system chose in place of a configured port 0, in `listen` and in an issuer
    /// (and audience) that was derived from it. An issuer that was configured stays as it is.
    pub(crate) fn bound(&mut self, address: SocketAddr) {
        let derived = resolve::derived_issuer(self.listen);
        self.listen = address;
        if self.issuer == derived && self.source_of("issuer") == Some(&Source::Default) {
            let issuer = resolve::derived_issuer(address);
            if self.source_of("audience") == Some(&Source::Default) {
                self.audience.clone_from(&issuer);
            }
            self.issuer = issuer;
        }
        render::update(&mut self.shown, "listen", &self.listen.to_string());
        render::update(&mut self.shown, "issuer", &self.issuer);
        render::update(&mut self.shown, "audience", &self.audience);
    }

    /// Where the value of a key, named as `section.key`, came from; none if there is no such key.
    pub(crate) fn source_of(&self, key: &str) -> Option<&Source> {
        self.shown.iter().find(|shown| shown.is(key)).map(Shown::source)
    }
}
