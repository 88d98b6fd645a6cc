//! A body that breaks off in its middle.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Says that it has the whole body, gives half of it, and fails.
pub(crate) struct Half {
    whole: Bytes,
    stage: Stage,
}

enum Stage {
    First,
    /// Hyper writes out what it has when a body lets it wait, and not before a failure.
    Wait,
    Fail,
}

impl Half {
    pub(crate) fn of(whole: Bytes) -> Self {
        Self { whole, stage: Stage::First }
    }
}

impl Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.stage {
            Stage::First => {
                self.stage = Stage::Wait;
                let half = self.whole.len() / 2;
                Poll::Ready(Some(Ok(Frame::data(self.whole.slice(..half)))))
            }
            Stage::Wait => {
                self.stage = Stage::Fail;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Fail => Poll::Ready(Some(Err(io::Error::other("broken off")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole.len() as u64)
    }
}
