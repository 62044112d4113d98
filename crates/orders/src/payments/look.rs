//! Looking: what the provider says of one receipt, whether or not anybody told us of it. A cancel in its console is
//! found so.

use bootpay::ReceiptId;

use crate::Orders;

impl Orders {
    /// Asks the provider about a receipt, and applies what it says. Answers whether it could tell.
    pub async fn look_at_receipt(&self, receipt_id: &str) -> sqlx::Result<bool> {
        let (Some(provider), Ok(receipt_id)) = (&self.provider, ReceiptId::parse(receipt_id)) else { return Ok(false) };
        let answer = provider.receipt(&receipt_id).await;
        self.apply_answer(answer.map(|receipt| receipt.into_iter().collect())).await
    }
}
