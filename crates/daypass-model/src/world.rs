//! Everything there is, and everything that may happen next.

use crate::browser::{self, Browser};
use crate::property::{Broken, Property};
use crate::service::{End, Row};
use crate::setting::{HolderKind, Setting};
use crate::sharers::{self, Sharers};
use crate::thief::{self, Thief};
use crate::token::{Generation, HERE, OLDEST, Request, Token, moved};

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// What the store holds; none if the sign-in was lost.
    pub(crate) row: Option<Row>,
    /// What it held before each of the last commits, oldest first, as far as a fail-over may lose them.
    pub(crate) earlier: Vec<Option<Row>>,
    /// The secret that new tokens are tagged with.
    pub(crate) key: u8,
    /// The service's clock.
    pub(crate) now: i8,
    /// Whose session it is.
    pub(crate) holder: Holder,
    /// The requests that the network may still deliver, each as often as it likes.
    pub(crate) network: Vec<Request>,
    pub(crate) thief: Thief,
    /// What was seen on the way here, whatever the store has forgotten of it.
    pub(crate) seen: Seen,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Sharers(Sharers),
    Browser(Browser),
}

/// What was seen on the way to a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Seen {
    pub(crate) broken: Broken,
    /// Whether an end of the session was acknowledged.
    pub(crate) ended: bool,
    /// Whether it was refused as its time was up.
    pub(crate) spent: bool,
    /// Whether anybody was told that it had expired.
    pub(crate) expired: bool,
    /// When the session was last renewed.
    pub(crate) renewed_at: i8,
    /// The generation that was stolen.
    pub(crate) stolen: Generation,
    /// How often owner and thief have taken turns since, and whose turn it was.
    pub(crate) turns: u8,
    pub(crate) turn_of: u8,
    /// How many fail-overs there were since.
    pub(crate) failovers: u8,
    /// How many fail-overs there were since a commit was last safe from them.
    pub(crate) unsettled: u8,
    /// For how many generations running two got on without ids, and whether that was reported.
    pub(crate) shadowed: u8,
    pub(crate) reported: bool,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The network delivers a request, and the answer gets through or is lost.
    Deliver {
        request: Request,
        answered: bool,
    },
    /// The network loses a request.
    Lose(Request),
    /// Another node takes over, which has not heard of the last commits.
    FailOver {
        lost: usize,
    },
    /// The service takes a new secret for its tokens.
    NewKey,
    /// Somebody ends the session.
    Revoke,
    /// The service's clock goes on, or back.
    Tick,
    TickBack,
    /// A process does something.
    Process(u8, sharers::Act),
    /// A browser, or one of its tabs, does something.
    Browser(browser::Act),
    /// A thief does something.
    Thief(thief::Act),
}

impl World {
    /// The world when somebody has just signed in.
    pub(crate) fn first(setting: &Setting) -> Self {
        let token = Token { generation: HERE, key: 0 };
        let earlier = if setting.synchronous || setting.lost == 0 { Vec::new() } else { vec![None] };
        Self {
            row: Some(Row::first()),
            earlier,
            key: 0,
            now: 0,
            holder: match setting.holder {
                HolderKind::Sharers { processes, .. } => {
                    Holder::Sharers(Sharers::first(token, processes, setting))
                }
                HolderKind::Browser { tabs } => Holder::Browser(Browser::first(token, tabs)),
            },
            network: Vec::new(),
            thief: Thief::default(),
            seen: Seen {
                broken: Broken::default(),
                ended: false,
                spent: false,
                expired: false,
                renewed_at: 0,
                stolen: OLDEST,
                turns: 0,
                turn_of: 0,
                failovers: 0,
                unsettled: 0,
                shadowed: 0,
                reported: false,
            },
        }
    }

    /// Whether the session is over, as far as the store knows.
    pub(crate) fn is_over(&self) -> bool {
        self.row.as_ref().is_none_or(Row::is_over)
    }

    /// Whether something has been stolen that serves a thief: without the key a bound session's token does not.
    pub(crate) fn loot_serves(&self, setting: &Setting) -> bool {
        self.is_robbed() && !setting.bound
    }

    /// Whether something has been stolen.
    pub(crate) fn is_robbed(&self) -> bool {
        self.thief.thefts > 0
    }

    /// Whether the session's time is up, or was left unused for too long.
    pub(crate) fn is_spent(&self, setting: &Setting) -> bool {
        setting.time.is_some_and(|time| {
            let unused = self.now.saturating_sub(self.seen.renewed_at);
            self.now >= time.life || time.idle.is_some_and(|idle| unused > idle)
        })
    }

    /// The holder is signed out, or about to end the session itself: an accident, unless it was robbed, somebody ended
    /// the session, or its time was up.
    pub(crate) fn note_sign_out(&mut self, setting: &Setting) {
        let told = self.seen.ended || self.seen.spent || self.loot_serves(setting);
        self.seen.broken.note(Property::NoAccident, !told);
    }

    /// All that may happen now.
    pub(crate) fn actions(&self, setting: &Setting, actions: &mut Vec<Action>) {
        for &request in &self.network {
            if self.may_arrive(setting, request) {
                actions.push(Action::Deliver { request, answered: false });
                if self.is_awaited(request) {
                    actions.push(Action::Deliver { request, answered: true });
                }
            }
            actions.push(Action::Lose(request));
        }
        match &self.holder {
            Holder::Sharers(sharers) => sharers.actions(self, setting, actions),
            Holder::Browser(browser) => browser.actions(self, setting, actions),
        }
        self.thief.actions(self, setting, actions);
        let spared = self.is_robbed() && self.seen.failovers >= setting.failovers
            || self.seen.unsettled >= setting.unsettled;
        if !spared {
            actions.extend((1..=self.earlier.len()).map(|lost| Action::FailOver { lost }));
        }
        if setting.new_keys {
            actions.push(Action::NewKey);
        }
        if setting.revokes && !self.seen.ended && self.row.is_some() {
            actions.push(Action::Revoke);
        }
        if let Some(time) = setting.time {
            if self.now < time.until {
                actions.push(Action::Tick);
            }
            if time.back && self.now > 0 {
                actions.push(Action::TickBack);
            }
        }
    }

    /// What the world is after `action`; none if that makes no difference.
    pub(crate) fn after(&self, setting: &Setting, action: Action) -> Option<Self> {
        let mut world = self.clone();
        world.happen(setting, action);
        world.settle(setting);
        (world != *self).then_some(world)
    }

    fn happen(&mut self, setting: &Setting, action: Action) {
        match action {
            Action::Deliver { request, answered } => {
                let reply = self.serve(setting, request);
                if let Some(reply) = reply.filter(|_| answered) {
                    match &mut self.holder {
                        Holder::Sharers(sharers) => sharers.answered(request, reply),
                        Holder::Browser(browser) => browser.answered(setting, request, reply),
                    }
                }
            }
            Action::Lose(request) => self.network.retain(|other| *other != request),
            Action::FailOver { lost } => self.fail_over(lost),
            Action::NewKey => self.key ^= 1,
            Action::Revoke => self.end(setting, End::Revoked, false),
            Action::Tick => self.now += 1,
            Action::TickBack => self.now -= 1,
            Action::Process(number, act) => sharers::act(self, setting, number, act),
            Action::Browser(act) => browser::act(self, setting, act),
            Action::Thief(act) => thief::act(self, setting, act),
        }
    }

    /// Whether the network may still deliver a request, by what is assumed of it.
    pub(crate) fn may_arrive(&self, setting: &Setting, request: Request) -> bool {
        let Some(row) = &self.row else { return true };
        let left_behind = match &self.holder {
            Holder::Sharers(sharers) => !setting.has_ids() && !sharers.holds(request.token),
            Holder::Browser(_) => false,
        };
        if left_behind {
            return false;
        }
        if self.loot_serves(setting) {
            return true;
        }
        if setting.has_ids() {
            return request.token.generation + setting.late >= HERE;
        }
        // Without ids nothing arrives that the client has left behind, nor after the grace.
        let used = request.token.generation < HERE;
        let late = !setting.bound && self.now.saturating_sub(row.rotated_at) > setting.grace;
        !(setting.within_grace && used && late)
    }

    fn is_awaited(&self, request: Request) -> bool {
        match &self.holder {
            Holder::Sharers(sharers) => sharers.awaits(request),
            Holder::Browser(_) => true, // A cookie is set whoever still waits.
        }
    }

    /// Puts a request into the network, if there is room. Otherwise it is lost.
    pub(crate) fn send(&mut self, setting: &Setting, request: Request) {
        if !self.network.contains(&request) && self.network.len() < setting.network {
            self.network.push(request);
            self.network.sort_unstable();
        }
    }

    /// The holder has written a token down. Where commits may be lost, only what it has then counts as renewed: the
    /// time of a repeat is lost with it.
    pub(crate) fn keeps(&mut self, setting: &Setting, token: Token) {
        let row = self.row.as_ref().filter(|row| row.generation == token.generation);
        if let Some(row) = row.filter(|_| setting.lost > 0) {
            self.seen.renewed_at = self.seen.renewed_at.max(row.rotated_at);
        }
    }

    /// Counts all generations from the row's, and forgets what makes no difference.
    pub(crate) fn settle(&mut self, setting: &Setting) {
        let Some(row) = &self.row else { return };
        let by = i16::from(HERE) - i16::from(row.generation);
        if by != 0 {
            self.row = self.row.take().map(|row| row.moved(by));
            for row in self.earlier.iter_mut().flatten() {
                *row = row.clone().moved(by);
            }
            for request in &mut self.network {
                *request = request.moved(by);
            }
            match &mut self.holder {
                Holder::Sharers(sharers) => sharers.move_by(by),
                Holder::Browser(browser) => browser.move_by(by),
            }
            self.seen.stolen = moved(self.seen.stolen, by);
        }
        self.thief.move_by(by, setting);
        // What is too late, even if a fail-over made it seem less so, never arrives.
        let reach = if self.loot_serves(setting) {
            HERE
        } else {
            setting.late + u8::try_from(setting.lost).unwrap_or(u8::MAX)
        };
        let holds = |token| match &self.holder {
            Holder::Sharers(sharers) => setting.has_ids() || sharers.holds(token),
            Holder::Browser(_) => true,
        };
        self.network
            .retain(|request| request.token.generation.saturating_add(reach) >= HERE && holds(request.token));
        self.network.sort_unstable();
        self.network.dedup();
        if !setting.mutant.tells_apart() {
            match &mut self.holder {
                Holder::Sharers(sharers) => sharers.processes.sort_unstable(),
                Holder::Browser(browser) => browser.tabs.sort_unstable(),
            }
        }
    }
}
