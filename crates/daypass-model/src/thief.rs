//! A thief: copies what it can, and presents it when and as it likes. Its requests are neither lost nor delayed, so
//! no network is kinder to it.

use crate::setting::{Loot, Setting};
use crate::token::{Generation, HERE, Ids, NOBODY, OLDEST, OWNER, Reply, Request, Sender, THIEF, Token};
use crate::world::{Action, Holder, World};

/// What a thief has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Thief {
    /// The generations whose tokens it has.
    tokens: Generations,
    /// The generations for which it has copied the owner's id.
    ids: Generations,
    /// How often it has stolen.
    pub(crate) thefts: u8,
}

/// A set of generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Generations(u64);

/// What a thief does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Copies a refresh token.
    StealToken(Generation),
    /// Copies the store: its refresh token and its ids.
    StealStore,
    /// Presents a token.
    Present { generation: Generation, ids: Choice },
}

/// The ids that a thief sends along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// None.
    None,
    /// One of its own for the token; for those before it the owner's as far as it has them, else its own.
    Own,
    /// The owner's as far as it has them, else its own.
    Copied,
}

impl Generations {
    fn has(self, generation: Generation) -> bool {
        self.0 >> generation & 1 == 1
    }

    fn add(&mut self, generation: Generation) {
        self.0 |= 1 << generation;
    }

    /// All of them, newest first.
    fn iter(self) -> impl Iterator<Item = Generation> {
        (0..64).rev().filter(move |generation| self.has(*generation))
    }

    /// Moves them along with the row's. Those that are too old are as good as the oldest.
    fn moved(self, by: i16) -> Self {
        let shift = u32::from(by.unsigned_abs());
        let moved = if by < 0 { self.0.checked_shr(shift) } else { self.0.checked_shl(shift) }.unwrap_or(0);
        let old = moved.trailing_zeros() < u32::from(OLDEST) || moved.count_ones() < self.0.count_ones();
        Self(moved & u64::MAX << OLDEST | u64::from(old) << OLDEST)
    }
}

impl Thief {
    /// The newest generation whose token it has.
    pub(crate) fn newest(&self) -> Option<Generation> {
        self.tokens.iter().next()
    }

    /// Moves along with the row, and forgets what can only end the session: what has no id that the owner made, and is
    /// neither the newest nor near the row's generation.
    pub(crate) fn move_by(&mut self, by: i16, setting: &Setting) {
        self.tokens = self.tokens.moved(by);
        self.ids = self.ids.moved(by);
        let lost = u8::try_from(setting.lost).unwrap_or(u8::MAX);
        let near = if self.ids.0 == 0 { 1 } else { 4 };
        let newest = self.newest();
        let of_use = |generation| generation + near + lost >= HERE || Some(generation) == newest;
        let useless = self.tokens.iter().filter(|generation| !of_use(*generation));
        self.tokens.0 &= !useless.fold(0, |bits, generation| bits | 1 << generation);
    }

    pub(crate) fn actions(&self, world: &World, setting: &Setting, actions: &mut Vec<Action>) {
        let Some(loot) = setting.thief else { return };
        if self.thefts < setting.thefts {
            match loot {
                Loot::Store => actions.push(Action::Thief(Act::StealStore)),
                Loot::Token => {
                    let mut there = Generations::default();
                    for token in held(world) {
                        there.add(token.generation);
                    }
                    for request in &world.network {
                        there.add(request.token.generation);
                    }
                    actions.extend(there.iter().map(|generation| Action::Thief(Act::StealToken(generation))));
                }
            }
        }
        for generation in self.tokens.iter() {
            let mut seen: Vec<Ids> = Vec::with_capacity(4);
            // Fewer ids of its own get a thief nothing that more would not get it; only none at all may serve it, in
            // the grace.
            let none = (setting.grace > 0).then_some(Choice::None);
            for ids in [Choice::Own, Choice::Copied].into_iter().chain(none) {
                let sent = self.sent(generation, ids);
                if !seen.contains(&sent) {
                    seen.push(sent);
                    actions.push(Action::Thief(Act::Present { generation, ids }));
                }
            }
        }
    }

    /// The makers of the ids that it sends for a token.
    fn sent(&self, generation: Generation, choice: Choice) -> Ids {
        let mut ids = [NOBODY; 4];
        for (slot, age) in ids.iter_mut().zip(0..) {
            let copied = generation.checked_sub(age).is_some_and(|label| self.ids.has(label));
            *slot = match choice {
                Choice::None => NOBODY,
                Choice::Own if age > 0 && copied => OWNER,
                Choice::Copied if copied => OWNER,
                Choice::Own | Choice::Copied => THIEF,
            };
        }
        ids
    }
}

fn held(world: &World) -> Vec<Token> {
    match &world.holder {
        Holder::Sharers(sharers) => sharers.tokens(),
        Holder::Browser(browser) => browser.tokens(),
    }
}

/// What a thief does.
pub(crate) fn act(world: &mut World, setting: &Setting, act: Act) {
    match act {
        Act::StealToken(generation) => steal(world, generation, [NOBODY; 4]),
        Act::StealStore => {
            let Holder::Sharers(sharers) = &world.holder else { return };
            let Some(record) = sharers.store(0) else { return };
            steal(world, record.token.generation, record.ids);
        }
        Act::Present { generation, ids } => present(world, setting, generation, ids),
    }
}

fn steal(world: &mut World, generation: Generation, ids: Ids) {
    world.thief.tokens.add(generation);
    for (maker, age) in ids.into_iter().zip(0..) {
        if let Some(label) = generation.checked_sub(age).filter(|_| maker != NOBODY) {
            world.thief.ids.add(label);
        }
    }
    world.thief.thefts += 1;
    world.begin_anew();
}

/// Presents a token, and keeps what it gets.
pub(crate) fn present(world: &mut World, setting: &Setting, generation: Generation, choice: Choice) {
    let request = Request {
        token: Token { generation, key: 0 },
        top: generation,
        ids: world.thief.sent(generation, choice),
        from: Sender::Thief,
    };
    if let Some(Reply::Pair(token)) = world.serve(setting, request) {
        world.thief.tokens.add(token.generation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::moved;

    fn set(of: &[Generation]) -> Generations {
        let mut generations = Generations::default();
        for generation in of {
            generations.add(*generation);
        }
        generations
    }

    #[test]
    fn generations_move_as_each_of_them_does() {
        let sets: [&[Generation]; 5] = [
            &[],
            &[HERE],
            &[OLDEST],
            &[OLDEST, OLDEST + 1, HERE - 2, HERE],
            &[OLDEST + 3, HERE - 1, HERE + 1, HERE + 5],
        ];
        for of in sets {
            for by in -70..=16 {
                let each: Vec<_> = of.iter().map(|generation| moved(*generation, by)).collect();
                assert_eq!(set(of).moved(by), set(&each), "{of:?} by {by}");
            }
        }
    }

    #[test]
    fn what_is_too_old_becomes_the_oldest() {
        let after = set(&[OLDEST + 1, HERE - 2, HERE]).moved(-3);
        assert_eq!(after.iter().collect::<Vec<_>>(), [HERE - 3, HERE - 5, OLDEST]);
    }
}
