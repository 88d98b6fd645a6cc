//! The application: routes that know nothing of how people sign in.

use axum::Router;
use axum::routing::get;
use daypass_service::Secret;
use daypass_verify::axum::Auth;
use daypass_verify::revocation::RevocationFeed;
use daypass_verify::{ConfigError, RemoteKeys, Verifier};

use crate::tokens::FOLLOWER;

/// Judges the tokens of the service inside, as it would those of a service elsewhere: `here` is where the service
/// is reached from this machine, which is not always what its issuer is to the outside.
pub(crate) fn verifier(issuer: &str, here: &str, follower: &Secret) -> Result<Verifier, ConfigError> {
    Verifier::builder()
        .issuer(issuer)
        .audience(issuer)
        .keys(RemoteKeys::new(format!("{here}/.well-known/jwks.json")))
        .revocation(RevocationFeed::new(here).credentials(FOLLOWER, follower.expose()))
        .build()
}

pub(crate) fn router(verifier: &Verifier) -> Router {
    Router::new()
        .route("/notes", get(notes))
        .route_layer(verifier.layer())
        .route("/", get(async || "Sign in with POST /auth/v1/login, then see /notes.\n"))
}

async fn notes(caller: Auth) -> String {
    format!("{} has no notes.\n", caller.subject())
}
