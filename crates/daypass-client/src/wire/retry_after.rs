//! `Retry-After` (RFC 9110 section 10.2.3).

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The longest time that a client stays away. A mistake in a proxy must not silence it for years.
const MOST: Duration = Duration::from_hours(1);

/// How long the sender asks to be left alone. A date counts from the answer's own `Date`: this machine's clock has
/// no say in it.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // Too large for a number is large.
        value.parse().unwrap_or(u64::MAX)
    } else {
        let now = seconds_of(headers.get(DATE)?.to_str().ok()?)?;
        seconds_of(value)?.saturating_sub(now)
    };
    Some(Duration::from_secs(seconds).min(MOST))
}

/// The seconds since the year 0 of an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`. The obsolete forms are left
/// out: nobody sends them.
fn seconds_of(date: &str) -> Option<u64> {
    let mut words = date.trim().split(' ').skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month: u64 = MONTHS.iter().zip(0..).find(|(name, _)| **name == month)?.1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1..10_000).contains(year))?;
    let mut time = words.next()?.split(':').map(|part| part.parse::<u64>().ok().filter(|part| *part < 61));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if words.next() != Some("GMT") || !(1..=31).contains(&day) {
        return None;
    }
    Some(((days_before(year, month) + day) * 24 + hour) * 3600 + minute * 60 + second)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The days from 1 March of the year 0 to a month's first day, counted in years that begin in March, so that the
/// leap day comes last.
const fn days_before(year: u64, month: u64) -> u64 {
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn after(value: &'static str, date: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds() {
        let cases =
            [("7", Some(7)), (" 7 ", Some(7)), ("0", Some(0)), ("7.5", None), ("-1", None), ("", None)];
        for (value, expected) in cases {
            assert_eq!(after(value, None), expected, "{value:?}");
        }
        assert_eq!(after("3601", None), Some(3600));
        assert_eq!(after("99999999999999999999999", None), Some(3600));
    }

    #[test]
    fn dates_count_from_the_answers_own() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let cases = [
            ("Sun, 06 Nov 1994 08:49:44 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("Sun, 06 Nov 1994 09:00:07 GMT", Some(630)),
            ("Sun, 06 Nov 1994 09:00:07 CET", None),
            ("Sun, 06 Nov 1994 09:00 GMT", None),
            ("Sun, 99 Nov 1994 09:00:00 GMT", None),
            ("Sun, 06 Nov 0000 09:00:00 GMT", None),
            ("tomorrow", None),
        ];
        for (value, expected) in cases {
            assert_eq!(after(value, date), expected, "{value}");
        }
        assert_eq!(after("Sun, 06 Nov 1994 08:49:44 GMT", None), None);
        let new_year = Some("Fri, 31 Dec 1999 23:59:50 GMT");
        assert_eq!(after("Sat, 01 Jan 2000 00:00:05 GMT", new_year), Some(15));
        for (before, after_, days) in [
            ("Mon, 28 Feb 2000 00:00:00 GMT", "Wed, 01 Mar 2000 00:00:00 GMT", 2),
            ("Wed, 28 Feb 1900 00:00:00 GMT", "Thu, 01 Mar 1900 00:00:00 GMT", 1),
            ("Fri, 28 Feb 2025 00:00:00 GMT", "Sat, 01 Mar 2025 00:00:00 GMT", 1),
        ] {
            assert_eq!(seconds_of(after_).unwrap() - seconds_of(before).unwrap(), days * 86_400, "{before}");
        }
    }
}
