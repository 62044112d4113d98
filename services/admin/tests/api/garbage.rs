//! Whatever comes in, an answer goes out.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::garbage::{Sample, assert_survived};
use testkit::seed;

use crate::support::{PUBLISH, Service, anew, flight, with};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn whatever_comes_in_an_answer_goes_out(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let (admin, schedule, day) = (service.admin().await, service.schedule(180).await, service.world.day(3));
    let spare = seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let number = service.desk.book(seed::user(&service.world.db).await, schedule, &["1A"]).await.booking_number;
    let everything = json!({ "airline": "CloudJet", "total_seats": 180, "duration": "2시간 45분" });
    let season = json!({
        "mode": "range", "start_date": day.to_string(), "end_date": service.world.day(9).to_string(),
        "current_price": 320_000, "available_seats": "180", "overwrite": true,
    });
    let sample = |method: Method, path: &str, body: Option<Value>| Sample { method, path: path.to_owned(), body };
    let samples = [
        sample(Method::GET, "/api/admin/flights?limit=10&offset=0", None),
        sample(Method::POST, "/api/admin/flights", Some(flight("CJ1"))),
        sample(Method::POST, PUBLISH, Some(anew(day, &flight("CJ2")))),
        sample(Method::POST, PUBLISH, Some(json!({ "flight": with(flight("CJ3"), &everything), "schedule": season }))),
        sample(Method::DELETE, "/api/admin/flights/CJ1", None),
        sample(Method::GET, "/api/admin/schedules?limit=10", None),
        sample(
            Method::POST,
            &format!("/api/admin/schedules/{spare}/cancel"),
            Some(json!({ "reason": "태풍으로 인한 결항" })),
        ),
        sample(Method::GET, "/api/admin/discounts?offset=1", None),
        sample(
            Method::POST,
            "/api/admin/discounts",
            Some(json!({ "schedule_id": schedule.to_string(), "discount_percentage": 25 })),
        ),
        sample(Method::DELETE, "/api/admin/discounts/1", None),
        sample(Method::GET, "/api/admin/bookings?status=PENDING&flight_id=CJ101&date=2026-12-01&user=1", None),
        sample(Method::GET, "/api/admin/bookings/search?term=kim", None),
        sample(Method::PUT, &format!("/api/admin/bookings/{number}/cancel"), None),
        sample(
            Method::GET,
            "/api/admin/payments?status=PAID&user_id=1&booking=CJ1&order_id=a&receipt_id=b&from=2026-01-01&to=2026-12-31",
            None,
        ),
        sample(Method::GET, "/api/admin/payments/1", None),
        sample(
            Method::GET,
            "/api/admin/refunds?state=SENT&reason=OWNER&payment_id=1&order_id=a&receipt_id=b&needs_operator_first=true",
            None,
        ),
        sample(Method::GET, "/api/admin/provider-events?applied=true&order_id=a&receipt_id=b&from=2026-01-01", None),
        sample(Method::POST, "/api/admin/provider-events/01890000-0000-7000-8000-000000000000/replay", None),
        sample(Method::GET, "/api/admin/events?booking=CJ4K7Q2M9X&flight=CJ101&user=1&limit=50&before=1", None),
    ];
    assert_survived(&service.world.db, &samples, 100, async |request| request.by(&admin).await).await;
}
