//! The clients: programs of several kinds that each keep a session, and call the API through it.

mod caller;
mod disk;
mod terminal;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use daypass_ambient::SeededEntropy;
use daypass_client::{Credentials, Event, Events, MemoryStore, Session, SessionBuilder, SessionState};
use daypass_testkit::FaultyServer;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::api;
use crate::far::Far;
use crate::run::Run;
use caller::Caller;
use disk::Disk;

/// Files that each hold a person's session; half of them without a lock.
const FILES: usize = 6;

/// Programs that share one such file.
const SHARING: usize = 4;

/// People whose programs hold their session in memory.
const ALONE: usize = 16;

/// How often each program calls at a time.
const CALLERS: usize = 2;

/// How often the one program calls at a time that is asked for much.
const BUSY: usize = 100;

const PASSWORD: &str = "a passphrase for everybody";

/// Everybody who calls.
pub(crate) struct Crowd {
    run: Arc<Run>,
    members: Vec<Member>,
    /// Served for as long as there are clients.
    _api: FaultyServer,
    folder: TempDir,
}

/// A program.
struct Member {
    caller: Arc<Caller>,
    callers: usize,
}

impl Crowd {
    /// Starts the API, signs everybody in and begins to listen to them.
    pub(crate) async fn gather(far: &Far, run: &Arc<Run>, seed: u64) -> Self {
        let api = api::serve(far.url(), far.keys_url(), far.clock()).await;
        let folder = tempfile::Builder::new().prefix("daypass-soak-").tempdir().unwrap();
        let mut gathering = Gathering { far, run, seed, api: api.url().to_owned(), members: Vec::new() };
        gathering.in_memory("busy", BUSY).await;
        for number in 0..ALONE {
            gathering.in_memory(&format!("alone{number}"), CALLERS).await;
        }
        for number in 0..FILES {
            let path = folder.path().join(format!("session{number}.json"));
            gathering.on_a_file(&format!("sharing{number}"), &path, number % 2 == 0).await;
        }
        gathering.for_itself().await;
        Self { run: Arc::clone(run), members: gathering.members, _api: api, folder }
    }

    /// Makes calls until there are none left.
    pub(crate) async fn call_all(&self) {
        let mut callers = JoinSet::new();
        for member in &self.members {
            for _ in 0..member.callers {
                let (caller, run) = (Arc::clone(&member.caller), Arc::clone(&self.run));
                callers.spawn(async move {
                    while let Some(number) = run.take() {
                        caller.call(number).await;
                        run.finish();
                        run.in_time().await;
                    }
                });
            }
        }
        let bar = tokio::spawn(terminal::show(Arc::clone(&self.run)));
        let all = async {
            while let Some(ended) = callers.join_next().await {
                ended.expect("callers do not panic");
            }
        };
        // What one caller found to be wrong may keep others waiting for ever.
        tokio::select! {
            () = all => {}
            () = self.run.failed() => {}
        }
        callers.shutdown().await;
        bar.abort();
        // It ends as cancelled, or because it was done.
        let _ended = bar.await;
    }

    /// Lets everybody make one more call, now that nothing is in the way.
    pub(crate) async fn call_once_more(&self) {
        for (number, member) in (self.run.calls()..).zip(&self.members) {
            if !self.run.has_failed() {
                member.caller.call(number).await;
            }
        }
    }

    /// Everybody says of themselves that they are signed in, whether or not their last renewal was answered.
    pub(crate) fn check(&self) {
        for Member { caller, .. } in &self.members {
            let state = caller.session().state();
            if matches!(state, SessionState::SignedOut(_) | SessionState::Unknown) {
                self.run.fail(format!("{} ended as {state:?}", caller.name()));
            }
        }
    }

    /// Everybody leaves. What they have begun they finish by themselves, in the folder that is given back.
    pub(crate) fn leave(self) -> TempDir {
        self.folder
    }

    /// How many programs there are, and how many sessions of people.
    pub(crate) fn size(&self) -> (usize, usize) {
        let sessions = self.members.iter().filter_map(|member| member.caller.session().session_id());
        (self.members.len(), sessions.collect::<BTreeSet<_>>().len())
    }
}

/// Everybody, while they gather.
struct Gathering<'a> {
    far: &'a Far,
    run: &'a Arc<Run>,
    seed: u64,
    api: String,
    members: Vec<Member>,
}

impl Gathering<'_> {
    /// A program of its own person, whose session ends with it.
    async fn in_memory(&mut self, name: &str, callers: usize) {
        let subject = self.far.add_person(name, PASSWORD).await;
        let session = self.describe().store(MemoryStore::new()).build().await.unwrap();
        session.sign_in(Credentials::password(name, PASSWORD)).await.unwrap();
        self.join(name, &session, subject, callers);
    }

    /// Several programs of one person, who has signed in with one of them.
    async fn on_a_file(&mut self, name: &str, path: &Path, lock: bool) {
        let subject = self.far.add_person(name, PASSWORD).await;
        for number in 0..SHARING {
            let run = Arc::clone(self.run);
            let store =
                if lock { Disk::open(path, self.far.clock(), run) } else { Disk::without_lock(path, run) };
            let session = self.describe().store(store.unwrap()).build().await.unwrap();
            if number == 0 {
                session.sign_in(Credentials::password(name, PASSWORD)).await.unwrap();
            }
            self.join(&format!("{name}.{number}"), &session, subject.clone(), CALLERS);
        }
    }

    /// A program that acts for itself.
    async fn for_itself(&mut self) {
        let (id, secret) = self.far.client();
        let (id, secret) = (id.to_owned(), secret.to_owned());
        let described = self.describe().client_credentials(&id, secret);
        let session = described.scope("orders").build().await.unwrap();
        self.join("itself", &session, id, CALLERS);
    }

    fn describe(&self) -> SessionBuilder {
        let seed = self.seed.wrapping_mul(1000).wrapping_add(self.members.len() as u64);
        Session::builder(self.far.url())
            .allow_origin(&self.api)
            .clock(Arc::new(self.far.clock()))
            .entropy(Arc::new(SeededEntropy::new(seed)))
            .http(reqwest::Client::builder().no_proxy())
    }

    fn join(&mut self, name: &str, session: &Session, subject: String, callers: usize) {
        // Not kept: it ends with the session, or is found to be left over.
        tokio::spawn(listen(name.to_owned(), session.events(), Arc::clone(self.run)));
        let caller = Caller::new(name, session, subject, &self.api, self.far.clock(), Arc::clone(self.run));
        self.members.push(Member { caller: Arc::new(caller), callers });
    }
}

/// Hears whether a session ends.
async fn listen(name: String, mut events: Events, run: Arc<Run>) {
    while let Some(event) = events.next().await {
        if let Event::SignedOut(reason) = event {
            run.fail(format!("{name} was signed out: {reason}"));
        }
    }
}
