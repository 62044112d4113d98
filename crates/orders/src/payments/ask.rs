//! Asking the provider: whoever waits for money doesn't wait for a message that may never come. What it says is applied
//! like any message; what it can't tell is left to one, and to the next who asks.

use bootpay::ReceiptId;
use common::db;
use common::error::Chain;
use common::events::{self, Cause, Subject};
use serde_json::json;

use super::{PaymentStatus, store};
use crate::side_by_side::side_by_side;
use crate::{Orders, approvals};

/// How many of several orders are asked about: the newest.
const ASKED_ABOUT: usize = 3;

impl Orders {
    /// Asks the provider about the unfinished payments of a booking.
    pub(crate) async fn ask_about_payments_of(&self, booking_id: i64) -> sqlx::Result<()> {
        let orders = store::unfinished_orders_of(&mut *self.db.acquire().await?, booking_id).await?;
        self.ask_about(&orders).await
    }

    /// Asks the provider about a person's payment that belongs to no booking, unless it is known what became of the
    /// money. Answers whether it was.
    pub(super) async fn ask_about_unlinked(&self, user_id: i64, order_id: &str) -> sqlx::Result<bool> {
        let asked = store::is_unlinked_and_unpaid(&mut *self.db.acquire().await?, user_id, order_id).await?;
        if asked {
            self.ask_about(&[order_id.to_owned()]).await?;
        }
        Ok(asked)
    }

    /// Asks the provider about the first few of these orders, all at once. What it can't tell is left to its webhook.
    pub(crate) async fn ask_about(&self, orders: &[String]) -> sqlx::Result<()> {
        let Some(provider) = &self.provider else { return Ok(()) };
        let asked = orders.iter().take(ASKED_ABOUT).map(|order_id| provider.order(order_id));
        for answer in futures_util::future::join_all(asked).await {
            self.apply_answer(answer).await?;
        }
        Ok(())
    }

    /// Asks about a receipt, whether or not anybody told us of it: so a cancel in the provider's console is found. Answers
    /// whether the provider could tell.
    pub async fn look_at_receipt(&self, receipt_id: &str) -> sqlx::Result<bool> {
        let (Some(provider), Ok(receipt_id)) = (&self.provider, ReceiptId::parse(receipt_id)) else { return Ok(false) };
        let answer = provider.receipt(&receipt_id).await;
        self.apply_answer(answer.map(|receipt| receipt.into_iter().collect())).await
    }

    /// Asks the provider about at most `limit` payments that nobody finished. What it knows is applied; what it
    /// definitely knows nothing of has expired; what it can't tell is asked again later. Answers whether there was
    /// anything to do.
    pub async fn ask_about_payments_once(&self, limit: u32) -> sqlx::Result<bool> {
        let Some(provider) = &self.provider else { return Ok(false) };
        let terms = self.terms;
        let (after, interval) = (terms.reconcile_after, terms.reconcile_interval);
        let unfinished = store::to_ask_about(&mut *self.db.acquire().await?, after, interval, limit).await?;
        side_by_side(unfinished, |(payment_id, order_id)| self.ask_about_payment(provider, payment_id, order_id)).await
    }

    /// Asks about a payment, if it can be taken. Answers whether it could.
    async fn ask_about_payment(
        &self,
        provider: &bootpay::Client,
        payment_id: i64,
        order_id: String,
    ) -> sqlx::Result<bool> {
        let interval = self.terms.reconcile_interval;
        if !store::take_to_ask(&mut *self.db.acquire().await?, payment_id, interval).await? {
            return Ok(false);
        }
        if self.apply_answer(provider.order(&order_id).await).await? {
            self.transact(|| self.expire_payment(payment_id)).await?;
        }
        Ok(true)
    }

    /// Nobody will finish this payment, as far as the provider knows. A late success still counts.
    async fn expire_payment(&self, payment_id: i64) -> sqlx::Result<()> {
        let mut tx = self.db.begin().await?;
        let Some(payment) = store::lock(&mut tx, payment_id).await?.filter(|p| p.status == PaymentStatus::Requested)
        else {
            return Ok(());
        };
        if approvals::is_under_way(&mut tx, payment_id).await? {
            return Ok(());
        }
        store::set_status(&mut tx, payment_id, PaymentStatus::Expired, None).await?;
        let (old, new) = (json!({ "status": payment.status }), json!({ "status": PaymentStatus::Expired }));
        events::record(&mut tx, &Cause::system(), Subject::Payment, payment_id, "expired", &old, &new).await?;
        db::commit(tx).await
    }

    /// Applies what the provider answered about an order. Answers whether it could tell.
    async fn apply_answer(&self, answer: Result<Vec<bootpay::Receipt>, bootpay::Error>) -> sqlx::Result<bool> {
        match answer {
            Ok(receipts) => {
                for receipt in &receipts {
                    self.apply(&Cause::provider(None), &receipt.into()).await?;
                    self.let_go(receipt).await?;
                }
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the provider couldn't tell about an order");
                Ok(false)
            }
        }
    }
}
