//! What the writer is handed: a write, its outcome, and whoever waits for it.

use daypass_storage::{RotateRequest, Rotated, StoreResult};
use tokio::sync::oneshot;

use super::stopped;
use super::tx::{Tx, in_savepoint};

/// A write that was handed over, its outcome, and whoever waits for it.
pub(super) trait Job: Send {
    /// Applies the write and keeps its outcome. After an error nothing of it remains.
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()>;
    /// Answers the waiting caller, who may have gone: what was committed stands all the same.
    fn answer(self: Box<Self>, committed: StoreResult<()>);
}

/// A rotation.
pub(super) struct Rotation {
    request: RotateRequest,
    outcome: Option<Rotated>,
    reply: oneshot::Sender<StoreResult<Rotated>>,
}

impl Rotation {
    pub(super) fn new(request: RotateRequest, reply: oneshot::Sender<StoreResult<Rotated>>) -> Self {
        Self { request, outcome: None, reply }
    }
}

impl Job for Rotation {
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()> {
        self.outcome = Some(crate::rotate::rotate(tx, &self.request)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let Self { outcome, reply, .. } = *self;
        let _gone = reply.send(committed.and_then(|()| outcome.ok_or_else(stopped)));
    }
}

/// Any other write.
pub(super) struct Call<T, F> {
    write: Option<F>,
    outcome: Option<T>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F: FnOnce(&Tx<'_>) -> StoreResult<T>> Call<T, F> {
    pub(super) fn new(write: F, reply: oneshot::Sender<StoreResult<T>>) -> Self {
        Self { write: Some(write), outcome: None, reply }
    }
}

impl<T: Send, F: FnOnce(&Tx<'_>) -> StoreResult<T> + Send> Job for Call<T, F> {
    fn apply(&mut self, tx: &Tx<'_>) -> StoreResult<()> {
        let write = self.write.take().ok_or_else(stopped)?;
        self.outcome = Some(in_savepoint(tx, write)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let Self { outcome, reply, .. } = *self;
        let _gone = reply.send(committed.and_then(|()| outcome.ok_or_else(stopped)));
    }
}
