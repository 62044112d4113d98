//! `GET /api/payments`: the caller's payments and what went back of them.

use axum::extract::State;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotSignedIn};
use common::http::wire::{one_of, required};
use common::http::{Json, Query};
use common::language::Language;
use common::page::Page;
use orders::Orders;
use orders::payments::{Filter, Payment, PaymentStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::booking_name::BookingName;

/// How many are listed where nothing else is said.
const USUAL_PAGE: u32 = 50;

/// Which payments: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// That stand there.
    #[param(value_type = Option<PaymentStatus>, example = "PAID")]
    status: Option<String>,
    /// For this booking: its number or id.
    #[param(value_type = Option<String>, example = "CJ4K7Q2M9X")]
    booking: Option<BookingName>,
}

impl Wanted {
    fn filter(self, user_id: i64) -> Result<Filter, ApiError> {
        let status = self.status.map(|text| one_of(PaymentStatus::ALL, &text, "status")).transpose()?;
        let booking = self.booking.map(|name| required(name.read(), "booking")).transpose()?;
        Ok(Filter { status, booking, user_id: Some(user_id), ..Filter::default() })
    }
}

/// The caller's payments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Payments {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    payments: Vec<Payment>,
}

/// List one's payments.
///
/// Newest first, with their refunds: the newest 50, or the part that `limit` and `offset` name.
#[utoipa::path(
    get,
    path = "/api/payments",
    operation_id = "list_payments",
    tag = "payments",
    params(Wanted, Page),
    responses(
        (status = 200, description = "The payments.", body = Payments),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    user: User,
    State(orders): State<Orders>,
    language: Language,
    Query(wanted): Query<Wanted>,
    page: Page,
) -> Result<Json<Payments>, ApiError> {
    let payments = orders.payments(&wanted.filter(user.id)?, page.or_at_most(USUAL_PAGE), language).await?;
    Ok(Json(Payments { success: true, payments }))
}
