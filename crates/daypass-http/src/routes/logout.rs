//! `POST /v1/logout`.

use axum::response::{IntoResponse as _, Response};
use daypass_service::{Caller, Held};
use http::StatusCode;

use crate::answer;
use crate::bearer;
use crate::call::Call;
use crate::cookies;
use crate::csrf;
use crate::fault::Fault;
use crate::json;
use crate::problem::{self, Problem};

/// Ends the session of every token that the caller holds. Nothing to end is as good.
pub(super) async fn logout(mut call: Call) -> Response {
    csrf::vary(logged_out(&mut call).await.unwrap_or_else(Problem::into_response))
}

async fn logged_out(call: &mut Call) -> Result<Response, Problem> {
    let body = call.body().await?;
    let [member] = json::read(call.headers(), &body, ["refresh_token"])?;
    let cookie = cookies::read(call.headers(), call.options().cookies.refresh())?;
    if member.is_some() && cookie.is_some() {
        return Err(Fault::Malformed("a refresh token came in the body and another in the cookie").into());
    }
    let genuine = call.is_genuine();
    let bearer = bearer(call, member.is_some() || (cookie.is_some() && genuine))?;
    // A header that no page can forge makes up for what a request by cookie alone would need.
    if cookie.is_some() && !genuine && bearer.is_none() {
        return Err(Problem::new(problem::CSRF, csrf::REFUSAL));
    }
    let held = [
        member.as_deref().or(cookie.filter(|_| genuine)).map(Held::Refresh),
        bearer.as_ref().map(Held::Access),
    ];
    for held in held.into_iter().flatten() {
        call.service().log_out(held, call.source(None)).await?;
    }
    let mut response = answer::no_store(answer::empty(StatusCode::NO_CONTENT));
    // A cookie that was not listened to holds a session that lives, and one that was not sent is
    // nobody else's to take away.
    if genuine || (cookie.is_none() && !call.is_foreign()) {
        cookies::clear(response.headers_mut(), call.options());
    }
    Ok(response)
}

/// The caller by access token. One that is no good is an error, unless the refresh token logs out
/// anyway: access tokens expire in pages that were left open.
fn bearer(call: &Call, by_refresh_token: bool) -> Result<Option<Caller>, Problem> {
    let Some(token) = bearer::token(call.headers())? else { return Ok(None) };
    match bearer::verified(call.service(), token) {
        Err(_) if by_refresh_token => Ok(None),
        verified => verified.map(Some),
    }
}
