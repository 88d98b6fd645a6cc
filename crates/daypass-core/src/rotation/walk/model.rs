//! The naive account: everything that ever happened to a session, as a list, and the answer to a
//! request found by looking through it.

mod steps;

use std::time::Duration;

pub(super) use steps::Step;

use crate::client::{OnReuse, Policy};
use crate::revocation::EndingReason;

/// When the session begins, in milliseconds.
pub(super) const BEGINNING: i64 = 5_000_000;

/// What stays the same for a whole walk.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) policy: Policy,
    /// Whether the session is bound to a DPoP key, which the thief has not.
    pub(super) bound: bool,
    pub(super) ids: HolderIds,
    /// Whether there is a thief, and anybody else who tries things.
    pub(super) thieves: bool,
}

/// What attempt ids the holder sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HolderIds {
    /// None.
    None,
    /// That of the rotation it asks for, and some of those before.
    Some,
    /// All that fit.
    All,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) token: u32,
    /// Newest first.
    pub(super) ids: Vec<(u32, u64)>,
    pub(super) proof: bool,
    pub(super) secret: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Rotate { to: u32, secret: u8, healed: bool },
    Repeat { of: u32, secret: u8, by_ids: bool, alarm: bool },
    Mismatch(u32),
    Superseded,
    Reuse,
    Ahead,
    Expired,
    ProofRequired,
    Over { reused: bool },
}

/// One rotation that happened, or that must have happened where the store lost it.
#[derive(Clone, Debug)]
struct Made {
    of: u32,
    id: Option<u64>,
    at: i64,
    secret: u8,
}

/// What the store remembers: all of it, back to the beginning.
#[derive(Clone, Debug, Default)]
struct Account {
    made: Vec<Made>,
    seen: i64,
    /// The generations repeated on grace since the last healing.
    graced: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) setting: Setting,
    pub(super) now: i64,
    account: Account,
    /// The account before each rotation.
    earlier: Vec<Account>,
    /// Why the session ended by itself, and why it last ended with its subject.
    ended: Option<EndingReason>,
    cut_off: Option<EndingReason>,
    disabled: bool,
    secret: u8,
    /// The generation that the holder holds, and all its requests.
    held: u32,
    sent: Vec<Asked>,
    stolen: Option<u32>,
    only_the_holder: bool,
    /// Whether rotations were ever lost.
    bereft: bool,
    pub(super) last: Option<(Asked, Answer)>,
}

/// The id that a maker makes for a generation, the same at every retry.
fn id(maker: u8, of: u32) -> u64 {
    u64::from(maker) << 32 | u64::from(of)
}

impl Model {
    /// Ends the subject's sessions. What a reuse ended stays ended for that reason.
    fn cut_off_for(&mut self, why: EndingReason) {
        if self.cut_off != Some(EndingReason::Reused) {
            self.cut_off = Some(why);
        }
    }

    pub(super) fn generation(&self) -> u32 {
        u32::try_from(self.account.made.len()).unwrap()
    }

    /// Whether all that happened is an honest client's doing, one that can prove it: it makes ids,
    /// and where the store has forgotten rotations it listed those too, for a late copy to be known.
    pub(super) fn blameless(&self) -> bool {
        let known = match self.setting.ids {
            HolderIds::None => false,
            HolderIds::Some => !self.bereft,
            HolderIds::All => true,
        };
        known && self.only_the_holder
    }

    fn expired(&self) -> bool {
        let life = self.setting.policy.session.map(|life| i64::try_from(life.as_millis()).unwrap());
        life.is_some_and(|life| self.now - BEGINNING >= life)
    }

    pub(super) fn lives(&self) -> bool {
        !self.over() && !self.expired()
    }

    fn over(&self) -> bool {
        self.ended.is_some() || self.cut_off.is_some() || self.disabled
    }

    /// Whether reuse is what ended it: what the person has to hear of first.
    fn reused(&self) -> bool {
        [self.ended, self.cut_off].contains(&Some(EndingReason::Reused))
    }

    pub(super) fn alarmed(&self) -> bool {
        self.reused() || matches!(self.last, Some((_, Answer::Reuse | Answer::Ahead | Answer::Mismatch(_))))
    }

    /// Whether the rotation of `of` is remembered, and the request names its id.
    fn proves(&self, asked: &Asked, of: u32) -> bool {
        let remembered = self.generation() - of <= 4;
        let made = self.account.made.iter().find(|made| made.of == of);
        let id = made.and_then(|made| made.id);
        remembered && id.is_some_and(|id| asked.ids.contains(&(of, id)))
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let current = self.generation();
        let secret = self.account.made.last().map_or(0, |made| made.secret);
        let policy = &self.setting.policy;
        if self.setting.bound && !asked.proof {
            return Answer::ProofRequired;
        }
        if self.over() {
            return Answer::Over { reused: self.reused() };
        }
        let unseen = u128::try_from(self.now - self.account.seen).unwrap_or(0);
        let idled = policy.idle.is_some_and(|idle| unseen > idle.as_millis());
        if self.expired() || (idled && asked.token <= current) {
            return Answer::Expired;
        }
        if !asked.ids.is_empty() && !asked.ids.iter().any(|(of, _)| *of == asked.token) {
            return Answer::Mismatch(asked.token);
        }
        let successor = asked.token + 1;
        if asked.token >= current {
            return match asked.token - current {
                0 => Answer::Rotate { to: successor, secret: asked.secret, healed: false },
                1..=16 => Answer::Rotate { to: successor, secret: asked.secret, healed: true },
                _ => Answer::Ahead,
            };
        }
        if (asked.token..current).all(|of| self.proves(asked, of)) {
            return Answer::Repeat { of: current, secret, by_ids: true, alarm: false };
        }
        let last = self.account.made.last().unwrap();
        if successor == current && asked.ids.is_empty() && last.id.is_none() {
            let since = self.now - last.at;
            let graced = u128::try_from(since).is_ok_and(|since| since <= policy.grace.as_millis());
            if self.setting.bound {
                return Answer::Repeat { of: current, secret, by_ids: false, alarm: false };
            } else if graced && policy.grace > Duration::ZERO {
                let alarm = self.third_running(current);
                return Answer::Repeat { of: current, secret, by_ids: false, alarm };
            }
        }
        if self.proves(asked, asked.token) { Answer::Superseded } else { Answer::Reuse }
    }

    /// Whether a first repeat of `current` on grace would make it three generations running.
    fn third_running(&self, current: u32) -> bool {
        let graced = |of: u32| self.account.graced.contains(&of);
        current >= 2 && !graced(current) && graced(current - 1) && graced(current - 2)
    }

    fn record(&mut self, asked: &Asked, answer: Answer) {
        let current = self.generation();
        match answer {
            Answer::Rotate { to, secret, healed } => {
                self.earlier.push(self.account.clone());
                for of in current..to {
                    let id = asked.ids.iter().find(|(label, _)| *label == of).map(|(_, id)| *id);
                    self.account.made.push(Made { of, id, at: self.now, secret });
                }
                if healed {
                    self.account.graced.clear();
                }
                self.account.seen = self.now;
            }
            Answer::Repeat { by_ids, .. } => {
                if !by_ids && !self.setting.bound {
                    self.account.graced.push(current);
                }
                self.account.seen = self.now;
            }
            Answer::Reuse if self.setting.policy.on_reuse == OnReuse::Session => {
                self.ended = Some(EndingReason::Reused);
            }
            Answer::Reuse => self.cut_off = Some(EndingReason::Reused),
            _ => {}
        }
    }

    fn ask(&mut self, asked: Asked) -> Answer {
        let answer = self.answer(&asked);
        self.record(&asked, answer);
        self.last = Some((asked, answer));
        answer
    }

    /// The generation that an answer hands out.
    fn handed_out(answer: Answer) -> Option<u32> {
        match answer {
            Answer::Rotate { to, .. } => Some(to),
            Answer::Repeat { of, .. } => Some(of),
            _ => None,
        }
    }

    /// How many rotations may be lost so that the holder's token can still be healed, and the
    /// latest of its requests too.
    fn may_lose(&self) -> usize {
        let newest = self.held.max(self.generation());
        let oldest_row = newest.saturating_sub(16);
        self.earlier.iter().filter(|row| row.made.len() >= usize::try_from(oldest_row).unwrap()).count()
    }
}
