//! Linearizability (Herlihy and Wing, 1990): whether some serial order of a history's calls, in which
//! none comes before another that was over when it began, gives every answer that was given.

use std::collections::HashSet;

use daypass_core::Clients;

use super::act::Call;
use super::world::{Told, World};

/// The serial order that explains the history, as places in `calls`; none if there is none. At most
/// 64 calls.
pub(super) fn serial_order(
    calls: &[Call],
    world: &World,
    clients: &Clients,
    told: &Told,
) -> Option<Vec<usize>> {
    assert!(calls.len() <= 64, "{} calls", calls.len());
    let mut by_end: Vec<_> = (0..calls.len()).collect();
    by_end.sort_by_key(|place| calls[*place].ended);
    let mut search = Search { calls, by_end, clients, told, dead: HashSet::new(), order: Vec::new() };
    search.go_on(0, world).then_some(search.order)
}

/// Wing and Gong's search, with Lowe's memory of what led nowhere.
struct Search<'h> {
    calls: &'h [Call],
    /// Calls that ended early are tried early: that is mostly how it was.
    by_end: Vec<usize>,
    clients: &'h Clients,
    told: &'h Told,
    /// Which calls were done, and what the world was like, where it went no further.
    dead: HashSet<(u64, World)>,
    order: Vec<usize>,
}

impl Search<'_> {
    fn go_on(&mut self, done: u64, world: &World) -> bool {
        if self.order.len() == self.calls.len() {
            return world.told() == self.told;
        }
        let open = |place: &usize| done & (1 << place) == 0;
        let first_end = self.by_end.iter().copied().find(|place| open(place)).map(|at| self.calls[at].ended);
        for at in 0..self.by_end.len() {
            let place = self.by_end[at];
            let call = &self.calls[place];
            if !open(&place) || first_end.is_some_and(|end| end < call.began) {
                continue;
            }
            let mut next = world.clone();
            if !next.allows(&call.act, &call.answer, self.clients) {
                continue;
            }
            let reached = (done | (1 << place), next);
            if self.dead.contains(&reached) {
                continue;
            }
            self.order.push(place);
            if self.go_on(reached.0, &reached.1) {
                return true;
            }
            self.order.pop();
            self.dead.insert(reached);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use daypass_core::{Policy, Subject, SubjectId, Timestamp};

    use super::*;
    use crate::contract::histories::act::{Act, Answer, Password};

    const FIRST: Password = Password::ALL[0];
    const SECOND: Password = Password::ALL[1];
    const THIRD: Password = Password::ALL[2];

    fn sub() -> SubjectId {
        SubjectId::new("sam").unwrap()
    }

    fn call(act: Act, answer: Answer, (began, ended): (u64, u64)) -> Call {
        Call { actor: 0, act, answer, began, ended }
    }

    fn replace((from, to): (Password, Password), done: bool, when: (u64, u64)) -> Call {
        call(Act::Rehash { from, to }, Answer::Flag(done), when)
    }

    fn look(seen: Password, when: (u64, u64)) -> Call {
        call(Act::LookAtPerson, Answer::Person(seen.hash(), Box::new(Subject::new(sub()))), when)
    }

    fn order(calls: &[Call]) -> Option<Vec<usize>> {
        let world = World::new(sub(), Timestamp::from_millis(0));
        serial_order(calls, &world, &Clients::new([], &Policy::DEFAULT), world.told())
    }

    #[test]
    fn what_was_acknowledged_is_seen() {
        let replaced = replace((FIRST, SECOND), true, (0, 1));
        assert_eq!(order(&[replaced.clone(), look(SECOND, (2, 3))]), Some(vec![0, 1]));
        assert_eq!(order(&[replaced, look(FIRST, (2, 3))]), None);
    }

    #[test]
    fn what_is_under_way_may_be_seen_but_not_unseen_again() {
        let replaced = || replace((FIRST, SECOND), true, (0, 9));
        assert_eq!(order(&[replaced(), look(FIRST, (1, 2))]), Some(vec![1, 0]));
        assert_eq!(order(&[replaced(), look(SECOND, (1, 2))]), Some(vec![0, 1]));
        assert_eq!(order(&[replaced(), look(FIRST, (1, 2)), look(SECOND, (3, 4))]), Some(vec![1, 0, 2]));
        assert_eq!(order(&[replaced(), look(SECOND, (1, 2)), look(FIRST, (3, 4))]), None);
    }

    #[test]
    fn of_two_that_replace_the_same_one_succeeds() {
        let at_once =
            |one, two| [replace((FIRST, SECOND), one, (0, 3)), replace((FIRST, THIRD), two, (1, 2))];
        assert_eq!(order(&at_once(true, false)), Some(vec![0, 1]));
        assert_eq!(order(&at_once(false, true)), Some(vec![1, 0]));
        assert_eq!(order(&at_once(true, true)), None);
        assert_eq!(order(&at_once(false, false)), None);
    }

    #[test]
    fn what_is_told_at_the_end_has_to_fit_as_well() {
        let world = World::new(sub(), Timestamp::from_millis(0));
        let clients = Clients::new([], &Policy::DEFAULT);
        let disabled = [call(Act::Disable(true), Answer::Flag(true), (0, 1))];
        assert_eq!(serial_order(&disabled, &world, &clients, world.told()), None);
        let mut after = world.clone();
        assert!(after.allows(&disabled[0].act, &disabled[0].answer, &clients));
        assert_eq!(serial_order(&disabled, &world, &clients, after.told()), Some(vec![0]));
    }
}
