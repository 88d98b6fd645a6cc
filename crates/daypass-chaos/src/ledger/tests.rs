//! Each zero turns into something else when the wire shows what must not be.

use super::*;
use crate::token::tests::token;

fn request(generation: u32, ids: &str) -> Presented {
    Presented::read(&token(1, generation, 1), Some(ids), Party::Owner).unwrap()
}

fn successor(generation: u32) -> Outcome {
    Outcome::Successor { generation, token: Print::of(&token(1, generation, 1)) }
}

/// What is objected to after these outcomes of these requests.
fn objections(robbed: bool, events: &[(Presented, Outcome)]) -> Vec<(Zero, u64)> {
    let (ledger, account) = (Ledger::default(), Account::new());
    for (request, outcome) in events {
        let mut request = request.clone();
        if robbed {
            ledger.open(&token(1, 0, 1));
            ledger.rob(request.session);
        }
        ledger.arrive(&mut request);
        ledger.settle(&request, outcome, &account);
    }
    account.zeros().into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn rotations_and_repeats_are_nothing_to_object_to() {
    let events = [
        (request(0, "0:a"), successor(1)),
        (request(0, "0:a"), successor(1)),
        (request(1, "1:b, 0:a"), successor(2)),
        (request(0, "0:a"), Outcome::Refused(Some("superseded".into()))),
        (request(2, "2:c"), Outcome::Busy),
        (request(2, "2:c"), Outcome::Unknown),
        (request(2, "2:c"), Outcome::NotDelivered),
    ];
    assert_eq!(objections(false, &events), []);
}

#[test]
fn two_live_successors_are_noticed() {
    let holders = [(request(0, "0:a"), successor(1)), (request(0, "0:x"), successor(1))];
    assert_eq!(objections(false, &holders), [(Zero::Twins, 1)]);
    assert_eq!(objections(true, &holders), [(Zero::Twins, 1)], "nor of a session that was robbed");
    let other = Outcome::Successor { generation: 1, token: Print::of("another") };
    let tokens = [(request(0, "0:a"), successor(1)), (request(0, "0:a"), other)];
    assert_eq!(objections(false, &tokens), [(Zero::Twins, 1)]);
}

#[test]
fn no_session_is_refused_before_a_thief_has_come() {
    for reason in [Some("reused"), Some("revoked"), Some("expired"), None] {
        let refused = [(request(0, "0:a"), Outcome::Refused(reason.map(str::to_owned)))];
        assert_eq!(objections(false, &refused), [(Zero::FalseAlarms, 1)], "{reason:?}");
        assert_eq!(objections(true, &refused), [(Zero::FalseAlarms, 1)], "before the thief came: {reason:?}");
    }
}

/// A session that is robbed after `old` has come and before `new` has.
struct Theft {
    ledger: Ledger,
    account: Account,
    old: Presented,
    new: Presented,
    thiefs: Presented,
}

impl Theft {
    fn new() -> Self {
        let (ledger, account) = (Ledger::default(), Account::new());
        let (mut old, mut new) = (request(0, "0:a"), request(1, "1:b, 0:a"));
        let mut thiefs = Presented { party: Party::Thief, ..request(1, "1:x") };
        ledger.arrive(&mut old);
        ledger.rob(old.session);
        ledger.arrive(&mut new);
        ledger.arrive(&mut thiefs);
        Self { ledger, account, old, new, thiefs }
    }

    async fn deliver(&self, request: &Presented) {
        assert!(self.ledger.admit(request, Lateness::Any, &self.account).await);
    }

    fn settle(&self, request: &Presented, outcome: &Outcome) -> Vec<(Zero, u64)> {
        self.ledger.settle(request, outcome, &self.account);
        self.account.zeros().into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

fn reused() -> Outcome {
    Outcome::Refused(Some("reused".into()))
}

#[tokio::test]
async fn what_was_asked_before_a_theft_is_refused_only_after_what_can_be_the_alarm() {
    let copy = |of: &Presented| Presented { copy: true, ..of.clone() };
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    assert_eq!(theft.settle(&theft.thiefs, &successor(2)), []);
    assert_eq!(theft.settle(&theft.old, &reused()), [(Zero::FalseAlarms, 1)], "the thief has been answered");
    let theft = Theft::new();
    assert_eq!(theft.settle(&copy(&theft.old), &reused()), [(Zero::FalseAlarms, 1)], "no thief has come");
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    assert_eq!(theft.settle(&copy(&theft.old), &reused()), [], "the thief's may have been the alarm");
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    assert_eq!(theft.settle(&theft.thiefs, &Outcome::Unknown), []);
    assert_eq!(theft.settle(&theft.old, &reused()), [], "it was lost and may have been the alarm");
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    assert_eq!(theft.settle(&theft.thiefs, &reused()), []);
    assert_eq!(theft.settle(&theft.old, &reused()), [], "the session is over");
}

#[tokio::test]
async fn what_was_asked_after_a_theft_is_refused_once_the_thief_has_come() {
    let theft = Theft::new();
    theft.deliver(&theft.new).await;
    assert_eq!(theft.settle(&theft.new, &reused()), [(Zero::FalseAlarms, 1)]);
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    assert_eq!(theft.settle(&theft.thiefs, &successor(2)), []);
    assert_eq!(theft.settle(&theft.new, &reused()), []);
}

#[tokio::test]
async fn a_thief_who_is_superseded_is_told_from_one_who_is_the_alarm() {
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    theft.settle(&theft.thiefs, &Outcome::Refused(Some("superseded".into())));
    let seen = theft.ledger.robbed(theft.old.session).unwrap();
    assert!(seen.thief_superseded && seen.thief_answered && !seen.dead);
    let theft = Theft::new();
    theft.deliver(&theft.thiefs).await;
    theft.settle(&theft.thiefs, &reused());
    let seen = theft.ledger.robbed(theft.old.session).unwrap();
    assert!(!seen.thief_superseded && seen.thief_answered && seen.dead);
}

#[test]
fn answers_that_the_contract_does_not_know_are_noticed() {
    for outcome in [Outcome::Mismatch, Outcome::Odd(500), Outcome::Odd(200), successor(0)] {
        assert_eq!(objections(false, &[(request(0, "0:a"), outcome)]), [(Zero::Others, 1)]);
    }
}

#[test]
fn a_cookie_may_be_newer_than_its_ids() {
    let by_cookie = Presented { by_cookie: true, ..request(1, "0:a") };
    assert_eq!(objections(false, &[(by_cookie.clone(), Outcome::Mismatch)]), []);
    let named = Presented { ids: request(1, "1:b").ids, ..by_cookie.clone() };
    let without = Presented { ids: Vec::new(), ..by_cookie };
    for wrong in [named, without] {
        assert_eq!(objections(false, &[(wrong, Outcome::Mismatch)]), [(Zero::Others, 1)]);
    }
}

#[test]
fn a_theft_is_followed_from_the_requests_that_come_after_it() {
    let (ledger, account) = (Ledger::default(), Account::new());
    let settle = |mut request: Presented, early: bool, outcome: Outcome| {
        let session = request.session;
        if early {
            ledger.arrive(&mut request);
            ledger.rob(session);
        } else {
            ledger.arrive(&mut request);
        }
        ledger.settle(&request, &outcome, &account);
        let Robbed { owner_answered, thief_answered, dead, .. } = ledger.robbed(session).unwrap();
        (owner_answered, thief_answered, dead)
    };
    let thiefs = Presented { party: Party::Thief, ..request(1, "1:x") };
    let copy = Presented { copy: true, ..request(0, "0:a") };
    assert_eq!(settle(request(0, "0:a"), true, successor(1)), (false, false, false), "it came before");
    assert_eq!(settle(copy, false, successor(1)), (false, false, false), "nobody sent it");
    assert_eq!(settle(request(1, "1:b"), false, Outcome::Unknown), (false, false, false), "no answer");
    assert_eq!(settle(thiefs, false, successor(2)), (false, true, false));
    let refused = Outcome::Refused(Some("reused".into()));
    assert_eq!(settle(request(1, "1:b"), false, refused), (true, true, true));
}

#[test]
fn a_session_tells_of_its_past_and_of_no_secret() {
    let (ledger, account) = (Ledger::default(), Account::new());
    let mut request = request(0, "0:a-very-secret-attempt-id");
    ledger.arrive(&mut request);
    for _ in 0..LINES + 5 {
        ledger.settle(&request, &successor(1), &account);
    }
    let past = ledger.past(request.session);
    assert_eq!(past.len(), LINES);
    let line = past.last().unwrap();
    assert!(line.starts_with("owner 0 [0:") && line.contains("-> 1 ("), "{line}");
    assert!(!line.contains("secret") && !line.contains("dpr_"), "{line}");
}

#[tokio::test]
async fn who_has_to_wait_is_let_go_by_the_answer_that_he_waits_for() {
    let (ledger, account) = (Arc::new(Ledger::default()), Arc::new(Account::new()));
    let nameless = |generation| Presented::read(&token(1, generation, 1), None, Party::Owner).unwrap();
    let (mut old, mut new) = (nameless(0), nameless(1));
    ledger.arrive(&mut old);
    ledger.arrive(&mut new);
    assert!(ledger.admit(&old, Lateness::Imposed, &account).await);
    let waiting = tokio::spawn({
        let (ledger, account) = (Arc::clone(&ledger), Arc::clone(&account));
        async move { ledger.admit(&new, Lateness::Imposed, &account).await }
    });
    // It cannot end before what it waits for is settled.
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    ledger.settle(&old, &successor(1), &account);
    let admitted = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    assert!(admitted.unwrap().unwrap());
    assert_eq!(account.count(What::Waited), 1);
    assert!(!ledger.admit(&old, Lateness::Imposed, &account).await, "it is too late by now");
}

#[test]
fn ids_come_with_a_label_or_for_the_tokens_own_generation() {
    let bare = request(7, "abc");
    assert_eq!(bare.ids, [(7, Print::of("abc"))]);
    let listed = request(7, "7:abc, 6:def");
    assert_eq!(listed.ids, [(7, Print::of("abc")), (6, Print::of("def"))]);
    assert!(Presented::read(&token(1, 7, 1), Some("x:abc"), Party::Owner).is_none());
}
