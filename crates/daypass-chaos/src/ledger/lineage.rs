//! One session as the wire shows it: which copies of its requests may still be delivered, and who was given what.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Party, Presented};
use crate::token::Print;

/// How far behind its session a request with attempt ids may be delivered, in generations: the row remembers the ids of
/// the last four rotations (`docs/rotation.md`, cases 8 and 11).
const REACH: u32 = 4;

/// How far without: only the last rotation is repeated on grace (case 10).
const REACH_WITHOUT_IDS: u32 = 1;

/// A copy without ids is not delivered so long after its generation was first presented. The service's grace for these
/// clients is twice that and more, so that no slow machine makes the difference.
const GRACE: Duration = Duration::from_secs(25);

/// A request that nobody has held up on purpose, and that the session has left behind no longer ago than this, was held up by the
/// machine: where an access token lives for 20 ms, five generations pass while a task waits for its turn.
const STALL: Duration = Duration::from_secs(10);

/// Of so many generations it is known who was given what; older ones cannot be repeated.
const KEPT: u32 = 32;

/// What is known of a session by its requests and their answers.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The newest generation that was answered.
    newest: u32,
    /// The newest that may be, by requests whose answers were lost with the service.
    possible: u32,
    in_flight: Vec<Flight>,
    /// What each generation's refresh token looks like.
    tokens: BTreeMap<u32, Print>,
    /// Under which id each generation was rotated, as far as somebody was answered.
    holders: BTreeMap<u32, Option<Print>>,
    /// When each generation was first given.
    given: BTreeMap<u32, Duration>,
    /// The newest generation that was presented without ids, and when that was first.
    without_ids: Option<(u32, Duration)>,
}

/// A request that the service has and has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flight {
    generation: u32,
    reach: u32,
    thief: bool,
}

/// Whether a request may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is in flight from now on.
    Deliver,
    /// Not before one that is in flight has been answered.
    Wait,
    /// Never: the session has gone on too far.
    Discard,
}

/// How late a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// As late as it likes: a thief's, or what is to be wrong on purpose.
    Any,
    /// Nobody has held it up on purpose: if it is late, that is its sender's doing, which the service has to judge, or the
    /// machine's.
    Own,
    /// It was held up on purpose, and no longer than the promises allow for.
    Imposed,
}

/// What an answer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// A generation that nobody was given before; the session went on by so many since the last one.
    Rotated(u32),
    /// One that somebody was given before.
    Repeated,
}

/// What an answer must not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// One generation, two different refresh tokens.
    TwoTokens(u32),
    /// The successor of one generation, given under two different ids.
    TwoHolders(u32),
    /// The successor of a generation that is not newer.
    Backwards(u32),
}

impl Lineage {
    /// A session of which this generation was seen first.
    pub(crate) fn new(generation: u32) -> Self {
        Self {
            newest: generation,
            possible: generation,
            in_flight: Vec::new(),
            tokens: BTreeMap::new(),
            holders: BTreeMap::new(),
            given: BTreeMap::new(),
            without_ids: None,
        }
    }

    /// The newest generation that somebody was given.
    pub(crate) fn newest(&self) -> u32 {
        self.newest
    }

    /// Whether a request may be delivered now. It is decided while the session is at most so far ahead of it as the
    /// rule allows, whatever else is in flight.
    pub(crate) fn admit(&mut self, request: &Presented, now: Duration, lateness: Lateness) -> Admission {
        let flight = Flight::of(request);
        let too_late = match lateness {
            Lateness::Any => false,
            Lateness::Own => self.was_held_up(flight, now),
            Lateness::Imposed => flight.is_out_of_reach(self.upper()) || self.is_past_grace(request, now),
        };
        if too_late {
            return Admission::Discard;
        }
        // If this one is rotated, the session is at the generation after it. Nobody waits for a thief.
        let after = request.generation.saturating_add(1);
        if self.in_flight.iter().any(|other| !other.thief && other.is_out_of_reach(after)) {
            return Admission::Wait;
        }
        self.in_flight.push(flight);
        Admission::Deliver
    }

    /// A delivered request is in flight no more. `unknown`: nobody knows what became of it.
    pub(crate) fn land(&mut self, request: &Presented, unknown: bool) {
        let flight = Flight::of(request);
        if let Some(place) = self.in_flight.iter().position(|other| *other == flight) {
            self.in_flight.swap_remove(place);
        }
        if unknown {
            self.possible = self.possible.max(request.generation.saturating_add(1));
        }
    }

    /// A request was answered with the token of `generation`.
    pub(crate) fn give(
        &mut self,
        request: &Presented,
        generation: u32,
        token: Print,
        now: Duration,
    ) -> Result<Given, Contradiction> {
        if generation <= request.generation {
            return Err(Contradiction::Backwards(generation));
        }
        if *self.tokens.entry(generation).or_insert(token) != token {
            return Err(Contradiction::TwoTokens(generation));
        }
        for rotated in request.generation..generation {
            let id = request.id(rotated);
            if *self.holders.entry(rotated).or_insert(id) != id {
                return Err(Contradiction::TwoHolders(rotated));
            }
        }
        self.given.entry(generation).or_insert(now);
        let ahead = generation.saturating_sub(self.newest);
        self.newest = self.newest.max(generation);
        self.forget();
        Ok(if ahead == 0 { Given::Repeated } else { Given::Rotated(ahead) })
    }

    /// The newest generation that the session may have by the time that all in flight is decided.
    fn upper(&self) -> u32 {
        let flying = self.in_flight.iter().map(|flight| flight.generation.saturating_add(1)).max();
        self.newest.max(self.possible).max(flying.unwrap_or_default())
    }

    /// Whether the session has just left a request behind.
    fn was_held_up(&self, flight: Flight, now: Duration) -> bool {
        let behind = flight.generation.saturating_add(flight.reach).saturating_add(1);
        // Whatever is not told yet has just happened.
        let left = self.given.range(behind..).next().map_or(now, |(_, at)| *at);
        flight.is_out_of_reach(self.upper()) && now.saturating_sub(left) < STALL
    }

    fn is_past_grace(&mut self, request: &Presented, now: Duration) -> bool {
        if !request.ids.is_empty() {
            return false;
        }
        let newer = self.without_ids.filter(|(generation, _)| *generation >= request.generation);
        let (_, first) = *self.without_ids.insert(newer.unwrap_or((request.generation, now)));
        now.saturating_sub(first) > GRACE
    }

    fn forget(&mut self) {
        let oldest = self.newest.saturating_sub(KEPT);
        self.tokens.retain(|generation, _| *generation >= oldest);
        self.holders.retain(|generation, _| *generation >= oldest);
        self.given.retain(|generation, _| *generation >= oldest);
    }
}

impl Flight {
    fn of(request: &Presented) -> Self {
        let thief = request.party == Party::Thief;
        Self { generation: request.generation, reach: reach(request), thief }
    }

    fn is_out_of_reach(self, session: u32) -> bool {
        self.generation.saturating_add(self.reach) < session
    }
}

fn reach(request: &Presented) -> u32 {
    if request.ids.is_empty() { REACH_WITHOUT_IDS } else { REACH }
}

#[cfg(test)]
mod tests;
