//! One call over `reqwest`: its requests, the one that is repeated, and the redirects between them.

use http::header::AUTHORIZATION;
use reqwest::{Request, Response};

use super::redirect;
use super::replay::{Bearer, Verdict};
use crate::{Session, SessionError};

/// Sends one request and follows no redirect.
pub(crate) trait Transport: Send {
    /// Why there is no answer.
    type Error: Send;

    fn send(&mut self, request: Request) -> impl Future<Output = Result<Response, Self::Error>> + Send;
}

/// What a call is made with.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) session: &'a Session,
    /// How many redirects are followed at most.
    pub(crate) redirects: usize,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    Session(SessionError),
    Transport(E),
    Redirects,
}

impl<E> From<SessionError> for Failure<E> {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl Exchange<'_> {
    /// Makes a call.
    pub(crate) async fn call<T: Transport>(
        &self,
        transport: &mut T,
        mut request: Request,
    ) -> Result<Response, Failure<T::Error>> {
        let mut bearer = Bearer::new(self.session, request.headers());
        let mut followed = 0;
        loop {
            let again = Again::of(&request);
            let response = send(transport, &mut bearer, request, &again).await?;
            if self.redirects == 0 {
                return Ok(response);
            }
            let Some(next) = again.redirected(&response) else { return Ok(response) };
            followed += 1;
            if followed > self.redirects {
                return Err(Failure::Redirects);
            }
            request = next;
        }
    }
}

/// Sends a request with what authorization is due to it, and once more if its token is refused.
async fn send<T: Transport>(
    transport: &mut T,
    bearer: &mut Bearer,
    mut request: Request,
    again: &Again,
) -> Result<Response, Failure<T::Error>> {
    if let Some(value) = bearer.authorization(Some(request.url())).await? {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let mut response = transport.send(request).await.map_err(Failure::Transport)?;
    match bearer.judge(response.status(), response.headers(), again.whole).await? {
        Verdict::Answer => {}
        Verdict::Marked(why) => {
            response.extensions_mut().insert(why);
        }
        Verdict::Replay(value) => {
            if let Some(mut request) = again.request.try_clone() {
                tracing::debug!("the access token was refused: the call is made again with a new one");
                request.headers_mut().insert(AUTHORIZATION, value);
                response = transport.send(request).await.map_err(Failure::Transport)?;
            }
        }
    }
    Ok(response)
}

/// What is kept of a request, as its caller made it, to send it or a part of it again.
struct Again {
    request: Request,
    /// Whether the body is there, if there was one. A stream is not kept.
    whole: bool,
}

impl Again {
    fn of(request: &Request) -> Self {
        if let Some(request) = request.try_clone() {
            return Self { request, whole: true };
        }
        let mut head = Request::new(request.method().clone(), request.url().clone());
        *head.headers_mut() = request.headers().clone();
        *head.version_mut() = request.version();
        *head.timeout_mut() = request.timeout().copied();
        Self { request: head, whole: false }
    }

    /// The request that an answer leads to. `None` if it leads nowhere, or if a body is needed that is gone.
    fn redirected(self, response: &Response) -> Option<Request> {
        let Self { mut request, whole } = self;
        let hop = redirect::next(request.method(), request.url(), response.status(), response.headers())?;
        if hop.body && !whole {
            return None;
        }
        let from = request.url().clone();
        redirect::strip(request.headers_mut(), &from, &hop);
        if !hop.body {
            *request.body_mut() = None;
        }
        *request.method_mut() = hop.method;
        *request.url_mut() = hop.url;
        Some(request)
    }
}

#[cfg(test)]
mod tests;
