//! Clients that act for themselves.

use std::time::Duration;

use daypass_client::{Credentials, SessionError, SessionState};
use daypass_testkit::{Canned, Fault};

use crate::stage::{LIFETIME, Stage, TOKEN, all, at_once, watched};

#[tokio::test(flavor = "multi_thread")]
async fn one_request_serves_a_hundred_callers_until_it_expires() {
    watched(async {
        let stage = Stage::new().await;
        let (id, secret) = stage.service.client();
        let session = stage.builder().client_credentials(id, secret).scope("orders").build().await.unwrap();
        assert_eq!(session.state(), SessionState::Stale);
        let call = || {
            let session = session.clone();
            async move { session.access_token().await.unwrap() }
        };
        let first = all(at_once(100, call).await).await;
        assert!(first.iter().all(|token| *token == first[0]));
        assert_eq!((stage.faults().arrived(TOKEN), session.state()), (1, SessionState::Active));
        stage.clock().advance(LIFETIME);
        let second = all(at_once(100, call).await).await;
        assert!(second.iter().all(|token| *token == second[0] && *token != first[0]));
        assert_eq!(stage.faults().arrived(TOKEN), 2);
        assert_eq!(stage.record().await, None, "nothing is stored");
        let body = String::from_utf8(stage.faults().requests(TOKEN)[0].body.to_vec()).unwrap();
        assert_eq!(body, "grant_type=client_credentials&scope=orders");
    })
    .await;
}

#[tokio::test]
async fn it_is_tried_again_as_a_persons_renewal_is() {
    watched(async {
        let stage = Stage::new().await;
        let (id, secret) = stage.service.client();
        let session = stage.builder().client_credentials(id, secret).build().await.unwrap();
        stage.faults().next(TOKEN, Fault::LoseResponse);
        stage.faults().next(TOKEN, Canned::status(429).header("retry-after", "7"));
        stage.faults().next(TOKEN, Canned::html(200, "<html>"));
        let before = stage.clock().clone();
        let began = daypass_ambient::Clock::running(&before);
        let call = async { session.access_token().await.unwrap() };
        let through = async {
            tokio::pin!(call);
            loop {
                tokio::select! {
                    biased;
                    token = &mut call => return token,
                    () = before.until(|waits| waits.first().is_some_and(|wait| *wait < Duration::from_secs(9))) => {}
                }
                if let Some(wait) = before.waits().first() {
                    before.advance(*wait);
                }
            }
        };
        through.await;
        assert!(daypass_ambient::Clock::running(&before) - began >= Duration::from_secs(7));
        assert_eq!(stage.faults().arrived(TOKEN), 4);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_is_a_mistake_in_the_configuration() {
    watched(async {
        let stage = Stage::new().await;
        let session = stage.builder().client_credentials("backend", "wrong").build().await.unwrap();
        let error = session.access_token().await.unwrap_err();
        assert!(matches!(error, SessionError::Config(_)), "{error:?}");
        assert!(!error.to_string().contains("wrong\""), "{error}");
    })
    .await;
}

#[tokio::test]
async fn nobody_signs_in_or_out_of_it() {
    watched(async {
        let stage = Stage::new().await;
        let (id, secret) = stage.service.client();
        let session = stage.builder().client_credentials(id, secret).build().await.unwrap();
        let adopted = session.adopt(stage.pair().await).await;
        let signed_in = session.sign_in(Credentials::password("ada", "x")).await;
        for result in [adopted, signed_in, session.sign_out().await] {
            assert!(matches!(result, Err(SessionError::Config(_))), "{result:?}");
        }
        session.access_token().await.unwrap();
    })
    .await;
}
