//! What an extractor answers instead.

use std::sync::Arc;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::AuthError;
use crate::http::{Passed, answer, no_layer};

/// Why a handler was not called. It is answered as the layer answers.
#[derive(Clone, Debug)]
pub struct AuthRejection(Why);

#[derive(Clone, Debug)]
enum Why {
    Refused { error: AuthError, realm: Arc<str> },
    NoLayer,
}

impl AuthRejection {
    pub(super) fn refused(error: AuthError, passed: &Passed) -> Self {
        Self(Why::Refused { error, realm: Arc::clone(&passed.realm) })
    }

    pub(super) const fn no_layer() -> Self {
        Self(Why::NoLayer)
    }

    /// What is held against the request. `None` if nothing is, and the route is behind no layer: a fault of the
    /// application's.
    pub const fn error(&self) -> Option<&AuthError> {
        match &self.0 {
            Why::Refused { error, .. } => Some(error),
            Why::NoLayer => None,
        }
    }
}

impl IntoResponse for AuthRejection {
    fn into_response(self) -> Response {
        let answer = match self.0 {
            Why::Refused { error, realm } => answer(&error, &realm),
            Why::NoLayer => no_layer(),
        };
        answer.map(Body::from)
    }
}
