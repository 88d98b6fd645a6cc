//! The body of an answer: the service's, or the layer's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of what an [`AuthService`](super::AuthService) answers: the service's, or problem details in JSON
    /// (RFC 9457) for a request that did not reach it.
    #[derive(Debug)]
    pub struct AnswerBody<B> {
        #[pin]
        source: Source<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = SourceProjection]
    enum Source<B> {
        Service { #[pin] body: B },
        Problem { rest: Bytes },
    }
}

impl<B> AnswerBody<B> {
    pub(super) const fn service(body: B) -> Self {
        Self { source: Source::Service { body } }
    }

    pub(super) const fn problem(rest: Bytes) -> Self {
        Self { source: Source::Problem { rest } }
    }
}

impl<B: Body<Data = Bytes>> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().source.project() {
            SourceProjection::Service { body } => body.poll_frame(context),
            SourceProjection::Problem { rest } if rest.is_empty() => Poll::Ready(None),
            SourceProjection::Problem { rest } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(rest))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Service { body } => body.is_end_stream(),
            Source::Problem { rest } => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Service { body } => body.size_hint(),
            Source::Problem { rest } => SizeHint::with_exact(rest.len() as u64),
        }
    }
}
