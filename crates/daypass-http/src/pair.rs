//! The pair as it is answered: tokens in the body, or in cookies.

use axum::response::Response;
use daypass_service::Pair;
use daypass_service::core::{Generation, SessionId};
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::cookies;
use crate::options::HttpOptions;

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<Generation>,
    refresh_in: u64,
    server_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    scope: &'a str,
}

impl<'a> Content<'a> {
    fn of(pair: &'a Pair) -> Self {
        let refresh = pair.refresh.as_ref();
        Self {
            access_token: Some(pair.access.expose()),
            token_type: "Bearer",
            expires_in: pair.expires_in,
            refresh_token: refresh.map(|refresh| refresh.token.expose()),
            refresh_expires_in: refresh.and_then(|refresh| refresh.expires_in),
            generation: refresh.map(|refresh| refresh.generation),
            refresh_in: pair.refresh_in,
            server_time: pair.server_time.millis(),
            session_id: refresh.map(|refresh| refresh.session),
            scope: pair.scope.as_str(),
        }
    }
}

/// The pair in the body.
pub(crate) fn in_body(pair: &Pair) -> Response {
    render(&Content::of(pair))
}

/// The refresh token in its cookie, and the access token in its own if there is one for it.
pub(crate) fn in_cookies(pair: &Pair, options: &HttpOptions) -> Response {
    let mut content = Content::of(pair);
    content.refresh_token = None;
    if options.access_cookie {
        content.access_token = None;
    }
    let mut response = render(&content);
    let headers = response.headers_mut();
    if let Some(refresh) = &pair.refresh {
        cookies::set_refresh(headers, options, refresh.token.expose(), refresh.expires_in);
    }
    if options.access_cookie {
        cookies::set_access(headers, options, pair.access.expose(), pair.expires_in);
    }
    response
}

fn render(content: &Content<'_>) -> Response {
    let mut response = answer::json(StatusCode::OK, content);
    answer::token_headers(response.headers_mut());
    response
}
