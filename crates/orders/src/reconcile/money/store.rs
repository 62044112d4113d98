//! The SQL of the money report.

use chrono::NaiveDate;
use sqlx::MySqlConnection;

/// What moved on a day for a flight number.
pub(super) struct Moved {
    pub(super) day: NaiveDate,
    pub(super) flight_id: Option<String>,
    pub(super) charged: i64,
    pub(super) refunded: i64,
}

/// What moved from one day to another, both included.
pub(super) async fn money(
    connection: &mut MySqlConnection,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Vec<Moved>> {
    sqlx::query_as!(
        Moved,
        r#"select moved_on as "day!", flight_id, charged as "charged!: i64", refunded as "refunded!: i64"
           from money_by_day_and_flight where moved_on between ? and ?
           order by moved_on, flight_id is null, flight_id"#,
        from,
        to,
    )
    .fetch_all(connection)
    .await
}
