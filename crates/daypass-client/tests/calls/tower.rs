//! The layer over a service that sends, and what is its own.

use bytes::Bytes;
use daypass_client::Session;
use daypass_client::call::not_replayed;
use daypass_client::tower::{BoxError, OneUse, SessionLayer, SessionService};
use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, Service, ServiceExt as _};

use crate::front::{Answer, Call, Front, Kind, http};
use crate::world::{World, watched};

type Inner = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, reqwest::Error>;

/// The layer for bodies that can be sent again, and that for others.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    cloning: SessionService<Inner>,
    one_use: SessionService<Inner, OneUse>,
}

impl Stack {
    pub(crate) fn new(session: Session) -> Self {
        let inner = inner();
        Self {
            cloning: SessionLayer::new(session.clone()).layer(inner.clone()),
            one_use: SessionLayer::one_use(session).layer(inner),
        }
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer, BoxError> {
        let mut request = Request::new(call.body);
        *request.method_mut() = call.method;
        *request.uri_mut() = call.url.parse().unwrap();
        *request.headers_mut() = call.headers;
        let response = if call.stream {
            self.one_use.clone().oneshot(request).await?
        } else {
            self.cloning.clone().oneshot(request).await?
        };
        let (status, marked) = (response.status().as_u16(), not_replayed(response.extensions()));
        Ok(Answer { status, marked, body: String::from_utf8(response.into_body().to_vec()).unwrap() })
    }
}

/// Sends, and knows nothing of sessions.
fn inner() -> Inner {
    let client = http().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move {
            let response: Response<reqwest::Body> = client.execute(request.try_into()?).await?.into();
            let (parts, body) = response.into_parts();
            let body = http_body_util::BodyExt::collect(body).await?.to_bytes();
            Ok(Response::from_parts(parts, body))
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_the_answer() {
    watched(async {
        let world = World::new(Kind::Tower).await;
        let answer = world.call(Call::get(world.api.moved(302, &world.elsewhere.orders()))).await;
        assert_eq!(answer.status, 302);
        assert!(world.elsewhere.came().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_host_carries_the_token_only_if_its_destination_was_told() {
    watched(async {
        let world = World::new(Kind::Tower).await;
        let Front::Tower(session, _) = &world.front else { unreachable!() };
        // A connection: what it is asked for goes to where it was made.
        let origin = world.api.origin().to_owned();
        let connection = inner().map_request(move |mut request: Request<Bytes>| {
            *request.uri_mut() = format!("{origin}{}", request.uri()).parse().unwrap();
            request
        });
        let untold = SessionLayer::new(session.clone());
        let told = untold.clone().destination(world.api.origin()).unwrap();
        for layer in [untold, told] {
            let response =
                layer.layer(connection.clone()).oneshot(Request::get("/orders").body(Bytes::new()).unwrap());
            assert_eq!(response.await.unwrap().status(), 200);
        }
        assert_eq!(world.api.authorizations(), [String::new(), world.bearer().await]);
        for wrong in [world.elsewhere.origin(), "no url"] {
            assert!(SessionLayer::new(session.clone()).destination(wrong).is_err());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ones_own_kind_is_repeated_as_its_maker_says() {
    watched(async {
        let world = World::new(Kind::Tower).await;
        let Front::Tower(session, _) = &world.front else { unreachable!() };
        world.api.refuse(&world.token().await);
        let again = |body: &Bytes| Some(Bytes::from([b"again: ", &**body].concat()));
        let mut api = SessionLayer::replaying(session.clone(), again).layer(inner());
        let request = Request::post(world.api.orders()).body(Bytes::from("x")).unwrap();
        let response = api.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.into_body(), "POST again: x");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repeated_request_has_the_extensions_of_the_first() {
    watched(async {
        let world = World::new(Kind::Tower).await;
        let Front::Tower(session, _) = &world.front else { unreachable!() };
        world.api.refuse(&world.token().await);
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = std::sync::Arc::clone(&seen);
        let noting = inner().map_request(move |request: Request<Bytes>| {
            noted.lock().unwrap().push(request.extensions().get::<u32>().copied());
            request
        });
        let mut request = Request::get(world.api.orders()).body(Bytes::new()).unwrap();
        request.extensions_mut().insert(7_u32);
        let response = SessionLayer::new(session.clone()).layer(noting).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(*seen.lock().unwrap(), [Some(7), Some(7)]);
    })
    .await;
}
