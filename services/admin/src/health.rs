//! `GET /api/admin/health`: whether the process lives.

use common::health::Health;
use common::http::Json;
use common::service::Service;

use crate::Administration;

/// Ask whether the service lives.
///
/// Always 200 as long as it does, whatever it depends on.
#[utoipa::path(
    get,
    path = "/api/admin/health",
    operation_id = "admin_health",
    tag = "health",
    responses((status = 200, description = "The service lives.", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::of(Administration::NAME, 5004))
}
