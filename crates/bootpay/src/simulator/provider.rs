//! The provider's REST API, as far as we use it.
//!
//! Every call passes [`watched`]: it counts, it logs one line, and it suffers the outage.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

use super::ledger::{Cancelled, Entry, No, Wish};
use super::{Operation, Simulator, Trouble, chance};
use crate::receipt::whole_number;

pub(super) fn router(simulator: &Simulator) -> Router<Simulator> {
    Router::new()
        .route("/v2/request/token", post(token))
        .route("/v2/receipt/{receipt_id}", get(receipt))
        .route("/v2/lookup/order/{order_id}", get(order))
        .route("/v2/confirm", post(confirm))
        .route("/v2/cancel", post(cancel))
        .route_layer(from_fn_with_state(simulator.clone(), watched))
}

/// A refusal in the provider's form.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.code, "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        let (status, code, message) = match no {
            No::UnknownReceipt => (StatusCode::NOT_FOUND, "RC_NOT_FOUND", "영수증 정보를 찾을 수 없습니다."),
            No::NotWaitingForApproval => {
                (StatusCode::BAD_REQUEST, "RC_NOT_CONFIRM_READY", "승인 대기 상태의 결제가 아닙니다.")
            }
            No::NothingLeft => (StatusCode::BAD_REQUEST, "RC_ALREADY_CANCELLED", "이미 취소된 결제입니다."),
            No::MoreThanIsLeft => (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "취소 가능 금액을 초과했습니다."),
            No::NotAnAmount => (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "취소 금액이 올바르지 않습니다."),
            No::NotPaid => (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "취소할 수 없는 결제입니다."),
            No::OtherAmountBefore => {
                (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "같은 cancel_id로 다른 금액을 취소할 수 없습니다.")
            }
        };
        Self::new(status, code, message)
    }
}

/// Reads JSON whatever the content type says: the shell's `curl -d` doesn't set it.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let status = StatusCode::BAD_REQUEST;
        Refusal::new(status, "INVALID_PARAMETER", error.to_string())
    })
}

/// A caller with a good access token.
struct Caller;

impl FromRequestParts<Simulator> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, simulator: &Simulator) -> Result<Self, Refusal> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some_and(|token| simulator.accepts_token(token)) {
            Ok(Self)
        } else {
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "TOKEN_KEY_INVALID", "Access Token이 올바르지 않습니다."))
        }
    }
}

#[derive(Deserialize)]
struct Credentials {
    application_id: String,
    private_key: String,
}

async fn token(State(simulator): State<Simulator>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let given: Credentials = parse(&body)?;
    let config = &simulator.shared.config;
    if given.application_id != config.rest_application_id {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "APP_KEY_NOT_FOUND",
            "REST API Application ID가 올바르지 않습니다.",
        ));
    }
    if given.private_key != config.private_key.expose_secret() {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "APP_SK_NOT_MATCHED", "Private Key가 올바르지 않습니다."));
    }
    Ok(Json(json!({
        "access_token": simulator.issue_token(),
        "expire_in": config.token_lifetime.as_secs(),
    })))
}

async fn receipt(
    _: Caller,
    State(simulator): State<Simulator>,
    Path(receipt_id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let entry = simulator.find(&receipt_id).ok_or(No::UnknownReceipt)?;
    Ok(Json(entry.to_json()))
}

async fn order(_: Caller, State(simulator): State<Simulator>, Path(order_id): Path<String>) -> Json<Vec<Value>> {
    let state = simulator.state();
    let found = state.ledger.of_order(&order_id);
    Json(found.into_iter().map(Entry::to_json).collect())
}

#[derive(Deserialize)]
struct ConfirmBody {
    receipt_id: String,
}

async fn confirm(_: Caller, State(simulator): State<Simulator>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let asked: ConfirmBody = parse(&body)?;
    let entry = simulator.change(|ledger| ledger.confirm(&asked.receipt_id, chance::now()))?;
    tell_later(&simulator, &entry);
    Ok(Json(entry.to_json()))
}

#[derive(Deserialize)]
struct CancelBody {
    receipt_id: String,
    cancel_id: Option<String>,
    cancel_price: Option<Value>,
}

async fn cancel(_: Caller, State(simulator): State<Simulator>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let asked: CancelBody = parse(&body)?;
    let price = match &asked.cancel_price {
        Some(price) => Some(whole_number(price).ok_or(No::NotAnAmount)?),
        None => None,
    };
    let Cancelled { entry, is_new } =
        simulator.cancel(&Wish { receipt_id: &asked.receipt_id, cancel_id: asked.cancel_id.as_deref(), price })?;
    if is_new {
        tell_later(&simulator, &entry);
    }
    Ok(Json(entry.to_json()))
}

/// The provider also tells of what we did ourselves, beside the answer.
fn tell_later(simulator: &Simulator, entry: &Entry) {
    let (simulator, entry) = (simulator.clone(), entry.clone());
    tokio::spawn(async move { simulator.tell(&entry).await });
}

async fn watched(State(simulator): State<Simulator>, matched: MatchedPath, request: Request, next: Next) -> Response {
    let operation = match matched.as_str() {
        "/v2/request/token" => Operation::Token,
        "/v2/receipt/{receipt_id}" => Operation::Receipt,
        "/v2/lookup/order/{order_id}" => Operation::Order,
        "/v2/confirm" => Operation::Confirm,
        _ => Operation::Cancel,
    };
    let mut line = Line::begin(&simulator, operation, &request);
    let down = |status| {
        let message = "서비스를 이용할 수 없습니다.";
        Refusal::new(status, "SERVICE_UNAVAILABLE", message).into_response()
    };
    let response = match simulator.trouble(operation) {
        Trouble::None => next.run(request).await,
        Trouble::Refuse => down(StatusCode::SERVICE_UNAVAILABLE),
        Trouble::Hang => {
            simulator.trouble_is_over(operation).await;
            down(StatusCode::SERVICE_UNAVAILABLE)
        }
        Trouble::LoseAnswer => {
            drop(next.run(request).await);
            simulator.trouble_is_over(operation).await;
            down(StatusCode::GATEWAY_TIMEOUT)
        }
    };
    line.status = Some(response.status().as_u16());
    response
}

/// The line that a call gets in the log, also if its caller gives up and the call is dropped half-way.
struct Line {
    simulator: Simulator,
    operation: Operation,
    method: String,
    path: String,
    number: u64,
    started: Instant,
    status: Option<u16>,
}

impl Line {
    fn begin(simulator: &Simulator, operation: Operation, request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        let mut state = simulator.state();
        let number = state.calls.begin(operation, path.clone(), chance::now());
        Self {
            simulator: simulator.clone(),
            operation,
            method: request.method().to_string(),
            path,
            number,
            started: Instant::now(),
            status: None,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut state = self.simulator.state();
        state.calls.end(self.number, self.status, duration_ms);
        drop(state);
        let (operation, path) = (self.operation, &self.path);
        if let Some(status) = self.status {
            info!(?operation, status, duration_ms, "{} {path}", self.method);
        } else {
            info!(?operation, duration_ms, "{} {path}: the caller gave up", self.method);
        }
    }
}
