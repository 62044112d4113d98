//! The rules that the schema itself carries, by the name under which each refuses.

use common::db::violated_constraint;
use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{connect, execute, migrate};

#[sqlx::test(migrations = false)]
async fn the_database_has_the_last_word(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate(&database).await.unwrap();
    let mut connection = connect(&database).await;
    for sql in [
        "insert into users (name, email, password_hash) values ('a', 'kim@example.com', '!')",
        "insert into airports (airport_code, airport_name, city, country) values ('ICN', '', '', ''), ('NRT', '', '', '')",
        "insert into flights (flight_id, departure_airport, arrival_airport, departure_time, arrival_time, duration, aircraft, base_price) values ('CJ101', 'ICN', 'NRT', '06:30', '09:15', '', '', 1)",
        "insert into flight_schedules (schedule_id, flight_id, flight_date, current_price, available_seats) values (10000001, 'CJ101', '2026-12-01', 1, 0)",
        "insert into flight_discounts (schedule_id, discount_percentage) values (10000001, 10)",
        "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state) values ('z', 10000001, 1, '12A', 1, 'SOLD')",
        // Any number of offers that are over, any number of claims without a seat.
        "insert into flight_discounts (schedule_id, discount_percentage, status) values (10000001, 10, 'INACTIVE'), (10000001, 10, 'EXPIRED')",
        "insert into claims (hold_id, pool_id, owner_id, quantity, state) values ('a', 10000001, 1, 3, 'HELD'), ('b', 10000001, 1, 2, 'SOLD')",
        "insert into charges (receipt_id, order_id, amount, raw_status) values ('r', 'o', 100, 1)",
    ] {
        execute(&mut connection, sql).await;
    }
    for (sql, rule) in [
        ("insert into users (name, email, password_hash) values ('b', 'KIM@Example.com', '!')", "uq_users_email"),
        ("update flight_schedules set available_seats = available_seats - 1", "ck_flight_schedules_available_seats"),
        (
            "insert into flight_schedules (flight_id, flight_date, current_price, available_seats) values ('CJ101', '2026-12-01', 1, 1)",
            "uq_flight_schedules_flight_id_flight_date",
        ),
        (
            "insert into flight_discounts (schedule_id, discount_percentage) values (10000001, 20)",
            "uq_flight_discounts_active_schedule_id",
        ),
        (
            "update flight_discounts set status = 'ACTIVE' where status = 'EXPIRED'",
            "uq_flight_discounts_active_schedule_id",
        ),
        (
            "insert into flight_discounts (schedule_id, discount_percentage, status) values (10000001, 150, 'INACTIVE')",
            "ck_flight_discounts_discount_percentage",
        ),
        (
            "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state) values ('c', 10000001, 2, '12a', 1, 'HELD')",
            "uq_claims_pool_id_unit",
        ),
        (
            "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state) values ('c', 10000001, 2, '13A', 2, 'HELD')",
            "ck_claims_quantity",
        ),
        (
            "insert into claims (hold_id, pool_id, owner_id, quantity, state, held_until) values ('c', 10000001, 2, 1, 'SOLD', now(6))",
            "ck_claims_sold",
        ),
        ("update charges set refund_reserved = 101", "ck_charges_refund_reserved"),
        ("insert into refunds (refund_id, receipt_id, amount, reason) values ('a', 'r', 0, 'x')", "ck_refunds_amount"),
        (
            "insert into refunds (refund_id, receipt_id, amount, reason) values ('a', 'unknown', 1, 'x')",
            "fk_refunds_receipt_id",
        ),
    ] {
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect_err(sql);
        assert_eq!(violated_constraint(&refused), Some(rule), "{sql}: {refused}");
    }
}
