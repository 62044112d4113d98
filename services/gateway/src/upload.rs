//! A request's body on its way to the upstream: frame by frame, up to a limit.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// A body that ends with an error when it grows beyond its limit.
#[derive(Debug)]
pub(crate) struct Upload {
    body: Body,
    left: usize,
}

/// Why a body ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the body is too large")]
    TooLarge,
    #[error("the client's body broke off")]
    Broken(#[source] axum::Error),
}

impl Upload {
    /// `body`, of which at most `limit` bytes pass.
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        Self { body, left: limit }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(UploadError::Broken(error)))),
            Some(Ok(frame)) => frame,
        };
        let left = self.left.checked_sub(frame.data_ref().map_or(0, Bytes::len));
        self.left = left.unwrap_or_default();
        Poll::Ready(Some(left.map(|_| frame).ok_or(UploadError::TooLarge)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
