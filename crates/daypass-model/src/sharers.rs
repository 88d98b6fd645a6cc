//! Processes that share a token store, as the client library behaves: what is read, what is written, and when.
//!
//! A step here is what no crash can divide. Reading the store and writing an id into it is one step, as the write is
//! a compare-and-swap that takes over whatever somebody else wrote first; so is keeping new tokens.

mod steps;

use crate::mutant::Mutant;
use crate::setting::{HolderKind, Setting};
use crate::token::{HERE, Ids, NOBODY, OWNER, Reply, Request, STRAY, Sender, Token, realigned};
use crate::world::{Action, World};

pub(crate) use steps::act;

/// A session as the store holds it. The first id is for the token's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    pub(crate) token: Token,
    pub(crate) ids: Ids,
}

/// Processes, and the store that they share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sharers {
    /// One store, unless a mutant gives each its own.
    pub(crate) stores: Vec<Option<Record>>,
    pub(crate) processes: Vec<Process>,
    /// Counts ids that should not have been made.
    strays: u8,
}

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    pub(crate) doing: Doing,
    /// New tokens that the store would not take.
    pub(crate) unwritten: Option<Record>,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Doing {
    Nothing,
    /// It has read the store, and the id is written.
    Ready(Record),
    /// The request has left.
    Waiting(Record),
    /// The answer is here.
    Answered(Record, Reply),
    /// It was told that somebody else has gone on, and tells the service to end the session.
    LoggingOut(Record),
}

/// What a process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Reads the store and writes an id there.
    Begin,
    /// The same, while the disk is full.
    BeginUnwritten,
    Send,
    /// Sends again what got no answer, if the store still holds it.
    SendAgain,
    /// Sends again what got no answer, as the store cannot be read.
    SendAgainBlindly,
    /// Gives up.
    GiveUp,
    /// Dies.
    Crash,
    /// Acts on the answer.
    Handle,
    /// The same, while the disk is full.
    HandleUnwritten,
    /// Logs out until the service has said that it is so.
    LogOut,
}

impl Record {
    /// The record with an id for its generation. One that is there may have been sent and stays.
    fn with_id(self, maker: u8) -> Self {
        let [first, second, third, fourth] = self.ids;
        if first == NOBODY { Self { ids: [maker, second, third, fourth], ..self } } else { self }
    }

    /// The record after a renewal.
    fn renewed(self, token: Token) -> Self {
        Self { token, ids: realigned(self.ids, self.token.generation, token.generation) }
    }

    /// Whether a request that is made of it now arrives in time.
    pub(crate) fn is_in_time(self, world: &World, setting: &Setting) -> bool {
        world.loot_serves(setting) || self.token.generation + setting.late >= HERE
    }

    fn move_by(self, by: i16) -> Self {
        Self { token: self.token.moved(by), ..self }
    }
}

impl Sharers {
    pub(crate) fn first(token: Token, processes: usize, setting: &Setting) -> Self {
        let stores = if setting.mutant == Mutant::StoresApart { processes } else { 1 };
        let process = Process { doing: Doing::Nothing, unwritten: None };
        Self {
            stores: vec![Some(Record { token, ids: [NOBODY; 4] }); stores],
            processes: vec![process; processes],
            strays: 0,
        }
    }

    /// The store of a process.
    pub(crate) fn store(&self, number: u8) -> Option<Record> {
        *self.stores.get(usize::from(number)).or(self.stores.first())?
    }

    fn write(&mut self, number: u8, record: Option<Record>) {
        let index = if self.stores.len() > 1 { usize::from(number) } else { 0 };
        if let Some(store) = self.stores.get_mut(index) {
            *store = record;
        }
    }

    /// Each process with its store, and without the others.
    pub(crate) fn each_alone(&self) -> impl Iterator<Item = Self> {
        self.processes.iter().zip(0..).map(|(process, number)| Self {
            stores: vec![self.store(number)],
            processes: vec![*process],
            strays: self.strays,
        })
    }

    fn process(&mut self, number: u8) -> Option<&mut Process> {
        self.processes.get_mut(usize::from(number))
    }

    fn set(&mut self, number: u8, doing: Doing) {
        if let Some(process) = self.process(number) {
            process.doing = doing;
        }
    }

    /// The maker of the next id: always the owner, but for mutants.
    fn maker(&mut self, setting: &Setting, number: u8) -> u8 {
        let makes = match setting.holder {
            HolderKind::Sharers { ids, .. } => ids,
            HolderKind::Browser { .. } => true,
        };
        match setting.mutant {
            _ if !makes => NOBODY,
            Mutant::IdPerRequest | Mutant::IdWrittenLate => {
                self.strays = (self.strays + 1) % 3;
                STRAY + self.strays
            }
            Mutant::StoresApart => STRAY + number,
            _ => OWNER,
        }
    }

    pub(crate) fn awaits(&self, request: Request) -> bool {
        let awaits = |doing| matches!(doing, Doing::Waiting(record) if request_of(record) == request);
        self.processes.iter().any(|process| awaits(process.doing))
    }

    /// Whether the store has this token.
    pub(crate) fn holds(&self, token: Token) -> bool {
        self.stores.iter().flatten().any(|record| record.token == token)
    }

    pub(crate) fn answered(&mut self, request: Request, reply: Reply) {
        for process in &mut self.processes {
            if let Doing::Waiting(record) = process.doing
                && request_of(record) == request
            {
                process.doing = Doing::Answered(record, reply);
            }
        }
    }

    pub(crate) fn actions(&self, world: &World, setting: &Setting, actions: &mut Vec<Action>) {
        for (process, number) in self.processes.iter().zip(0..) {
            let mut may = |act| actions.push(Action::Process(number, act));
            let store = self.store(number);
            match process.doing {
                Doing::Nothing if store.is_some() => {
                    may(Act::Begin);
                    if setting.full_disk {
                        may(Act::BeginUnwritten);
                    }
                }
                Doing::Nothing => {}
                Doing::Ready(record) => {
                    // Whoever has slept for longer reads the store again: an assumption, and stated as one.
                    if record.is_in_time(world, setting) {
                        may(Act::Send);
                    }
                }
                Doing::Waiting(record) => {
                    if !world.network.contains(&request_of(record)) || store != Some(record) {
                        may(Act::SendAgain);
                    }
                    if setting.full_disk && record.is_in_time(world, setting) {
                        may(Act::SendAgainBlindly);
                    }
                    may(Act::GiveUp);
                }
                Doing::Answered(_, reply) => {
                    may(Act::Handle);
                    if setting.full_disk && matches!(reply, Reply::Pair(_)) {
                        may(Act::HandleUnwritten);
                    }
                }
                Doing::LoggingOut(_) => may(Act::LogOut),
            }
            if process.unwritten.is_some() || !matches!(process.doing, Doing::Nothing | Doing::Waiting(_)) {
                may(Act::Crash);
            }
        }
    }

    pub(crate) fn move_by(&mut self, by: i16) {
        for record in self.stores.iter_mut().flatten() {
            *record = record.move_by(by);
        }
        for process in &mut self.processes {
            process.doing = process.doing.move_by(by);
            process.unwritten = process.unwritten.map(|record| record.move_by(by));
        }
    }

    /// Refresh tokens that somebody could copy: the store's, and those that are on their way there.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<_> = self.stores.iter().flatten().map(|record| record.token).collect();
        for process in &self.processes {
            tokens.extend(process.unwritten.map(|record| record.token));
            if let Doing::Answered(_, Reply::Pair(token)) = process.doing {
                tokens.push(token);
            }
        }
        tokens
    }
}

impl Doing {
    fn move_by(self, by: i16) -> Self {
        match self {
            Self::Nothing => self,
            Self::Ready(record) => Self::Ready(record.move_by(by)),
            Self::Waiting(record) => Self::Waiting(record.move_by(by)),
            Self::Answered(record, reply) => Self::Answered(record.move_by(by), reply.moved(by)),
            Self::LoggingOut(record) => Self::LoggingOut(record.move_by(by)),
        }
    }
}

/// The request that a process sends for a record.
fn request_of(record: Record) -> Request {
    Request { token: record.token, top: record.token.generation, ids: record.ids, from: Sender::Holder }
}
