//! The steps of a process: it reads the store, sends, and acts on the answer.

use super::{Act, Doing, Process, Record, Sharers, request_of};
use crate::mutant::Mutant;
use crate::service::End;
use crate::setting::Setting;
use crate::token::{NOBODY, OWNER, Reply};
use crate::world::{Holder, World};

/// What a process does.
pub(crate) fn act(world: &mut World, setting: &Setting, number: u8, act: Act) {
    let Holder::Sharers(sharers) = &mut world.holder else { return };
    let store = sharers.store(number);
    let Some(&Process { doing, unwritten }) = sharers.processes.get(usize::from(number)) else { return };
    match (act, doing) {
        (Act::Begin | Act::BeginUnwritten, Doing::Nothing) => begin(sharers, setting, number, act),
        (Act::Send, Doing::Ready(record)) | (Act::SendAgainBlindly, Doing::Waiting(record)) => {
            send(world, setting, number, record);
        }
        (Act::SendAgain, Doing::Waiting(record)) => {
            if setting.mutant == Mutant::SilenceBelieved {
                sign_out(world, setting, number);
            } else if store == Some(record) {
                send(world, setting, number, record);
            } else {
                sharers.set(number, Doing::Nothing);
            }
        }
        (Act::GiveUp, _) => sharers.set(number, Doing::Nothing),
        (Act::Crash, _) => {
            sharers.set(number, Doing::Nothing);
            if let Some(process) = sharers.process(number) {
                process.unwritten = None;
            }
        }
        (Act::Handle | Act::HandleUnwritten, Doing::Answered(record, reply)) => {
            handle(world, setting, number, (record, unwritten), reply, act);
        }
        (Act::LogOut, Doing::LoggingOut(record)) => {
            world.note_sign_out(setting);
            world.end(setting, End::SignedOut, false);
            if store == Some(record) {
                sign_out(world, setting, number);
            } else if let Holder::Sharers(sharers) = &mut world.holder {
                sharers.set(number, Doing::Nothing);
            }
        }
        _ => {}
    }
}

/// Reads the store, writes what could not be written before, makes an id and writes it.
fn begin(sharers: &mut Sharers, setting: &Setting, number: u8, act: Act) {
    let Some(mut record) = sharers.store(number) else { return };
    let unwritten = sharers.process(number).and_then(|process| process.unwritten);
    let newer = unwritten.filter(|unwritten| unwritten.token.generation > record.token.generation);
    if act == Act::BeginUnwritten {
        // Nothing can be written: what is written already is asked for again, or nothing is.
        if setting.mutant == Mutant::UnwrittenUsed {
            record = newer.unwrap_or(record).with_id(OWNER);
        }
        if record.ids.first() != Some(&NOBODY) || !setting.has_ids() {
            sharers.set(number, Doing::Ready(record));
        }
        return;
    }
    if let Some(process) = sharers.process(number) {
        process.unwritten = None;
    }
    record = newer.unwrap_or(record);
    if setting.mutant == Mutant::IdPerRequest {
        let [_, second, third, fourth] = record.ids;
        record.ids = [NOBODY, second, third, fourth];
    }
    if record.ids.first() == Some(&NOBODY) {
        let maker = sharers.maker(setting, number);
        if setting.mutant == Mutant::IdWrittenLate {
            sharers.write(number, Some(record));
            sharers.set(number, Doing::Ready(record.with_id(maker)));
            return;
        }
        record = record.with_id(maker);
    }
    sharers.write(number, Some(record));
    sharers.set(number, Doing::Ready(record));
}

fn send(world: &mut World, setting: &Setting, number: u8, record: Record) {
    let Holder::Sharers(sharers) = &mut world.holder else { return };
    let mut sent = record;
    if setting.mutant == Mutant::NewestIdOnly {
        let [first, ..] = record.ids;
        sent.ids = [first, NOBODY, NOBODY, NOBODY];
    }
    sharers.set(number, Doing::Waiting(sent));
    world.send(setting, request_of(sent));
}

/// Acts on an answer.
fn handle(
    world: &mut World,
    setting: &Setting,
    number: u8,
    (sent, unwritten): (Record, Option<Record>),
    reply: Reply,
    act: Act,
) {
    let Holder::Sharers(sharers) = &mut world.holder else { return };
    let store = sharers.store(number);
    let mut next = Doing::Nothing;
    match reply {
        Reply::Pair(token) => {
            // The ids that the store has, where a mutant sent fewer.
            let known = store.filter(|store| store.token == sent.token).unwrap_or(sent);
            let record = known.renewed(token);
            let newer = store.is_some_and(|store| store.token.generation >= token.generation);
            if act == Act::HandleUnwritten {
                let newest =
                    unwritten.filter(|there| there.token.generation > token.generation).unwrap_or(record);
                if let Some(process) = sharers.process(number) {
                    process.unwritten = Some(newest);
                }
            } else if setting.mutant == Mutant::BlindWrites || (store.is_some() && !newer) {
                sharers.write(number, Some(record));
                sharers.set(number, next);
                return world.keeps(setting, token);
            }
        }
        Reply::Over if has_moved_on(store, sent) => {}
        Reply::Over => return sign_out(world, setting, number),
        Reply::Superseded => {
            let believed = setting.mutant == Mutant::SupersededBelieved;
            let forgotten = setting.mutant == Mutant::SupersededForgotten;
            if (believed || !has_moved_on(store, sent)) && !forgotten {
                next = Doing::LoggingOut(sent);
            }
        }
        Reply::Mismatch(_) => {}
    }
    sharers.set(number, next);
}

/// The session is over here.
fn sign_out(world: &mut World, setting: &Setting, number: u8) {
    world.note_sign_out(setting);
    let Holder::Sharers(sharers) = &mut world.holder else { return };
    sharers.write(number, None);
    if let Some(process) = sharers.process(number) {
        *process = Process { doing: Doing::Nothing, unwritten: None };
    }
}

/// Whether the store has got further than what was sent.
fn has_moved_on(store: Option<Record>, sent: Record) -> bool {
    store.is_none_or(|store| store.token.generation > sent.token.generation || store.token != sent.token)
}
