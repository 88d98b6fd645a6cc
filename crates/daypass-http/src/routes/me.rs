//! `/v1/me`: who is calling, and their password.

use axum::response::Response;
use daypass_service::core::{Claims, SessionId};
use daypass_service::{ChangePasswordError, Secret, SignInError};
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::bearer;
use crate::call::Call;
use crate::fault::Fault;
use crate::json;
use crate::problem::{self, Problem};

#[derive(Serialize)]
struct Me<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    claims: &'a Claims,
    session_id: SessionId,
    scope: &'a str,
    auth_time: i64,
}

/// Who is calling.
pub(super) async fn me(call: Call) -> Result<Response, Problem> {
    let caller = call.live_caller().await?;
    let person = call.service().person(&caller).await.map_err(bearer::refused)?;
    let me = Me {
        sub: caller.sub().as_str(),
        username: person.as_ref().map(|person| person.name.as_str()),
        claims: &caller.subject.claims,
        session_id: caller.session.id,
        scope: caller.claims().scope.as_str(),
        auth_time: caller.session.auth_time.seconds(),
    };
    Ok(answer::no_store(answer::json(StatusCode::OK, &me)))
}

/// Changes the caller's password and ends their other sessions.
pub(super) async fn change_password(mut call: Call) -> Result<Response, Problem> {
    let caller = call.live_caller().await?;
    let body = call.body().await?;
    let [current, new] = json::read(call.headers(), &body, ["current", "new"])?;
    let current = Secret::new(current.ok_or(Fault::Missing("current"))?.into_owned());
    let new = Secret::new(new.ok_or(Fault::Missing("new"))?.into_owned());
    let source = call.source(Some(&caller.session.client));
    call.service().change_password(&caller, current, new, source).await?;
    Ok(answer::no_store(answer::empty(StatusCode::NO_CONTENT)))
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::None => {
                Self::new(problem::NO_PASSWORD, "this person does not sign in with a password")
            }
            // Not a 401: the access token is good, and a client would renew it and come back.
            ChangePasswordError::Wrong
            | ChangePasswordError::SignIn(
                SignInError::Credentials | SignInError::Client | SignInError::Scope,
            ) => Self::new(problem::WRONG_PASSWORD, "the current password is wrong"),
            ChangePasswordError::SignIn(SignInError::Service(error)) => error.into(),
            ChangePasswordError::SignIn(error) => error.into(),
            ChangePasswordError::Weak(weak) => Self::new(problem::WEAK_PASSWORD, weak.to_string()),
        }
    }
}
