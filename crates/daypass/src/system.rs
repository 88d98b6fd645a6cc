//! The one place that names the system's clock, randomness and signals.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use daypass_service::core::{Clock, Timestamp};
use daypass_service::{Entropy, Metrics};
use daypass_sqlite::Observer;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::hosted::Failure;

/// The system's wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness, by way of aws-lc.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the randomness that everything else is given")]
    #[expect(clippy::expect_used, reason = "without randomness nothing may go on")]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the system has no randomness");
    }
}

/// Reports the store's commits to the service's metrics.
pub(crate) struct Commits(pub(crate) Arc<Metrics>);

impl Observer for Commits {
    fn nanos(&self) -> u64 {
        self.0.nanos()
    }

    fn committed(&self, batch: usize, nanos: u64) {
        self.0.committed(batch, nanos);
    }
}

impl daypass_postgres::Observer for Commits {
    fn nanos(&self) -> u64 {
        self.0.nanos()
    }

    fn committed(&self, batch: usize, nanos: u64) {
        self.0.committed(batch, nanos);
    }
}

/// Ends when the process is asked to leave: Ctrl-C, or SIGTERM.
pub(crate) async fn asked_to_leave() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Sends the log to the standard error, as configured.
pub(crate) fn start_log(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().try_init(),
    }
}
