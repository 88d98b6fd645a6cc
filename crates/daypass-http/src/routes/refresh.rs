//! `POST /v1/refresh`: renewal for people's own clients, with the refresh token in the body or in
//! its cookie.

use axum::response::{IntoResponse as _, Response};
use daypass_service::Refresh;
use http::StatusCode;

use crate::attempt;
use crate::call::Call;
use crate::cookies;
use crate::csrf;
use crate::fault::Fault;
use crate::json;
use crate::oauth_error::OAuthError;
use crate::pair;

/// Renews.
pub(super) async fn refresh(mut call: Call) -> Response {
    let answer = renewed(&mut call).await.unwrap_or_else(|error| {
        let over = error.session_is_over();
        let mut response = error.into_response();
        // Only what holds the tokens of a dead session goes; and only if that is what was refused.
        if over && matches!(cookies::read(call.headers(), call.options().cookies.refresh()), Ok(Some(_))) {
            cookies::clear(response.headers_mut(), call.options());
        }
        response
    });
    csrf::vary(answer)
}

async fn renewed(call: &mut Call) -> Result<Response, OAuthError> {
    let body = call.body().await?;
    let [member, attempt] = json::read(call.headers(), &body, ["refresh_token", "attempt"])?;
    let cookie = cookies::read(call.headers(), call.options().cookies.refresh())?;
    let token = match (&member, cookie) {
        (Some(_), Some(_)) => {
            return Err(Fault::Malformed("a refresh token came in the body and another in the cookie").into());
        }
        (None, None) => return Err(Fault::Missing("refresh_token").into()),
        (Some(member), None) => member,
        (None, Some(cookie)) => {
            if !call.is_genuine() {
                return Err(OAuthError::new(StatusCode::FORBIDDEN, "invalid_request", csrf::REFUSAL));
            }
            cookie
        }
    };
    let attempts = attempt::read(call.headers(), attempt)?;
    let request = Refresh {
        token,
        attempts: attempts.as_deref(),
        client: None,
        scope: None,
        resource: None,
        address: call.address().map(|address| address.to_string().into()),
    };
    let pair = call.service().refresh(request).await?;
    Ok(if cookie.is_some() { pair::in_cookies(&pair, call.options()) } else { pair::in_body(&pair) })
}
