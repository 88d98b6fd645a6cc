//! A server of JWK sets.

use daypass_jwt::{Algorithm, KeySet, SigningKey};
use daypass_testkit::{Fault, JWKS_PATH, KeyServer};

use super::{client, soon};

async fn fetch(server: &KeyServer) -> bytes::Bytes {
    soon(client().get(server.url()).send()).await.unwrap().bytes().await.unwrap()
}

#[tokio::test]
async fn what_is_published_is_served() {
    let server = KeyServer::start().await;
    assert!(server.url().ends_with(JWKS_PATH) && server.url().starts_with("http://127.0.0.1:"));
    assert_eq!(&fetch(&server).await[..], br#"{"keys":[]}"#);
    let keys =
        [SigningKey::generate(Algorithm::ES256).unwrap(), SigningKey::generate(Algorithm::Ed25519).unwrap()];
    server.publish(&[&keys[0].verifying_key(), &keys[1].verifying_key()]);
    let set = KeySet::from_jwks(&fetch(&server).await).unwrap().keys;
    assert_eq!(set.len(), 2);
    assert!(set.find(Some(keys[1].kid()), Algorithm::Ed25519).is_ok());
    server.publish_raw("{ not a set");
    assert_eq!(&fetch(&server).await[..], b"{ not a set");
    server.faults().next(JWKS_PATH, Fault::LoseRequest);
    assert!(soon(client().get(server.url()).send()).await.is_err());
    assert_eq!(server.requests(), 4);
    soon(server.until_requests(4)).await;
}
