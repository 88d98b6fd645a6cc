//! HTTP requests to the issuer, under limits: no redirects, bounded answers, no secrets in the url.

use std::net::IpAddr;

use reqwest::{Client, Response, Url, header, redirect};

use crate::ConfigError;

/// Reads a url that the configuration has: https, or http to this very host, or http if `allow_http`. Names
/// and passwords do not belong into it, since urls are logged.
pub(crate) fn parse_url(text: &str, allow_http: bool) -> Result<Url, ConfigError> {
    let fault = |url: &str, fault| ConfigError::Url { url: url.to_owned(), fault };
    // Without knowing where its parts are, nothing of it can be shown.
    let url = Url::parse(text).map_err(|_| fault("…", "it is not an absolute url"))?;
    let shown = shown(&url);
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault(&shown, "it holds a name or a password"));
    }
    if url.fragment().is_some() {
        return Err(fault(&shown, "it has a fragment"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http || is_loopback(&url) => Ok(url),
        "http" => Err(fault(&shown, "it is not https")),
        _ => Err(fault(&shown, "it is neither https nor http")),
    }
}

/// A url for logs: without its query, names, passwords and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Urls that cannot have names, as `data:`, refuse, and have none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client for requests to this url's host.
pub(crate) fn client_for(url: &Url) -> Result<Client, ConfigError> {
    let mut client = Client::builder()
        .user_agent(concat!("daypass-verify/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        // Requests are minutes apart, or are made once.
        .pool_max_idle_per_host(0);
    if is_loopback(url) {
        client = client.no_proxy();
    }
    client.build().map_err(|_| ConfigError::Transport)
}

/// Why there is no answer, or none to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// No connection, or it broke before there was a status.
    #[error("there is no connection")]
    Connect,
    /// The body broke off.
    #[error("the answer broke off")]
    Interrupted,
    /// The body is longer than is read.
    #[error("the answer is too large")]
    TooLarge,
}

/// The body of an answer, up to `limit` bytes. What is beyond is never received.
pub(crate) async fn read_body(mut answer: Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    let stated = answer.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let stated: usize = stated.and_then(|length| length.parse().ok()).unwrap_or_default();
    if stated > limit {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::with_capacity(stated);
    while let Some(piece) = answer.chunk().await.map_err(|_| FetchError::Interrupted)? {
        if piece.len() > limit - body.len() {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> &'static str {
        match parse_url(text, false) {
            Err(ConfigError::Url { fault, .. }) => fault,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn only_safe_urls_pass() {
        for good in [
            "https://id.example/keys?x=1",
            "http://127.0.0.1:8080/keys",
            "http://127.9.9.9/",
            "http://[::1]:1/",
            "http://localhost:1/",
        ] {
            assert!(parse_url(good, false).is_ok(), "{good}");
        }
        for other in ["http://id.example/", "http://10.0.0.1/", "http://localhost.example/"] {
            assert_eq!(fault(other), "it is not https", "{other}");
            assert!(parse_url(other, true).is_ok(), "{other}");
        }
        assert_eq!(fault("file:///etc/passwd"), "it is neither https nor http");
        assert_eq!(fault("/keys"), "it is not an absolute url");
        assert_eq!(fault("https://id.example/#x"), "it has a fragment");
        assert_eq!(fault("https://ada:secret@id.example/"), "it holds a name or a password");
        assert_eq!(fault("https://:secret@id.example/"), "it holds a name or a password");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let error = parse_url("https://ada:secret@id.example/keys?token=secret", false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the url https://id.example/keys cannot be used: it holds a name or a password"
        );
        let error = parse_url("//ada:secret@id.example", false).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
