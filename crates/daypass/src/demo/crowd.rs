//! A program that makes two hundred calls at once, through `daypass-client`, as anybody's program would.

use std::collections::BTreeMap;

use daypass_client::call::{CallError, SessionClient};
use daypass_client::{AccessToken, Credentials, Session};
use tokio::task::JoinSet;

use super::DemoError;
use super::actor::{HELLO, Targets};
use crate::hosted;
use crate::wire::{Wire, WireError};

/// How many calls are made at once.
pub(crate) const CALLS: u64 = 200;

/// A program that is signed in.
pub(crate) struct Program {
    session: Session,
    api: SessionClient,
    hello: String,
}

impl Program {
    /// Signs in at the service, to call the API.
    pub(crate) async fn sign_in(
        service: &str,
        api: &str,
        user: &hosted::Credentials,
    ) -> Result<Self, DemoError> {
        // Both are on this machine, whatever proxy the environment names.
        let http = || reqwest::Client::builder().no_proxy();
        let session = Session::builder(service).allow_origin(api).http(http()).build().await;
        let session = session.map_err(client_error)?;
        let credentials = Credentials::password(&user.username, &user.password).label("program");
        session.sign_in(credentials).await.map_err(client_error)?;
        let client = session.wrap(http()).map_err(client_error)?;
        Ok(Self { session, api: client, hello: format!("{api}{HELLO}") })
    }

    /// The access token that it holds.
    pub(crate) async fn access_token(&self) -> Result<AccessToken, DemoError> {
        self.session.access_token().await.map_err(client_error)
    }

    /// One call: the answer's status, or why there is none.
    pub(crate) async fn call(&self) -> String {
        called(&self.api, &self.hello).await
    }

    /// Calls [`CALLS`] times at once; how many calls came out how.
    pub(crate) async fn call_at_once(&self) -> BTreeMap<String, u64> {
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let (api, hello) = (self.api.clone(), self.hello.clone());
            calls.spawn(async move { called(&api, &hello).await });
        }
        let mut outcomes = BTreeMap::new();
        while let Some(call) = calls.join_next().await {
            *outcomes.entry(call.unwrap_or_else(|_| "a call broke off".to_owned())).or_default() += 1;
        }
        outcomes
    }

    /// Signs out.
    pub(crate) async fn sign_out(self) -> Result<(), DemoError> {
        self.session.sign_out().await.map_err(client_error)
    }
}

/// How many renewals the service has counted, whatever became of them; none if it does not count.
pub(crate) async fn renewals(targets: &Targets) -> Result<Option<u64>, WireError> {
    let answer = Wire::new(targets.service.clone()).get("/metrics", &[]).await?;
    let text = String::from_utf8_lossy(&answer.body);
    let counts =
        text.lines().filter_map(|line| line.strip_prefix("daypass_refresh_total")?.rsplit(' ').next());
    let counts: Vec<u64> = counts.filter_map(|count| count.parse().ok()).collect();
    Ok((answer.status.is_success() && !counts.is_empty()).then(|| counts.iter().sum()))
}

async fn called(api: &SessionClient, url: &str) -> String {
    let outcome: Result<_, CallError> = api.get(url).send().await;
    match outcome {
        Ok(answer) => answer.status().as_u16().to_string(),
        Err(error) => error.to_string(),
    }
}

fn client_error(error: impl std::error::Error + Send + Sync + 'static) -> DemoError {
    DemoError::Client(error.into())
}
