//! `GET /api/admin/outbox` and `POST /api/admin/outbox/{id}/retry`: news for the outside, and what wasn't taken there.

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::one_of;
use common::http::{Json, Path, Query};
use common::language::Language;
use common::page::Page;
use news::{Kept, Outbox, RetryError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::done::Done;

/// How much is told where nothing is said.
const USUAL_PAGE: u32 = 50;

/// Which news.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// That stands there; PARKED when absent.
    #[param(value_type = Option<news::State>, example = "PARKED")]
    state: Option<String>,
}

impl Wanted {
    fn state(&self) -> Result<news::State, ApiError> {
        self.state.as_deref().map_or(Ok(news::State::Parked), |text| one_of(news::State::ALL, text, "state"))
    }
}

/// News for the outside.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AllNews {
    news: Vec<Kept>,
}

/// List news for the outside.
///
/// By default what was given up: nobody tries it any more, and nothing waits for it. The one due last comes first.
/// Delivered news is kept for 7 days, parked for 30.
#[utoipa::path(
    get,
    path = "/api/admin/outbox",
    operation_id = "list_news",
    tag = "outbox",
    params(Wanted, Page),
    responses(
        (status = 200, description = "The news.", body = AllNews),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    _: Admin,
    State(outbox): State<Outbox>,
    Query(wanted): Query<Wanted>,
    page: Page,
) -> Result<Json<AllNews>, ApiError> {
    let news = outbox.list(wanted.state()?, page.or_at_most(USUAL_PAGE)).await?;
    Ok(Json(AllNews { news }))
}

/// Send news again.
///
/// What was given up is tried again at once, and as often as new. What happened to the same booking, payment, refund or
/// schedule since then may have been told before it.
#[utoipa::path(
    post,
    path = "/api/admin/outbox/{id}/retry",
    operation_id = "retry_news",
    tag = "outbox",
    params(("id" = Uuid, Path, description = "The news' id, which the subscriber knows as `webhook-id`.", example = "019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11")),
    responses(
        (status = 202, description = "It is on its way.", body = Done),
        (status = 404, description = "There is no such news, or it is forgotten.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was delivered, or still waits.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn retry(
    _: Admin,
    State(outbox): State<Outbox>,
    language: Language,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    outbox.retry(id).await.map_err(refused)?;
    let message = language.pick("알림을 다시 전송합니다.", "The news is being sent again.");
    Ok((StatusCode::ACCEPTED, Json(Done::new(message))))
}

/// How a refusal is told.
fn refused(error: RetryError) -> ApiError {
    match error {
        RetryError::NotFound => {
            ApiError::not_found("news-not-found", "알림을 찾을 수 없습니다.", "There is no such news.")
        }
        RetryError::NotParked => ApiError::conflict(
            "news-not-parked",
            "전송이 중단된 알림이 아닙니다.",
            "The news was delivered, or is still to be delivered.",
        ),
        RetryError::Database(error) => error.into(),
    }
}
