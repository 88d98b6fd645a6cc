//! The one table of configuration keys: name, default, what is accepted and what it means. The
//! resolver, the error texts, the rendering of `check-config` and `docs/configuration.md` all read it.

/// One configuration key.
#[derive(Debug)]
pub(crate) struct Key {
    /// The TOML table that the key stands in; empty at the top level.
    pub(crate) section: &'static str,
    /// The key's own name.
    pub(crate) name: &'static str,
    /// What holds when no source sets it.
    pub(crate) default: Fallback,
    /// What is accepted, as the end of "expected …".
    pub(crate) accepts: &'static str,
    /// What the key is for: one sentence or two of Markdown.
    #[allow(dead_code, reason = "for the reference in docs/, which a test writes")]
    pub(crate) meaning: &'static str,
    /// Whether the value may hold a secret and is therefore never shown.
    pub(crate) secret: bool,
}

/// What holds for a key that no source sets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fallback {
    /// This value, spelt as it would be in the environment.
    Value(&'static str),
    /// No value; the text says what happens then.
    Unset(&'static str),
}

impl Key {
    /// `tokens.access`, or `issuer` at the top level.
    pub(crate) fn dotted(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// `DAYPASS_TOKENS__ACCESS`, or `DAYPASS_ISSUER` at the top level.
    pub(crate) fn variable(&self) -> String {
        let path = if self.section.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}__{}", self.section, self.name)
        };
        format!("{PREFIX}{}", path.to_ascii_uppercase())
    }
}

/// What every environment variable of Daypass begins with.
pub(crate) const PREFIX: &str = "DAYPASS_";

/// Names the configuration file when `--config` does not.
pub(crate) const CONFIG_VARIABLE: &str = "DAYPASS_CONFIG";

/// Holds the master key itself. Only its presence is noted here; its value is read where keys are unsealed.
pub(crate) const MASTER_KEY_VARIABLE: &str = "DAYPASS_MASTER_KEY";

/// Variables that single commands read themselves and that are no configuration.
pub(crate) const OTHER_VARIABLES: &[&str] = &["DAYPASS_BENCH_PASSWORD"];

/// The sections in the order of the table, the top level first.
pub(crate) const SECTIONS: &[(&str, &str)] = &[
    ("", "Where the service listens, what it calls itself, and whom it trusts."),
    ("tokens", "Lifetimes and rotation. Settings of a registered client outweigh this section."),
    ("cookies", "Names of the cookies of the cookie transport."),
    ("keys", "Signing keys, and the master key that seals them in the store."),
    ("limits", "Bounds on guessing, on work and on waiting. Nothing queues without one."),
    ("store", "The store. `cache` and `readers` are for SQLite, `lanes` and `connections` for a database."),
    ("retention", "How long records are kept."),
];

/// Every key, in the order in which they are documented and rendered.
pub(crate) const KEYS: &[Key] = &[
    Key {
        section: "",
        name: "issuer",
        default: Fallback::Unset("`http://` and the address of `listen`, if that is a loopback address"),
        accepts: "an https URL (http on a loopback host only), without query, fragment, user or trailing slash",
        meaning: "The URL by which clients reach the service, and the `iss` of every token. It may have a path, \
                  below which all routes then live. Kept byte for byte.",
        secret: false,
    },
    Key {
        section: "",
        name: "listen",
        default: Fallback::Value("127.0.0.1:8080"),
        accepts: "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
        meaning: "Where the service accepts connections. Port 0 lets the system choose.",
        secret: false,
    },
    Key {
        section: "",
        name: "data",
        default: Fallback::Value("./daypass-data"),
        accepts: "the path of a folder",
        meaning: "The folder of the database and the master key; made at the first start. \
                  Relative paths start at the working directory.",
        secret: false,
    },
    Key {
        section: "",
        name: "database",
        default: Fallback::Unset("everything is in `data`, in SQLite"),
        accepts: "a URL such as \"postgres://user:password@host:5432/name?sslmode=require\", with several hosts if need be",
        meaning: "The PostgreSQL database that any number of services share; `data` then holds the master key at most. \
                  `daypass migrate` makes its schema. Of several hosts the primary is found. `sslmode` has to be said unless \
                  the database is on this machine.",
        secret: true,
    },
    Key {
        section: "",
        name: "metrics_listen",
        default: Fallback::Unset("`/metrics` is served on `listen`"),
        accepts: "an IP address and a port other than those of `listen`",
        meaning: "A second listener that serves `/metrics`, which the first one then does not.",
        secret: false,
    },
    Key {
        section: "",
        name: "allowed_origins",
        default: Fallback::Value(""),
        accepts: "a list of origins, each \"https://host\" or \"https://host:port\" (http on a loopback host only)",
        meaning: "Pages on these other origins may call `/v1`, with cookies. Compared exactly; no wildcard.",
        secret: false,
    },
    Key {
        section: "",
        name: "return_to",
        default: Fallback::Value(""),
        accepts: "a list of https URLs (http on a loopback host only), without query, fragment or user",
        meaning: "Where renewal and sign-in may send people back: the URL itself and paths below it. Of no effect yet.",
        secret: false,
    },
    Key {
        section: "",
        name: "behind_proxy",
        default: Fallback::Value("false"),
        accepts: "true or false",
        meaning: "Whether a reverse proxy stands in front, so that a client's address is read from the forwarding \
                  headers, of `trusted_proxies` only.",
        secret: false,
    },
    Key {
        section: "",
        name: "trusted_proxies",
        default: Fallback::Value(""),
        accepts: "a list of IP addresses and networks, such as \"10.0.0.7\" or \"10.0.0.0/8\"",
        meaning: "The peers whose forwarding headers are believed; those of any other are ignored.",
        secret: false,
    },
    Key {
        section: "",
        name: "log",
        default: Fallback::Value("info"),
        accepts: "a filter such as \"info\", \"debug\" or \"info,daypass_http=trace\"",
        meaning: "What is logged. At no level does a token, password or cookie appear.",
        secret: false,
    },
    Key {
        section: "",
        name: "log_format",
        default: Fallback::Value("text"),
        accepts: "\"text\" or \"json\"",
        meaning: "Log lines for people, or one JSON object a line.",
        secret: false,
    },
    Key {
        section: "",
        name: "audience",
        default: Fallback::Unset("the issuer"),
        accepts: "a name or URI of visible ASCII characters, at most 512",
        meaning: "The `aud` of access tokens for clients that have none of their own.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "access",
        default: Fallback::Value("10m"),
        accepts: "a duration of whole seconds from 1s to 1h",
        meaning: "Life of an access token. Verifiers refuse tokens that promise more than an hour.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "session",
        default: Fallback::Value("180d"),
        accepts: "a duration of whole seconds, or 0",
        meaning: "Life of a session from its sign-in, however often it is renewed; `0`: without end.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "idle",
        default: Fallback::Value("0"),
        accepts: "a duration of whole seconds, or 0",
        meaning: "A session unused for longer ends; `0`: never for that reason.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "grace",
        default: Fallback::Value("10s"),
        accepts: "a duration up to 60s, or 0",
        meaning: "For how long after a rotation the old refresh token yields the same successor again, for clients \
                  that send no attempt ids; `0`: not at all.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "on_reuse",
        default: Fallback::Value("subject"),
        accepts: "\"subject\" or \"session\"",
        meaning: "What a stolen refresh token ends: all sessions of its subject, or its own.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "algorithm",
        default: Fallback::Value("ES256"),
        accepts: "\"ES256\", \"Ed25519\", \"RS256\", \"PS256\" or \"HS256\"",
        meaning: "What new signing keys are for. HS256 needs an imported secret and publishes no key.",
        secret: false,
    },
    Key {
        section: "tokens",
        name: "access_cookie",
        default: Fallback::Value("false"),
        accepts: "true or false",
        meaning: "Whether the cookie transport puts the access token into a cookie too, so that no body holds a token.",
        secret: false,
    },
    Key {
        section: "cookies",
        name: "refresh",
        default: Fallback::Value("__Host-Http-daypass"),
        accepts: "a cookie name (RFC 6265) of at most 128 characters, other than `cookies.access`",
        meaning: "The refresh token's cookie. With a `__Host-` prefix no sibling site can plant one.",
        secret: false,
    },
    Key {
        section: "cookies",
        name: "access",
        default: Fallback::Value("__Host-Http-daypass-at"),
        accepts: "a cookie name (RFC 6265) of at most 128 characters, other than `cookies.refresh`",
        meaning: "The access token's cookie, if `tokens.access_cookie`.",
        secret: false,
    },
    Key {
        section: "keys",
        name: "rotate_every",
        default: Fallback::Value("90d"),
        accepts: "a duration from 1m to 3650d and longer than `keys.publish_ahead`, or 0",
        meaning: "Age at which a signing key is replaced; `0`: by command only.",
        secret: false,
    },
    Key {
        section: "keys",
        name: "publish_ahead",
        default: Fallback::Value("10m"),
        accepts: "a duration from 1s to 7d",
        meaning: "For how long a new key is published before it signs. No shorter than verifiers cache the key set.",
        secret: false,
    },
    Key {
        section: "keys",
        name: "master_key_file",
        default: Fallback::Unset("`master.key` in the folder `data`"),
        accepts: "the path of a file",
        meaning: "The file of the master key; made at the first start of an empty store. \
                  The variable `DAYPASS_MASTER_KEY` outweighs it.",
        secret: false,
    },
    Key {
        section: "keys",
        name: "master_key_command",
        default: Fallback::Unset("no command is run"),
        accepts: "a list: a program and its arguments",
        meaning: "A program that prints the master key, run without a shell. Not together with `master_key_file`. \
                  The variable `DAYPASS_MASTER_KEY` outweighs it.",
        secret: true,
    },
    Key {
        section: "limits",
        name: "account_failures",
        default: Fallback::Value("10"),
        accepts: "a whole number from 1 to 1000000",
        meaning: "Failed sign-ins to one account before it has to wait.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "address_failures",
        default: Fallback::Value("50"),
        accepts: "a whole number from 1 to 1000000",
        meaning: "Failed sign-ins from one address before it has to wait.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "password_workers",
        default: Fallback::Unset("half as many as the machine has cores, at least one"),
        accepts: "a whole number from 1 to 1024",
        meaning: "Threads that hash passwords; they hash nothing else and nothing else hashes.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "password_queue",
        default: Fallback::Value("256"),
        accepts: "a whole number from 1 to 1000000",
        meaning: "Sign-ins that may wait for a password thread; more are answered 503.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "connections",
        default: Fallback::Value("10000"),
        accepts: "a whole number from 1 to 1000000",
        meaning: "Open connections.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "header_timeout",
        default: Fallback::Value("10s"),
        accepts: "a duration from 100ms to 5m",
        meaning: "For how long a client may take to send a request's head.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "body_timeout",
        default: Fallback::Value("10s"),
        accepts: "a duration from 100ms to 5m",
        meaning: "For how long a client may take to send a request's body.",
        secret: false,
    },
    Key {
        section: "limits",
        name: "request_queue",
        default: Fallback::Value("4096"),
        accepts: "a whole number from 1 to 1000000",
        meaning: "Changes that may wait for the store's writer; more are answered 503.",
        secret: false,
    },
    Key {
        section: "store",
        name: "cache",
        default: Fallback::Value("56MiB"),
        accepts: "a size from 1MiB to 64GiB",
        meaning: "Memory for the database's pages, over all its connections.",
        secret: false,
    },
    Key {
        section: "store",
        name: "readers",
        default: Fallback::Value("2"),
        accepts: "a whole number from 1 to 64",
        meaning: "Connections that read beside the one that writes.",
        secret: false,
    },
    Key {
        section: "store",
        name: "batch",
        default: Fallback::Value("512"),
        accepts: "a whole number from 1 to 65536",
        meaning: "Most changes that one transaction takes together.",
        secret: false,
    },
    Key {
        section: "store",
        name: "lanes",
        default: Fallback::Value("2"),
        accepts: "a whole number from 1 to 64",
        meaning: "Transactions that renew sessions at once, each on a connection of its own; one more ends those whose token came back; for `database`.",
        secret: false,
    },
    Key {
        section: "store",
        name: "connections",
        default: Fallback::Value("8"),
        accepts: "a whole number from 1 to 1024",
        meaning: "Connections for everything else than renewals; for `database`.",
        secret: false,
    },
    Key {
        section: "retention",
        name: "events",
        default: Fallback::Value("90d"),
        accepts: "a duration from 1h to 36500d, or 0",
        meaning: "For how long audit events are kept; `0`: for good.",
        secret: false,
    },
];

/// The key of this section and name, if there is one.
pub(crate) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The key whose name is most like the `section` and `name` that somebody wrote. A name that is right
/// but stands in the wrong section, or in none, counts as near.
pub(crate) fn nearest(section: &str, name: &str) -> Option<&'static Key> {
    let (section, name) = (section.to_ascii_lowercase(), name.to_ascii_lowercase());
    let flat = |section: &str, name: &str| format!("{section}_{name}").replace(['.', '-', '_'], "");
    let wanted = flat(&section, &name);
    let score = |key: &Key| {
        let whole = likeness(&wanted, &flat(key.section, key.name));
        let alone = likeness(&name, key.name);
        whole.max(alone * 0.95)
    };
    // `max_by` keeps the last of equals; the table's order should win instead.
    KEYS.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)))
}

/// How alike two names are: few edits apart, and better still with the same start, since people shorten
/// names at the end.
fn likeness(written: &str, name: &str) -> f64 {
    let shortened = if written.len() >= 3 && name.starts_with(written) { 0.5 } else { 0.0 };
    strsim::normalized_damerau_levenshtein(written, name) + strsim::jaro_winkler(written, name) + shortened
}

/// The section whose name is most like `section`.
pub(crate) fn nearest_section(section: &str) -> Option<&'static str> {
    let wanted = section.to_ascii_lowercase();
    let score = |name: &str| likeness(&wanted, name);
    let named = SECTIONS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
    named.rev().max_by(|a, b| score(a).total_cmp(&score(b)))
}
