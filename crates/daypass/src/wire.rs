//! A small HTTP/1.1 client: one kept-alive connection, nothing hidden. `bench` measures with it and `demo` tells
//! its story with it, so it neither follows redirects nor repeats a request that may have reached the service.

mod target;

use std::fmt::{self, Write as _};
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

pub(crate) use self::target::{Target, TargetError};

/// How long one call may take, connecting included.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);
/// The largest body that is read; no answer of the service comes near it.
const BODY_LIMIT: usize = 1 << 20;

/// One connection to one service, opened at the first call and again whenever it was lost.
pub(crate) struct Wire {
    target: Target,
    limit: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Wire {
    /// Connects at the first call.
    pub(crate) fn new(target: Target) -> Self {
        Self { target, limit: CALL_LIMIT, connection: None }
    }

    /// The same with another time-out.
    #[cfg(test)]
    fn with_limit(target: Target, limit: Duration) -> Self {
        Self { limit, ..Self::new(target) }
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post_json(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<Answer, WireError> {
        let body = serde_json::to_vec(body).map_err(WireError::Unsendable)?;
        self.call(Method::POST, path, headers, Some(("application/json", body.into()))).await
    }

    /// `POST` with a form body.
    pub(crate) async fn post_form(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        members: &[(&str, &str)],
    ) -> Result<Answer, WireError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
        self.call(Method::POST, path, headers, Some(("application/x-www-form-urlencoded", body.into()))).await
    }

    /// `GET`.
    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, WireError> {
        self.call(Method::GET, path, headers, None).await
    }

    /// Sends a `POST` with a JSON body over a connection of its own, waits until the answer has reached this machine,
    /// and hangs up without having read any of it. Whether an answer had come: it is lost in any case.
    pub(crate) async fn abandon(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<bool, WireError> {
        let body = serde_json::to_string(body).map_err(WireError::Unsendable)?;
        let (path, authority) = (self.target.path(path), self.target.authority());
        let mut head =
            format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n");
        for (name, value) in headers {
            // Writing to a string cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let sending = async {
            let mut stream = TcpStream::connect(self.target.address()).await.map_err(WireError::Connect)?;
            stream.write_all(request.as_bytes()).await.map_err(WireError::Connect)?;
            // Looks, and leaves the byte where it is.
            Ok(stream.peek(&mut [0]).await.is_ok_and(|waiting| waiting > 0))
        };
        within(self.limit, sending).await
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Answer, WireError> {
        let request = self.target.request(method, path, headers, body)?;
        // Taken out for the length of the call: a call that fails or is dropped half-way leaves no connection
        // behind on which the next call could read the wrong answer.
        let kept = self.connection.take();
        let (connection, answer) = within(self.limit, self.exchange(kept, request)).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn exchange(
        &self,
        kept: Option<SendRequest<Full<Bytes>>>,
        request: Request<Full<Bytes>>,
    ) -> Result<(SendRequest<Full<Bytes>>, Answer), WireError> {
        let mut request = request;
        if let Some(mut connection) = kept
            && connection.ready().await.is_ok()
        {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((connection, Answer::read(response).await?)),
                // The service closed the idle connection before any of this was written: safe to send anew.
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(WireError::Broken(failure.into_error())),
                },
            }
        }
        let mut connection = self.dial().await?;
        let response = connection.send_request(request).await.map_err(WireError::Broken)?;
        Ok((connection, Answer::read(response).await?))
    }

    async fn dial(&self) -> Result<SendRequest<Full<Bytes>>, WireError> {
        let stream = TcpStream::connect(self.target.address()).await.map_err(WireError::Connect)?;
        stream.set_nodelay(true).map_err(WireError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(WireError::Broken)?;
        // Its end shows at the sender, which is where this client looks.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn read(response: http::Response<hyper::body::Incoming>) -> Result<Self, WireError> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(WireError::Body)?.to_bytes();
        Ok(Self { status: head.status, headers: head.headers, body })
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        serde_json::from_slice(&self.body).map_err(WireError::NotJson)
    }

    /// A header's value, when it is text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Status and code of a refusal, out of either form that errors have: `400 invalid_grant reused`.
    pub(crate) fn refusal(&self) -> String {
        let body: Value = self.json().unwrap_or(Value::Null);
        let member = |name: &str| body.get(name).and_then(Value::as_str);
        let problem = member("type").and_then(|kind| kind.rsplit(':').next());
        let words = [member("error").or(problem), member("reason")];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        format!("{} {words}", self.status.as_u16()).trim_end().to_owned()
    }

    /// How long the service asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER)?.parse().ok().map(Duration::from_secs)
    }
}

// The body and some headers hold tokens.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why a call brought no answer. After [`Broken`](WireError::Broken), [`Body`](WireError::Body) and
/// [`TimedOut`](WireError::TimedOut) the service may have acted on it all the same.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("could not connect: {0}")]
    Connect(#[source] std::io::Error),
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("the connection broke: {0}")]
    Broken(#[source] hyper::Error),
    #[error("the answer broke off: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer is not the expected JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("the request could not be written as JSON")]
    Unsendable(#[source] serde_json::Error),
    #[error("the request is malformed")]
    Malformed(#[from] http::Error),
}

impl WireError {
    /// A stable word for tallies.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::TimedOut(_) => "time-out",
            Self::Broken(_) | Self::Body(_) => "broken",
            Self::NotJson(_) => "not-json",
            Self::Unsendable(_) | Self::Malformed(_) => "request",
        }
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, WireError>>,
) -> Result<T, WireError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(WireError::TimedOut(limit)))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use tokio::net::TcpListener;

    use super::*;

    #[derive(Default)]
    struct Seen {
        connections: AtomicU64,
        requests: AtomicU64,
    }

    /// Echoes; `/slow` never answers, and `/last` is the last answer of its connection.
    async fn echo() -> (Target, Arc<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/auth/", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Seen::default());
        let counts = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counts.connections.fetch_add(1, Ordering::Relaxed);
                let counts = Arc::clone(&counts);
                let service = service_fn(move |request| answer(Arc::clone(&counts), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        (target, seen)
    }

    async fn answer(
        seen: Arc<Seen>,
        request: Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Infallible> {
        seen.requests.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path().to_owned();
        if path.ends_with("/slow") {
            std::future::pending::<()>().await;
        }
        let told = ["host", "content-type", "x-probe"].map(|name| {
            request.headers().get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        });
        let method = request.method().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::json!({"path": path, "method": method.as_str(), "told": told,
            "body": String::from_utf8_lossy(&body)});
        let mut response = http::Response::builder().header("retry-after", "3");
        if path.ends_with("/last") {
            response = response.header("connection", "close");
        }
        Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
    }

    #[tokio::test]
    async fn calls_share_one_connection_and_reach_below_the_base_path() {
        let (target, seen) = echo().await;
        let mut wire = Wire::new(target.clone());
        let probe = [("x-probe", "1")];
        let json = wire.post_json("/v1/login", &probe, &serde_json::json!({"a": 1})).await.unwrap();
        let form = wire.post_form("/oauth2/token", &[], &[("a", "1 &2"), ("b", "ü")]).await.unwrap();
        let got = wire.get("/v1/me", &[]).await.unwrap();
        let texts = [&json, &form, &got].map(|answer| answer.json::<serde_json::Value>().unwrap());
        assert_eq!(texts[0]["path"], "/auth/v1/login");
        assert_eq!(
            texts[0]["told"],
            serde_json::json!([target.authority(), "application/json", "1"]),
            "host, type and extra header"
        );
        assert_eq!(texts[0]["body"], r#"{"a":1}"#);
        assert_eq!(texts[1]["body"], "a=1+%262&b=%C3%BC");
        assert_eq!((&texts[1]["method"], &texts[2]["method"]), (&"POST".into(), &"GET".into()));
        assert_eq!(got.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(seen.connections.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_abandoned_call_reaches_the_service() {
        let (target, seen) = echo().await;
        let wire = Wire::new(target);
        assert!(wire.abandon("/v1/refresh", &[("x-probe", "1")], &1).await.unwrap());
        assert_eq!(seen.requests.load(Ordering::Relaxed), 1);
        let failure =
            Wire::with_limit(wire.target, Duration::from_millis(50)).abandon("/slow", &[], &1).await;
        assert_eq!(failure.unwrap_err().kind(), "time-out");
    }

    #[tokio::test]
    async fn a_closed_connection_is_opened_again() {
        let (target, seen) = echo().await;
        let mut wire = Wire::new(target);
        wire.get("/last", &[]).await.unwrap();
        wire.get("/v1/me", &[]).await.unwrap();
        wire.get("/v1/me", &[]).await.unwrap();
        assert_eq!((seen.connections.load(Ordering::Relaxed), seen.requests.load(Ordering::Relaxed)), (2, 3));
    }

    #[tokio::test]
    async fn a_silent_service_times_out_and_the_next_call_starts_afresh() {
        let (target, seen) = echo().await;
        let mut wire = Wire::with_limit(target, Duration::from_millis(100));
        let failure = wire.get("/slow", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), "time-out");
        assert_eq!(failure.to_string(), "no answer within 0.1 s");
        wire.get("/v1/me", &[]).await.unwrap();
        assert_eq!(seen.connections.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_connection_cut_inside_a_call_is_reported_and_not_repeated() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let cutter = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
            drop(stream);
            listener
        });
        let failure = Wire::new(target.clone()).get("/v1/me", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), "broken");
        drop(cutter.await.unwrap());
        let failure = Wire::new(target).get("/v1/me", &[]).await.unwrap_err();
        assert_eq!(failure.kind(), "connect");
    }

    #[test]
    fn an_answer_keeps_its_body_out_of_debug_output() {
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"dpr_secret"),
        };
        assert_eq!(format!("{answer:?}"), "Answer { status: 200, body_bytes: 10, .. }");
    }
}
