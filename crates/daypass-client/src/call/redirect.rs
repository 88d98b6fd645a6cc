//! Where a redirect leads, and what of the request goes along (RFC 9110 section 15.4).

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
    COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;

/// The next request of a redirected one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Whether the body goes along.
    pub(super) body: bool,
}

/// Meant for the origin that it was sent to, and for no other.
const PERSONAL: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST];

/// About the body, and senseless without it.
const CONTENT: [HeaderName; 6] =
    [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, TRANSFER_ENCODING];

/// Where an answer leads. `None` if it is no redirect, or one that cannot be followed.
pub(super) fn next(method: &Method, url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Hop> {
    let (method, body) = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if *method == Method::POST => (Method::GET, false),
        StatusCode::SEE_OTHER if *method == Method::HEAD => (Method::HEAD, false),
        StatusCode::SEE_OTHER => (Method::GET, false),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => (method.clone(), true),
        _ => return None,
    };
    let location = std::str::from_utf8(headers.get(LOCATION)?.as_bytes()).ok()?;
    let mut to = url.join(location).ok()?;
    if !matches!(to.scheme(), "https" | "http") || !to.has_host() {
        return None;
    }
    // A name and a password in a redirect are whoever's, and not the caller's.
    to.set_username("").and_then(|()| to.set_password(None)).ok()?;
    if to.fragment().is_none() {
        to.set_fragment(url.fragment());
    }
    Some(Hop { method, url: to, body })
}

/// Takes away what must not go along on the way from `url`.
pub(super) fn strip(headers: &mut HeaderMap, url: &Url, hop: &Hop) {
    if url.origin() != hop.url.origin() {
        for name in PERSONAL {
            headers.remove(name);
        }
    }
    if !hop.body {
        for name in CONTENT {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "https://api.example/a/b?c#here";

    fn hop(method: &Method, status: u16, location: &str) -> Option<(String, String, bool)> {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        let hop = next(method, &FROM.parse().unwrap(), StatusCode::from_u16(status).unwrap(), &headers)?;
        Some((hop.method.to_string(), hop.url.to_string(), hop.body))
    }

    #[test]
    fn the_method_and_the_body_follow_rfc_9110() {
        let cases = [
            (Method::GET, 301, "GET", true),
            (Method::POST, 301, "GET", false),
            (Method::PUT, 301, "PUT", true),
            (Method::POST, 302, "GET", false),
            (Method::DELETE, 302, "DELETE", true),
            (Method::GET, 303, "GET", false),
            (Method::HEAD, 303, "HEAD", false),
            (Method::PUT, 303, "GET", false),
            (Method::POST, 307, "POST", true),
            (Method::PATCH, 308, "PATCH", true),
        ];
        for (method, status, then, body) in cases {
            let (is, _, has_body) = hop(&method, status, "/").unwrap();
            assert_eq!((is.as_str(), has_body), (then, body), "{method} {status}");
        }
        for status in [200, 201, 300, 304, 305, 306, 400, 401] {
            assert_eq!(hop(&Method::GET, status, "/"), None, "{status}");
        }
    }

    #[test]
    fn the_location_is_resolved_and_cleaned() {
        let cases = [
            ("d", "https://api.example/a/d#here"),
            ("/d#there", "https://api.example/d#there"),
            ("//other.example:8443/", "https://other.example:8443/#here"),
            ("http://api.example/", "http://api.example/#here"),
            ("https://ann:secret@api.example/", "https://api.example/#here"),
        ];
        for (location, to) in cases {
            assert_eq!(hop(&Method::GET, 302, location).unwrap().1, to, "{location}");
        }
        for location in ["ftp://api.example/", "data:,x", "https://", "http://[", "mailto:ann@example"] {
            assert_eq!(hop(&Method::GET, 302, location), None, "{location}");
        }
        let nowhere = next(&Method::GET, &FROM.parse().unwrap(), StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(nowhere, None);
    }

    #[test]
    fn what_is_personal_stays_with_its_origin() {
        let names = |to: &str, body| {
            let headers =
                [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST, CONTENT_TYPE, http::header::ACCEPT];
            let mut headers = HeaderMap::from_iter(headers.map(|name| (name, "x".parse().unwrap())));
            let hop = Hop { method: Method::GET, url: to.parse().unwrap(), body };
            strip(&mut headers, &FROM.parse().unwrap(), &hop);
            let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
            names.sort();
            names.join(" ")
        };
        let all = "accept authorization content-type cookie host proxy-authorization";
        assert_eq!(names("https://api.example/d", true), all);
        assert_eq!(names("https://api.example:443/d", true), all);
        for other in ["http://api.example/", "https://api.example:8443/", "https://api.example.evil/"] {
            assert_eq!(names(other, true), "accept content-type");
            assert_eq!(names(other, false), "accept");
        }
    }
}
