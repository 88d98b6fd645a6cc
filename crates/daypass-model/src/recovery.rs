//! What happens from a state on when the faults stop: that there is a way on is shown by going it.

use crate::browser::{self, Tab};
use crate::setting::{Loot, Setting};
use crate::sharers::{self, Doing};
use crate::thief::{self, Choice};
use crate::token::Reply;
use crate::world::{Action, Holder, World};

/// How many steps a way may take.
const STEPS: usize = 60;

/// Whether each process or tab gets tokens twice more, once nothing is lost any more and all others have stopped.
pub(crate) fn gets_on(world: &World, setting: &Setting) -> bool {
    if world.row.is_none() || world.is_over() || world.seen.ended || world.is_spent(setting) {
        return true; // It need not.
    }
    Walk::all(world, setting).into_iter().all(|mut walk| walk.renew() && walk.renew())
}

/// Whether a thief that has got tokens is found out as soon as the owner goes on, and, if it has copied a whole store,
/// the thief after it.
pub(crate) fn is_noticed(world: &World, setting: &Setting) -> bool {
    let fed = world.row.as_ref().is_some_and(|row| row.thief_went_on && !row.is_over());
    !fed || Walk::all(world, setting).into_iter().all(Walk::ends)
}

/// A way on, for one process or tab.
struct Walk<'a> {
    world: World,
    setting: &'a Setting,
}

impl<'a> Walk<'a> {
    /// The ways on for all that differ.
    fn all(world: &World, setting: &'a Setting) -> Vec<Self> {
        let mut walks: Vec<Self> = Vec::new();
        let holders: Vec<_> = match &world.holder {
            Holder::Sharers(sharers) => sharers.each_alone().map(Holder::Sharers).collect(),
            Holder::Browser(browser) => browser.each_alone().map(Holder::Browser).collect(),
        };
        for holder in holders {
            if walks.iter().all(|walk| walk.world.holder != holder) {
                walks.push(Self { world: World { holder, ..world.clone() }, setting });
            }
        }
        walks
    }

    /// Goes on until the session is over. The answer: whether it is.
    fn ends(mut self) -> bool {
        for _ in 0..2 {
            let _renewed = self.renew();
            if self.setting.thief == Some(Loot::Store)
                && let Some(newest) = self.world.thief.newest().filter(|_| !self.world.is_over())
            {
                thief::present(&mut self.world, self.setting, newest, Choice::Own);
                self.world.settle(self.setting);
            }
        }
        self.world.is_over()
    }

    /// Nothing else is under way.
    fn clear_the_way(&mut self) {
        let mut network = std::mem::take(&mut self.world.network);
        network.retain(|request| self.world.may_arrive(self.setting, *request));
        match &mut self.world.holder {
            Holder::Sharers(sharers) => network.retain(|request| sharers.awaits(*request)),
            Holder::Browser(browser) => {
                network.retain(|request| browser.tabs.first() == Some(&Tab::Waiting(*request)));
                let known = browser.known;
                browser.answers.retain(|(request, token)| {
                    browser.tabs.first() == Some(&Tab::Waiting(*request))
                        && browser::is_in_time(*token, known)
                });
            }
        }
        self.world.network = network;
    }

    /// Lets it go on until it has got tokens. The answer: whether it has.
    fn renew(&mut self) -> bool {
        for _ in 0..STEPS {
            self.clear_the_way();
            let Some((action, got_tokens)) = self.next() else { return false };
            if let Some(next) = self.world.after(self.setting, action) {
                self.world = next;
            } else {
                return false;
            }
            if got_tokens {
                return true;
            }
        }
        false
    }

    /// What it does next, and whether it has tokens after that.
    fn next(&self) -> Option<(Action, bool)> {
        let awaited = self.world.network.first();
        let deliver = awaited.map(|request| (Action::Deliver { request: *request, answered: true }, false));
        match &self.world.holder {
            Holder::Sharers(sharers) => {
                let act = |act| Some((Action::Process(0, act), false));
                match sharers.processes.first()?.doing {
                    Doing::Nothing => sharers.store(0).and_then(|_| act(sharers::Act::Begin)),
                    Doing::Ready(record) if !record.is_in_time(&self.world, self.setting) => {
                        act(sharers::Act::Crash)
                    }
                    Doing::Ready(_) => act(sharers::Act::Send),
                    Doing::Waiting(_) => deliver.or_else(|| act(sharers::Act::SendAgain)),
                    Doing::Answered(_, reply) => {
                        Some((Action::Process(0, sharers::Act::Handle), matches!(reply, Reply::Pair(_))))
                    }
                    Doing::LoggingOut(_) => act(sharers::Act::LogOut),
                }
            }
            Holder::Browser(browser) => {
                let act = |act| Some((Action::Browser(act), false));
                match browser.tabs.first()? {
                    Tab::Nothing => browser.jar.and_then(|_| act(browser::Act::Begin(0))),
                    Tab::Ready(..) => act(browser::Act::Send(0)),
                    Tab::Waiting(_) => match browser.answers.first() {
                        Some((request, token)) => act(browser::Act::Arrive(*request, *token)),
                        None => deliver.or_else(|| act(browser::Act::Close(0))),
                    },
                    Tab::Answered(_, reply) => {
                        Some((Action::Browser(browser::Act::Handle(0)), matches!(reply, Reply::Pair(_))))
                    }
                    Tab::LoggingOut => act(browser::Act::LogOut(0)),
                }
            }
        }
    }
}
