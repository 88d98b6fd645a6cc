//! The background task: the only one who fetches.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::Clock;

use super::answer::{KeysFault, Request};
use super::shared::Shared;
use super::state::Next;
use crate::fetch;

/// How long a request may take, body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Fetches as the schedule says, until it is aborted.
pub(super) async fn run(shared: Arc<Shared>, request: Request) {
    loop {
        match shared.next() {
            Next::Fetch => fetch_once(&shared, &request).await,
            Next::Wait(until) => {
                let wait = until.saturating_sub(shared.clock.running());
                tokio::select! {
                    () = shared.clock.sleep(wait) => {}
                    () = shared.woken() => {}
                }
            }
        }
    }
}

async fn fetch_once(shared: &Shared, request: &Request) {
    let asked = shared.clock.running();
    let answer = tokio::select! {
        answer = request.keys() => answer,
        () = shared.clock.sleep(REQUEST_TIMEOUT) => Err(KeysFault::Timeout),
    };
    match answer {
        Ok(keys) => {
            if shared.fetched(keys, asked).is_some() {
                tracing::info!(url = fetch::shown(&request.url), "the issuer's keys can be fetched again");
            }
        }
        Err(fault) => {
            shared.failed(fault);
            tracing::warn!(
                url = fetch::shown(&request.url),
                reason = fault.code(),
                "the issuer's keys cannot be fetched"
            );
        }
    }
}
