//! The settings of the HTTP side.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How the service behaves over HTTP. The issuer is the service's own setting.
///
/// ```
/// use daypass_http::{HttpOptions, TrustedProxies};
///
/// let mut options = HttpOptions::default();
/// options.allowed_origins = vec!["https://app.example".to_owned()];
/// options.trusted_proxies = TrustedProxies::new(|address| address.is_loopback());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Pages on these other origins may call the service; compared byte for byte with `Origin`.
    pub allowed_origins: Vec<String>,
    /// The peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether the cookie transport puts the access token into a cookie too, so that no body holds
    /// a token.
    pub access_cookie: bool,
    /// How the cookies are called.
    pub cookies: CookieNames,
    /// Where `/metrics` is served.
    pub metrics: MetricsAt,
    /// The largest request body, in bytes; more is answered 413.
    pub body_limit: usize,
    /// For how long a client may take to send a body; longer is answered 408.
    pub body_timeout: Duration,
    /// Whether the router answers every path that it does not know with a 404 problem. Turn it off
    /// to merge the router into an application that has a fallback of its own.
    pub answer_unknown_paths: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            trusted_proxies: TrustedProxies::none(),
            access_cookie: false,
            cookies: CookieNames::default(),
            metrics: MetricsAt::default(),
            body_limit: 64 << 10,
            body_timeout: Duration::from_secs(10),
            answer_unknown_paths: true,
        }
    }
}

/// Where `/metrics` is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAt {
    /// Beside everything else, but only to callers on this machine that did not come through a
    /// proxy.
    #[default]
    Loopback,
    /// Not by [`router`](crate::router) at all: there is a listener of its own for
    /// [`operations_router`](crate::operations_router).
    OwnListener,
}

/// The peers whose `Forwarded` and `X-Forwarded-For` headers are believed. Those of any other peer
/// are ignored.
#[derive(Clone)]
pub struct TrustedProxies(Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>);

impl TrustedProxies {
    /// Nobody is believed: clients connect directly.
    pub fn none() -> Self {
        Self(None)
    }

    /// The addresses for which `trusted` says so. IPv4 addresses come as such, never mapped into
    /// IPv6.
    pub fn new(trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(trusted)))
    }

    /// Whether there may be any proxy.
    pub(crate) fn are_there(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.as_ref().is_some_and(|trusted| trusted(address))
    }
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.are_there() { "TrustedProxies(some)" } else { "TrustedProxies(none)" })
    }
}

/// The names of the two cookies.
///
/// ```
/// use daypass_http::CookieNames;
///
/// assert!(CookieNames::new("__Host-rt", "__Host-at").is_ok());
/// assert!(CookieNames::new("one name", "another").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieNames {
    refresh: String,
    access: String,
}

/// A name that no cookie can have, or one name for two cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cookie names are two different tokens (RFC 6265 section 4.1.1) of 1 to 128 characters")]
pub struct InvalidCookieName;

impl CookieNames {
    /// Names for the refresh token's and the access token's cookie.
    ///
    /// # Errors
    /// Both have to be tokens as RFC 6265 section 4.1.1 has them, 1 to 128 characters, and
    /// different. A `__Host-` prefix is recommended: without it a sibling site can plant a cookie.
    pub fn new(refresh: impl Into<String>, access: impl Into<String>) -> Result<Self, InvalidCookieName> {
        let (refresh, access) = (refresh.into(), access.into());
        let token = |name: &str| {
            (1..=128).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        if token(&refresh) && token(&access) && refresh != access {
            Ok(Self { refresh, access })
        } else {
            Err(InvalidCookieName)
        }
    }

    pub(crate) fn refresh(&self) -> &str {
        &self.refresh
    }

    pub(crate) fn access(&self) -> &str {
        &self.access
    }
}

impl Default for CookieNames {
    fn default() -> Self {
        Self { refresh: "__Host-Http-daypass".to_owned(), access: "__Host-Http-daypass-at".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_names_are_tokens_and_differ() {
        for (refresh, access) in [("", "a"), ("a b", "c"), ("a=b", "c"), ("a;", "c"), ("a", "a"), ("ä", "b")]
        {
            assert_eq!(CookieNames::new(refresh, access), Err(InvalidCookieName), "{refresh:?}");
        }
        let default = CookieNames::default();
        assert_eq!(CookieNames::new(default.refresh(), default.access()), Ok(default));
    }
}
