//! Limits on guessing by network address, kept in memory by each node.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use daypass_core::Timestamp;

/// One failure is forgiven in this time.
const FORGIVEN: i64 = 2_000;

/// Addresses remembered at most; beyond, those that owe least are forgotten.
const MAX_REMEMBERED: usize = 65_536;

/// Failures by address, each a debt in milliseconds that time pays off.
#[derive(Debug)]
pub(crate) struct AddressLimit {
    free: i64,
    paid_at: Mutex<HashMap<IpAddr, i64>>,
}

impl AddressLimit {
    /// A limit of `free` failures before any wait.
    pub(crate) fn new(free: u32) -> Self {
        Self { free: i64::from(free).saturating_mul(FORGIVEN), paid_at: Mutex::default() }
    }

    /// Whether another try may be made from there now, or how long to wait.
    pub(crate) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let Ok(paid_at) = self.paid_at.lock() else { return Ok(()) };
        let owed = paid_at.get(&network(address)).map_or(0, |at| at.saturating_sub(now.millis()));
        // More than can be owed: the clock has gone back. The next failure is dated anew.
        let void = owed > self.free.saturating_add(FORGIVEN);
        if void || owed.saturating_add(FORGIVEN) <= self.free {
            return Ok(());
        }
        let wait = owed.saturating_sub(self.free).saturating_add(FORGIVEN);
        Err(Duration::from_millis(wait.max(1).unsigned_abs()))
    }

    /// Notes a failure.
    pub(crate) fn failed(&self, address: IpAddr, now: Timestamp) {
        let Ok(mut paid_at) = self.paid_at.lock() else { return };
        if paid_at.len() >= MAX_REMEMBERED {
            let cut = now.millis().saturating_add(self.free / 2);
            paid_at.retain(|_, at| *at > cut);
        }
        if paid_at.len() >= MAX_REMEMBERED {
            paid_at.clear();
        }
        let at = paid_at.entry(network(address)).or_insert(now.millis());
        let most = now.millis().saturating_add(self.free).saturating_add(FORGIVEN);
        *at = (*at).max(now.millis()).saturating_add(FORGIVEN).min(most);
    }
}

/// Whom an address stands for: an IPv4 address itself, the /64 of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn failures_are_paid_off_by_time_and_others_are_unaffected() {
        let limit = AddressLimit::new(3);
        let (bad, good) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..3 {
            assert_eq!(limit.admit(bad, at(0)), Ok(()));
            limit.failed(bad, at(0));
        }
        assert_eq!(limit.admit(bad, at(0)), Err(Duration::from_secs(2)));
        assert_eq!(limit.admit(bad, at(1_999)), Err(Duration::from_millis(1)));
        assert_eq!(limit.admit(bad, at(2_000)), Ok(()));
        assert_eq!(limit.admit(good, at(0)), Ok(()));
    }

    #[test]
    fn an_ipv6_neighbourhood_is_one_address_and_a_mapped_one_is_ipv4() {
        let limit = AddressLimit::new(1);
        limit.failed("2001:db8::1".parse().unwrap(), at(0));
        assert!(limit.admit("2001:db8::2".parse().unwrap(), at(0)).is_err());
        assert!(limit.admit("2001:db8:0:1::1".parse().unwrap(), at(0)).is_ok());
        limit.failed("::ffff:192.0.2.7".parse().unwrap(), at(0));
        assert!(limit.admit("192.0.2.7".parse().unwrap(), at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let limit = AddressLimit::new(10);
        for n in 0..200_000u32 {
            limit.failed(std::net::Ipv4Addr::from(n).into(), at(0));
        }
        assert!(limit.paid_at.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
