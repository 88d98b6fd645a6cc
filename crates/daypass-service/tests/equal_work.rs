//! A wrong name costs the same hashing as a wrong password. Measured as the time that the pool's
//! threads were on a processor, in a binary of its own so that no other test's threads count.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is the test's result"
)]
#![allow(unused_imports, reason = "the support's names are shared with another binary")]

mod support;

use support::World;

/// Nanoseconds that the threads of password pools have spent on a processor.
fn hashing() -> u64 {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap();
        if name.starts_with("daypass-passwor") {
            let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            nanos += stat.split(' ').next().unwrap().parse::<u64>().unwrap();
        }
    }
    nanos
}

async fn work(world: &World, name: &str) -> u64 {
    let before = hashing();
    for _ in 0..20 {
        world.wrong_password(name).await;
    }
    hashing() - before
}

#[tokio::test]
async fn a_name_that_nobody_has_costs_the_hashing_of_a_wrong_password() {
    let world = World::with(|config| config.limits.account_failures = 1000).await;
    let sub = world.person("disabled").await;
    world.person("ada").await;
    let change = daypass_service::storage::SubjectChange { disabled: Some(true), ..Default::default() };
    world.change(&sub, change).await;
    let known = work(&world, "ada").await;
    assert!(known > 20_000_000, "the pool's threads are found: {known} ns");
    for other in ["nobody", "no\u{0}name", "", "disabled"] {
        let cost = work(&world, other).await;
        assert!(cost > known / 2 && cost < known * 2, "{other:?}: {cost} ns beside {known} ns");
    }
}
