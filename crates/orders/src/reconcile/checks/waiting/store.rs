//! The SQL of what waits longer than it should.

use std::fmt;

use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::reconcile::Scope;
use crate::reconcile::check::PAGE;

/// Something that waits.
#[derive(Debug)]
pub(in crate::reconcile::checks) struct Waiting {
    pub(super) id: Uuid,
    what: String,
    minutes: i64,
    error: Option<String>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, minutes, error, .. } = self;
        match minutes / 60 {
            0 => write!(f, "{what}, for {minutes} min")?,
            hours => write!(f, "{what}, for {hours} h")?,
        }
        error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
    }
}

/// Selects refunds that wait, by their payments `p` and bookings `b`.
macro_rules! select_refunds {
    ($connection:expr, $scope:expr, $after:expr, $rest:literal) => {
        sqlx::query_as!(
            Waiting,
            r#"select r.refund_id as "id: Uuid", concat(r.amount, ' KRW of receipt ', r.receipt_id) as "what!: String",
                      timestampdiff(minute, r.created_at, now(6)) as "minutes!: i64", r.last_error as error
               from refunds r
               left join payments p on p.payment_id = r.payment_id
               left join bookings b on b.booking_id = p.booking_id
               where r.refund_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?) and "#
                + $rest
                + " order by r.refund_id limit ?",
            $after,
            $scope.schedule_id,
            $scope.schedule_id,
            PAGE,
        )
        .fetch_all($connection)
        .await
    };
}

/// Refunds that are tried for more than an hour.
pub(super) async fn late_refunds(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    select_refunds!(
        connection,
        scope,
        after,
        "r.state in ('PENDING', 'SENT') and r.created_at <= now(6) - interval 1 hour"
    )
}

/// Refunds that are not tried any more.
pub(super) async fn given_up_refunds(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    select_refunds!(connection, scope, after, "r.state = 'NEEDS_OPERATOR'")
}

/// The provider's messages that wait for longer than two hours.
pub(super) async fn unapplied_messages(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select e.event_id as "id: Uuid", concat(e.amount, ' KRW of receipt ', e.receipt_id) as "what!: String",
                  timestampdiff(minute, e.received_at, now(6)) as "minutes!: i64", null as "error?: String"
           from provider_events e
           left join payments p on p.order_id = e.order_id
           left join bookings b on b.booking_id = p.booking_id
           where e.event_id > ? and (? is null or coalesce(b.schedule_id, p.schedule_id) = ?)
             and e.applied_at is null and e.received_at <= now(6) - interval 2 hour
           order by e.event_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Calls to the provider whose outcome isn't known after a quarter of an hour.
pub(super) async fn open_calls(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select c.call_id as "id: Uuid", concat(c.kind, ' of receipt ', c.receipt_id) as "what!: String",
                  timestampdiff(minute, c.created_at, now(6)) as "minutes!: i64", c.last_error as error
           from provider_calls c join bookings b on b.booking_id = c.booking_id
           where c.call_id > ? and (? is null or b.schedule_id = ?)
             and c.state = 'STARTED' and c.created_at <= now(6) - interval 15 minute
           order by c.call_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// News that isn't sent any more.
pub(super) async fn parked_news(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: Uuid,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"select o.news_id as "id: Uuid", concat(o.topic, ' of ', lower(o.subject), ' ', o.subject_id) as "what!: String",
                  timestampdiff(minute, o.created_at, now(6)) as "minutes!: i64", o.last_error as error
           from outbox o
           where o.news_id > ? and o.state = 'PARKED'
             and (? is null or ? = case o.subject
                  when 'SCHEDULE' then cast(o.subject_id as signed)
                  when 'BOOKING' then (select b.schedule_id from bookings b where b.booking_id = cast(o.subject_id as signed))
                  when 'PAYMENT' then (select coalesce(b.schedule_id, p.schedule_id) from payments p
                                       left join bookings b on b.booking_id = p.booking_id
                                       where p.payment_id = cast(o.subject_id as signed))
                  when 'REFUND' then (select coalesce(b.schedule_id, p.schedule_id) from refunds r
                                      left join payments p on p.payment_id = r.payment_id
                                      left join bookings b on b.booking_id = p.booking_id
                                      where r.refund_id = unhex(replace(o.subject_id, '-', ''))) end)
           order by o.news_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}
