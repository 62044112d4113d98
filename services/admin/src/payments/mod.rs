//! Everybody's payments, their refunds, and what the payment provider told: to look through, and to look into again.

pub(crate) mod detail;
pub(crate) mod events;
pub(crate) mod list;
mod period;
pub(crate) mod refunds;
pub(crate) mod replay;

use orders::payments::Payment;
use serde::Serialize;
use utoipa::ToSchema;

/// How many are listed where nothing else is said.
const USUAL_PAGE: u32 = 50;

/// A payment and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnyPayment {
    #[schema(example = 1)]
    user_id: i64,
    /// The name of the account that pays.
    #[schema(example = "김하늘")]
    customer_name: String,
    /// The e-mail address of the account that pays.
    #[schema(example = "haneul@example.com")]
    user_email: String,
    #[serde(flatten)]
    payment: Payment,
}

impl From<Payment> for AnyPayment {
    fn from(mut payment: Payment) -> Self {
        let (customer_name, user_email) =
            (std::mem::take(&mut payment.user_name), std::mem::take(&mut payment.user_email));
        Self { user_id: payment.user_id, customer_name, user_email, payment }
    }
}
