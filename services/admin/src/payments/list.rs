//! `GET /api/admin/payments`: everybody's payments.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::{Id, one_of};
use common::http::{Json, Query};
use common::language::Language;
use common::page::Page;
use orders::Orders;
use orders::payments::{Filter, PaymentStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::period::Period;
use super::{AnyPayment, USUAL_PAGE};
use crate::events::booking_named;

/// Which payments: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// That stand there.
    #[param(value_type = Option<PaymentStatus>, example = "PAID")]
    status: Option<String>,
    /// Of this account.
    user_id: Option<Id>,
    /// For this booking (its number or id).
    #[param(example = "CJ4K7Q2M9X")]
    booking: Option<String>,
    /// Under this order id.
    #[param(example = "CJ-ORD-7-10000001-0f3a9c2e")]
    order_id: Option<String>,
    /// For which the provider has this receipt.
    #[param(example = "624c1c5c1fc19202e4746ce5")]
    receipt_id: Option<String>,
}

impl Wanted {
    fn filter(self, period: &Period) -> Result<Filter, ApiError> {
        let status = self.status.map(|text| one_of(PaymentStatus::ALL, &text, "status")).transpose()?;
        let booking = self.booking.as_deref().map(booking_named).transpose()?;
        let (from, to) = period.read()?;
        let Self { user_id, order_id, receipt_id, .. } = self;
        Ok(Filter { status, user_id: user_id.map(|id| id.0), booking, order_id, receipt_id, from, to })
    }
}

/// Payments, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnyPayments {
    payments: Vec<AnyPayment>,
}

/// List everybody's payments.
///
/// Newest first, with their refunds: the newest 50 that fit, or the page asked for. Days are those on which they were
/// begun.
#[utoipa::path(
    get,
    path = "/api/admin/payments",
    operation_id = "list_all_payments",
    tag = "payments",
    params(Wanted, Period, Page),
    responses(
        (status = 200, description = "The payments.", body = AnyPayments),
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
) -> Result<Json<AnyPayments>, ApiError> {
    let payments = orders.payments(&wanted.filter(&period)?, page.or_at_most(USUAL_PAGE), language).await?;
    Ok(Json(AnyPayments { payments: payments.into_iter().map(AnyPayment::from).collect() }))
}
