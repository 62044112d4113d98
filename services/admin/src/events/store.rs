//! The SQL of history, for reading: `common::events` writes it.

use common::events::Subject;
use orders::bookings::BookingRef;
use sqlx::{MySqlConnection, QueryBuilder};
use uuid::Uuid;

use super::Event;

/// A part of the list: what was before an event, if one is named, and at most `limit`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) before: Option<Uuid>,
    pub(super) limit: u32,
}

/// What events are about: some of each kind.
pub(super) type About = Vec<(Subject, Vec<String>)>;

/// A booking, its payments, and the refunds of either. Nothing, if there is no such booking.
pub(super) async fn of_booking(connection: &mut MySqlConnection, booking: &BookingRef) -> sqlx::Result<About> {
    let (id, number) = match booking {
        BookingRef::Id(id) => (Some(*id), None),
        BookingRef::Number(number) => (None, Some(number)),
    };
    let found = sqlx::query_scalar!(
        "select booking_id from bookings where booking_id = ? or booking_number = ? limit 1",
        id,
        number
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(booking_id) = found else { return Ok(Vec::new()) };
    let payments = sqlx::query_scalar!("select payment_id from payments where booking_id = ?", booking_id)
        .fetch_all(&mut *connection)
        .await?;
    let refunds = sqlx::query_scalar!(
        r#"select refund_id as "refund_id: Uuid" from refunds
           where booking_id = ? or payment_id in (select payment_id from payments where booking_id = ?)"#,
        booking_id,
        booking_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(vec![
        (Subject::Booking, vec![booking_id.to_string()]),
        (Subject::Payment, texts(&payments)),
        (Subject::Refund, texts(&refunds)),
    ])
}

/// A flight, its schedules, and their discounts.
pub(super) async fn of_flight(connection: &mut MySqlConnection, flight_id: &str) -> sqlx::Result<About> {
    let schedules = sqlx::query_scalar!("select schedule_id from flight_schedules where flight_id = ?", flight_id)
        .fetch_all(&mut *connection)
        .await?;
    let discounts = sqlx::query_scalar!(
        "select d.discount_id from flight_discounts d join flight_schedules s on s.schedule_id = d.schedule_id
         where s.flight_id = ?",
        flight_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(vec![
        (Subject::Flight, vec![flight_id.to_owned()]),
        (Subject::Schedule, texts(&schedules)),
        (Subject::Discount, texts(&discounts)),
    ])
}

fn texts(ids: &[impl ToString]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// The newest events that each of `about` is about, and that are about the account `user_id` or by it, if one is
/// named.
pub(super) async fn newest(
    connection: &mut MySqlConnection,
    about: &[About],
    user_id: Option<i64>,
    page: Page,
) -> sqlx::Result<Vec<Event>> {
    let mut select = QueryBuilder::new(
        "select event_id, happened_at, actor, user_id, request_id, subject, subject_id, action, detail from events where true",
    );
    for subjects in about {
        select.push(" and (false");
        for (subject, ids) in subjects.iter().filter(|(_, ids)| !ids.is_empty()) {
            select.push(" or subject = ").push_bind(*subject).push(" and subject_id in (");
            let mut list = select.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            select.push(")");
        }
        select.push(")");
    }
    if let Some(user_id) = user_id {
        select.push(" and (user_id = ").push_bind(user_id);
        select.push(" or subject = ").push_bind(Subject::User);
        select.push(" and subject_id = ").push_bind(user_id.to_string()).push(")");
    }
    if let Some(before) = page.before {
        select.push(" and event_id < ").push_bind(before);
    }
    select.push(" order by event_id desc limit ").push_bind(page.limit);
    select.build_query_as().fetch_all(connection).await
}
