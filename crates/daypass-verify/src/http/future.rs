//! A request on its way: judged first, then answered.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::answer::answer;
use super::body::AnswerBody;
use super::gate::Gate;
use crate::AuthError;

type Judging<B> = Pin<Box<dyn Future<Output = Result<Request<B>, AuthError>> + Send>>;

pin_project! {
    /// The answer to come of an [`AuthService`](super::AuthService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B, F> {
        Judging { inner: S, gate: Arc<Gate>, judging: Judging<B> },
        Passed { #[pin] answering: F },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    B: Send + 'static,
{
    pub(super) fn new(inner: S, gate: Arc<Gate>, request: Request<B>) -> Self {
        let judging = Box::pin(Arc::clone(&gate).admit(request));
        Self { state: State::Judging { inner, gate, judging } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let answering = match state.as_mut().project() {
                StateProjection::Judging { inner, gate, judging } => {
                    match ready!(judging.as_mut().poll(context)) {
                        Ok(request) => inner.call(request),
                        Err(error) => {
                            let answer = answer(&error, &gate.realm);
                            return Poll::Ready(Ok(answer.map(AnswerBody::problem)));
                        }
                    }
                }
                StateProjection::Passed { answering } => {
                    let answer = ready!(answering.poll(context))?;
                    return Poll::Ready(Ok(answer.map(AnswerBody::service)));
                }
            };
            state.set(State::Passed { answering });
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
