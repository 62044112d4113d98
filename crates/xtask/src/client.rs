//! One client of a service, which keeps its connection open from request to request as a browser or a gateway does.
//!
//! The one subtlety is a connection that the server closes while nothing is asked on it. Where that is known before a
//! request is written, every client library takes a new connection, and so does this one; [`Lost::Unsent`] is the
//! moment between the two. A request that was written and not answered is lost, whoever would dare to repeat it.

use std::net::SocketAddr;

use anyhow::{Context as _, Error, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

type Body = Full<Bytes>;

/// A request, and the status that is right for it.
#[derive(Clone)]
pub(crate) struct Request {
    method: Method,
    path: String,
    token: Option<String>,
    key: Option<String>,
    body: Option<String>,
    expected: StatusCode,
}

/// What was answered, whatever it is.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    /// `GET path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), token: None, key: None, body: None, expected: StatusCode::OK }
    }

    /// `POST path` with a JSON body, or with none.
    pub(crate) fn post<'a>(path: impl Into<String>, body: impl Into<Option<&'a Value>>) -> Self {
        Self { method: Method::POST, body: body.into().map(Value::to_string), ..Self::get(path) }
    }

    /// The same from whom `token` signs in.
    pub(crate) fn by(self, token: &str) -> Self {
        Self { token: Some(format!("Bearer {token}")), ..self }
    }

    /// The same under a key of its own, by which it may be sent again.
    pub(crate) fn under(self, key: String) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Whether it asks for a change.
    pub(crate) fn is_write(&self) -> bool {
        self.method != Method::GET
    }

    /// What is asked for.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The same, rightly answered with `status`.
    pub(crate) fn answered(self, status: StatusCode) -> Self {
        Self { expected: status, ..self }
    }

    fn message(&self) -> Result<hyper::Request<Body>> {
        let mut message =
            hyper::Request::builder().method(&self.method).uri(&self.path).header(HOST, "cloudjet.localhost");
        if let Some(token) = &self.token {
            message = message.header(AUTHORIZATION, token);
        }
        if let Some(key) = &self.key {
            message = message.header("idempotency-key", key);
        }
        if self.body.is_some() {
            message = message.header(CONTENT_TYPE, "application/json");
        }
        let body = self.body.clone().unwrap_or_default();
        message.body(body.into()).with_context(|| format!("{} can't be asked for", self.path))
    }
}

/// Why there is no good answer.
pub(crate) enum Lost {
    /// The connection was closed before the request was written to it: it can be sent again, whatever it is.
    Unsent,
    /// No connection, no answer, half an answer, or another one than expected.
    Failed(Error),
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Unsent => Self::msg("the connection was closed before the request was sent"),
            Lost::Failed(error) => error,
        }
    }
}

/// What `server` answers to one request, by a client that asks nothing else: the JSON of the right answer.
pub(crate) async fn ask(server: SocketAddr, request: &Request) -> Result<Value> {
    let answer = Client::new(server).ask(request).await?;
    serde_json::from_slice(&answer).with_context(|| format!("{} answers no JSON", request.path))
}

/// A client of whoever listens at one address.
pub(crate) struct Client {
    server: SocketAddr,
    connection: Option<SendRequest<Body>>,
}

impl Client {
    /// Connects when it is first needed.
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, connection: None }
    }

    /// The body of the answer to `request`, if it is the right one.
    ///
    /// # Errors
    /// As [`Lost`] has them.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Bytes, Lost> {
        let Answer { status, body, .. } = self.send(request).await?;
        if status == request.expected {
            return Ok(body);
        }
        let told = String::from_utf8_lossy(&body);
        Err(Lost::Failed(Error::msg(format!("{} answers {status}: {told}", request.path))))
    }

    /// Whatever is answered to `request`.
    ///
    /// # Errors
    /// As [`Lost`] has them, but for another answer than expected; the next request begins with a new connection.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Answer, Lost> {
        let mut connection = self.connection().await.map_err(Lost::Failed)?;
        let message = request.message().map_err(Lost::Failed)?;
        let answer = connection.send_request(message).await.map_err(|error| match error {
            error if error.is_canceled() => Lost::Unsent,
            error => Lost::Failed(Error::new(error).context("no answer")),
        })?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| Lost::Failed(Error::new(error).context("half an answer")))?;
        if head.headers.get(CONNECTION).is_none_or(|value| value != "close") {
            self.connection = Some(connection);
        }
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// The connection in use if it is still good, else a new one.
    async fn connection(&mut self) -> Result<SendRequest<Body>> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.server).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let (connection, work) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong there is also told to the request.
        tokio::spawn(work);
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that reads a request and says `answer` to it, on each connection anew.
    async fn saying(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let _ = connection.read(&mut [0; 1024]).await;
                let _ = connection.write_all(answer).await;
            }
        });
        server
    }

    async fn ask_twice(server: SocketAddr) -> [Result<Bytes, Lost>; 2] {
        let (mut client, request) = (Client::new(server), Request::get("/"));
        [client.ask(&request).await, client.ask(&request).await]
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_loses_nothing() {
        let server = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let [first, second] = ask_twice(server).await;
        assert_eq!(first.ok().as_deref(), Some(&b"ok"[..]));
        assert!(!matches!(second, Err(Lost::Failed(_))));
    }

    #[tokio::test]
    async fn a_request_without_its_answer_is_lost() {
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", b"HTTP/1.1 503 Busy\r\n\r\n"] {
            let server = saying(answer).await;
            assert!(ask_twice(server).await.iter().all(|answer| matches!(answer, Err(Lost::Failed(_)))));
        }
        let nobody = (Ipv4Addr::LOCALHOST, crate::services::any_free().unwrap()).into();
        assert!(matches!(ask_twice(nobody).await, [Err(Lost::Failed(_)), Err(Lost::Failed(_))]));
    }
}
