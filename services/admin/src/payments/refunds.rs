//! `GET /api/admin/refunds`: everybody's money on its way back.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::{Id, one_of};
use common::http::{Json, Query};
use common::language::Language;
use common::page::Page;
use orders::Orders;
use orders::payments::{RefundEntry, RefundFilter};
use orders::refunds::RefundState;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::USUAL_PAGE;
use super::period::Period;
use crate::events::booking_named;

/// Which refunds: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// That stand there.
    #[param(value_type = Option<RefundState>, example = "NEEDS_OPERATOR")]
    state: Option<String>,
    /// Why it goes back.
    #[param(example = "OWNER")]
    reason: Option<String>,
    /// Of this payment.
    payment_id: Option<Id>,
    /// For this booking (its number or id).
    #[param(example = "CJ4K7Q2M9X")]
    booking: Option<String>,
    /// Of this order.
    #[param(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<String>,
    /// Of this receipt.
    #[param(example = "624c1c5c1fc19202e4746ce5")]
    receipt_id: Option<String>,
    /// Whether those that wait for an operator come before all others.
    #[serde(default)]
    needs_operator_first: bool,
}

impl Wanted {
    fn filter(self, period: &Period) -> Result<RefundFilter, ApiError> {
        let state = self.state.map(|text| one_of(RefundState::ALL, &text, "state")).transpose()?;
        let booking = self.booking.as_deref().map(booking_named).transpose()?;
        let (from, to) = period.read()?;
        let Self { reason, payment_id, order_id, receipt_id, needs_operator_first: waiting_first, .. } = self;
        let payment_id = payment_id.map(|id| id.0);
        Ok(RefundFilter { state, reason, payment_id, booking, order_id, receipt_id, from, to, waiting_first })
    }
}

/// Refunds, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnyRefunds {
    refunds: Vec<RefundEntry>,
}

/// List everybody's refunds.
///
/// Newest first, or those that wait for an operator before all others: the first 50 that fit, or the page asked for.
/// Days are those on which they were decided.
#[utoipa::path(
    get,
    path = "/api/admin/refunds",
    operation_id = "list_all_refunds",
    tag = "payments",
    params(Wanted, Period, Page),
    responses(
        (status = 200, description = "The refunds.", body = AnyRefunds),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    _: Admin,
    State(orders): State<Orders>,
    language: Language,
    Query(wanted): Query<Wanted>,
    Query(period): Query<Period>,
    page: Page,
) -> Result<Json<AnyRefunds>, ApiError> {
    let refunds = orders.refunds(&wanted.filter(&period)?, page.or_at_most(USUAL_PAGE), language).await?;
    Ok(Json(AnyRefunds { refunds }))
}
