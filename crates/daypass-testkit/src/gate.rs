//! Where a request or an answer is held until the test lets it pass.

use tokio::sync::watch;

/// A gate that is shut until it is opened, and open from then on. Clones are the same gate.
///
/// ```
/// # async fn shown(faults: &daypass_testkit::Faults) {
/// use daypass_testkit::{Fault, Gate};
///
/// let gate = Gate::new();
/// faults.next("/v1/refresh", Fault::HoldResponse(gate.clone()));
/// // … something sends the request …
/// gate.arrived().await;
/// // … the rotation is committed, and nobody knows yet …
/// gate.open();
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    arrived: usize,
    open: bool,
}

impl Gate {
    /// A gate that is shut.
    pub fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Returns as soon as somebody has come to the gate, held or not.
    pub async fn arrived(&self) {
        self.arrivals(1).await;
    }

    /// Returns as soon as `number` have come to the gate.
    pub async fn arrivals(&self, number: usize) {
        let mut state = self.0.subscribe();
        state.wait_for(|state| state.arrived >= number).await.expect("the gate holds the sender");
    }

    /// Lets everybody pass who is held, and who comes later.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Comes to the gate and waits until it is open.
    pub async fn pass(&self) {
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.arrived += 1);
        state.wait_for(|state| state.open).await.expect("the gate holds the sender");
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
