//! The service answers sign-ins and renewals through its faults, counts them, and survives its end.

use std::time::Duration;

use daypass_ambient::{Clock as _, SystemClock};
use daypass_jwt::{Algorithm, KeySet};
use daypass_testkit::{BACKEND, Fault, Gate, NAME, PASSWORD, TestService};
use serde_json::{Value, json};

use super::{client, soon};

const REFRESH: &str = "/v1/refresh";

async fn post(service: &TestService, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
    let request = client().post(format!("{}{path}", service.url()));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let answer = soon(request.send()).await?;
    let status = answer.status().as_u16();
    let body = soon(answer.bytes()).await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn renew(service: &TestService, pair: &Value) -> reqwest::Result<(u16, Value)> {
    let generation = pair["generation"].as_u64().unwrap();
    let attempt = format!("{generation}:attempt-{generation:0>24}");
    let body = json!({ "refresh_token": pair["refresh_token"], "attempt": attempt });
    post(service, REFRESH, &body).await
}

#[tokio::test]
async fn a_person_signs_in_and_renews_over_the_network() {
    let service = TestService::start().await;
    let body = json!({ "username": NAME, "password": PASSWORD });
    let (status, pair) = post(&service, "/v1/login", &body).await.unwrap();
    assert_eq!((status, &pair["generation"]), (200, &json!(0)), "{pair}");
    let (status, next) = renew(&service, &pair).await.unwrap();
    assert_eq!((status, &next["generation"]), (200, &json!(1)), "{next}");
    assert_eq!((service.rotations().await, service.repeats().await, service.refusals().await), (1, 0, 0));
    assert_eq!(service.faults().arrived("/v1/login"), 1);
}

#[tokio::test]
async fn a_lost_answer_is_repeated_and_both_are_counted() {
    let service = TestService::start().await;
    let pair = service.sign_in().await;
    assert_eq!(service.faults().arrived("/v1/login"), 0, "this sign-in does not come over the network");
    service.faults().next(REFRESH, Fault::LoseResponse);
    assert!(renew(&service, &pair).await.is_err());
    assert_eq!(service.rotations().await, 1);
    let (status, next) = renew(&service, &pair).await.unwrap();
    assert_eq!((status, &next["generation"]), (200, &json!(1)));
    assert_eq!((service.rotations().await, service.repeats().await), (1, 1));
    assert_eq!((service.faults().arrived(REFRESH), service.faults().served(REFRESH)), (2, 2));
}

#[tokio::test]
async fn a_copied_token_raises_the_alarm_and_is_counted() {
    let service = TestService::builder().grace(Duration::ZERO).start().await;
    let pair = service.sign_in().await;
    let bare = json!({ "refresh_token": pair["refresh_token"] });
    assert_eq!(post(&service, REFRESH, &bare).await.unwrap().0, 200);
    let (status, error) = post(&service, REFRESH, &bare).await.unwrap();
    assert_eq!((status, &error["reason"]), (400, &json!("reused")));
    let renewals = service.renewals().await;
    assert_eq!((renewals.rotated, renewals.reused, renewals.refused()), (1, 1, 1));
    assert_eq!(service.reuses().await, 1);
}

#[tokio::test]
async fn the_service_lives_by_the_tests_clock() {
    let service =
        TestService::builder().access(Duration::from_mins(1)).session(Duration::from_hours(1)).start().await;
    let pair = service.sign_in().await;
    assert_eq!((&pair["expires_in"], &pair["refresh_expires_in"]), (&json!(60), &json!(3600)));
    let millis = u64::try_from(service.clock().wall().as_millis()).unwrap();
    assert_eq!(pair["server_time"], millis);
    service.clock().advance(Duration::from_hours(1));
    let (status, error) = renew(&service, &pair).await.unwrap();
    assert_eq!((status, &error["reason"]), (400, &json!("expired")));
}

#[tokio::test]
async fn idle_sessions_end_when_that_is_asked() {
    let service = TestService::builder().idle(Duration::from_secs(90)).start().await;
    let pair = service.sign_in().await;
    service.clock().advance(Duration::from_secs(90));
    let (_, pair) = renew(&service, &pair).await.unwrap();
    assert_eq!(pair["generation"], 1);
    service.clock().advance(Duration::from_secs(91));
    assert_eq!(renew(&service, &pair).await.unwrap().1["reason"], "expired");
}

#[tokio::test]
async fn the_system_clock_is_used_when_that_is_asked() {
    let service = TestService::builder().system_clock().start().await;
    let before = SystemClock.wall().as_millis();
    let pair = service.sign_in().await;
    assert!(u128::from(pair["server_time"].as_u64().unwrap()) >= before);
}

#[tokio::test]
async fn an_ended_session_is_refused() {
    let service = TestService::start().await;
    let pair = service.sign_in().await;
    service.revoke_session(pair["session_id"].as_str().unwrap()).await;
    let (status, error) = renew(&service, &pair).await.unwrap();
    assert_eq!((status, &error["reason"]), (400, &json!("revoked")));
}

#[tokio::test]
async fn others_can_be_added() {
    let service = TestService::start().await;
    let sub = service.add_person("ben", "another passphrase").await;
    let pair = service.sign_in_as("ben", "another passphrase").await;
    let me = client().get(format!("{}/v1/me", service.url()));
    let me = me.header("authorization", format!("Bearer {}", pair["access_token"].as_str().unwrap()));
    let me: Value = serde_json::from_slice(&soon(me.send()).await.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!((&me["sub"], &me["username"]), (&json!(sub), &json!("ben")));
}

#[tokio::test]
async fn the_back_end_asks_for_its_own_token() {
    let service = TestService::start().await;
    let (id, secret) = service.client();
    assert_eq!(id, BACKEND);
    let answer = client()
        .post(format!("{}/oauth2/token", service.url()))
        .basic_auth(id, Some(secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&scope=daypass:feed");
    let answer = soon(answer.send()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let token: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(token["scope"], "daypass:feed");
}

#[tokio::test]
async fn a_restarted_service_knows_what_it_knew() {
    let service = TestService::start().await;
    let pair = service.sign_in().await;
    let (_, pair) = renew(&service, &pair).await.unwrap();
    let keys = service.service().published_keys().etag;
    service.stop().await;
    service.stop().await;
    assert!(service.try_service().is_none());
    assert!(renew(&service, &pair).await.unwrap_err().is_connect());
    service.restart().await;
    service.restart().await;
    let (status, next) = renew(&service, &pair).await.unwrap();
    assert_eq!((status, &next["generation"]), (200, &json!(2)));
    assert_eq!(service.service().published_keys().etag, keys);
    assert_eq!(service.rotations().await, 2, "counts go on");
}

#[tokio::test]
async fn what_was_committed_before_the_end_is_there_after_it() {
    let (service, gate) = (TestService::start().await, Gate::new());
    let pair = service.sign_in().await;
    service.faults().next(REFRESH, Fault::HoldResponse(gate.clone()));
    let renewing = renew(&service, &pair);
    let ending = async {
        gate.arrived().await;
        service.stop().await;
    };
    let (lost, ()) = soon(async { tokio::join!(renewing, ending) }).await;
    assert!(lost.is_err());
    service.restart().await;
    assert_eq!(renew(&service, &pair).await.unwrap().1["generation"], 1);
    assert_eq!((service.rotations().await, service.repeats().await), (1, 1));
}

#[tokio::test]
async fn a_new_signing_key_is_used_at_once() {
    let service = TestService::builder().algorithm(Algorithm::Ed25519).start().await;
    let first = key_of(&service.sign_in().await);
    soon(service.rotate_signing_key()).await;
    let second = key_of(&service.sign_in().await);
    assert_ne!(first, second);
    let url = format!("{}/.well-known/jwks.json", service.url());
    let set = soon(client().get(url).send()).await.unwrap().bytes().await.unwrap();
    let set = KeySet::from_jwks(&set).unwrap().keys;
    for kid in [first, second] {
        assert!(set.find(Some(&kid), Algorithm::Ed25519).is_ok(), "both are published");
    }
}

/// The `kid` of a pair's access token.
fn key_of(pair: &Value) -> String {
    use base64::Engine as _;
    let header = pair["access_token"].as_str().unwrap().split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
