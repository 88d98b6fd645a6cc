//! What a sign-in may be granted, and what becomes of a privileged scope that is taken away.

use daypass_service::core::Scope;
use daypass_service::storage::SubjectChange;
use daypass_service::{ADMIN_SCOPE, Pair, SignIn, SignInError};

use crate::support::{PASSWORD, World, payload, public, refresh_token, request, scope};

async fn asking(world: &World, name: &str, client: &str, asked: Option<&str>) -> Result<Pair, SignInError> {
    let (client, scope) = (Some(client.to_owned()), asked.map(scope));
    world.try_sign_in(SignIn { client, scope, ..request(name, PASSWORD) }).await
}

async fn world() -> World {
    let world = World::new().await;
    world.register(public("app", "read write daypass:admin")).await;
    world.person_with("ada", serde_json::json!({}), "own").await;
    world.person_with("root", serde_json::json!({}), "daypass:admin").await;
    world
}

#[tokio::test]
async fn a_sign_in_is_granted_what_it_asks_for_if_all_of_it_may_be() {
    let world = world().await;
    for (asked, granted) in
        [(None, "read write own"), (Some("read"), "read"), (Some("own write"), "own write"), (Some(""), "")]
    {
        let pair = asking(&world, "ada", "app", asked).await.unwrap();
        assert_eq!(pair.scope, scope(granted), "{asked:?}");
        let claims = payload(&world, &pair);
        assert_eq!(claims.get("scope").map_or("", |scope| scope.as_str().unwrap()), granted);
    }
    for asked in ["read delete", "READ", "rea", "read:all", ADMIN_SCOPE, "daypass:feed"] {
        let answer = asking(&world, "ada", "app", Some(asked)).await;
        assert!(matches!(answer, Err(SignInError::Scope)), "{asked}: {answer:?}");
    }
    let events = world.events().await;
    assert_eq!(events.iter().filter(|e| e.kind.name() == "signed_in").count(), 4, "a refused one opens none");
}

#[tokio::test]
async fn a_privileged_scope_is_only_for_a_person_who_holds_it() {
    let world = world().await;
    let ada = asking(&world, "ada", "app", None).await.unwrap();
    assert!(!ada.scope.contains(ADMIN_SCOPE), "registered for the client, not held by the person");
    let root = asking(&world, "root", "app", None).await.unwrap();
    assert!(root.scope.contains(ADMIN_SCOPE));
    let root = asking(&world, "root", "daypass", Some(ADMIN_SCOPE)).await.unwrap();
    assert_eq!(root.scope, scope(ADMIN_SCOPE), "the built-in client is registered for nothing");
}

#[tokio::test]
async fn a_privileged_scope_that_is_taken_away_is_gone_at_the_next_renewal_and_comes_back_with_it() {
    let world = world().await;
    let root = world.store.user_named("root").await.subject.id;
    let pair = asking(&world, "root", "app", None).await.unwrap();
    let hold = |held: Scope| SubjectChange { scope: Some(held), ..SubjectChange::default() };

    world.change(&root, hold(Scope::empty())).await;
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    assert_eq!(pair.scope, scope("read write"));
    assert_eq!(payload(&world, &pair)["scope"], "read write");

    world.change(&root, hold(scope(ADMIN_SCOPE))).await;
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    assert!(pair.scope.contains(ADMIN_SCOPE), "what was granted stays granted");
}

#[tokio::test]
async fn changed_claims_take_effect_at_the_next_renewal() {
    let world = World::new().await;
    let sub = world.person_with("ada", serde_json::json!({"role": "dev"}), "").await;
    let pair = world.sign_in("ada").await;
    assert_eq!(payload(&world, &pair)["role"], "dev");

    let claims = serde_json::from_str(r#"{"role": "lead", "team": 7}"#).unwrap();
    world.change(&sub, SubjectChange { claims: Some(claims), ..SubjectChange::default() }).await;
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    let after = payload(&world, &pair);
    assert_eq!((&after["role"], &after["team"]), (&"lead".into(), &7.into()));
}
