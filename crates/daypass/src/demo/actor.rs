//! Somebody who takes part in the story: a device, or a thief, with a connection of its own and the tokens it holds.

use http::Method;
use http::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use super::DemoError;
use super::narrator::Narrator;
use crate::chain::Chain;
use crate::dice::Dice;
use crate::hosted::Credentials;
use crate::pair::{Pair, RefreshToken, Wrong};
use crate::wire::{Answer, Target, Wire, WireError};

/// The API's one resource.
pub(crate) const HELLO: &str = "/hello";

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The token service.
    Service,
    /// The API that accepts its access tokens.
    Api,
}

/// Where the servers are.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    pub(crate) service: Target,
    pub(crate) api: Target,
}

/// A request as it is told and sent.
pub(crate) struct Call {
    pub(crate) to: Server,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
}

/// A client of the service that is signed in.
pub(crate) struct Actor {
    name: &'static str,
    lines: Lines,
    dice: Dice,
    chain: Chain,
    access_token: String,
}

/// A connection to each server.
struct Lines {
    service: Wire,
    api: Wire,
}

impl Actor {
    /// Signs in with name and password.
    pub(crate) async fn sign_in(
        story: &mut Narrator<'_>,
        name: &'static str,
        targets: &Targets,
        user: &Credentials,
    ) -> Result<Self, DemoError> {
        let mut lines = Lines::new(targets);
        let body = json!({"username": user.username, "password": user.password, "label": name});
        let call = Call {
            to: Server::Service,
            method: Method::POST,
            path: "/v1/login".into(),
            headers: Vec::new(),
            body: Some(body),
        };
        let answer = exchange(story, name, &mut lines, &call).await?;
        expect(story, "signing in is answered with a pair of tokens", "200", &verdict(&answer))?;
        let pair = read(story, &answer)?;
        let held = checked(story, &pair, pair.signed_in())?;
        Ok(Self { name, lines, dice: Dice::new(), chain: Chain::new(held), access_token: pair.access_token })
    }

    /// Another party with a copy of this one's refresh token, and nothing else of it.
    pub(crate) fn robbed_by(&self, name: &'static str, targets: &Targets) -> Self {
        Self {
            name,
            lines: Lines::new(targets),
            dice: Dice::new(),
            chain: Chain::new(self.chain.held().clone()),
            access_token: String::new(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Calls the API with the access token.
    pub(crate) async fn call(&mut self, story: &mut Narrator<'_>) -> Result<Answer, DemoError> {
        let call = self.call_with_token(Server::Api);
        exchange(story, self.name, &mut self.lines, &call).await
    }

    /// Calls the API with the access token without a word.
    pub(crate) async fn call_quietly(&mut self, story: &mut Narrator<'_>) -> Result<Answer, DemoError> {
        let call = self.call_with_token(Server::Api);
        silently(story, &mut self.lines, &call).await
    }

    /// Tells of a call that was made quietly.
    pub(crate) fn tell_call(&self, story: &mut Narrator<'_>, answer: &Answer) -> Result<(), DemoError> {
        story.request(self.name, &self.call_with_token(Server::Api))?;
        Ok(story.answer(self.name, answer)?)
    }

    /// Asks the service itself who this is, with the access token.
    pub(crate) async fn ask_who(&mut self, story: &mut Narrator<'_>) -> Result<Answer, DemoError> {
        let call = self.call_with_token(Server::Service);
        exchange(story, self.name, &mut self.lines, &call).await
    }

    /// Presents the refresh token: under the attempt that has no answer yet, or else under a new one.
    pub(crate) async fn present(&mut self, story: &mut Narrator<'_>) -> Result<Answer, DemoError> {
        let call = self.refresh()?;
        exchange(story, self.name, &mut self.lines, &call).await
    }

    /// Presents the refresh token and dies before the answer is read.
    pub(crate) async fn present_and_vanish(&mut self, story: &mut Narrator<'_>) -> Result<(), DemoError> {
        let call = self.refresh()?;
        story.request(self.name, &call)?;
        let headers = borrowed(&call.headers);
        let came = match self.lines.service.abandon(&call.path, &headers, &call.body).await {
            Ok(came) => came,
            Err(failure) => return Err(no_answer(story, Server::Service, &failure)?),
        };
        story.lost(self.name)?;
        expect(
            story,
            "the answer came back, and nobody read it",
            "an answer",
            if came { "an answer" } else { "none" },
        )
    }

    /// Reads the new pair out of an answer to [`present`](Self::present), without taking it over yet.
    pub(crate) fn successor(
        &self,
        story: &mut Narrator<'_>,
        answer: &Answer,
    ) -> Result<(RefreshToken, String), DemoError> {
        let pair = read(story, answer)?;
        let successor = checked(story, &pair, pair.renewed(self.chain.held()))?;
        Ok((successor, pair.access_token))
    }

    /// Holds this pair from now on.
    pub(crate) fn hold(&mut self, (refresh, access): (RefreshToken, String)) {
        self.chain.advance(refresh);
        self.access_token = access;
    }

    /// Renews: presents, checks, holds.
    pub(crate) async fn renew(&mut self, story: &mut Narrator<'_>, promise: &str) -> Result<(), DemoError> {
        let answer = self.present(story).await?;
        expect(story, promise, "200", &verdict(&answer))?;
        let pair = self.successor(story, &answer)?;
        self.hold(pair);
        Ok(())
    }

    fn call_with_token(&self, to: Server) -> Call {
        let path = match to {
            Server::Service => "/v1/me",
            Server::Api => HELLO,
        };
        let bearer = format!("Bearer {}", self.access_token);
        let headers = vec![("authorization", bearer)];
        Call { to, method: Method::GET, path: path.into(), headers, body: None }
    }

    fn refresh(&mut self) -> Result<Call, DemoError> {
        let attempt = self.chain.attempt(&mut self.dice)?.to_owned();
        Ok(Call {
            to: Server::Service,
            method: Method::POST,
            path: "/v1/refresh".into(),
            headers: vec![("daypass-attempt", attempt)],
            body: Some(json!({"refresh_token": self.chain.held().text()})),
        })
    }
}

impl Lines {
    fn new(targets: &Targets) -> Self {
        Self { service: Wire::new(targets.service.clone()), api: Wire::new(targets.api.clone()) }
    }

    fn to(&mut self, server: Server) -> &mut Wire {
        match server {
            Server::Service => &mut self.service,
            Server::Api => &mut self.api,
        }
    }
}

/// Checks a promise and says how it went.
pub(crate) fn expect(
    story: &mut Narrator<'_>,
    promise: &str,
    expected: &str,
    came: &str,
) -> Result<(), DemoError> {
    if expected == came {
        return Ok(story.kept(promise)?);
    }
    story.broken(promise, expected, came)?;
    Err(DemoError::Broken)
}

/// Status and code of an answer, and what a refused access token was refused for, if the answer says so: `200`,
/// `400 invalid_grant reused`, `401 expired`, `401 ended`.
pub(crate) fn verdict(answer: &Answer) -> String {
    if answer.status.is_success() {
        return answer.status.as_u16().to_string();
    }
    match answer.header(WWW_AUTHENTICATE) {
        Some(challenge) if challenge.contains("expired") => "401 expired".to_owned(),
        Some(challenge) if challenge.contains("the session") => "401 ended".to_owned(),
        Some(_) => "401".to_owned(),
        None => answer.refusal(),
    }
}

async fn exchange(
    story: &mut Narrator<'_>,
    name: &str,
    lines: &mut Lines,
    call: &Call,
) -> Result<Answer, DemoError> {
    story.request(name, call)?;
    let answer = silently(story, lines, call).await?;
    story.answer(name, &answer)?;
    Ok(answer)
}

async fn silently(story: &mut Narrator<'_>, lines: &mut Lines, call: &Call) -> Result<Answer, DemoError> {
    let (wire, headers) = (lines.to(call.to), borrowed(&call.headers));
    let answer = match &call.body {
        Some(body) => wire.post_json(&call.path, &headers, body).await,
        None => wire.get(&call.path, &headers).await,
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(no_answer(story, call.to, &failure)?),
    }
}

fn no_answer(story: &mut Narrator<'_>, from: Server, failure: &WireError) -> Result<DemoError, DemoError> {
    let promise = match from {
        Server::Service => "the service answers",
        Server::Api => "the API answers",
    };
    story.broken(promise, "an answer", &failure.to_string())?;
    Ok(DemoError::Broken)
}

fn read(story: &mut Narrator<'_>, answer: &Answer) -> Result<Pair, DemoError> {
    if let Ok(pair) = answer.json() {
        return Ok(pair);
    }
    story.broken("the answer holds the tokens", "a pair", "something else")?;
    Err(DemoError::Broken)
}

fn checked(
    story: &mut Narrator<'_>,
    pair: &Pair,
    outcome: Result<RefreshToken, Wrong>,
) -> Result<RefreshToken, DemoError> {
    match outcome {
        Ok(token) => {
            let generation = pair.generation;
            story
                .kept(&format!("both are of one session; the refresh token is of generation {generation}"))?;
            Ok(token)
        }
        Err(wrong) => {
            story.broken("the tokens are right", "the next pair of this session", &wrong.to_string())?;
            Err(DemoError::Broken)
        }
    }
}

fn borrowed<'h>(headers: &'h [(&'static str, String)]) -> Vec<(&'h str, &'h str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
