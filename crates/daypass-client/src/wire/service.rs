//! Where the service is, and who may have its access tokens.

use std::net::IpAddr;

use reqwest::Url;

use crate::SessionError;

/// The service's address and the end points below it.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// As it is kept in records: without a slash at the end.
    pub(crate) name: String,
    pub(crate) refresh: Url,
    pub(crate) token: Url,
    pub(crate) login: Url,
    pub(crate) logout: Url,
}

impl Service {
    /// Reads the service's URL, its issuer. It may have a path.
    pub(crate) fn parse(text: &str, allow_http: bool) -> Result<Self, SessionError> {
        let mut base = checked(text, "the service's URL", allow_http)?;
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        let name = base.as_str().trim_end_matches('/').to_owned();
        let below = |end: &str| {
            let mut url = base.clone();
            url.set_path(&format!("{path}{end}"));
            url
        };
        Ok(Self {
            refresh: below("/v1/refresh"),
            token: below("/oauth2/token"),
            login: below("/v1/login"),
            logout: below("/v1/logout"),
            name,
        })
    }
}

/// Reads an origin that access tokens may be sent to.
pub(crate) fn origin(text: &str, allow_http: bool) -> Result<Url, SessionError> {
    let url = checked(text, "an allowed origin", allow_http)?;
    if url.path() != "/" {
        return Err(SessionError::config("an allowed origin has no path"));
    }
    Ok(url)
}

fn checked(text: &str, what: &str, allow_http: bool) -> Result<Url, SessionError> {
    let wrong = |why: &str| SessionError::config(format!("{what} {why}"));
    let url = Url::parse(text).map_err(|_| wrong("is not a URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_loopback(&url) => {}
        "http" => return Err(wrong("is http, which is allowed on this machine only unless it is asked for")),
        _ => return Err(wrong("is neither https nor http")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    Ok(url)
}

/// Whether a URL leads to this machine, whatever the network's name service says.
fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_points_lie_below_the_service() {
        let service = Service::parse("https://app.example/auth/", false).unwrap();
        assert_eq!(service.name, "https://app.example/auth");
        assert_eq!(service.refresh.as_str(), "https://app.example/auth/v1/refresh");
        let service = Service::parse("https://ID.example:443", false).unwrap();
        assert_eq!(service.name, "https://id.example");
        assert_eq!(service.token.as_str(), "https://id.example/oauth2/token");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let good = ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:80", "http://localhost/x"];
        for url in good {
            assert!(Service::parse(url, false).is_ok(), "{url}");
        }
        for url in ["http://id.example", "http://localhost.example", "http://10.0.0.1", "http://[::2]"] {
            assert!(Service::parse(url, false).is_err(), "{url}");
            assert!(Service::parse(url, true).is_ok(), "{url}");
        }
        let bad = ["", "id.example", "ftp://id.example", "https://a@id.example", "https://:b@id.example"];
        for url in bad.into_iter().chain(["https://id.example?x", "https://id.example#x", "file:///etc"]) {
            assert!(Service::parse(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        assert!(origin("https://api.example", false).is_ok());
        assert!(origin("https://api.example/", false).is_ok());
        assert!(origin("https://api.example/v1", false).is_err());
        assert!(origin("http://api.example", false).is_err());
    }
}
