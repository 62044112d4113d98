//! The SQL of refund rules. People write them; this only reads.

use common::money::Money;
use sqlx::MySqlConnection;

use super::{Rule, Tier};

/// The rule a booking was sold under.
pub(crate) async fn of_booking(connection: &mut MySqlConnection, booking_id: i64) -> sqlx::Result<Rule> {
    let rows = sqlx::query!(
        "select r.version, t.hours, t.percent, t.fee
         from bookings b
         join refund_rules r on r.version = coalesce(b.refund_rule, 1)
         left join refund_tiers t on t.version = r.version
         where b.booking_id = ? order by t.hours desc",
        booking_id,
    )
    .fetch_all(connection)
    .await?;
    let version = rows.first().ok_or(sqlx::Error::RowNotFound)?.version;
    let tiers = rows.iter().filter_map(|row| {
        Some(Tier {
            hours: row.hours?.try_into().ok()?,
            percent: row.percent?.try_into().ok()?,
            fee: Money::won(row.fee?.into()),
        })
    });
    Ok(Rule { version, tiers: tiers.collect() })
}
