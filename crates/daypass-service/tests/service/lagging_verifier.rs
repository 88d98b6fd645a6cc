//! A verifier that fetches the keys every five minutes never refuses a good token, whenever and
//! however often the keys are replaced (KEY-10).

use std::collections::VecDeque;
use std::time::Duration;

use daypass_service::Activation;
use proptest::prelude::*;

use crate::keys::{machine, token};
use crate::support::{ISSUER, Jwks, World};

/// How often the verifier fetches.
const FETCH: i64 = 300;

/// What happens after some minutes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Nothing but time.
    Wait(u64),
    /// Somebody replaces the keys.
    Rotate(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..8u64).prop_map(Step::Wait),
        1 => (30..70u64).prop_map(Step::Wait),
        2 => (0..8u64).prop_map(Step::Rotate),
    ];
    prop::collection::vec(step, 1..60)
}

async fn never_refuses(steps: Vec<Step>, phase: i64) {
    let world = World::with(|config| config.keys.rotate_every = Some(Duration::from_hours(5))).await;
    let machine = machine(&world).await;
    let mut verifier = Jwks::fetch(&world);
    let mut fetched = world.now().seconds() - phase;
    let mut tokens: VecDeque<(String, i64)> = VecDeque::new();
    let mut kids = std::collections::BTreeSet::new();
    for step in steps {
        let (minutes, rotate) = match step {
            Step::Wait(minutes) => (minutes, false),
            Step::Rotate(minutes) => (minutes, true),
        };
        for _ in 0..minutes {
            world.later(Duration::from_mins(1));
            let now = world.now().seconds();
            if now - fetched >= FETCH {
                (verifier, fetched) = (Jwks::fetch(&world), now);
            }
            let fresh = token(&world, &machine);
            kids.insert(crate::support::kid(&fresh));
            tokens.push_back((fresh, now + 3600));
            while tokens.front().is_some_and(|(_, exp)| *exp <= now) {
                tokens.pop_front();
            }
            for (token, _) in
                [tokens.front(), tokens.get(tokens.len() / 2), tokens.back()].into_iter().flatten()
            {
                verifier.verify(token, ISSUER, now).unwrap();
            }
        }
        world.tidied().await;
        if rotate {
            world.rotate_keys(Activation::Published).await;
            world.noticed().await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lagging_verifier_never_refuses_a_good_token(steps in steps(), phase in 0..FETCH) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(never_refuses(steps, phase));
    }
}
