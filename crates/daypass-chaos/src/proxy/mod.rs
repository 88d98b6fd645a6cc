//! The network between clients and service: it loses, delays, doubles and cuts short what passes, either way.
//!
//! A request runs to its end on the service's side whatever becomes of the client's, so that the [ledger](crate::ledger)
//! knows at any time what may still arrive, and delivers nothing that is later than the rule allows.

mod fate;
mod read;
mod upstream;
mod wire;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use daypass_ambient::{Clock as _, SystemClock};
use daypass_core::SessionId;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::account::{What, Zero};
use crate::arguments::Sabotage;
use crate::ledger::{Lateness, Outcome, Party, Presented};
use crate::run::Run;
use fate::Fate;
use upstream::{Asked, Lost, Upstream};
use wire::{AnswerBody, Line};

/// The header by which thieves say what they are, to the proxy and to nobody else.
pub(crate) const PARTY: &str = "chaos-party";

/// Where a session is logged out. A thief would not do that, whatever the client that he acts as does: he is told that it
/// is done, and the service hears nothing of it.
const LOGOUT: &str = "/v1/logout";

/// The longest request that is read, in bytes.
const MOST: usize = 64 << 10;

/// The streams of chance of the requests; other parts of a run have smaller ones.
const STREAM: u64 = 1 << 40;

/// A copy that the sabotaged network delivers comes so many generations late.
const TOO_LATE: u32 = 6;

/// The proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    run: Arc<Run>,
    url: String,
    upstream: Upstream,
    requests: AtomicU64,
    faulty: AtomicBool,
    /// Requests that have not come to their end.
    under_way: watch::Sender<u64>,
}

/// Closes a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

impl Proxy {
    /// Listens, for as long as the program runs, and delivers to the service at `address`. Nothing befalls anything
    /// yet.
    pub(crate) async fn start(run: &Arc<Run>, address: SocketAddr) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let proxy = Arc::new(Self {
            run: Arc::clone(run),
            url: format!("http://{}", listener.local_addr()?),
            upstream: Upstream::new(address),
            requests: AtomicU64::new(0),
            faulty: AtomicBool::new(false),
            under_way: watch::Sender::new(0),
        });
        tokio::spawn(Arc::clone(&proxy).listen(listener));
        Ok(proxy)
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on there are faults, or none.
    pub(crate) fn set_faulty(&self, faulty: bool) {
        self.faulty.store(faulty, Ordering::Relaxed);
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn quiet(&self) {
        let mut under_way = self.under_way.subscribe();
        // The proxy holds the sender.
        let _quiet = under_way.wait_for(|count| *count == 0).await;
    }

    async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                SystemClock.sleep(std::time::Duration::from_millis(5)).await;
                continue;
            };
            let proxy = Arc::clone(&self);
            tokio::spawn(async move {
                let reset = Arc::new(AtomicBool::new(false));
                let line = TokioIo::new(Line::new(stream, Arc::clone(&reset)));
                let service = service_fn(|request| proxy.answer(request, &reset));
                // It ends because the client goes, or because it is closed on purpose.
                let _ended = http1::Builder::new().serve_connection(line, service).await;
            });
        }
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        reset: &AtomicBool,
    ) -> Result<Response<AnswerBody>, Closed> {
        let (mut head, body) = request.into_parts();
        let body = Limited::new(body, MOST).collect().await.map_err(|_broken| Closed)?.to_bytes();
        let thief = head.headers.remove(PARTY).is_some();
        let party = if thief { Party::Thief } else { Party::Owner };
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        if thief && target == LOGOUT {
            return Ok(done());
        }
        let asked = Arc::new(Asked { method: head.method, target, headers: head.headers, body });
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let dice = self.run.dice(STREAM.wrapping_add(number));
        let faulty = self.faulty.load(Ordering::Relaxed);
        let renewal = read::presented(&asked, party).filter(|_| asked.target == "/v1/refresh");
        let fate = match &renewal {
            _ if !faulty => Fate::Pass,
            Some(_) => Fate::of_renewal(&dice),
            None => Fate::of_sign_in(&dice),
        };
        self.note(fate, renewal.is_some());
        let passing = Passing { proxy: Arc::clone(self), asked, renewal: renewal.map(|it| self.arrived(it)) };
        passing.meet(fate, reset).await
    }

    fn arrived(&self, mut renewal: Presented) -> Presented {
        self.run.account.add(What::Requests);
        self.run.ledger.arrive(&mut renewal);
        renewal
    }

    fn note(&self, fate: Fate, renewal: bool) {
        let what = match fate {
            Fate::Pass => return,
            _ if !renewal => What::SignInFaults,
            Fate::LoseRequest { .. } => What::RequestsLost,
            Fate::LoseAnswer { .. } => What::AnswersLost,
            Fate::DelayRequest(_) => What::RequestsDelayed,
            Fate::DelayAnswer(_) => What::AnswersDelayed,
            Fate::Twice { .. } => What::RequestsTwice,
            Fate::CutRequest => What::RequestsCut,
            Fate::CutAnswer => What::AnswersCut,
            Fate::Reset { .. } => What::Resets,
        };
        self.run.account.add(what);
    }
}

/// A request on its way.
struct Passing {
    proxy: Arc<Proxy>,
    asked: Arc<Asked>,
    /// What it presents, if it is a renewal.
    renewal: Option<Presented>,
}

impl Passing {
    async fn meet(self, fate: Fate, reset: &AtomicBool) -> Result<Response<AnswerBody>, Closed> {
        match fate {
            Fate::Pass => whole(self.delivered(Later::Now).await?),
            Fate::LoseRequest { noticed: false } => pending().await,
            Fate::LoseRequest { noticed: true } => Err(Closed),
            Fate::LoseAnswer { noticed } => {
                self.delivered(Later::Now).await?;
                if noticed { Err(Closed) } else { pending().await }
            }
            Fate::DelayRequest(by) => whole(self.delivered(Later::After(by)).await?),
            Fate::DelayAnswer(by) => {
                let answer = self.delivered(Later::Now).await?;
                SystemClock.sleep(by).await;
                whole(answer)
            }
            Fate::Twice { ahead, at_most } => {
                drop(self.copy().delivery(Later::Ahead { ahead, at_most }));
                whole(self.delivered(Later::Now).await?)
            }
            Fate::CutRequest => {
                self.proxy.upstream.send_half(&self.asked).await;
                Err(Closed)
            }
            Fate::CutAnswer => {
                let (head, body) = self.delivered(Later::Now).await?.into_parts();
                if body.is_empty() {
                    Err(Closed)
                } else {
                    Ok(Response::from_parts(head, AnswerBody::half(body)))
                }
            }
            Fate::Reset { delivered } => {
                if delivered {
                    self.delivered(Later::Now).await?;
                }
                reset.store(true, Ordering::Relaxed);
                Err(Closed)
            }
        }
    }

    /// A second copy, for which nobody waits.
    fn copy(&self) -> Self {
        let renewal = self.renewal.clone().map(|renewal| Presented { copy: true, ..renewal });
        Self { proxy: Arc::clone(&self.proxy), asked: Arc::clone(&self.asked), renewal }
    }

    async fn delivered(self, later: Later) -> Result<Response<Bytes>, Closed> {
        self.delivery(later).await.map_err(|_lost| Closed)
    }

    /// Delivers it, on a task of its own. What comes back is nothing if there is no answer.
    fn delivery(self, later: Later) -> oneshot::Receiver<Response<Bytes>> {
        let (done, answer) = oneshot::channel();
        self.proxy.under_way.send_modify(|count| *count = count.saturating_add(1));
        let end = UnderWay(Arc::clone(&self.proxy));
        tokio::spawn(async move {
            if let Some(answer) = self.deliver(later).await {
                // The client may have gone.
                let _gone = done.send(answer);
            }
            drop(end);
        });
        answer
    }

    async fn deliver(self, later: Later) -> Option<Response<Bytes>> {
        let run = &self.proxy.run;
        let Some(renewal) = &self.renewal else {
            let answer = self.sent(None).await.ok()?;
            if let Some(token) = read::signed_in(&self.asked, &answer) {
                run.ledger.open(&token);
            }
            return Some(answer);
        };
        let too_late = run.is(Sabotage::LateCopies);
        match later {
            Later::Now => {}
            Later::After(time) => SystemClock.sleep(time).await,
            Later::Ahead { at_most, .. } if too_late => {
                run.ledger.ahead(renewal, TOO_LATE, at_most.saturating_mul(100)).await;
            }
            Later::Ahead { ahead, at_most } => run.ledger.ahead(renewal, ahead, at_most).await,
        }
        let untouched = matches!(later, Later::Now) && !renewal.copy;
        // Whoever has stolen a token may present it as late as he likes.
        let lateness = match renewal.party {
            _ if too_late => Lateness::Any,
            Party::Thief if untouched => Lateness::Any,
            Party::Owner if untouched => Lateness::Own,
            Party::Owner | Party::Thief => Lateness::Imposed,
        };
        if !run.ledger.admit(renewal, lateness, &run.account).await {
            run.account.add(match lateness {
                _ if renewal.copy => What::CopiesDiscarded,
                Lateness::Own => What::HeldUpTooLong,
                Lateness::Any | Lateness::Imposed => What::DelayedTooLong,
            });
            return None;
        }
        let answer = self.sent(Some(renewal.session)).await;
        let mut outcome = match &answer {
            Ok(answer) => read::outcome(answer),
            Err(Lost::Unknown | Lost::Silent(..)) => Outcome::Unknown,
            Err(Lost::NotDelivered) => Outcome::NotDelivered,
        };
        if run.is(Sabotage::Twins) {
            outcome = outcome.forged(renewal.copy);
        }
        if renewal.copy && answer.is_ok() {
            run.account.add(What::LateCopies);
        }
        run.ledger.settle(renewal, &outcome, &run.account);
        answer.ok()
    }

    /// What the service answers. That it leaves a request without an answer is held against it.
    async fn sent(&self, session: Option<SessionId>) -> Result<Response<Bytes>, Lost> {
        let answer = self.proxy.upstream.send(&self.asked).await;
        if let Err(Lost::Silent(step, local)) = answer {
            let local = local.map_or_else(|| "no connection".to_owned(), |local| local.to_string());
            let what = format!("{} was left without an answer: {step:?}, {local}", self.asked.target);
            self.proxy.run.account.object(Zero::Others, what, session);
        }
        answer
    }
}

/// When a request is delivered.
#[derive(Clone, Copy, Debug)]
enum Later {
    Now,
    After(std::time::Duration),
    /// When its session has gone on by so many generations, or after so long.
    Ahead {
        ahead: u32,
        at_most: std::time::Duration,
    },
}

/// Counts a request while it is under way.
struct UnderWay(Arc<Proxy>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// What a log-out is answered with.
fn done() -> Response<AnswerBody> {
    let mut answer = Response::new(AnswerBody::whole(Bytes::new()));
    *answer.status_mut() = http::StatusCode::NO_CONTENT;
    answer
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a chain of things that may close the connection")]
fn whole(answer: Response<Bytes>) -> Result<Response<AnswerBody>, Closed> {
    Ok(answer.map(AnswerBody::whole))
}

#[cfg(test)]
mod tests;
