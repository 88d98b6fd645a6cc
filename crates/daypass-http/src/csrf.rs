//! Requests that a page forged in somebody's name: who changes state by cookie has to show that the
//! request comes from a page that may (RFC 10017 section 6.1.3.3).

use axum::response::Response;
use http::header::VARY;
use http::{HeaderMap, HeaderValue};

use crate::cors;

const HEADER: &str = "daypass-csrf";
const FETCH_SITE: &str = "sec-fetch-site";

/// What a refusal says.
pub(crate) const REFUSAL: &str = "a request by cookie needs the header Daypass-CSRF: 1 and has to come from \
     the service's own origin or an allowed one";

/// Whether a request by cookie is one that the person's own page made: it carries `Daypass-CSRF: 1`,
/// which no form and no simple request can, and a browser says that it comes from the same origin,
/// or from `own` or one of `allowed`.
pub(crate) fn is_genuine(headers: &HeaderMap, own: Option<&str>, allowed: &[String]) -> bool {
    let single = |name| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    let announced = single(HEADER).is_some_and(|value| value == "1");
    let same_origin = single(FETCH_SITE).is_some_and(|value| value == "same-origin");
    announced && (same_origin || is_known(headers, own, allowed))
}

fn is_known(headers: &HeaderMap, own: Option<&str>, allowed: &[String]) -> bool {
    cors::origin_of(headers)
        .is_some_and(|origin| own.is_some_and(|own| origin == own) || cors::is_allowed(origin, allowed))
}

/// Whether a browser says that a request comes from a page of somebody else's. A request that says
/// nothing of where it comes from was not made by a page: browsers state it with every `POST`.
pub(crate) fn is_foreign(headers: &HeaderMap, own: Option<&str>, allowed: &[String]) -> bool {
    if headers.contains_key(http::header::ORIGIN) {
        return !is_known(headers, own, allowed);
    }
    headers.get_all(FETCH_SITE).iter().any(|site| site != "same-origin")
}

/// Tells caches what an answer that may go by cookie depends on.
pub(crate) fn vary(mut response: Response) -> Response {
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin, Sec-Fetch-Site"));
    response
}

/// The origin of the issuer as browsers write it: scheme, host and port, lower-case, without the
/// scheme's own port (RFC 6454 section 6.2).
pub(crate) fn origin_of_issuer(issuer: &str) -> Option<String> {
    let (scheme, rest) = issuer.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(default).unwrap_or(&authority);
    (!authority.is_empty()).then(|| format!("{scheme}://{authority}"))
}

/// The path of the issuer, without a slash at its end.
pub(crate) fn path_of_issuer(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_page_of_somebody_elses_is_foreign_and_a_program_is_not() {
        let own = Some("https://id.example");
        let allowed = ["https://app.example".to_owned()];
        let foreign = |lines: &[(&'static str, &'static str)]| is_foreign(&headers(lines), own, &allowed);
        assert!(!foreign(&[]));
        assert!(!foreign(&[("origin", "https://id.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]));
        assert!(!foreign(&[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", "none", "nonsense"] {
            assert!(foreign(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in ["https://evil.example", "null", "https://id.example.evil.example", ""] {
            assert!(foreign(&[("origin", origin)]), "{origin}");
            assert!(foreign(&[("origin", origin), ("sec-fetch-site", "same-origin")]), "{origin}");
        }
    }

    #[test]
    fn the_rule_line_by_line() {
        let own = Some("https://id.example");
        let allowed = ["https://app.example".to_owned()];
        let csrf = ("daypass-csrf", "1");
        let genuine = |lines: &[_]| is_genuine(&headers(lines), own, &allowed);
        assert!(genuine(&[csrf, ("sec-fetch-site", "same-origin")]));
        assert!(genuine(&[csrf, ("origin", "https://id.example")]));
        assert!(genuine(&[csrf, ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]));
        for forged in [
            &[][..],
            &[csrf],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://id.example")],
            &[("daypass-csrf", "0"), ("sec-fetch-site", "same-origin")],
            &[csrf, csrf, ("sec-fetch-site", "same-origin")],
            &[csrf, ("sec-fetch-site", "same-site")],
            &[csrf, ("sec-fetch-site", "none")],
            &[csrf, ("sec-fetch-site", "Same-Origin")],
            &[csrf, ("origin", "null")],
            &[csrf, ("origin", "http://id.example")],
            &[csrf, ("origin", "https://id.example:8443")],
            &[csrf, ("origin", "https://id.example.evil")],
            &[csrf, ("origin", "https://evil-app.example")],
            &[csrf, ("origin", "https://app.example"), ("origin", "https://app.example")],
        ] {
            assert!(!genuine(forged), "{forged:?}");
        }
    }

    #[test]
    fn an_issuer_has_an_origin_and_a_path() {
        let origin = |issuer| origin_of_issuer(issuer);
        assert_eq!(origin("https://ID.example:443/auth").as_deref(), Some("https://id.example"));
        assert_eq!(origin("http://127.0.0.1:8080").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(origin("http://[::1]:80/").as_deref(), Some("http://[::1]"));
        assert_eq!((origin("id.example"), origin("https://")), (None, None));
        let paths = ["https://a", "https://a/", "https://a/b", "https://a/b/c/"].map(path_of_issuer);
        assert_eq!(paths, ["", "", "/b", "/b/c"]);
    }
}
