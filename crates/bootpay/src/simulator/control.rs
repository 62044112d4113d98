//! The knobs: what a buyer, the provider's console and bad luck would do, for tests and scripts.
//!
//! | Call | Body |
//! |---|---|
//! | `POST /simulator/payments` | [`Payment`]; answers [`Paid`](super::Paid) |
//! | `POST /simulator/receipts/{id}/cancel` | `{price?, webhook?, webhook_format?}`: a cancel in the console, silent unless asked |
//! | `POST /simulator/receipts/{id}/webhook` | `{webhook?, webhook_format?}`: tells of the receipt as it is now, once more |
//! | `POST /simulator/receipts/{id}/script` | `{script}`: how calls about it go from now on |
//! | `POST /simulator/receipts/{id}/status` | `{status}`: any number; nobody is told |
//! | `POST /simulator/outage` | [`Outage`] |
//! | `POST /simulator/tokens/expire` | – |
//! | `GET /simulator/receipts`, `GET /simulator/totals`, `GET /simulator/calls`, `GET /simulator/scripts` | – |

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ledger::{Entry, No, Wish};
use super::provider::{Refusal, parse};
use super::webhook::{Format, Mode};
use super::{Calls, Day, Delivery, Outage, Paid, Payment, PaymentError, Simulator, UnknownScript, script};
use crate::Status;

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/simulator/payments", post(pay))
        .route("/simulator/receipts", get(receipts))
        .route("/simulator/receipts/{receipt_id}/cancel", post(cancel))
        .route("/simulator/receipts/{receipt_id}/webhook", post(webhook))
        .route("/simulator/receipts/{receipt_id}/script", post(follow))
        .route("/simulator/receipts/{receipt_id}/status", post(status))
        .route("/simulator/scripts", get(async || script::table()))
        .route("/simulator/totals", get(totals))
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

impl From<UnknownScript> for Refusal {
    fn from(error: UnknownScript) -> Self {
        PaymentError::from(error).into()
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
    let done = simulator.cancel(&Wish::in_console(&receipt_id, asked.price))?;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptBody {
    script: String,
}

async fn follow(
    State(simulator): State<Simulator>,
    Path(receipt_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let ScriptBody { script } = parse(&body)?;
    let entry = simulator.find(&receipt_id).ok_or(No::UnknownReceipt)?;
    simulator.script(&entry.receipt_id, &script)?;
    Ok(Json(json!({ "script": simulator.find(&receipt_id).map(|entry| entry.script.words()) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusBody {
    status: Status,
}

async fn status(
    State(simulator): State<Simulator>,
    Path(receipt_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let StatusBody { status } = parse(&body)?;
    let entry = simulator.find(&receipt_id).ok_or(No::UnknownReceipt)?;
    simulator.set_status(&entry.receipt_id, status);
    Ok(Json(simulator.find(&receipt_id).as_ref().map(Entry::to_json).unwrap_or_default()))
}

async fn totals(State(simulator): State<Simulator>) -> Json<Vec<Day>> {
    Json(simulator.totals())
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
