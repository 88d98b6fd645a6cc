//! Signing in: what the access token says, and what the pair says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daypass_service::core::{Generation, Origin};
use daypass_service::storage::SubjectChange;
use daypass_service::{SignIn, SignInError};
use serde_json::json;

use crate::support::{
    BEGIN, ISSUER, PASSWORD, World, header, payload, payload_for, public, refresh_token, request,
};

#[tokio::test]
async fn the_access_token_says_who_where_how_and_for_how_long() {
    let world = World::new().await;
    let sub = world.person_with("ada", json!({"name": "Ada", "roles": ["admin", "dev"]}), "read").await;
    let pair = world.sign_in("ada").await;

    let header = header(pair.access.expose());
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header.as_object().unwrap().len(), 3, "alg, typ and kid, no key of the token's own");

    let mut claims = payload(&world, &pair);
    let jti = claims["jti"].take();
    assert_eq!(URL_SAFE_NO_PAD.decode(jti.as_str().unwrap()).unwrap().len(), 16, "128 random bits");
    let expected = json!({
        "iss": ISSUER, "sub": sub, "aud": ISSUER, "client_id": "daypass",
        "iat": BEGIN, "exp": BEGIN + 600, "jti": null,
        "sid": pair.refresh.as_ref().unwrap().session, "scope": "read",
        "auth_time": BEGIN, "amr": ["pwd"],
        "name": "Ada", "roles": ["admin", "dev"],
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn every_access_token_has_an_id_of_its_own() {
    let world = World::new().await;
    world.person("ada").await;
    let mut pair = world.sign_in("ada").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        assert!(seen.insert(payload(&world, &pair)["jti"].to_string()));
        pair = world.refresh(refresh_token(&pair)).await.unwrap();
    }
}

#[tokio::test]
async fn the_pair_says_when_to_renew_and_until_when() {
    let world = World::new().await;
    world.person("ada").await;
    world.later(Duration::from_millis(123));
    for _ in 0..10 {
        let pair = world.sign_in("ada").await;
        let refresh = pair.refresh.clone().unwrap();
        assert_eq!(pair.expires_in, 600);
        assert!((360..=540).contains(&pair.refresh_in), "{}", pair.refresh_in);
        assert_eq!(pair.server_time.millis(), BEGIN * 1000 + 123);
        assert_eq!(refresh.generation, Generation(0));
        assert_eq!(refresh.expires_in, Some(180 * 24 * 3600));
        assert_eq!(refresh.session.start(), pair.server_time, "the session's id carries its start");
        assert!(refresh.token.expose().starts_with("dpr_"));
    }
}

#[tokio::test]
async fn renewals_of_those_who_signed_in_together_are_spread() {
    let world = World::new().await;
    world.person("ada").await;
    let mut pair = world.sign_in("ada").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..30 {
        seen.insert(pair.refresh_in);
        pair = world.refresh(refresh_token(&pair)).await.unwrap();
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[tokio::test]
async fn a_session_without_end_says_so_by_saying_nothing() {
    let world = World::with(|config| config.policy.session = None).await;
    world.person("ada").await;
    let pair = world.sign_in("ada").await;
    assert_eq!(pair.refresh.as_ref().unwrap().expires_in, None);
    world.later(Duration::from_hours(24 * 3650));
    let pair = world.refresh(refresh_token(&pair)).await.unwrap();
    assert_eq!((pair.expires_in, pair.refresh.unwrap().expires_in), (600, None));
}

#[tokio::test]
async fn an_access_token_never_outlives_its_session() {
    let world = World::with(|config| config.policy.session = Some(Duration::from_mins(15))).await;
    world.person("ada").await;
    let first = world.sign_in("ada").await;
    assert_eq!(first.expires_in, 600);

    world.later(Duration::from_secs(700));
    let pair = world.refresh(refresh_token(&first)).await.unwrap();
    assert_eq!((pair.expires_in, pair.refresh.as_ref().unwrap().expires_in), (200, Some(200)));
    let claims = payload(&world, &pair);
    assert_eq!(claims["exp"], BEGIN + 900);
    assert_eq!(claims["auth_time"], BEGIN, "a renewal is no authentication");
    assert!((120..=180).contains(&pair.refresh_in));
}

#[tokio::test]
async fn a_client_has_its_own_lifetimes_audience_and_claims() {
    let world = World::with(|config| config.audience = Some("https://api.example".to_owned())).await;
    let mut kiosk = public("kiosk", "");
    kiosk.ttl.access = Some(60);
    kiosk.ttl.session = Some(3600);
    kiosk.audience = Some("https://kiosk.example".to_owned());
    kiosk.claims = vec!["name".to_owned()];
    world.register(kiosk).await;
    let mut bare = public("bare", "");
    bare.ttl.session = Some(0);
    bare.claims.clear();
    world.register(bare).await;
    world.person_with("ada", json!({"name": "Ada", "email": "ada@example.org"}), "").await;

    let pair = world.sign_in_on("ada", "kiosk").await;
    let claims = payload_for(&world, &pair, "https://kiosk.example");
    assert_eq!((pair.expires_in, pair.refresh.as_ref().unwrap().expires_in), (60, Some(3600)));
    assert_eq!(claims["exp"], BEGIN + 60);
    assert_eq!((&claims["client_id"], &claims["name"]), (&json!("kiosk"), &json!("Ada")));
    assert!(claims.get("email").is_none() && claims.get("scope").is_none());

    let pair = world.sign_in_on("ada", "bare").await;
    let claims = payload_for(&world, &pair, "https://api.example");
    assert_eq!((pair.expires_in, pair.refresh.as_ref().unwrap().expires_in), (600, None));
    assert!(claims.get("name").is_none());

    // The service takes back every token of its own, whatever the audience.
    for pair in [pair, world.sign_in_on("ada", "kiosk").await, world.sign_in("ada").await] {
        world.service.authenticate(pair.access.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn no_client_gets_access_tokens_that_live_longer_than_verifiers_accept() {
    let world = World::new().await;
    let mut greedy = public("greedy", "");
    greedy.ttl.access = Some(24 * 3600);
    world.register(greedy).await;
    world.person("ada").await;
    let pair = world.sign_in_on("ada", "greedy").await;
    assert_eq!(pair.expires_in, 3600);
    payload(&world, &pair);
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_are_answered_alike() {
    let world = World::new().await;
    let sub = world.person("disabled").await;
    world.person("ada").await;
    world.change(&sub, SubjectChange { disabled: Some(true), ..SubjectChange::default() }).await;
    let too_long = "x".repeat(2000);
    for (name, password) in [
        ("ada", "not the passphrase"),
        ("nobody", PASSWORD),
        ("disabled", PASSWORD),
        ("disabled", "not the passphrase"),
        ("ada", ""),
        ("", PASSWORD),
        ("no\u{0}name", PASSWORD),
        ("Ada", PASSWORD),
        ("ada ", PASSWORD),
        ("ada", too_long.as_str()),
        ("ada", &format!("{PASSWORD} ")),
        ("ada", &PASSWORD.to_uppercase()),
    ] {
        let error = world.try_sign_in(request(name, password)).await.unwrap_err();
        assert!(matches!(error, SignInError::Credentials), "{name:?}: {error:?}");
        assert_eq!(error.to_string(), "the user name or the password is wrong");
    }
}

#[tokio::test]
async fn only_public_first_party_clients_may_sign_people_in() {
    let world = World::new().await;
    world.person("ada").await;
    let mut third_party = public("third-party", "");
    third_party.first_party = false;
    let mut disabled = public("disabled", "");
    disabled.disabled = true;
    let mut confidential = crate::support::client("backend", "");
    confidential.first_party = true;
    world.register(third_party).await;
    world.register(confidential).await;
    world.register(public("app", "")).await;
    world.store.add_client_quietly(disabled).await;

    for name in ["third-party", "backend", "disabled", "unknown", ""] {
        let client = Some(name.to_owned());
        let answer = world.try_sign_in(SignIn { client, ..request("ada", PASSWORD) }).await;
        assert!(matches!(answer, Err(SignInError::Client)), "{name}: {answer:?}");
    }
    assert_eq!(payload(&world, &world.sign_in_on("ada", "app").await)["client_id"], "app");
}

#[tokio::test]
async fn a_session_is_listed_with_where_it_came_from() {
    let world = World::new().await;
    world.person("ada").await;
    let origin = Origin {
        label: Some("kitchen".to_owned()),
        user_agent: Some("curl/8".to_owned()),
        address: Some("192.0.2.1".to_owned()),
    };
    world.sign_in("ada").await;
    world.later(Duration::from_secs(1));
    let pair =
        world.try_sign_in(SignIn { origin: origin.clone(), ..request("ada", PASSWORD) }).await.unwrap();
    let caller = world.service.authenticate(pair.access.expose()).await.unwrap();
    let sessions = world.service.sessions(&caller).await.unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0].session.id, caller.session.id, "newest first");
    assert_eq!((&sessions[0].origin, &sessions[1].origin), (&origin, &Origin::default()));
}

#[tokio::test]
async fn the_largest_claims_make_a_token_that_is_taken_back_and_fits_into_a_cookie() {
    let world = World::new().await;
    let nested = (0..7).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
    let mut claims = serde_json::json!({ "nested": { "in": nested }, "filler": "" });
    for number in 0..98 {
        claims[format!("c{number}")] = number.into();
    }
    let room = daypass_service::core::subject::MAX_CLAIMS_BYTES - claims.to_string().len();
    claims["filler"] = "x".repeat(room).into();
    world.person_with("ada", claims, "").await;
    let pair = world.sign_in("ada").await;
    world.service.authenticate(pair.access.expose()).await.unwrap();
    assert!("__Host-Http-daypass-at=".len() + pair.access.expose().len() <= 4096);
}
