//! Where the database is: a URL whose password is never shown.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// The URL of a database, `postgres://user:password@host:port/name`, with one host or several.
///
/// It prints without its password:
///
/// ```
/// let url: daypass_postgres::DatabaseUrl =
///     "postgres://daypass:secret@db1.example,db2.example/daypass?sslmode=require".parse()?;
/// assert_eq!(url.to_string(), "postgres://daypass@db1.example:5432,db2.example:5432/daypass");
/// # Ok::<(), daypass_postgres::InvalidDatabaseUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    config: Config,
}

/// Why a text is no URL of a database. Holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDatabaseUrl {
    /// It does not begin as one.
    #[error("it does not begin with postgres:// or postgresql://")]
    Scheme,
    /// It cannot be read.
    #[error("it cannot be read as a URL of a PostgreSQL database, or has a parameter that is not known")]
    Unreadable,
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// The database is on another machine, and whether to use TLS is not said.
    #[error(
        "the database is on another machine: say sslmode=require, or sslmode=disable if nobody listens on the way"
    )]
    SslModeUnsaid,
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        let mut config: Config = text.parse().map_err(|_| InvalidDatabaseUrl::Unreadable)?;
        if config.get_hosts().is_empty() {
            return Err(InvalidDatabaseUrl::NoHost);
        }
        if config.get_ssl_mode() == SslMode::Prefer {
            // It would encrypt for whoever answers, and not encrypt for whoever says so.
            if !config.get_hosts().iter().all(is_here) {
                return Err(InvalidDatabaseUrl::SslModeUnsaid);
            }
            config.ssl_mode(SslMode::Disable);
        }
        // Nothing is ever read from a standby: it may be behind.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("daypass");
        }
        Ok(Self { config })
    }
}

impl DatabaseUrl {
    /// What the driver connects by.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (place, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let port = ports.get(place).or_else(|| ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "{comma}[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                #[cfg(unix)]
                Host::Unix(folder) => write!(f, "{comma}{}:{port}", folder.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        text.parse()
    }

    #[test]
    fn no_password_is_shown() {
        for text in [
            "postgres://ada:tr%20zle@localhost/daypass",
            "postgres://ada@localhost/daypass?password=tr%20zle",
            "postgresql://ada:tr%20zle@%2Frun%2Fpg/daypass",
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.config().get_password(), Some(&b"tr zle"[..]));
            let shown = format!("{url} {url:?} {:?}", url.config());
            assert!(!shown.contains("zle"), "{shown}");
        }
        for text in
            ["postgres://ada:tr%20zle@localhost:x/d", "postgres://ada:trzle@h/d?sslmode=trzle", "trzle"]
        {
            let told = parse(text).unwrap_err();
            assert!(!format!("{told} {told:?}").contains("zle"), "{told}");
        }
    }

    #[test]
    fn whether_to_use_tls_is_said_where_the_way_is_long() {
        assert_eq!(parse("postgres://db.example/d"), Err(InvalidDatabaseUrl::SslModeUnsaid));
        assert_eq!(parse("postgres://127.0.0.1,db.example/d"), Err(InvalidDatabaseUrl::SslModeUnsaid));
        assert_eq!(parse("postgres:///d"), Err(InvalidDatabaseUrl::NoHost));
        assert_eq!(parse("mysql://localhost/d"), Err(InvalidDatabaseUrl::Scheme));
        let mode = |text| parse(text).unwrap().config().get_ssl_mode();
        assert_eq!(mode("postgres://db.example/d?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://db.example/d?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://localhost,[::1]/d"), SslMode::Disable);
    }

    #[test]
    fn only_a_primary_is_connected_to() {
        let url = parse("postgres://localhost,127.0.0.1:6000/d?target_session_attrs=any").unwrap();
        assert_eq!(url.config().get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(url.to_string(), "postgres://localhost:5432,127.0.0.1:6000/d");
    }
}
