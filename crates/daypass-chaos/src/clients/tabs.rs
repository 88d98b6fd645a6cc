//! Several sessions of one person in this process over one shared store, as tabs of a browser are.

use std::sync::Arc;

use async_trait::async_trait;
use daypass_client::{MemoryStore, Session, SessionBuilder, SessionError};
use tokio::task::JoinSet;

use super::caller::Caller;
use super::shelf::Shelf;
use super::{Client, Report, describe, renew_patiently, sign_in_patiently};
use crate::account::{What, Zero};
use crate::run::Run;

/// A tab is closed and opened again after so many calls at least, and at most.
const OPEN: (u64, u64) = (50, 300);

/// Tabs.
pub(crate) struct Tabs {
    run: Arc<Run>,
    name: String,
    service: String,
    store: Shelf,
    count: u64,
    stream: u64,
}

impl Tabs {
    /// So many tabs of this person, signed in. `stream` names their chance; an odd one has a store without a lock.
    pub(crate) async fn open(
        run: &Arc<Run>,
        service: &str,
        person: &str,
        count: u64,
        stream: u64,
    ) -> Result<Self, SessionError> {
        let store = MemoryStore::new().with_clock(Arc::new(run.clock));
        // The streams of two neighbours differ in this.
        let store = Shelf::new(store, stream.is_multiple_of(2));
        let tabs = Self {
            run: Arc::clone(run),
            name: format!("tabs {stream}"),
            service: service.to_owned(),
            store,
            count,
            stream,
        };
        sign_in_patiently(tabs.tab(0), person, run.clock).await?;
        Ok(tabs)
    }

    fn tab(&self, seed: u64) -> SessionBuilder {
        describe(&self.service, self.run.clock, seed).store(self.store.clone())
    }

    async fn open_tab(&self, seed: u64) -> Result<Session, SessionError> {
        self.tab(seed).build().await
    }
}

#[async_trait]
impl Client for Tabs {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self) {
        let mut tabs = JoinSet::new();
        for number in 0..self.count {
            let dice = self.run.dice(self.stream.wrapping_mul(64).wrapping_add(number));
            let opened = self.open_tab(dice.word()).await;
            let session = match opened {
                Ok(session) => session,
                Err(error) => {
                    Report::of(&error).account(&self.run, &self.name);
                    return;
                }
            };
            let caller = Caller::new(session, dice, self.run.clock);
            let (run, name) = (Arc::clone(&self.run), self.name.clone());
            let (service, store) = (self.service.clone(), self.store.clone());
            tabs.spawn(async move { Tab { run, name, service, store, caller }.live().await });
        }
        while let Some(ended) = tabs.join_next().await {
            if ended.is_err() {
                self.run.account.object(Zero::Panics, format!("{} panicked", self.name), None);
            }
        }
    }

    async fn renew_once_more(&self) -> Result<(), String> {
        let session = self.open_tab(u64::MAX).await.map_err(|error| error.to_string())?;
        renew_patiently(&session, self.run.clock).await.map(|_token| ()).map_err(|error| error.to_string())
    }
}

/// One tab.
struct Tab {
    run: Arc<Run>,
    name: String,
    service: String,
    store: Shelf,
    caller: Caller,
}

impl Tab {
    async fn live(mut self) {
        let mut left = self.caller.dice().between(OPEN.0, OPEN.1);
        while !self.run.is_over() {
            let report = self.caller.call().await;
            if report.is_some_and(|report| !report.account(&self.run, &self.name)) {
                return;
            }
            left = left.saturating_sub(1);
            if left == 0 && self.reopen().await.is_ok() {
                left = self.caller.dice().between(OPEN.0, OPEN.1);
            }
        }
    }

    /// Closes the tab and opens it again: what is under way goes on without it.
    async fn reopen(&mut self) -> Result<(), SessionError> {
        let seed = self.caller.dice().word();
        let session = describe(&self.service, self.run.clock, seed).store(self.store.clone()).build().await?;
        self.caller.restart(session);
        self.run.account.add(What::TabsReopened);
        Ok(())
    }
}
