//! `GET /api/payments/health`: whether the process lives.

use common::health::Health;
use common::http::Json;
use common::service::Service;

use crate::Payment;

/// Ask whether the service lives.
///
/// Always 200 as long as it does, whatever it depends on.
#[utoipa::path(
    get,
    path = "/api/payments/health",
    operation_id = "payment_health",
    tag = "health",
    responses((status = 200, description = "The service lives.", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::of(Payment::NAME, 5005))
}
