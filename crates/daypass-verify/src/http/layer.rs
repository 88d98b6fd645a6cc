//! The layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::answer::DEFAULT_REALM;
use super::gate::Gate;
use super::service::AuthService;
use crate::Verifier;

/// Puts a verifier in front of a service. Made by [`Verifier::layer`].
///
/// A request that passes carries its [`VerifiedToken`](crate::VerifiedToken) as an extension. One that does not is
/// [answered](super::answer) and never reaches the service. CORS pre-flight requests bring no token: a layer that
/// answers those belongs outside of this one.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayer(Arc<Gate>);

impl Verifier {
    /// A layer that lets requests with a good access token through, and no others.
    pub fn layer(&self) -> AuthLayer {
        AuthLayer(Arc::new(Gate {
            verifier: self.clone(),
            optional: false,
            scopes: Vec::new(),
            realm: DEFAULT_REALM.into(),
        }))
    }
}

impl AuthLayer {
    /// Lets requests without token through too. A token that is there has to be good all the same.
    pub fn optional(self) -> Self {
        self.with(|gate| gate.optional = true)
    }

    /// Asks for a scope, by 403 `insufficient_scope`, of every request that has a token. May be called several times:
    /// all are needed.
    pub fn require_scope(self, scope: impl Into<String>) -> Self {
        self.with(|gate| gate.scopes.push(scope.into().into()))
    }

    /// The realm that challenges name (RFC 9110 section 11.5). Default: [`DEFAULT_REALM`].
    pub fn realm(self, realm: &str) -> Self {
        self.with(|gate| gate.realm = realm.into())
    }

    fn with(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService::new(inner, Arc::clone(&self.0))
    }
}
