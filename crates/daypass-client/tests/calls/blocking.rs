//! What is the blocking front's own.

use std::thread;

use daypass_client::blocking::Session;
use daypass_client::{Credentials, Event, SignOutReason};
use daypass_testkit::{NAME, PASSWORD, TestService};
use serde_json::{Value, json};

use crate::front::{Front, Kind, http};
use crate::world::{World, describe, watched};

/// The test's own thread stands in its runtime, and the servers are on the others.
#[tokio::test(flavor = "multi_thread")]
async fn it_may_be_called_and_dropped_on_a_thread_of_a_runtime() {
    watched(async {
        let service = TestService::start().await;
        let session = Session::open(describe(&service)).unwrap();
        session.sign_in(Credentials::password(NAME, PASSWORD)).unwrap();
        assert!(!session.access_token().unwrap().expose().is_empty());
        let clone = session.clone();
        drop(session);
        assert!(clone.access_token().is_ok());
        clone.sign_out().unwrap();
        assert!(clone.access_token().unwrap_err().is_signed_out());
    })
    .await;
}

#[test]
fn it_needs_no_runtime_and_is_shared_among_threads() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(watched(TestService::start()));
    let session = Session::open(describe(&service)).unwrap();
    session.sign_in(Credentials::password(NAME, PASSWORD)).unwrap();
    service.clock().advance(std::time::Duration::from_hours(1));
    let tokens: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| session.access_token().unwrap())).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(runtime.block_on(service.rotations()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_end_with_the_session() {
    watched(async {
        let service = TestService::start().await;
        let session = Session::open(describe(&service)).unwrap();
        let events = session.events();
        let heard = thread::spawn(move || events.collect::<Vec<_>>());
        session.sign_in(Credentials::password(NAME, PASSWORD)).unwrap();
        session.sign_out().unwrap();
        drop(session);
        let heard = tokio::task::spawn_blocking(|| heard.join().unwrap()).await.unwrap();
        assert_eq!(heard, [Event::SignedIn, Event::SignedOut(SignOutReason::SignedOut)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_as_it_is_wanted() {
    watched(async {
        let world = World::new(Kind::Blocking).await;
        let Front::Blocking(session, api) = &world.front else { unreachable!() };
        let sent = json!({ "apples": 2 });
        let read: Value = {
            let canned = daypass_testkit::Canned::json(200, &sent);
            world.api.faults().next("/orders", canned);
            api.get(world.api.orders()).send().unwrap().json().unwrap()
        };
        assert_eq!(read, sent);
        let post = || api.post(world.api.orders()).json(&sent).header("x-a", "b").send().unwrap();
        assert_eq!(post().text().unwrap(), r#"POST {"apples":2}"#);
        let mut written = Vec::new();
        assert_eq!(post().copy_to(&mut written).unwrap(), 17);
        assert_eq!(written, post().bytes().unwrap());
        assert_eq!(world.api.came()[1].header("content-type"), Some("application/json"));
        assert!(post().error_for_status().is_ok());
        world.api.refuse_all();
        let once = session.wrap(http()).unwrap().redirects(0);
        let refused = once.get(world.api.orders()).send().unwrap();
        assert_eq!(refused.url().as_str(), world.api.orders());
        assert!(refused.headers().contains_key("www-authenticate"));
        assert!(refused.error_for_status().is_err());
    })
    .await;
}
