//! A stand-in for the service in the tests of `bench` and `demo`, and for the API of `demo`: it keeps the promises of the
//! HTTP contract that those two check, in memory, and can be told to break one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use daypass_jwt::{Algorithm, JwkSet, SigningKey};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use crate::hosted::{Credentials, Hosted};

/// A promise to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// A refresh answers with the token it was given.
    SameToken,
    /// A refresh goes two generations forward.
    SkipsGeneration,
    /// Access tokens are signed with a key that is not published.
    ForeignKey,
    /// Every fifth request is put off.
    Busy,
    /// A retry is taken for a rotation.
    ForgetsAttempts,
    /// A stolen token raises no alarm.
    NoAlarm,
    /// The alarm ends only the session that was robbed.
    OthersSurvive,
    /// The API goes on serving a session that has ended.
    ApiServesTheEnded,
    /// The API goes on serving a token that has expired.
    ApiServesTheExpired,
    /// After an alarm the API refuses everybody.
    ApiRefusesAll,
    /// The API puts off whoever comes after its first hundred and fifty calls.
    ApiBusy,
    /// Every renewal is done twice.
    RenewsTwice,
}

/// A running stand-in.
pub(crate) struct Fake {
    pub(crate) base_url: String,
    api_url: String,
    state: Arc<Mutex<State>>,
    serving: AbortHandle,
    api_serving: AbortHandle,
}

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Service,
    Api,
}

struct State {
    /// For access tokens that nobody can check.
    secret: SigningKey,
    published: SigningKey,
    fault: Fault,
    life: Duration,
    start: Instant,
    sessions: HashMap<Uuid, Session>,
    requests: u64,
    api_calls: u64,
    presented: u64,
}

#[derive(Default)]
struct Session {
    sub: String,
    generation: u32,
    attempts: HashMap<u32, String>,
    dead: Option<&'static str>,
}

type Refusal = (u16, Value);

impl Fake {
    /// Listens; everybody's password is `open`.
    pub(crate) async fn start(fault: Fault, life: Duration) -> Self {
        let key = || SigningKey::generate(Algorithm::ES256).unwrap();
        let state = State {
            secret: key(),
            published: key(),
            fault,
            life,
            start: Instant::now(),
            sessions: HashMap::new(),
            requests: 0,
            api_calls: 0,
            presented: 0,
        };
        Self::listen(Arc::new(Mutex::new(state))).await
    }

    /// Starts it again, elsewhere, on what it had acknowledged.
    pub(crate) async fn again(&self) -> Self {
        Self::listen(Arc::clone(&self.state)).await
    }

    async fn listen(state: Arc<Mutex<State>>) -> Self {
        let (base_url, serving) = serve(Role::Service, Arc::clone(&state)).await;
        let (api_url, api_serving) = serve(Role::Api, Arc::clone(&state)).await;
        Self { base_url, api_url, state, serving, api_serving }
    }

    /// Opens sessions without signing in; their refresh tokens.
    pub(crate) fn fill(&self, sessions: u64) -> Vec<String> {
        let mut state = self.state.lock().unwrap();
        (0..sessions).map(|_| state.open("somebody")["refresh_token"].as_str().unwrap().to_owned()).collect()
    }

    /// How many refresh tokens were presented.
    pub(crate) fn presented(&self) -> u64 {
        self.state.lock().unwrap().presented
    }

    /// Ends it as a crash would: every connection is cut.
    pub(crate) fn kill(&self) {
        self.serving.abort();
        self.api_serving.abort();
    }

    /// As what the commands are handed.
    pub(crate) fn hosted(&self) -> Hosted {
        hosted(&self.base_url, &self.serving)
    }

    /// The API that accepts its tokens, likewise.
    pub(crate) fn hosted_api(&self) -> Hosted {
        hosted(&self.api_url, &self.api_serving)
    }

    pub(crate) fn user(name: &str) -> Credentials {
        Credentials { username: name.into(), password: "open".into() }
    }
}

fn hosted(url: &str, serving: &AbortHandle) -> Hosted {
    let serving = serving.clone();
    Hosted::new(url.to_owned(), "in memory".into(), move || async move {
        serving.abort();
        Ok(())
    })
}

async fn serve(role: Role, state: Arc<Mutex<State>>) -> (String, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        // Dropped with this task, and all connections with it.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            let service = service_fn(move |request| answer(role, Arc::clone(&state), request));
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, serving.abort_handle())
}

async fn answer(
    role: Role,
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let outcome = {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        if state.fault == Fault::Busy && state.requests.is_multiple_of(5) {
            Err((503, json!({"error": "temporarily_unavailable"})))
        } else {
            state.route(role, head.uri.path(), &head.headers, &body)
        }
    };
    let (status, body) =
        outcome.map_or_else(|refusal| refusal, |body| (if body == "" { 204 } else { 200 }, body));
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    if status == 503 {
        response = response.header("retry-after", "0");
    }
    if status == 401 {
        let detail = body["detail"].as_str().unwrap_or_default();
        let told = format!("Bearer error=\"invalid_token\", error_description=\"{detail}\"");
        response = response.header("www-authenticate", told);
    }
    let text = match body {
        // What is no JSON object is text.
        Value::String(text) => text,
        body => {
            response = response.header("content-type", "application/json");
            body.to_string()
        }
    };
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

impl State {
    fn route(&mut self, role: Role, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let authorization = header("authorization");
        let bearer = authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        if role == Role::Api {
            assert_eq!(path, "/hello");
            return self.hello(bearer);
        }
        match path {
            "/v1/login" => {
                let body: Value = serde_json::from_slice(body).unwrap();
                if body["password"] == "open" {
                    Ok(self.open(body["username"].as_str().unwrap()))
                } else {
                    Err((401, json!({"type": "urn:daypass:problem:invalid-credentials"})))
                }
            }
            "/v1/refresh" => {
                let body: Value = serde_json::from_slice(body).unwrap();
                self.refresh(body["refresh_token"].as_str().unwrap(), header("daypass-attempt").as_deref())
            }
            "/oauth2/token" => {
                let form: HashMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
                assert_eq!(
                    (form["grant_type"].as_str(), form["client_id"].as_str()),
                    ("refresh_token", "daypass")
                );
                self.refresh(&form["refresh_token"], form.get("attempt").map(String::as_str))
            }
            "/v1/me" => {
                let (id, sub) = self.checked(bearer, Fault::None)?;
                Ok(json!({"sub": sub, "session_id": id.to_string()}))
            }
            "/v1/logout" => {
                let body: Value = serde_json::from_slice(body).unwrap();
                let (id, _) = read(body["refresh_token"].as_str().unwrap()).unwrap();
                self.sessions.get_mut(&id).unwrap().dead = Some("revoked");
                Ok("".into())
            }
            "/metrics" => {
                let each = if self.fault == Fault::RenewsTwice { 2 } else { 1 };
                let rotated = self.presented * each;
                Ok(format!(
                    "# TYPE daypass_refresh counter\n\
                     daypass_refresh_total{{outcome=\"rotated\"}} {rotated}\n\
                     daypass_refresh_total{{outcome=\"reused\"}} 0\n"
                )
                .into())
            }
            "/.well-known/jwks.json" => {
                let key = self.published.verifying_key();
                Ok(serde_json::from_str(&JwkSet::new([&key]).unwrap().to_json()).unwrap())
            }
            _ => Err((404, json!({"type": "urn:daypass:problem:not-found"}))),
        }
    }

    fn open(&mut self, sub: &str) -> Value {
        let id = Uuid::from_u128(self.sessions.len() as u128 + 1);
        self.sessions.insert(id, Session { sub: sub.into(), ..Session::default() });
        self.pair(id)
    }

    fn refresh(&mut self, token: &str, attempts: Option<&str>) -> Result<Value, Refusal> {
        let refused = |reason: &str| (400, json!({"error": "invalid_grant", "reason": reason}));
        let (id, presented) = read(token).ok_or((400, json!({"error": "invalid_grant"})))?;
        self.presented += 1;
        let fault = self.fault;
        let session = self.sessions.get_mut(&id).ok_or(refused("unknown"))?;
        if let Some(why) = session.dead {
            return Err(refused(why));
        }
        let attempts: HashMap<u32, String> = attempts
            .iter()
            .flat_map(|list| list.split(", "))
            .filter_map(|entry| entry.split_once(':'))
            .map(|(label, id)| (label.parse().unwrap(), id.to_owned()))
            .collect();
        let known = (presented..session.generation)
            .all(|k| attempts.contains_key(&k) && attempts.get(&k) == session.attempts.get(&k));
        if presented == session.generation || fault == Fault::ForgetsAttempts {
            session.attempts.extend(attempts.get(&presented).map(|id| (presented, id.clone())));
            session.generation += if fault == Fault::SkipsGeneration { 2 } else { 1 };
        } else if !known && fault != Fault::NoAlarm {
            let robbed = session.sub.clone();
            for (other, session) in &mut self.sessions {
                if *other == id || (session.sub == robbed && fault != Fault::OthersSurvive) {
                    session.dead = Some("reused");
                }
            }
            return Err(refused("reused"));
        }
        let mut pair = self.pair(id);
        if fault == Fault::SameToken {
            pair["refresh_token"] = token.into();
        }
        Ok(pair)
    }

    /// What the API answers.
    fn hello(&mut self, bearer: Option<&str>) -> Result<Value, Refusal> {
        self.api_calls += 1;
        let alarm = self.sessions.values().any(|session| session.dead == Some("reused"));
        match self.fault {
            Fault::ApiBusy if self.api_calls > 150 => {
                return Err((503, json!({"type": "urn:daypass:problem:unavailable"})));
            }
            Fault::ApiRefusesAll if alarm => return Err((401, json!({"detail": "the session is over"}))),
            _ => {}
        }
        let (id, sub) = self.checked(bearer, self.fault)?;
        Ok(json!({"sub": sub, "session": id.to_string()}))
    }

    /// The session that a token is of, and whose; `fault` is what the check may leave out.
    fn checked(&self, bearer: Option<&str>, fault: Fault) -> Result<(Uuid, String), Refusal> {
        let refused = |detail: &str| (401, json!({"detail": detail}));
        let claims = bearer.and_then(|jwt| jwt.split('.').nth(1)).ok_or(refused("no token"))?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let over = self.start.elapsed().as_millis() >= u128::from(claims["until"].as_u64().unwrap());
        if over && fault != Fault::ApiServesTheExpired {
            return Err(refused("the token has expired"));
        }
        let id = Uuid::parse_str(claims["sid"].as_str().unwrap()).unwrap();
        match self.sessions[&id].dead {
            Some(_) if fault != Fault::ApiServesTheEnded => Err(refused("the session has ended")),
            _ => Ok((id, self.sessions[&id].sub.clone())),
        }
    }

    fn pair(&self, id: Uuid) -> Value {
        let session = &self.sessions[&id];
        let (now, sid) = (self.start.elapsed(), id.to_string());
        let until = u64::try_from((now + self.life).as_millis()).unwrap();
        let claims =
            json!({"sid": sid, "iat": now.as_secs(), "exp": until.div_ceil(1000) + 1, "until": until});
        let key = if self.fault == Fault::ForeignKey { &self.secret } else { &self.published };
        json!({
            "access_token": key.sign("at+jwt", &claims).unwrap(),
            "token_type": "Bearer",
            "expires_in": self.life.as_secs().max(1),
            "refresh_token": write(id, session.generation),
            "generation": session.generation,
            "session_id": sid,
        })
    }
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])
}

fn write(id: Uuid, generation: u32) -> String {
    let mut bytes = vec![1];
    bytes.extend(id.as_bytes());
    bytes.extend(generation.to_be_bytes());
    bytes.extend(hmac::sign(&key(), &bytes).as_ref());
    format!("dpr_{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn read(token: &str) -> Option<(Uuid, u32)> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("dpr_")?).ok()?;
    let (named, tag) = bytes.split_at_checked(21)?;
    hmac::verify(&key(), named, tag).ok()?;
    Some((Uuid::from_slice(&named[1..17]).ok()?, u32::from_be_bytes(named[17..].try_into().ok()?)))
}
