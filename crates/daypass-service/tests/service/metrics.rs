//! What is counted: every name from the start, and every outcome under its own.

use std::time::Duration;

use daypass_service::{Refresh, ServiceError};

use crate::support::{World, attempt, client, forged_everywhere, refresh_token, renamed, renewal, request};

/// The value of one line of the metrics.
async fn value(world: &World, name: &str) -> f64 {
    let text = world.service.render_metrics().await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

async fn is(world: &World, name: &str, expected: u32) {
    let value = value(world, name).await;
    assert!((value - f64::from(expected)).abs() < 1e-9, "{name}: {value}, not {expected}");
}

async fn refreshed(world: &World, outcome: &str, expected: u32) {
    is(world, &format!("daypass_refresh_total{{outcome=\"{outcome}\"}}"), expected).await;
}

async fn signed_in(world: &World, outcome: &str, expected: u32) {
    is(world, &format!("daypass_sign_in_total{{outcome=\"{outcome}\"}}"), expected).await;
}

const OUTCOMES: [&str; 13] = [
    "rotated",
    "repeated",
    "healed",
    "mismatch",
    "reused",
    "expired",
    "revoked",
    "superseded",
    "unknown",
    "wrong_client",
    "proof_required",
    "invalid",
    "unavailable",
];

#[tokio::test]
async fn every_name_is_there_from_the_start_at_zero() {
    let world = World::new().await;
    for outcome in OUTCOMES {
        refreshed(&world, outcome, 0).await;
    }
    for outcome in ["signed_in", "refused", "limited", "unavailable"] {
        signed_in(&world, outcome, 0).await;
    }
    for name in [
        "daypass_refresh_seconds_count",
        "daypass_reuse_total",
        "daypass_healed_total",
        "daypass_password_queue_depth",
        "daypass_feed_lag_seconds",
        "daypass_feed_subscribers",
        "daypass_signing_key_age_seconds",
        "daypass_sessions",
    ] {
        is(&world, name, 0).await;
    }
    // The upkeep may be writing at this moment, and soon is not.
    while value(&world, "daypass_queue_depth").await > 0.0 {
        tokio::task::yield_now().await;
    }
    // Making the first keys was committed already.
    assert!(value(&world, "daypass_commit_seconds_count").await >= 1.0);
    assert!(value(&world, "daypass_batch_size_count").await >= 1.0);
    assert!(world.service.render_metrics().await.ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_renewal_is_counted_by_what_became_of_it() {
    let world = World::with(|config| config.policy.idle = Some(Duration::from_secs(1000))).await;
    let backend = world.registered(client("backend", "")).await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    let token = refresh_token(&first);
    let second = world.refresh_as(token, Some(&attempt(0))).await.unwrap();
    world.refresh_as(token, Some(&attempt(0))).await.unwrap();
    world.refresh_as(token, Some(&format!("9:{}", attempt(9)))).await.unwrap_err();
    world.refresh_as(token, Some("unreadable")).await.unwrap_err();
    world.refresh(&forged_everywhere(token)[30]).await.unwrap_err();
    world.service.refresh(Refresh { client: Some(&backend), ..renewal(token) }).await.unwrap_err();
    let unknown = world.refresh(&renamed(token, 77)).await.unwrap_err();
    assert!(matches!(unknown, daypass_service::RefreshError::Service(ServiceError::Key(_))));
    world.refresh_as(refresh_token(&second), Some(&attempt(1))).await.unwrap();
    world.refresh_as(token, Some(&attempt(0))).await.unwrap_err();
    world.refresh_as(token, Some(&attempt(666))).await.unwrap_err();
    world.refresh_as(token, Some(&attempt(0))).await.unwrap_err();
    world.later(Duration::from_millis(1));
    let late = world.sign_in("ada").await;
    world.later(Duration::from_millis(1_000_001));
    world.refresh(refresh_token(&late)).await.unwrap_err();
    world.store.fail(true);
    world.refresh(refresh_token(&late)).await.unwrap_err();
    world.store.fail(false);

    for (outcome, expected) in [
        ("rotated", 2),
        ("repeated", 1),
        ("mismatch", 1),
        ("invalid", 2),
        ("wrong_client", 1),
        ("superseded", 1),
        ("reused", 1),
        ("revoked", 1),
        ("expired", 1),
        ("unavailable", 2),
        ("healed", 0),
        ("unknown", 0),
        ("proof_required", 0),
    ] {
        refreshed(&world, outcome, expected).await;
    }
    is(&world, "daypass_reuse_total", 1).await;
    is(&world, "daypass_refresh_seconds_count", 13).await;
    is(&world, "daypass_sessions", 2).await;
}

#[tokio::test]
async fn every_sign_in_is_counted_by_what_became_of_it() {
    let world = World::with(|config| config.limits.account_failures = 2).await;
    world.person("ada").await;
    world.sign_in("ada").await;
    for _ in 0..2 {
        world.wrong_password("ada").await;
    }
    world.wrong_password("ada").await;
    let client = Some("nobody".to_owned());
    let unknown = daypass_service::SignIn { client, ..request("ada", "x") };
    world.try_sign_in(unknown).await.unwrap_err();
    world.store.fail(true);
    world.wrong_password("ada").await;
    world.store.fail(false);
    for (outcome, expected) in [("signed_in", 1), ("refused", 3), ("limited", 1), ("unavailable", 1)] {
        signed_in(&world, outcome, expected).await;
    }
}

#[tokio::test]
async fn the_age_of_the_signing_key_is_told() {
    let world = World::new().await;
    world.later(Duration::from_secs(4000));
    is(&world, "daypass_signing_key_age_seconds", 4000).await;
}
