//! The ends of connections: a stream that can be reset, and a body that can break off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A client's connection. When it is dropped, it is reset instead of closed if `reset` says so.
pub(crate) struct Line {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream, reset: Arc<AtomicBool>) -> Self {
        // Without it answers are only slower.
        let _slower = stream.set_nodelay(true);
        Self { stream, reset }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Otherwise it is merely closed.
            let _closed = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// An answer's body: the whole of it, or half and then a failure.
pub(crate) struct AnswerBody {
    whole: Bytes,
    stage: Stage,
}

enum Stage {
    Whole,
    Half,
    /// Hyper writes out what it has when a body lets it wait, and not before a failure.
    Wait,
    Fail,
    Done,
}

impl AnswerBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { stage: if bytes.is_empty() { Stage::Done } else { Stage::Whole }, whole: bytes }
    }

    pub(crate) fn half(bytes: Bytes) -> Self {
        Self { whole: bytes, stage: Stage::Half }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.stage {
            Stage::Whole => {
                self.stage = Stage::Done;
                Poll::Ready(Some(Ok(Frame::data(self.whole.clone()))))
            }
            Stage::Half => {
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
            Stage::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match self.stage {
            Stage::Done => SizeHint::with_exact(0),
            _ => SizeHint::with_exact(self.whole.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What the other end reads when a line is dropped.
    async fn dropped(reset: bool) -> io::Result<usize> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut line = Line::new(stream, Arc::new(AtomicBool::new(reset)));
        client.write_all(b"x").await.unwrap();
        line.read_exact(&mut [0]).await.unwrap();
        drop(line);
        client.read(&mut [0]).await
    }

    #[tokio::test]
    async fn a_line_is_closed_or_reset() {
        assert_eq!(dropped(false).await.unwrap(), 0);
        assert_eq!(dropped(true).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
