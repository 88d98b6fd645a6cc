//! Revocation by clients (RFC 7009).

use daypass_service::{RefreshError, RefusedBecause, RevokeError};

use crate::support::{World, attempt, client, forged_everywhere, public, refresh_token, source};

#[tokio::test]
async fn revoking_any_token_of_a_session_ends_it() {
    let world = World::new().await;
    let app = world.registered(public("app", "")).await;
    world.person("ada").await;
    for which in 0..3 {
        let first = world.sign_in_on("ada", "app").await;
        let second = world.refresh_as(refresh_token(&first), Some(&attempt(1))).await.unwrap();
        let token = [refresh_token(&second), refresh_token(&first), first.access.expose()][which];
        for _ in 0..2 {
            world.service.revoke(&app, token, source()).await.unwrap();
        }
        let answer = world.refresh_as(refresh_token(&second), None).await;
        assert!(matches!(answer, Err(RefreshError::Refused(RefusedBecause::Revoked))), "{answer:?}");
        assert!(world.service.authenticate(second.access.expose()).await.is_err());
    }
}

#[tokio::test]
async fn what_is_no_token_is_revoked_already() {
    let world = World::new().await;
    let app = world.registered(public("app", "")).await;
    world.person("ada").await;
    let pair = world.sign_in_on("ada", "app").await;
    world.later(std::time::Duration::from_secs(601));
    let mut nothing = forged_everywhere(refresh_token(&pair));
    nothing.truncate(20);
    nothing.extend(["", "x", "a.b.c"].map(str::to_owned));
    nothing.push(pair.access.expose().to_owned());
    for token in &nothing {
        world.service.revoke(&app, token, source()).await.unwrap();
    }
    world.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test]
async fn another_clients_token_is_refused_and_works_on() {
    let world = World::new().await;
    let app = world.registered(public("app", "")).await;
    let backend = world.registered(client("backend", "")).await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    for other in [&app, &backend] {
        for token in [refresh_token(&pair), pair.access.expose()] {
            let answer = world.service.revoke(other, token, source()).await;
            assert!(matches!(answer, Err(RevokeError::OtherClient)), "{answer:?}");
        }
    }
    world.service.authenticate(pair.access.expose()).await.unwrap();
    world.refresh(refresh_token(&pair)).await.unwrap();
}

#[tokio::test]
async fn a_clients_own_token_cannot_be_called_back() {
    let world = World::new().await;
    let backend = world.registered(client("backend", "")).await;
    let own = world.service.client_credentials(&backend, None, None).unwrap();
    let answer = world.service.revoke(&backend, own.access.expose(), source()).await;
    assert!(matches!(answer, Err(RevokeError::Unsupported)), "{answer:?}");
}
