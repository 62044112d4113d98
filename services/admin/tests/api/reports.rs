//! `GET /api/admin/reports/money`.

use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::Service;

const PATH: &str = "/api/admin/reports/money";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn tells_what_moved_by_day_and_flight(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    service.world.pass_to_noon();
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let buyer = seed::user(&service.world.db).await;
    service.sell(buyer, schedule, "6D").await;
    let cancelled = service.sell(buyer, schedule, "6E").await;
    let path = format!("/api/admin/bookings/{}/cancel", cancelled.booking.booking_number);
    let _ = admin.put(&path, &json!({})).await.expect(200);
    let unbooked = service.begin(buyer, schedule, 320_000).await;
    service.hear_paid(&unbooked, 320_000).await;
    service.run_jobs().await;

    let (today, tomorrow) = (service.world.day(0), service.world.day(1));
    let report = admin.get(&format!("{PATH}?from={today}&to={tomorrow}")).await.expect(200);
    assert_eq!(
        report,
        json!({
            "from": today, "to": tomorrow, "charged": 960_000, "refunded": 320_000, "net": 640_000,
            "lines": [
                {"day": today, "flight_id": "CJ101", "charged": 640_000, "refunded": 320_000, "net": 320_000},
                {"day": today, "flight_id": null, "charged": 320_000, "refunded": 0, "net": 320_000},
            ],
        })
    );
    let nothing = admin.get(&format!("{PATH}?from={tomorrow}&to={tomorrow}")).await.expect(200);
    assert_eq!((&nothing["lines"], &nothing["net"]), (&json!([]), &json!(0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_day_that_makes_no_sense_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    for (query, field) in [
        ("", "from"),
        ("?from=2026-12-01", "to"),
        ("?from=yesterday&to=2026-12-01", "from"),
        ("?from=2026-12-01&to=2026-13-01", "to"),
        ("?from=2026-12-02&to=2026-12-01", "to"),
        ("?from=2026-01-01&to=2027-01-03", "to"),
    ] {
        admin.get(&format!("{PATH}{query}")).await.refused_field(field);
    }
}
