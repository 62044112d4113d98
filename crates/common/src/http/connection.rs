//! One connection: hyper speaks HTTP on it, and what hyper leaves to others is done here.
//!
//! It leaves clients that are slow: the [`Wire`] between it and the socket notes what the connection waits for, and
//! since when. And it leaves words: the trap is that hyper answers what it can't parse by itself, with a bare status
//! line, before it reports the error. The wire knows that nobody has asked anything at that moment, keeps those bytes
//! to itself, and the client gets a problem document instead. What is refused here never became a request, so its
//! answer knows neither language nor origin.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::Service;
use tower_http::timeout::DeadlineBody;
use uuid::Uuid;

use super::limits::{self, Limits};
use crate::error::ApiError;
use crate::language::Language;
use crate::shutdown::Shutdown;

/// The most that is read before it is looked at, in bytes: a line and headers of the permitted size, and a bit more,
/// so that what is only somewhat too large is refused in the envelope, where its origin and language are known.
const BUFFER: usize = 64 << 10;

/// How long a client that is refused may take to read why.
const PARTING: Duration = Duration::from_secs(1);

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last answer.
    Idle,
    /// A request has begun to come.
    Head,
    /// It is with its handler, or its answer is being given.
    Work,
    /// hyper has the whole answer, and perhaps some of it still to send.
    Sending,
}

/// The notes on a connection. All is noted while hyper is being polled, so who polls it sees every change.
#[derive(Debug)]
struct Notes {
    phase: Phase,
    /// Since when.
    since: Instant,
    /// Since when the client takes nothing although there is something.
    stuck: Option<Instant>,
    /// The status that hyper would have answered by itself.
    unsaid: Option<StatusCode>,
}

#[derive(Clone, Debug)]
struct Progress(Arc<Mutex<Notes>>);

impl Progress {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Notes { phase: Phase::Idle, since: Instant::now(), stuck: None, unsaid: None })))
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut notes = self.notes();
        (notes.phase, notes.since) = (phase, Instant::now());
    }

    /// Comes to an end when the client has kept us waiting for too long.
    async fn overdue(&self, limits: &Limits) {
        let mut sleep = pin!(tokio::time::sleep(limits.idle));
        poll_fn(|context| {
            let Some(deadline) = self.notes().deadline(limits) else { return Poll::Pending };
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            sleep.as_mut().poll(context)
        })
        .await;
    }
}

impl Notes {
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match (self.stuck, self.phase) {
            (Some(since), _) => Some(since + limits.answer),
            (None, Phase::Idle) => Some(self.since + limits.idle),
            (None, Phase::Head) => Some(self.since + limits.head),
            (None, Phase::Work | Phase::Sending) => None,
        }
    }
}

/// Serves one connection until its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, shutdown: Shutdown) {
    let progress = Progress::new();
    let wire = TokioIo::new(Wire { stream, progress: progress.clone() });
    let asked = Asked { router, peer, body: limits.body, progress: progress.clone(), shutdown: shutdown.clone() };
    let mut connection =
        http1::Builder::new().max_buf_size(BUFFER).header_read_timeout(None).serve_connection(wire, asked);

    let (mut overdue, mut closing, mut told) = (pin!(progress.overdue(&limits)), pin!(closing(&shutdown)), false);
    let ended = loop {
        tokio::select! {
            biased;
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break Some(ended),
            () = &mut overdue => break None,
            () = &mut closing, if !told => {
                told = true;
                // A request whose head is coming is still answered, and its answer says `Connection: close`.
                if progress.notes().phase != Phase::Head {
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    };

    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().stream;
    let (phase, stuck, unsaid) = {
        let n = progress.notes();
        (n.phase, n.stuck.is_some(), n.unsaid)
    };
    let refusal = match ended {
        Some(Ok(())) => None,
        Some(Err(error)) => {
            unsaid.map(|status| explain(status, &parts.read_buf)).or_else(|| error.is_parse().then(limits::malformed))
        }
        None if stuck => return reset(&stream),
        None => (matches!(phase, Phase::Idle | Phase::Head) && !is_blank(&parts.read_buf)).then(limits::too_slow),
    };
    match refusal {
        Some(error) => {
            tracing::info!(status = error.status().as_u16(), code = error.code(), client = %peer.ip(), "no request came of it");
            refuse(stream, &error).await;
        }
        None => {
            let _ = stream.shutdown().await;
        }
    }
}

/// Waits until connections are to be closed, and lets what has arrived by then be read.
async fn closing(shutdown: &Shutdown) {
    shutdown.closing().await;
    tokio::task::yield_now().await;
}

/// What hyper would have told with a bare status, in our words.
fn explain(status: StatusCode, unread: &[u8]) -> ApiError {
    match status {
        StatusCode::URI_TOO_LONG => limits::uri_too_long(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if !unread.contains(&b'\n') => limits::uri_too_long(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => limits::headers_too_large(),
        _ => limits::malformed(),
    }
}

/// Whether these bytes begin no request: some clients send a line break too many.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| b"\r\n".contains(b))
}

/// Drops the connection and what the client didn't take.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Answers `error` and hangs up. Reads on for a moment: closed with something unread, the connection would be reset,
/// and the client might never see the answer.
pub(super) async fn refuse(mut stream: TcpStream, error: &ApiError) {
    let _ = tokio::time::timeout(PARTING, async {
        stream.write_all(&written_by_hand(error)).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    })
    .await;
}

/// A whole answer, for a client of whose request nothing is known.
fn written_by_hand(error: &ApiError) -> Vec<u8> {
    let (status, id) = (error.status(), Uuid::now_v7());
    let body = serde_json::to_vec(&error.problem(Language::default(), &id.to_string())).unwrap_or_default();
    let retry = error.wait().map(|wait| format!("retry-after: {}\r\n", wait.as_secs().max(1))).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         x-request-id: {id}\r\n{retry}connection: close\r\n\r\n",
        body.len(),
    );
    [head.into_bytes(), body].concat()
}

/// The router, as hyper asks it.
struct Asked {
    router: Router,
    peer: SocketAddr,
    body: Duration,
    progress: Progress,
    shutdown: Shutdown,
}

impl hyper::service::Service<Request<Incoming>> for Asked {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.progress.enter(Phase::Work);
        let mut request = request.map(|body| {
            if body.is_end_stream() { Body::empty() } else { Body::new(DeadlineBody::new(self.body, body)) }
        });
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (answer, progress, shutdown) =
            (self.router.clone().call(request), self.progress.clone(), self.shutdown.clone());
        Box::pin(async move {
            let mut answer = answer.await?;
            if shutdown.is_announced() || answer.status() == StatusCode::REQUEST_TIMEOUT {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer.map(|body| Answer { body, progress }))
        })
    }
}

/// An answer's body, which notes when hyper has all of it.
struct Answer {
    body: Body,
    progress: Progress,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.progress.enter(Phase::Sending);
    }
}

/// The socket as hyper sees it.
struct Wire {
    stream: TcpStream,
    progress: Progress,
}

impl Wire {
    /// Sends with `write`, unless what is to be sent, which begins with `start`, is hyper's own word.
    fn send(
        &mut self,
        start: &[u8],
        length: usize,
        write: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut notes = self.progress.notes();
        if matches!(notes.phase, Phase::Idle | Phase::Head) {
            notes.unsaid = start.get("HTTP/1.1 ".len()..).and_then(|s| StatusCode::from_bytes(s.get(..3)?).ok());
            return Poll::Ready(Ok(length));
        }
        let written = write(Pin::new(&mut self.stream));
        if written.is_pending() {
            notes.stuck.get_or_insert_with(Instant::now);
        }
        written
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before && self.progress.notes().phase == Phase::Idle {
            self.progress.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.send(bytes, bytes.len(), |stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let start = slices.first().map_or(&[][..], |slice| slice);
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.send(start, length, |stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything so far is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        let sent = {
            let mut notes = self.progress.notes();
            notes.stuck = None;
            notes.phase == Phase::Sending
        };
        if sent {
            self.progress.enter(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
