//! Asking a server whether it is ready.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Error, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Client, Request};
use crate::process::{Process, indented};

/// How often a starting server is asked.
const INTERVAL: Duration = Duration::from_millis(25);

/// How long one question may take.
const ONE_ANSWER: Duration = Duration::from_secs(3);

/// Asks `question` until it is answered with yes, and tells how long that took.
///
/// # Errors
/// The last answer, if it was not yes within `patience`.
pub(crate) async fn until_yes<A>(patience: Duration, question: impl Fn() -> A) -> io::Result<Duration>
where
    A: Future<Output = io::Result<()>>,
{
    until_yes_asked_every(INTERVAL, patience, question).await
}

/// The same for those who want to know it more exactly: a question fits into every `interval`.
pub(crate) async fn until_yes_asked_every<A>(
    interval: Duration,
    patience: Duration,
    question: impl Fn() -> A,
) -> io::Result<Duration>
where
    A: Future<Output = io::Result<()>>,
{
    let started = Instant::now();
    loop {
        match timeout(ONE_ANSWER, question()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => return Ok(started.elapsed()),
            Err(error) if started.elapsed() > patience => return Err(error),
            Err(_) => sleep(interval).await,
        }
    }
}

/// Asks `question` until it is answered with yes, as long as `process` lives.
pub(crate) async fn until_ready<A>(process: &mut Process, patience: Duration, question: impl Fn() -> A) -> Result<()>
where
    A: Future<Output = io::Result<()>>,
{
    until_ready_asked_every(INTERVAL, process, patience, question).await
}

/// The same for those who want to know it more exactly.
pub(crate) async fn until_ready_asked_every<A>(
    interval: Duration,
    process: &mut Process,
    patience: Duration,
    question: impl Fn() -> A,
) -> Result<()>
where
    A: Future<Output = io::Result<()>>,
{
    tokio::select! {
        answer = until_yes_asked_every(interval, patience, question) => match answer {
            Ok(_) => Ok(()),
            Err(error) => bail!("{}", not_ready(process, &error).await),
        },
        status = process.ended() => bail!("{}", process.obituary(status?).await),
    }
}

/// What to tell of a process that lives but never said yes.
pub(crate) async fn not_ready(process: &Process, error: &io::Error) -> String {
    let lines = indented(&process.last_lines().await);
    format!("{} does not become ready: {error}. Its last lines:\n{lines}", process.name())
}

/// Whether `GET path` on `port` answers 200.
pub(crate) async fn http(port: u16, path: &str) -> io::Result<()> {
    http_at(local(port), path).await
}

/// Whether `GET path` at `address` answers 200.
pub(crate) async fn http_at(address: SocketAddr, path: &str) -> io::Result<()> {
    let answer = Client::new(address).ask(&Request::get(path)).await;
    answer.map(drop).map_err(|lost| io::Error::other(format!("{:#}", Error::from(lost))))
}

/// Whether a MySQL or MariaDB server on `port` greets, which it does only when it takes connections.
pub(crate) async fn mysql(port: u16) -> io::Result<()> {
    /// The version of the protocol, after the packet's length and number.
    const PROTOCOL: (usize, u8) = (4, 10);
    let greeting = exchange(local(port), b"", PROTOCOL.0 + 1).await?;
    if greeting.get(PROTOCOL.0) == Some(&PROTOCOL.1) { Ok(()) } else { Err(io::Error::other("it refuses connections")) }
}

/// Whether a Redis or Valkey server on `port` answers a ping.
pub(crate) async fn redis(port: u16) -> io::Result<()> {
    const PONG: &[u8] = b"+PONG";
    let answer = exchange(local(port), b"PING\r\n", PONG.len()).await?;
    if answer == PONG { Ok(()) } else { Err(io::Error::other("it does not answer PING")) }
}

/// Empties a Redis or Valkey server on `port`.
pub(crate) async fn flush_redis(port: u16) -> io::Result<()> {
    const OK: &[u8] = b"+OK";
    let answer = exchange(local(port), b"FLUSHALL\r\n", OK.len()).await?;
    if answer == OK { Ok(()) } else { Err(io::Error::other("it does not forget")) }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Sends `request` to `address` and reads up to `limit` bytes of the answer.
async fn exchange(address: SocketAddr, request: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(request).await?;
    let mut answer = Vec::new();
    connection.take(limit as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one connection with `answer`.
    async fn answering(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let _ = connection.write_all(answer).await;
            let _ = connection.read(&mut [0; 1024]).await;
        });
        port
    }

    #[tokio::test]
    async fn only_200_is_ready() {
        let ready = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        http(ready, "/readyz").await.unwrap();
        let starting = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"database\":\"down\"}").await;
        let error = http(starting, "/readyz").await.unwrap_err();
        assert_eq!(error.to_string(), "/readyz answers 503 Service Unavailable: {\"database\":\"down\"}");
    }

    #[tokio::test]
    async fn a_database_greets_or_refuses() {
        mysql(answering(b"\x5b\0\0\0\x0a10.11").await).await.unwrap();
        assert!(mysql(answering(b"\x17\0\0\0\xff\x10\x04Too many connections").await).await.is_err());
    }

    #[tokio::test]
    async fn a_cache_answers_or_still_loads() {
        redis(answering(b"+PONG\r\n").await).await.unwrap();
        assert!(redis(answering(b"-LOADING Redis is loading the dataset in memory\r\n").await).await.is_err());
    }
}
