//! Where a payment should stand by what is on file of it: for reconciliation, which holds it against where it stands.

use common::events::{self, Cause, Subject};
use serde_json::json;
use sqlx::MySqlConnection;

use super::{PaymentStatus, apply, state, store};
use crate::charges::{self, Charge};

/// What the charges of a payment say of it.
#[derive(Debug)]
pub(crate) struct Derived {
    /// Where it should stand.
    pub(crate) status: PaymentStatus,
    /// The receipt that pays it.
    pub(crate) own: Option<String>,
    /// Its charges, all of them.
    pub(crate) charges: Vec<Charge>,
}

/// What the charges of a locked payment say of it; `None`: it has none, and they say nothing.
pub(crate) async fn derive(connection: &mut MySqlConnection, payment: &store::Locked) -> sqlx::Result<Option<Derived>> {
    let charges = charges::store::of_payment(connection, payment.payment_id).await?;
    if charges.is_empty() {
        return Ok(None);
    }
    let own = apply::own_charge(payment, &charges);
    let given_up = payment.status == PaymentStatus::Expired;
    let status = state::of(payment.amount, own.map_or(&charges, std::slice::from_ref), given_up);
    Ok(Some(Derived { status, own: own.map(|charge| charge.receipt_id.clone()), charges }))
}

/// Writes down where a locked payment stands after all.
pub(crate) async fn set_right(
    connection: &mut MySqlConnection,
    cause: &Cause,
    payment: &store::Locked,
    derived: &Derived,
) -> sqlx::Result<()> {
    store::set_status(connection, payment.payment_id, derived.status, derived.own.as_deref()).await?;
    let old = json!({ "status": payment.status });
    let new = json!({ "status": derived.status, "receipt_id": derived.own, "amount": payment.amount });
    events::record(connection, cause, Subject::Payment, payment.payment_id, "changed", &old, &new).await
}
