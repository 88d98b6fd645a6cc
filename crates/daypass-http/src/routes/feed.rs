//! `GET /v1/revocations`: the feed that verifiers follow.

use axum::response::Response;
use daypass_service::core::{Ending, FeedEntry, SessionId, SubjectId};
use daypass_service::{AccessError, FEED_SCOPE, Feed, MOST_ENTRIES, Service};
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::bearer;
use crate::call::Call;
use crate::fault::Fault;
use crate::problem::Problem;
use crate::query;

#[derive(Serialize)]
struct Stretch<'a> {
    cursor: &'a str,
    complete: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    entries: Vec<Entry<'a>>,
}

/// One session, or every session of a subject that started before a moment.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a SubjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before_ms: Option<i64>,
    at_ms: i64,
    /// In seconds, rounded up: an entry must not be forgotten too early.
    until: i64,
}

impl<'a> Entry<'a> {
    pub(super) fn of(entry: &'a FeedEntry) -> Self {
        let (sid, sub, not_before_ms) = match &entry.ending {
            Ending::Session(id) => (Some(*id), None, None),
            Ending::Subject { sub, not_before } => (None, Some(sub), Some(not_before.millis())),
        };
        let until = entry.until.millis().saturating_add(999).div_euclid(1000);
        Self { sid, sub, not_before_ms, at_ms: entry.at.millis(), until }
    }
}

/// Reads the feed on from a cursor.
pub(super) async fn revocations(call: Call) -> Result<Response, Problem> {
    let service = call.service();
    permit(service, bearer::token(call.headers())?.ok_or_else(bearer::absent)?).await?;
    let [since, limit] = query::read(&call.parts.uri, ["since", "limit"])?;
    let limit = match limit.as_deref().map(str::parse::<usize>) {
        None => MOST_ENTRIES,
        Some(Ok(limit)) if limit > 0 => limit,
        Some(_) => return Err(Fault::Invalid("limit", "has to be a whole number from 1".into()).into()),
    };
    let Feed { cursor, complete, reset, entries } = service.feed(since.as_deref(), limit).await?;
    let entries = entries.iter().map(Entry::of).collect();
    let stretch = Stretch { cursor: &cursor, complete, reset, entries };
    Ok(answer::no_store(answer::json(StatusCode::OK, &stretch)))
}

/// Whether whoever holds this token may read the feed now.
pub(super) async fn permit(service: &Service, token: &str) -> Result<(), Problem> {
    let caller = bearer::verified(service, token)?;
    if caller.session().is_some() {
        service.authenticate(token).await.map_err(bearer::refused)?;
    }
    if !caller.has_scope(FEED_SCOPE) {
        return Err(bearer::lacks(FEED_SCOPE));
    }
    if !service.may_read_feed(&caller) {
        return Err(bearer::refused(AccessError::Ended));
    }
    Ok(())
}
