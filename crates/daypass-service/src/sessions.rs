//! A person's own sessions: listing and ending them, and logging out.

use std::fmt;

use daypass_core::{EndingReason, SessionId};
use daypass_storage::{EndOutcome, SessionEntry, Source, User};

use crate::access::{AccessError, Caller, LiveCaller};
use crate::error::ServiceError;
use crate::refresh::RefreshError;
use crate::start::Service;

/// The most sessions that are listed.
const MOST_LISTED: usize = 1000;

/// What somebody who logs out holds. It does not print the token.
#[derive(Clone, Copy)]
pub enum Held<'a> {
    /// A refresh token, of any generation.
    Refresh(&'a str),
    /// An access token that has been verified.
    Access(&'a Caller),
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refresh(_) => f.write_str("Refresh(…)"),
            Self::Access(caller) => f.debug_tuple("Access").field(caller).finish(),
        }
    }
}

impl Service {
    /// Logs out: ends the session whose token is held. A token that was never one, or whose session
    /// is over or gone, is as good as logged out.
    pub async fn log_out(&self, held: Held<'_>, source: Source) -> Result<(), ServiceError> {
        let session = match held {
            Held::Access(caller) => caller.session(),
            Held::Refresh(token) => match self.inner.open(token).await {
                Ok((_, opened)) => Some(opened.session()),
                Err(RefreshError::Service(error)) => return Err(error),
                Err(_) => None,
            },
        };
        if let Some(session) = session {
            self.inner.store.end_session(session, None, EndingReason::SignedOut, source).await?;
        }
        Ok(())
    }

    /// The caller's live sessions, newest first.
    pub async fn sessions(&self, caller: &LiveCaller) -> Result<Vec<SessionEntry>, ServiceError> {
        let mut entries = self.inner.store.sessions_of(caller.sub(), MOST_LISTED).await?;
        let (snapshot, now) = (self.inner.snapshot.load(), self.now());
        entries.retain(|entry| snapshot.is_live(&entry.session, &caller.subject, now));
        Ok(entries)
    }

    /// Ends one of the caller's sessions. False: there is none of that name, or it is not theirs.
    pub async fn end_session(
        &self,
        caller: &LiveCaller,
        id: SessionId,
        source: Source,
    ) -> Result<bool, ServiceError> {
        let owner = Some(caller.sub().clone());
        let outcome = self.inner.store.end_session(id, owner, EndingReason::Revoked, source).await?;
        Ok(outcome != EndOutcome::NotFound)
    }

    /// Ends all of the caller's sessions, or all but the one that calls.
    pub async fn end_sessions(
        &self,
        caller: &LiveCaller,
        keep_current: bool,
        source: Source,
    ) -> Result<(), ServiceError> {
        let except = keep_current.then_some(caller.session.id);
        let sub = caller.sub().clone();
        Ok(self.inner.store.end_sessions_of(sub, except, EndingReason::Revoked, source).await?)
    }

    /// The person behind a caller, if they sign in with a name.
    pub async fn person(&self, caller: &LiveCaller) -> Result<Option<User>, AccessError> {
        Ok(self.inner.store.user_of(caller.sub()).await?)
    }
}
