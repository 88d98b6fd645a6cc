//! `/v1/sessions`: a person's own sessions.

use axum::response::Response;
use daypass_service::core::{ClientId, SessionId, Timestamp};
use daypass_service::storage::SessionEntry;
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::call::Call;
use crate::fault::Fault;
use crate::problem::Problem;
use crate::query;

#[derive(Serialize)]
struct Sessions<'a> {
    sessions: Vec<Listed<'a>>,
}

/// A session as its owner sees it. What is not known is null.
#[derive(Serialize)]
struct Listed<'a> {
    id: SessionId,
    client_id: &'a ClientId,
    label: Option<&'a str>,
    user_agent: Option<&'a str>,
    address: Option<&'a str>,
    created_at: i64,
    seen_at: i64,
    expires_at: Option<i64>,
    current: bool,
}

impl<'a> Listed<'a> {
    fn of(entry: &'a SessionEntry, current: SessionId) -> Self {
        let SessionEntry { session, origin } = entry;
        Self {
            id: session.id,
            client_id: &session.client,
            label: origin.label.as_deref(),
            user_agent: origin.user_agent.as_deref(),
            address: origin.address.as_deref(),
            created_at: session.start().seconds(),
            seen_at: session.rotation.seen_at.seconds(),
            expires_at: session.expires_at.map(Timestamp::seconds),
            current: session.id == current,
        }
    }
}

/// The caller's live sessions, newest first.
pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let caller = call.live_caller().await?;
    let entries = call.service().sessions(&caller).await?;
    let sessions = entries.iter().map(|entry| Listed::of(entry, caller.session.id)).collect();
    Ok(answer::no_store(answer::json(StatusCode::OK, &Sessions { sessions })))
}

/// Ends one of the caller's sessions.
pub(super) async fn end_one(call: Call) -> Result<Response, Problem> {
    let caller = call.live_caller().await?;
    let id = call.last_segment().parse::<SessionId>().map_err(|_| unknown())?;
    let source = call.source(Some(&caller.session.client));
    if call.service().end_session(&caller, id, source).await? { Ok(ended()) } else { Err(unknown()) }
}

/// Ends all of the caller's sessions, or all but the one that calls.
pub(super) async fn end_all(call: Call) -> Result<Response, Problem> {
    let caller = call.live_caller().await?;
    let [except] = query::read(&call.parts.uri, ["except"])?;
    let keep_current = match (except.as_deref(), call.parts.uri.query()) {
        (Some("current"), _) => true,
        (None, None) => false,
        _ => return Err(Fault::Invalid("except", "can only be current".into()).into()),
    };
    let source = call.source(Some(&caller.session.client));
    call.service().end_sessions(&caller, keep_current, source).await?;
    Ok(ended())
}

fn ended() -> Response {
    answer::no_store(answer::empty(StatusCode::NO_CONTENT))
}

fn unknown() -> Problem {
    Problem::new(crate::problem::NOT_FOUND, "there is no such session of yours")
}
