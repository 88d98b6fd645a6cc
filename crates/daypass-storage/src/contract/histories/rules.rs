//! What no history may show, whichever order explains it: told by when calls began and ended, and
//! without the model.

use daypass_core::{Decision, OnReuse, Refusal, Session, SessionId};

use super::act::{Act, Answer, Call};
use crate::{EndOutcome, Opened};

/// Checks each session of the history.
pub(super) fn hold(calls: &[Call]) {
    for opening in calls {
        let Some(session) = opened(opening) else { continue };
        it_ends_once(calls, session.id);
        // What is over by itself need not be ended, and is left to the model.
        if session.expires_at.is_none() {
            nothing_comes_back(calls, opening, session);
            nothing_ends_by_accident(calls, opening, session);
        }
    }
}

/// The session that the call opened.
pub(super) fn opened(call: &Call) -> Option<&Session> {
    match &call.answer {
        Answer::Opened(opened) => match &**opened {
            Opened::Session(session, _) => Some(session),
            Opened::Disabled | Opened::SubjectIsClient | Opened::PasswordChanged => None,
        },
        _ => None,
    }
}

/// What begins after somebody was told that the session is over finds it over.
fn nothing_comes_back(calls: &[Call], opening: &Call, session: &Session) {
    let over = calls.iter().filter(|call| ends(call, opening, session.id) || shows_over(call, session.id));
    let Some(over) = over.min_by_key(|call| call.ended) else { return };
    for later in calls.iter().filter(|later| over.before(later)) {
        assert!(
            !shows_alive(later, session.id),
            "{} lives after its end was acknowledged:\n{over}\n{later}",
            session.id
        );
    }
}

/// One ending, one outcome that says so.
fn it_ends_once(calls: &[Call], id: SessionId) {
    let own_ends = calls.iter().filter(|call| match (&call.act, &call.answer) {
        (Act::End { session, .. }, Answer::Ended(EndOutcome::Ended)) => *session == id,
        (Act::Rotate { session, .. }, Answer::Rotated(rotated)) => {
            *session == id && matches!(rotated.decision, Decision::Reuse { .. })
        }
        _ => false,
    });
    let own_ends: Vec<_> = own_ends.map(ToString::to_string).collect();
    assert!(own_ends.len() <= 1, "{id} ended more than once:\n{}", own_ends.join("\n"));
}

/// Whoever is told that the session is over is told so because of something that ended it.
fn nothing_ends_by_accident(calls: &[Call], opening: &Call, session: &Session) {
    for seen in calls.iter().filter(|call| shows_over(call, session.id)) {
        let explained = calls.iter().any(|call| !seen.before(call) && may_end(call, opening, session.id));
        assert!(explained, "nothing ended {}, and yet:\n{seen}", session.id);
    }
}

/// Whether the session was over, for certain, when this call was answered.
fn ends(call: &Call, opening: &Call, id: SessionId) -> bool {
    opening.before(call) && may_end(call, opening, id)
}

/// Whether the call could have ended the session: it meant to, and did not come before it.
fn may_end(call: &Call, opening: &Call, id: SessionId) -> bool {
    if call.before(opening) {
        return false;
    }
    match (&call.act, &call.answer) {
        (Act::End { session, .. }, Answer::Ended(EndOutcome::Ended)) => *session == id,
        (Act::EndAll { except, .. }, _) => *except != Some(id),
        (Act::NewPassword { keep, .. }, Answer::Flag(true)) => *keep != Some(id),
        (Act::Disable(true), Answer::Flag(true)) => true,
        (Act::Rotate { session, .. }, Answer::Rotated(rotated)) => match rotated.decision {
            Decision::Reuse { ends: OnReuse::Subject } => true,
            Decision::Reuse { ends: OnReuse::Session } => *session == id,
            Decision::Refuse(Refusal::Expired) => {
                let row = rotated.row.as_ref();
                *session == id && row.is_some_and(|(session, _)| session.expired(rotated.now))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether the answer says that the session is over.
fn shows_over(call: &Call, id: SessionId) -> bool {
    match (&call.act, &call.answer) {
        (Act::Rotate { session, .. }, Answer::Rotated(rotated)) => {
            *session == id
                && matches!(rotated.decision, Decision::Refuse(Refusal::Ended(_)) | Decision::Reuse { .. })
        }
        (Act::End { session, .. }, Answer::Ended(EndOutcome::Ended | EndOutcome::AlreadyEnded)) => {
            *session == id
        }
        (Act::LookAtSession(_), Answer::Session(Some(row))) => {
            row.0.id == id && row.0.ended(&row.1).is_some()
        }
        _ => false,
    }
}

/// Whether the answer says that the session was alive.
fn shows_alive(call: &Call, id: SessionId) -> bool {
    match (&call.act, &call.answer) {
        (Act::Rotate { session, .. }, Answer::Rotated(rotated)) => {
            *session == id
                && matches!(
                    rotated.decision,
                    Decision::Rotate { .. } | Decision::Repeat { .. } | Decision::Reuse { .. }
                )
        }
        (Act::End { session, .. }, Answer::Ended(EndOutcome::Ended)) => *session == id,
        (Act::LookAtSession(_), Answer::Session(Some(row))) => {
            row.0.id == id && row.0.ended(&row.1).is_none()
        }
        (Act::LookAtList, Answer::List(sessions)) => sessions.iter().any(|session| session.id == id),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use daypass_core::{
        ClientId, EndingReason, NewSession, Revoked, Scope, Subject, SubjectId, Timestamp, TokenKeyId,
    };

    use super::*;

    fn session() -> (Session, Subject) {
        let new = NewSession {
            random: [0; 10],
            subject: SubjectId::new("sam").unwrap(),
            client: ClientId::new("daypass").unwrap(),
            scope: Scope::empty(),
            amr: "pwd".to_owned(),
            auth_time: None,
            life: None,
            jkt: None,
            token_key: TokenKeyId(1),
        };
        let subject = Subject::new(new.subject.clone());
        (new.open(&subject, Timestamp::from_millis(0)).unwrap(), subject)
    }

    /// A sign-in, and what comes after it, one after the other.
    fn history(acts: Vec<(Act, Answer)>) -> Vec<Call> {
        let (session, subject) = session();
        let opened = Answer::Opened(Box::new(Opened::Session(session, subject)));
        let first = (Act::LookAtPerson, opened);
        let calls = std::iter::once(first).chain(acts).zip((0..).step_by(2));
        calls.map(|((act, answer), began)| Call { actor: 0, act, answer, began, ended: began + 1 }).collect()
    }

    fn seen(over: bool) -> (Act, Answer) {
        let (mut session, subject) = session();
        let why = EndingReason::Revoked;
        session.revoked = over.then_some(Revoked { at: Timestamp::from_millis(0), why });
        (Act::LookAtSession(session.id), Answer::Session(Some(Box::new((session, subject)))))
    }

    fn end_all(except: Option<SessionId>) -> (Act, Answer) {
        (Act::EndAll { except, why: EndingReason::Revoked }, Answer::Done)
    }

    fn end() -> (Act, Answer) {
        let (session, why) = (session().0.id, EndingReason::Revoked);
        (Act::End { session, owned: false, why }, Answer::Ended(EndOutcome::Ended))
    }

    #[test]
    fn what_ended_is_over_and_what_was_kept_is_not() {
        hold(&history(vec![seen(false), end_all(None), seen(true)]));
        hold(&history(vec![seen(false), end_all(Some(session().0.id)), seen(false), end(), seen(true)]));
    }

    #[test]
    #[should_panic(expected = "lives after its end was acknowledged")]
    fn nothing_lives_after_its_end() {
        hold(&history(vec![end_all(None), seen(false)]));
    }

    #[test]
    #[should_panic(expected = "lives after its end was acknowledged")]
    fn nothing_that_was_seen_to_be_over_lives_again() {
        let mut calls = history(vec![end_all(None), seen(true), seen(false)]);
        // It ends only now: the look was right, though the ending was not yet acknowledged.
        calls[1].ended = 99;
        hold(&calls);
    }

    #[test]
    #[should_panic(expected = "nothing ended")]
    fn nothing_is_over_for_no_reason() {
        hold(&history(vec![end_all(Some(session().0.id)), seen(true)]));
    }

    #[test]
    #[should_panic(expected = "ended more than once")]
    fn nothing_ends_twice() {
        hold(&history(vec![end(), end()]));
    }
}
