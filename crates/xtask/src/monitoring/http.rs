//! Asking Prometheus and Alertmanager, which answer in JSON.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What a request carries.
pub(super) enum Body<'a> {
    /// Nothing: it is a GET.
    None,
    Form(&'a [(&'a str, &'a str)]),
    Json(&'a Value),
}

/// What `server` answers; null where that is nothing.
pub(super) async fn ask(server: SocketAddr, path: &str, body: Body<'_>) -> Result<Value> {
    let (method, kind, body) = match body {
        Body::None => ("GET", "text/plain", String::new()),
        Body::Form(pairs) => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            ("POST", "application/x-www-form-urlencoded", form)
        }
        Body::Json(json) => ("POST", "application/json", json.to_string()),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, server.to_string())
        .header(CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(body)))?;
    let stream = TcpStream::connect(server).await.with_context(|| format!("nobody answers at {server}"))?;
    let (mut connection, work) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(work);
    let answer = connection.send_request(request).await?.into_body().collect().await?.to_bytes();
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer).with_context(|| format!("the answer to {path} can't be read"))
}
