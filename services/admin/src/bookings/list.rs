//! `GET /api/admin/bookings`: everybody's bookings.

use axum::extract::State;
use axum::response::Response;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::{Id, date, one_of};
use common::http::{Query, long_list};
use common::page::Page;
use futures_util::TryStreamExt as _;
use orders::Orders;
use orders::bookings::{BookingStatus, Filter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Bookings;
use super::shape::AnyBooking;

/// Which bookings: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// That stand there.
    #[param(value_type = Option<BookingStatus>, example = "CONFIRMED")]
    status: Option<String>,
    /// Of this flight number.
    #[param(example = "CJ101")]
    flight_id: Option<String>,
    /// That leave on this local day, `YYYY-MM-DD`.
    #[param(value_type = Option<String>, format = Date, example = "2026-12-01")]
    date: Option<String>,
    /// Of this account.
    user: Option<Id>,
}

impl Wanted {
    fn filter(self) -> Result<Filter, ApiError> {
        let status = self.status.map(|text| one_of(BookingStatus::ALL, &text, "status")).transpose()?;
        let flight_date = self.date.map(|text| date(&text, "date")).transpose()?;
        Ok(Filter { status, flight_id: self.flight_id, flight_date, user_id: self.user.map(|id| id.0) })
    }
}

/// List everybody's bookings.
///
/// Newest first: all of them, or a page of those that fit. A long list is sent while it is read; should that fail, the
/// connection ends before the list does.
#[utoipa::path(
    get,
    path = "/api/admin/bookings",
    operation_id = "list_all_bookings",
    tag = "bookings",
    params(Wanted, Page),
    responses(
        (status = 200, description = "The bookings.", body = Bookings),
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
    page: Page,
) -> Result<Response, ApiError> {
    let parts = orders.bookings(wanted.filter()?, page);
    long_list("bookings", parts.map_ok(|part| part.into_iter().map(AnyBooking::from).collect())).await
}
