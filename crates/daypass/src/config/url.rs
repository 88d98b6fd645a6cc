//! The URLs of the configuration: the issuer, origins, and places to return to. They are compared byte
//! for byte, here and in every client, so only the one spelling is accepted that URL libraries leave as
//! it is: lower case, no default port, no dots to resolve.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What of a URL its uses tell apart.
struct Parts<'a> {
    path: &'a str,
}

/// The longest URL that is accepted, in bytes.
const LONGEST: usize = 512;

/// An issuer identifier (RFC 8414 section 2): https, or http on a loopback host; neither query,
/// fragment, user nor trailing slash.
pub(super) fn issuer(url: &str) -> Result<(), String> {
    let parts = parse(url)?;
    if parts.path.ends_with('/') {
        return Err("ends in a slash".to_owned());
    }
    if parts.path.contains("/.well-known") {
        return Err("has a path that its own well-known documents would shadow".to_owned());
    }
    Ok(())
}

/// An origin as browsers serialise it in the `Origin` header (RFC 6454 section 6.2).
pub(super) fn origin(origin: &str) -> Result<(), String> {
    match origin {
        "*" => return Err("would allow every page: name each origin".to_owned()),
        "null" => return Err("is what every sandboxed page sends: name the origin".to_owned()),
        _ => {}
    }
    let parts = parse(origin)?;
    if parts.path.is_empty() {
        Ok(())
    } else {
        Err("has a path: an origin ends after host and port".to_owned())
    }
}

/// A place that people may be sent back to.
pub(super) fn return_to(url: &str) -> Result<(), String> {
    parse(url).map(|_| ())
}

fn parse(url: &str) -> Result<Parts<'_>, String> {
    if url.is_empty() {
        return Err("is empty".to_owned());
    }
    if url.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    if let Some(odd) = url.chars().find(|c| !c.is_ascii_graphic() || r#"\"<>^`{|}*"#.contains(*c)) {
        return Err(format!("has the character {odd:?}"));
    }
    let (scheme, rest) = url.split_once("://").ok_or("is not an absolute URL")?;
    let is_https = match scheme {
        "https" => true,
        "http" => false,
        _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") => {
            return Err("has a scheme that is not in lower case".to_owned());
        }
        _ => return Err("is neither https nor http".to_owned()),
    };
    if rest.contains('?') {
        return Err("has a query".to_owned());
    }
    if rest.contains('#') {
        return Err("has a fragment".to_owned());
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("has a user".to_owned());
    }
    let (host, port) = split_port(authority)?;
    let is_loopback = check_host(host)?;
    check_port(port, is_https)?;
    check_path(path)?;
    if !is_https && !is_loopback {
        return Err("is http on a host that is not a loopback one".to_owned());
    }
    Ok(Parts { path })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or("has a host that is no IPv6 address")?;
        let host = authority.get(..inside.len() + 2).unwrap_or(authority);
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("has a host that is no IPv6 address".to_owned()),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn check_port(port: Option<&str>, is_https: bool) -> Result<(), String> {
    let Some(port) = port else { return Ok(()) };
    let number: u16 = port.parse().map_err(|_| "has a port that is not a number from 1 to 65535")?;
    if number == 0 || number.to_string() != port {
        return Err("has a port that is not a number from 1 to 65535".to_owned());
    }
    if number == if is_https { 443 } else { 80 } {
        return Err(format!("names the default port, which URL libraries drop: leave :{port} out"));
    }
    Ok(())
}

/// Checks the host's spelling; the answer is whether it is a loopback one.
fn check_host(host: &str) -> Result<bool, String> {
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("has a host that is not in lower case".to_owned());
    }
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']').unwrap_or(inside);
        let address: Ipv6Addr = inside.parse().map_err(|_| "has a host that is no IPv6 address")?;
        if address.to_string() != inside {
            return Err(format!("has a host that is spelt [{address}]"));
        }
        return Ok(IpAddr::V6(address).is_loopback());
    }
    // A last label of digits makes it an IPv4 address or nothing (WHATWG URL, "ends in a number").
    if host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        let address: Ipv4Addr = host.parse().map_err(|_| "has a host that is no IPv4 address")?;
        return Ok(address.is_loopback());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err("has a host that is no domain name".to_owned());
    }
    Ok(host == "localhost" || host.ends_with(".localhost"))
}

fn check_path(path: &str) -> Result<(), String> {
    if path.contains("//") {
        return Err("has an empty path segment".to_owned());
    }
    for segment in path.split('/') {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        if plain == "." || plain == ".." {
            return Err("has a path with dots to resolve".to_owned());
        }
        for escape in segment.split('%').skip(1) {
            if !escape.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
                return Err("has a broken % escape".to_owned());
            }
        }
    }
    Ok(())
}
