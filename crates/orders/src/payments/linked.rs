//! A payment and the booking it is linked to, under lock together.
//!
//! The booking is locked first, and only the payment tells which it is. So that is read without a lock, and may have
//! changed until both are locked: then whoever wants them begins anew.

use sqlx::MySqlConnection;

use super::store;
use crate::bookings;

/// Locks a payment after `booking_id`, which it was seen linked to. `None`: it is linked to another by now.
pub(crate) async fn lock_linked(
    connection: &mut MySqlConnection,
    payment_id: i64,
    booking_id: Option<i64>,
) -> sqlx::Result<Option<(store::Locked, Option<bookings::store::Locked>)>> {
    let booking = match booking_id {
        Some(booking_id) => bookings::store::lock(connection, booking_id).await?,
        None => None,
    };
    let payment = store::lock(connection, payment_id).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok((payment.booking_id == booking_id).then_some((payment, booking)))
}
