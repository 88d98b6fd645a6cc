//! What goes wrong, one thing after the other, and how each is waited for: by what is seen of it, never by time alone.

use std::sync::Arc;

use crate::account::{Account, Phase, Zero};
use crate::arguments::Sabotage;
use crate::forward::Way;
use crate::log::Seen;
use crate::stage::{AT_THE_END_OF_A_LONG_WAY, NODES, Stage, Stuck};
use crate::verifiers::Verifiers;
use crate::wire::Wire;

/// So many renewals have to go through while something is wrong.
const MEANWHILE: usize = 30;

/// So many ends have to be known in each phase, so that there is something to tell of it.
const ENDS: u64 = 3;

/// Who makes things go wrong.
pub(crate) struct Faults {
    pub(crate) stage: Stage,
    pub(crate) account: Arc<Account>,
    pub(crate) verifiers: Arc<Verifiers>,
    pub(crate) wire: Wire,
    pub(crate) sabotage: Option<Sabotage>,
    /// How many sessions renew.
    pub(crate) sessions: usize,
    /// So many ends are wanted while nothing is wrong.
    pub(crate) quiet_ends: u64,
    /// Lost rotations that the nodes say they have healed.
    pub(crate) healed: u64,
}

impl Faults {
    /// A phase from its beginning until all is well again.
    pub(crate) async fn play(&mut self, phase: Phase, round: usize) -> Result<(), Stuck> {
        self.account.begin(phase);
        let ends = *self.account.ends().borrow();
        let played = match phase {
            Phase::Quiet => self.known(ends.saturating_add(self.quiet_ends)).await,
            Phase::NodeKilled => self.kill_a_node(round).await,
            Phase::NodePaused => self.pause_a_node(round.saturating_add(1)).await,
            Phase::StoreCutOff => self.cut_a_node_off().await,
            Phase::RollingRestart => self.restart_all(round).await,
            Phase::FailOver => self.fail_over().await,
        };
        if played.is_ok() {
            self.known(ends.saturating_add(ENDS)).await?;
            self.settle().await?;
        }
        self.account.end();
        played
    }

    /// As many renewals as there are sessions, and every verifier listens.
    async fn settle(&self) -> Result<(), Stuck> {
        self.stage.log.more(self.sessions, "that all have renewed", Seen::is_renewal).await?;
        self.verifiers.ready().await
    }

    /// Waits until so many ends are known to all verifiers.
    async fn known(&self, ends: u64) -> Result<(), Stuck> {
        let mut known = self.account.ends();
        loop {
            let before = *known.borrow_and_update();
            if before >= ends {
                return Ok(());
            }
            let next = tokio::time::timeout(std::time::Duration::from_mins(5), known.changed());
            next.await.map_err(|_late| Stuck("no end is known to all verifiers any more".to_owned()))?.ok();
        }
    }

    async fn meanwhile(&self) -> Result<(), Stuck> {
        self.stage.log.more(MEANWHILE, "renewals while something is wrong", Seen::is_renewal).await
    }

    async fn kill_a_node(&mut self, number: usize) -> Result<(), Stuck> {
        self.stage.node(number)?.service.kill().await?;
        self.meanwhile().await?;
        self.start_a_node(number).await
    }

    /// Starts a node and waits until it has work to do again.
    async fn start_a_node(&mut self, number: usize) -> Result<(), Stuck> {
        let node = self.stage.node(number)?;
        node.service.start().await?;
        let address = node.service.address();
        self.stage.log.more(1, "a renewal by the node", |seen| seen.is_renewal_by(address)).await
    }

    /// Long enough for nginx to have given it up.
    async fn pause_a_node(&mut self, number: usize) -> Result<(), Stuck> {
        let node = self.stage.node(number)?;
        let address = node.service.address();
        node.service.pause(true)?;
        let waited = self.stage.log.more(1, "that nginx gives a node up", |seen| seen.timed_out_at(address));
        let waited = waited.await;
        let meanwhile = self.meanwhile().await;
        self.stage.node(number)?.service.pause(false)?;
        waited?;
        meanwhile?;
        self.stage.log.more(1, "a renewal by the node", |seen| seen.is_renewal_by(address)).await
    }

    /// First nothing gets through, then connections break.
    async fn cut_a_node_off(&mut self) -> Result<(), Stuck> {
        let address = self.stage.node(AT_THE_END_OF_A_LONG_WAY)?.service.address();
        let log = Arc::clone(&self.stage.log);
        for way in [Way::Silent, Way::Broken] {
            self.stage.set_way(way);
            log.more(1, "that a node says so", |seen| seen.unavailable_at(address)).await?;
            self.meanwhile().await?;
        }
        self.stage.set_way(Way::Open);
        log.more(1, "a renewal by the node", |seen| seen.is_renewal_by(address)).await
    }

    /// As when a release is replaced: the schema first, the nodes one by one on what the next one has made of it.
    async fn restart_all(&mut self, round: usize) -> Result<(), Stuck> {
        // Nor is a renewal excused that a migration was in the way of.
        let nodes: Vec<_> = self.stage.nodes.iter().map(|node| node.service.address()).collect();
        for node in &nodes {
            self.account.leaves(*node);
        }
        self.stage.pair.migrate_further(round).await;
        self.stage.log.more(self.sessions, "that all have renewed", Seen::is_renewal).await?;
        for node in nodes {
            self.account.is_back(node);
        }
        for number in 0..NODES {
            let node = self.stage.node(number)?;
            let address = node.service.address();
            self.account.leaves(address);
            node.service.stop().await?;
            self.start_a_node(number).await?;
            self.account.is_back(address);
        }
        Ok(())
    }

    /// The standby misses some rotations for certain; the primary is killed, and a new standby is made.
    async fn fail_over(&mut self) -> Result<(), Stuck> {
        let metrics = self.stage.metrics();
        let healed = self.wire.counter(&metrics, "daypass_healed_total").await;
        let epoch = self.stage.pair.epoch().await?;
        self.stage.pair.cut_standby_off().await;
        self.meanwhile().await?;
        if self.sabotage == Some(Sabotage::NoSynchronousStandby) {
            let ends = *self.account.ends().borrow();
            self.known(ends.saturating_add(ENDS)).await?;
        }
        self.stage.pair.fail_over().await?;
        self.meanwhile().await?;
        self.stage.pair.replace_standby().await?;
        self.settle().await?;
        let healed = self.wire.counter(&metrics, "daypass_healed_total").await.saturating_sub(healed);
        if healed == 0 {
            self.account.object(Zero::Others, "rotations were lost, and no node says that it healed one");
        }
        self.healed = self.healed.saturating_add(healed);
        if self.stage.pair.epoch().await? == epoch {
            self.account.object(Zero::Others, "the feed has the epoch that it had before the fail-over");
        }
        Ok(())
    }
}
