//! The cookies: reading them without being fooled, setting and clearing them.

use axum::http::HeaderMap;
use http::HeaderValue;
use http::header::{COOKIE, SET_COOKIE};

use crate::fault::Fault;
use crate::options::HttpOptions;

/// The longest that a browser keeps a cookie (RFC 6265bis section 5.5), in seconds.
const LONGEST: u64 = 400 * 24 * 60 * 60;

/// The value of the cookie called `name`. Names are compared with their case; two cookies of one
/// name are one too many, since a sibling site can plant the second.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Fault> {
    let mut found = None;
    for line in headers.get_all(COOKIE) {
        for pair in line.as_bytes().split(|b| *b == b';') {
            let pair = pair.trim_ascii();
            let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
            else {
                continue;
            };
            let value = std::str::from_utf8(value).unwrap_or("?");
            if found.replace(value).is_some() {
                return Err(Fault::Malformed("a cookie came more than once"));
            }
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// The refresh token's cookie: never sent from another site.
pub(crate) fn set_refresh(headers: &mut HeaderMap, options: &HttpOptions, token: &str, life: Option<u64>) {
    set(headers, options.cookies.refresh(), token, "Strict", life.map_or(LONGEST, |life| life.min(LONGEST)));
}

/// The access token's cookie: sent along when somebody follows a link.
pub(crate) fn set_access(headers: &mut HeaderMap, options: &HttpOptions, token: &str, life: u64) {
    set(headers, options.cookies.access(), token, "Lax", life);
}

/// Clears both cookies, as far as there can be both.
pub(crate) fn clear(headers: &mut HeaderMap, options: &HttpOptions) {
    set(headers, options.cookies.refresh(), "", "Strict", 0);
    if options.access_cookie {
        set(headers, options.cookies.access(), "", "Lax", 0);
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, same_site: &str, max_age: u64) {
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; Secure; SameSite={same_site}");
    // Names are checked and tokens are base64url, so that there is nothing to refuse.
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lines: &[&'static str]) -> Result<Option<String>, Fault> {
        let headers: HeaderMap = lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect();
        read(&headers, "__Host-a").map(|value| value.map(str::to_owned))
    }

    #[test]
    fn one_cookie_of_exactly_that_name_is_read() {
        let found = |value: &str| Ok(Some(value.to_owned()));
        assert_eq!(reading(&["b=1; __Host-a=x=y;c"]), found("x=y"));
        assert_eq!(reading(&["b=1", "__Host-a=x"]), found("x"));
        for none in ["", "__host-a=x", "=__Host-a=x", "__Host-ab=x", "__Host-a", "__Host-a="] {
            assert_eq!(reading(&[none]), Ok(None), "{none}");
        }
        for twice in
            [&["__Host-a=x; __Host-a=x"][..], &["__Host-a=x", "__Host-a=y"], &["__Host-a=; __Host-a=y"]]
        {
            assert!(reading(twice).is_err(), "{twice:?}");
        }
    }
}
