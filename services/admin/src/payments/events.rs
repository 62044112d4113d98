//! `GET /api/admin/provider-events`: what the payment provider told, whatever became of it.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::{Json, Query};
use common::page::Page;
use orders::Orders;
use orders::payments::{ProviderEvent, ProviderEventFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::USUAL_PAGE;
use super::period::Period;

/// Which messages: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Whether they are applied, or wait for their order to appear.
    applied: Option<bool>,
    /// For this order.
    #[param(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<String>,
    /// About this receipt.
    #[param(example = "624c1c5c1fc19202e4746ce5")]
    receipt_id: Option<String>,
}

impl Wanted {
    fn filter(self, period: &Period) -> Result<ProviderEventFilter, ApiError> {
        let (from, to) = period.read()?;
        let Self { applied, order_id, receipt_id } = self;
        Ok(ProviderEventFilter { applied, order_id, receipt_id, from, to })
    }
}

/// Messages of the payment provider, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderEvents {
    events: Vec<ProviderEvent>,
}

/// List what the payment provider told.
///
/// By webhook, and authentically. Newest first: the newest 50 that fit, or the page asked for.
#[utoipa::path(
    get,
    path = "/api/admin/provider-events",
    operation_id = "list_provider_events",
    tag = "payments",
    params(Wanted, Period, Page),
    responses(
        (status = 200, description = "The messages.", body = ProviderEvents),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    _: Admin,
    State(orders): State<Orders>,
    Query(wanted): Query<Wanted>,
    Query(period): Query<Period>,
    page: Page,
) -> Result<Json<ProviderEvents>, ApiError> {
    let events = orders.provider_events(&wanted.filter(&period)?, page.or_at_most(USUAL_PAGE)).await?;
    Ok(Json(ProviderEvents { events }))
}
