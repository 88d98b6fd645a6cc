//! The route that calls the API, and what becomes of calls that fail.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use daypass_client::SessionError;
use daypass_client::call::{CallError, SessionClient};
use reqwest::Url;

/// The client comes with its session: clones share the token, and one renewal serves everybody who waits.
#[derive(Clone)]
struct Orders {
    client: SessionClient,
    url: Url,
}

pub(crate) fn router(client: SessionClient, url: Url) -> Router {
    Router::new().route("/report", get(report)).with_state(Orders { client, url })
}

async fn report(State(orders): State<Orders>) -> Result<String, Failed> {
    let answer = orders.client.get(orders.url).send().await?;
    // What the API says to this service is not for those who call it.
    let answer = answer.error_for_status().map_err(CallError::from)?;
    let text = answer.text().await.map_err(CallError::from)?;
    Ok(format!("The report. {}\n", text.trim_end()))
}

/// A call that failed. The log says why; the caller learns whether to come again.
struct Failed(CallError);

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let error: &dyn std::error::Error = &self.0;
        tracing::warn!(error, "the orders could not be had");
        match &self.0 {
            CallError::Session(SessionError::Unavailable { retry_after }) => {
                let seconds = retry_after.map_or(1, |time| time.as_millis().div_ceil(1000).max(1));
                let headers = [(RETRY_AFTER, seconds.to_string())];
                (StatusCode::SERVICE_UNAVAILABLE, headers, "Try again later.\n").into_response()
            }
            _ => (StatusCode::BAD_GATEWAY, "The orders cannot be had.\n").into_response(),
        }
    }
}
