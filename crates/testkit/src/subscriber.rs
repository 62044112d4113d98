//! A subscriber to news, which writes down what it hears and answers as it is told.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// What a subscriber does with something it has heard; `None`: it never answers.
type Answers = dyn Fn(&Heard) -> Option<Response> + Send + Sync;

/// A subscriber on a port of this machine. Clones are one and the same.
#[derive(Clone)]
pub struct Subscriber {
    /// Where it listens.
    pub url: String,
    told: Arc<Told>,
}

struct Told {
    heard: Mutex<Vec<Heard>>,
    answers: Mutex<Arc<Answers>>,
}

/// Something it heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The headers of the request.
    pub headers: HeaderMap,
    /// Its body, byte by byte.
    pub body: String,
}

impl Heard {
    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What makes two deliveries the same news.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON; null if it is none.
    pub fn news(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// What it is about.
    pub fn topic(&self) -> String {
        self.news()["type"].as_str().unwrap_or_default().to_owned()
    }
}

impl Subscriber {
    /// Listens, and takes everything.
    ///
    /// # Panics
    /// When there is no port for it.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/news", listener.local_addr().expect("an address"));
        let told = Arc::new(Told { heard: Mutex::default(), answers: Mutex::new(Arc::new(|_| Some(taken()))) });
        let router = Router::new().fallback(hear).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, told }
    }

    /// Answers like this from now on.
    pub fn answer(&self, answers: impl Fn(&Heard) -> Option<Response> + Send + Sync + 'static) {
        *self.told.answers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(answers);
    }

    /// Answers everything with this status from now on.
    pub fn answer_with(&self, status: u16) {
        self.answer(move |_| Some(StatusCode::from_u16(status).ok()?.into_response()));
    }

    /// What it has heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.told.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has heard so far, by its topics.
    pub fn topics(&self) -> Vec<String> {
        self.heard().iter().map(Heard::topic).collect()
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("url", &self.url).finish_non_exhaustive()
    }
}

async fn hear(State(told): State<Arc<Told>>, headers: HeaderMap, body: String) -> Response {
    let heard = Heard { headers, body };
    let answers = Arc::clone(&told.answers.lock().unwrap_or_else(PoisonError::into_inner));
    let answer = answers(&heard);
    told.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

fn taken() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
