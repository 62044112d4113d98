//! Bodies pass as they come, either way, and not beyond their limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::post;
use common::http::{Limits, MAX_BODY};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use crate::support::{Gateway, PATIENCE, echo, fed, serve, serve_enveloped, url};

/// Waits a moment for what must come soon.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes soon")
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_before_it_ends() {
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let upstream = Router::new().fallback(async move || body.lock().await.take().unwrap());
    let gateway = Gateway::impatient_before(serve(upstream).await).await;
    let asking = gateway.open(gateway.request(Method::GET, "/api/flights/x").body(Body::empty()).unwrap());
    let mut answer = soon(asking).await.into_body();
    for piece in ["one", "two", "three"] {
        feed.send(Bytes::from(piece)).await.unwrap();
        assert_eq!(soon(answer.frame()).await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    // Longer than the time-out for the answer's beginning.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    feed.send(Bytes::from("four")).await.unwrap();
    drop(feed);
    assert_eq!(soon(answer.collect()).await.unwrap().to_bytes(), "four");
}

#[tokio::test]
async fn an_upload_arrives_piece_by_piece_before_it_ends() {
    let (arrived, mut arrivals) = mpsc::channel(16);
    let upstream = Router::new().fallback(async move |request: Request| {
        let mut body = request.into_body();
        while let Some(Ok(frame)) = body.frame().await {
            arrived.send(frame.into_data().unwrap()).await.unwrap();
        }
        StatusCode::CREATED
    });
    let gateway = Gateway::before(serve(upstream).await).await;
    let (feed, body) = fed();
    let request = gateway.request(Method::POST, "/api/bookings").body(body).unwrap();
    let sending = tokio::spawn(async move { gateway.send(request).await });
    for piece in ["one", "two", "three"] {
        feed.send(Bytes::from(piece)).await.unwrap();
        assert_eq!(soon(arrivals.recv()).await.unwrap(), piece);
    }
    drop(feed);
    assert_eq!(soon(sending).await.unwrap().status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_large_answer_passes_whole() {
    let upstream = Router::new().fallback(async || vec![7_u8; 20 << 20]);
    let answer = Gateway::before(serve(upstream).await).await.get("/api/flights/x").await;
    assert_eq!(answer.header("content-length"), (20 << 20).to_string());
    assert!(answer.body.len() == 20 << 20 && answer.body.iter().all(|b| *b == 7));
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_read_with_and_without_a_length() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    for size in [0, 1, 128 << 10, MAX_BODY] {
        assert_eq!(gateway.post("/api/bookings", vec![b' '; size]).await.json()["length"], size);
        let (feed, body) = fed();
        tokio::spawn(async move {
            for piece in vec![b' '; size].chunks(10_000) {
                feed.send(Bytes::copy_from_slice(piece)).await.unwrap();
            }
        });
        let answer = gateway.post("/api/bookings", body).await.json();
        assert_eq!(answer["length"], size);
    }
}

#[tokio::test]
async fn a_body_whose_length_is_too_much_is_refused() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    gateway.post("/api/bookings", vec![b' '; MAX_BODY + 1]).await.refused(413, "body-too-large");
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_while_it_streams() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let (feed, body) = fed();
    tokio::spawn(async move { while feed.send(Bytes::from(vec![b' '; 10_000])).await.is_ok() {} });
    gateway.post("/api/bookings", body).await.refused(413, "body-too-large");
}

/// Writes twelve mebibytes before it reads a byte, as simple clients do. Answers what it reads then.
async fn written_before_it_reads(gateway: &Gateway, chunked: bool) -> String {
    const SIZE: usize = 12 << 20;
    let framing = if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {SIZE}") };
    let head = format!("POST /api/bookings HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 1 << 16];
    for _ in 0..SIZE / piece.len() {
        if chunked {
            stream.write_all(b"10000\r\n").await.unwrap();
        }
        stream.write_all(&piece).await.unwrap();
        if chunked {
            stream.write_all(b"\r\n").await.unwrap();
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
    let mut answer = vec![0; 4096];
    let length = soon(stream.read(&mut answer)).await.unwrap();
    String::from_utf8(answer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_writes_everything_first_sees_the_refusal_of_its_stream() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let answer = written_before_it_reads(&gateway, true).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body-too-large"), "{answer}");
}

#[tokio::test]
async fn a_client_that_writes_everything_first_sees_the_refusal_of_its_length() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let answer = written_before_it_reads(&gateway, false).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body-too-large"), "{answer}");
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_uploads() {
    let refusal = async || (StatusCode::UNAUTHORIZED, r#"{"message":"no"}"#);
    let upstream = Router::new().route("/api/bookings", post(refusal));
    let gateway = Gateway::before(serve_enveloped(upstream).await).await;
    for _ in 0..20 {
        let answer = gateway.post("/api/bookings", vec![b' '; MAX_BODY]).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (401, &br#"{"message":"no"}"#[..]));
    }
}

#[tokio::test]
async fn a_client_that_has_heard_enough_ends_the_upstreams_answer() {
    let (feed, body) = fed();
    let body = Arc::new(Mutex::new(Some(body)));
    let upstream = Router::new().fallback(async move || body.lock().await.take().unwrap());
    let gateway = Gateway::before(serve(upstream).await).await;
    let answer = gateway.open(gateway.request(Method::GET, "/api/flights/x").body(Body::empty()).unwrap()).await;
    feed.send(Bytes::from("one")).await.unwrap();
    drop(answer);
    soon(async { while feed.send(Bytes::from(vec![0; 1 << 16])).await.is_ok() {} }).await;
}

#[tokio::test]
async fn many_at_once_get_their_own_answers() {
    let most = Arc::new(AtomicUsize::new(0));
    let under_way = Arc::new(AtomicUsize::new(0));
    let upstream = {
        let (most, under_way) = (Arc::clone(&most), Arc::clone(&under_way));
        Router::new().fallback(async move |request: Request| {
            most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            request.into_body().collect().await.unwrap().to_bytes()
        })
    };
    let gateway = Gateway::before(serve(upstream).await).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..300 {
        let gateway = gateway.clone();
        calls.spawn(async move {
            let body = format!("{n}").repeat(n + 1);
            let answer = gateway.post("/api/bookings", body.clone()).await;
            assert!(answer.status == StatusCode::OK && answer.body == body, "{n}: {answer:?}");
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert!(most.load(Ordering::SeqCst) > 20, "they were not asked at once: {most:?}");
}

#[tokio::test]
async fn a_body_that_stalls_is_the_clients_fault() {
    let limits = Limits { body: Duration::from_millis(200), ..Limits::default() };
    let upstream = url(serve(echo("booking")).await);
    let gateway = Gateway::within(limits, &[("BOOKING_SERVICE_URL", &upstream)]).await;
    let (feed, body) = fed();
    feed.send(Bytes::from("{")).await.unwrap();
    let request = gateway.request(Method::POST, "/api/bookings").body(body).unwrap();
    gateway.send(request).await.refused(408, "request-timeout");
}
