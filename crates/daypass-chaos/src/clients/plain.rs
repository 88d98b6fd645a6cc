//! A client without attempt ids and without this project's library: it retries within the grace that it was given.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daypass_ambient::{Clock as _, SystemClock};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{Client, PATIENCE};
use crate::account::{What, Zero};
use crate::arguments::Sabotage;
use crate::proxy::PARTY;
use crate::run::Run;
use crate::token::Named;
use daypass_chaos::dice::Dice;
use daypass_chaos::service::{PASSWORD, Registered};

/// The client that such sessions are opened on: its grace is the longest there is, so that no slow machine makes the
/// difference.
pub(crate) const PLAIN: Registered = Registered { id: "plain", options: &["--access", "1", "--grace", "60"] };

/// How long after a token was first presented it is presented again.
const RETRY: Duration = Duration::from_secs(20);

/// How long it waits for an answer.
const ANSWER: Duration = Duration::from_millis(400);

/// The wire as a client without a library has it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    service: String,
}

/// An answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The successor.
    Token(String),
    /// `invalid_grant`, and why.
    Refused(Option<String>),
}

#[derive(Deserialize)]
struct Body {
    refresh_token: Option<String>,
    error: Option<String>,
    reason: Option<String>,
}

impl Wire {
    /// The wire to the service at this URL. A thief's says what he is, to the proxy.
    pub(crate) fn new(service: &str, thief: bool) -> reqwest::Result<Self> {
        let http =
            reqwest::Client::builder().no_proxy().timeout(ANSWER).default_headers(headers(thief)).build()?;
        Ok(Self { http, service: service.to_owned() })
    }

    /// Signs somebody in.
    pub(crate) async fn sign_in(&self, person: &str, client: &str) -> Option<String> {
        let body = serde_json::json!({ "username": person, "password": PASSWORD, "client_id": client });
        let request = self.http.post(format!("{}/v1/login", self.service)).timeout(PATIENCE);
        let answer = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = answer.send().await.ok()?;
        serde_json::from_slice::<Body>(&answer.bytes().await.ok()?).ok()?.refresh_token
    }

    /// Presents a token once, under an id or without. Nothing: there was no answer that says anything.
    pub(crate) async fn present(&self, token: &str, id: Option<&str>) -> Option<Said> {
        let body = serde_json::json!({ "refresh_token": token }).to_string();
        let request = self.http.post(format!("{}/v1/refresh", self.service));
        let mut request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        if let Some(id) = id {
            request = request.header("daypass-attempt", id);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let body: Body = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        match (status, body.error.as_deref()) {
            (StatusCode::OK, _) => body.refresh_token.map(Said::Token),
            (StatusCode::BAD_REQUEST, Some("invalid_grant")) => Some(Said::Refused(body.reason)),
            _ => None,
        }
    }
}

/// What a thief's requests say to the proxy.
pub(crate) fn headers(thief: bool) -> HeaderMap {
    let party = thief.then(|| (HeaderName::from_static(PARTY), HeaderValue::from_static("thief")));
    party.into_iter().collect()
}

/// A client without ids; or, as a sabotage, one that makes a new id for every try.
pub(crate) struct Plain {
    run: Arc<Run>,
    name: String,
    person: String,
    wire: Wire,
    dice: Dice,
    token: Mutex<String>,
}

impl Plain {
    /// A client of this person, signed in. `stream` names its chance.
    pub(crate) async fn sign_in(run: &Arc<Run>, service: &str, person: &str, stream: u64) -> Option<Self> {
        let wire = Wire::new(service, false).ok()?;
        let token = wire.sign_in(person, PLAIN.id).await?;
        Some(Self {
            run: Arc::clone(run),
            name: format!("without ids {stream}"),
            person: person.to_owned(),
            wire,
            dice: run.dice(stream.wrapping_mul(64)),
            token: Mutex::new(token),
        })
    }

    fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, token: String) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Renews, asking again for as long as that is safe. The error: there is no going on.
    async fn renew(&self) -> Result<(), String> {
        let (token, began) = (self.token(), SystemClock.running());
        loop {
            let id = self.run.is(Sabotage::FreshIds).then(|| self.dice.attempt_id());
            match self.wire.present(&token, id.as_deref()).await {
                Some(Said::Token(newer)) => {
                    self.hold(newer);
                    return Ok(());
                }
                Some(Said::Refused(reason)) => return Err(reason.unwrap_or_else(|| "no reason".into())),
                None if SystemClock.running().saturating_sub(began) > RETRY => {
                    self.give_up(&token).await;
                    return Ok(());
                }
                None => SystemClock.sleep(self.dice.millis(1, 20)).await,
            }
        }
    }

    /// Its token may be past its grace: it signs in again, as such a client has to.
    async fn give_up(&self, token: &str) {
        self.run.account.add(What::GivenUp);
        if let Some(named) = Named::read(token) {
            self.run.ledger.abandon(named.session);
        }
        while !self.run.is_over() {
            if let Some(token) = self.wire.sign_in(&self.person, PLAIN.id).await {
                return self.hold(token);
            }
        }
    }
}

#[async_trait]
impl Client for Plain {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self) {
        while self.run.pause(self.dice.millis(2, 20)).await {
            if let Err(why) = self.renew().await {
                let what = format!("{} was signed out: {why}", self.name);
                let session = Named::read(&self.token()).map(|named| named.session);
                return self.run.account.object(Zero::SignOuts, what, session);
            }
        }
    }

    async fn renew_once_more(&self) -> Result<(), String> {
        let renewed = tokio::time::timeout(PATIENCE, self.renew()).await;
        renewed.unwrap_or_else(|_late| Err("there is no answer".into()))
    }
}
