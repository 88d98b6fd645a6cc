//! A browser: tabs, a cookie jar that holds the refresh token where no script sees it, and an id store beside it that
//! the tabs share. Jar and id store know nothing of each other.

use crate::mutant::Mutant;
use crate::service::End;
use crate::setting::Setting;
use crate::token::{
    Generation, HERE, Ids, NOBODY, OWNER, Reply, Request, STRAY, Sender, Token, moved, realigned,
};
use crate::world::{Action, Holder, World};

/// How many rotations a cookie may be late on its way to the disk, or in an answer that was overtaken.
const COOKIE_LAG: Generation = 3;

/// A browser and its tabs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Browser {
    /// The cookie; none once it was cleared.
    pub(crate) jar: Option<Token>,
    /// The cookie as it would be there after the browser was killed.
    disk: Option<Token>,
    /// The newest generation that any tab knows of, and the ids for it and those before it.
    pub(crate) known: Generation,
    ids: Ids,
    pub(crate) tabs: Vec<Tab>,
    /// Tells ids apart that should not have been made.
    strays: u8,
    /// Answers that set the cookie when they arrive, whoever still waits for them.
    pub(crate) answers: Vec<(Request, Token)>,
}

/// A tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tab {
    Nothing,
    /// It has read the id store; ids for this generation and those before it.
    Ready(Generation, Ids),
    /// The request has left.
    Waiting(Request),
    /// The answer is here; the ids were for this generation.
    Answered(Generation, Reply),
    /// It was told that somebody else has gone on, and tells the service to end the session.
    LoggingOut,
}

/// What a browser or a tab may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Makes an id for the newest generation unless there is one, and reads them.
    Begin(u8),
    /// Sends them; the browser adds the cookie that it has at that moment.
    Send(u8),
    /// Is closed, or reloaded, or gives up.
    Close(u8),
    /// Acts on the answer.
    Handle(u8),
    /// Logs out until the service has said that it is so.
    LogOut(u8),
    /// An answer arrives: the cookie is set.
    Arrive(Request, Token),
    /// An answer is lost.
    Miss(Request, Token),
    /// The cookie reaches the disk.
    Flush,
    /// The browser is killed.
    Kill,
}

impl Browser {
    pub(crate) fn first(token: Token, tabs: usize) -> Self {
        Self {
            jar: Some(token),
            disk: Some(token),
            known: token.generation,
            ids: [NOBODY; 4],
            tabs: vec![Tab::Nothing; tabs],
            strays: 0,
            answers: Vec::new(),
        }
    }

    /// Each tab without the others.
    pub(crate) fn each_alone(&self) -> impl Iterator<Item = Self> {
        self.tabs.iter().map(|tab| Self { tabs: vec![*tab], ..self.clone() })
    }

    fn tab(&mut self, number: u8) -> Option<&mut Tab> {
        self.tabs.get_mut(usize::from(number))
    }

    fn set(&mut self, number: u8, to: Tab) {
        if let Some(tab) = self.tab(number) {
            *tab = to;
        }
    }

    /// A tab has heard of a generation.
    fn knows(&mut self, generation: Generation) {
        if generation > self.known {
            self.ids = realigned(self.ids, self.known, generation);
            self.known = generation;
        }
    }

    /// The service has answered: new tokens as a cookie, all else to the tab.
    pub(crate) fn answered(&mut self, setting: &Setting, request: Request, reply: Reply) {
        if let Reply::Pair(token) = reply {
            if !self.answers.contains(&(request, token)) && self.answers.len() < setting.cookies {
                self.answers.push((request, token));
                self.answers.sort_unstable();
            }
            return;
        }
        self.tell(request, reply);
    }

    /// Whichever tab waits for this has it.
    fn tell(&mut self, request: Request, reply: Reply) {
        for tab in &mut self.tabs {
            if *tab == Tab::Waiting(request) {
                *tab = Tab::Answered(request.top, reply);
            }
        }
    }

    pub(crate) fn actions(&self, world: &World, setting: &Setting, actions: &mut Vec<Action>) {
        let mut may = |act| actions.push(Action::Browser(act));
        for (tab, number) in self.tabs.iter().zip(0..) {
            match tab {
                Tab::Nothing if self.jar.is_some() => may(Act::Begin(number)),
                Tab::Ready(..) => {
                    let in_time =
                        |jar: Token| world.loot_serves(setting) || jar.generation + setting.late >= HERE;
                    if self.jar.is_some_and(in_time) {
                        may(Act::Send(number));
                    }
                }
                Tab::Nothing | Tab::Waiting(_) => {}
                Tab::Answered(..) => may(Act::Handle(number)),
                Tab::LoggingOut => may(Act::LogOut(number)),
            }
            if *tab != Tab::Nothing {
                may(Act::Close(number));
            }
        }
        for (request, token) in &self.answers {
            if is_in_time(*token, self.known) {
                may(Act::Arrive(*request, *token));
            }
            may(Act::Miss(*request, *token));
        }
        if self.disk != self.jar {
            may(Act::Flush);
        }
        if self.disk.is_some_and(|token| is_in_time(token, self.known)) && !world.is_over() {
            may(Act::Kill);
        }
    }

    pub(crate) fn move_by(&mut self, by: i16) {
        self.jar = self.jar.map(|token| token.moved(by));
        self.disk = self.disk.map(|token| token.moved(by));
        self.known = moved(self.known, by);
        for tab in &mut self.tabs {
            *tab = match *tab {
                Tab::Ready(top, ids) => Tab::Ready(moved(top, by), ids),
                Tab::Waiting(request) => Tab::Waiting(request.moved(by)),
                Tab::Answered(top, reply) => Tab::Answered(moved(top, by), reply.moved(by)),
                Tab::Nothing | Tab::LoggingOut => *tab,
            };
        }
        for (request, token) in &mut self.answers {
            (*request, *token) = (request.moved(by), token.moved(by));
        }
        self.answers.retain(|(_, token)| token.generation + COOKIE_LAG + 2 >= HERE);
        self.answers.sort_unstable();
    }

    /// Refresh tokens that somebody could copy.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<_> = self.jar.into_iter().chain(self.disk).collect();
        tokens.extend(self.answers.iter().map(|(_, token)| *token));
        tokens
    }
}

/// Whether a cookie may still be set: an assumption about networks and disks, and stated as one.
pub(crate) fn is_in_time(token: Token, known: Generation) -> bool {
    token.generation + COOKIE_LAG >= known.max(HERE)
}

/// What a browser or a tab does.
pub(crate) fn act(world: &mut World, setting: &Setting, act: Act) {
    let Holder::Browser(browser) = &mut world.holder else { return };
    match act {
        Act::Begin(number) => begin(browser, setting, number),
        Act::Send(number) => {
            let Some(&mut Tab::Ready(top, ids)) = browser.tab(number) else { return };
            let Some(token) = browser.jar else { return };
            let [first, ..] = ids;
            let newest = setting.mutant == Mutant::NewestIdOnly;
            let ids = if newest { [first, NOBODY, NOBODY, NOBODY] } else { ids };
            let request = Request { token, top, ids, from: Sender::Holder };
            browser.set(number, Tab::Waiting(request));
            world.send(setting, request);
        }
        Act::Close(number) => browser.set(number, Tab::Nothing),
        Act::Handle(number) => handle(world, setting, number),
        Act::LogOut(number) => {
            browser.set(number, Tab::Nothing);
            world.note_sign_out(setting);
            world.end(setting, End::SignedOut, false);
            sign_out(world, setting);
        }
        Act::Arrive(request, token) => {
            browser.answers.retain(|answer| *answer != (request, token));
            browser.jar = Some(token);
            browser.tell(request, Reply::Pair(token));
        }
        Act::Miss(request, token) => browser.answers.retain(|answer| *answer != (request, token)),
        Act::Flush => browser.disk = browser.jar,
        Act::Kill => {
            browser.jar = browser.disk;
            browser.answers.clear();
            browser.tabs.fill(Tab::Nothing);
            if setting.mutant == Mutant::IdsNotDurable {
                let [_, second, third, fourth] = browser.ids;
                browser.ids = [NOBODY, second, third, fourth];
                browser.strays = 1 - browser.strays;
            }
        }
    }
}

/// Puts an id for the newest generation if there is none, so that all tabs send the same.
fn begin(browser: &mut Browser, setting: &Setting, number: u8) {
    let [first, second, third, fourth] = browser.ids;
    let own = setting.mutant == Mutant::TabsDisagree;
    if first == NOBODY || own {
        // After its id was forgotten a browser makes another.
        let maker = match setting.mutant {
            Mutant::TabsDisagree => STRAY + number,
            Mutant::IdsNotDurable => STRAY + browser.strays,
            _ => OWNER,
        };
        browser.ids = [maker, second, third, fourth];
    }
    let ready = Tab::Ready(browser.known, browser.ids);
    browser.set(number, ready);
}

/// Acts on an answer.
fn handle(world: &mut World, setting: &Setting, number: u8) {
    let Holder::Browser(browser) = &mut world.holder else { return };
    let Some(&mut Tab::Answered(top, reply)) = browser.tab(number) else { return };
    let mut next = Tab::Nothing;
    match reply {
        Reply::Pair(token) => browser.knows(token.generation),
        Reply::Mismatch(stated) if setting.mutant != Mutant::MismatchForgotten => browser.knows(stated),
        Reply::Mismatch(_) => {}
        Reply::Superseded => {
            let believed = setting.mutant == Mutant::SupersededBelieved;
            if believed || browser.known == top {
                next = Tab::LoggingOut;
            }
        }
        Reply::Over => {
            browser.set(number, Tab::Nothing);
            return sign_out(world, setting);
        }
    }
    browser.set(number, next);
}

/// The session is over here: the cookie is cleared.
fn sign_out(world: &mut World, setting: &Setting) {
    world.note_sign_out(setting);
    let Holder::Browser(browser) = &mut world.holder else { return };
    browser.jar = None;
    browser.disk = None;
}
