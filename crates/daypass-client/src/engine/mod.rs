//! The engine under a session: one memory, one renewal at a time, one order of events.
//!
//! [`memory`] holds what is known and how it changes; [`flight`] is a renewal that everybody waits for, which
//! [`renewal`] carries out for people and [`own`] for clients that act for themselves; [`change`] is for who is
//! signed in. The lock around the memory is never held over an `await`, nor while anybody is told anything.

mod attempts;
mod backoff;
mod change;
mod eager;
mod flight;
mod memory;
mod own;
mod persist;
mod renewal;
mod skew;
mod tries;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daypass_ambient::{Clock, Entropy};
use reqwest::Url;
use tokio::sync::{broadcast, watch};

use self::memory::{Known, Memory, Notice};
use crate::builder::SessionBuilder;
use crate::events;
use crate::policy::{Jitter, Moment, RefreshPolicy};
use crate::store::{Stored, TokenStore, Version};
use crate::wire::{Service, Speaker, Transport, origin};
use crate::{Event, Events, Record, SessionError, SessionState};

/// What all clones of a session share.
pub(crate) struct Engine {
    speaker: Speaker,
    store: Arc<dyn TokenStore>,
    changes: Option<watch::Receiver<Version>>,
    origins: Vec<Url>,
    policy: RefreshPolicy,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    memory: Mutex<Memory>,
    /// Whoever changes who is signed in holds it, so that memory and store agree on the order.
    changing: tokio::sync::Mutex<()>,
    wakes: watch::Sender<u64>,
    events: broadcast::Sender<Event>,
    state: watch::Sender<SessionState>,
}

impl Engine {
    /// Checks what was described, and reads the store.
    pub(crate) async fn open(
        builder: SessionBuilder,
        store: Arc<dyn TokenStore>,
    ) -> Result<Arc<Self>, SessionError> {
        let own = builder.client.is_its_own();
        let origins = builder.origins.iter().map(|text| origin(text, builder.allow_http));
        let origins = origins.collect::<Result<_, _>>()?;
        let speaker = Speaker {
            service: Service::parse(&builder.service, builder.allow_http)?,
            client: builder.client,
            scope: builder.scope,
            resource: builder.resource,
            transport: Transport::new(builder.http.unwrap_or_default())?,
        };
        let known = if own { Known::In(Box::default()) } else { Known::Unknown };
        let engine = Arc::new(Self {
            speaker,
            changes: store.changes().filter(|_| !own),
            store,
            origins,
            policy: builder.policy,
            clock: builder.clock,
            entropy: builder.entropy,
            memory: Mutex::new(Memory::new(known)),
            changing: tokio::sync::Mutex::default(),
            wakes: watch::Sender::new(0),
            events: broadcast::Sender::new(events::CAPACITY),
            state: watch::Sender::new(SessionState::Unknown),
        });
        if !own {
            let stored = engine.load().await?;
            engine.reconcile(stored);
        }
        engine.settle(|_| ());
        if engine.policy.eager {
            eager::start(&engine);
        }
        Ok(engine)
    }

    /// The host is back.
    pub(crate) fn wake(&self) {
        let now = self.now();
        self.settle(|memory| memory.backoff.woke(now.running));
        self.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(self.events.subscribe())
    }

    pub(crate) fn state(&self) -> SessionState {
        let now = self.now();
        self.memory().state(now)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<SessionState> {
        self.state.subscribe()
    }

    pub(crate) fn session_id(&self) -> Option<String> {
        self.memory().kept().map(|kept| kept.record.session_id.clone())
    }

    pub(crate) fn allows(&self, url: &Url) -> bool {
        self.origins.iter().any(|allowed| allowed.origin() == url.origin())
    }

    pub(crate) fn service(&self) -> &str {
        &self.speaker.service.name
    }

    fn now(&self) -> Moment {
        Moment { wall: self.clock.wall(), running: self.clock.running() }
    }

    /// Random bits for spreading; where there are none, nothing is spread.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        if self.entropy.fill(&mut bytes).is_err() {
            bytes = [0x7f; N];
        }
        bytes
    }

    fn jitter(&self) -> Jitter {
        Jitter::new(u16::from_le_bytes(self.random()))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // No change can panic half-way: the memory is whole even if somebody did panic.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and then tells whom it concerns.
    fn settle<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let now = self.now();
        let mut memory = self.memory();
        let before = memory.untold();
        let result = change(&mut memory);
        memory.tell_state(before, now);
        drop(memory);
        self.tell();
        result
    }

    /// Sends what is to be told, in order and without holding the lock. Whoever comes while another is at it leaves
    /// it to him.
    fn tell(&self) {
        if std::mem::replace(&mut self.memory().is_sending, true) {
            return;
        }
        let sending = Sending(self);
        loop {
            let mut memory = self.memory();
            let Some(notice) = memory.next_notice() else {
                // While the lock is held, or a notice could come in between that nobody sends.
                memory.is_sending = false;
                std::mem::forget(sending);
                return;
            };
            drop(memory);
            match notice {
                Notice::State(state) => {
                    self.state.send_replace(state);
                }
                Notice::End(waiting, end) => {
                    waiting.send_replace(Some(end));
                }
                // Nobody has to listen.
                Notice::Event(event) => drop(self.events.send(event)),
            }
        }
    }

    async fn load(&self) -> Result<Stored, SessionError> {
        // What changes from now on is a change that has not been looked at.
        let noticed = self.changes.as_ref().map(|changes| *changes.borrow());
        let stored = self.store.load().await?;
        self.memory().noticed = noticed;
        Ok(stored)
    }

    /// Takes over what the store holds.
    fn reconcile(&self, stored: Stored) -> Option<memory::Kept> {
        let (now, jitter) = (self.now(), self.jitter());
        let usable = stored.record.as_ref().is_some_and(|record| self.is_ours(record));
        self.settle(|memory| memory.reconcile(stored, usable, now, jitter))
    }

    /// Whether a record is of the service and the client that this session was built for.
    fn is_ours(&self, record: &Record) -> bool {
        record.service == self.speaker.service.name && record.client_id.as_deref() == self.speaker.client.id()
    }

    /// Whether the store has told of a change that nobody has looked at.
    fn has_unseen_change(&self, memory: &Memory) -> bool {
        let Some(changes) = &self.changes else { return false };
        let latest = *changes.borrow();
        memory.noticed != Some(latest) && memory.kept().is_none_or(|kept| kept.version != latest)
    }
}

/// Whoever is sending what is to be told. If a listener's waker panics, the next one who has something to tell goes on.
struct Sending<'e>(&'e Engine);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.memory().is_sending = false;
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("service", &self.service()).finish_non_exhaustive()
    }
}
