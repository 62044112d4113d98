//! `GET /api/admin/reports/money`: what was charged and given back, by day and flight number.

use axum::extract::State;
use chrono::{NaiveDate, TimeDelta};
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::{date, required_text};
use common::http::{Json, Query};
use orders::Orders;
use orders::reconcile::MoneyReport;
use serde::Deserialize;
use utoipa::IntoParams;

/// How many days a report has at most, its first not counted.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Days {
    /// The first day, in Seoul.
    #[param(required = true, value_type = String, format = Date, example = "2026-12-01")]
    from: Option<String>,
    /// The last day, at most 366 after the first.
    #[param(required = true, value_type = String, format = Date, example = "2026-12-31")]
    to: Option<String>,
}

impl Days {
    fn read(self) -> Result<(NaiveDate, NaiveDate), ApiError> {
        let from = date(&required_text(self.from, "from")?, "from")?;
        let to = date(&required_text(self.to, "to")?, "to")?;
        if !(TimeDelta::zero()..=LONGEST).contains(&(to - from)) {
            return Err(ApiError::invalid(
                "to",
                "from부터 366일 이내의 날짜여야 합니다.",
                "Must be from the first day to 366 days after it.",
            ));
        }
        Ok((from, to))
    }
}

/// Tell what was charged and given back.
///
/// By day in Seoul and flight number. Money without a booking has no flight number; a day on which nothing moved has no
/// line.
#[utoipa::path(
    get,
    path = "/api/admin/reports/money",
    operation_id = "report_money",
    tag = "reports",
    params(Days),
    responses(
        (status = 200, description = "What moved.", body = MoneyReport),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn money(
    _: Admin,
    State(orders): State<Orders>,
    Query(days): Query<Days>,
) -> Result<Json<MoneyReport>, ApiError> {
    let (from, to) = days.read()?;
    Ok(Json(orders.money(from, to).await?))
}
