//! One program: it makes calls, makes them again later if it is told so, and checks every answer.

use std::sync::Arc;
use std::time::Duration;

use daypass_ambient::{Clock as _, ManualClock};
use daypass_client::Session;
use daypass_client::call::{CallError, SessionClient};
use reqwest::Response;

use crate::api::Echo;
use crate::run::Run;

/// How often a call is made again before it is given up: for a quarter of an hour.
const TRIES: usize = 1000;

/// How long to wait where nobody says how long.
const WAIT: Duration = Duration::from_secs(1);

/// A program.
pub(crate) struct Caller {
    name: String,
    client: SessionClient,
    subject: String,
    session: Option<String>,
    api: String,
    clock: ManualClock,
    run: Arc<Run>,
}

/// How a call went.
enum Outcome {
    /// As it has to.
    Right,
    /// It is to be made again after so long.
    Later(Duration),
    /// It shows that something is wrong.
    Wrong(String),
}

impl Caller {
    /// A program that calls the API at `api` for `subject`, in the session that it holds now.
    pub(crate) fn new(
        name: &str,
        session: &Session,
        subject: String,
        api: &str,
        clock: ManualClock,
        run: Arc<Run>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            client: session.wrap(reqwest::Client::builder().no_proxy()).unwrap(),
            subject,
            session: session.session_id(),
            api: api.to_owned(),
            clock,
            run,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn session(&self) -> &Session {
        self.client.session()
    }

    /// Makes the call of this number until it is answered.
    pub(crate) async fn call(&self, number: u64) {
        for _ in 0..TRIES {
            match self.attempt(number).await {
                Outcome::Right => return,
                Outcome::Wrong(what) => {
                    return self.run.fail(format!("{}, call {number}: {what}", self.name));
                }
                Outcome::Later(wait) => {
                    self.run.wait();
                    self.clock.sleep(wait).await;
                }
            }
            if self.run.has_failed() {
                return;
            }
        }
        self.run.fail(format!("{}, call {number}: never answered", self.name));
    }

    async fn attempt(&self, number: u64) -> Outcome {
        let url = format!("{}/orders?number={number}", self.api);
        // Every second call has a body, which is sent again if the call is.
        let body =
            if number.is_multiple_of(2) { String::new() } else { format!("order {number}").repeat(20) };
        let call =
            if body.is_empty() { self.client.get(url) } else { self.client.post(url).body(body.clone()) };
        match call.send().await {
            Ok(answer) => self.judge(answer, number, body).await,
            Err(CallError::Session(error)) if error.is_temporary() => {
                let named = match error {
                    daypass_client::SessionError::Unavailable { retry_after } => retry_after,
                    _ => None,
                };
                Outcome::Later(named.unwrap_or(WAIT))
            }
            Err(error) => Outcome::Wrong(format!("{error:?}")),
        }
    }

    async fn judge(&self, answer: Response, number: u64, body: String) -> Outcome {
        let status = answer.status().as_u16();
        if status == 503 {
            let named = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse().ok());
            return Outcome::Later(named.map_or(WAIT, Duration::from_secs));
        }
        let challenge = answer.headers().get("www-authenticate").cloned();
        let Ok(bytes) = answer.bytes().await else {
            return Outcome::Wrong("the answer broke off".to_owned());
        };
        if status != 200 {
            let text = String::from_utf8_lossy(&bytes);
            return Outcome::Wrong(format!("refused to the end with {status}, {challenge:?}, {text}"));
        }
        let right = Echo { subject: self.subject.clone(), session: self.session.clone(), number, body };
        match serde_json::from_slice::<Echo>(&bytes) {
            Ok(echo) if echo == right => Outcome::Right,
            other => Outcome::Wrong(format!("the answer {other:?} is not {right:?}")),
        }
    }
}
