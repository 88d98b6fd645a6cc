//! What may be delivered when, and what contradicts what.

use super::*;
use crate::ledger::Party;
use crate::token::tests::token;

const NOW: Duration = Duration::from_secs(1000);

/// A request for this generation under its own id and those of the three before.
fn named(generation: u32) -> Presented {
    let oldest = generation.saturating_sub(3);
    let ids: Vec<_> = (oldest..=generation).rev().map(|label| format!("{label}:id{label}")).collect();
    Presented::read(&token(1, generation, 1), Some(&ids.join(", ")), Party::Owner).unwrap()
}

fn under(generation: u32, ids: &str) -> Presented {
    Presented::read(&token(1, generation, 1), Some(ids), Party::Owner).unwrap()
}

fn nameless(generation: u32) -> Presented {
    Presented::read(&token(1, generation, 1), None, Party::Owner).unwrap()
}

fn text(generation: u32) -> Print {
    Print::of(&format!("token {generation}"))
}

/// A session that has come to this generation, each rotation under its id.
fn at(generation: u32) -> Lineage {
    let mut lineage = Lineage::new(0);
    for rotated in 0..generation {
        lineage.give(&named(rotated), rotated + 1, text(rotated + 1), NOW).unwrap();
    }
    lineage
}

fn admit(lineage: &mut Lineage, request: &Presented) -> Admission {
    lineage.admit(request, NOW, Lateness::Imposed)
}

#[test]
fn a_copy_is_delivered_up_to_four_generations_late() {
    for generation in 6..=10 {
        assert_eq!(admit(&mut at(10), &named(generation)), Admission::Deliver, "{generation}");
    }
    for generation in 0..=5 {
        assert_eq!(admit(&mut at(10), &named(generation)), Admission::Discard, "{generation}");
    }
}

/// A session that went on by five while a task waited for its turn is not its client's doing; one that did so long ago is.
#[test]
fn what_the_machine_held_up_is_withheld_and_what_its_sender_did_is_not() {
    let own = |request: &Presented, now| at(10).admit(request, now, Lateness::Own);
    for generation in 6..=10 {
        assert_eq!(own(&named(generation), NOW), Admission::Deliver, "{generation}");
    }
    for request in [named(5), named(1), nameless(8)] {
        assert_eq!(own(&request, NOW + STALL / 2), Admission::Discard);
        assert_eq!(own(&request, NOW + STALL), Admission::Deliver);
    }
    let mut lineage = at(10);
    assert_eq!(lineage.admit(&named(10), NOW + STALL * 9, Lateness::Own), Admission::Deliver);
    assert_eq!(
        lineage.admit(&named(6), NOW + STALL * 9, Lateness::Own),
        Admission::Discard,
        "10 is in flight"
    );
}

#[test]
fn without_ids_one_generation_late() {
    for (generation, admission) in
        [(10, Admission::Deliver), (9, Admission::Deliver), (8, Admission::Discard), (5, Admission::Discard)]
    {
        assert_eq!(admit(&mut at(10), &nameless(generation)), admission, "{generation}");
    }
}

#[test]
fn what_is_in_flight_counts_as_if_it_were_rotated() {
    let mut lineage = at(10);
    assert_eq!(admit(&mut lineage, &named(10)), Admission::Deliver);
    assert_eq!(admit(&mut lineage, &named(6)), Admission::Discard, "the session may be at 11 by then");
    lineage.land(&named(10), false);
    assert_eq!(admit(&mut lineage, &named(6)), Admission::Deliver, "it was refused, or it was a repeat");
}

#[test]
fn a_rotation_waits_for_copies_that_it_would_leave_behind() {
    let mut lineage = at(10);
    assert_eq!(admit(&mut lineage, &named(6)), Admission::Deliver);
    assert_eq!(admit(&mut lineage, &named(9)), Admission::Deliver, "that leads to 10 at most");
    assert_eq!(admit(&mut lineage, &named(10)), Admission::Wait);
    lineage.land(&named(6), false);
    assert_eq!(admit(&mut lineage, &named(10)), Admission::Deliver);
}

#[test]
fn a_rotation_without_ids_waits_for_every_copy_before_it() {
    let mut lineage = at(10);
    assert_eq!(admit(&mut lineage, &nameless(9)), Admission::Deliver);
    assert_eq!(admit(&mut lineage, &nameless(9)), Admission::Deliver, "a retry need not wait");
    assert_eq!(admit(&mut lineage, &nameless(10)), Admission::Wait);
    lineage.land(&nameless(9), false);
    assert_eq!(admit(&mut lineage, &nameless(10)), Admission::Wait, "there were two");
    lineage.land(&nameless(9), false);
    assert_eq!(admit(&mut lineage, &nameless(10)), Admission::Deliver);
}

#[test]
fn what_was_lost_with_the_service_may_have_been_rotated() {
    let mut lineage = at(10);
    assert_eq!(admit(&mut lineage, &named(10)), Admission::Deliver);
    lineage.land(&named(10), true);
    assert_eq!(admit(&mut lineage, &named(6)), Admission::Discard);
    assert_eq!(admit(&mut lineage, &named(7)), Admission::Deliver);
    assert_eq!(lineage.newest(), 10, "nobody was told");
}

#[test]
fn without_ids_nothing_is_delivered_past_the_grace() {
    let mut lineage = at(10);
    assert_eq!(lineage.admit(&nameless(10), NOW, Lateness::Imposed), Admission::Deliver);
    lineage.land(&nameless(10), false);
    assert_eq!(lineage.admit(&nameless(10), NOW + GRACE, Lateness::Imposed), Admission::Deliver);
    lineage.land(&nameless(10), false);
    let late = NOW + GRACE + Duration::from_millis(1);
    assert_eq!(lineage.admit(&nameless(10), late, Lateness::Imposed), Admission::Discard);
    assert_eq!(lineage.admit(&named(10), late, Lateness::Imposed), Admission::Deliver, "ids have no end");
    lineage.give(&nameless(10), 11, text(11), NOW).unwrap();
    lineage.land(&named(10), false);
    assert_eq!(
        lineage.admit(&nameless(11), late, Lateness::Imposed),
        Admission::Deliver,
        "another generation"
    );
}

#[test]
fn a_thief_comes_when_he_likes_but_leaves_nobody_behind() {
    let mut lineage = at(10);
    assert_eq!(lineage.admit(&named(1), NOW, Lateness::Any), Admission::Deliver);
    lineage.land(&named(1), false);
    assert_eq!(admit(&mut lineage, &named(6)), Admission::Deliver);
    assert_eq!(lineage.admit(&nameless(10), NOW, Lateness::Any), Admission::Wait);
}

#[test]
fn an_owner_does_not_wait_for_a_thief() {
    let thiefs = |request| Presented { party: Party::Thief, ..request };
    for late in [thiefs(nameless(5)), thiefs(named(1)), Presented { copy: true, ..thiefs(nameless(7)) }] {
        let mut lineage = at(10);
        assert_eq!(lineage.admit(&late, NOW, Lateness::Any), Admission::Deliver);
        assert_eq!(admit(&mut lineage, &named(10)), Admission::Deliver);
    }
}

#[test]
fn the_first_to_be_given_a_generation_rotates_and_the_next_repeats() {
    let mut lineage = at(3);
    assert_eq!(lineage.give(&named(3), 4, text(4), NOW), Ok(Given::Rotated(1)));
    assert_eq!(lineage.give(&named(3), 4, text(4), NOW), Ok(Given::Repeated));
    assert_eq!(
        lineage.give(&under(2, "2:id2, 3:id3"), 4, text(4), NOW),
        Ok(Given::Repeated),
        "under both ids"
    );
    // The answer to the fourth was lost with the service.
    assert_eq!(lineage.give(&named(5), 6, text(6), NOW), Ok(Given::Rotated(2)));
    assert_eq!(lineage.newest(), 6);
}

#[test]
fn two_tokens_of_one_generation_are_two_successors() {
    let mut lineage = at(3);
    let another = Print::of("another token 3");
    assert_eq!(lineage.give(&named(2), 3, another, NOW), Err(Contradiction::TwoTokens(3)));
}

#[test]
fn one_generation_is_given_to_one_holder() {
    let mut lineage = at(3);
    let thief = under(2, "2:mine");
    assert_eq!(lineage.give(&thief, 3, text(3), NOW), Err(Contradiction::TwoHolders(2)));
    assert_eq!(lineage.give(&nameless(2), 3, text(3), NOW), Err(Contradiction::TwoHolders(2)));
    let partly = under(1, "1:id1, 2:mine");
    assert_eq!(lineage.give(&partly, 3, text(3), NOW), Err(Contradiction::TwoHolders(2)));
    assert_eq!(lineage.give(&named(2), 3, text(3), NOW), Ok(Given::Repeated));
}

#[test]
fn no_answer_leads_back() {
    let mut lineage = at(3);
    assert_eq!(lineage.give(&named(3), 3, text(3), NOW), Err(Contradiction::Backwards(3)));
    assert_eq!(lineage.give(&named(3), 2, text(2), NOW), Err(Contradiction::Backwards(2)));
}

#[test]
fn what_is_long_past_is_forgotten() {
    let mut lineage = at(KEPT * 3);
    lineage.give(&named(KEPT * 3), KEPT * 3 + 1, text(KEPT * 3 + 1), NOW).unwrap();
    assert!(lineage.tokens.len() <= KEPT as usize + 1 && lineage.holders.len() <= KEPT as usize + 1);
}
