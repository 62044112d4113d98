//! The server over real sockets: what becomes of clients that are slow, greedy or too many, and of those who are there
//! when it stops.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use clap::Parser;
use common::config::{self, Http};
use common::http::{Envelope, Json, Limits, Server, Work, cors, wrap};
use common::shutdown::Shutdown;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// Long enough never to be waited for.
const LONG: Duration = Duration::from_mins(1);

/// Short enough to be waited for, and long enough for what should come before.
const SHORT: Duration = Duration::from_millis(150);

const PATIENT: Limits = Limits { connections: 100, requests: 100, idle: LONG, head: LONG, body: LONG, answer: LONG };

const ORIGIN: &str = "https://cloudjet.click";

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    http: Http,
}

/// A server that works, and what the test holds of it.
struct Served {
    address: SocketAddr,
    shutdown: Shutdown,
    work: Work,
    ended: JoinHandle<()>,
    /// Hears of every request to `/wait` that has reached its handler.
    waiting: mpsc::UnboundedReceiver<()>,
    /// Lets one of those go on.
    go_on: Arc<Notify>,
}

async fn serve(limits: Limits) -> Served {
    let (arrived, waiting) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let goes_on = Arc::clone(&go_on);
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/api/test/health", get(async || "healthy"))
        .route("/echo", post(async |Json(body): Json<Value>| Json(body)))
        .route("/large", get(async || Body::from(Bytes::from(vec![b'x'; LARGE]))))
        .route(
            "/wait",
            get(async move || {
                arrived.send(()).unwrap();
                goes_on.notified().await;
                "at last"
            }),
        );
    let settings: Settings = config::load(&[], &BTreeMap::new()).unwrap();
    let envelope = Envelope { service: "probe", timeout: LONG, trusted_proxy_hops: 0 };
    let work = Work::at_most(limits.requests);
    let router = wrap(work.count(router), envelope).layer(cors::layer(&settings.http).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::default());
    let ended = tokio::spawn(Server::new(router, limits).serve(listener, shutdown.clone()));
    Served { address, shutdown, work, ended, waiting, go_on }
}

/// More than the sockets on both sides keep for a client that doesn't read.
const LARGE: usize = 64 << 20;

impl Served {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// What comes back for `request` on a connection of its own.
    async fn answer(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    /// A connection whose request has reached its handler.
    async fn at_work(&mut self) -> Client {
        let mut client = self.connect().await;
        client.send(&request("GET /wait")).await;
        self.waiting.recv().await.unwrap();
        client
    }
}

/// A client that says what it is told to, byte by byte.
struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The next answer.
    async fn answer(&mut self) -> Answer {
        soon(async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                head.push(self.0.read_u8().await.unwrap_or_else(|e| panic!("{e} after {head:?}")).into());
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let mut body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut body).await.unwrap();
            Answer { head, body: String::from_utf8(body).unwrap() }
        })
        .await
    }

    /// Asserts that the server has closed the connection in order, without another word.
    async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

#[derive(Debug)]
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn says(&self, header: &str) -> bool {
        self.head.contains(&format!("\r\n{header}\r\n"))
    }

    /// Asserts a problem document that people and programs can read.
    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert!(self.says("content-type: application/problem+json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.into())), "{self:?}");
        assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{self:?}");
        assert!(self.says(&format!("x-request-id: {}", body["request_id"].as_str().unwrap())), "{self:?}");
    }
}

/// What must come to its end, however slow the machine.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it should have ended long ago")
}

/// A request's head, from a page of the airline's.
fn request(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: test\r\nOrigin: {ORIGIN}\r\n\r\n")
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_408() {
    let server = serve(Limits { head: SHORT, ..PATIENT }).await;
    for part in ["G", "GET / HTTP/1.1\r\nHost: test\r\n"] {
        let mut client = server.connect().await;
        client.send(part).await;
        let answer = client.answer().await;
        answer.refused(408, "request-timeout");
        assert!(answer.says("connection: close"), "{answer:?}");
        client.is_closed().await;
    }
}

#[tokio::test]
async fn dripping_does_not_make_a_head_any_slower() {
    let server = serve(Limits { head: SHORT, ..PATIENT }).await;
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nX-Drip: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut answer = String::new();
    soon(reader.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    dripping.abort();
}

#[tokio::test]
async fn a_connection_may_rest_longer_than_a_head_may_take() {
    let server = serve(Limits { head: SHORT, ..PATIENT }).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        tokio::time::sleep(2 * SHORT).await;
        client.send(&request("GET /")).await;
        assert_eq!(client.answer().await.body, "hello");
    }
}

#[tokio::test]
async fn a_connection_that_rests_too_long_is_closed_without_a_word() {
    let server = serve(Limits { idle: SHORT, head: SHORT, ..PATIENT }).await;
    server.connect().await.is_closed().await;
    let mut client = server.connect().await;
    client.send(&request("GET /")).await;
    assert_eq!(client.answer().await.body, "hello");
    client.send("\r\n").await;
    client.is_closed().await;
}

#[tokio::test]
async fn a_body_that_stalls_or_drips_is_408() {
    let server = serve(Limits { body: SHORT, ..PATIENT }).await;
    let head = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    let mut stalling = server.connect().await;
    stalling.send(head).await;
    let answer = stalling.answer().await;
    answer.refused(408, "request-timeout");
    assert!(answer.says("connection: close"), "{answer:?}");

    let mut client = server.connect().await;
    client.send(head).await;
    let (mut reader, mut writer) = client.0.into_split();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut answer = [0; 12];
    soon(reader.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    dripping.abort();
}

#[tokio::test]
async fn who_does_not_take_an_answer_loses_it() {
    let server = serve(Limits { answer: SHORT, ..PATIENT }).await;
    let mut client = server.connect().await;
    client.send(&request("GET /large")).await;
    server.shutdown.close();
    soon(server.ended).await.unwrap();
    let mut taken = Vec::new();
    let read = client.0.read_to_end(&mut taken).await;
    assert!(taken.len() < LARGE, "all of it, {read:?}");
}

#[tokio::test]
async fn who_takes_a_large_answer_gets_all_of_it() {
    let server = serve(PATIENT).await;
    assert_eq!(server.answer(&request("GET /large")).await.body.len(), LARGE);
}

#[tokio::test]
async fn a_head_that_is_somewhat_too_large_is_refused_so_that_a_browser_sees_it() {
    let server = serve(PATIENT).await;
    let long_line = request(&format!("GET /?{}", "x".repeat(9 << 10)));
    let nowhere = request(&format!("GET /nowhere/{}", "x".repeat(9 << 10)));
    let fields = format!("GET / HTTP/1.1\r\nOrigin: {ORIGIN}\r\nX-Large: {}\r\n\r\n", "x".repeat(40 << 10));
    for (sent, status, code) in
        [(long_line, 414, "uri-too-long"), (nowhere, 414, "uri-too-long"), (fields, 431, "headers-too-large")]
    {
        let answer = server.answer(&sent).await;
        answer.refused(status, code);
        assert!(answer.says(&format!("access-control-allow-origin: {ORIGIN}")), "{answer:?}");
    }
    let acceptable = format!("GET /?{} HTTP/1.1\r\nX-Large: {}\r\n\r\n", "x".repeat(8000), "x".repeat(32_000));
    assert_eq!(server.answer(&acceptable).await.body, "hello");
}

#[tokio::test]
async fn a_head_that_is_much_too_large_is_refused_all_the_same() {
    let server = serve(PATIENT).await;
    let endless_line = format!("GET /{}", "x".repeat(200 << 10));
    let large = format!("GET / HTTP/1.1\r\nX-Large: {}\r\n\r\n", "x".repeat(200 << 10));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: x\r\n".repeat(101));
    for (sent, status, code) in
        [(endless_line, 414, "uri-too-long"), (large, 431, "headers-too-large"), (many, 431, "headers-too-large")]
    {
        server.answer(&sent).await.refused(status, code);
    }
    let hundred = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: x\r\n".repeat(100));
    assert_eq!(server.answer(&hundred).await.body, "hello");
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = serve(PATIENT).await;
    for nonsense in [
        "what?\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(nonsense).await;
        client.answer().await.refused(400, "malformed-request");
        client.is_closed().await;
        // After a good request, too.
        let mut client = server.connect().await;
        client.send(&request("GET /")).await;
        assert_eq!(client.answer().await.body, "hello");
        client.send(nonsense).await;
        client.answer().await.refused(400, "malformed-request");
    }
}

#[tokio::test]
async fn requests_are_answered_in_the_order_they_came_on_one_connection() {
    let server = serve(PATIENT).await;
    let mut client = server.connect().await;
    let body = "POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    client.send(&[&request("GET /"), body, &request("GET /nowhere"), "what?\r\n\r\n"].concat()).await;
    assert_eq!(client.answer().await.body, "hello");
    assert_eq!(client.answer().await.body, "{\"a\":1}");
    client.answer().await.refused(404, "not-found");
    client.answer().await.refused(400, "malformed-request");
    client.is_closed().await;
}

#[tokio::test]
async fn a_body_is_asked_for_where_the_client_waits_for_that() {
    let server = serve(PATIENT).await;
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 100);
    client.send("{}").await;
    assert_eq!(client.answer().await.body, "{}");
}

#[tokio::test]
async fn connections_beyond_the_cap_are_told_to_come_back() {
    let server = serve(Limits { connections: 1, ..PATIENT }).await;
    let mut first = server.connect().await;
    first.send(&request("GET /")).await;
    assert_eq!(first.answer().await.body, "hello");

    let mut second = server.connect().await;
    let answer = second.answer().await;
    answer.refused(503, "overloaded");
    assert!(answer.says("retry-after: 1") && answer.says("connection: close"), "{answer:?}");
    second.is_closed().await;
    first.send(&request("GET /")).await;
    assert_eq!(first.answer().await.body, "hello");

    drop(first);
    soon(async { while server.answer(&request("GET /")).await.status() == 503 {} }).await;
}

#[tokio::test]
async fn requests_beyond_the_cap_are_told_to_come_back_but_health_always_answers() {
    let mut server = serve(Limits { requests: 1, ..PATIENT }).await;
    let mut first = server.at_work().await;

    let answer = server.answer(&request("GET /")).await;
    answer.refused(503, "overloaded");
    assert!(answer.says("retry-after: 1"), "{answer:?}");
    assert!(answer.says(&format!("access-control-allow-origin: {ORIGIN}")), "{answer:?}");
    assert_eq!(server.answer(&request("GET /api/test/health")).await.body, "healthy");

    server.go_on.notify_one();
    assert_eq!(first.answer().await.body, "at last");
    assert_eq!(server.answer(&request("GET /")).await.body, "hello");
}

#[tokio::test]
async fn work_counts_until_it_is_done_even_when_its_client_is_gone() {
    let mut server = serve(Limits { requests: 1, ..PATIENT }).await;
    drop(server.at_work().await);
    server.answer(&request("GET /")).await.refused(503, "overloaded");
    assert!(tokio::time::timeout(SHORT, server.work.finished()).await.is_err());
    server.go_on.notify_one();
    soon(server.work.finished()).await;
}

#[tokio::test]
async fn once_leaving_is_announced_every_answer_says_goodbye() {
    let server = serve(PATIENT).await;
    let mut client = server.connect().await;
    client.send(&request("GET /")).await;
    assert!(!client.answer().await.says("connection: close"));
    server.shutdown.announce();
    client.send(&request("GET /")).await;
    let answer = client.answer().await;
    assert!(answer.says("connection: close") && answer.body == "hello", "{answer:?}");
    client.is_closed().await;
    assert_eq!(server.answer(&request("GET /")).await.body, "hello", "who comes is still served");
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_closes_what_rests() {
    let mut server = serve(PATIENT).await;
    let mut fresh = server.connect().await;
    let mut resting = server.connect().await;
    resting.send(&request("GET /")).await;
    assert_eq!(resting.answer().await.body, "hello");
    let mut working = server.at_work().await;
    let mut beginning = server.connect().await;
    beginning.send("GET / HTTP/1.1\r\n").await;
    // A connection of later date is served, so that one has been read from.
    assert_eq!(server.answer(&request("GET /")).await.body, "hello");

    server.shutdown.close();
    fresh.is_closed().await;
    resting.is_closed().await;
    assert!(!server.ended.is_finished());
    beginning.send("\r\n").await;
    let answer = beginning.answer().await;
    assert!(answer.says("connection: close") && answer.body == "hello", "{answer:?}");

    server.go_on.notify_one();
    let answer = working.answer().await;
    assert!(answer.says("connection: close") && answer.body == "at last", "{answer:?}");
    working.is_closed().await;
    soon(server.ended).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "somebody still listens");
}

#[tokio::test]
async fn what_has_arrived_when_it_stops_is_answered() {
    for _ in 0..50 {
        let server = serve(PATIENT).await;
        let mut known = server.connect().await;
        known.send(&request("GET /")).await;
        assert_eq!(known.answer().await.body, "hello");
        let mut new = server.connect().await;
        new.send(&request("GET /")).await;
        known.send(&request("GET /")).await;
        server.shutdown.close();
        for client in [&mut known, &mut new] {
            assert_eq!(client.answer().await.body, "hello");
            client.is_closed().await;
        }
        soon(server.ended).await.unwrap();
    }
}
