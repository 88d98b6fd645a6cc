//! What an answer to a renewal means.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::pair::Pair;
use super::retry_after::retry_after;
use super::transport::Reply;
use crate::SignOutReason;

/// What the service answers to a renewal.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    /// Here are the tokens.
    Renewed(T),
    /// The session is over: the one answer that ends it.
    Ended(SignOutReason),
    /// The token is an old one of a session that lives.
    Superseded,
    /// The token's generation is another than the attempt ids were labelled with.
    Mismatch(u32),
    /// The service understood, and will not do what this client is configured to ask for.
    Denied(Denial),
}

impl<T> Answer<T> {
    /// What it says, for logs.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Renewed(_) => "renewed",
            Self::Ended(_) => "ended",
            Self::Superseded => "superseded",
            Self::Mismatch(_) => "mismatch",
            Self::Denied(_) => "denied",
        }
    }
}

/// An answer that is not the service's, or not whole, or says that it cannot answer now. It says nothing about the
/// session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nothing {
    pub(crate) status: StatusCode,
    /// How long to stay away.
    pub(crate) retry_after: Option<Duration>,
}

/// What the service will not do. None of it is about the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// `invalid_client`, RFC 6749 section 5.2.
    Client,
    /// `unauthorized_client`, `unsupported_grant_type`.
    Grant,
    /// `invalid_scope`.
    Scope,
    /// `invalid_target`, RFC 8707 section 2.
    Resource,
    /// Anything else that it calls an error of the request.
    Request,
}

/// Reads an answer to a renewal, whose tokens `tokens` reads if they are whole.
///
/// Only a JSON `400 invalid_grant` ends a session (RFC 6749 section 5.2). Whatever a captive portal, a proxy or a
/// broken connection makes of an answer does not.
pub(crate) fn read<T>(reply: &Reply, tokens: impl FnOnce(&[u8]) -> Option<T>) -> Result<Answer<T>, Nothing> {
    let status = reply.status;
    let answer = match status {
        StatusCode::OK if reply.is_json() => tokens(&reply.body).map(Answer::Renewed),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::CONFLICT if reply.is_json() => {
            let refused = serde_json::from_slice::<Refused>(&reply.body).ok();
            refused.and_then(|refused| refused.means(status))
        }
        _ => None,
    };
    answer.ok_or_else(|| {
        let busy = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Nothing { status, retry_after: retry_after(&reply.headers).filter(|_| busy) }
    })
}

/// An error in the form of RFC 6749 section 5.2, with the service's own members.
#[derive(Deserialize)]
struct Refused {
    error: String,
    reason: Option<String>,
    generation: Option<u32>,
}

impl Refused {
    fn means<T>(&self, status: StatusCode) -> Option<Answer<T>> {
        if status == StatusCode::CONFLICT {
            return self.generation.filter(|_| self.error == "mismatch").map(Answer::Mismatch);
        }
        let in_request = status == StatusCode::BAD_REQUEST;
        Some(match self.error.as_str() {
            "invalid_grant" if in_request => match self.reason.as_deref() {
                Some("superseded") => Answer::Superseded,
                Some("expired") => Answer::Ended(SignOutReason::Expired),
                Some("revoked") => Answer::Ended(SignOutReason::Revoked),
                Some("reused") => Answer::Ended(SignOutReason::Reused),
                _ => Answer::Ended(SignOutReason::Unknown),
            },
            "invalid_client" => Answer::Denied(Denial::Client),
            "unauthorized_client" | "unsupported_grant_type" => Answer::Denied(Denial::Grant),
            "invalid_scope" => Answer::Denied(Denial::Scope),
            "invalid_target" => Answer::Denied(Denial::Resource),
            "invalid_request" | "invalid_dpop_proof" if in_request => Answer::Denied(Denial::Request),
            _ => return None,
        })
    }
}

/// Reads the pair of a renewal of `session`. Another session's tokens are not an answer to it, nor are those that
/// lead back.
pub(crate) fn successor(json: &[u8], session: &str, generation: u32) -> Option<Pair> {
    Pair::read(json).filter(|pair| pair.refresh.session_id == session && pair.refresh.generation > generation)
}

#[cfg(test)]
mod tests;
