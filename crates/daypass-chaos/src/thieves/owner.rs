//! The owner of a session that is going to be robbed: two tabs that share a store.

use std::sync::Arc;

use daypass_client::store::TokenStore as _;
use daypass_client::{MemoryStore, Record, Session, SessionBuilder, SessionError};

use crate::account::Zero;
use crate::clients::{describe, renew_patiently, sign_in_patiently};
use crate::run::Run;
use daypass_chaos::dice::Dice;

/// An owner.
pub(super) struct Owner {
    run: Arc<Run>,
    service: String,
    client: Option<&'static str>,
    person: String,
    store: MemoryStore,
    tabs: [Session; 2],
    dice: Dice,
}

fn describe_tab(
    (service, client): (&str, Option<&'static str>),
    run: &Run,
    store: &MemoryStore,
    dice: &Dice,
) -> SessionBuilder {
    let described = describe(service, run.clock, dice.word()).store(store.clone());
    match client {
        Some(id) => described.client_id(id),
        None => described,
    }
}

/// What a thief could have seen in the store.
pub(super) struct Seen {
    /// When the renewal was over.
    pub(super) settled: Record,
    /// While it was under way: with the id of the coming rotation.
    pub(super) in_mid_renewal: Option<Record>,
}

impl Owner {
    pub(super) async fn new(
        run: &Arc<Run>,
        service: &str,
        person: &str,
        client: Option<&'static str>,
        dice: &Dice,
    ) -> Result<Self, SessionError> {
        let store = MemoryStore::new().with_clock(Arc::new(run.clock));
        let tab = || describe_tab((service, client), run, &store, dice).build();
        let tabs = [tab().await?, tab().await?];
        let (service, person) = (service.to_owned(), person.to_owned());
        let dice = Dice::new(dice.word(), 0);
        Ok(Self { run: Arc::clone(run), service, client, person, store, tabs, dice })
    }

    /// Signs in, however often that takes.
    pub(super) async fn sign_in(&self) -> Result<(), SessionError> {
        let at = (self.service.as_str(), self.client);
        let another = describe_tab(at, &self.run, &self.store, &self.dice);
        sign_in_patiently(another, &self.person, self.run.clock).await
    }

    /// Renews once, before anything was stolen. None: he was signed out all the same, which has been objected to.
    pub(super) async fn renew_before_theft(&self, name: &str) -> Result<Option<Seen>, SessionError> {
        let mut in_mid_renewal = None;
        let tab = self.tab();
        let renewed = tokio::select! {
            biased;
            renewed = renew_patiently(tab, self.run.clock) => renewed,
            () = self.spy(&mut in_mid_renewal) => return Ok(None),
        };
        if let Err(SessionError::SignedOut(why)) = renewed {
            let what = format!("{name} was signed out before any theft: {why}");
            self.run.account.object(Zero::SignOuts, what, None);
            return Ok(None);
        }
        renewed?;
        let settled = self.store.load().await?.record;
        Ok(settled.map(|settled| Seen { settled, in_mid_renewal }))
    }

    /// Renews once after a theft, or learns that the session is over: false.
    pub(super) async fn act(&self) -> Result<bool, SessionError> {
        let tab = self.tab();
        match renew_patiently(tab, self.run.clock).await {
            Ok(_) => Ok(true),
            Err(SessionError::SignedOut(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The store, which others may open as well.
    pub(super) fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn tab(&self) -> &Session {
        let [first, second] = &self.tabs;
        if self.dice.chance(500) { first } else { second }
    }

    /// Watches the store for an id of a rotation that is still to come. Does not return.
    async fn spy(&self, seen: &mut Option<Record>) {
        let Some(mut changes) = self.store.changes() else { return std::future::pending().await };
        while changes.changed().await.is_ok() {
            let record = self.store.load().await.ok().and_then(|stored| stored.record);
            let named = |record: &Record| {
                record.attempts.first().is_some_and(|newest| newest.generation == record.generation)
            };
            *seen = record.filter(named).or(seen.take());
        }
    }
}
