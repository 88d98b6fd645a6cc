//! What becomes of the service's answers: commits, ends and fail-overs, and what must not have been.

use daypass_core::rotation::{Refusal, RepeatProof};
use daypass_core::{Decision, OnReuse};

use crate::mutant::Mutant;
use crate::property::Property;
use crate::service::{self, End, Row};
use crate::setting::Setting;
use crate::token::{Generation, OLDEST, Reply, Request, Sender, Token};
use crate::world::{Holder, World};

impl World {
    /// The service answers; none where the answer says nothing to its sender.
    pub(crate) fn serve(&mut self, setting: &Setting, request: Request) -> Option<Reply> {
        let decision = service::ask(setting, self.row.as_ref(), request, self.key, self.now);
        setting.count(&decision);
        let owner = request.from != Sender::Thief;
        let reply = self.answer(setting, request, &decision, owner);
        // Who comes second is noticed, whoever it is.
        let late = !owner && request.token.generation >= self.seen.stolen && !self.is_over();
        let noticed = !late || !self.row.as_ref().is_some_and(|row| row.owner_went_on);
        self.seen.broken.note(Property::NoUnnoticedThief, !noticed);
        reply
    }

    /// Does what was decided.
    fn answer(
        &mut self,
        setting: &Setting,
        request: Request,
        decision: &Decision,
        owner: bool,
    ) -> Option<Reply> {
        match *decision {
            Decision::Rotate { state, .. } | Decision::Repeat { state, .. } => {
                let before = self.row.clone()?;
                let row = service::after(&before, &state);
                Some(Reply::Pair(self.hand_out(setting, request, decision, &before, row)))
            }
            Decision::Mismatch { generation } => {
                Some(Reply::Mismatch(u8::try_from(generation.0).unwrap_or(Generation::MAX)))
            }
            Decision::Reuse { ends } => {
                let broken = &mut self.seen.broken;
                broken.note(Property::EndsByPolicy, (ends == OnReuse::Subject) != setting.ends_subject);
                broken.note(Property::BoundHolds, setting.bound && !owner);
                let accident = !self.loot_serves(setting);
                self.seen.broken.note(Property::NoAccident, accident);
                self.end(setting, End::Reused, ends == OnReuse::Subject);
                Some(Reply::Over)
            }
            Decision::Refuse(Refusal::Superseded) => Some(Reply::Superseded),
            Decision::Refuse(Refusal::ProofRequired) => None,
            Decision::Refuse(_) => {
                // It ends nothing here. What the holder makes of it is looked at there.
                self.seen.spent |= self.is_spent(setting);
                let expired = setting.time.is_some_and(|time| self.now >= time.life);
                if expired && !self.is_over() && setting.mutant != Mutant::ExpiryForgotten {
                    self.end(setting, End::Expired, false);
                }
                self.seen.expired |= expired;
                Some(Reply::Over)
            }
        }
    }

    /// Commits a rotation or a repeat, and notes what must not have been.
    fn hand_out(
        &mut self,
        setting: &Setting,
        request: Request,
        decision: &Decision,
        before: &Row,
        mut row: Row,
    ) -> Token {
        let who = request.from.bit();
        let healed = matches!(decision, Decision::Rotate { healed: true, .. });
        let broken = &mut self.seen.broken;
        let since = self.now.saturating_sub(before.made_at);
        let graced = matches!(decision, Decision::Repeat { because: RepeatProof::Grace { .. }, .. });
        broken.note(Property::GraceEnds, graced && since > setting.grace);
        broken.note(Property::RevocationWins, self.seen.ended);
        broken.note(Property::ToldStaysTold, self.seen.expired);
        broken.note(Property::NoRevival, healed && self.seen.ended);
        let known = request.token.generation <= before.generation;
        let unused = self.now.saturating_sub(before.seen_at);
        let spent = setting.time.is_some_and(|time| {
            self.now >= time.life || known && time.idle.is_some_and(|idle| unused > idle)
        });
        broken.note(Property::ExpiryWins, spent);
        broken.note(Property::BoundHolds, setting.bound && request.from == Sender::Thief);
        if matches!(decision, Decision::Rotate { .. }) {
            let next = request.token.generation + 1;
            broken.note(Property::OneLineage, !(row.generation == next && next > before.generation));
            if before.handed_to != 3 || healed {
                self.seen.shadowed = 0;
                self.seen.reported = false;
            }
            row = Row { made_at: self.now, first_key: row.key, rotated_by: who, handed_to: who, ..row };
        } else {
            broken.note(Property::OneLineage, row.key != before.first_key);
            broken.note(Property::NoShadowing, before.rotated_by != who);
            row.handed_to |= who;
        }
        if matches!(decision, Decision::Repeat { because: RepeatProof::Grace { alarm: true }, .. }) {
            self.seen.reported = true;
        }
        if before.handed_to != 3 && row.handed_to == 3 {
            self.seen.shadowed = (self.seen.shadowed + 1).min(3);
        }
        let unreported = self.seen.shadowed == 3 && !self.seen.reported;
        self.seen.broken.note(Property::ShadowReported, unreported);
        if setting.lost == 0 {
            self.seen.renewed_at = self.now;
        }
        if self.is_robbed() {
            self.take_turns(setting, request, before.generation, &mut row);
        }
        let token = Token { generation: row.generation, key: row.key };
        self.commit(setting, Some(row));
        token
    }

    /// Notes who goes on after a theft.
    fn take_turns(&mut self, setting: &Setting, request: Request, before: Generation, row: &mut Row) {
        let who = request.from.bit();
        let seen = &mut self.seen;
        let counted = setting.turns.first() != Some(&u8::MAX);
        if counted && row.generation != before {
            if seen.turn_of != 0 && seen.turn_of != who {
                seen.turns = seen.turns.saturating_add(1);
            }
            seen.turn_of = who;
        }
        if let Some(tally) = setting.tally {
            tally.turns(seen.failovers, seen.turns);
        }
        let allowed = setting.turns.get(usize::from(seen.failovers)).copied().unwrap_or(u8::MAX);
        seen.broken.note(Property::Turns, seen.turns > allowed);
        if request.token.generation >= seen.stolen {
            row.thief_went_on |= request.from == Sender::Thief;
            row.owner_went_on |= request.from == Sender::Holder;
        }
        seen.broken.note(Property::NoUnnoticedThief, row.thief_went_on && row.owner_went_on);
    }

    /// Ends the session, or all of its subject's.
    pub(crate) fn end(&mut self, setting: &Setting, why: End, subject: bool) {
        let Some(mut row) = self.row.clone() else { return };
        let ended = if subject { &mut row.cut_off } else { &mut row.ended };
        *ended = ended.or(Some(why));
        self.seen.ended = true;
        if setting.synchronous {
            // The standby has it, and all that was committed before.
            self.row = Some(row);
            self.earlier.clear();
            self.seen.unsettled = 0;
        } else {
            self.commit(setting, Some(row));
        }
    }

    fn commit(&mut self, setting: &Setting, row: Option<Row>) {
        let before = std::mem::replace(&mut self.row, row);
        if setting.lost > 0 && before != self.row {
            self.earlier.push(before);
            if self.earlier.len() > setting.lost {
                self.earlier.remove(0);
                self.seen.unsettled = 0;
            }
        }
    }

    /// The last commits are gone. What a thief has from them is as good as stolen anew.
    pub(crate) fn fail_over(&mut self, lost: usize) {
        let kept = self.earlier.len().saturating_sub(lost);
        let Some(row) = self.earlier.drain(kept..).next() else { return };
        self.row = row;
        self.earlier.clear();
        self.seen.unsettled += 1;
        if self.is_robbed() {
            self.seen.failovers += 1;
            self.begin_anew();
        }
    }

    /// Takes a theft, or a loss after it, as the beginning: from now on counts who goes on from the newest token that
    /// anybody has.
    pub(crate) fn begin_anew(&mut self) {
        let held = match &self.holder {
            Holder::Sharers(sharers) => sharers.tokens(),
            Holder::Browser(browser) => browser.tokens(),
        };
        let newest = held.iter().map(|token| token.generation).max();
        self.seen.stolen = newest.max(self.thief.newest()).unwrap_or(OLDEST);
        for row in self.row.iter_mut().chain(self.earlier.iter_mut().flatten()) {
            row.owner_went_on = false;
            row.thief_went_on = false;
        }
    }
}
