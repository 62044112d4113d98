//! Beginning a call: everything that can be refused is refused here, and what isn't is committed as an intent.

use bootpay::{Receipt, ReceiptId};
use catalogue::schedules::ScheduleStatus;
use common::db;
use common::events::{self, Cause, Subject};
use common::telemetry::trace::Origin;
use serde_json::json;
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::store::{self, NewRow};
use super::{ApproveError, Asked, Call, CallKind, CallState, Seen, is_under_way, waits};
use crate::Orders;
use crate::bookings::{self, Deadline, pin};
use crate::charges::Facts;
use crate::payments::{self, PaymentStatus};

/// What one try came to.
enum Begun {
    /// Our call.
    Ours(Call),
    /// Somebody else has begun it meanwhile, or linked the payment to another booking.
    Already,
}

impl Orders {
    /// Looks the receipt up and begins to approve it. `None`: there was no need to, or somebody else has begun it.
    pub(super) async fn begin_approval(
        &self,
        cause: &Cause,
        seen: &Seen,
        receipt_id: &ReceiptId,
        asked: Asked<'_>,
    ) -> Result<Option<(Call, Receipt)>, ApproveError> {
        let receipt = asked.receipt(receipt_id).await.map_err(ApproveError::ProviderAway)?;
        let receipt = receipt.ok_or(ApproveError::UnknownReceipt)?;
        let facts = Facts::from(&receipt);
        if facts.order_id != seen.order_id {
            return Err(ApproveError::Mismatch);
        }
        if waits(&receipt) && facts.amount == seen.amount {
            let begun = self.transact(|| self.begin_once(cause, seen, &receipt)).await?;
            return match begun {
                Begun::Ours(call) => Ok(Some((call, receipt))),
                Begun::Already => Ok(None),
            };
        }
        match self.apply(&Cause::provider(cause.request_id.clone()), &facts).await? {
            _ if facts.amount != seen.amount => Err(ApproveError::Mismatch),
            payments::Applied::Nothing => Err(ApproveError::NotAgreed),
            _ => Ok(None),
        }
    }

    async fn begin_once(&self, cause: &Cause, seen: &Seen, receipt: &Receipt) -> Result<Begun, ApproveError> {
        let (booking_id, _) = seen.booking.ok_or(ApproveError::NoBooking)?;
        let receipt_id = receipt.receipt_id.as_str();
        let mut tx = self.db.begin().await?;
        let booking = bookings::store::lock(&mut tx, booking_id).await?.ok_or(ApproveError::NoBooking)?;
        let payment = payments::store::lock(&mut tx, seen.payment_id).await?.ok_or(ApproveError::UnknownPayment)?;
        let calls = store::approvals_of(&mut tx, booking_id).await?;
        if payment.booking_id != Some(booking_id) || calls.iter().any(|(other, _)| other == receipt_id) {
            return Ok(Begun::Already);
        }
        if calls.iter().any(|(_, state)| *state == CallState::Started) {
            return Err(ApproveError::UnderWay);
        }
        // Its booking was over, and then it was attached to another: too late for this receipt.
        if store::is_let_go(&mut tx, receipt_id).await? {
            return Err(ApproveError::PaymentClosed);
        }
        self.may_approve(&mut tx, &booking, &payment).await?;

        let call_id = Uuid::now_v7();
        let origin = Origin::current();
        let deadline = pin(&mut tx, cause, &booking).await?.ok_or(ApproveError::NotPayable)?;
        let row = NewRow {
            call_id,
            kind: CallKind::Confirm,
            booking_id,
            payment_id: payment.payment_id,
            receipt_id,
            deadline: Some(deadline),
            traceparent: origin.as_ref().map(|origin| origin.parent.as_str()),
        };
        if !start(&mut tx, cause, &row).await? {
            events::take_back();
            return Ok(Begun::Already);
        }
        db::commit(tx).await?;
        Ok(Begun::Ours(Call {
            id: call_id,
            kind: CallKind::Confirm,
            booking_id,
            payment_id: payment.payment_id,
            receipt_id: receipt_id.to_owned(),
            order_id: seen.order_id.clone(),
            amount: payment.amount,
            attempts: 1,
            origin,
        }))
    }

    /// Whether a locked booking can still take its locked payment.
    pub(super) async fn may_approve(
        &self,
        connection: &mut MySqlConnection,
        booking: &bookings::store::Locked,
        payment: &payments::store::Locked,
    ) -> Result<(), ApproveError> {
        if booking.status.is_sold() {
            return Err(ApproveError::BookingPaid);
        }
        if !booking.is_payable() {
            return Err(ApproveError::NotPayable);
        }
        if payment.is_closed || payment.status == PaymentStatus::Cancelled || payment.status.has_money() {
            return Err(ApproveError::PaymentClosed);
        }
        if payment.amount != booking.total {
            return Err(ApproveError::Mismatch);
        }
        let flown = catalogue::schedules::find(connection, booking.schedule_id).await?.is_some_and(|schedule| {
            !schedule.is_grounded
                && schedule.status != ScheduleStatus::Cancelled
                && schedule.departs_at() > self.clock.now()
        });
        if flown { Ok(()) } else { Err(ApproveError::NotOnSale) }
    }

    /// Lets go of a receipt that waits for an approval nobody will give: its booking is over, or paid otherwise.
    pub(crate) async fn let_go(&self, receipt: &Receipt) -> sqlx::Result<()> {
        if waits(receipt) { self.transact(|| self.let_go_once(receipt)).await } else { Ok(()) }
    }

    async fn let_go_once(&self, receipt: &Receipt) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(found) = payments::store::find_by_order(&mut tx, &receipt.order_id).await? else { return Ok(()) };
        let linked = payments::lock_linked(&mut tx, found.payment_id, found.booking_id).await?;
        let Some((payment, Some(booking))) = linked else { return Ok(()) };
        if booking.is_payable() || is_under_way(&mut tx, payment.payment_id).await? {
            return Ok(());
        }
        let receipt_id = receipt.receipt_id.as_str();
        void(&mut tx, &Cause::system(), booking.booking_id, payment.payment_id, receipt_id).await?;
        db::commit(tx).await
    }
}

/// Has a receipt let go of at the provider, which the job does. Once for each receipt.
pub(super) async fn void(
    connection: &mut MySqlConnection,
    cause: &Cause,
    booking_id: i64,
    payment_id: i64,
    receipt_id: &str,
) -> sqlx::Result<()> {
    let origin = Origin::current();
    let row = NewRow {
        call_id: Uuid::now_v7(),
        kind: CallKind::Void,
        booking_id,
        payment_id,
        receipt_id,
        deadline: None::<Deadline>,
        traceparent: origin.as_ref().map(|origin| origin.parent.as_str()),
    };
    start(connection, cause, &row).await.map(drop)
}

/// Writes a call down. False if there is one of its kind for the receipt.
async fn start(connection: &mut MySqlConnection, cause: &Cause, row: &NewRow<'_>) -> sqlx::Result<bool> {
    if !store::insert(connection, row).await? {
        return Ok(false);
    }
    let new = json!({ "kind": row.kind, "state": CallState::Started, "receipt_id": row.receipt_id });
    events::record(connection, cause, Subject::Payment, row.payment_id, "call-started", &(), &new).await?;
    Ok(true)
}
