//! The payment provider's door: whose call it is, whether it is heard, and whether its answer is.
//!
//! Each process knows the provider by an address of its own, so its calls can be told from those of others. A call that
//! moves money waits for its turn like a statement; looking something up doesn't, because it changes nothing. The trouble
//! of a step is the trouble of all its calls.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bootpay::simulator::Simulator;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::conductor::{Conductor, Verdict};

/// The largest body that is passed on.
const LARGEST: usize = 1 << 20;

/// How the provider treats whoever calls it during a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Weather {
    /// As it should.
    #[default]
    Fair,
    /// It can't be reached.
    Away,
    /// It goes away as it is asked to move money, before that has an effect.
    FailsBefore,
    /// It goes away as it is asked to move money, after that had its effect.
    FailsAfter,
    /// What moves money takes effect, and the provider says that it doesn't know.
    Undecided,
}

impl Weather {
    /// The weather in words, where it is worth a word.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Fair => "",
            Self::Away => ", the provider being away",
            Self::FailsBefore => ", the provider failing before the effect",
            Self::FailsAfter => ", the provider failing after the effect",
            Self::Undecided => ", the provider not knowing",
        }
    }
}

/// The provider's door. It closes when dropped.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    weather: Arc<Mutex<BTreeMap<usize, Weather>>>,
    listening: JoinHandle<io::Result<()>>,
}

#[derive(Clone)]
struct Porter {
    inside: Router,
    weather: Arc<Mutex<BTreeMap<usize, Weather>>>,
    conductor: Conductor,
}

impl Door {
    /// The door of `provider`, at which `conductor` says whose turn it is.
    pub(crate) async fn open(provider: &Simulator, conductor: &Conductor) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let weather = Arc::default();
        let porter = Porter { inside: provider.router(), weather: Arc::clone(&weather), conductor: conductor.clone() };
        let router = Router::new().fallback(enter).with_state(porter);
        let listening = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, weather, listening })
    }

    /// The address by which a process knows the provider.
    pub(crate) fn address(&self, process: usize) -> String {
        format!("http://{}/{process}/v2", self.address)
    }

    /// From now on a process is treated like this.
    pub(crate) fn is(&self, process: usize, weather: Weather) {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner).insert(process, weather);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A task of its own: who has called may be dead before it is answered, and is heard all the same.
async fn enter(State(porter): State<Porter>, request: Request) -> Response {
    let served = tokio::spawn(async move { porter.serve(request).await });
    served.await.ok().flatten().unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

impl Porter {
    fn is_away_for(&self, process: usize) {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner).insert(process, Weather::Away);
    }

    async fn serve(self, request: Request) -> Option<Response> {
        let (mut parts, body) = request.into_parts();
        let (process, path) = parts.uri.path().get(1..)?.split_once('/')?;
        let (process, path) = (process.parse().ok()?, format!("/{path}"));
        let weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner).get(&process).copied();
        let weather = weather.unwrap_or_default();
        let moves_money = matches!(path.as_str(), "/v2/confirm" | "/v2/cancel");
        let away = StatusCode::SERVICE_UNAVAILABLE.into_response();
        if weather == Weather::FailsBefore && moves_money {
            self.is_away_for(process);
        }
        if weather == Weather::Away || weather == Weather::FailsBefore && moves_money {
            return Some(away);
        }
        let body = to_bytes(body, LARGEST).await.ok()?;
        if moves_money && self.conductor.wait(process, format!("provider {path}")).await == Verdict::Break {
            return Some(away);
        }
        parts.uri = path.parse().ok()?;
        let answer = self.inside.clone().oneshot(Request::from_parts(parts, Body::from(body))).await.ok()?;
        Some(match weather {
            Weather::FailsAfter if moves_money => {
                self.is_away_for(process);
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
            Weather::Undecided if moves_money && answer.status().is_success() => {
                (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error_code":"RC_CRITICAL_FAILED"}"#).into_response()
            }
            _ => answer,
        })
    }
}
