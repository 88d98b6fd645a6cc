//! Readers of single values: durations, sizes, numbers, choices, addresses and networks, cookie names.
//! Each takes what a source wrote and returns the value or the reason why it is none; none knows which
//! key it reads, what other keys say, or where the value stands. URLs have their own file.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::raw::Value;

const MILLISECOND: u64 = 1;
const SECOND: u64 = 1000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The units of durations in milliseconds, the longest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND)];

/// The units of sizes in bytes, the largest first.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The longest duration that is read, a hundred years, so that sums of times cannot overflow.
const LONGEST: u64 = 36_500 * DAY;

/// A string.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Untyped(text) | Value::Text(text) => Ok(text),
        other => Err(format!("is {}, not a string", describe(other))),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    let number = match value {
        Value::Integer(number) => u64::try_from(*number).map_err(|_| "is negative".to_owned())?,
        Value::Untyped(text) => digits(text).ok_or("is not a whole number")?,
        Value::Text(text) if digits(text).is_some() => return Err("is a number in quotes".to_owned()),
        other => return Err(format!("is {}, not a whole number", describe(other))),
    };
    within(number, least, most)
}

/// `true` or `false`.
pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Boolean(value) => Ok(*value),
        Value::Untyped(text) if text == "true" => Ok(true),
        Value::Untyped(text) if text == "false" => Ok(false),
        Value::Untyped(_) => Err("is neither true nor false".to_owned()),
        Value::Text(text) if text == "true" || text == "false" => {
            Err(format!("stands in quotes: write {text}"))
        }
        other => Err(format!("is {}, not true or false", describe(other))),
    }
}

/// A list of strings: an array in the file, separated by commas in the environment.
pub(super) fn list(value: &Value) -> Result<Vec<&str>, String> {
    match value {
        Value::List(items) => Ok(items.iter().map(String::as_str).collect()),
        Value::Untyped(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::Untyped(text) => Ok(text.split(',').map(str::trim).collect()),
        Value::Text(text) => Err(format!("is a string, not a list: write [{text:?}]")),
        other => Err(format!("is {}, not a list of strings", describe(other))),
    }
}

/// One of the words, compared exactly; the answer is the word's companion.
pub(super) fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, String> {
    let word = text(value)?;
    if let Some((_, choice)) = words.iter().find(|(name, _)| *name == word) {
        return Ok(*choice);
    }
    match words.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        Some((name, _)) => Err(format!("is spelt {name:?}")),
        None => Err("is none of the choices".to_owned()),
    }
}

/// A length of time: digits and one of the units `ms`, `s`, `m`, `h`, `d`; or `0`.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let written = match value {
        Value::Integer(number) => number.to_string(),
        other => text(other).map_err(|_| format!("is {}, not a duration", describe(other)))?.to_owned(),
    };
    let (number, unit) = number_and_unit(&written, "is not a duration such as \"90s\", \"10m\" or \"180d\"")?;
    if unit.is_empty() && number == 0 {
        return Ok(Duration::ZERO);
    }
    if unit.is_empty() {
        return Err(format!("has no unit: write \"{number}s\" if seconds are meant"));
    }
    let Some((_, scale)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("has the unknown unit {unit:?}; there are ms, s, m, h and d, one at a time"));
    };
    match number.checked_mul(*scale) {
        Some(milliseconds) if milliseconds <= LONGEST => Ok(Duration::from_millis(milliseconds)),
        _ => Err("is longer than a hundred years".to_owned()),
    }
}

/// A duration within bounds; `or_none` says whether 0 is accepted beside them.
pub(super) fn duration_within(
    value: &Value,
    least: Duration,
    most: Duration,
    or_none: bool,
) -> Result<Duration, String> {
    let duration = duration(value)?;
    if duration.is_zero() && or_none {
        return Ok(duration);
    }
    within(duration, least, most)
}

/// The duration, if it is of whole seconds.
pub(super) fn whole_seconds(duration: Duration) -> Result<Duration, String> {
    if duration.subsec_nanos() == 0 { Ok(duration) } else { Err("is not of whole seconds".to_owned()) }
}

/// A number of bytes: digits and one of the units `B`, `KiB`, `MiB`, `GiB`.
pub(super) fn size(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    let written = match value {
        Value::Integer(number) => number.to_string(),
        other => text(other).map_err(|_| format!("is {}, not a size", describe(other)))?.to_owned(),
    };
    let (number, unit) = number_and_unit(&written, "is not a size such as \"48MiB\"")?;
    if unit.is_empty() {
        return Err(format!("has no unit: write \"{number}MiB\" or \"{number}B\""));
    }
    let Some((_, scale)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("has the unknown unit {unit:?}; there are B, KiB, MiB and GiB"));
    };
    within(number.checked_mul(*scale).ok_or("is too large")?, least, most)
}

/// An IP address and a port to listen on.
pub(super) fn socket(value: &Value) -> Result<SocketAddr, String> {
    let written = text(value)?;
    written.parse().map_err(|_| match written.rsplit_once(':') {
        _ if written.parse::<u16>().is_ok() => format!("is a port alone: write \"127.0.0.1:{written}\""),
        Some(("", port)) => format!("has no address: write \"0.0.0.0:{port}\" for all of IPv4"),
        Some(("localhost", port)) => format!("names a host: write \"127.0.0.1:{port}\""),
        _ if written.parse::<IpAddr>().is_ok() => "has no port".to_owned(),
        _ => "is not an IP address and a port".to_owned(),
    })
}

/// Addresses that share their first bits: `10.0.0.0/8`, or one address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads an address or an `address/bits`; bits beyond the prefix must be zero.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let (address, prefix) = match written.split_once('/') {
            None => (written, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| "is not an IP address or network".to_owned())?;
        if address.to_canonical() != address {
            return Err(format!("is an IPv4 address in IPv6 clothes: write {}", address.to_canonical()));
        }
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(bits) => digits(bits)
                .and_then(|bits| u32::try_from(bits).ok())
                .filter(|bits| *bits <= width)
                .ok_or(format!("has a prefix that is not a number from 1 to {width}"))?,
        };
        if prefix == 0 {
            return Err("would trust every peer".to_owned());
        }
        let start = masked(address, prefix);
        if start != address {
            return Err(format!("has bits beyond its prefix: write {start}/{prefix}"));
        }
        Ok(Self { address, prefix })
    }

    /// Whether the address belongs to the network. An IPv4 address as IPv6 sockets show it
    /// (`::ffff:10.0.0.7`) is the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == width {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

/// The address with all bits after the first `prefix` cleared.
fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// What browsers promise about a cookie for its name alone (RFC 6265bis section 4.1.3 and the
/// layered-cookies draft). Daypass's cookies keep all that any of them asks for: `Secure`, `HttpOnly`,
/// `Path=/` and no `Domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookiePrefix {
    /// `__Host-Http-`: set by this very host, over TLS, by a response and not by script.
    HostHttp,
    /// `__Host-`: set by this very host, over TLS.
    Host,
    /// `__Http-`: set over TLS, by a response and not by script.
    Http,
    /// `__Secure-`: set over TLS.
    Secure,
    /// No promise.
    None,
}

impl CookiePrefix {
    /// The prefix of a cookie's name. Browsers ignore its case, so that is ignored here too.
    pub(crate) fn of(name: &str) -> Self {
        let starts =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if starts("__Host-Http-") {
            Self::HostHttp
        } else if starts("__Host-") {
            Self::Host
        } else if starts("__Http-") {
            Self::Http
        } else if starts("__Secure-") {
            Self::Secure
        } else {
            Self::None
        }
    }

    /// Whether browsers refuse such a cookie from any other host, a sibling or a parent domain included.
    pub(crate) fn is_host_bound(self) -> bool {
        matches!(self, Self::HostHttp | Self::Host)
    }
}

/// A cookie's name: a token (RFC 9110 section 5.6.2), which is more than a prefix.
pub(super) fn cookie_name(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if name.len() > 128 {
        return Err(format!("has {} characters", name.len()));
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if let Some(odd) = name.chars().find(|c| !is_token(*c)) {
        return Err(format!("has the character {odd:?}, which no cookie name may have"));
    }
    if ["__host-http-", "__host-", "__http-", "__secure-"].contains(&name.to_ascii_lowercase().as_str()) {
        return Err("is a prefix with no name after it".to_owned());
    }
    Ok(name.to_owned())
}

/// A name or URI (the StringOrURI of RFC 7519 section 2).
pub(super) fn audience(value: &Value) -> Result<String, String> {
    let name = text(value)?;
    if name.is_empty() || name.len() > 512 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("is not a name or URI".to_owned());
    }
    if let Some((scheme, _)) = name.split_once(':') {
        let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Err("has a colon and so must be a URI (RFC 7519 section 2)".to_owned());
        }
    }
    Ok(name.to_owned())
}

/// The duration as it is written: a number and the longest unit that divides it.
pub(crate) fn show_duration(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show_with_unit(milliseconds, &DURATION_UNITS)
}

/// The number of bytes as it is written: a number and the largest unit that divides it.
pub(crate) fn show_size(bytes: u64) -> String {
    show_with_unit(bytes, &SIZE_UNITS)
}

fn show_with_unit(number: u64, units: &[(&str, u64)]) -> String {
    if number == 0 {
        return "0".to_owned();
    }
    units
        .iter()
        .find(|(_, scale)| number.is_multiple_of(*scale))
        .map_or_else(|| number.to_string(), |(unit, scale)| format!("{}{unit}", number / scale))
}

/// Splits `10m` into 10 and `m`.
fn number_and_unit<'a>(written: &'a str, else_say: &str) -> Result<(u64, &'a str), String> {
    let end = written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len());
    let (number, unit) = written.split_at(end);
    if number.is_empty() || !unit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(else_say.to_owned());
    }
    Ok((digits(number).ok_or("is too large")?, unit))
}

/// Digits alone: the standard library would also take a sign.
fn digits(written: &str) -> Option<u64> {
    written.bytes().all(|byte| byte.is_ascii_digit()).then(|| written.parse().ok())?
}

/// The value, if it is from `least` to `most`; the key's own text says what these are.
fn within<T: PartialOrd + Copy>(value: T, least: T, most: T) -> Result<T, String> {
    if value < least {
        Err("is too small".to_owned())
    } else if value > most {
        Err("is too large".to_owned())
    } else {
        Ok(value)
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Untyped(_) | Value::Text(_) => "a string",
        Value::Integer(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::List(_) => "a list",
        Value::Other(what) => what,
    }
}
