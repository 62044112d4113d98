//! When an upstream is away, slow or broken: what a client hears, and that nothing is done twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use testkit::Port;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Gateway, PATIENCE, by_hand, read_request, serve};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn an_upstream_that_is_away_is_503_and_worth_another_try() {
    let nobody = Port::kept();
    let gateway = Gateway::before(nobody.address()).await;
    for path in ["/api/admin/flights", "/api/health"] {
        let answer = gateway.get(path).await;
        answer.refused(503, "upstream-unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(answer.json()["message"].as_str().unwrap().contains("서비스"));
    }
    let request = gateway.request(Method::POST, "/api/bookings").header("accept-language", "en");
    let answer = gateway.send(request.body(Body::from("{}")).unwrap()).await;
    answer.refused(503, "upstream-unavailable");
    assert!(answer.json()["message"].as_str().unwrap().contains("unavailable"));

    // It comes back, and so do its answers.
    let listener = nobody.listen().await;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || "back")).await });
    assert_eq!(gateway.get("/api/health").await.body, "back");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up_soon() {
    // Reserved for documentation: nobody is there; a network may also say so at once.
    let gateway = Gateway::start(&[("AUTH_SERVICE_URL", "http://192.0.2.1:5001")]).await;
    let started = Instant::now();
    gateway.get("/api/auth/x").await.refused(503, "upstream-unavailable");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_upstream_that_takes_too_long_is_504() {
    let upstream = Router::new().fallback(async || tokio::time::sleep(Duration::from_mins(2)).await);
    let gateway = Gateway::impatient_before(serve(upstream).await).await;
    let started = Instant::now();
    gateway.post("/api/bookings", "{}").await.refused(504, "upstream-timeout");
    assert!((1.0..5.0).contains(&started.elapsed().as_secs_f64()));
}

#[tokio::test]
async fn an_answer_that_is_none_is_502() {
    for said in [
        &b""[..],
        b"what?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let upstream = by_hand(async move |mut stream, _| {
            read_request(&mut stream).await;
            stream.write_all(said).await.unwrap();
        })
        .await;
        let gateway = Gateway::before(upstream).await;
        gateway.get("/api/flights/x").await.refused(502, "upstream-broken");
        gateway.post("/api/bookings", "{}").await.refused(502, "upstream-broken");
    }
}

/// An upstream whose first connection answers once, and at the second request goes away without a word. Counts the
/// requests it read. Later connections answer everything.
async fn forgetful() -> (SocketAddr, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let address = by_hand(move |mut stream, number| {
        let count = Arc::clone(&count);
        async move {
            while !read_request(&mut stream).await.is_empty() {
                if count.fetch_add(1, Ordering::SeqCst) > 0 && number == 1 {
                    return;
                }
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    (address, read)
}

#[tokio::test]
async fn a_request_that_only_reads_is_repeated_when_its_connection_breaks() {
    let (upstream, read) = forgetful().await;
    let gateway = Gateway::before(upstream).await;
    assert_eq!(gateway.get("/api/flights/x").await.body, "ok");
    assert_eq!(gateway.get("/api/flights/x").await.body, "ok");
    assert_eq!(read.load(Ordering::SeqCst), 3, "the second was sent twice");
}

#[tokio::test]
async fn a_write_is_never_sent_twice() {
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let (upstream, read) = forgetful().await;
        let gateway = Gateway::before(upstream).await;
        assert_eq!(gateway.get("/api/flights/x").await.body, "ok");
        let request = gateway.request(method, "/api/bookings").body(Body::empty()).unwrap();
        gateway.send(request).await.refused(502, "upstream-broken");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(read.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_nobody_an_error() {
    // Each connection answers once and is closed without warning.
    let upstream = by_hand(async |mut stream: TcpStream, _| {
        if !read_request(&mut stream).await.is_empty() {
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let gateway = Gateway::before(upstream).await;
    for _ in 0..50 {
        let answer = gateway.post("/api/bookings", Body::empty()).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"ok"[..]), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let upstream = by_hand(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            while !read_request(&mut stream).await.is_empty() {
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    let gateway = Gateway::before(upstream).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/flights/x").await.body, "ok");
    }
    assert!(connections.load(Ordering::SeqCst) <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_undo_its_write() {
    let (started, mut starts) = tokio::sync::mpsc::channel(1);
    let (done, mut ends) = tokio::sync::mpsc::channel(1);
    let upstream = Router::new().fallback(async move |body: String| {
        started.send(()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        done.send(body).await.unwrap();
    });
    let gateway = Gateway::before(serve(upstream).await).await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(b"POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    starts.recv().await.unwrap();
    drop(client);
    let body = tokio::time::timeout(PATIENCE, ends.recv()).await.unwrap();
    assert_eq!(body.as_deref(), Some("{}"));
}

#[tokio::test]
async fn half_a_body_is_never_taken_for_a_whole_one() {
    let (seen, mut outcomes) = tokio::sync::mpsc::channel(2);
    let upstream = Router::new().fallback(async move |request: axum::extract::Request| {
        let whole = axum::body::to_bytes(request.into_body(), usize::MAX).await.is_ok();
        seen.send(whole).await.unwrap();
    });
    let gateway = Gateway::before(serve(upstream).await).await;
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        let head = format!("POST /api/bookings HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n2\r\n{{}}\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(client);
        let whole = tokio::time::timeout(PATIENCE, outcomes.recv()).await.unwrap();
        assert_eq!(whole, Some(false), "{framing}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let upstream = by_hand(async |mut stream, _| {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
    })
    .await;
    let gateway = Gateway::before(upstream).await;
    let answer = gateway.open(gateway.request(Method::GET, "/api/flights/x").body(Body::empty()).unwrap()).await;
    assert!(http_body_util::BodyExt::collect(answer.into_body()).await.is_err());
}
