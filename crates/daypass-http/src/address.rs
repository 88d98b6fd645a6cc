//! Where a request came from: the peer, or what a trusted proxy says of its own peer.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::header::FORWARDED;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::options::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address at the other end of the connection, if the server told.
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// The client's address: the rightmost that is not a trusted proxy's.
///
/// A proxy that writes one of the two headers may pass the other on as the client forged it. Where
/// they differ, neither is believed, and the address is the proxy's.
pub(crate) fn of_client(parts: &Parts, trusted: &TrustedProxies) -> Option<IpAddr> {
    let peer = peer(parts)?;
    if !trusted.contain(peer) {
        return Some(peer);
    }
    let headers = &parts.headers;
    let walk = |hops: Option<Vec<Option<IpAddr>>>| hops.map(|hops| last_untrusted(peer, &hops, trusted));
    match (walk(x_forwarded_for(headers)), walk(forwarded(headers))) {
        (Some(one), Some(other)) if one != other => Some(peer),
        (one, other) => one.or(other).or(Some(peer)),
    }
}

/// Whether anything says that the request came through a proxy.
pub(crate) fn came_through_proxy(parts: &Parts, trusted: &TrustedProxies) -> bool {
    let told = ["via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto"];
    parts.headers.contains_key(FORWARDED)
        || parts.headers.contains_key(X_FORWARDED_FOR)
        || told.iter().any(|name| parts.headers.contains_key(*name))
        || peer(parts).is_some_and(|peer| trusted.contain(peer))
}

/// Follows the hops from the right. One that cannot be read ends the walk: what stands left of it
/// is hearsay.
fn last_untrusted(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &TrustedProxies) -> IpAddr {
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Some(hop) = hop else { break };
        client = *hop;
        if !trusted.contain(client) {
            break;
        }
    }
    client
}

fn x_forwarded_for(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    hops(headers, &X_FORWARDED_FOR, |hop| node(hop.trim()))
}

/// The `for` parameters of `Forwarded` (RFC 7239 section 4).
fn forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    hops(headers, &FORWARDED, |element| {
        let pair = element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        });
        node(pair?.trim().trim_matches('"'))
    })
}

/// The members of a list header, each read; `None` without the header.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Option<IpAddr>,
) -> Option<Vec<Option<IpAddr>>> {
    let lines = headers.get_all(name).iter();
    let hops: Vec<_> = lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).map(&read).collect();
    (!hops.is_empty()).then_some(hops)
}

/// An address, perhaps in brackets, perhaps with a port (RFC 7239 section 6).
fn node(text: &str) -> Option<IpAddr> {
    let address = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[(&str, &str)]) -> String {
        let mut request = http::Request::new(());
        for (name, value) in lines {
            request.headers_mut().append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let trusted = TrustedProxies::new(|address| address.to_string().starts_with("10."));
        of_client(&request.into_parts().0, &trusted).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let spoofed = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("192.0.2.1:1", &spoofed), "192.0.2.1");
        assert_eq!(client("10.0.0.1:1", &spoofed), "203.0.113.9");
        assert_eq!(client("[::ffff:10.0.0.1]:1", &spoofed), "203.0.113.9");
        assert_eq!(client("10.0.0.1:1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        let one = |value| client("10.0.0.1:1", &[("x-forwarded-for", value)]);
        assert_eq!(one("1.1.1.1, 2.2.2.2, 10.0.0.7"), "2.2.2.2");
        assert_eq!(one("10.0.0.8,10.0.0.7"), "10.0.0.8");
        assert_eq!(one("1.1.1.1, nonsense, 10.0.0.7"), "10.0.0.7");
        assert_eq!(one("1.1.1.1:4711"), "1.1.1.1");
        assert_eq!(one("2001:db8::1"), "2001:db8::1");
        let lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        assert_eq!(client("10.0.0.1:1", &lines), "2.2.2.2");
        let forwarded = |value| client("10.0.0.1:1", &[("forwarded", value)]);
        assert_eq!(forwarded("for=1.1.1.1, For=\"[2001:db8::2]:8080\";proto=https"), "2001:db8::2");
        assert_eq!(forwarded("for=_hidden"), "10.0.0.1");
        assert_eq!(forwarded("proto=https"), "10.0.0.1");
    }

    #[test]
    fn headers_that_contradict_each_other_are_not_believed() {
        let lines = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2")];
        assert_eq!(client("10.0.0.1:1", &lines), "10.0.0.1");
    }
}
