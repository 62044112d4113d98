//! The SQL of the ledger: reads only, so nothing here takes a lock. Ids grow with time, so the newest are the highest.
//!
//! Only what is asked for stands in a statement: a condition that may be absent would hide its index from the server.

use common::page::Page;
use sqlx::{MySql, MySqlConnection, QueryBuilder};

use super::{ProviderEvent, ProviderEventFilter, RefundEntry, RefundFilter};

/// Adds a condition for what is asked for.
fn fits<'t, T>(select: &mut QueryBuilder<MySql>, condition: &'static str, wanted: Option<T>)
where
    T: sqlx::Encode<'t, MySql> + sqlx::Type<MySql>,
{
    if let Some(wanted) = wanted {
        select.push(" and ").push(condition).push_bind(wanted);
    }
}

/// The page is cut before its names are looked up.
pub(super) async fn refunds(
    connection: &mut MySqlConnection,
    filter: &RefundFilter,
    booking_id: Option<i64>,
    page: Page,
) -> sqlx::Result<Vec<RefundEntry>> {
    let order = if filter.waiting_first {
        " order by r.state = 'NEEDS_OPERATOR' desc, r.refund_id desc"
    } else {
        " order by r.refund_id desc"
    };
    let mut select = QueryBuilder::new(
        "select r.refund_id, r.payment_id, r.booking_id, r.amount, r.state, r.reason, r.note, r.attempts, r.last_error,
                r.created_at, r.settled_at, r.settled_by, r.settled_note, r.paid_outside,
                p.user_id, c.order_id, b.booking_number, r.receipt_id,
                if(r.state in ('PENDING', 'SENT'), r.next_attempt_at, null) as next_attempt_at
         from refunds r
         join (select r.refund_id from refunds r where true",
    );
    fits(&mut select, "r.state = ", filter.state);
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
    select.push(order).build_query_as().fetch_all(connection).await
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
    select.build_query_as().fetch_all(connection).await
}
