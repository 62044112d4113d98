//! `GET /api/bookings/health`: whether the process lives.

use common::health::Health;
use common::http::Json;
use common::service::Service;

use crate::Booking;

/// Ask whether the service lives.
///
/// Always 200 as long as it does, whatever it depends on.
#[utoipa::path(
    get,
    path = "/api/bookings/health",
    operation_id = "booking_health",
    tag = "health",
    responses((status = 200, description = "The service lives.", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::of(Booking::NAME, 5003))
}
