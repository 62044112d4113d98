//! The ledger: every refund, and every message of the payment provider, for those of the airline who look after money.

mod store;

use chrono::{DateTime, Utc};
use common::language::Language;
use common::money::Money;
use common::page::Page;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Orders;
use crate::bookings::{self, BookingRef};
use crate::charges::Outcome;
use crate::payments::view::words_of_reason;
use crate::refunds::{Refund, RefundState};

/// A refund, whosever it is, and how far it has come.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = AnyRefund)]
pub struct RefundEntry {
    /// The refund.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub refund: Refund,
    /// Whose payment it is of, where it is somebody's.
    #[schema(required, example = 7)]
    pub user_id: Option<i64>,
    /// Of which order, as the provider knows it.
    #[schema(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    pub order_id: String,
    /// The number of its booking.
    #[schema(required, example = "CJ4K7Q2M9X")]
    pub booking_number: Option<String>,
    /// Of which receipt.
    #[schema(example = "624c1c5c1fc19202e4746ce5")]
    pub receipt_id: String,
    /// Why, for people, in the language asked for.
    #[sqlx(skip)]
    #[schema(example = "고객 요청으로 예약 취소")]
    pub reason_text: String,
    /// When it is tried next, while it is.
    #[schema(required)]
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// Which refunds: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct RefundFilter {
    /// In this state.
    pub state: Option<RefundState>,
    /// For this reason.
    pub reason: Option<String>,
    /// Of this payment.
    pub payment_id: Option<i64>,
    /// For this booking.
    pub booking: Option<BookingRef>,
    /// Of this order.
    pub order_id: Option<String>,
    /// Of this receipt.
    pub receipt_id: Option<String>,
    /// Decided then or later.
    pub from: Option<DateTime<Utc>>,
    /// Decided then or earlier.
    pub to: Option<DateTime<Utc>>,
    /// Whether those that wait for an operator are listed first.
    pub waiting_first: bool,
}

/// A message of the provider as it was understood. What else stood in it may name persons, and is not told.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, ToSchema)]
pub struct ProviderEvent {
    /// Its id.
    pub event_id: Uuid,
    /// When it first came.
    #[schema(example = "2026-11-24T03:01:00Z")]
    pub received_at: DateTime<Utc>,
    /// When it was applied. None: it waits for its order to appear.
    #[schema(required, example = "2026-11-24T03:01:00Z")]
    pub applied_at: Option<DateTime<Utc>>,
    /// For which order.
    #[schema(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    pub order_id: String,
    /// About which receipt; `none-…` where it named none.
    #[schema(example = "624c1c5c1fc19202e4746ce5")]
    pub receipt_id: String,
    /// What it says became of the money.
    pub outcome: Outcome,
    /// The status it told, in the provider's own numbers.
    #[sqlx(rename = "raw_status")]
    #[schema(example = 1)]
    pub provider_status: i32,
    /// Over how much.
    #[sqlx(try_from = "i32")]
    pub amount: Money,
    /// How much of it had gone back.
    #[sqlx(rename = "cancelled", try_from = "i32")]
    #[schema(example = 0)]
    pub cancelled_amount: Money,
}

/// Which messages: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct ProviderEventFilter {
    /// Whether they are applied.
    pub applied: Option<bool>,
    /// For this order.
    pub order_id: Option<String>,
    /// About this receipt.
    pub receipt_id: Option<String>,
    /// Came then or later.
    pub from: Option<DateTime<Utc>>,
    /// Came then or earlier.
    pub to: Option<DateTime<Utc>>,
}

impl Orders {
    /// The refunds that fit, newest first.
    pub async fn refunds(
        &self,
        filter: &RefundFilter,
        page: Page,
        language: Language,
    ) -> sqlx::Result<Vec<RefundEntry>> {
        let mut connection = self.db.acquire().await?;
        let booking_id = match &filter.booking {
            Some(reference) => match bookings::store::find(&mut connection, reference).await? {
                Some((booking_id, _)) => Some(booking_id),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let mut refunds = store::refunds(&mut connection, filter, booking_id, page).await?;
        for entry in &mut refunds {
            entry.reason_text = words_of_reason(&entry.refund.reason, language).to_owned();
        }
        Ok(refunds)
    }

    /// The provider's messages that fit, newest first.
    pub async fn provider_events(&self, filter: &ProviderEventFilter, page: Page) -> sqlx::Result<Vec<ProviderEvent>> {
        store::provider_events(&mut *self.db.acquire().await?, filter, page).await
    }
}
