//! Where a service is, and how a request to it is addressed.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;

use super::WireError;

/// A service's address: host, port and the path that its routes live below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: String,
    port: u16,
    base: String,
}

impl Target {
    /// Host and port as a socket is opened with.
    pub(crate) fn address(&self) -> (&str, u16) {
        // A literal IPv6 address stands in brackets in a URL and without them in a socket address.
        (self.host.trim_start_matches('[').trim_end_matches(']'), self.port)
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The full path of a route.
    pub(crate) fn path(&self, route: &str) -> String {
        format!("{}{route}", self.base)
    }

    pub(super) fn request(
        &self,
        method: Method,
        route: &str,
        headers: &[(&str, &str)],
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, WireError> {
        let mut request =
            Request::builder().method(method).uri(self.path(route)).header(HOST, self.authority());
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value).map_err(http::Error::from)?);
        }
        let body = match body {
            Some((kind, body)) => {
                request = request.header(CONTENT_TYPE, kind);
                body
            }
            None => Bytes::new(),
        };
        Ok(request.body(Full::new(body))?)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let uri: Uri = text.parse().map_err(|_| TargetError::NotAUrl)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Tls),
            _ => return Err(TargetError::NotAUrl),
        }
        let authority = uri.authority().ok_or(TargetError::NotAUrl)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(TargetError::Extra);
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.base)
    }
}

/// Why a text is no [`Target`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TargetError {
    #[error("expected a URL such as http://127.0.0.1:8080")]
    NotAUrl,
    #[error("https is not spoken here: name the service's own plain listener, http://…")]
    Tls,
    #[error("a user, password or query has no place in the service's URL")]
    Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let of = |text: &str| text.parse::<Target>().map(|target| target.to_string());
        assert_eq!(of("http://localhost:8080"), Ok("http://localhost:8080".into()));
        assert_eq!(of("http://app.example/auth/"), Ok("http://app.example:80/auth".into()));
        assert_eq!("http://[::1]:81/".parse::<Target>().unwrap().address(), ("::1", 81));
        assert_eq!(of("https://app.example"), Err(TargetError::Tls));
        assert_eq!(of("http://a:b@app.example"), Err(TargetError::Extra));
        assert_eq!(of("http://app.example/?x"), Err(TargetError::Extra));
        for wrong in ["", "app.example", "localhost:8080", "ftp://app.example", "http://"] {
            assert_eq!(of(wrong), Err(TargetError::NotAUrl), "{wrong:?}");
        }
    }
}
