//! The service.

use std::future::poll_fn;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Request, Response, Uri};
use reqwest::Url;
use tower_service::Service;

use super::{BoxError, CloneBody, ReplayBody, ResponseFuture};
use crate::Session;
use crate::call::{Bearer, Verdict};

/// Sends the session's access token with requests to allowed origins, and makes a refused call again, once, by the
/// same rule as [`SessionClient`](crate::call::SessionClient). It follows no redirects.
#[derive(Clone, Debug)]
pub struct SessionService<S, R = CloneBody> {
    pub(super) inner: S,
    pub(super) session: Session,
    pub(super) replay: R,
    pub(super) destination: Option<Url>,
}

impl<S, R, B, A> Service<Request<B>> for SessionService<S, R>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: ReplayBody<B> + Clone + Send + 'static,
    B: Send + 'static,
    A: Send + 'static,
{
    type Response = Response<A>;
    type Error = BoxError;
    type Future = ResponseFuture<Response<A>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready is this one, and not its clone.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let bearer = Bearer::new(&self.session, request.headers());
        let to = destination(request.uri(), self.destination.as_ref());
        let (parts, body) = request.into_parts();
        let again = self.replay.again(&body).map(|body| Request::from_parts(parts.clone(), body));
        let request = Request::from_parts(parts, body);
        ResponseFuture(Box::pin(call(ready, bearer, to, request, again)))
    }
}

async fn call<S, B, A>(
    mut service: S,
    mut bearer: Bearer,
    to: Option<Url>,
    mut request: Request<B>,
    again: Option<Request<B>>,
) -> Result<Response<A>, BoxError>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Error: Into<BoxError>,
{
    if let Some(value) = bearer.authorization(to.as_ref()).await? {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let mut response = service.call(request).await.map_err(Into::into)?;
    match bearer.judge(response.status(), response.headers(), again.is_some()).await? {
        Verdict::Answer => {}
        Verdict::Marked(why) => {
            response.extensions_mut().insert(why);
        }
        Verdict::Replay(value) => {
            if let Some(mut request) = again {
                tracing::debug!("the access token was refused: the call is made again with a new one");
                request.headers_mut().insert(AUTHORIZATION, value);
                poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
                response = service.call(request).await.map_err(Into::into)?;
            }
        }
    }
    Ok(response)
}

/// Where a request goes. `None` if that is not certain.
fn destination(uri: &Uri, otherwise: Option<&Url>) -> Option<Url> {
    let Some(host) = uri.host() else { return otherwise.cloned() };
    let url = Url::parse(&uri.to_string()).ok()?;
    // Who connects goes by the URI: the two readings have to agree.
    let same_host = url.host_str()?.eq_ignore_ascii_case(host);
    let same_port = uri.port_u16().is_none_or(|port| url.port_or_known_default() == Some(port));
    let same_scheme = uri.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case(url.scheme()));
    (same_host && same_port && same_scheme).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_certain_or_none() {
        let otherwise = Url::parse("https://api.example").unwrap();
        let to = |uri: &str| destination(&uri.parse().unwrap(), Some(&otherwise)).map(|url| url.to_string());
        assert_eq!(to("/orders").unwrap(), "https://api.example/");
        assert_eq!(to("https://API.example:443/orders").unwrap(), "https://api.example/orders");
        assert_eq!(to("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080/");
        assert_eq!(to("http://[::1]:8080/").unwrap(), "http://[::1]:8080/");
        // An authority alone, as in CONNECT; and hosts that a URL is read to be another one of.
        for unsure in ["api.example:443", "http://0x7f.1/", "http://2130706433/"] {
            assert_eq!(to(unsure), None, "{unsure}");
        }
        assert_eq!(destination(&"/orders".parse().unwrap(), None), None);
    }
}
