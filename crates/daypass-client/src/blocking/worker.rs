//! The thread on which a blocking session's work is done.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread that runs until the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Worker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    runtime: Handle,
    /// Its end ends the thread, which drops the runtime: whoever drops this may stand in a runtime of his own, where
    /// none may be dropped.
    _stop: oneshot::Sender<Infallible>,
}

impl Worker {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("daypass-client".to_owned()).spawn(move || {
            let _ended = runtime.block_on(stopped);
        })?;
        Ok(Self(Arc::new(Shared { runtime: handle, _stop: stop })))
    }

    /// Does the work on the thread, and waits for it. A panic in the work goes on here.
    pub(super) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, waiting) = mpsc::sync_channel(1);
        let task = self.0.runtime.spawn(work);
        self.0.runtime.spawn(async move {
            // Whoever waits waits to the end.
            let _ = done.send(task.await);
        });
        match waiting.recv() {
            Ok(Ok(result)) => result,
            Ok(Err(failed)) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => {
                    unreachable!("nobody cancels it, and the thread lives as long as this worker")
                }
            },
            Err(mpsc::RecvError) => unreachable!("the thread lives as long as this worker"),
        }
    }
}
