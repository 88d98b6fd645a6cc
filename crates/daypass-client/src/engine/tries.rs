//! Asking again, for as long as it makes sense.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use reqwest::RequestBuilder;
use tokio::sync::watch;

use super::Engine;
use super::backoff::Backoff;
use super::memory::Memory;
use crate::wire::{Answer, Reply, read};
use crate::{RefreshToken, SessionError};

/// A wait that takes this much longer than it should was a suspension of the machine.
const SUSPENDED: Duration = Duration::from_secs(2);

/// The last try has this long at least, however little remains.
const LEAST: Duration = Duration::from_secs(1);

/// How often coming back starts the time anew: a host that says so all the time must not wait forever.
const MOST_RETURNS: u32 = 8;

/// Several tries at one thing. How long to wait between them is the engine's knowledge, and lasts.
pub(super) struct Tries {
    engine: Arc<Engine>,
    wakes: watch::Receiver<u64>,
    /// When the first try was, on the running clock; or when the host came back.
    began: Duration,
    returns: u32,
    failed: bool,
    /// What is known of the service, where it is to be nobody else's knowledge.
    apart: Option<Backoff>,
}

impl Tries {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let (wakes, began) = (engine.wakes.subscribe(), engine.clock.running());
        Self { engine, wakes, began, returns: 0, failed: false, apart: None }
    }

    /// Tries that no renewal has to wait for if they fail.
    pub(super) fn apart(engine: Arc<Engine>) -> Self {
        let known = engine.memory().backoff;
        Self { apart: Some(known), ..Self::new(engine) }
    }

    /// Waits until a request may leave, and tells whether it had to or this is not the first. The error: not in the
    /// time that there is.
    pub(super) async fn ready(&mut self) -> Result<bool, SessionError> {
        let mut waited = self.failed;
        loop {
            if self.wakes.has_changed().unwrap_or(false) {
                self.came_back();
            }
            let now = self.engine.clock.running();
            let backoff = self.apart.unwrap_or_else(|| self.engine.memory().backoff);
            let (wait, retry_after) = (backoff.wait(now), backoff.retry_after(now));
            let left = self.began.saturating_add(self.engine.policy.budget).saturating_sub(now);
            if wait > left || (self.failed && left.is_zero()) {
                return Err(SessionError::Unavailable { retry_after });
            }
            if wait.is_zero() {
                return Ok(waited);
            }
            waited = true;
            tokio::select! {
                () = self.engine.clock.sleep(wait) => self.notice_suspension(now, wait),
                // The engine holds the sender.
                _ = self.wakes.changed(), if self.returns < MOST_RETURNS => self.came_back(),
            }
        }
    }

    /// One request. `None`: there was no answer in time, or not a whole one, or the host has come back and the
    /// connection is not to be trusted.
    async fn attempt(&mut self, request: RequestBuilder) -> Option<Reply> {
        if self.wakes.has_changed().unwrap_or(false) {
            self.came_back();
        }
        let now = self.engine.clock.running();
        let left = self.began.saturating_add(self.engine.policy.budget).saturating_sub(now);
        let limit = self.engine.policy.attempt.min(left.max(LEAST));
        let time = self.engine.clock.sleep(limit);
        tokio::select! {
            biased;
            reply = self.engine.speaker.transport.send(request) => return reply.ok(),
            () = time => self.notice_suspension(now, limit),
            _ = self.wakes.changed(), if self.returns < MOST_RETURNS => self.came_back(),
        }
        None
    }

    /// One request for tokens, and what was said to it. `None`: nothing that says anything.
    pub(super) async fn ask<T>(
        &mut self,
        request: RequestBuilder,
        tokens: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<Answer<T>> {
        let answer = self.attempt(request).await.map(|reply| read(&reply, tokens));
        let said = match answer {
            // The service is there, and would say the same again: whoever asks again does so no faster.
            Some(Ok(denied @ Answer::Denied(_))) => {
                self.failed(None);
                self.engine.settle(Memory::reachable);
                Some(denied)
            }
            Some(Ok(mismatch @ Answer::Mismatch(_))) => {
                self.engine.settle(Memory::reachable);
                Some(mismatch)
            }
            Some(Ok(said)) => {
                self.engine.settle(Memory::reached);
                Some(said)
            }
            Some(Err(nothing)) => {
                tracing::debug!(status = nothing.status.as_u16(), "an answer that says nothing");
                self.failed(nothing.retry_after);
                None
            }
            None => {
                self.failed(None);
                None
            }
        };
        tracing::debug!(answer = said.as_ref().map_or("none", Answer::name), "asked the token service");
        said
    }

    /// Something was in vain: the next try waits.
    pub(super) fn failed(&mut self, retry_after: Option<Duration>) {
        self.failed = true;
        let (now, random) = (self.engine.clock.running(), u32::from_le_bytes(self.engine.random()));
        match &mut self.apart {
            Some(backoff) => backoff.failed(now, retry_after, random),
            None => self.engine.settle(|memory| memory.backoff.failed(now, retry_after, random)),
        }
    }

    /// Ends the session of a refresh token, whatever its generation. It is over when the service has said so.
    pub(super) async fn log_out(&mut self, token: &RefreshToken) -> Result<(), SessionError> {
        loop {
            self.ready().await?;
            let request = self.engine.speaker.logout(token);
            let reply = self.attempt(request).await;
            if reply.as_ref().is_some_and(|reply| reply.status == StatusCode::NO_CONTENT) {
                self.engine.settle(Memory::reachable);
                return Ok(());
            }
            self.failed(reply.and_then(|reply| read(&reply, |_| None::<()>).err()?.retry_after));
        }
    }

    /// A wait of `planned` that began at `began` is over.
    fn notice_suspension(&mut self, began: Duration, planned: Duration) {
        let now = self.engine.clock.running();
        if now.saturating_sub(began) > planned.saturating_add(SUSPENDED) {
            self.engine.settle(|memory| memory.backoff.woke(now));
            self.came_back();
        }
    }

    fn came_back(&mut self) {
        self.wakes.mark_unchanged();
        let now = self.engine.clock.running();
        if let Some(backoff) = &mut self.apart {
            backoff.woke(now);
        }
        if self.returns < MOST_RETURNS {
            self.returns = self.returns.saturating_add(1);
            self.began = now;
        }
    }
}
