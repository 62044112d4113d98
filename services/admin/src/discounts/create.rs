//! `POST /api/admin/discounts`: a percentage off one flight on one day.

use axum::extract::State;
use axum::http::StatusCode;
use catalogue::Catalogue;
use catalogue::discounts::{DiscountError, PERCENTAGES};
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::Cause;
use common::http::openapi::{BodyRefused, Failures, KeyRefused, NotAdministrator, Repeatable};
use common::http::wire::{self, Id, Whole, required};
use common::http::{Json, RequestId};
use common::idempotency::{Keyed, Once, Told};
use common::language::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is to be discounted.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DiscountRequest {
    /// The flight on its day.
    #[schema(required = true, nullable = false)]
    schedule_id: Option<Id>,
    /// By how much, in percent.
    #[schema(required = true, nullable = false, minimum = 1, maximum = 99, example = 25)]
    discount_percentage: Option<Whole>,
}

/// It is discounted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiscountCreated {
    #[schema(example = "할인이 등록되었습니다.")]
    message: &'static str,
    #[schema(example = 1)]
    discount_id: i64,
    /// Always true.
    #[schema(example = true)]
    success: bool,
}

/// Discount a flight on one day.
///
/// If it is on sale and isn't discounted already. The next search shows it.
#[utoipa::path(
    post,
    path = "/api/admin/discounts",
    operation_id = "create_discount",
    tag = "discounts",
    params(Repeatable),
    request_body(
        content = DiscountRequest,
        example = json!({ "schedule_id": 10_000_001, "discount_percentage": 25 }),
    ),
    responses(
        KeyRefused,
        (status = 201, description = "It is discounted.", body = DiscountCreated),
        (status = 400, description = "A field is missing or can't be accepted.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such schedule.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It isn't on sale, or is discounted already.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn create(
    admin: Admin,
    State(catalogue): State<Catalogue>,
    request_id: RequestId,
    language: Language,
    Keyed(key, Json(request)): Keyed<Json<DiscountRequest>>,
) -> Result<Told<i64>, ApiError> {
    let (schedule_id, percentage) = request.read()?;
    let cause = Cause::admin(admin.id, request_id.as_str().to_owned());
    let message = language.pick("할인이 등록되었습니다.", "The discount has been created.");
    let created = |id: &i64| (StatusCode::CREATED, DiscountCreated { message, discount_id: *id, success: true });
    let once = Once::new(admin.id, key, created);
    catalogue.discount(&cause, schedule_id, percentage, &once).await.map_err(refused)
}

impl DiscountRequest {
    /// Which schedule, and by how many percent.
    fn read(self) -> Result<(i64, u8), ApiError> {
        let field = "discount_percentage";
        let schedule_id = required(self.schedule_id, "schedule_id")?.0;
        let percentage = wire::within(required(self.discount_percentage, field)?, field, PERCENTAGES)?;
        Ok((schedule_id, u8::try_from(percentage).map_err(ApiError::internal)?))
    }
}

/// How a refusal is told.
fn refused(error: DiscountError) -> ApiError {
    match error {
        DiscountError::UnknownSchedule => {
            ApiError::not_found("schedule-not-found", "항공편 일정을 찾을 수 없습니다.", "There is no such schedule.")
        }
        DiscountError::NotOnSale => {
            ApiError::conflict("not-on-sale", "판매 중인 항공편이 아닙니다.", "This flight is not on sale on that day.")
        }
        DiscountError::Already => {
            ApiError::conflict("already-discounted", "이미 할인 중인 항공편입니다.", "It is discounted already.")
        }
        DiscountError::Database(error) => error.into(),
    }
}
