//! Approvals: money for a booking that is there already. The buyer has agreed in the payment window and the provider
//! waits (status 2); we say yes if the seats are still theirs, and only then is a card charged.
//!
//! Saying yes leaves the database. So the intent is committed first: a row of `provider_calls`, which [pins] the booking
//! until there is a definite answer. The one trap is a call without an answer: it may have been heard. Whoever goes on
//! with it (the same client asking again, a job, another replica) looks the receipt up before anything else.
//!
//! A call ends with what the provider says of its receipt, whoever hears it: [`Orders::apply`] ends it, so a webhook
//! before, beside or after it leads to the same.
//!
//! [pins]: crate::bookings::pin

mod begin;
mod drive;
mod store;

use std::time::Duration;

use bootpay::{ReceiptId, Status};
use common::db;
use common::events::{self, Cause, Subject};
use common::money::Money;
use common::telemetry::trace::Origin;
use serde_json::json;
use sqlx::MySqlConnection;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::Orders;
use crate::bookings::{self, BookingStatus, unpin};
use crate::charges::{Facts, Outcome};
use crate::payments::PaymentStatus;
use store::Open;

pub(crate) use store::{forget_ended, has_let_go, is_under_way, measure_open};

common::text_enum! {
    /// What the provider is asked to do with a payment that waits for our approval.
    pub(crate) enum CallKind {
        /// Take it.
        Confirm = "CONFIRM",
        /// Let it go.
        Void = "VOID",
    }
}

common::text_enum! {
    /// Where a call to the provider stands.
    pub(crate) enum CallState {
        /// Its outcome isn't known.
        Started = "STARTED",
        /// The provider did it, or has told otherwise what became of the receipt.
        Done = "DONE",
        /// The provider said no.
        Refused = "REFUSED",
        /// We no longer want it.
        Abandoned = "ABANDONED",
    }
}

/// How long an approval waits for the provider, all questions together: a request is answered within ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long is waited until another's call is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of asking for an approval.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The booking that is paid for.
    pub booking_id: i64,
    /// The payment's id.
    pub payment_id: i64,
    /// Its order id, as it was made.
    pub order_id: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// How much it is over.
    pub amount: Money,
    /// Whether the provider hasn't said yet what became of it. It is being found out, and the same call tells.
    pub is_open: bool,
}

/// Why a payment isn't approved.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// No payment provider is configured.
    #[error("no payment provider is configured")]
    NotConfigured,
    /// The provider can't be asked. Nothing has happened.
    #[error("the payment provider can't be asked")]
    ProviderAway(#[source] bootpay::Error),
    /// There is no such payment, or it isn't the caller's.
    #[error("there is no such payment")]
    UnknownPayment,
    /// The payment is for no booking yet.
    #[error("the payment has no booking")]
    NoBooking,
    /// The booking doesn't wait for a payment any more; what was taken goes back.
    #[error("the booking does not wait for a payment")]
    NotPayable,
    /// The booking is paid already; what was taken beside goes back.
    #[error("the booking is paid already")]
    BookingPaid,
    /// Another receipt is being approved for the booking.
    #[error("another receipt of the booking is being approved")]
    UnderWay,
    /// The flight has left, or isn't flown.
    #[error("the flight is not on sale")]
    NotOnSale,
    /// The payment is cancelled or being refunded.
    #[error("the payment is closed")]
    PaymentClosed,
    /// The provider knows no such receipt.
    #[error("there is no such receipt")]
    UnknownReceipt,
    /// The receipt is over another amount, or for another order; what was taken of ours goes back.
    #[error("the receipt is not for this payment")]
    Mismatch,
    /// The buyer hasn't agreed yet.
    #[error("the buyer has not agreed yet")]
    NotAgreed,
    /// The provider has declined it. Nothing was taken.
    #[error("the payment was declined")]
    Declined,
    /// The database failed.
    #[error("could not approve the payment")]
    Database(#[from] sqlx::Error),
}

/// What is known of a payment, its booking and one receipt, before anything is locked or anybody is asked.
#[derive(Debug)]
pub(crate) struct Seen {
    payment_id: i64,
    order_id: String,
    amount: Money,
    status: PaymentStatus,
    is_closed: bool,
    /// Whether the receipt is the one that pays the payment.
    is_own: bool,
    /// Whether the provider has said that no money was taken on the receipt.
    has_failed: bool,
    /// Its booking, and how that reads now.
    booking: Option<(i64, BookingStatus)>,
    /// The call about the receipt, if one was made.
    call: Option<CallState>,
}

/// How far an approval has come.
#[derive(Clone, Copy, Debug)]
enum Progress {
    /// Nobody has begun it.
    NotBegun,
    /// It is begun, and its outcome isn't known.
    UnderWay,
    /// The booking is confirmed by it.
    Approved,
}

impl Seen {
    fn progress(&self) -> Result<Progress, ApproveError> {
        let (_, booking) = self.booking.ok_or(ApproveError::NoBooking)?;
        let pays = self.is_own && self.status.has_money() && !self.is_closed;
        match (self.call, booking) {
            (Some(CallState::Started), _) => Ok(Progress::UnderWay),
            (_, BookingStatus::Confirmed | BookingStatus::Completed) if pays => Ok(Progress::Approved),
            (Some(CallState::Refused), _) => Err(ApproveError::Declined),
            _ if self.has_failed => Err(ApproveError::Declined),
            (_, BookingStatus::Confirmed | BookingStatus::Completed) => Err(ApproveError::BookingPaid),
            (_, BookingStatus::Cancelled) => Err(ApproveError::NotPayable),
            _ if self.is_closed || self.status == PaymentStatus::Cancelled => Err(ApproveError::PaymentClosed),
            (Some(_), BookingStatus::Pending) => Err(ApproveError::Mismatch),
            (None, BookingStatus::Pending) => Ok(Progress::NotBegun),
        }
    }

    fn approval(self, is_open: bool) -> Result<Approval, ApproveError> {
        let (booking_id, _) = self.booking.ok_or(ApproveError::NoBooking)?;
        let Self { payment_id, order_id, amount, status, .. } = self;
        Ok(Approval { booking_id, payment_id, order_id, status, amount, is_open })
    }
}

/// A call that we have taken, for one attempt.
#[derive(Debug)]
pub(crate) struct Call {
    id: Uuid,
    kind: CallKind,
    booking_id: i64,
    payment_id: i64,
    receipt_id: String,
    order_id: String,
    amount: Money,
    attempts: i32,
    origin: Option<Origin>,
}

/// The provider, asked for no longer than until a deadline.
#[derive(Clone, Copy, Debug)]
struct Asked<'p> {
    provider: &'p bootpay::Client,
    deadline: Instant,
}

impl Asked<'_> {
    async fn answers<T>(self, call: impl Future<Output = Result<T, bootpay::Error>>) -> Result<T, bootpay::Error> {
        timeout_at(self.deadline, call).await.unwrap_or(Err(bootpay::Error::TimedOut))
    }

    async fn receipt(self, receipt_id: &ReceiptId) -> Result<Option<bootpay::Receipt>, bootpay::Error> {
        self.answers(self.provider.receipt(receipt_id)).await
    }

    async fn confirm(self, receipt_id: &ReceiptId) -> Result<bootpay::Receipt, bootpay::Error> {
        self.answers(self.provider.confirm(receipt_id)).await
    }

    async fn cancel(self, cancel: &bootpay::Cancel) -> Result<bootpay::Receipt, bootpay::Error> {
        self.answers(self.provider.cancel(cancel)).await
    }
}

impl Orders {
    /// Approves the payment that waits at the provider as `receipt_id`, for the booking of the caller's payment
    /// `order_id`, and so confirms that booking. Of any number of calls at once one speaks to the provider, and all
    /// answer alike; the same call again answers the same, or goes on with what is still open.
    pub async fn approve(
        &self,
        cause: &Cause,
        user_id: i64,
        order_id: &str,
        receipt_id: &ReceiptId,
    ) -> Result<Approval, ApproveError> {
        let provider = self.provider.as_ref().ok_or(ApproveError::NotConfigured)?;
        let asked = Asked { provider, deadline: Instant::now() + PATIENCE };
        let mut tried = false;
        loop {
            let seen = store::see(&mut *self.db.acquire().await?, user_id, order_id, receipt_id.as_str()).await?;
            let seen = seen.ok_or(ApproveError::UnknownPayment)?;
            match seen.progress()? {
                Progress::Approved => return seen.approval(false),
                Progress::UnderWay if tried || asked.deadline <= Instant::now() => return seen.approval(true),
                Progress::UnderWay => match self.take_approval(receipt_id).await? {
                    Some(call) => {
                        self.drive(&call, None, asked).await?;
                        tried = true;
                    }
                    None => sleep(PAUSE).await,
                },
                Progress::NotBegun => {
                    if let Some((call, receipt)) = self.begin_approval(cause, &seen, receipt_id, asked).await? {
                        self.drive(&call, Some(receipt), asked).await?;
                        tried = true;
                    }
                }
            }
        }
    }

    async fn take_approval(&self, receipt_id: &ReceiptId) -> sqlx::Result<Option<Call>> {
        let approving = store::approving(&mut *self.db.acquire().await?, receipt_id.as_str()).await?;
        match approving {
            Some(call_id) => self.take_call(call_id).await,
            None => Ok(None),
        }
    }

    async fn take_call(&self, call_id: Uuid) -> sqlx::Result<Option<Call>> {
        db::retry(async || store::take(&mut *self.db.acquire().await?, call_id).await).await
    }
}

/// Ends the call about a receipt, because the provider has told what became of it, and with the call its pin. Its
/// payment and `booking` are locked, and what follows from the facts is done.
pub(crate) async fn settle(
    connection: &mut MySqlConnection,
    cause: &Cause,
    facts: &Facts,
    booking: Option<&bookings::store::Locked>,
) -> sqlx::Result<()> {
    let state = match facts.outcome {
        Outcome::Paid => CallState::Done,
        Outcome::Failed => CallState::Refused,
        Outcome::Open => return Ok(()),
    };
    match store::lock_approving(connection, &facts.receipt_id).await? {
        Some(call) => end(connection, cause, &call, state, None, booking).await,
        None => Ok(()),
    }
}

/// Ends a locked call, and its pin on the locked booking.
async fn end(
    connection: &mut MySqlConnection,
    cause: &Cause,
    call: &Open,
    state: CallState,
    error: Option<&str>,
    booking: Option<&bookings::store::Locked>,
) -> sqlx::Result<()> {
    store::end(connection, call.call_id, state, error).await?;
    if let Some(booking) = booking.filter(|_| call.kind == CallKind::Confirm) {
        unpin(connection, cause, booking, call.deadline).await?;
    }
    let old = json!({ "state": CallState::Started });
    let new = json!({ "kind": call.kind, "state": state, "receipt_id": call.receipt_id, "error": error });
    events::record(connection, cause, Subject::Payment, call.payment_id, "call-ended", &old, &new).await
}

/// Whether a receipt waits for our approval.
fn waits(receipt: &bootpay::Receipt) -> bool {
    receipt.status == Status::AwaitingApproval
}
