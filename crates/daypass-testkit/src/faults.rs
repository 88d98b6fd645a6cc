//! Which requests meet with which faults, and what arrived.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::watch;

use crate::Fault;
use crate::mixture::Mixture;

/// How many requests are kept for [`Faults::requests`].
const KEPT: usize = 1024;

/// What happens to the requests that come to a [`FaultyServer`](crate::FaultyServer), by path (without the query);
/// and what came. Clones share.
///
/// The first of these that says something about a request decides: [`next`](Self::next),
/// [`always`](Self::always), [`random`](Self::random).
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    busy: AtomicUsize,
}

#[derive(Default)]
struct State {
    paths: HashMap<String, Path>,
    mixture: Option<Mixture>,
    recorded: VecDeque<Recorded>,
}

#[derive(Default)]
struct Path {
    queued: VecDeque<Fault>,
    always: Option<Fault>,
    arrived: usize,
    served: usize,
}

/// A request as it arrived. `Debug` shows no header's value and no body: they hold tokens.
#[derive(Clone)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The path and the query.
    pub target: String,
    pub(crate) path: String,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Recorded {
    /// The value of a header line, the first if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body, read as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Recorded")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// The next request to `path` meets with `fault`. Several are taken in the order in which they were given.
    pub fn next(&self, path: &str, fault: impl Into<Fault>) {
        self.path(path, |path| path.queued.push_back(fault.into()));
    }

    /// The next `number` requests to `path` meet with `fault`, behind those already queued.
    pub fn next_times(&self, path: &str, number: usize, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.path(path, |path| path.queued.extend(std::iter::repeat_n(fault, number)));
    }

    /// Every request to `path` meets with `fault`, until [`clear`](Self::clear).
    pub fn always(&self, path: &str, fault: impl Into<Fault>) {
        self.path(path, |path| path.always = Some(fault.into()));
    }

    /// Of each thousand requests to any of `paths`, `per_mille` on average meet with one of `faults`. What befalls
    /// the n-th request to a path follows from `seed`.
    pub fn random(&self, seed: u64, per_mille: u16, paths: &[&str], faults: &[Fault]) {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.state().mixture = Some(Mixture { seed, per_mille, paths, faults: faults.to_vec() });
    }

    /// From now on requests meet with no fault. Those that one has befallen already are not freed: open their
    /// gates.
    pub fn clear(&self) {
        let mut state = self.state();
        state.mixture = None;
        for path in state.paths.values_mut() {
            path.queued.clear();
            path.always = None;
        }
    }

    /// How many requests to `path` have arrived, those included that a fault befell.
    pub fn arrived(&self, path: &str) -> usize {
        self.path(path, |path| path.arrived)
    }

    /// For how many requests to `path` the router has run to its end.
    pub fn served(&self, path: &str) -> usize {
        self.path(path, |path| path.served)
    }

    /// How many requests the router is working on at this moment, held ones not among them.
    pub fn busy(&self) -> usize {
        self.0.busy.load(Ordering::SeqCst)
    }

    /// Returns as soon as `number` requests to `path` have arrived.
    pub async fn until_arrived(&self, path: &str, number: usize) {
        self.until(|| self.arrived(path) >= number).await;
    }

    /// Returns as soon as the router has run to its end for `number` requests to `path`.
    pub async fn until_served(&self, path: &str, number: usize) {
        self.until(|| self.served(path) >= number).await;
    }

    /// What has arrived for `path`, the oldest first, as far as it is among the last 1,024 requests to the server.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        self.state().recorded.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// Notes a request and tells what befalls it.
    pub(crate) fn arrive(&self, request: Recorded) -> Option<Fault> {
        let mut state = self.state();
        let State { paths, mixture, recorded } = &mut *state;
        let known = paths.entry(request.path.clone()).or_default();
        known.arrived += 1;
        let drawn = || mixture.as_ref()?.draw(&request.path, known.arrived);
        let fault = known.queued.pop_front().or_else(|| known.always.clone()).or_else(drawn);
        if recorded.len() == KEPT {
            recorded.pop_front();
        }
        recorded.push_back(request);
        drop(state);
        self.0.changed.send_replace(());
        fault
    }

    /// Notes that the router begins to work on a request, and until when: it may be stopped in the middle.
    pub(crate) fn begin(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(&self.0))
    }

    /// Notes that the router has run to its end.
    pub(crate) fn serve(&self, path: &str) {
        self.path(path, |path| path.served += 1);
        self.0.changed.send_replace(());
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        let mut changed = self.0.changed.subscribe();
        while !condition() {
            changed.changed().await.expect("these faults hold the sender");
        }
    }

    fn path<T>(&self, path: &str, act: impl FnOnce(&mut Path) -> T) -> T {
        act(self.state().paths.entry(path.to_owned()).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

/// The router works on a request while this lives.
pub(crate) struct Busy(Arc<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}
