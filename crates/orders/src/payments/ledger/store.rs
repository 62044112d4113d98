//! The SQL of the ledger: reads only, so nothing here takes a lock. Ids grow with time, so the newest are the highest.
//!
//! Only what is asked for stands in a statement: a condition that may be absent would hide its index from the server.

use chrono::{DateTime, Utc};
use common::language::Language;
use common::money::Money;
use common::page::Page;
use sqlx::{MySql, MySqlConnection, QueryBuilder};
use uuid::Uuid;

use super::{ProviderEvent, ProviderEventFilter, RefundEntry, RefundFilter};
use crate::charges::Outcome;
use crate::payments::view::words_of_reason;

/// Adds a condition for what is asked for.
fn fits<'t, T>(select: &mut QueryBuilder<MySql>, condition: &'static str, wanted: Option<T>)
where
    T: sqlx::Encode<'t, MySql> + sqlx::Type<MySql>,
{
    if let Some(wanted) = wanted {
        select.push(" and ").push(condition).push_bind(wanted);
    }
}

#[derive(sqlx::FromRow)]
struct RefundRow {
    refund_id: Uuid,
    user_id: Option<i64>,
    payment_id: Option<i64>,
    order_id: String,
    booking_id: Option<i64>,
    booking_number: Option<String>,
    receipt_id: String,
    amount: i32,
    reason: String,
    state: String,
    attempts: i32,
    next_attempt_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
}

/// The page is cut before its names are looked up.
pub(super) async fn refunds(
    connection: &mut MySqlConnection,
    filter: &RefundFilter,
    booking_id: Option<i64>,
    page: Page,
    language: Language,
) -> sqlx::Result<Vec<RefundEntry>> {
    let order = if filter.waiting_first {
        " order by r.state = 'NEEDS_OPERATOR' desc, r.refund_id desc"
    } else {
        " order by r.refund_id desc"
    };
    let mut select = QueryBuilder::new(
        "select r.refund_id, p.user_id, r.payment_id, c.order_id, r.booking_id, b.booking_number, r.receipt_id, r.amount,
                r.reason, cast(r.state as char) as state, r.attempts,
                if(r.state in ('PENDING', 'SENT'), r.next_attempt_at, null) as next_attempt_at, r.last_error,
                r.created_at, r.settled_at
         from refunds r
         join (select r.refund_id from refunds r where true",
    );
    fits(&mut select, "r.state = ", filter.state.as_deref());
    fits(&mut select, "r.reason = ", filter.reason.as_deref());
    fits(&mut select, "r.payment_id = ", filter.payment_id);
    fits(&mut select, "r.booking_id = ", booking_id);
    fits(&mut select, "r.receipt_id = ", filter.receipt_id.as_deref());
    fits(&mut select, "r.created_at >= ", filter.from);
    fits(&mut select, "r.created_at <= ", filter.to);
    if let Some(order_id) = &filter.order_id {
        select.push(" and r.receipt_id in (select c.receipt_id from charges c where c.order_id = ");
        select.push_bind(order_id).push(")");
    }
    select.push(order).push(" limit ").push_bind(page.limit()).push(" offset ").push_bind(page.offset());
    select.push(
        ") page on page.refund_id = r.refund_id
         join charges c on c.receipt_id = r.receipt_id
         left join payments p on p.payment_id = r.payment_id
         left join bookings b on b.booking_id = r.booking_id",
    );
    let rows: Vec<RefundRow> = select.push(order).build_query_as().fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|row| RefundEntry {
            refund_id: row.refund_id,
            user_id: row.user_id,
            payment_id: row.payment_id,
            order_id: row.order_id,
            booking_id: row.booking_id,
            booking_number: row.booking_number,
            receipt_id: row.receipt_id,
            amount: Money::won(row.amount.into()),
            reason_text: words_of_reason(&row.reason, language).to_owned(),
            reason: row.reason,
            state: row.state,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            last_error: row.last_error,
            created_at: row.created_at,
            settled_at: row.settled_at,
        })
        .collect())
}

#[derive(sqlx::FromRow)]
struct EventRow {
    event_id: Uuid,
    received_at: DateTime<Utc>,
    applied_at: Option<DateTime<Utc>>,
    order_id: String,
    receipt_id: String,
    outcome: Outcome,
    raw_status: i32,
    amount: i32,
    cancelled: i32,
}

pub(super) async fn provider_events(
    connection: &mut MySqlConnection,
    filter: &ProviderEventFilter,
    page: Page,
) -> sqlx::Result<Vec<ProviderEvent>> {
    let mut select = QueryBuilder::new(
        "select event_id, received_at, applied_at, order_id, receipt_id, outcome, raw_status, amount, cancelled
         from provider_events where true",
    );
    match filter.applied {
        Some(true) => select.push(" and applied_at is not null"),
        Some(false) => select.push(" and applied_at is null"),
        None => &mut select,
    };
    fits(&mut select, "order_id = ", filter.order_id.as_deref());
    fits(&mut select, "receipt_id = ", filter.receipt_id.as_deref());
    fits(&mut select, "received_at >= ", filter.from);
    fits(&mut select, "received_at <= ", filter.to);
    select.push(" order by event_id desc limit ").push_bind(page.limit()).push(" offset ").push_bind(page.offset());
    let rows: Vec<EventRow> = select.build_query_as().fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|row| ProviderEvent {
            event_id: row.event_id,
            received_at: row.received_at,
            applied_at: row.applied_at,
            order_id: row.order_id,
            receipt_id: row.receipt_id,
            outcome: row.outcome,
            provider_status: row.raw_status,
            amount: Money::won(row.amount.into()),
            cancelled_amount: Money::won(row.cancelled.into()),
        })
        .collect())
}
