//! The service's HTTP interface as a program without a library has it.

use std::time::Duration;

use daypass_chaos::service::PASSWORD;
use http::{StatusCode, header};
use serde::Deserialize;

/// How long it waits for an answer. Longer than nginx asks one node after the other.
const ANSWER: Duration = Duration::from_secs(15);

/// The wire to nginx.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    service: String,
}

/// What a sign-in gives. It has no `Debug`: these are tokens.
#[derive(Clone, Deserialize)]
pub(crate) struct Pair {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// What a renewal comes to that says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Renewed,
    Refused,
}

impl Wire {
    pub(crate) fn new(service: &str) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build()?;
        Ok(Self { http, service: service.to_owned() })
    }

    /// Signs somebody in on this client. Nothing: there was no answer, or no good one.
    pub(crate) async fn sign_in(&self, person: &str, client: &str) -> Option<Pair> {
        let body = serde_json::json!({ "username": person, "password": PASSWORD, "client_id": client });
        let (status, answer) = self.post("/v1/login", &body).await?;
        if status == StatusCode::OK { serde_json::from_slice(&answer).ok() } else { None }
    }

    /// Ends a session. Whether that was acknowledged.
    pub(crate) async fn log_out(&self, refresh_token: &str) -> bool {
        let body = serde_json::json!({ "refresh_token": refresh_token });
        self.post("/v1/logout", &body).await.is_some_and(|(status, _)| status == StatusCode::NO_CONTENT)
    }

    /// Renews a session under this attempt id.
    pub(crate) async fn renew(&self, refresh_token: &str, attempt: &str) -> Option<Said> {
        let body = serde_json::json!({ "refresh_token": refresh_token, "attempt": attempt });
        match self.post("/v1/refresh", &body).await?.0 {
            StatusCode::OK => Some(Said::Renewed),
            StatusCode::BAD_REQUEST => Some(Said::Refused),
            _ => None,
        }
    }

    /// The sum of a counter at these addresses of metrics.
    pub(crate) async fn counter(&self, addresses: &[std::net::SocketAddr], name: &str) -> u64 {
        let mut sum = 0;
        for address in addresses {
            let Ok(answer) = self.http.get(format!("http://{address}/metrics")).send().await else {
                continue;
            };
            let text = answer.text().await.unwrap_or_default();
            let counts = text.lines().filter(|line| line.starts_with(name));
            sum += counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>();
        }
        sum
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Option<(StatusCode, Vec<u8>)> {
        let request = self.http.post(format!("{}{path}", self.service));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = request.send().await.ok()?;
        let status = answer.status();
        Some((status, answer.bytes().await.ok()?.to_vec()))
    }
}
