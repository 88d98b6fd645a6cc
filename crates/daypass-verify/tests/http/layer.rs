//! The layer as a tower service: what passes is passed on as it came.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use daypass_testkit::Minter;
use daypass_verify::jwt::{Algorithm, KeySet, SigningKey};
use daypass_verify::{StaticKeys, VerifiedToken};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, Service, ServiceExt as _};

use crate::harness::{Harness, builder, request, send, watched};

/// Who is calling, as the layer says.
async fn caller(request: Request<Body>) -> String {
    request.extensions().get::<VerifiedToken>().map_or("nobody", VerifiedToken::subject).to_owned()
}

#[tokio::test]
async fn an_optional_token_may_be_absent_and_must_not_be_bad() {
    let h = Harness::start().await;
    let layer = h.verifier.layer().optional().require_scope("orders");
    let router = Router::new().route("/", get(caller)).layer(layer);
    let good = h.bearer(&h.minter().scope("orders"));
    let table: [(&[&str], u16, &str); 7] = [
        (&[], 200, "nobody"),
        (&["Basic YTpi"], 200, "nobody"),
        (&[&good], 200, "ada"),
        (&[&h.good()], 403, ""),
        (&["Bearer abc"], 401, ""),
        (&["DPoP abc"], 401, ""),
        (&["Bearer"], 400, ""),
    ];
    for (lines, status, body) in table {
        let answer = send(&router, request("/", lines)).await;
        assert_eq!(answer.status, status, "{lines:?}");
        assert!(status != 200 || answer.text() == body, "{lines:?}: {answer:?}");
    }
}

#[tokio::test]
async fn the_token_of_another_verifier_does_not_get_past_a_layer() {
    let h = Harness::start().await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let keys = StaticKeys::from(KeySet::new([key.verifying_key()]).unwrap());
    let other = builder(&h.clock, keys).build().unwrap();
    // As if something outside had left a token that nobody asked this layer's verifier about.
    let token = other.verify(&Minter::new(&h.clock).subject("mallory").mint(&key)).await.unwrap();
    let router = Router::new().route("/", get(caller)).layer(h.verifier.layer().optional());
    let mut request = request("/", &[]);
    request.extensions_mut().insert(token);
    assert_eq!(send(&router, request).await.text(), "nobody");
}

#[tokio::test]
async fn who_prints_the_request_does_not_print_the_token() {
    let h = Harness::start().await;
    let printed = async |request: Request<Body>| format!("{request:?}");
    let router = Router::new().route("/", get(printed)).layer(h.verifier.layer());
    let good = h.good();
    let answer = send(&router, request("/", &[&good])).await;
    assert!(answer.text().contains("authorization") && !answer.text().contains(&good[7..]), "{answer:?}");
}

#[tokio::test]
async fn a_body_goes_through_untouched_and_is_not_read_before_the_token() {
    let h = Harness::start().await;
    let router = Router::new().route("/", post(async |body: Bytes| body)).layer(h.verifier.layer());
    let bearing = |lines: &[&str], body: Body| {
        let mut request = request("/", lines);
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = body;
        request
    };
    let answer = send(&router, bearing(&[&h.good()], Body::from("as it came"))).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "as it came"));
    let answer = send(&router, bearing(&["Bearer abc"], Body::new(Unread))).await;
    assert_eq!(answer.status, 401);
}

/// A body that must not be read.
struct Unread;

impl http_body::Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("it was read")
    }
}

/// A service for any body that insists on being asked whether it is ready, once for each call.
#[derive(Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Request<Unread>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = String;
    type Future = std::future::Ready<Result<Self::Response, String>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Unread>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "it was not asked");
        std::future::ready(match request.uri().path() {
            "/fails" => Err("its own error".to_owned()),
            _ => Ok(Response::new(Full::new(Bytes::from_static(b"its own body")))),
        })
    }
}

#[tokio::test]
async fn any_service_and_any_body_will_do() {
    let h = Harness::start().await;
    let mut service = h.verifier.layer().layer(Strict::default());
    let ask = |path: &str, line: &str| Request::get(path).header("authorization", line).body(Unread).unwrap();
    for _ in 0..2 {
        let answer = service.ready().await.unwrap().call(ask("/", &h.good()));
        let body = watched(answer).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(12));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "its own body");
    }
    let failed = watched(service.ready().await.unwrap().call(ask("/fails", &h.good()))).await;
    assert_eq!(failed.unwrap_err(), "its own error");
    let refused = watched(service.ready().await.unwrap().call(ask("/", "Bearer abc"))).await.unwrap();
    let body = refused.into_body();
    let (size, ended) = (body.size_hint().exact(), body.is_end_stream());
    let bytes = body.collect().await.unwrap().to_bytes();
    assert_eq!((size, ended), (Some(bytes.len() as u64), false));
}
