//! The SQL of what is seen of payments: reads only, so nothing here takes a lock.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::events::Subject;
use common::language::Language;
use common::money::Money;
use common::page::Page;
use sqlx::{MySqlConnection, QueryBuilder};

use super::{ChargedReceipt, Filter, Payment, Refund, words};
use crate::charges::Outcome;
use crate::payments::{Method, PaymentStatus};

/// A payment's row, joined with names, before its refunds are known. Until they are, what is gone of its
/// receipt, by the provider or by other means, stands in `refunded_amount`.
macro_rules! select_payments {
    ($connection:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select p.payment_id, p.order_id, p.order_name, p.user_id, u.name as user_name, u.email as user_email, p.booking_id,
                      b.booking_number as "booking_number?", p.status as "status: PaymentStatus", p.amount,
                      cast(coalesce(least(c.amount, c.cancelled + (
                          select coalesce(sum(r.paid_outside), 0) from refunds r where r.receipt_id = c.receipt_id)), 0) as signed)
                          as "gone!: i64", coalesce(p.currency, 'KRW') as "currency!: String",
                      p.method as "method: Method", p.bootpay_receipt_id, p.created_at as "created_at: DateTime<Utc>",
                      p.paid_at as "paid_at: DateTime<Utc>"
               from payments p
               join users u on u.user_id = p.user_id
               left join bookings b on b.booking_id = p.booking_id
               left join charges c on c.receipt_id = p.bootpay_receipt_id"# + $rest,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| Payment {
                    payment_id: row.payment_id,
                    order_id: row.order_id,
                    order_name: row.order_name,
                    user_id: row.user_id,
                    user_name: row.user_name,
                    user_email: row.user_email,
                    booking_id: row.booking_id,
                    booking_number: row.booking_number,
                    status: row.status,
                    amount: Money::won(row.amount.into()),
                    refunded_amount: Money::won(row.gone),
                    refund_pending_amount: Money::ZERO,
                    currency: row.currency,
                    method: row.method,
                    receipt_id: row.bootpay_receipt_id,
                    created_at: row.created_at,
                    paid_at: row.paid_at,
                    refunds: Vec::new(),
                })
                .collect::<Vec<_>>()
        })
    };
}

pub(super) async fn by_id(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Vec<Payment>> {
    select_payments!(connection, " where p.payment_id = ?", payment_id)
}

/// The page is cut before its names are looked up. Ids grow with time, so the newest first are the highest.
pub(super) async fn fitting(
    connection: &mut MySqlConnection,
    filter: &Filter,
    booking_id: Option<i64>,
    page: Page,
) -> sqlx::Result<Vec<Payment>> {
    let Filter { status, user_id, order_id, receipt_id, from, to, .. } = filter;
    select_payments!(
        connection,
        " join (select p.payment_id from payments p
                where (? is null or p.status = ?) and (? is null or p.user_id = ?) and (? is null or p.booking_id = ?)
                  and (? is null or p.order_id = ?)
                  and (? is null or p.payment_id = (select c.payment_id from charges c where c.receipt_id = ?))
                  and (? is null or p.created_at >= ?) and (? is null or p.created_at <= ?)
                order by p.payment_id desc limit ? offset ?) page on page.payment_id = p.payment_id
          order by p.payment_id desc",
        status,
        status,
        user_id,
        user_id,
        booking_id,
        booking_id,
        order_id,
        order_id,
        receipt_id,
        receipt_id,
        from,
        from,
        to,
        to,
        page.limit(),
        page.offset()
    )
}

/// The payment of this order id, else of this id in digits.
pub(super) async fn find(connection: &mut MySqlConnection, name: &str) -> sqlx::Result<Option<i64>> {
    let by_order = sqlx::query_scalar!("select payment_id from payments where order_id = ?", name)
        .fetch_optional(&mut *connection)
        .await?;
    match (by_order, name.parse::<i64>()) {
        (None, Ok(id)) => {
            sqlx::query_scalar!("select payment_id from payments where payment_id = ?", id)
                .fetch_optional(connection)
                .await
        }
        (found, _) => Ok(found),
    }
}

/// How many ids one statement may list: the server takes 65,535 parameters and no more.
const LISTED: usize = 10_000;

/// Puts each payment's refunds on it and adds them up: one query for all of them.
pub(super) async fn add_refunds(
    connection: &mut MySqlConnection,
    payments: &mut [Payment],
    language: Language,
) -> sqlx::Result<()> {
    for payments in payments.chunks_mut(LISTED) {
        let mut select = QueryBuilder::new(
            "select refund_id, payment_id, amount, receipt_id, reason, state, created_at, settled_at
             from refunds where payment_id in (",
        );
        let mut ids = select.separated(", ");
        for payment in payments.iter() {
            ids.push_bind(payment.payment_id);
        }
        select.push(") order by refund_id");
        let refunds: Vec<Refund> = select.build_query_as().fetch_all(&mut *connection).await?;
        let mut by_id: HashMap<i64, &mut Payment> = payments.iter_mut().map(|p| (p.payment_id, p)).collect();
        for refund in refunds {
            if let Some(payment) = by_id.get_mut(&refund.payment_id) {
                let reason_text = words::reason(&refund.reason, language).to_owned();
                payment.refunds.push(Refund { reason_text, ..refund });
            }
        }
        for payment in payments {
            payment.add_up(payment.refunded_amount);
        }
    }
    Ok(())
}

/// The receipts of a payment.
pub(super) async fn charges_of(connection: &mut MySqlConnection, payment_id: i64) -> sqlx::Result<Vec<ChargedReceipt>> {
    let rows = sqlx::query!(
        r#"select receipt_id, amount, cancelled, refund_reserved, raw_status,
                  if(was_paid, 'PAID', if(failed, 'FAILED', 'OPEN')) as "outcome!: Outcome",
                  created_at as "created_at: DateTime<Utc>", updated_at as "updated_at: DateTime<Utc>"
           from charges where payment_id = ? order by created_at, receipt_id"#,
        payment_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ChargedReceipt {
            receipt_id: row.receipt_id,
            amount: Money::won(row.amount.into()),
            cancelled_amount: Money::won(row.cancelled.into()),
            refund_reserved_amount: Money::won(row.refund_reserved.into()),
            outcome: row.outcome,
            provider_status: row.raw_status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

/// What is kept of something that happened.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Happened {
    pub(super) at: DateTime<Utc>,
    pub(super) subject: Subject,
    pub(super) action: String,
    pub(super) detail: sqlx::types::Json<serde_json::Value>,
}

/// What happened to a payment, its booking and its refunds, in order.
pub(super) async fn happened_to(connection: &mut MySqlConnection, payment: &Payment) -> sqlx::Result<Vec<Happened>> {
    let mut select = QueryBuilder::new(
        "select happened_at as at, subject, action, detail from events where subject = 'PAYMENT' and subject_id = ",
    );
    select.push_bind(payment.payment_id.to_string());
    if let Some(booking_id) = payment.booking_id {
        select.push(" or subject = 'BOOKING' and subject_id = ").push_bind(booking_id.to_string());
    }
    if !payment.refunds.is_empty() {
        select.push(" or subject = 'REFUND' and subject_id in (");
        let mut ids = select.separated(", ");
        for refund in &payment.refunds {
            ids.push_bind(refund.refund_id.to_string());
        }
        select.push(")");
    }
    select.push(" order by event_id");
    select.build_query_as().fetch_all(connection).await
}
