//! A protected API: what `daypass demo-api` serves. It is what anybody's API is to Daypass, a process of its own that
//! shares nothing with the service but its URL and the credentials of a client.

use std::convert::Infallible;
use std::io::{self, BufRead as _, Write};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use daypass_verify::axum::Auth;
use daypass_verify::revocation::{RevocationFeed, WhenStale};
use daypass_verify::{RemoteKeys, Verifier};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::actor::HELLO;
use crate::hosted::Failure;

/// What stands before the API's URL on the line that says it.
pub(super) const GREETING: &str = "Listening on ";

/// How often the revocation feed is read: how late the API may refuse a token whose session has ended.
const POLL: Duration = Duration::from_millis(250);
/// Seconds for which an expired token still passes. Fewer than the default, since somebody waits for it to be refused.
const LEEWAY: u32 = 2;
/// How long keys and feed may take at the start.
const START: Duration = Duration::from_secs(10);
/// Between two looks whether they are there.
const LOOK: Duration = Duration::from_millis(5);

/// What the API has to know, one line of JSON on its standard input: its secret is in no list of processes.
#[derive(Deserialize, Serialize, ZeroizeOnDrop)]
pub(crate) struct Settings {
    /// The service's URL.
    pub(crate) issuer: String,
    /// Who the API is, to those who ask for tokens.
    pub(crate) audience: String,
    /// The client that reads the revocation feed.
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// Serves until the standard input ends: it lives no longer than whoever started it.
pub(crate) async fn run(out: &mut impl Write) -> Result<(), Failure> {
    let (settings, gone) = standard_input();
    let settings = settings.await.map_err(|_| "`daypass demo` starts this, and says what it has to know")?;
    let settings: Settings = serde_json::from_str(&settings)?;
    tokio::select! {
        served = serve(&settings, out) => match served? {},
        // It has ended, however.
        _ = gone => Ok(()),
    }
}

async fn serve(settings: &Settings, out: &mut impl Write) -> Result<Infallible, Failure> {
    let verifier = verifier(settings)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    timeout(START, ready(&verifier))
        .await
        .map_err(|_| "the service's keys and its revocation feed did not come")?;
    writeln!(out, "{GREETING}http://{}", listener.local_addr()?)?;
    out.flush()?;
    axum::serve(listener, router(&verifier)).await?;
    Err("nobody is served any more".into())
}

fn verifier(settings: &Settings) -> Result<Verifier, Failure> {
    let Settings { issuer, audience, client_id, client_secret } = settings;
    let feed = RevocationFeed::new(issuer)
        .credentials(client_id, client_secret)
        .poll_every(POLL)
        .when_stale(WhenStale::Refuse);
    let keys = RemoteKeys::new(format!("{issuer}/.well-known/jwks.json"));
    let verifier = Verifier::builder().issuer(issuer).audience(audience).keys(keys);
    Ok(verifier.leeway_seconds(LEEWAY).revocation(feed).build()?)
}

async fn ready(verifier: &Verifier) {
    loop {
        let health = verifier.health();
        let mut feeds = health.issuers.iter().filter_map(|issuer| issuer.revocations.as_ref());
        if health.is_ready() && feeds.all(|feed| !feed.stale) {
            return;
        }
        sleep(LOOK).await;
    }
}

fn router(verifier: &Verifier) -> Router {
    Router::new().route(HELLO, get(hello)).layer(verifier.layer())
}

async fn hello(caller: Auth) -> impl IntoResponse {
    let body = json!({"sub": caller.subject(), "session": caller.session_id()});
    ([(CONTENT_TYPE, "application/json")], body.to_string())
}

/// The first line of the standard input, and its end.
fn standard_input() -> (oneshot::Receiver<Zeroizing<String>>, oneshot::Receiver<()>) {
    let ((said, line), (open, gone)) = (oneshot::channel(), oneshot::channel());
    // Nobody waits for this thread: the process ends without it.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Zeroizing::new(String::new());
        if input.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && said.send(line).is_ok() {
            // A broken input has ended, too.
            let _ended = io::copy(&mut input, &mut io::sink());
        }
        drop::<oneshot::Sender<()>>(open);
    });
    (line, gone)
}
