//! What the original never kept and our rules live by: the facts of what was sold, the claims that protect seats, the
//! charges that can be refunded. Copied rows get them as new ones do.
//!
//! Nothing is taken from a schedule's free seats: the original counted its sales there already. The claims only say
//! whose they are, so that a cancellation gives them back, once.

use common::db;
use sqlx::{Connection, MySqlConnection};

use crate::error::Error;
use crate::step::{Reporter, Step};

/// How many bookings a transaction completes.
const BATCH: i64 = 5_000;

/// The hold of an adopted booking: an id that can't be drawn by chance, the same in every run.
macro_rules! hold {
    () => {
        "unhex(left(sha2(concat('adopted booking ', b.booking_id), 256), 32))"
    };
}

/// Completes bookings and payments that aren't yet.
pub(super) async fn complete(connection: &mut MySqlConnection, report: Reporter<'_>) -> Result<(), Error> {
    let (first, last): (Option<i64>, Option<i64>) =
        sqlx::query_as("select min(booking_id), max(booking_id) from bookings where flight_id is null")
            .fetch_one(&mut *connection)
            .await?;
    if let (Some(first), Some(last)) = (first, last) {
        let mut from = first;
        while from <= last {
            let until = from.saturating_add(BATCH - 1);
            let bookings = complete_bookings(connection, from, until).await?;
            if bookings > 0 {
                report(Step::Completed { what: "bookings", rows: bookings });
            }
            from = until + 1;
        }
    }
    let payments = complete_payments(connection).await?;
    if payments > 0 {
        report(Step::Completed { what: "payments", rows: payments });
    }
    Ok(())
}

/// Writes down what was sold by the bookings from one id to another, and whose seats they are. A booking that has its
/// facts has its claims.
async fn complete_bookings(connection: &mut MySqlConnection, from: i64, until: i64) -> sqlx::Result<u64> {
    let mut transaction = connection.begin().await?;
    sqlx::query(concat!(
        "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state)
         select ",
        hold!(),
        ", b.schedule_id, b.user_id, p.seat_number, count(*), 'SOLD'
         from bookings b join passengers p on p.booking_id = b.booking_id
         where b.booking_id between ? and ? and b.flight_id is null and b.status in ('CONFIRMED', 'COMPLETED')
         group by b.booking_id, b.schedule_id, b.user_id, p.seat_number
         order by b.booking_id"
    ))
    .bind(from)
    .bind(until)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "update passengers p
         join (select b.booking_id, b.total_amount, count(*) as passengers
               from bookings b join passengers q on q.booking_id = b.booking_id
               where b.booking_id between ? and ? and b.flight_id is null
               group by b.booking_id, b.total_amount) sold on sold.booking_id = p.booking_id
         set p.price = sold.total_amount div sold.passengers
         where sold.total_amount % sold.passengers = 0",
    )
    .bind(from)
    .bind(until)
    .execute(&mut *transaction)
    .await?;
    let completed = sqlx::query(concat!(
        "update bookings b
         join flight_schedules s on s.schedule_id = b.schedule_id
         join flights f on f.flight_id = s.flight_id
         set b.hold_id = if(b.status in ('CONFIRMED', 'COMPLETED'), ",
        hold!(),
        ", null),
             b.confirmed_at = if(b.status in ('CONFIRMED', 'COMPLETED'), b.created_at, null),
             b.flight_id = s.flight_id, b.airline = coalesce(f.airline, 'CloudJet'),
             b.departure_airport = f.departure_airport, b.arrival_airport = f.arrival_airport,
             b.departure_time = f.departure_time, b.arrival_time = f.arrival_time,
             b.duration = f.duration, b.aircraft = f.aircraft,
             b.unit_price = (select min(p.price) from passengers p where p.booking_id = b.booking_id)
         where b.booking_id between ? and ? and b.flight_id is null"
    ))
    .bind(from)
    .bind(until)
    .execute(&mut *transaction)
    .await?;
    db::commit(transaction).await?;
    Ok(completed.rows_affected())
}

/// Gives each receipt its charge, and says since when a payment is paid and who tied it. One that may be for several
/// bookings is not said to be paid since any time: so nobody gives it back unasked.
///
/// A charge is of the day on which the original called it paid; one that was cancelled since went back on the day the
/// original says so, and is taken to have come when it was begun. So the money report has nothing of it on the day of the
/// adoption.
async fn complete_payments(connection: &mut MySqlConnection) -> sqlx::Result<u64> {
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "insert into charges (receipt_id, payment_id, order_id, amount, was_paid, was_charged, cancelled, raw_status,
                              created_at, cancelled_at)
         select p.bootpay_receipt_id, p.payment_id, coalesce(p.order_id, ''), p.amount, true, true,
                if(p.status = 'CANCELLED', p.amount, 0), if(p.status = 'CANCELLED', 20, 1),
                if(p.status = 'CANCELLED', p.created_at, p.updated_at), if(p.status = 'CANCELLED', p.updated_at, null)
         from payments p
         where p.status in ('PAID', 'CANCELLED') and p.bootpay_receipt_id is not null and p.amount > 0
           and not exists (select 1 from charges c where c.receipt_id = p.bootpay_receipt_id)",
    )
    .execute(&mut *transaction)
    .await?;
    let completed = sqlx::query(
        "update payments p
         left join _adoption_fixes f on f.table_name = 'payments' and f.column_name = 'booking_id'
              and f.row_id = p.payment_id and f.rule = 'paid-without-booking'
         set p.paid_at = if(p.status = 'PAID' and f.fix_id is null, p.updated_at, null),
             p.linked_by = if(p.booking_id is null, null, 'BOOKING'),
             p.updated_at = p.updated_at
         where (p.status = 'PAID' and f.fix_id is null and p.paid_at is null)
            or (p.booking_id is not null and p.linked_by is null)",
    )
    .execute(&mut *transaction)
    .await?;
    db::commit(transaction).await?;
    Ok(completed.rows_affected())
}
