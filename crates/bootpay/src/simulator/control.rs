//! The knobs: what a buyer, the provider's console and bad luck would do, for tests and scripts.
//!
//! | Call | Body |
//! |---|---|
//! | `POST /simulator/payments` | [`Payment`]; answers [`Paid`](super::Paid) |
//! | `POST /simulator/receipts/{id}/cancel` | `{price?, webhook?, webhook_format?}`: a cancel in the console, silent unless asked |
//! | `POST /simulator/receipts/{id}/webhook` | `{webhook?, webhook_format?}`: tells of the receipt as it is now, once more |
//! | `POST /simulator/outage` | [`Outage`] |
//! | `POST /simulator/tokens/expire` | – |
//! | `GET /simulator/receipts`, `GET /simulator/calls` | – |

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ledger::{No, Wish};
use super::provider::{Refusal, parse};
use super::webhook::{Format, Mode};
use super::{Calls, Delivery, Outage, Paid, Payment, PaymentError, Simulator};

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/simulator/payments", post(pay))
        .route("/simulator/receipts", get(receipts))
        .route("/simulator/receipts/{receipt_id}/cancel", post(cancel))
        .route("/simulator/receipts/{receipt_id}/webhook", post(webhook))
        .route("/simulator/outage", post(outage))
        .route("/simulator/tokens/expire", post(expire_tokens))
        .route("/simulator/calls", get(calls))
        .route("/health", get(health))
}

impl From<PaymentError> for Refusal {
    fn from(error: PaymentError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER", error.to_string())
    }
}

async fn pay(State(simulator): State<Simulator>, body: Bytes) -> Result<Json<Paid>, Refusal> {
    let payment: Payment = parse(&body)?;
    Ok(Json(simulator.pay(payment).await?))
}

async fn receipts(State(simulator): State<Simulator>) -> Json<Vec<Value>> {
    Json(simulator.receipts())
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    price: Option<i64>,
    webhook: Option<Mode>,
    webhook_format: Option<Format>,
}

#[derive(Serialize)]
struct Told {
    receipt: Value,
    webhook: Delivery,
}

async fn cancel(
    State(simulator): State<Simulator>,
    Path(receipt_id): Path<String>,
    body: Bytes,
) -> Result<Json<Told>, Refusal> {
    let asked: CancelBody = parse_or_default(&body)?;
    let done = simulator.cancel(&Wish { receipt_id: &receipt_id, cancel_id: None, price: asked.price })?;
    let mode = asked.webhook.unwrap_or(Mode::None);
    let format = asked.webhook_format.unwrap_or(done.entry.webhook_format);
    Ok(Json(Told { receipt: done.entry.to_json(), webhook: simulator.tell_as(&done.entry, mode, format).await }))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookBody {
    webhook: Option<Mode>,
    webhook_format: Option<Format>,
}

async fn webhook(
    State(simulator): State<Simulator>,
    Path(receipt_id): Path<String>,
    body: Bytes,
) -> Result<Json<Told>, Refusal> {
    let asked: WebhookBody = parse_or_default(&body)?;
    let entry = simulator.find(&receipt_id).ok_or(No::UnknownReceipt)?;
    let mode = asked.webhook.unwrap_or(entry.webhook);
    let format = asked.webhook_format.unwrap_or(entry.webhook_format);
    Ok(Json(Told { receipt: entry.to_json(), webhook: simulator.tell_as(&entry, mode, format).await }))
}

async fn outage(State(simulator): State<Simulator>, body: Bytes) -> Result<Json<Outage>, Refusal> {
    let outage: Outage = parse(&body)?;
    simulator.set_outage(outage.clone());
    Ok(Json(outage))
}

async fn expire_tokens(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.expire_tokens();
    Json(json!({ "expired": true }))
}

async fn calls(State(simulator): State<Simulator>) -> Json<Calls> {
    Json(simulator.calls())
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

fn parse_or_default<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { parse(body) }
}
