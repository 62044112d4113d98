//! What is cancelled in the provider's console: money that went back without any refund of ours, written down in the
//! payment's history, once, and so counted.
//!
//! The trap is that a receipt only tells how much of it is cancelled, and not on whose behalf. While a refund is open that
//! can't be told; so whoever applies facts asks, and whoever ends a refund asks again.

use common::events::{self, Cause, Subject};
use common::money::Money;
use serde_json::json;
use sqlx::MySqlConnection;

use super::store;
use crate::charges;

/// Writes down what was cancelled in the console of a receipt by which its payment became paid: `on_behalf`, which came
/// to light as a refund ended and is accounted for, and what no refund accounts for.
pub(crate) async fn notice_console(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment_id: i64,
    receipt_id: &str,
    on_behalf: Money,
) -> sqlx::Result<()> {
    if !store::came_by(connection, Some(payment_id), receipt_id).await? {
        return Ok(());
    }
    let unaccounted = charges::store::account_to_console(connection, receipt_id).await?;
    let amount = Money::won(on_behalf.as_won() + unaccounted.as_won());
    if amount == Money::ZERO {
        return Ok(());
    }
    let new = json!({ "receipt_id": receipt_id, "amount": amount });
    events::record(connection, cause, Subject::Payment, payment_id, "cancelled-in-console", &(), &new).await
}
