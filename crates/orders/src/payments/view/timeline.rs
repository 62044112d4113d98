//! A payment's history as a page can show it: only what means something to whoever paid, in their words.

use chrono::{DateTime, Utc};
use common::events::Subject;
use common::language::Language;
use common::money::Money;
use serde::Serialize;
use serde_json::Value;
use sqlx::MySqlConnection;
use utoipa::ToSchema;

use super::{Payment, store, words};

/// Something that happened to a payment, its booking or one of its refunds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PaymentMoment)]
pub struct Moment {
    /// When.
    #[schema(example = "2026-11-24T03:01:00Z")]
    pub happened_at: DateTime<Utc>,
    /// To what.
    pub subject: Subject,
    /// What, for programs.
    #[schema(example = "changed")]
    pub action: String,
    /// Over how much, where it is about an amount.
    #[schema(required)]
    pub amount: Option<Money>,
    /// What, for people, in the language asked for.
    #[schema(example = "결제가 완료되었습니다.")]
    pub text: String,
}

/// What happened to a payment, the oldest first.
pub(super) async fn of(
    connection: &mut MySqlConnection,
    payment: &Payment,
    language: Language,
) -> sqlx::Result<Vec<Moment>> {
    let happened = store::happened_to(connection, payment).await?;
    Ok(happened.into_iter().filter_map(|happened| tell(happened, language)).collect())
}

fn tell(happened: store::Happened, language: Language) -> Option<Moment> {
    let new = &happened.detail.0["new"];
    let text = words::moment(happened.subject, &happened.action, new, language)?;
    let amount = new.get("amount").and_then(Value::as_i64).map(Money::won);
    Some(Moment { happened_at: happened.at, amount, text, subject: happened.subject, action: happened.action })
}
