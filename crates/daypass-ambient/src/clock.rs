//! Three kinds of time, and the system's.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A wait that ends when its time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from, and who waits.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time of day: since the Unix epoch, zero before it. It may be wrong, and it may jump either way.
    fn wall(&self) -> Duration;

    /// The time since some fixed point. It never goes back, and it runs on while the machine is suspended.
    fn running(&self) -> Duration;

    /// Waits for `duration` of the time that the machine is awake.
    fn sleep(&self, duration: Duration) -> Sleep;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> Duration {
        (**self).wall()
    }

    fn running(&self) -> Duration {
        (**self).running()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        (**self).sleep(duration)
    }
}

/// The system's clock. [`Clock::sleep`] needs tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
    fn wall(&self) -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }

    fn running(&self) -> Duration {
        running()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Linux counts suspended time on a clock of its own; Apple's monotonic clock counts it anyway.
#[cfg(unix)]
fn running() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const ID: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(ID);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}

/// Elsewhere the standard library's clock has to do. On Windows it counts suspended time.
#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
fn running() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_systems_clock_runs() {
        let (wall, running) = (SystemClock.wall(), SystemClock.running());
        SystemClock.sleep(Duration::from_millis(2)).await;
        assert!(SystemClock.running() >= running.saturating_add(Duration::from_millis(2)));
        assert!(wall > Duration::from_secs(1_700_000_000));
    }
}
