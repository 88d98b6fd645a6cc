//! Renewals as the service counts them.

/// What became of renewals: the service's own `daypass_refresh_total{outcome}`, since the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewals {
    /// New generations.
    pub rotated: u64,
    /// The same successor again.
    pub repeated: u64,
    /// Rotations that the store had lost and took over from the client.
    pub healed: u64,
    /// Tokens sent without their attempt id.
    pub mismatch: u64,
    /// Theft alarms.
    pub reused: u64,
    /// Refused: the session's time was over.
    pub expired: u64,
    /// Refused: the session was ended.
    pub revoked: u64,
    /// Refused: an old request that was delivered late.
    pub superseded: u64,
    /// Refused: there is no such session.
    pub unknown: u64,
    /// Refused: another client's token.
    pub wrong_client: u64,
    /// Refused: no token at all, a forged one, or a malformed request.
    pub invalid: u64,
    /// Not answered: the service was not able to.
    pub unavailable: u64,
}

impl Renewals {
    /// Reads the metrics' text.
    pub(crate) fn read(metrics: &str) -> Self {
        let count = |outcome: &str| {
            let start = format!("daypass_refresh_total{{outcome=\"{outcome}\"}} ");
            let number = metrics.lines().find_map(|line| line.strip_prefix(&start));
            number.expect("the service counts each outcome").trim().parse().unwrap()
        };
        Self {
            rotated: count("rotated"),
            repeated: count("repeated"),
            healed: count("healed"),
            mismatch: count("mismatch"),
            reused: count("reused"),
            expired: count("expired"),
            revoked: count("revoked"),
            superseded: count("superseded"),
            unknown: count("unknown"),
            wrong_client: count("wrong_client"),
            invalid: count("invalid"),
            unavailable: count("unavailable"),
        }
    }

    /// All that ended in a refusal: everything but rotations, repeats, healed rotations and unavailability.
    pub const fn refused(&self) -> u64 {
        self.mismatch
            + self.reused
            + self.expired
            + self.revoked
            + self.superseded
            + self.unknown
            + self.wrong_client
            + self.invalid
    }
}
