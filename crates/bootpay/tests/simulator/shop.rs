//! A shop that is told by webhooks, and the HTTP to talk to the simulator with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bootpay::simulator::Running;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) fn url(provider: &Running, path: &str) -> String {
    format!("http://{}{path}", provider.address())
}

pub(crate) fn http() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    http.build().unwrap()
}

pub(crate) async fn post_json(provider: &Running, path: &str, body: Value) -> (StatusCode, Value) {
    let response = http().post(url(provider, path)).json(&body).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

pub(crate) async fn get(provider: &Running, path: &str) -> String {
    let response = http().get(url(provider, path)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

pub(crate) async fn get_json(provider: &Running, path: &str) -> Value {
    serde_json::from_str(&get(provider, path).await).unwrap()
}

/// Takes webhooks, and answers 500 to the first few.
#[derive(Clone, Default)]
pub(crate) struct Shop {
    taken: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    failures: usize,
}

impl Shop {
    /// A shop that listens, and that `provider` tells of its payments.
    pub(crate) async fn of(provider: &Running, failures: usize) -> Self {
        let shop = Self { failures, ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        provider.set_webhook_url(Some(format!("http://{}/", listener.local_addr().unwrap())));
        let taker = shop.clone();
        let take = async move |headers: HeaderMap, body: Bytes| taker.take(headers, body);
        let router = Router::new().route("/", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        shop
    }

    fn take(&self, headers: HeaderMap, body: Bytes) -> Response {
        let mut taken = self.taken.lock().unwrap();
        taken.push((headers, body));
        if taken.len() <= self.failures {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        } else {
            Json(json!({"success": true})).into_response()
        }
    }

    /// The webhooks, once there are so many.
    pub(crate) async fn taken(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        for _ in 0..6000 {
            let taken = self.taken.lock().unwrap().clone();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} webhooks, not {count}", self.taken.lock().unwrap().len());
    }
}
