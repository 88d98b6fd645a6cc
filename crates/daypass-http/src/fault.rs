//! What can be wrong with a request before anybody looks at what it asks for.

use std::borrow::Cow;

use http::StatusCode;

use crate::answer::clean;
use crate::oauth_error::OAuthError;
use crate::problem::{self, Problem};

/// A request that cannot be read. What was sent is never repeated, but for the names of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body is larger than it may be.
    TooLarge,
    /// The body did not come in time.
    Slow,
    /// The body broke off.
    Broken,
    /// The body is of another kind than the one named.
    MediaType(&'static str),
    /// The request is not well-formed.
    Malformed(&'static str),
    /// A member or parameter that there is not.
    Unknown(String),
    /// A member or parameter that came twice.
    Repeated(String),
    /// A member that is not a string.
    NotText(&'static str),
    /// A member or parameter that has to be there.
    Missing(&'static str),
    /// A parameter that belongs into the body and came in the query.
    InQuery(&'static str),
    /// A member or parameter with a value that it cannot have.
    Invalid(&'static str, Cow<'static, str>),
}

impl Fault {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The fault in words, in the characters that RFC 6749 allows.
    pub(crate) fn text(&self) -> Cow<'static, str> {
        match self {
            Self::TooLarge => "the request body is too large".into(),
            Self::Slow => "the request body did not arrive in time".into(),
            Self::Broken => "the request body is incomplete".into(),
            Self::MediaType(expected) => format!("the request body has to be {expected}").into(),
            Self::Malformed(what) => (*what).into(),
            Self::Unknown(name) => format!("'{}' is unknown here", clean(name)).into(),
            Self::Repeated(name) => format!("'{}' came more than once", clean(name)).into(),
            Self::NotText(name) => format!("'{name}' has to be a string").into(),
            Self::Missing(name) => format!("'{name}' is missing").into(),
            Self::InQuery(name) => format!("'{name}' belongs into the body, not into the query").into(),
            Self::Invalid(name, why) => format!("'{name}': {}", clean(why)).into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::TooLarge => problem::TOO_LARGE,
            Fault::Slow => problem::TIMEOUT,
            Fault::MediaType(_) => problem::MEDIA_TYPE,
            _ => problem::INVALID_REQUEST,
        };
        Self::new(kind, fault.text())
    }
}

impl From<Fault> for OAuthError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.status(), "invalid_request", fault.text())
    }
}
