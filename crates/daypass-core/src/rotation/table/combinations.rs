//! Every combination of remembered and sent ids over every distance, against the table written out
//! a second time in its own words, without a thought to speed.

use super::scene::{OWN_KEY, Scene};
use crate::client::OnReuse;
use crate::rotation::{Decision, Proof, Refusal, RepeatProof};

const C: u32 = 100;

/// All words of four letters of `O`, `X` and `-`.
fn words() -> impl Iterator<Item = String> {
    (0..81_usize).map(|n| [27, 9, 3, 1].map(|power| ['O', 'X', '-'][n / power % 3]).iter().collect())
}

/// What a word says of generation `of`, if its letters stand for `newest`, `newest` − 1, …
fn letter(word: &str, newest: u32, of: u32) -> char {
    let place = newest.checked_sub(of).and_then(|age| usize::try_from(age).ok());
    place.and_then(|age| word.chars().nth(age)).unwrap_or('-')
}

/// The name of the answer that cases 6 to 14 give.
fn expected(
    remembered: &str,
    sent: &str,
    newest_sent: u32,
    g: u32,
    bound: bool,
    in_grace: bool,
) -> &'static str {
    let of_row = |k| letter(remembered, C - 1, k);
    let of_request = |k| letter(sent, newest_sent, k);
    let matches = |k| of_row(k) != '-' && of_row(k) == of_request(k);
    let no_ids = !sent.contains(['O', 'X']);
    let without_ids = g + 1 == C && of_row(g) == '-' && no_ids;
    let first_that_fits = [
        (!no_ids && of_request(g) == '-', "mismatch"),
        (g == C, "rotate"),
        (g < C && (g..C).all(matches), "repeat by ids"),
        (without_ids && bound, "repeat by dpop"),
        (without_ids && in_grace, "repeat by grace"),
        ((C - 4..C - 1).contains(&g) && matches(g), "superseded"),
        (g < C, "reuse"),
        (g <= C + 16, "heal"),
        (true, "ahead"),
    ];
    first_that_fits.into_iter().find(|(fits, _)| *fits).unwrap().1
}

fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Rotate { healed: false, .. } => "rotate",
        Decision::Rotate { healed: true, .. } => "heal",
        Decision::Repeat { because: RepeatProof::Attempts, .. } => "repeat by ids",
        Decision::Repeat { because: RepeatProof::Dpop, .. } => "repeat by dpop",
        Decision::Repeat { because: RepeatProof::Grace { .. }, .. } => "repeat by grace",
        Decision::Mismatch { .. } => "mismatch",
        Decision::Reuse { ends: OnReuse::Subject } => "reuse",
        Decision::Refuse(Refusal::Superseded) => "superseded",
        Decision::Refuse(Refusal::Ahead) => "ahead",
        Decision::Reuse { .. } | Decision::Refuse(_) => "something else",
    }
}

/// Every request with generation `g` whose ids are among the four up to `newest`.
fn every_request(g: u32, newest: u32) {
    for sent in words() {
        let ids: Vec<_> = (0..4).map(|age| (newest - age, letter(&sent, newest, newest - age))).collect();
        let ids: Vec<_> = ids.into_iter().filter(|(_, who)| *who != '-').collect();
        let scene = Scene::new(C, g).sends(&ids);
        for remembered in words() {
            for (bound, in_grace) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut scene = scene.clone().remembers(&remembered);
                if bound {
                    scene.session.jkt = Some(OWN_KEY);
                    scene.presented.proof = Proof::Good(OWN_KEY);
                }
                let scene = scene.grace(10_000, if in_grace { 10_000 } else { 10_001 });
                let right = expected(&remembered, &sent, newest, g, bound, in_grace);
                assert_eq!(name(&scene.decide()), right, "{}", scene.line());
            }
        }
    }
}

#[test]
fn every_used_token_with_every_set_of_ids() {
    for g in C - 6..C {
        every_request(g, (g + 3).min(C - 1));
    }
}

#[test]
fn every_current_or_later_token_with_every_set_of_ids() {
    for g in [C, C + 1, C + 3, C + 16, C + 17] {
        every_request(g, g);
    }
}
