//! `POST /v1/login`.

use std::borrow::Cow;

use axum::response::{IntoResponse as _, Response};
use daypass_service::core::{Scope, session::Origin};
use daypass_service::{Secret, SignIn, SignInError};
use http::HeaderMap;
use http::header::USER_AGENT;

use crate::call::Call;
use crate::csrf;
use crate::fault::Fault;
use crate::json;
use crate::pair;
use crate::problem::{self, Problem};

/// The longest label of a session, in characters.
const LONGEST_LABEL: usize = 128;

/// How much of a `User-Agent` is kept, in characters.
const LONGEST_USER_AGENT: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Body,
    Cookie,
}

/// Signs a person in with a password.
pub(super) async fn login(mut call: Call) -> Response {
    let answer = signed_in(&mut call).await.unwrap_or_else(Problem::into_response);
    csrf::vary(answer)
}

async fn signed_in(call: &mut Call) -> Result<Response, Problem> {
    let body = call.body().await?;
    let names = ["username", "password", "transport", "label", "scope", "client_id"];
    let [username, password, transport, label, scope, client] = json::read(call.headers(), &body, names)?;
    let username = username.ok_or(Fault::Missing("username"))?;
    let password = password.ok_or(Fault::Missing("password"))?;
    let transport = match transport.as_deref() {
        None | Some("body") => Transport::Body,
        Some("cookie") => Transport::Cookie,
        Some(_) => {
            return Err(Fault::Invalid("transport", "is neither body nor cookie".into()).into());
        }
    };
    // Whoever makes somebody's browser sign in as somebody else would have what they do there.
    // No cookie authenticates here, so that programs need no header for it.
    if transport == Transport::Cookie && call.is_foreign() {
        return Err(Problem::new(
            problem::CSRF,
            "a page of another origin cannot sign somebody in by cookie",
        ));
    }
    let scope = scope.map(|scope| scope.parse::<Scope>()).transpose();
    let address = call.address();
    let request = SignIn {
        username: username.into_owned(),
        password: Secret::new(password.into_owned()),
        client: client.map(Cow::into_owned),
        scope: scope.map_err(|error| Problem::new(problem::INVALID_SCOPE, error.to_string()))?,
        origin: Origin {
            label: label.map(checked_label).transpose()?,
            user_agent: user_agent(call.headers()),
            address: address.map(|address| address.to_string()),
        },
        address,
    };
    let pair = call.service().sign_in(request).await?;
    Ok(match transport {
        Transport::Body => pair::in_body(&pair),
        Transport::Cookie => pair::in_cookies(&pair, call.options()),
    })
}

fn checked_label(label: Cow<'_, str>) -> Result<String, Fault> {
    if label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        let rule = format!("has at most {LONGEST_LABEL} characters, none of them a control character");
        return Err(Fault::Invalid("label", rule.into()));
    }
    Ok(label.into_owned())
}

/// What the browser calls itself, for the person to recognise the session by.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes());
    let kept: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect();
    (!kept.is_empty()).then_some(kept)
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Credentials => {
                Self::new(problem::INVALID_CREDENTIALS, "the user name or the password is wrong")
            }
            SignInError::Limited { retry_after } => Self::limited(retry_after),
            SignInError::Client => {
                Self::new(problem::INVALID_CLIENT, "the client is unknown or may not sign people in")
            }
            SignInError::Scope => Self::new(problem::INVALID_SCOPE, "the scope exceeds what may be granted"),
            SignInError::Service(error) => Self::unavailable(&error),
        }
    }
}
