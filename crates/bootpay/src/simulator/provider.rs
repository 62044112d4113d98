//! The provider's REST API, as far as we use it.
//!
//! Every call passes [`watched`]: it counts, it logs one line, and it suffers the outage. What a payment's script holds
//! in store for it comes after that, once the caller has shown who it is: a call that is turned away uses nothing up.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::info;

use super::ledger::{Cancelled, Entry, No, Wish};
use super::outage::Fate;
use super::{Operation, PATIENCE, Simulator, Trouble, chance};
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
            No::Declined => (StatusCode::BAD_REQUEST, "RC_CONFIRM_FAILED", "카드사에서 결제를 거절했습니다."),
            No::UsedBefore => (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "이미 사용된 cancel_id입니다."),
            No::UnknownAccount => {
                (StatusCode::BAD_REQUEST, "RC_CANCEL_SERVER_ERROR", "환불받을 계좌 정보가 필요합니다.")
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

/// A caller with a good access token, or with a client key and its secret.
struct Caller;

impl FromRequestParts<Simulator> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, simulator: &Simulator) -> Result<Self, Refusal> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let refused = |code, message| Err(Refusal::new(StatusCode::UNAUTHORIZED, code, message));
        match header.split_once(' ') {
            Some(("Bearer", token)) if simulator.accepts_token(token) => Ok(Self),
            Some(("Basic", pair)) if is_client(simulator, pair) => Ok(Self),
            Some(("Basic", _)) => refused("APP_SK_NOT_MATCHED", "Client Key 또는 Secret Key가 올바르지 않습니다."),
            _ => refused("TOKEN_KEY_INVALID", "Access Token이 올바르지 않습니다."),
        }
    }
}

fn is_client(simulator: &Simulator, encoded: &str) -> bool {
    let pair = STANDARD.decode(encoded).ok().and_then(|pair| String::from_utf8(pair).ok());
    pair.as_deref()
        .and_then(|pair| pair.split_once(':'))
        .is_some_and(|(key, secret)| simulator.accepts_client(key, secret))
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

async fn receipt(_: Caller, State(simulator): State<Simulator>, Path(receipt_id): Path<String>) -> Response {
    let fate = simulator.scripted_fate(Operation::Receipt, &receipt_id);
    let answer = async {
        let entry = simulator.find(&receipt_id).ok_or(No::UnknownReceipt)?;
        Ok::<_, Refusal>(Json(entry.to_json()))
    };
    suffer(fate, Operation::Receipt, sleep(PATIENCE), answer).await
}

async fn order(_: Caller, State(simulator): State<Simulator>, Path(order_id): Path<String>) -> Response {
    let fate = simulator.scripted_fate_of_order(&order_id);
    let answer = async {
        let state = simulator.state();
        let found = state.ledger.of_order(&order_id);
        Json(found.into_iter().map(Entry::to_json).collect::<Vec<_>>())
    };
    suffer(fate, Operation::Order, sleep(PATIENCE), answer).await
}

#[derive(Deserialize)]
struct ConfirmBody {
    receipt_id: String,
}

async fn confirm(_: Caller, State(simulator): State<Simulator>, body: Bytes) -> Result<Response, Refusal> {
    let ConfirmBody { receipt_id } = parse(&body)?;
    let fate = simulator.scripted_fate(Operation::Confirm, &receipt_id);
    let answer = async {
        let confirmed = simulator.change(|ledger| ledger.confirm(&receipt_id, chance::now()));
        if matches!(confirmed, Ok(_) | Err(No::Declined))
            && let Some(entry) = simulator.find(&receipt_id)
        {
            simulator.begin_sequels(&entry);
            tell_later(&simulator, entry);
        }
        Ok::<_, Refusal>(Json(confirmed?.to_json()))
    };
    Ok(suffer(fate, Operation::Confirm, sleep(PATIENCE), answer).await)
}

#[derive(Deserialize)]
struct CancelBody {
    receipt_id: String,
    cancel_id: Option<String>,
    cancel_price: Option<Value>,
    refund: Option<Value>,
}

/// Whether `refund` names the account that money of a virtual account goes back to.
fn names_account(refund: &Value) -> bool {
    let is_said = |field| refund.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    ["bank_account", "bank_username", "bank_code"].into_iter().all(is_said)
}

async fn cancel(_: Caller, State(simulator): State<Simulator>, body: Bytes) -> Result<Response, Refusal> {
    let CancelBody { receipt_id, cancel_id, cancel_price, refund } = parse(&body)?;
    let price = match &cancel_price {
        Some(price) => Some(whole_number(price).ok_or(No::NotAnAmount)?),
        None => None,
    };
    let fate = simulator.scripted_fate(Operation::Cancel, &receipt_id);
    let answer = async {
        let cancel_id = cancel_id.as_deref();
        let wish = Wish {
            receipt_id: &receipt_id,
            cancel_id,
            price,
            names_account: refund.as_ref().is_some_and(names_account),
        };
        let Cancelled { entry, is_new } = simulator.cancel(&wish)?;
        let told = Json(entry.to_json());
        if is_new {
            tell_later(&simulator, entry);
        }
        Ok::<_, Refusal>(told)
    };
    Ok(suffer(fate, Operation::Cancel, sleep(PATIENCE), answer).await)
}

/// The provider also tells of what we did ourselves, beside the answer.
fn tell_later(simulator: &Simulator, entry: Entry) {
    let simulator = simulator.clone();
    tokio::spawn(async move { simulator.tell(&entry).await });
}

/// Lets a call of `operation` end as it is fated to. What hangs does so until it is `over`.
async fn suffer<A: IntoResponse>(
    fate: Fate,
    operation: Operation,
    over: impl Future<Output = ()>,
    answer: impl Future<Output = A>,
) -> Response {
    let down = |status| Refusal::new(status, "SERVICE_UNAVAILABLE", "서비스를 이용할 수 없습니다.").into_response();
    match fate.trouble {
        Trouble::None => answer.await.into_response(),
        Trouble::Refuse => down(StatusCode::SERVICE_UNAVAILABLE),
        Trouble::Deny => denial(operation).into_response(),
        Trouble::Hang => {
            over.await;
            down(StatusCode::SERVICE_UNAVAILABLE)
        }
        Trouble::LoseAnswer => {
            drop(answer.await);
            over.await;
            down(StatusCode::GATEWAY_TIMEOUT)
        }
        Trouble::Slow => {
            let answer = answer.await.into_response();
            sleep(fate.pause).await;
            answer
        }
        Trouble::Undecided => {
            let answer = answer.await.into_response();
            doubt(operation).map_or(answer, IntoResponse::into_response)
        }
    }
}

/// How the provider says no without a reason of its own.
fn denial(operation: Operation) -> Refusal {
    let (code, message) = match operation {
        Operation::Confirm => ("RC_CONFIRM_FAILED", "카드사에서 결제를 거절했습니다."),
        Operation::Cancel => ("RC_CANCEL_SERVER_ERROR", "PG사에서 결제 취소를 실패했습니다."),
        Operation::Token | Operation::Receipt | Operation::Order => ("INVALID_PARAMETER", "요청이 올바르지 않습니다."),
    };
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

/// How it says that it has lost the card company's answer itself.
fn doubt(operation: Operation) -> Option<Refusal> {
    let code = match operation {
        Operation::Confirm => "RC_CONFIRM_CRITICAL_FAILED",
        Operation::Cancel => "RC_CANCEL_CRITICAL_ERROR",
        Operation::Token | Operation::Receipt | Operation::Order => return None,
    };
    Some(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code, "PG사의 응답을 확인할 수 없습니다."))
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
    let fate = simulator.fate(operation);
    let response = suffer(fate, operation, simulator.trouble_is_over(operation), next.run(request)).await;
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
