//! The memory that this process takes up.

/// How much more memory may be taken up at the end than during the second quarter of the calls: room for what comes in
/// steps, such as the store's page cache. In 100,000 calls that is less than half a KiB for each.
const ALLOWANCE: u64 = 32 << 20;

/// The most memory during the second quarter of the calls, and memory at the end, in bytes. None where the system does not tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) warm: Option<u64>,
    pub(crate) end: Option<u64>,
}

impl Growth {
    /// What is wrong with it, if anything is.
    pub(crate) fn objection(&self) -> Option<String> {
        let (warm, end) = self.warm.zip(self.end)?;
        let too_much = end > warm + ALLOWANCE;
        too_much.then(|| {
            format!(
                "memory grew from {} to {} MiB, by more than {} MiB",
                warm >> 20,
                end >> 20,
                ALLOWANCE >> 20
            )
        })
    }
}

/// The resident set of this process, in bytes, where `/proc` tells.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
