//! `POST /api/admin/schedules/{schedule_id}/cancel`: the airline doesn't fly.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::wire::name;
use common::http::{Json, Path, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use orders::Orders;
use orders::grounding::{GroundError, Grounded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long bookings are cancelled before we answer; what is left is done by booking-service's job.
const PATIENCE: Duration = Duration::from_secs(4);

/// The longest reason that is kept.
const LONGEST_REASON: usize = 200;

/// Why the airline doesn't fly.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Why {
    /// For the history; nothing about persons.
    #[schema(max_length = 200, example = "태풍으로 인한 결항")]
    reason: Option<String>,
}

/// The schedule is cancelled, and so far its bookings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleCancelled {
    #[schema(example = "운항과 모든 예약이 취소되었습니다.")]
    message: &'static str,
    /// Always true.
    #[schema(example = true)]
    success: bool,
    #[schema(example = 10_000_001)]
    schedule_id: i64,
    /// How many of its bookings have been cancelled because of it, in all.
    cancelled: i64,
    /// How many are still to be cancelled: soon, by themselves, or by the same call again.
    remaining: i64,
}

/// Cancel a schedule because the airline doesn't fly it.
///
/// It is off sale at once; then all its bookings are cancelled, and everything that was paid is refunded in
/// full. That goes on by itself if it takes longer than this call. The same call again changes nothing that is done.
/// A schedule whose status is merely set to `CANCELLED` is off sale, too, but keeps its bookings.
#[utoipa::path(
    post,
    path = "/api/admin/schedules/{schedule_id}/cancel",
    operation_id = "cancel_schedule",
    tag = "schedules",
    params(("schedule_id" = i64, Path, description = "The schedule's id.", example = 10_000_001), Repeatable),
    request_body(content = Option<Why>, description = "May be left out.", example = json!({ "reason": "태풍으로 인한 결항" })),
    responses(
        KeyRefused,
        (status = 200, description = "It is cancelled.", body = ScheduleCancelled),
        (status = 400, description = "The reason is blank, too long, or has markup in it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has departed.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The reason isn't sent as JSON.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn cancel(
    admin: Admin,
    State(orders): State<Orders>,
    request_id: RequestId,
    language: Language,
    Path(schedule_id): Path<i64>,
    Keyed(key, why): Keyed<Option<Json<Why>>>,
) -> Result<Told<Grounded>, ApiError> {
    let note = why.and_then(|why| why.0.reason).map(|text| name(&text, "reason", LONGEST_REASON)).transpose()?;
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let answer = |grounded: &Grounded| (StatusCode::OK, ScheduleCancelled::of(schedule_id, *grounded, language));
    let once = Once::new(admin.id, key, answer);
    orders.ground(&cause, schedule_id, note.as_deref(), PATIENCE, &once).await.map_err(refused)
}

impl ScheduleCancelled {
    fn of(schedule_id: i64, Grounded { cancelled, remaining }: Grounded, language: Language) -> Self {
        let message = if remaining == 0 {
            language.pick("운항과 모든 예약이 취소되었습니다.", "The flight and all its bookings have been cancelled.")
        } else {
            language.pick(
                "운항이 취소되었습니다. 남은 예약은 곧 취소됩니다.",
                "The flight has been cancelled. Its remaining bookings will be, shortly.",
            )
        };
        Self { message, success: true, schedule_id, cancelled, remaining }
    }
}

/// How a refusal is told.
fn refused(error: GroundError) -> ApiError {
    match error {
        GroundError::UnknownSchedule => {
            ApiError::not_found("schedule-not-found", "항공편 일정을 찾을 수 없습니다.", "There is no such schedule.")
        }
        GroundError::Departed => ApiError::conflict(
            "flight-departed",
            "이미 출발한 항공편은 취소할 수 없습니다.",
            "The flight has departed already.",
        ),
        GroundError::Database(error) => error.into(),
    }
}
