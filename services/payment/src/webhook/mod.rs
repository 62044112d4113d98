//! `POST /api/payments/webhook`: the provider tells what became of a payment.
//!
//! Anybody can call this address, so nothing is believed until its [authenticity](authenticity) is established: by
//! the message's signature, or by asking the provider about the receipt it names. What is authentic is kept and
//! applied before it is answered; an order that isn't known yet is applied when it appears.

mod authenticity;
mod message;
mod notification;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::Failures;
use common::http::{Json, RequestId};
use common::telemetry::trace::in_current_trace;
use orders::Orders;
use orders::payments::Applied;
use serde::Serialize;
use utoipa::ToSchema;

use crate::WebhookKey;
use message::WebhookMessage;
use notification::Notification;

/// How long the provider waits at most. It repeats what wasn't answered in time.
const PATIENCE: Duration = Duration::from_secs(9);

/// The message is taken care of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageReceived {
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

/// Take a message of the payment provider.
///
/// With a signature the message counts, as far as the provider, asked about the receipt, doesn't know better. Without
/// one only the provider's answer about the receipt counts. The same message again changes nothing.
#[utoipa::path(
    post,
    path = "/api/payments/webhook",
    operation_id = "receive_webhook",
    tag = "webhook",
    params(
        ("Bootpay-Signature" = Option<String>, Header, description = "Base64 of the HMAC-SHA256 over the raw body. If there is one, it must be right."),
        ("X-Bootpay-Signature" = Option<String>, Header, description = "The same, where the first is absent."),
    ),
    request_body(content(
        (WebhookMessage = "application/json", example = json!({
            "webhook_type": "PAYMENT_COMPLETED",
            "receipt_id": "624c1c5c1fc19202e4746ce5",
            "order_id": "CJ-ORD-7-10000001-0f3a9c2e",
            "status": 1,
            "price": 320_000,
        })),
        (WebhookMessage = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "It is applied, was applied before, or there is nothing to do.", body = MessageReceived),
        (status = 400, description = "The message is malformed, or money came, but not the amount ordered: it goes back.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The message is not authentic. Nothing has changed.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody made this order. The message is kept and applied when the order appears.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither JSON nor a form.", body = Problem, content_type = "application/problem+json"),
        Failures,
    ),
)]
pub(crate) async fn webhook(
    State(orders): State<Orders>,
    State(key): State<WebhookKey>,
    request_id: RequestId,
    notification: Notification,
) -> Result<Json<MessageReceived>, ApiError> {
    // In a task of its own: what takes too long is answered in time, and finished all the same unless it hangs.
    let work = tokio::time::timeout(3 * PATIENCE, receive(orders, key, request_id, notification));
    match tokio::time::timeout(PATIENCE, tokio::spawn(in_current_trace(work))).await {
        Ok(Ok(Ok(received))) => received.map(|()| Json(MessageReceived { success: true })),
        Ok(Err(panic)) => Err(ApiError::internal(panic)),
        Ok(Ok(Err(elapsed))) | Err(elapsed) => Err(ApiError::unavailable(elapsed)),
    }
}

async fn receive(
    orders: Orders,
    key: WebhookKey,
    request_id: RequestId,
    notification: Notification,
) -> Result<(), ApiError> {
    let is_signed = authenticity::is_signed(&key, &notification)?;
    let message = notification.read()?;
    let delivery = authenticity::establish(orders.provider.as_ref(), is_signed, message).await?;
    let applied = orders.receive(&Cause::provider(Some(request_id.as_str().to_owned())), &delivery).await?;
    let facts = &delivery.facts;
    tracing::info!(order_id = facts.order_id, outcome = %facts.outcome, is_signed, ?applied, "webhook");
    match applied {
        Applied::Done | Applied::Nothing => Ok(()),
        Applied::WrongAmount => {
            tracing::warn!(order_id = facts.order_id, amount = %facts.amount, "webhook: paid a wrong amount, it goes back");
            Err(wrong_amount())
        }
        Applied::UnknownOrder => Err(unknown_order()),
    }
}

fn wrong_amount() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "wrong-amount",
        "결제 금액이 주문 금액과 다릅니다.",
        "The amount paid is not the amount ordered.",
    )
}

fn unknown_order() -> ApiError {
    ApiError::not_found("order-not-found", "주문을 찾을 수 없습니다.", "There is no such order.")
}
