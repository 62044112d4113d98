//! Who is believed. A signature, if there is one, must be right: then the message counts, and the provider, asked
//! about the receipt, knows better. Without a signature only the provider's answer counts.

use axum::http::StatusCode;
use bootpay::{Client, Error, Receipt, signature};
use common::error::{ApiError, Chain};
use orders::charges::Facts;
use orders::payments::Delivery;

use super::message::{Message, digest, not_an_amount};
use super::notification::Notification;
use crate::WebhookKey;

/// The longest order id there is room for. Ours are shorter, so a longer one is nobody's.
const LONGEST_ORDER_ID: usize = 64;

/// The longest event key there is room for, in bytes.
const LONGEST_KEY: usize = 255;

/// Whether a message is signed. One that is signed wrongly is refused.
pub(super) fn is_signed(key: &WebhookKey, notification: &Notification) -> Result<bool, ApiError> {
    match notification.signature() {
        None => Ok(false),
        Some(claimed) if signature::verify(&key.0, notification.body(), claimed) => Ok(true),
        Some(_) => Err(not_authentic()),
    }
}

/// Finds out what can be believed of a message.
pub(super) async fn establish(
    provider: Option<&Client>,
    is_signed: bool,
    message: Message,
) -> Result<Delivery, ApiError> {
    let facts = match (ask(provider, &message).await, is_signed) {
        (Ok(Some(receipt)), _) => Facts::from(&receipt),
        (_, true) => message.facts()?,
        (Err(Error::TimedOut), false) => return Err(ApiError::unavailable(Error::TimedOut)),
        (Ok(None) | Err(_), false) => return Err(not_authentic()),
    };
    let facts = storable(facts)?;
    let kind = message.kind.filter(|_| is_signed);
    Ok(Delivery { key: event_key(&facts, kind.as_deref()), facts, payload: message.payload })
}

/// What the provider says of the receipt that a message names; `None` if it can't be asked or knows of none.
async fn ask(provider: Option<&Client>, message: &Message) -> Result<Option<Receipt>, Error> {
    let (Some(provider), Some(receipt_id)) = (provider, message.receipt_id()) else { return Ok(None) };
    // Who sends us something may well be there to be asked.
    let answer = provider.undeterred().receipt(&receipt_id).await;
    if let Err(error) = &answer {
        tracing::warn!(error = %Chain(error), "the provider couldn't tell about a webhook's receipt");
    }
    answer
}

/// The same facts in a form that can be kept. The provider takes order ids from browsers, so one may be of any
/// length; money that came for such an order goes back like that of any unknown one.
fn storable(mut facts: Facts) -> Result<Facts, ApiError> {
    if facts.amount.as_won() > i32::MAX.into() {
        return Err(not_an_amount("price"));
    }
    if facts.order_id.chars().count() > LONGEST_ORDER_ID {
        facts.order_id = format!("~{}", digest(&facts.order_id));
    }
    Ok(facts)
}

/// What makes two messages the same event: equal facts, and the provider's name for what happened where that counts.
fn event_key(facts: &Facts, kind: Option<&str>) -> String {
    let Facts { order_id, receipt_id, outcome, raw_status, .. } = facts;
    let (amount, cancelled) = (facts.amount.as_won(), facts.cancelled.as_won());
    let kind = kind.unwrap_or("-");
    let key = format!("{order_id}/{receipt_id}/{kind}/{outcome}/{raw_status}/{cancelled}/{amount}");
    if key.len() > LONGEST_KEY { format!("{order_id}/{}", digest(&key)) } else { key }
}

/// 401. Why is in the log: whoever tries learns nothing.
fn not_authentic() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "not-authentic",
        "결제사에서 보낸 메시지인지 확인할 수 없습니다.",
        "The message can't be verified as the payment provider's.",
    )
}
