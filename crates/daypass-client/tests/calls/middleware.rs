//! What is the middleware's own.

use daypass_client::call::CallError;
use http::Method;

use crate::front::{Call, Front, Kind, http};
use crate::world::{World, watched};

#[tokio::test(flavor = "multi_thread")]
async fn on_a_client_that_follows_redirects_itself_the_first_one_fails() {
    watched(async {
        let world = World::new(Kind::Middleware).await;
        let Front::Middleware(session, _) = &world.front else { unreachable!() };
        let (_theirs, middleware) = session.middleware(http()).unwrap();
        let other = reqwest_middleware::ClientBuilder::new(http().build().unwrap()).with(middleware).build();
        let away = Call::get(world.api.moved(302, &world.elsewhere.orders()));
        let error = other.execute(away.into_request()).await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
        assert!(matches!(error.downcast_ref(), Some(CallError::ForeignRedirect)));
        // Nothing is said of redirects among allowed origins, nor of calls that have no token.
        for url in [
            world.api.moved(302, &world.other.orders()),
            world.elsewhere.moved(302, &world.elsewhere.orders()),
        ] {
            assert_eq!(other.execute(Call::get(url).into_request()).await.unwrap().status(), 200);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_token_is_an_error_of_the_middleware_that_tells_why() {
    watched(async {
        let world = World::signed_out(Kind::Middleware).await;
        let Front::Middleware(_, client) = &world.front else { unreachable!() };
        let error = client.request(Method::GET, world.api.orders()).send().await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
        assert!(error.downcast_ref::<CallError>().unwrap().is_signed_out());
    })
    .await;
}
