//! Where two cases fit, the earlier one answers.

use super::lines;
use super::scene::{OWN_KEY, Scene};
use crate::revocation::EndingReason;
use crate::rotation::Proof;

/// A name, and a change of a scene.
type Circumstance = (&'static str, fn(Scene) -> Scene);

/// What makes one of the cases 1 to 6 fit as well, in their order.
fn circumstances() -> [Circumstance; 6] {
    [
        ("1", |s| s.lost_row()),
        ("2", |s| s.by("other")),
        ("3", |s| s.bound().proof(Proof::Absent)),
        ("4", |s| s.revoked(EndingReason::Reused)),
        ("5", |s| s.expires_in(0)),
        ("6", |s| {
            let g = s.presented.generation.0;
            s.sends(&[(g - 1, 'O')])
        }),
    ]
}

/// A request that each of the later cases fits.
fn requests() -> [(&'static str, Scene); 8] {
    [
        ("7", Scene::new(100, 100).sends_own(100, 97)),
        ("8", Scene::new(100, 98).sends_own(99, 98)),
        ("9", Scene::new(100, 99).remembers("-OOO").bound().proof(Proof::Good(OWN_KEY))),
        ("10", Scene::new(100, 99).remembers("-OOO").grace(10_000, 10_000)),
        ("11", Scene::new(100, 98).sends_own(98, 98)),
        ("12", Scene::new(100, 99)),
        ("13", Scene::new(100, 116).sends_own(116, 113)),
        ("14", Scene::new(100, 117).sends_own(117, 114)),
    ]
}

/// Requests that two cases fit, or one of the later ones alone, and what fits.
pub(super) fn contests() -> Vec<(String, Scene)> {
    let mut contests = Vec::new();
    let circumstances = circumstances();
    for (at, (first, make)) in circumstances.iter().enumerate() {
        for (second, also) in &circumstances[at + 1..] {
            contests.push((format!("{first} before {second}"), make(also(Scene::new(100, 100)))));
        }
        for (second, request) in requests() {
            contests.push((format!("{first} before {second}"), make(request)));
        }
    }
    contests.extend(requests().map(|(case, request)| (format!("{case} alone"), request)));
    contests
}

/// The same among used tokens.
pub(super) fn used_contests() -> Vec<Scene> {
    vec![
        // 8 before 11, and before 12.
        Scene::new(100, 96).sends_own(99, 96),
        // 9 before 10, which would count.
        Scene::new(100, 99).remembers("----").bound().proof(Proof::Good(OWN_KEY)).grace(10_000, 0),
        // 11 before 12.
        Scene::new(100, 96).remembers("XXXO").sends_own(99, 96),
    ]
}

#[test]
fn the_first_case_that_fits_answers() {
    let told = contests().into_iter().map(|(fits, scene)| format!("{fits}: {}", scene.line()));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn among_used_tokens_too() {
    insta::assert_snapshot!(lines(used_contests()));
}
