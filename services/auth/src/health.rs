//! `GET /api/auth/health`, and the same at `/api/health`: the process lives. It looks at nothing else on purpose;
//! readiness is asked on the internal port.

use common::health::Health;
use common::http::Json;

/// The service's name wherever it is written.
pub(crate) const SERVICE: &str = "auth-service";

/// Ask whether the service lives.
///
/// Always 200 as long as it does, whatever it depends on.
#[utoipa::path(
    get, path = "/api/auth/health", operation_id = "auth_health", tag = "health",
    responses((status = 200, description = "It lives.", body = Health)),
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health::of(SERVICE, 5001))
}
