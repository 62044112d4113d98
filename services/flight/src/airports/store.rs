//! The SQL of airports.

use sqlx::MySqlPool;

use super::Airport;

/// All airports, by name.
pub(super) async fn airports(db: &MySqlPool) -> sqlx::Result<Vec<Airport>> {
    sqlx::query_as!(
        Airport,
        "select airport_code as code, airport_name as name, city, country from airports
         order by airport_name, airport_code"
    )
    .fetch_all(db)
    .await
}
