//! The decision table as a table: every case and every boundary, one line each, in the stored
//! snapshots beside this file. A line reads
//!
//! `c=100 [OX--] g=99 ids 99:O 98:O, circumstances -> ANSWER; what changes of the row; event`
//!
//! where the brackets hold the ids that the row remembers for c−1, c−2, c−3, c−4: `O` the holder's,
//! `X` somebody else's, `-` none (and `?`, which never occurs, one of another generation).

mod combinations;
mod precedence;
mod scene;
mod vectors;

use scene::{OTHER_KEY, OWN_KEY, Scene};

use crate::client::{ClientKind, OnReuse};
use crate::revocation::EndingReason;
use crate::rotation::Proof;

/// Reasons to end a session, all of them.
const REASONS: [EndingReason; 6] = [
    EndingReason::SignedOut,
    EndingReason::Revoked,
    EndingReason::Reused,
    EndingReason::PasswordChanged,
    EndingReason::Disabled,
    EndingReason::Deleted,
];

/// The lines of a table.
fn lines(scenes: impl IntoIterator<Item = Scene>) -> String {
    scenes.into_iter().map(|scene| scene.line()).collect::<Vec<_>>().join("\n")
}

/// Cases 1 to 3.
fn whose_session() -> Vec<Scene> {
    let current = || Scene::new(100, 100);
    let confidential = |s: Scene| s.client("client confidential", |c| c.kind = ClientKind::Confidential);
    let third_party = |s: Scene| s.client("client not first-party", |c| c.first_party = false);
    vec![
        current().lost_row(),
        current().lost_row().by("web"),
        current(),
        current().by("web"),
        current().by("other"),
        confidential(current()),
        confidential(current()).by("web"),
        third_party(current()),
        third_party(current()).by("web"),
        current().no_client(),
        current().no_client().by("web"),
        current().no_client().by("other"),
        current().proof(Proof::Bad),
        current().proof(Proof::Good(OTHER_KEY)),
        current().bound().proof(Proof::Absent),
        current().bound().proof(Proof::Bad),
        current().bound().proof(Proof::Good(OTHER_KEY)),
        current().bound().proof(Proof::Good(OWN_KEY)),
    ]
}

#[test]
fn cases_1_to_3_whose_session_it_is() {
    insta::assert_snapshot!(lines(whose_session()));
}

/// Case 4.
fn ended() -> Vec<Scene> {
    use EndingReason::{Disabled, PasswordChanged, Reused, Revoked, SignedOut};
    let current = || Scene::new(100, 100);
    let mut scenes = Vec::new();
    scenes.extend(REASONS.map(|why| current().revoked(why)));
    scenes.extend(REASONS.map(|why| current().cut_off(1, why)));
    scenes.extend([-1, 0, 1, 2].map(|offset| current().cut_off(offset, SignedOut)));
    scenes.extend([
        current().disabled_subject(),
        current().disabled_subject().cut_off(0, Reused),
        current().disabled_subject().cut_off(1, PasswordChanged),
        current().client("client disabled", |c| c.disabled = true),
        current().no_client().by("web"),
        // Reuse is what the person has to hear of, whatever else ended the session.
        current().revoked(Revoked).cut_off(1, Reused),
        current().revoked(Reused).cut_off(1, Revoked),
        current().revoked(SignedOut).cut_off(1, Revoked),
        current().revoked(SignedOut).disabled_subject(),
        current().revoked(Reused).disabled_subject(),
        current().revoked(Disabled).client("client disabled", |c| c.disabled = true),
    ]);
    for g in [94, 99, 101, 117] {
        scenes.push(Scene::new(100, g).revoked(Reused));
    }
    scenes
}

#[test]
fn case_4_what_has_ended() {
    insta::assert_snapshot!(lines(ended()));
}

/// Case 5.
fn expired() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for g in [94, 99, 100, 101, 116, 117] {
        scenes.extend([1, 0, -1].map(|offset| Scene::new(100, g).expires_in(offset)));
    }
    for g in [94, 99, 100, 101, 116, 117] {
        scenes.extend([4999, 5000, 5001].map(|ago| Scene::new(100, g).idle(5000, ago)));
    }
    // The clock went back since; an idle limit of nothing still lets the same millisecond pass.
    scenes.extend([-1, -9_999_999].map(|ago| Scene::new(100, 100).idle(5000, ago)));
    scenes.extend([0, 1].map(|ago| Scene::new(100, 100).idle(0, ago)));
    scenes.push(Scene::new(100, 99).sends_own(99, 96).idle(5000, 5000));
    scenes.push(Scene::new(100, 99).sends_own(99, 96).idle(5000, 5001));
    scenes
}

#[test]
fn case_5_what_has_expired() {
    insta::assert_snapshot!(lines(expired()));
}

/// Cases 6 and 7.
fn current() -> Vec<Scene> {
    let current = || Scene::new(100, 100);
    let mut scenes = vec![
        current(),
        current().sends_own(100, 100),
        current().sends_own(100, 97),
        current().sends(&[(100, 'X')]),
        // Ids for generations to come are nothing to the current one.
        current().sends(&[(101, 'O'), (100, 'O')]),
        // None labelled 100.
        current().sends(&[(99, 'O')]),
        current().sends(&[(101, 'O')]),
        current().sends(&[(101, 'O'), (99, 'O'), (98, 'O'), (97, 'O')]),
    ];
    // None labelled g, whatever g is.
    for g in [94, 95, 96, 98, 99, 101, 116, 117] {
        scenes.push(Scene::new(100, g).sends(&[(g + 1, 'O')]));
        scenes.push(Scene::new(100, g).sends(&[(g - 1, 'O')]));
    }
    for remembered in ["----", "X---", "-O-X", "OOO-"] {
        scenes.push(current().remembers(remembered).sends_own(100, 97));
        scenes.push(current().remembers(remembered));
    }
    for c in 0..5 {
        scenes.push(Scene::new(c, c).sends_own(c, 0));
        scenes.push(Scene::new(c, c));
    }
    scenes
}

#[test]
fn cases_6_and_7_the_current_token() {
    insta::assert_snapshot!(lines(current()));
}

/// Cases 8, 11 and 12.
fn used() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for g in (94..100).rev() {
        let used = || Scene::new(100, g);
        let top = 99.min(g + 3);
        scenes.extend([used(), used().remembers("----")]);
        // Only its own id, all ids up to c−1, those and more, somebody else's, one for another.
        scenes.extend([used().sends_own(g, g), used().sends_own(top, g)]);
        scenes.extend([used().sends_own(g, g - 3), used().sends(&[(g, 'X')])]);
        scenes.push(used().sends(&[(g + 1, 'O')]));
        if g > 96 {
            scenes.push(used().sends_own(100, g));
            scenes.push(used().sends_own(100, g).on_reuse(OnReuse::Session));
        }
        // The row does not remember them, or somebody else rotated; all of it, or one.
        scenes.push(used().remembers("----").sends_own(top, g));
        scenes.push(used().remembers("XXXX").sends_own(top, g));
        for hole in 0..4 {
            for letter in ["-", "X"] {
                let mut remembered = "OOOO".to_owned();
                remembered.replace_range(hole..=hole, letter);
                scenes.push(used().remembers(&remembered).sends_own(top, g));
            }
        }
        // The request lacks one, or has somebody else's for it.
        for gap in g + 1..=top {
            let all = || (g..=top).rev();
            let without: Vec<_> = all().filter(|k| *k != gap).map(|k| (k, 'O')).collect();
            let wrong: Vec<_> = all().map(|k| (k, if k == gap { 'X' } else { 'O' })).collect();
            scenes.extend([used().sends(&without), used().sends(&wrong)]);
        }
        scenes.extend([OnReuse::Subject, OnReuse::Session].map(|ends| used().on_reuse(ends)));
    }
    scenes
}

#[test]
fn cases_8_to_12_a_used_token_past_the_grace() {
    insta::assert_snapshot!(lines(used()));
}

/// Case 8 at any time.
fn long_used() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for after in [-1_000_000, -1, 0, 10_000, 10_001, i64::from(i32::MAX)] {
        scenes.push(Scene::new(100, 99).sends_own(99, 99).grace(10_000, after));
        scenes.push(Scene::new(100, 96).sends_own(99, 96).grace(0, after));
    }
    for c in 1..6 {
        scenes.push(Scene::new(c, 0).sends_own(c - 1, 0));
        scenes.push(Scene::new(c, 0).sends_own(0, 0));
    }
    scenes
}

#[test]
fn case_8_has_no_time_limit_and_early_generations_have_fewer_ids() {
    insta::assert_snapshot!(lines(long_used()));
}

/// Cases 9 and 10.
fn used_without_ids() -> Vec<Scene> {
    let mut scenes = Vec::new();
    let boundaries = [-60_000, -1, 0, 1, 9_999, 10_000, 10_001];
    for after in boundaries {
        scenes.push(Scene::new(100, 99).remembers("-OOO").grace(10_000, after));
    }
    for after in [-1, 0, 1] {
        scenes.push(Scene::new(100, 99).remembers("-OOO").grace(0, after));
    }
    for after in boundaries {
        let bound = Scene::new(100, 99).remembers("-OOO").bound().proof(Proof::Good(OWN_KEY));
        scenes.push(bound.grace(10_000, after));
    }
    scenes.extend([0, 60_000].map(|after| {
        Scene::new(100, 99).remembers("-OOO").bound().proof(Proof::Good(OWN_KEY)).grace(0, after)
    }));
    // A good proof is nothing to a session that is bound to no key.
    scenes.push(Scene::new(100, 99).remembers("-OOO").proof(Proof::Good(OWN_KEY)).grace(10_000, 10_001));
    // Within the grace, but for: an id then, an id now, a generation further back.
    for who in ["bound", "unbound"] {
        let key = |s: Scene| if who == "bound" { s.bound().proof(Proof::Good(OWN_KEY)) } else { s };
        for remembered in ["O---", "X---"] {
            scenes.push(key(Scene::new(100, 99).remembers(remembered)).grace(10_000, 0));
        }
        for remembered in ["----", "O---", "X---"] {
            scenes.push(key(Scene::new(100, 99).remembers(remembered)).sends(&[(99, 'O')]).grace(10_000, 0));
        }
        scenes.push(key(Scene::new(100, 99).remembers("----")).sends(&[(98, 'O')]).grace(10_000, 0));
        scenes.push(key(Scene::new(100, 98).remembers("----")).grace(10_000, 0));
        scenes.push(key(Scene::new(100, 98).remembers("-O--")).grace(10_000, 0));
    }
    scenes
}

#[test]
fn cases_9_and_10_a_used_token_without_ids() {
    insta::assert_snapshot!(lines(used_without_ids()));
}

/// Case 10, generation after generation.
fn grace_running() -> Vec<Scene> {
    let mut told = Vec::new();
    let generation = |told: &mut Vec<Scene>, state: Option<Scene>, repeats: usize| -> Scene {
        let (c, run) = state.map_or((100, (0, false)), |scene| {
            let rotation = scene.session.rotation;
            (rotation.generation.0, (rotation.grace_run, rotation.grace_used))
        });
        let mut scene = Scene::new(c, c).remembers("----").grace_run(run.0, run.1);
        told.push(scene.clone());
        scene.apply();
        for _ in 0..repeats {
            let rotation = scene.session.rotation;
            let next = Scene::new(c + 1, c).remembers("----").grace(10_000, 10);
            scene = next.grace_run(rotation.grace_run, rotation.grace_used);
            told.push(scene.clone());
            scene.apply();
        }
        scene
    };
    let mut scene = None;
    for repeats in [1, 2, 3, 1, 0, 1, 1, 0] {
        scene = Some(generation(&mut told, scene, repeats));
    }
    let full = |used| Scene::new(100, 99).remembers("----").grace(10_000, 0).grace_run(255, used);
    told.extend([full(false), full(true)]);
    // Repeats by ids or proof leave the count alone; healing begins anew.
    told.push(Scene::new(100, 99).sends_own(99, 99).grace_run(2, false));
    told.push(Scene::new(100, 99).sends_own(99, 99).grace_run(2, true));
    let dpop = Scene::new(100, 99).remembers("----").bound().proof(Proof::Good(OWN_KEY));
    told.push(dpop.grace_run(2, false));
    told.push(Scene::new(100, 101).grace_run(2, true));
    told
}

#[test]
fn case_10_counts_generations_running() {
    insta::assert_snapshot!(lines(grace_running()));
}

/// Cases 13 and 14.
fn ahead() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for g in 101..=118 {
        scenes.push(Scene::new(100, g).sends_own(g, g - 3));
    }
    for g in [101, 102, 103, 104, 105, 116, 117] {
        scenes.push(Scene::new(100, g));
        scenes.push(Scene::new(100, g).sends_own(g, g));
        scenes.push(Scene::new(100, g).sends(&[(g, 'X')]).grace(10_000, 0));
        scenes.push(Scene::new(100, g).sends(&[(g - 1, 'O')]));
    }
    // Of the generations that the row has, its own memory counts, not the request.
    for remembered in ["----", "XXXX", "XO-O"] {
        for g in [101, 102, 103] {
            scenes.push(Scene::new(100, g).remembers(remembered).sends_own(g, g - 3));
        }
    }
    scenes.push(Scene::new(100, 101).bound().proof(Proof::Good(OWN_KEY)));
    for (c, g) in [(0, 1), (0, 4), (0, 16), (0, 17), (0, u32::MAX), (1, 4), (3, 4)] {
        scenes.push(Scene::new(c, g).sends_own(g, g.saturating_sub(3)));
    }
    scenes
}

#[test]
fn cases_13_and_14_a_token_ahead_of_its_session() {
    insta::assert_snapshot!(lines(ahead()));
}

/// The end of counting.
fn last_generation() -> Vec<Scene> {
    const LAST: u32 = u32::MAX;
    vec![
        Scene::new(LAST - 1, LAST - 1).sends_own(LAST - 1, LAST - 4),
        Scene::new(LAST, LAST).sends_own(LAST, LAST - 3),
        Scene::new(LAST, LAST),
        Scene::new(LAST - 1, LAST).sends_own(LAST, LAST),
        Scene::new(LAST - 16, LAST),
        Scene::new(LAST - 17, LAST),
        Scene::new(LAST, LAST - 1).sends_own(LAST - 1, LAST - 1),
        Scene::new(LAST, LAST - 4).sends_own(LAST - 1, LAST - 4),
        Scene::new(LAST, LAST - 4).sends_own(LAST - 4, LAST - 4),
        Scene::new(LAST, 0).sends_own(0, 0),
    ]
}

#[test]
fn the_last_generation_has_no_successor() {
    insta::assert_snapshot!(lines(last_generation()));
}
