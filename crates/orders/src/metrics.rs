//! What is counted and told of orders: every change that [`common::events`] records, once it is committed, and every
//! booking that is refused. So whoever adds a change and records it, as everybody must, has it counted, too.
//!
//! Lines in the log say what, which and how, never who: names, addresses and phones stay in the database.

use common::events::{Change, Subject};
use common::{db, events};
use serde_json::Value;

use crate::Orders;
use crate::bookings::{BookError, CancelReason};
use crate::payments::PaymentStatus;

common::metrics! {
    /// What is counted of orders.
    pub struct Metrics {
        /// Bookings made, by status: PENDING, or CONFIRMED where a payment waited for them.
        made: IntCounterVec = "cloudjet_bookings_made_total" by ["status"] from [["PENDING"], ["CONFIRMED"]],
        /// Bookings confirmed after they were made, because their payment came.
        confirmed: IntCounter = "cloudjet_bookings_confirmed_total",
        /// Bookings refused, by code.
        refused: IntCounterVec = "cloudjet_bookings_refused_total" by ["code"],
        /// Bookings cancelled, by reason; EXPIRED: their hold ran out unpaid.
        cancelled: IntCounterVec = "cloudjet_bookings_cancelled_total" by ["reason"]
            from CancelReason::ALL.iter().map(|reason| [reason.as_str()]),
        /// Payments that entered a status.
        payments: IntCounterVec = "cloudjet_payments_total" by ["status"]
            from PaymentStatus::ALL.iter().map(|status| [status.as_str()]),
        /// Refunds that entered a state: PENDING, SUCCEEDED or NEEDS_OPERATOR.
        refunds: IntCounterVec = "cloudjet_refunds_total" by ["state"]
            from [["PENDING"], ["SUCCEEDED"], ["NEEDS_OPERATOR"]],
        /// Won of payments that became paid. What was charged beside them, and goes back, is not in it; nor is what was
        /// paid in the system before this one.
        charged: IntCounter = "cloudjet_won_charged_total",
        /// Won given back of payments that had become paid, by refunds and by operators in their stead. Without what was
        /// cancelled in the provider's console, and what was paid in the system before this one.
        refunded: IntCounter = "cloudjet_won_refunded_total",
        /// Won cancelled in the provider's console, of payments that had become paid. It went back beside what was refunded.
        in_console: IntCounter = "cloudjet_won_cancelled_in_console_total",
        /// Calls to the provider that entered a state: CONFIRM or VOID; STARTED, DONE, REFUSED or ABANDONED.
        calls: IntCounterVec = "cloudjet_provider_calls_total" by ["kind", "state"],
    }
}

common::metrics! {
    /// What waits to be done, as last [looked at](Orders::look_at_backlog). Every replica says the same.
    pub struct Backlog {
        /// Refunds that are not paid, by state. One that NEEDS_OPERATOR is not tried any more.
        pub(crate) refunds: IntGaugeVec = "cloudjet_refunds_open" by ["state"],
        /// Seconds since the oldest refund was queued that is still to be paid; 0 where none is.
        pub(crate) oldest_refund: IntGauge = "cloudjet_refund_oldest_open_age_seconds",
        /// Seconds since the oldest message of the provider came that is still to be applied; 0 where none is.
        pub(crate) oldest_event: IntGauge = "cloudjet_provider_event_oldest_unapplied_age_seconds",
        /// Calls to the provider whose outcome isn't known, by kind.
        pub(crate) calls: IntGaugeVec = "cloudjet_provider_calls_open" by ["kind"],
        /// Seconds since the oldest approval (CONFIRM) was begun whose outcome isn't known; 0 where none is.
        pub(crate) oldest_call: IntGauge = "cloudjet_provider_call_oldest_open_age_seconds",
        /// What the last round of reconciliation found, by check; open: a person has to look; failed: 1 where the check
        /// itself failed, and the others say what was found before.
        pub(crate) findings: IntGaugeVec = "cloudjet_reconciliation_findings" by ["check", "state"],
    }
}

common::metrics! {
    /// What is on sale, as last [looked at](Orders::look_at_shelf). Every replica says the same.
    pub struct Shelf {
        /// Seats of flights on sale, from today on, by state: free, or held by bookings that are not paid yet.
        seats: IntGaugeVec = "cloudjet_seats" by ["state"],
    }
}

impl Orders {
    /// Runs a transaction as [`db::retry`] does, and counts and tells of its changes once they are committed.
    pub(crate) async fn transact<T, E, F>(&self, mut transaction: impl FnMut() -> F) -> Result<T, E>
    where
        E: std::error::Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        // Boxed: a transaction's state is large, and moved around by whoever waits for it.
        let (done, changes) = db::retry(|| Box::pin(events::collect(transaction()))).await?;
        for change in &changes {
            self.metrics.tell(change);
        }
        Ok(done)
    }

    /// Looks at what waits to be done.
    pub async fn look_at_backlog(&self, backlog: &Backlog) -> sqlx::Result<bool> {
        let mut connection = self.db.acquire().await?;
        crate::refunds::store::measure_open(&mut connection, backlog).await?;
        crate::payments::measure_unapplied(&mut connection, backlog).await?;
        crate::approvals::measure_open(&mut connection, backlog).await?;
        Ok(false)
    }

    /// Looks at what is on sale. What an abandoned booking held is neither free nor held until it is tidied away.
    pub async fn look_at_shelf(&self, shelf: &Shelf) -> sqlx::Result<bool> {
        let mut connection = self.db.acquire().await?;
        let free = catalogue::schedules::free_seats(&mut connection, self.clock.today_in_seoul()).await?;
        shelf.seats.with_label_values(&["free"]).set(free);
        shelf.seats.with_label_values(&["held"]).set(inventory::held(&mut connection).await?);
        Ok(false)
    }
}

impl Metrics {
    /// Counts and tells of a committed change. The lines keep the words that dashboards of the original look for.
    fn tell(&self, change: &Change) {
        let (id, action) = (change.id.as_str(), change.action);
        let word = |name: &str| change.new.get(name).and_then(Value::as_str);
        match (change.subject, action) {
            (Subject::Booking, "booked") => {
                let status = word("status").unwrap_or_default();
                self.made.with_label_values(&[status]).inc();
                tracing::info!(booking_id = id, status, "예약 생성 성공 - booking made");
            }
            (Subject::Booking, "confirmed" | "revived") => {
                self.confirmed.inc();
                tracing::info!(booking_id = id, action, "예약 확정 성공 - booking confirmed");
            }
            (Subject::Booking, "seats-changed") => {
                tracing::info!(booking_id = id, "좌석 변경 성공 - seats changed");
            }
            (Subject::Booking, _) => {
                if let Some(reason) = word("reason") {
                    self.cancelled.with_label_values(&[reason]).inc();
                    tracing::info!(booking_id = id, reason, "예약 취소 성공 - booking cancelled");
                }
            }
            (Subject::Payment, "requested") => {
                self.payments.with_label_values(&["REQUESTED"]).inc();
                tracing::info!(payment_id = id, "결제 요청 - payment requested");
            }
            (Subject::Payment, "call-started" | "call-ended") => {
                let (kind, state) = (word("kind").unwrap_or_default(), word("state").unwrap_or_default());
                self.calls.with_label_values(&[kind, state]).inc();
                tracing::info!(payment_id = id, kind, state, "결제 승인 호출 - provider call");
            }
            (Subject::Payment, "cancelled-in-console") => {
                self.in_console.inc_by(won(change));
                tracing::warn!(payment_id = id, "콘솔 취소 - cancelled in the provider's console");
            }
            (Subject::Payment, _) => {
                if let Some(status) = word("status") {
                    self.payments.with_label_values(&[status]).inc();
                    self.charged.inc_by(won_came(change));
                    match status {
                        "PAID" => tracing::info!(payment_id = id, status, "결제 성공 - payment PAID, COMPLETE"),
                        "FAILED" => tracing::warn!(payment_id = id, status, "결제 실패 - payment FAILED"),
                        _ => tracing::info!(payment_id = id, status, "결제 변경 - payment changed"),
                    }
                }
            }
            (Subject::Refund, "queued") => {
                self.refunds.with_label_values(&["PENDING"]).inc();
                tracing::info!(refund_id = id, reason = word("reason"), "환불 접수 - refund queued");
            }
            (Subject::Refund, "succeeded") => {
                self.refunds.with_label_values(&["SUCCEEDED"]).inc();
                self.refunded.inc_by(won_went(change));
                tracing::info!(refund_id = id, "환불 성공 - refund paid");
            }
            (Subject::Refund, "retried") => {
                self.refunds.with_label_values(&["PENDING"]).inc();
                tracing::info!(refund_id = id, "환불 재시도 - refund tried anew");
            }
            (Subject::Refund, "settled") => {
                self.refunds.with_label_values(&["SUCCEEDED"]).inc();
                self.refunded.inc_by(won_went(change));
                tracing::info!(refund_id = id, "환불 수동 처리 - refund settled by an operator");
            }
            (Subject::Refund, "needs-operator") => {
                self.refunds.with_label_values(&["NEEDS_OPERATOR"]).inc();
                tracing::error!(refund_id = id, "환불 실패 - refund needs an operator");
            }
            _ => {}
        }
    }

    /// Counts a refused booking. One that failed is no refusal.
    pub(crate) fn refused(&self, error: &BookError) {
        let code = match error {
            BookError::UnknownSchedule => "schedule-not-found",
            BookError::NotOnSale => "not-on-sale",
            BookError::SoldOut => "sold-out",
            BookError::NoSuchSeat(_) => "no-such-seat",
            BookError::SeatTaken(_) => "seat-taken",
            BookError::TooManyHeld => "too-many-held-seats",
            BookError::WrongTotal(_) => "wrong-total",
            BookError::PaymentClosed => "payment-closed",
            BookError::Database(_) => return,
        };
        self.refused.with_label_values(&[code]).inc();
    }
}

/// The won that a change is about.
fn won(change: &Change) -> u64 {
    change.new.get("amount").and_then(Value::as_u64).unwrap_or_default()
}

/// The won that went back by a refund, of what has counted as charged: another receipt than the payment's own hasn't, nor
/// has what was paid before we were there.
fn won_went(change: &Change) -> u64 {
    if change.new["came_here"] == true { won(change) } else { 0 }
}

/// The won that came by a change of a payment: all of it, as soon as any of its states says so.
fn won_came(change: &Change) -> u64 {
    let has_money = |facts: &Value| matches!(facts["status"].as_str(), Some("PAID" | "PARTIALLY_REFUNDED"));
    if has_money(&change.new) && !has_money(&change.old) { won(change) } else { 0 }
}
